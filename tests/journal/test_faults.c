/* The journal on a disk that fails: each call in turn, full disks, power cuts, no memory, many writers. What was
 * acknowledged is there afterwards; what was refused is not. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bed.h"
#include "core/mem.h"

#define FOLDER "faults"
static bed b;
static fault_io calm; /* nothing fails, and syncs take no time: for looking at what is there */

static int wipe(void **state)
{
    (void)state;
    bed_wipe(FOLDER);
    fault_io_init(&calm);
    return 0;
}

/* ---- a day in the life of a journal ---- */

enum { SCRIPT_JOBS = 12 };
typedef struct truth { bool asked, accepted, forgotten; sdw_job_status end; } truth;

static void ask(truth *t, int n)
{
    sdw_error err = { 0 };
    sdw_status s = bed_accept(&b, n, &err);
    t[n].asked = true;
    t[n].accepted = s == SDW_OK;
    if (s != SDW_OK) assert_true(s == SDW_IO || s == SDW_NO_MEMORY);
    if (s != SDW_OK) assert_true(err.text[0] != '\0');
}

static void complete(truth *t, int n)
{
    if (!t[n].accepted) return;
    bed_complete(&b, n, 2, NULL);
    t[n].end = SDW_JOB_COMPLETED;
}

static void forget(truth *t, int n)
{
    sdw_job_id id = bed_id(n);
    if (!t[n].accepted) return;
    sdw_journal_forget(b.journal, &id, NULL);
    t[n].forgotten = true;
}

static void start(truth *t, int n)
{
    sdw_job_id id = bed_id(n);
    if (t[n].accepted) sdw_journal_start(b.journal, &id, 1, NULL);
}

static void live(truth *t)
{
    ask(t, 1);
    ask(t, 2);
    start(t, 1);
    ask(t, 3);
    complete(t, 1);
    start(t, 2);
    if (t[2].accepted) {
        bed_fail(&b, 2, "NON_FINITE", NULL);
        t[2].end = SDW_JOB_FAILED;
    }
    ask(t, 4);
    sdw_journal_rewrite(b.journal, 0, NULL);
    ask(t, 5);
    forget(t, 2);
    start(t, 3);
    sdw_journal_sync(b.journal, NULL);
    complete(t, 3);
    forget(t, 1);
    ask(t, 6);
    sdw_journal_rewrite(b.journal, 0, NULL);
    ask(t, 7);
    complete(t, 4);
    complete(t, 7);
}

/* notes: also what became of the jobs must be there. */
static void compare(const truth *t, bool notes)
{
    bed_open(&b, FOLDER, &calm.io, 0);
    bed_read(&b);
    int last = 0;
    for (int i = 0; i < b.count; i++) {
        assert_true(b.jobs[i].n > last); /* each once, in order */
        last = b.jobs[i].n;
    }
    for (int n = 1; n < SCRIPT_JOBS; n++) {
        const bed_job *job = bed_find(&b, n);
        if (!t[n].asked || !t[n].accepted) {
            if (job) fail_msg("job %d was refused, and is there", n);
        } else if (!job) {
            if (!t[n].forgotten) fail_msg("job %d was accepted, and is lost", n);
        } else if (notes) {
            assert_false(t[n].forgotten);
            assert_int_equal(job->status, t[n].end);
            assert_int_equal(job->outputs, t[n].end == SDW_JOB_COMPLETED ? 2 : 0);
        }
    }
    /* And it goes on. */
    assert_int_equal(bed_accept(&b, 99, NULL), SDW_OK);
    bed_close(&b);
}

static void each_call_that_fails_once_loses_nothing(void **state)
{
    (void)state;
    const unsigned kinds = FAULT_OPEN | FAULT_WRITE | FAULT_FSYNC | FAULT_TRUNCATE | FAULT_RENAME | FAULT_UNLINK;
    fault_io f;
    long nth = 1;
    for (int half = 0; half < 2; half++)
        for (nth = 1;; nth++) {
            truth t[SCRIPT_JOBS] = { { 0 } };
            bed_wipe(FOLDER);
            fault_io_init(&f);
            bed_open(&b, FOLDER, &f.io, 0);
            f.half = half;
            f.error = half ? ENOSPC : EIO;
            fault_io_arm(&f, kinds, nth);
            live(t);
            bool happened = f.count >= nth;
            fault_io_arm(&f, 0, 0);
            bed_close(&b);
            compare(t, true);
            if (!happened) break;
        }
    assert_true(nth > 30); /* the script makes that many calls */
}

