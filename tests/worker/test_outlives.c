/* A worker with a state folder: what it was asked for and what it made outlives it, however it ends. */
#define _GNU_SOURCE
#include "worker/bed.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/mem.h"

#define FOLDER "worker-state"

static int wipe(void **state)
{
    (void)state;
    return system("rm -rf " FOLDER) != 0;
}

static void open_state(bed *b, const sdw_worker_options *more)
{
    sdw_worker_options o = more ? *more : (sdw_worker_options){ 0 };
    o.state_dir = FOLDER;
    bed_open(b, &o);
}

static sdw_job_request seeded(const char *prompt, uint64_t seed)
{
    sdw_job_request r = bed_request(prompt);
    r.params.seed = seed;
    r.params.has_seed = 1;
    return r;
}

static void assert_picture_of_seed(bed *b, const sdw_job_id *id, int index, uint64_t seed)
{
    size_t size;
    uint8_t *pixels = bed_pixels(b, id, index, &size);
    assert_int_equal(size, 3 * 64 * 64);
    for (size_t i = 0; i < size; i++) assert_int_equal(pixels[i], fake_byte(seed, i));
    sdw_free(pixels);
}

static int files_in(const char *path)
{
    int n = 0;
    DIR *d = opendir(path);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

/* ---- what a power cut leaves ---- */

/* In place of the C library's: how large each synced file was, as far as the disk knows. */
static struct { pthread_mutex_t mutex; off_t journal; } synced = { .mutex = PTHREAD_MUTEX_INITIALIZER };

int fsync(int fd)
{
    struct stat before;
    char link[64], path[512];
    int known = fstat(fd, &before);
    long result = syscall(SYS_fsync, fd);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    if (result != 0 || known != 0 || !strstr(path, FOLDER "/journal")) return (int)result;
    pthread_mutex_lock(&synced.mutex);
    synced.journal = before.st_size;
    pthread_mutex_unlock(&synced.mutex);
    return 0;
}

static off_t synced_bytes(void)
{
    pthread_mutex_lock(&synced.mutex);
    off_t bytes = synced.journal;
    pthread_mutex_unlock(&synced.mutex);
    return bytes;
}

static off_t written_bytes(void)
{
    struct stat st;
    assert_int_equal(stat(FOLDER "/journal", &st), 0);
    return st.st_size;
}

/* At most 10 s. */
static void wait_synced(void)
{
    for (int i = 0; i < 10000 && synced_bytes() < written_bytes(); i++) usleep(1000);
    assert_true(synced_bytes() >= written_bytes());
}

#define AFTER "worker-after-power-cut"

/* The folder as the disk has it, in another place: the journal as far as it was synced. */
static void copy_what_is_synced(void)
{
    off_t bytes = synced_bytes();
    assert_int_equal(system("rm -rf " AFTER " && cp -r " FOLDER " " AFTER), 0);
    assert_int_equal(truncate(AFTER "/journal", bytes), 0);
}

/* ---- restarts ---- */

static void unfinished_jobs_run_again_under_their_ids_and_give_the_same_pictures(void **state)
{
    (void)state;
    bed b;
    sdw_job_id running, waiting[3];
    open_state(&b, NULL);
    sdw_job_request r = seeded("hold-at=2", 7);
    running = bed_submit(&b, &r);
    assert_true(fake_wait_held());
    for (int i = 0; i < 3; i++) {
        r = bed_request("waits");
        r.params.count = i + 1;
        r.tag = "a tag";
        r.echo = "{\"an\":\"echo\"}";
        r.face = "sdapi";
        waiting[i] = bed_submit(&b, &r);
    }
    sdw_job_view before = bed_view(&b, &waiting[1]);
    bed_close(&b); /* as on SIGTERM: stops, keeps */
    fake_release();
    open_state(&b, NULL);
    assert_true(fake_wait_held()); /* it waits at the same evaluation again */
    fake_release();
    assert_int_equal(bed_wait_end(&b, &running), SDW_JOB_COMPLETED);
    assert_picture_of_seed(&b, &running, 0, 7);
    for (int i = 0; i < 3; i++) assert_int_equal(bed_wait_end(&b, &waiting[i]), SDW_JOB_COMPLETED);
    sdw_job_view after = bed_view(&b, &waiting[1]);
    assert_true(after.seed == before.seed);
    assert_true(after.created_at == before.created_at);
    assert_string_equal(after.tag, "a tag");
    assert_string_equal(after.echo, "{\"an\":\"echo\"}");
    assert_string_equal(after.face, "sdapi");
    assert_picture_of_seed(&b, &waiting[1], 0, before.seed);
    assert_picture_of_seed(&b, &waiting[1], 1, before.seed + 1);
    sdw_job_view_finish(&before);
    sdw_job_view_finish(&after);
    /* In their old order. */
    sdw_job_id ids[8];
    assert_int_equal(sdw_worker_jobs(b.w, 0, NULL, ids, 8), 4);
    for (int i = 0; i < 3; i++) assert_string_equal(ids[i].text, waiting[2 - i].text);
    bed_close(&b);
}

static void a_kept_job_tells_its_readers(void **state)
{
    (void)state;
    bed b;
    sdw_event e = { 0 };
    open_state(&b, NULL);
    sdw_job_request r = bed_request("hold-at=2");
    sdw_job_id id = bed_submit(&b, &r);
    assert_true(fake_wait_held());
    sdw_worker_stop(b.w, SDW_STOP_NOW);
    do {
        uint64_t after = e.number;
        sdw_event_finish(&e);
        e = bed_event(&b, &id, after);
    } while (e.kind != SDW_EVENT_END_KEPT);
    assert_int_equal(e.number, 0);
    assert_int_equal(bed_status(&b, &id), SDW_JOB_QUEUED);
    sdw_event_finish(&e);
    bed_close(&b);
    fake_release();
}

static void finished_jobs_are_there_after_a_restart(void **state)
{
    (void)state;
    bed b;
    char story[64];
    sdw_job_id good, bad, gone;
    open_state(&b, NULL);
    sdw_job_request r = seeded("good", 3);
    r.params.count = 2;
    good = bed_submit(&b, &r);
    r = bed_request("nan-at=2");
    bad = bed_submit(&b, &r);
    r = bed_request("hold-at=1");
    bed_wait_end(&b, &good);
    bed_wait_end(&b, &bad);
    gone = bed_submit(&b, &r);
    assert_true(fake_wait_held());
    assert_int_equal(sdw_worker_cancel(b.w, &gone, NULL), SDW_OK);
    bed_wait_end(&b, &gone);
    sdw_job_view was = bed_view(&b, &good);
    uint64_t last_good, last_bad, number;
    bool ended;
    assert_int_equal(sdw_worker_last_event(b.w, &good, &last_good, &ended, NULL), SDW_OK);
    assert_int_equal(sdw_worker_last_event(b.w, &bad, &last_bad, &ended, NULL), SDW_OK);
    bed_close(&b);
    open_state(&b, NULL);
    sdw_job_view v = bed_view(&b, &good);
    assert_int_equal(v.status, SDW_JOB_COMPLETED);
    assert_int_equal(v.output_count, 2);
    for (int i = 0; i < 2; i++) {
        sdw_blob *blob;
        sdw_job_id job;
        int index;
        assert_string_equal(v.outputs[i].id.text, was.outputs[i].id.text);
        assert_true(v.outputs[i].seed == 3 + (uint64_t)i);
        assert_int_equal(v.outputs[i].bytes, was.outputs[i].bytes);
        assert_picture_of_seed(&b, &good, i, 3 + (uint64_t)i);
        assert_int_equal(sdw_worker_output(b.w, &v.outputs[i].id, &blob, &job, &index, NULL), SDW_OK);
        assert_string_equal(job.text, good.text);
        assert_int_equal(index, i);
        sdw_blob_unref(blob);
    }
    assert_true(v.finished_at >= v.started_at && v.started_at >= v.created_at);
    assert_true(v.elapsed_ms >= 0 && v.elapsed_ms < 60000);
    assert_int_equal(v.step, was.step);
    assert_int_equal(v.total, was.total);
    assert_string_equal(v.params_json, was.params_json);
    sdw_job_view_finish(&v);
    sdw_job_view_finish(&was);
    /* The ends have their old numbers, so one who resumes misses nothing and gets nothing twice. */
    bed_story(&b, &good, true, story, sizeof story);
    assert_string_equal(story, "CD");
    assert_int_equal(sdw_worker_last_event(b.w, &good, &number, &ended, NULL), SDW_OK);
    assert_true(ended && number == last_good);
    bed_story(&b, &bad, true, story, sizeof story);
    assert_string_equal(story, "EF");
    assert_int_equal(sdw_worker_last_event(b.w, &bad, &number, &ended, NULL), SDW_OK);
    assert_true(ended && number == last_bad);
    v = bed_view(&b, &bad);
    assert_string_equal(v.error.code, "NON_FINITE");
    assert_true(v.error.message[0] != '\0');
    sdw_job_view_finish(&v);
    bed_story(&b, &gone, true, story, sizeof story);
    assert_string_equal(story, "X");
    assert_int_equal(bed_status(&b, &gone), SDW_JOB_WAS_CANCELLED);
    bed_close(&b);
}

static void deleted_and_forgotten_pictures_stay_so(void **state)
{
    (void)state;
    bed b;
    sdw_job_id id[3];
    open_state(&b, NULL);
    for (int i = 0; i < 3; i++) {
        sdw_job_request r = seeded("x", (uint64_t)i);
        id[i] = bed_submit(&b, &r);
        bed_wait_end(&b, &id[i]);
    }
    sdw_job_view v = bed_view(&b, &id[1]);
    sdw_output_id out = v.outputs[0].id;
    sdw_job_view_finish(&v);
    assert_int_equal(sdw_worker_output_delete(b.w, &out, NULL), SDW_OK);
    assert_int_equal(sdw_worker_output_delete(b.w, &out, NULL), SDW_NOT_FOUND);
    assert_int_equal(files_in(FOLDER "/outputs"), 2);
    bed_close(&b);
    open_state(&b, &(sdw_worker_options){ .results_max = 2 });
    sdw_blob *blob;
    sdw_error err = { 0 };
    assert_int_equal(sdw_worker_output(b.w, &out, &blob, NULL, NULL, &err), SDW_NOT_FOUND);
    assert_int_equal(sdw_worker_picture(b.w, &id[1], 0, &blob, &err), SDW_NOT_FOUND);
    assert_int_equal(bed_status(&b, &id[1]), SDW_JOB_COMPLETED);
    assert_int_equal(sdw_worker_job(b.w, &id[0], &v, &err), SDW_NOT_FOUND); /* the oldest of three */
    assert_int_equal(files_in(FOLDER "/outputs"), 1);
    bed_close(&b);
    open_state(&b, NULL);
    assert_int_equal(sdw_worker_job(b.w, &id[0], &v, &err), SDW_NOT_FOUND);
    assert_picture_of_seed(&b, &id[2], 0, 2);
    bed_close(&b);
}

static void input_pictures_come_back(void **state)
{
    (void)state;
    bed b;
    uint8_t pixels[3 * 64 * 64], white[64 * 64];
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 7);
    memset(white, 255, sizeof white);
    const sdw_picture init = { 64, 64, 3, pixels }, mask = { 64, 64, 1, white };
    open_state(&b, NULL);
    sdw_job_request hold = bed_request("hold-at=1"), r = bed_request("from a picture");
    sdw_job_id first = bed_submit(&b, &hold);
    assert_true(fake_wait_held());
    r.params.init_image = &init;
    r.params.mask = &mask;
    r.params.width = r.params.height = 0;
    sdw_job_id id = bed_submit(&b, &r), twin = bed_submit(&b, &r), cancelled = bed_submit(&b, &r);
    assert_int_equal(files_in(FOLDER "/inputs"), 2); /* shared */
    assert_int_equal(sdw_worker_cancel(b.w, &cancelled, NULL), SDW_OK);
    bed_close(&b);
    fake_release();
    assert_int_equal(files_in(FOLDER "/inputs"), 2);
    open_state(&b, NULL);
    assert_true(fake_wait_held());
    sdw_job_view v = bed_view(&b, &id);
    assert_int_equal(v.kind, SDW_JOB_INPAINT);
    sdw_job_view_finish(&v);
    fake_release();
    assert_int_equal(bed_wait_end(&b, &first), SDW_JOB_COMPLETED);
    assert_int_equal(bed_wait_end(&b, &id), SDW_JOB_COMPLETED);
    assert_int_equal(bed_wait_end(&b, &twin), SDW_JOB_COMPLETED);
    assert_int_equal(bed_status(&b, &cancelled), SDW_JOB_WAS_CANCELLED);
    bed_close(&b);
    assert_int_equal(files_in(FOLDER "/inputs"), 0); /* nobody needs them any more */
}

