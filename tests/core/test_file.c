/* Whole files: complete or absent, whatever fails. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "support/fault_io.h"

static int dir = -1;

static int entries(void)
{
    int n = 0;
    DIR *d = opendir("files");
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.' || e->d_name[1] == 's'; /* ".sdw-..." too */
    closedir(d);
    return n;
}

static int setup(void **state)
{
    (void)state;
    if (system("rm -rf files && mkdir files") != 0) return -1;
    dir = open("files", O_RDONLY | O_DIRECTORY);
    return dir < 0;
}

static int teardown(void **state)
{
    (void)state;
    return close(dir);
}

static sdw_status write_text(const sdw_io *io, const char *name, const char *text, bool replace, sdw_error *err)
{
    const sdw_file_write f = { .dir = dir, .name = name, .mode = 0600, .replace = replace, .folder_must_sync = true };
    return sdw_file_write_at(io, &f, text, strlen(text), err);
}

static void assert_holds(const char *name, const char *text)
{
    sdw_buf got = { 0 };
    assert_int_equal(sdw_file_read_at(NULL, dir, name, name, 1000, &got, NULL), SDW_OK);
    assert_int_equal(got.size, strlen(text));
    assert_memory_equal(got.data, text, got.size);
    sdw_buf_finish(&got);
}

static void a_file_is_written_with_its_mode(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(write_text(NULL, "a", "hello", false, NULL), SDW_OK);
    assert_holds("a", "hello");
    assert_int_equal(fstatat(dir, "a", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(entries(), 1);
}

static void an_existing_file_is_replaced_only_when_asked(void **state)
{
    (void)state;
    sdw_error err = { 0 };
    assert_int_equal(write_text(NULL, "a", "one", false, NULL), SDW_OK);
    assert_int_equal(write_text(NULL, "a", "two", false, &err), SDW_EXISTS);
    assert_holds("a", "one");
    assert_int_equal(write_text(NULL, "a", "three", true, NULL), SDW_OK);
    assert_holds("a", "three");
    assert_int_equal(entries(), 1);
}

/* Each call that may fail fails once; after it the file is the old one or the new one, and nothing else lies there. */
static void whatever_fails_leaves_old_or_new_and_no_rest(void **state)
{
    (void)state;
    const unsigned kinds = FAULT_OPEN | FAULT_WRITE | FAULT_FSYNC | FAULT_RENAME | FAULT_LINK;
    fault_io f;
    int refused = 0;
    fault_io_init(&f);
    for (int replace = 0; replace < 2; replace++)
        for (int half = 0; half < 2; half++)
            for (long nth = 1; nth < 20; nth++) {
                unlinkat(dir, "a", 0);
                if (replace) assert_int_equal(write_text(NULL, "a", "old", true, NULL), SDW_OK);
                f.half = half;
                fault_io_arm(&f, kinds, nth);
                sdw_error err = { 0 };
                sdw_status s = write_text(&f.io, "a", "the new one", replace, &err);
                bool happened = f.count >= nth;
                if (s == SDW_OK) assert_holds("a", "the new one");
                else if (replace && strstr(err.text, "folder")) assert_holds("a", "the new one");
                else if (replace) assert_holds("a", "old");
                if (s != SDW_OK) assert_int_equal(err.status, SDW_IO);
                refused += s != SDW_OK;
                assert_int_equal(entries(), s == SDW_OK || replace ? 1 : 0);
                if (!happened) break;
            }
    assert_true(refused >= 16);
}

static void a_full_disk_is_an_io_error_that_names_the_file(void **state)
{
    (void)state;
    fault_io f;
    sdw_error err = { 0 };
    fault_io_init(&f);
    f.room = 4;
    assert_int_equal(write_text(&f.io, "a", "hello", false, &err), SDW_IO);
    assert_string_equal(err.text, "a: cannot write: No space left on device");
    assert_int_equal(entries(), 0);
}

static void links_folders_and_large_files_are_not_read(void **state)
{
    (void)state;
    sdw_buf out = { 0 };
    assert_int_equal(write_text(NULL, "a", "hello", false, NULL), SDW_OK);
    assert_int_equal(symlinkat("a", dir, "link"), 0);
    assert_int_equal(mkdirat(dir, "sub", 0700), 0);
    assert_int_equal(mkfifoat(dir, "fifo", 0600), 0);
    assert_int_equal(sdw_file_read_at(NULL, dir, "link", "link", 100, &out, NULL), SDW_IO);
    assert_int_equal(sdw_file_read_at(NULL, dir, "sub", "sub", 100, &out, NULL), SDW_INVALID);
    assert_int_equal(sdw_file_read_at(NULL, dir, "fifo", "fifo", 100, &out, NULL), SDW_INVALID);
    assert_int_equal(sdw_file_read_at(NULL, dir, "none", "none", 100, &out, NULL), SDW_NOT_FOUND);
    assert_int_equal(sdw_file_read_at(NULL, dir, "a", "a", 4, &out, NULL), SDW_LIMIT);
    assert_int_equal(sdw_file_read_at(NULL, dir, "a", "a", 5, &out, NULL), SDW_OK);
    assert_int_equal(out.size, 5);
    fault_io f;
    fault_io_init(&f);
    fault_io_arm(&f, FAULT_READ, 1);
    assert_int_equal(sdw_file_read_at(&f.io, dir, "a", "a", 5, &out, NULL), SDW_IO);
    assert_int_equal(out.size, 5);
    sdw_buf_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_is_written_with_its_mode, setup, teardown),
        cmocka_unit_test_setup_teardown(an_existing_file_is_replaced_only_when_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(whatever_fails_leaves_old_or_new_and_no_rest, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_is_an_io_error_that_names_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(links_folders_and_large_files_are_not_read, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
