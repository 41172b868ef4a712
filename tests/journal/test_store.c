/* The store, in a folder and in memory: the same answers from both, bounds, faults, and files nobody holds. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bed.h"
#include "core/mem.h"
#include "worker/blob.h"
#include "worker/picture_file.h"
#include "worker/store.h"

#define FOLDER "store"
static sdw_state_dir *dir;
static sdw_store *store;

static void open_store(bool folder, const sdw_io *io, int results_max, uint64_t bytes_max, double ttl_s)
{
    dir = NULL;
    if (folder) assert_int_equal(sdw_state_dir_open(FOLDER, io, &dir, NULL), SDW_OK);
    const sdw_store_options o = { .dir = dir, .results_max = results_max, .bytes_max = bytes_max, .ttl_s = ttl_s };
    assert_int_equal(sdw_store_open(&o, &store, NULL), SDW_OK);
}

static void close_store(void)
{
    sdw_store_close(store);
    sdw_state_dir_close(dir);
}

static int wipe(void **state)
{
    (void)state;
    bed_wipe(FOLDER);
    return 0;
}

static int files_in(const char *path)
{
    int n = 0;
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

static sdw_blob *text_blob(const char *text)
{
    sdw_blob *blob = sdw_blob_copy(text, strlen(text));
    assert_non_null(blob);
    return blob;
}

static sdw_status try_put(const char *text, sdw_stored_output *ret, sdw_error *err)
{
    sdw_blob *blob = text_blob(text);
    memset(ret, 0, sizeof *ret);
    ret->output.bytes = strlen(text);
    sdw_status s = sdw_store_output_put(store, blob, &ret->output.id, ret->sha256, err);
    sdw_blob_unref(blob);
    return s;
}

/* A finished job n with one output of this text. */
static sdw_output_id add_job(int n, double finished_at, const char *text)
{
    sdw_stored_output out;
    sdw_job_id id = bed_id(n);
    assert_int_equal(try_put(text, &out, NULL), SDW_OK);
    assert_int_equal(sdw_store_add(store, &id, finished_at, &out, 1, NULL), SDW_OK);
    return out.output.id;
}

static sdw_status read_text(const sdw_output_id *id, char *to, size_t room, sdw_output_place *place, sdw_error *err)
{
    sdw_blob *blob = NULL;
    sdw_status s = sdw_store_output_get(store, id, place, &blob, err);
    if (s != SDW_OK) return s;
    size_t size;
    const char *bytes = sdw_blob_bytes(blob, &size);
    assert_true(size < room);
    memcpy(to, bytes, size);
    to[size] = '\0';
    sdw_blob_unref(blob);
    return s;
}

static void outputs_are_found_once_their_job_is_counted(void **state)
{
    (void)state;
    for (int folder = 0; folder < 2; folder++) {
        char text[64], hash[SDW_SHA256_HEX_SIZE];
        sdw_stored_output outs[3];
        sdw_output_place place;
        sdw_error err = { 0 };
        sdw_job_id id = bed_id(1);
        open_store(folder, NULL, 0, 0, 0);
        assert_int_equal(try_put("one", &outs[0], NULL), SDW_OK);
        assert_int_equal(try_put("two", &outs[1], NULL), SDW_OK);
        assert_int_equal(try_put("never", &outs[2], NULL), SDW_OK);
        assert_string_not_equal(outs[0].output.id.text, outs[1].output.id.text);
        assert_int_equal(read_text(&outs[0].output.id, text, sizeof text, &place, &err), SDW_NOT_FOUND);
        assert_int_equal(sdw_store_add(store, &id, 10, outs, 2, NULL), SDW_OK);
        assert_int_equal(sdw_store_add(store, &id, 10, outs, 2, &err), SDW_EXISTS);
        assert_int_equal(read_text(&outs[1].output.id, text, sizeof text, &place, NULL), SDW_OK);
        assert_string_equal(text, "two");
        assert_string_equal(place.job.text, id.text);
        assert_int_equal(place.index, 1);
        assert_int_equal(place.bytes, 3);
        assert_int_equal(sdw_sha256_bytes("two", 3, hash, NULL), SDW_OK);
        assert_string_equal(place.sha256, hash);
        sdw_store_output_drop(store, &outs[2].output.id);
        sdw_store_output_drop(store, &outs[1].output.id); /* counted: stays */
        assert_int_equal(sdw_store_output_get(store, &outs[1].output.id, &place, NULL, NULL), SDW_OK);
        if (folder) assert_int_equal(files_in(FOLDER "/outputs"), 2);
        assert_int_equal(sdw_store_output_delete(store, &outs[1].output.id, &place, NULL), SDW_OK);
        assert_int_equal(place.index, 1);
        assert_int_equal(sdw_store_output_delete(store, &outs[1].output.id, &place, &err), SDW_NOT_FOUND);
        assert_int_equal(read_text(&outs[1].output.id, text, sizeof text, &place, &err), SDW_NOT_FOUND);
        if (folder) assert_int_equal(files_in(FOLDER "/outputs"), 1);
        sdw_store_stats st;
        sdw_store_stats_of(store, &st);
        assert_int_equal(st.outputs, 1);
        assert_int_equal(st.output_bytes, 3);
        assert_int_equal(st.jobs, 1);
        close_store();
    }
}