static void a_lost_input_picture_fails_its_job_alone(void **state)
{
    (void)state;
    bed b;
    uint8_t pixels[3 * 64 * 64] = { 1 };
    const sdw_picture init = { 64, 64, 3, pixels };
    open_state(&b, NULL);
    sdw_job_request hold = bed_request("hold-at=1"), r = bed_request("from a picture");
    sdw_job_id first = bed_submit(&b, &hold);
    assert_true(fake_wait_held());
    r.params.init_image = &init;
    sdw_job_id id = bed_submit(&b, &r);
    bed_close(&b);
    fake_release();
    assert_int_equal(system("rm " FOLDER "/inputs/*"), 0);
    open_state(&b, NULL);
    assert_true(fake_wait_held());
    fake_release();
    sdw_job_view v = bed_view(&b, &id);
    assert_int_equal(v.status, SDW_JOB_FAILED);
    assert_non_null(strstr(v.error.message, "inputs/"));
    sdw_job_view_finish(&v);
    assert_int_equal(bed_wait_end(&b, &first), SDW_JOB_COMPLETED);
    bed_close(&b);
}

/* ---- another model ---- */

/* Closes with one job running and one behind it; returns that one. */
static sdw_job_id leave_queued(bed *b)
{
    sdw_job_request hold = bed_request("hold-at=1"), r = bed_request("x");
    bed_submit(b, &hold);
    assert_true(fake_wait_held());
    sdw_job_id id = bed_submit(b, &r);
    bed_close(b);
    fake_release();
    return id;
}

