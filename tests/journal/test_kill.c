/* kill -9 at any moment: a child works on the journal and the store and says through a pipe what was acknowledged; it is
 * killed, and everything it said must be there. Then the next child goes on in the same folder. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bed.h"
#include "worker/blob.h"
#include "worker/store.h"

#define FOLDER "killed"
enum { KILLS = 40, THREADS = 3 };
static bed b;

/* What the child tells: written with one write each, so a message is there whole or not at all. */
typedef enum word { ASKED, ACCEPTED, STARTED, COMPLETED, FORGOTTEN } word;
typedef struct message { int n, what; sdw_output_id output; } message;

static void say(int to, int n, word what, const sdw_output_id *output)
{
    message m = { .n = n, .what = (int)what };
    if (output) m.output = *output;
    if (write(to, &m, sizeof m) != sizeof m) _exit(3);
}

typedef struct hand { int pipe, first; sdw_store *store; } hand;

static void work_on_one(const hand *h, int n)
{
    sdw_job_id id = bed_id(n);
    char text[64];
    say(h->pipe, n, ASKED, NULL);
    if (bed_accept(&b, n, NULL) != SDW_OK) _exit(4);
    say(h->pipe, n, ACCEPTED, NULL);
    if (sdw_journal_start(b.journal, &id, 1, NULL) != SDW_OK) _exit(5);
    say(h->pipe, n, STARTED, NULL);
    sdw_job_end end = { .status = SDW_JOB_COMPLETED, .finished_at = n, .output_count = 1 };
    sdw_stored_output *out = &end.outputs[0];
    snprintf(text, sizeof text, "picture of job %d", n);
    out->output.bytes = strlen(text);
    sdw_blob *blob = sdw_blob_copy(text, strlen(text));
    if (sdw_store_output_put(h->store, blob, &out->output.id, out->sha256, NULL) != SDW_OK) _exit(6);
    sdw_blob_unref(blob);
    if (sdw_store_add(h->store, &id, n, out, 1, NULL) != SDW_OK) _exit(7);
    if (sdw_journal_end(b.journal, &id, &end, NULL) != SDW_OK) _exit(8);
    say(h->pipe, n, COMPLETED, &out->output.id);
    if (n % 3 == 0) return;
    if (sdw_journal_forget(b.journal, &id, NULL) != SDW_OK) _exit(9);
    say(h->pipe, n, FORGOTTEN, NULL);
}

static void *work(void *arg)
{
    const hand *h = arg;
    for (int n = h->first;; n += THREADS) {
        work_on_one(h, n);
        if (sdw_journal_wants_rewrite(b.journal) && sdw_journal_rewrite(b.journal, 0, NULL) != SDW_OK) _exit(10);
    }
    return NULL;
}

static sdw_status take_up(void *store, const sdw_job_record *r, sdw_error *err)
{
    if (r->end.status != SDW_JOB_COMPLETED) return SDW_OK;
    return sdw_store_add(store, &r->id, r->end.finished_at, r->end.outputs, r->end.output_count, err);
}

static sdw_store *open_store(void)
{
    sdw_store *store;
    const sdw_store_options o = { .dir = b.dir };
    if (sdw_store_open(&o, &store, NULL) != SDW_OK || sdw_journal_each(b.journal, take_up, store, NULL) != SDW_OK) return NULL;
    return store;
}

static void child(int pipe, int first)
{
    pthread_t threads[THREADS];
    hand hands[THREADS];
    sdw_error err = { 0 };
    if (bed_try_open(&b, FOLDER, NULL, 10000, &err) != SDW_OK) _exit(1);
    sdw_store *store = open_store();
    if (!store) _exit(2);
    sdw_store_sweep(store);
    for (int i = 0; i < THREADS; i++) {
        hands[i] = (hand){ pipe, first + i, store };
        pthread_create(&threads[i], NULL, work, &hands[i]);
    }
    for (;;) pause();
}