static void the_oldest_leave_when_there_are_too_many(void **state)
{
    (void)state;
    for (int folder = 0; folder < 2; folder++) {
        sdw_output_id ids[6];
        sdw_job_id gone;
        sdw_output_place place;
        open_store(folder, NULL, 3, 1000, 100);
        /* They may end in another order than they are counted in. */
        static const int finished[] = { 10, 12, 11, 13, 14 };
        for (int n = 0; n < 5; n++) ids[n] = add_job(n, finished[n], "xxxxxxxxxx");
        assert_true(sdw_store_expire(store, 20, &gone));
        assert_int_equal(bed_number(&gone), 0);
        assert_true(sdw_store_expire(store, 20, &gone));
        assert_int_equal(bed_number(&gone), 2);
        assert_false(sdw_store_expire(store, 20, &gone));
        assert_int_equal(sdw_store_output_get(store, &ids[2], &place, NULL, NULL), SDW_NOT_FOUND);
        assert_int_equal(sdw_store_output_get(store, &ids[1], &place, NULL, NULL), SDW_OK);
        if (folder) assert_int_equal(files_in(FOLDER "/outputs"), 3);
        close_store();
    }
}

static void the_oldest_leave_when_they_are_too_large(void **state)
{
    (void)state;
    for (int folder = 0; folder < 2; folder++) {
        char big[300];
        sdw_job_id gone;
        memset(big, 'b', sizeof big);
        big[sizeof big - 1] = '\0';
        open_store(folder, NULL, 0, 20, 100);
        add_job(1, 1, "xxxxxxxxxx");
        add_job(2, 2, "xxxxxxxxxx");
        assert_false(sdw_store_expire(store, 3, &gone)); /* at the limit */
        add_job(3, 3, "x");
        assert_true(sdw_store_expire(store, 3, &gone));
        assert_int_equal(bed_number(&gone), 1);
        assert_false(sdw_store_expire(store, 3, &gone));
        /* One that is too large alone stays until another comes. */
        add_job(4, 4, big);
        assert_true(sdw_store_expire(store, 4, &gone));
        assert_true(sdw_store_expire(store, 4, &gone));
        assert_int_equal(bed_number(&gone), 3);
        assert_false(sdw_store_expire(store, 4, &gone));
        add_job(5, 5, "y");
        assert_true(sdw_store_expire(store, 5, &gone));
        assert_int_equal(bed_number(&gone), 4);
        close_store();
    }
}

static void jobs_leave_when_their_time_is_over(void **state)
{
    (void)state;
    for (int folder = 0; folder < 2; folder++) {
        sdw_job_id gone;
        open_store(folder, NULL, 0, 0, 100);
        sdw_job_id id = bed_id(1);
        assert_int_equal(sdw_store_add(store, &id, 50, NULL, 0, NULL), SDW_OK); /* failed: no outputs */
        add_job(2, 60, "x");
        assert_true(sdw_store_next_expiry(store, 60) == 90);
        assert_false(sdw_store_expire(store, 149.9, &gone));
        assert_true(sdw_store_next_expiry(store, 151) == 0);
        assert_true(sdw_store_expire(store, 150, &gone));
        assert_int_equal(bed_number(&gone), 1);
        assert_false(sdw_store_expire(store, 150, &gone));
        assert_true(sdw_store_expire(store, 160, &gone));
        assert_true(sdw_store_next_expiry(store, 160) == -1);
        sdw_output_id out = add_job(3, 70, "y");
        id = bed_id(3);
        sdw_output_place place;
        sdw_store_forget(store, &id);
        sdw_store_forget(store, &id);
        assert_int_equal(sdw_store_output_get(store, &out, &place, NULL, NULL), SDW_NOT_FOUND);
        if (folder) assert_int_equal(files_in(FOLDER "/outputs"), 0);
        close_store();
    }
}