static void jobs_of_another_model_fail_with_its_name(void **state)
{
    (void)state;
    bed b;
    open_state(&b, &(sdw_worker_options){ .engine = { .model = "one" } });
    sdw_job_request r = bed_request("x");
    sdw_job_id done = bed_submit(&b, &r);
    bed_wait_end(&b, &done);
    sdw_job_id id = leave_queued(&b);
    open_state(&b, &(sdw_worker_options){ .engine = { .model = "two" } });
    bed_wait_end(&b, &id);
    sdw_job_view v = bed_view(&b, &id);
    assert_int_equal(v.status, SDW_JOB_FAILED);
    assert_string_equal(v.error.code, "MODEL_CHANGED");
    assert_non_null(strstr(v.error.message, "one"));
    sdw_job_view_finish(&v);
    assert_int_equal(bed_status(&b, &done), SDW_JOB_COMPLETED); /* its pictures need no model */
    bed_close(&b);
    open_state(&b, &(sdw_worker_options){ .engine = { .model = "one" } });
    assert_int_equal(bed_status(&b, &id), SDW_JOB_FAILED); /* decided once */
    bed_close(&b);
}

static void write_model(const char *text)
{
    FILE *f = fopen("model.safetensors", "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void the_same_id_over_other_files_is_another_model(void **state)
{
    (void)state;
    bed b;
    for (int changed = 0; changed < 2; changed++) {
        wipe(NULL);
        write_model("weights");
        const sdw_worker_options o = { .engine = { .model = "model.safetensors" }, .model_id = "mine" };
        open_state(&b, &o);
        bed_wait_phase(&b, SDW_WORKER_IDLE); /* its files are known */
        sdw_job_id id = leave_queued(&b);
        if (changed) write_model("weightz");
        open_state(&b, &o);
        if (!changed) assert_true(fake_wait_held());
        fake_release();
        assert_int_equal(bed_wait_end(&b, &id), changed ? SDW_JOB_FAILED : SDW_JOB_COMPLETED);
        sdw_job_view v = bed_view(&b, &id);
        assert_string_equal(v.error.code, changed ? "MODEL_CHANGED" : "");
        sdw_job_view_finish(&v);
        bed_close(&b);
    }
}

/* "auto" counts as what it came to, and f32 as it did before there was a choice. */
static void another_precision_is_another_model(void **state)
{
    (void)state;
    static const struct { const char *first, *then; bool changed; } cases[] = { { NULL, "f32", false }, { "f32", "int8", true }, { "int8", NULL, true }, { "int8", "int8", false } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bed b;
        wipe(NULL);
        write_model("weights");
        sdw_worker_options o = { .engine = { .model = "model.safetensors", .precision = cases[i].first }, .model_id = "mine" };
        open_state(&b, &o);
        bed_wait_phase(&b, SDW_WORKER_IDLE);
        sdw_job_id id = leave_queued(&b);
        o.engine.precision = cases[i].then;
        open_state(&b, &o);
        if (!cases[i].changed) assert_true(fake_wait_held());
        fake_release();
        assert_int_equal(bed_wait_end(&b, &id), cases[i].changed ? SDW_JOB_FAILED : SDW_JOB_COMPLETED);
        sdw_job_view v = bed_view(&b, &id);
        assert_string_equal(v.error.code, cases[i].changed ? "MODEL_CHANGED" : "");
        sdw_job_view_finish(&v);
        bed_close(&b);
    }
}

/* ---- Idempotency-Key ---- */

static sdw_status submit_key(bed *b, const char *key, int body, sdw_job_id *ret_id, sdw_submit_answer *ret_answer)
{
    sdw_job_request r = bed_request("x");
    r.idempotency_scope = "credential /v1/jobs";
    r.idempotency_key = key;
    r.body_hash[0] = (uint8_t)body;
    return sdw_worker_submit(b->w, &r, ret_id, ret_answer, NULL);
}

static void a_key_gives_the_same_job_also_after_a_restart(void **state)
{
    (void)state;
    for (int folder = 0; folder < 2; folder++) {
        bed b;
        sdw_job_id id, again;
        sdw_submit_answer answer;
        if (folder) open_state(&b, NULL);
        else bed_open(&b, NULL);
        assert_int_equal(submit_key(&b, "k", 1, &id, &answer), SDW_OK);
        assert_int_equal(answer, SDW_SUBMIT_ACCEPTED);
        for (int life = 0; life <= folder; life++) {
            assert_int_equal(submit_key(&b, "k", 1, &again, &answer), SDW_OK);
            assert_int_equal(answer, SDW_SUBMIT_REPLAYED);
            assert_string_equal(again.text, id.text);
            assert_int_equal(submit_key(&b, "k", 2, &again, &answer), SDW_EXISTS);
            if (life == folder) break;
            bed_wait_end(&b, &id);
            bed_close(&b);
            open_state(&b, NULL);
        }
        /* A refused request leaves its key free. */
        sdw_job_request r = bed_request("x");
        r.params.steps = 0;
        r.params.width = 63;
        r.idempotency_key = "bad";
        assert_int_equal(sdw_worker_submit(b.w, &r, &again, &answer, NULL), SDW_INVALID);
        assert_int_equal(submit_key(&b, "bad", 1, &again, &answer), SDW_OK);
        assert_int_equal(answer, SDW_SUBMIT_ACCEPTED);
        bed_close(&b);
    }
}

/* ---- deaths ---- */

/* A process with a worker that runs `prompt` until it is killed; *ret_id is its job. */
static void die_running(const char *prompt, sdw_job_id *id, bool submit)
{
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        bed b;
        alarm(60); /* not longer than the test, should that fail */
        open_state(&b, NULL);
        if (submit) {
            sdw_job_request r = seeded(prompt, 11);
            *id = bed_submit(&b, &r);
        }
        if (!fake_wait_held()) _exit(1);
        if (write(ends[1], id, sizeof *id) < 0) _exit(2);
        for (;;) pause();
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], id, sizeof *id), sizeof *id);
    close(ends[0]);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status));
}