/* From the nth call on nothing works any more; then the process ends. */
static void a_disk_that_dies_takes_no_accepted_job_with_it(void **state)
{
    (void)state;
    const unsigned kinds = FAULT_OPEN | FAULT_WRITE | FAULT_FSYNC | FAULT_RENAME;
    fault_io f;
    for (int half = 0; half < 2; half++)
        for (long nth = 1;; nth++) {
            truth t[SCRIPT_JOBS] = { { 0 } };
            bed_wipe(FOLDER);
            fault_io_init(&f);
            bed_open(&b, FOLDER, &f.io, 0);
            f.half = half;
            f.sticky = true;
            fault_io_arm(&f, kinds, nth);
            live(t);
            bool happened = f.count >= nth;
            bed_close(&b);
            compare(t, !happened);
            if (!happened) break;
        }
}

static void opening_on_a_failing_disk_is_an_error_and_changes_nothing(void **state)
{
    (void)state;
    truth t[SCRIPT_JOBS] = { { 0 } };
    static unsigned char file[65536], after[65536];
    fault_io f;
    int refused = 0;
    bed_open(&b, FOLDER, &calm.io, 0);
    live(t);
    bed_close(&b);
    size_t size = bed_load(FOLDER, file, sizeof file);
    memcpy(file + size, "torn", 4);
    for (long nth = 1; nth < 60; nth++) {
        sdw_error err = { 0 };
        bed_store(FOLDER, file, size + 4);
        fault_io_init(&f);
        fault_io_arm(&f, FAULT_OPEN | FAULT_WRITE | FAULT_FSYNC | FAULT_TRUNCATE | FAULT_READ, nth);
        sdw_status s = bed_try_open(&b, FOLDER, &f.io, 0, &err);
        if (s == SDW_OK) {
            fault_io_arm(&f, 0, 0);
            bed_close(&b);
        } else {
            assert_int_equal(s, SDW_IO);
            refused++;
        }
        size_t n = bed_load(FOLDER, after, sizeof after);
        assert_true(n == size || n == size + 4);
        assert_memory_equal(after, file, n);
    }
    assert_true(refused > 10);
    compare(t, true);
}

/* ---- full disk ---- */

static void a_full_disk_refuses_jobs_and_keeps_notes_until_there_is_room(void **state)
{
    (void)state;
    fault_io f;
    sdw_error err = { 0 };
    sdw_journal_stats st;
    for (int64_t room = 0; room < 900; room += 7) {
        int accepted = 0;
        bed_wipe(FOLDER);
        fault_io_init(&f);
        bed_open(&b, FOLDER, &f.io, 0);
        assert_int_equal(bed_accept(&b, 1, NULL), SDW_OK);
        f.room = room;
        for (int n = 2; n < 8; n++) {
            sdw_status s = bed_accept(&b, n, &err);
            if (s == SDW_OK) {
                assert_int_equal(n, accepted + 2); /* those that fit come first */
                accepted++;
            } else {
                assert_int_equal(s, SDW_IO);
                assert_non_null(strstr(err.text, "No space left"));
            }
        }
        sdw_journal_stats_of(b.journal, &st);
        struct stat file;
        assert_int_equal(stat(FOLDER "/journal", &file), 0);
        assert_int_equal(file.st_size, st.bytes); /* no half record stays */
        f.room = 3;
        assert_int_equal(bed_complete(&b, 1, 1, &err), SDW_IO);
        sdw_journal_stats_of(b.journal, &st);
        assert_true(st.owed_bytes > 0);
        f.room = -1;
        assert_int_equal(bed_accept(&b, 9, NULL), SDW_OK);
        sdw_journal_stats_of(b.journal, &st);
        assert_int_equal(st.owed_bytes, 0);
        bed_close(&b);
        bed_open(&b, FOLDER, &calm.io, 0);
        bed_read(&b);
        assert_int_equal(b.count, accepted + 2);
        assert_int_equal(b.jobs[0].status, SDW_JOB_COMPLETED);
        bed_close(&b);
    }
}

