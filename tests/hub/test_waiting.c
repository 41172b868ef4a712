/* Two at once: locks, and downloads that wait for one another. */
#include "bed.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hub/lock.h"

#define UNET BED_UNET_PATH

/* ---- locks ---- */

#define LOCK_PATH "lock_test/a/x.lock" /* in the test's own folder */

/* This program's own flock stands before the system's: when armed, another process seems to unlink the lock file between
 * our opening it and our locking it. */
static bool unlink_before_locking;

int flock(int fd, int operation)
{
    if (unlink_before_locking) {
        unlink_before_locking = false;
        unlink(LOCK_PATH);
    }
    return (int)syscall(SYS_flock, fd, operation);
}

static void remove_lock(void)
{
    unlink(LOCK_PATH);
    rmdir("lock_test/a");
    rmdir("lock_test");
}

static void a_lock_excludes_others(void **state)
{
    (void)state;
    sdw_hub_lock one, two;
    sdw_error err = { 0 };
    if (sdw_hub_lock_take(LOCK_PATH, "x", NULL, &one, &err) != SDW_OK) fail_msg("%s", err.text);
    assert_true(one.effective);
    assert_int_equal(sdw_hub_lock_try(LOCK_PATH, "x", &two, &err), SDW_BUSY);
    int fd = open(LOCK_PATH, O_RDWR);
    assert_true(flock(fd, LOCK_EX | LOCK_NB) != 0); /* as Python would */
    sdw_hub_lock_release(&one);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(sdw_hub_lock_try(LOCK_PATH, "x", &two, &err), SDW_BUSY);
    close(fd);
    assert_int_equal(sdw_hub_lock_try(LOCK_PATH, "x", &two, &err), SDW_OK);
    sdw_hub_lock_release(&two);
    remove_lock();
}

static void *take_in_thread(void *ctx)
{
    sdw_hub_lock *l = ctx;
    sdw_error err = { 0 };
    if (sdw_hub_lock_take(LOCK_PATH, "x", NULL, l, &err) != SDW_OK) l->fd = -1;
    return NULL;
}

/* Trap 24: the holder unlinks the file and lets go, as some lock libraries do; whoever waited on the old file must end
 * with a lock on the file that stands there. */
static void an_unlinked_lock_file_is_noticed(void **state)
{
    (void)state;
    sdw_hub_lock held, waiting = { .fd = -1 };
    pthread_t thread;
    struct stat ours, there;
    for (int round = 0; round < 20; round++) {
        assert_int_equal(sdw_hub_lock_take(LOCK_PATH, "x", NULL, &held, NULL), SDW_OK);
        pthread_create(&thread, NULL, take_in_thread, &waiting);
        usleep(round * 500);
        unlink(LOCK_PATH);
        sdw_hub_lock_release(&held);
        pthread_join(thread, NULL);
        assert_true(waiting.fd >= 0);
        assert_int_equal(fstat(waiting.fd, &ours), 0);
        assert_int_equal(stat(LOCK_PATH, &there), 0);
        assert_int_equal(ours.st_ino, there.st_ino);
        assert_int_equal(sdw_hub_lock_try(LOCK_PATH, "x", &held, NULL), SDW_BUSY);
        sdw_hub_lock_release(&waiting);
    }
    remove_lock();
}

static void a_lock_on_a_file_that_is_gone_is_no_lock(void **state)
{
    (void)state;
    sdw_hub_lock one, two;
    struct stat ours, there;
    unlink_before_locking = true;
    assert_int_equal(sdw_hub_lock_take(LOCK_PATH, "x", NULL, &one, NULL), SDW_OK);
    assert_false(unlink_before_locking);
    assert_int_equal(fstat(one.fd, &ours), 0);
    assert_int_equal(stat(LOCK_PATH, &there), 0);
    assert_int_equal(ours.st_ino, there.st_ino);
    assert_int_equal(sdw_hub_lock_try(LOCK_PATH, "x", &two, NULL), SDW_BUSY);
    sdw_hub_lock_release(&one);
    remove_lock();
}