static void a_job_that_was_running_in_two_deaths_is_failed(void **state)
{
    (void)state;
    bed b;
    sdw_job_id id;
    die_running("hold-at=3", &id, true);
    die_running("hold-at=3", &id, false);
    open_state(&b, NULL);
    sdw_job_view v = bed_view(&b, &id);
    assert_int_equal(v.status, SDW_JOB_FAILED);
    assert_string_equal(v.error.code, "CRASHED");
    assert_non_null(strstr(v.error.message, "2 times"));
    sdw_job_view_finish(&v);
    bed_close(&b);
    open_state(&b, NULL);
    assert_int_equal(bed_status(&b, &id), SDW_JOB_FAILED);
    bed_close(&b);
}

static void one_death_is_forgiven_and_stops_on_purpose_do_not_count(void **state)
{
    (void)state;
    bed b;
    sdw_job_id id;
    die_running("hold-at=3", &id, true);
    for (int i = 0; i < 3; i++) {
        open_state(&b, NULL);
        assert_true(fake_wait_held());
        bed_close(&b);
        fake_release();
    }
    open_state(&b, NULL);
    assert_true(fake_wait_held());
    fake_release();
    assert_int_equal(bed_wait_end(&b, &id), SDW_JOB_COMPLETED);
    assert_picture_of_seed(&b, &id, 0, 11);
    bed_close(&b);
}