/* What is known of job n: the last thing said, +1; 0 = nothing. */
static unsigned char said[BED_JOBS_MAX];
static sdw_output_id output_of[BED_JOBS_MAX];

/* At most `most` messages; returns the highest job heard of. */
static int hear(int from, int most)
{
    message m;
    int last = 0;
    while (most-- > 0 && read(from, &m, sizeof m) == sizeof m) {
        assert_in_range(m.n, 1, BED_JOBS_MAX - 1);
        said[m.n] = (unsigned char)(m.what + 1);
        if (m.what == COMPLETED) output_of[m.n] = m.output;
        if (m.n > last) last = m.n;
    }
    return last;
}

static void check_job(sdw_store *store, int n)
{
    const bed_job *job = bed_find(&b, n);
    if (said[n] >= ACCEPTED + 1 && said[n] < COMPLETED + 1 && !job) fail_msg("job %d was accepted, and is lost", n);
    if (said[n] == FORGOTTEN + 1 && job) fail_msg("job %d was forgotten, and is there", n);
    if (said[n] == 0 && job) fail_msg("job %d was never asked for, and is there", n);
    if (said[n] == STARTED + 1 && job->status == SDW_JOB_QUEUED && job->attempts < 1) fail_msg("job %d was started, and nobody knows", n);
    if (said[n] != COMPLETED + 1 || (n % 3 && !job)) return; /* the end may have been followed by an unsaid forget */
    assert_non_null(job);
    assert_int_equal(job->status, SDW_JOB_COMPLETED);
    char want[64];
    sdw_output_place place;
    sdw_blob *blob = NULL;
    size_t size;
    snprintf(want, sizeof want, "picture of job %d", n);
    assert_int_equal(sdw_store_output_get(store, &output_of[n], &place, &blob, NULL), SDW_OK);
    const char *bytes = sdw_blob_bytes(blob, &size);
    assert_int_equal(size, strlen(want));
    assert_memory_equal(bytes, want, size);
    sdw_blob_unref(blob);
}

static void what_was_acknowledged_is_there_after_a_kill(void **state)
{
    (void)state;
    int next = 1, rewrites_seen = 0;
    unsigned seed = 20250101;
    uint64_t bytes_before = 0;
    bed_wipe(FOLDER);
    for (int kill_number = 0; kill_number < KILLS; kill_number++) {
        int ends[2], status;
        assert_int_equal(pipe(ends), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            alarm(60); /* not longer than the test, should that fail */
            close(ends[0]);
            child(ends[1], next);
        }
        close(ends[1]);
        seed = seed * 1103515245u + 12345u;
        /* After some messages, and a moment that has nothing to do with them. */
        int last = hear(ends[0], (int)(seed >> 16) % 60);
        const struct timespec moment = { 0, (long)(seed >> 8) % 100 * 10000L };
        nanosleep(&moment, NULL);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        if (!WIFSIGNALED(status)) fail_msg("the child ended by itself with %d", WEXITSTATUS(status));
        int later = hear(ends[0], INT_MAX);
        if (later > last) last = later;
        close(ends[0]);
        bed_open(&b, FOLDER, NULL, 10000);
        bed_read(&b);
        sdw_store *store = open_store();
        assert_non_null(store);
        for (int n = 1; n < BED_JOBS_MAX; n++) check_job(store, n);
        sdw_journal_stats st;
        sdw_journal_stats_of(b.journal, &st);
        assert_int_equal(st.damaged, 0);
        rewrites_seen += st.bytes < bytes_before;
        bytes_before = st.bytes;
        sdw_store_close(store);
        bed_close(&b);
        if (last + THREADS >= next) next = last + THREADS + 1;
        if (next > BED_JOBS_MAX - 600) break;
    }
    assert_true(next > 20);
    assert_true(rewrites_seen > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_was_acknowledged_is_there_after_a_kill) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