static void a_folder_is_taken_up_again_after_a_restart(void **state)
{
    (void)state;
    char text[64];
    sdw_output_place place;
    sdw_stored_output outs[3];
    sdw_job_id id = bed_id(1);
    sdw_error err = { 0 };
    open_store(true, NULL, 0, 0, 0);
    for (int i = 0; i < 3; i++) assert_int_equal(try_put("kept", &outs[i], NULL), SDW_OK);
    sdw_stored_output orphan;
    assert_int_equal(try_put("of a job that did not finish", &orphan, NULL), SDW_OK);
    close_store();
    /* Somebody else's file is not ours to remove. */
    FILE *f = fopen(FOLDER "/outputs/README", "w");
    assert_non_null(f);
    fclose(f);
    open_store(true, NULL, 0, 0, 0);
    outs[1].deleted = true;
    assert_int_equal(sdw_store_add(store, &id, 10, outs, 3, NULL), SDW_OK);
    assert_int_equal(sdw_store_sweep(store), 2); /* the orphan and the deleted one */
    assert_int_equal(files_in(FOLDER "/outputs"), 3);
    assert_int_equal(read_text(&outs[0].output.id, text, sizeof text, &place, NULL), SDW_OK);
    assert_string_equal(text, "kept");
    assert_int_equal(read_text(&outs[1].output.id, text, sizeof text, &place, &err), SDW_NOT_FOUND);
    /* A damaged file is not served, a missing one not found. */
    char path[100];
    snprintf(path, sizeof path, FOLDER "/outputs/%s", outs[0].output.id.text);
    f = fopen(path, "r+");
    assert_non_null(f);
    fputs("K", f);
    fclose(f);
    assert_int_equal(read_text(&outs[0].output.id, text, sizeof text, &place, &err), SDW_IO);
    assert_non_null(strstr(err.text, "damaged"));
    f = fopen(path, "a");
    fputs("more", f);
    fclose(f);
    assert_int_equal(read_text(&outs[0].output.id, text, sizeof text, &place, &err), SDW_IO);
    unlink(path);
    assert_int_equal(read_text(&outs[0].output.id, text, sizeof text, &place, &err), SDW_NOT_FOUND);
    close_store();
}

static sdw_picture picture(uint8_t *pixels, int width, int height, int channels)
{
    for (int i = 0; i < width * height * channels; i++) pixels[i] = (uint8_t)(i * 31 + width);
    return (sdw_picture){ width, height, channels, pixels };
}

static void equal_input_pictures_share_a_file_until_the_last_lets_go(void **state)
{
    (void)state;
    uint8_t pixels[3 * 16 * 8];
    char name[SDW_SHA256_HEX_SIZE], again[SDW_SHA256_HEX_SIZE], grey[SDW_SHA256_HEX_SIZE];
    sdw_picture p = picture(pixels, 16, 8, 3), back = { 0 };
    sdw_error err = { 0 };
    open_store(true, NULL, 0, 0, 0);
    assert_int_equal(sdw_store_picture_put(store, &p, name, NULL), SDW_OK);
    assert_int_equal(sdw_store_picture_put(store, &p, again, NULL), SDW_OK);
    assert_string_equal(name, again);
    assert_int_equal(files_in(FOLDER "/inputs"), 1);
    assert_int_equal(sdw_store_picture_get(store, name, &back, NULL), SDW_OK);
    assert_int_equal(back.width, 16);
    assert_int_equal(back.height, 8);
    assert_int_equal(back.channels, 3);
    assert_memory_equal(back.pixels, pixels, sizeof pixels);
    sdw_free(back.pixels);
    p = picture(pixels, 16, 8, 1);
    assert_int_equal(sdw_store_picture_put(store, &p, grey, NULL), SDW_OK);
    assert_int_equal(files_in(FOLDER "/inputs"), 2);
    sdw_store_picture_release(store, name);
    assert_int_equal(files_in(FOLDER "/inputs"), 2);
    assert_int_equal(sdw_store_picture_hold(store, name, NULL), SDW_OK);
    sdw_store_picture_release(store, name);
    sdw_store_picture_release(store, name);
    assert_int_equal(files_in(FOLDER "/inputs"), 1);
    assert_int_equal(sdw_store_picture_get(store, name, &back, &err), SDW_NOT_FOUND);
    assert_int_equal(sdw_store_picture_hold(store, name, &err), SDW_NOT_FOUND);
    close_store();
    /* After a restart a holder takes it up; the others are swept. */
    open_store(true, NULL, 0, 0, 0);
    assert_int_equal(sdw_store_picture_hold(store, grey, NULL), SDW_OK);
    assert_int_equal(sdw_store_sweep(store), 0);
    close_store();
    open_store(true, NULL, 0, 0, 0);
    assert_int_equal(sdw_store_sweep(store), 1);
    assert_int_equal(files_in(FOLDER "/inputs"), 0);
    close_store();
    open_store(false, NULL, 0, 0, 0);
    assert_int_equal(sdw_store_picture_put(store, &p, name, NULL), SDW_OK);
    assert_string_equal(name, "");
    sdw_store_picture_release(store, name);
    close_store();
}

