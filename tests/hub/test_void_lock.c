/* Trap 11: flock without effect, as on some network file systems. This program's own flock stands before the system's;
 * every caller gets every lock. Several pulls at once must end with right blobs. */
#include "bed.h"

#include <pthread.h>
#include <sys/file.h>

#include "hub/lock.h"

int flock(int fd, int operation)
{
    (void)fd;
    (void)operation;
    return 0;
}

#define UNET BED_UNET_PATH
#define PULLS 4

static void a_lock_without_effect_is_noticed(void **state)
{
    (void)state;
    sdw_hub_lock l;
    assert_int_equal(sdw_hub_lock_take("void.lock", "x", NULL, &l, NULL), SDW_OK);
    assert_false(l.effective);
    sdw_hub_lock_release(&l);
    remove("void.lock");
}

typedef struct second {
    bed *bed;
    sdw_status status;
    sdw_error err;
} second;

static void *pull_in_thread(void *ctx)
{
    second *s = ctx;
    char path[SDW_HUB_PATH_MAX];
    const sdw_hub_wish w = { .id = "org/model" };
    s->status = sdw_hub_pull(&s->bed->settings, &w, NULL, path, NULL, &s->err);
    return NULL;
}

static void two_writers_never_make_a_wrong_blob(void **state)
{
    (void)state;
    bed b;
    pthread_t threads[PULLS];
    second pulls[PULLS];
    bed_open(&b, NULL);
    /* Restarts in the middle are what would damage a shared partial file. */
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .times = 4, .cut_after = 40000 });
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .times = 4, .ignore_range = true, .trickle_ms = 2, .trickle_bytes = 20000 });
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .trickle_ms = 3, .trickle_bytes = 20000 });
    for (int i = 0; i < PULLS; i++) {
        pulls[i] = (second){ .bed = &b };
        pthread_create(&threads[i], NULL, pull_in_thread, &pulls[i]);
    }
    for (int i = 0; i < PULLS; i++) {
        pthread_join(threads[i], NULL);
        if (pulls[i].status != SDW_OK) fail_msg("%s", pulls[i].err.text);
    }
    assert_true(bed_gets(&b, UNET) > 1); /* they did work side by side */
    bed_check_blobs(&b);
    assert_int_equal(bed_size(bed_place(&b, SDW_HUB_BLOB, fake_repo_hash(b.repo, UNET))), BED_UNET);
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lock_without_effect_is_noticed),
        cmocka_unit_test(two_writers_never_make_a_wrong_blob),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