/* A queued one, a running one whose operation hears of nothing for a while, and one that fails. */
static void a_power_cut_brings_no_cancelled_or_failed_job_back(void **state)
{
    (void)state;
    bed b, after;
    open_state(&b, &(sdw_worker_options){ .batch_max = 1 });
    sdw_job_request bad = bed_request("fail-at=2"), deaf = bed_request("deaf-at=1 deaf-ms=1500"), waits = bed_request("waits");
    sdw_job_id failed = bed_submit(&b, &bad);
    assert_int_equal(bed_wait_end(&b, &failed), SDW_JOB_FAILED);
    wait_synced();
    sdw_job_id running = bed_submit(&b, &deaf);
    assert_true(fake_wait_deaf());
    sdw_job_id queued = bed_submit(&b, &waits);
    assert_int_equal(sdw_worker_cancel(b.w, &queued, NULL), SDW_OK);
    assert_int_equal(sdw_worker_cancel(b.w, &running, NULL), SDW_OK);
    wait_synced();
    assert_int_equal(bed_status(&b, &running), SDW_JOB_RUNNING); /* the engine has not let go of it */
    copy_what_is_synced();
    bed_open(&after, &(sdw_worker_options){ .state_dir = AFTER });
    assert_int_equal(bed_status(&after, &failed), SDW_JOB_FAILED);
    assert_int_equal(bed_status(&after, &queued), SDW_JOB_WAS_CANCELLED);
    assert_int_equal(bed_status(&after, &running), SDW_JOB_WAS_CANCELLED);
    char story[64];
    bed_story(&after, &running, false, story, sizeof story);
    assert_string_equal(story, "X");
    bed_close(&after);
    assert_int_equal(bed_wait_end(&b, &running), SDW_JOB_WAS_CANCELLED);
    bed_close(&b);
    open_state(&b, NULL); /* the end that came at last counts */
    assert_int_equal(bed_status(&b, &running), SDW_JOB_WAS_CANCELLED);
    bed_close(&b);
}