static void damaged_and_absurd_pictures_are_refused(void **state)
{
    (void)state;
    uint8_t pixels[64];
    sdw_picture p = picture(pixels, 8, 8, 1), back;
    sdw_error err = { 0 };
    sdw_buf file = { 0 };
    assert_int_equal(sdw_picture_file_write(&p, &file, NULL), SDW_OK);
    for (size_t n = 0; n < file.size; n++) assert_int_equal(sdw_picture_file_read(file.data, n, "x", &back, &err), SDW_FORMAT);
    for (size_t i = 0; i < 20; i++) {
        file.data[i] ^= 0x40;
        assert_int_equal(sdw_picture_file_read(file.data, file.size, "x", &back, &err), SDW_FORMAT);
        file.data[i] ^= 0x40;
    }
    sdw_buf_finish(&file);
    p.channels = 4;
    assert_int_equal(sdw_picture_file_write(&p, &file, &err), SDW_INVALID);
    p = (sdw_picture){ 0, 8, 1, pixels };
    assert_int_equal(sdw_picture_file_write(&p, &file, &err), SDW_INVALID);
    /* Under its name but with other bytes. */
    char name[SDW_SHA256_HEX_SIZE], path[120];
    open_store(true, NULL, 0, 0, 0);
    p = picture(pixels, 8, 8, 1);
    assert_int_equal(sdw_store_picture_put(store, &p, name, NULL), SDW_OK);
    snprintf(path, sizeof path, FOLDER "/inputs/%s", name);
    FILE *f = fopen(path, "r+");
    assert_non_null(f);
    fseek(f, 30, SEEK_SET);
    fputc(1, f);
    fclose(f);
    assert_int_equal(sdw_store_picture_get(store, name, &back, &err), SDW_FORMAT);
    assert_int_equal(sdw_store_picture_get(store, "../../../etc/passwd", &back, &err), SDW_NOT_FOUND);
    close_store();
}

/* Every call in turn: the put fails, nothing is left, and the next one succeeds. */
static void whatever_fails_leaves_no_file(void **state)
{
    (void)state;
    fault_io f;
    uint8_t pixels[64];
    char name[SDW_SHA256_HEX_SIZE];
    sdw_picture p = picture(pixels, 8, 8, 1);
    int refused = 0;
    fault_io_init(&f);
    open_store(true, &f.io, 0, 0, 0);
    for (int half = 0; half < 2; half++)
        for (long nth = 1; nth < 12; nth++) {
            sdw_stored_output out;
            sdw_error err = { 0 };
            f.half = half;
            f.error = half ? ENOSPC : EIO;
            fault_io_arm(&f, FAULT_OPEN | FAULT_WRITE | FAULT_FSYNC | FAULT_RENAME, nth);
            sdw_status s = try_put("some picture", &out, &err);
            if (s == SDW_OK) sdw_store_output_drop(store, &out.output.id);
            else assert_int_equal(s, SDW_IO);
            refused += s != SDW_OK;
            fault_io_arm(&f, FAULT_OPEN | FAULT_WRITE | FAULT_FSYNC | FAULT_RENAME, nth);
            s = sdw_store_picture_put(store, &p, name, &err);
            if (s == SDW_OK) sdw_store_picture_release(store, name);
            else assert_int_equal(s, SDW_IO);
            refused += s != SDW_OK;
            fault_io_arm(&f, 0, 0);
            assert_int_equal(sdw_store_picture_put(store, &p, name, NULL), SDW_OK);
            sdw_store_picture_release(store, name);
        }
    assert_true(refused >= 16);
    close_store();
    open_store(true, NULL, 0, 0, 0);
    sdw_store_sweep(store); /* a file whose folder could not be synced may have stayed, under a name nobody holds */
    assert_int_equal(files_in(FOLDER "/outputs"), 0);
    assert_int_equal(files_in(FOLDER "/inputs"), 0);
    close_store();
}