static bool always(void *ctx)
{
    (void)ctx;
    return true;
}

static void waiting_for_a_lock_can_be_cancelled(void **state)
{
    (void)state;
    sdw_hub_lock one, two;
    sdw_error err = { 0 };
    const sdw_hub_hooks hooks = { .cancelled = always };
    assert_int_equal(sdw_hub_lock_take(LOCK_PATH, "x", NULL, &one, NULL), SDW_OK);
    assert_int_equal(sdw_hub_lock_take(LOCK_PATH, "the file", &hooks, &two, &err), SDW_CANCELLED);
    assert_non_null(strstr(err.text, "the file"));
    sdw_hub_lock_release(&one);
    remove_lock();
}

/* ---- downloads ---- */

typedef struct second {
    bed *bed;
    sdw_status status;
    sdw_error err;
    char path[SDW_HUB_PATH_MAX];
} second;

static void *pull_in_thread(void *ctx)
{
    second *s = ctx;
    const sdw_hub_wish w = { .id = "org/model" };
    s->status = sdw_hub_pull(&s->bed->settings, &w, NULL, s->path, NULL, &s->err);
    return NULL;
}

static void two_pulls_fetch_everything_once(void **state)
{
    (void)state;
    bed b;
    pthread_t threads[3];
    second pulls[3];
    bed_open(&b, NULL);
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .trickle_ms = 5, .trickle_bytes = 10000 });
    for (int i = 0; i < 3; i++) {
        pulls[i] = (second){ .bed = &b };
        pthread_create(&threads[i], NULL, pull_in_thread, &pulls[i]);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        if (pulls[i].status != SDW_OK) fail_msg("%s", pulls[i].err.text);
    }
    assert_int_equal(bed_gets(&b, UNET), 1);
    assert_int_equal(fake_hub_sent(b.hub, FAKE_FILES, NULL), BED_UNET + BED_VAE + BED_TEXT);
    bed_check_blobs(&b);
    bed_close(&b);
}

/* Another process holds the lock and ends the file meanwhile, as the Python library would. */
static void a_file_that_another_process_finished_is_used(void **state)
{
    (void)state;
    bed b;
    size_t size;
    bed_open(&b, NULL);
    sdw_hub_lock lock;
    assert_int_equal(sdw_hub_lock_take(bed_place(&b, SDW_HUB_LOCK, fake_repo_hash(b.repo, UNET)), "x", NULL, &lock, NULL), SDW_OK);
    second s = { .bed = &b };
    pthread_t thread;
    pthread_create(&thread, NULL, pull_in_thread, &s);
    while (fake_hub_count(b.hub, FAKE_HUB, "HEAD", UNET) == 0) usleep(1000);
    bed_partial(&b, UNET, BED_UNET, false);
    assert_int_equal(rename(bed_place(&b, SDW_HUB_PARTIAL, fake_repo_hash(b.repo, UNET)), bed_place(&b, SDW_HUB_BLOB, fake_repo_hash(b.repo, UNET))), 0);
    bed_partial(&b, UNET, 1000, false); /* left by an earlier run of ours */
    fake_repo_data(b.repo, UNET, &size);
    sdw_hub_lock_release(&lock);
    pthread_join(thread, NULL);
    if (s.status != SDW_OK) fail_msg("%s", s.err.text);
    assert_int_equal(bed_gets(&b, UNET), 0);
    assert_false(bed_exists(bed_place(&b, SDW_HUB_PARTIAL, fake_repo_hash(b.repo, UNET))));
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lock_excludes_others),
        cmocka_unit_test(an_unlinked_lock_file_is_noticed),
        cmocka_unit_test(a_lock_on_a_file_that_is_gone_is_no_lock),
        cmocka_unit_test(waiting_for_a_lock_can_be_cancelled),
        cmocka_unit_test(two_pulls_fetch_everything_once),
        cmocka_unit_test(a_file_that_another_process_finished_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