static void notes_that_wait_are_bounded(void **state)
{
    (void)state;
    fault_io f;
    sdw_journal_stats st;
    int lost = 0;
    sdw_job_id id = bed_id(1);
    fault_io_init(&f);
    bed_open(&b, FOLDER, &f.io, 0);
    assert_int_equal(bed_accept(&b, 1, NULL), SDW_OK);
    f.room = 0;
    for (int i = 0; i < 60000; i++) lost += sdw_journal_start(b.journal, &id, 1, NULL) == SDW_LIMIT;
    sdw_journal_stats_of(b.journal, &st);
    assert_true(lost > 0);
    assert_true(st.owed_bytes <= 4u << 20);
    f.room = -1;
    assert_int_equal(sdw_journal_sync(b.journal, NULL), SDW_OK);
    bed_close(&b);
    bed_open(&b, FOLDER, &calm.io, 0);
    bed_read(&b);
    assert_int_equal(b.jobs[0].attempts, 60000 - lost);
    bed_close(&b);
}

/* ---- power cuts: only what was synced is left, or anything up to all of it ---- */

static atomic_llong synced_size;
static fault_io cut;

static int noting_fsync(void *ctx, int fd)
{
    struct stat st;
    (void)ctx;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) atomic_store(&synced_size, st.st_size);
    return 0;
}

static void accepted_jobs_survive_a_power_cut(void **state)
{
    (void)state;
    static unsigned char file[65536];
    fault_io_init(&cut);
    cut.io.fsync = noting_fsync;
    for (int jobs = 1; jobs < 8; jobs++) {
        bed_wipe(FOLDER);
        bed_open(&b, FOLDER, &cut.io, 0);
        for (int n = 1; n <= jobs; n++) {
            assert_int_equal(bed_accept(&b, n, NULL), SDW_OK);
            if (n % 3 == 0) bed_complete(&b, n, 1, NULL);
        }
        size_t size = bed_load(FOLDER, file, sizeof file), synced = (size_t)synced_size;
        bed_close(&b);
        assert_true(synced <= size);
        for (size_t left = synced; left <= size; left += 5) {
            bed_store(FOLDER, file, left);
            bed_open(&b, FOLDER, &calm.io, 0);
            bed_read(&b);
            assert_int_equal(b.count, jobs);
            bed_close(&b);
        }
    }
}

/* A sync that fails may have lost what was to be synced, and a later one does not tell (the system marks the pages as
 * clean). Here it does: at the power cut the bytes that the failed sync was for are zeros, in that file. */
static struct { int fail_at, count; ino_t inode; off_t from, to; } loss;

static int losing_fsync(void *ctx, int fd)
{
    struct stat st;
    static off_t synced;
    static ino_t inode;
    (void)ctx;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) return 0;
    if (st.st_ino != inode) synced = 0;
    inode = st.st_ino;
    if (++loss.count == loss.fail_at) {
        loss.inode = inode;
        loss.from = synced;
        loss.to = st.st_size;
        errno = EIO;
        return -1;
    }
    synced = st.st_size;
    return 0;
}

/* A new file may have the inode number of one that is gone. */
static int new_file_openat(void *ctx, int dir, const char *name, int flags, mode_t mode)
{
    struct stat st;
    int fd = sdw_io_system.openat(NULL, dir, name, flags, mode);
    (void)ctx;
    if (fd >= 0 && (flags & O_EXCL) && fstat(fd, &st) == 0 && st.st_ino == loss.inode) loss.inode = 0;
    return fd;
}

/* Some notes, and a job whose sync may be the one that fails; no rewrite but the journal's own. */
static void live_plainly(truth *t)
{
    ask(t, 1);
    ask(t, 2);
    complete(t, 1);
    ask(t, 3);
    complete(t, 2);
    ask(t, 4);
}

static void a_failed_sync_is_never_trusted_again(void **state)
{
    (void)state;
    static unsigned char file[65536];
    int failures = 0;
    for (int fail_at = 2; fail_at < 48; fail_at++) {
        truth t[SCRIPT_JOBS] = { { 0 } };
        struct stat st;
        if (fail_at % 24 < 2) continue; /* opening syncs too */
        bed_wipe(FOLDER);
        fault_io_init(&cut);
        cut.io.fsync = losing_fsync;
        cut.io.openat = new_file_openat;
        memset(&loss, 0, sizeof loss);
        loss.fail_at = fail_at % 24;
        bed_open(&b, FOLDER, &cut.io, 0);
        if (fail_at < 24) live(t);
        else live_plainly(t);
        loss.fail_at = loss.count >= loss.fail_at ? loss.fail_at : 0; /* from here on all is well */
        assert_int_equal(sdw_journal_sync(b.journal, NULL), SDW_OK);
        size_t size = bed_load(FOLDER, file, sizeof file);
        assert_int_equal(stat(FOLDER "/journal", &st), 0);
        bed_close(&b);
        failures += loss.to > 0;
        if (loss.to > 0 && loss.inode == st.st_ino && (size_t)loss.to <= size) memset(file + loss.from, 0, (size_t)(loss.to - loss.from));
        bed_store(FOLDER, file, size);
        compare(t, true); /* notes too: they were synced after the failure */
    }
    assert_true(failures >= 12);
}