static void without_memory_nothing_is_half_kept(void **state)
{
    (void)state;
    for (int folder = 0; folder < 2; folder++) {
        open_store(folder, NULL, 0, 0, 0);
        sdw_stored_output out;
        sdw_output_place place;
        sdw_job_id gone, id = bed_id(77);
        sdw_blob *blob = text_blob("x");
        for (size_t nth = 1; nth < 60; nth++) {
            memset(&out, 0, sizeof out);
            out.output.bytes = 1;
            sdw_mem_fail_at(nth, false);
            sdw_status s = sdw_store_output_put(store, blob, &out.output.id, out.sha256, NULL);
            if (s == SDW_OK) s = sdw_store_add(store, &id, 5, &out, 1, NULL);
            bool happened = sdw_mem_count() >= nth;
            sdw_mem_fail_at(0, false);
            if (s == SDW_OK) {
                assert_int_equal(sdw_store_output_get(store, &out.output.id, &place, NULL, NULL), SDW_OK);
                assert_true(sdw_store_expire(store, 1e9, &gone));
            } else {
                assert_int_equal(s, SDW_NO_MEMORY);
                if (out.output.id.text[0]) sdw_store_output_drop(store, &out.output.id);
            }
            sdw_store_stats st;
            sdw_store_stats_of(store, &st);
            assert_int_equal(st.outputs + st.jobs, 0);
            if (!happened) break;
        }
        sdw_blob_unref(blob);
        if (folder) assert_int_equal(files_in(FOLDER "/outputs"), 0);
        close_store();
    }
}

/* Threads that put and release the same few pictures: in the end no file and no entry is left. */
static void *churn(void *seed)
{
    unsigned r = *(unsigned *)seed;
    for (int i = 0; i < 60; i++) {
        uint8_t pixels[64];
        char name[SDW_SHA256_HEX_SIZE];
        sdw_picture p = picture(pixels, 8, 8, 1), back = { 0 };
        pixels[0] = (uint8_t)((r = r * 1103515245u + 12345u) >> 16 & 3);
        assert_int_equal(sdw_store_picture_put(store, &p, name, NULL), SDW_OK);
        assert_int_equal(sdw_store_picture_get(store, name, &back, NULL), SDW_OK);
        assert_memory_equal(back.pixels, pixels, sizeof pixels);
        sdw_free(back.pixels);
        sdw_store_picture_release(store, name);
    }
    return NULL;
}

static void threads_share_input_pictures(void **state)
{
    (void)state;
    pthread_t threads[4];
    unsigned seeds[4] = { 1, 2, 3, 4 };
    open_store(true, NULL, 0, 0, 0);
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, churn, &seeds[i]), 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    sdw_store_stats st;
    sdw_store_stats_of(store, &st);
    assert_int_equal(st.inputs, 0);
    assert_int_equal(files_in(FOLDER "/inputs"), 0);
    close_store();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(outputs_are_found_once_their_job_is_counted, wipe),
        cmocka_unit_test_setup(the_oldest_leave_when_there_are_too_many, wipe),
        cmocka_unit_test_setup(the_oldest_leave_when_they_are_too_large, wipe),
        cmocka_unit_test_setup(jobs_leave_when_their_time_is_over, wipe),
        cmocka_unit_test_setup(a_folder_is_taken_up_again_after_a_restart, wipe),
        cmocka_unit_test_setup(equal_input_pictures_share_a_file_until_the_last_lets_go, wipe),
        cmocka_unit_test_setup(damaged_and_absurd_pictures_are_refused, wipe),
        cmocka_unit_test_setup(whatever_fails_leaves_no_file, wipe),
        cmocka_unit_test_setup(without_memory_nothing_is_half_kept, wipe),
        cmocka_unit_test_setup(threads_share_input_pictures, wipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