static void two_workers_do_not_share_a_folder(void **state)
{
    (void)state;
    bed b;
    sdw_worker *second;
    sdw_error err = { 0 };
    char want[40];
    open_state(&b, NULL);
    const sdw_worker_options o = { .engine = { .model = "fake" }, .executor = &fake_executor, .state_dir = FOLDER };
    assert_int_equal(sdw_worker_open(&o, &second, &err), SDW_BUSY);
    snprintf(want, sizeof want, "process %ld,", (long)getpid());
    assert_non_null(strstr(err.text, want));
    bed_close(&b);
}

/* ---- full disk: files cannot grow beyond a size ---- */

static void limit_files(rlim_t bytes)
{
    struct rlimit l;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
    l.rlim_cur = bytes < l.rlim_max ? bytes : l.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

static void a_full_disk_refuses_new_jobs_and_the_worker_lives(void **state)
{
    (void)state;
    bed b;
    sdw_job_id id, refused;
    struct stat st;
    sdw_error err = { 0 };
    open_state(&b, NULL);
    sdw_job_request r = bed_request("x");
    r.idempotency_key = "a key";
    assert_int_equal(stat(FOLDER "/journal", &st), 0);
    limit_files((rlim_t)st.st_size + 200);
    assert_int_equal(sdw_worker_submit(b.w, &r, &refused, NULL, &err), SDW_IO);
    assert_true(err.text[0] != '\0');
    sdw_worker_state s;
    sdw_worker_state_of(b.w, &s);
    assert_int_equal(s.queued + s.running, 0);
    limit_files(RLIM_INFINITY);
    id = bed_submit(&b, &r); /* the same key: it was never used */
    assert_int_equal(bed_wait_end(&b, &id), SDW_JOB_COMPLETED);
    bed_close(&b);
    open_state(&b, NULL);
    sdw_job_id ids[4];
    assert_int_equal(sdw_worker_jobs(b.w, 0, NULL, ids, 4), 1);
    bed_close(&b);
}

static void a_result_without_room_fails_its_job_and_no_other(void **state)
{
    (void)state;
    bed b;
    open_state(&b, NULL);
    sdw_job_request large = seeded("large hold-at=1", 1), small = seeded("small", 2);
    large.params.width = large.params.height = 512; /* a PNG of some 20 KB */
    sdw_job_id big = bed_submit(&b, &large);
    assert_true(fake_wait_held());
    sdw_job_id little = bed_submit(&b, &small);
    limit_files(12000);
    fake_release();
    assert_int_equal(bed_wait_end(&b, &big), SDW_JOB_FAILED);
    assert_int_equal(bed_wait_end(&b, &little), SDW_JOB_COMPLETED);
    limit_files(RLIM_INFINITY);
    sdw_job_view v = bed_view(&b, &big);
    assert_string_equal(v.error.code, "STORAGE_FULL");
    sdw_job_view_finish(&v);
    assert_int_equal(files_in(FOLDER "/outputs"), 1);
    bed_close(&b);
    open_state(&b, NULL);
    assert_int_equal(bed_status(&b, &big), SDW_JOB_FAILED);
    assert_picture_of_seed(&b, &little, 0, 2);
    bed_close(&b);
}

/* ---- no memory ---- */

static void without_memory_a_submit_is_refused_or_kept_whole(void **state)
{
    (void)state;
    bed b;
    int accepted = 0;
    open_state(&b, NULL);
    bed_wait_phase(&b, SDW_WORKER_IDLE);
    sdw_job_request hold = bed_request("hold-at=1");
    sdw_job_id first = bed_submit(&b, &hold);
    assert_true(fake_wait_held()); /* nothing else allocates now */
    for (size_t nth = 1; nth < 400; nth++) {
        sdw_job_id id;
        sdw_job_request r = seeded("x", nth);
        r.idempotency_key = "k";
        r.idempotency_scope = "s";
        r.body_hash[0] = (uint8_t)nth;
        r.body_hash[1] = (uint8_t)(nth >> 8);
        sdw_mem_fail_at(nth, false);
        sdw_status s = sdw_worker_submit(b.w, &r, &id, NULL, NULL);
        bool happened = sdw_mem_count() >= nth;
        sdw_mem_fail_at(0, false);
        if (s == SDW_OK) {
            accepted++;
            break; /* the key is taken from now on */
        }
        assert_int_equal(s, SDW_NO_MEMORY);
        if (!happened) break;
    }
    assert_int_equal(accepted, 1);
    fake_release();
    bed_wait_end(&b, &first);
    bed_close(&b);
    open_state(&b, NULL);
    sdw_job_id ids[8];
    assert_int_equal(sdw_worker_jobs(b.w, 0, NULL, ids, 8), 2);
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(unfinished_jobs_run_again_under_their_ids_and_give_the_same_pictures, wipe),
        cmocka_unit_test_setup(a_kept_job_tells_its_readers, wipe),
        cmocka_unit_test_setup(finished_jobs_are_there_after_a_restart, wipe),
        cmocka_unit_test_setup(deleted_and_forgotten_pictures_stay_so, wipe),
        cmocka_unit_test_setup(input_pictures_come_back, wipe),
        cmocka_unit_test_setup(a_lost_input_picture_fails_its_job_alone, wipe),
        cmocka_unit_test_setup(jobs_of_another_model_fail_with_its_name, wipe),
        cmocka_unit_test_setup(the_same_id_over_other_files_is_another_model, wipe),
        cmocka_unit_test_setup(another_precision_is_another_model, wipe),
        cmocka_unit_test_setup(a_key_gives_the_same_job_also_after_a_restart, wipe),
        cmocka_unit_test_setup(a_job_that_was_running_in_two_deaths_is_failed, wipe),
        cmocka_unit_test_setup(one_death_is_forgiven_and_stops_on_purpose_do_not_count, wipe),
        cmocka_unit_test_setup(a_power_cut_brings_no_cancelled_or_failed_job_back, wipe),
        cmocka_unit_test_setup(two_workers_do_not_share_a_folder, wipe),
        cmocka_unit_test_setup(a_full_disk_refuses_new_jobs_and_the_worker_lives, wipe),
        cmocka_unit_test_setup(a_result_without_room_fails_its_job_and_no_other, wipe),
        cmocka_unit_test_setup(without_memory_a_submit_is_refused_or_kept_whole, wipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