/* ---- memory ---- */

static void without_memory_jobs_are_refused_whole(void **state)
{
    (void)state;
    size_t nth = 1;
    for (;; nth++) {
        truth t[SCRIPT_JOBS] = { { 0 } };
        bed_wipe(FOLDER);
        bed_open(&b, FOLDER, &calm.io, 0);
        sdw_mem_fail_at(nth, false);
        live(t);
        bool happened = sdw_mem_count() >= nth;
        sdw_mem_fail_at(0, false);
        bed_close(&b);
        compare(t, false);
        if (!happened) break;
    }
    assert_true(nth > 100);
}

static void without_memory_opening_is_an_error(void **state)
{
    (void)state;
    truth t[SCRIPT_JOBS] = { { 0 } };
    sdw_journal *j = NULL;
    bed_open(&b, FOLDER, &calm.io, 0);
    live(t);
    sdw_journal_close(b.journal);
    for (size_t nth = 1;; nth++) {
        const sdw_journal_options o = { .keys = b.keys };
        sdw_mem_fail_at(nth, false);
        sdw_status s = sdw_journal_open(b.dir, &o, &j, NULL);
        bool happened = sdw_mem_count() >= nth;
        sdw_mem_fail_at(0, false);
        if (s == SDW_OK) sdw_journal_close(j);
        else assert_int_equal(s, SDW_NO_MEMORY);
        assert_true(s == SDW_OK || happened);
        if (!happened) break;
    }
    b.journal = NULL;
    bed_close(&b);
    compare(t, true);
}

/* ---- many at once ---- */

static int slow_fsync(void *ctx, int fd)
{
    const struct timespec ms = { 0, 1000000 };
    (void)ctx;
    (void)fd;
    nanosleep(&ms, NULL);
    return 0;
}

enum { WRITERS = 8, EACH = 40 };

static void *accept_many(void *arg)
{
    int first = *(int *)arg;
    for (int i = 0; i < EACH; i++) {
        if (bed_accept(&b, first + i, NULL) != SDW_OK) return arg;
        sdw_job_id id = bed_id(first + i);
        sdw_journal_start(b.journal, &id, 1, NULL);
        if (i % 2) bed_complete(&b, first + i, 1, NULL);
        if (i % 4 == 3) sdw_journal_forget(b.journal, &id, NULL);
    }
    return NULL;
}

static void run_writers(void)
{
    pthread_t threads[WRITERS];
    int first[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        first[i] = 1 + i * EACH;
        assert_int_equal(pthread_create(&threads[i], NULL, accept_many, &first[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        void *bad;
        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
}

static void check_writers(void)
{
    bed_close(&b);
    bed_open(&b, FOLDER, &calm.io, 0);
    bed_read(&b);
    assert_string_equal(b.log, "");
    assert_int_equal(b.count, WRITERS * EACH * 3 / 4);
    for (int n = 1; n <= WRITERS * EACH; n++) {
        int i = (n - 1) % EACH;
        const bed_job *job = bed_find(&b, n);
        assert_int_equal(job == NULL, i % 4 == 3);
        if (job) assert_int_equal(job->status, i % 2 ? SDW_JOB_COMPLETED : SDW_JOB_QUEUED);
        if (job && i % 2 == 0) assert_int_equal(job->attempts, 1);
    }
    bed_close(&b);
}

static void those_who_come_at_once_share_a_sync(void **state)
{
    (void)state;
    fault_io f;
    sdw_journal_stats st;
    fault_io_init(&f);
    f.io.fsync = slow_fsync;
    bed_open(&b, FOLDER, &f.io, 0);
    run_writers();
    sdw_journal_stats_of(b.journal, &st);
    assert_true(st.syncs >= EACH);
    assert_true(st.syncs < WRITERS * EACH / 2);
    check_writers();
}

static atomic_bool writers_done;

static void *rewrite_often(void *arg)
{
    long *rewrites = arg;
    while (!atomic_load(&writers_done)) {
        if (sdw_journal_rewrite(b.journal, 0, NULL) != SDW_OK) return NULL;
        ++*rewrites;
    }
    return arg;
}

static void a_rewrite_loses_nothing_of_what_is_written_meanwhile(void **state)
{
    (void)state;
    pthread_t rewriter;
    long rewrites = 0;
    void *ok;
    fault_io f;
    fault_io_init(&f);
    f.io.fsync = slow_fsync;
    bed_open(&b, FOLDER, &f.io, 0);
    atomic_store(&writers_done, false);
    assert_int_equal(pthread_create(&rewriter, NULL, rewrite_often, &rewrites), 0);
    run_writers();
    atomic_store(&writers_done, true);
    pthread_join(rewriter, &ok);
    assert_non_null(ok);
    print_message("%ld rewrites\n", rewrites);
    assert_true(rewrites > 5);
    check_writers();
}

/* ---- size ---- */

/* Accepts, ends and forgets jobs until the file has passed its limit several times. */
static void outgrow(uint64_t limit, size_t echo_bytes, int jobs)
{
    fault_io f;
    sdw_journal_stats st;
    uint64_t largest = 0;
    char *echo = malloc(echo_bytes + 1);
    memset(echo, 'e', echo_bytes);
    echo[echo_bytes] = '\0';
    fault_io_init(&f);
    bed_open(&b, FOLDER, &f.io, limit);
    for (int n = 1; n <= jobs; n++) {
        sdw_job_record r;
        sdw_job_id old = bed_id(n - 5);
        bed_record(&r, n);
        r.echo = echo;
        assert_int_equal(sdw_journal_accept(b.journal, &r, NULL), SDW_OK);
        assert_int_equal(bed_complete(&b, n, 1, NULL), SDW_OK);
        if (n > 5) assert_int_equal(sdw_journal_forget(b.journal, &old, NULL), SDW_OK);
        sdw_journal_stats_of(b.journal, &st);
        if (st.bytes > largest) largest = st.bytes;
        if (sdw_journal_wants_rewrite(b.journal)) assert_int_equal(sdw_journal_rewrite(b.journal, n, NULL), SDW_OK);
    }
    assert_true(st.rewrites >= 1);
    assert_true(largest > limit && largest < limit + 2 * echo_bytes + 4096);
    assert_true(st.live_bytes < 6 * (echo_bytes + 2048));
    bed_close(&b);
    free(echo);
    bed_open(&b, FOLDER, &calm.io, limit);
    bed_read(&b);
    assert_int_equal(b.count, 5);
    assert_int_equal(b.jobs[0].n, jobs - 4);
    assert_string_equal(b.log, "");
    bed_close(&b);
}

static void a_small_limit_is_kept_by_rewriting(void **state)
{
    (void)state;
    outgrow(16384, 200, 600);
}

static void sixty_four_megabytes_are_rewritten(void **state)
{
    (void)state;
    outgrow((uint64_t)64 << 20, 200000, 400);
}

static void a_file_that_is_alive_is_not_rewritten(void **state)
{
    (void)state;
    bed_open(&b, FOLDER, &calm.io, 1000);
    for (int n = 1; n < 20; n++) {
        assert_int_equal(bed_accept(&b, n, NULL), SDW_OK);
        assert_false(sdw_journal_wants_rewrite(b.journal));
    }
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_call_that_fails_once_loses_nothing, wipe),
        cmocka_unit_test_setup(a_disk_that_dies_takes_no_accepted_job_with_it, wipe),
        cmocka_unit_test_setup(opening_on_a_failing_disk_is_an_error_and_changes_nothing, wipe),
        cmocka_unit_test_setup(a_full_disk_refuses_jobs_and_keeps_notes_until_there_is_room, wipe),
        cmocka_unit_test_setup(notes_that_wait_are_bounded, wipe),
        cmocka_unit_test_setup(accepted_jobs_survive_a_power_cut, wipe),
        cmocka_unit_test_setup(a_failed_sync_is_never_trusted_again, wipe),
        cmocka_unit_test_setup(without_memory_jobs_are_refused_whole, wipe),
        cmocka_unit_test_setup(without_memory_opening_is_an_error, wipe),
        cmocka_unit_test_setup(those_who_come_at_once_share_a_sync, wipe),
        cmocka_unit_test_setup(a_rewrite_loses_nothing_of_what_is_written_meanwhile, wipe),
        cmocka_unit_test_setup(a_small_limit_is_kept_by_rewriting, wipe),
        cmocka_unit_test_setup(sixty_four_megabytes_are_rewritten, wipe),
        cmocka_unit_test_setup(a_file_that_is_alive_is_not_rewritten, wipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
