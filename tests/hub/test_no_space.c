/* A disk that is full, or fills up: this program's own statvfs and write stand before the system's. */
#define _GNU_SOURCE
#include "bed.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <sys/statvfs.h>
#include <unistd.h>

static uint64_t free_bytes;         /* what statvfs tells */
static _Atomic long long room = -1; /* bytes that may still be written in large pieces; -1 = any */

int statvfs(const char *path, struct statvfs *v)
{
    struct statvfs none = { .f_frsize = 1, .f_bsize = 1, .f_bavail = free_bytes };
    if (access(path, F_OK) != 0) {
        errno = ENOENT;
        return -1;
    }
    *v = none;
    return 0;
}

ssize_t write(int fd, const void *data, size_t size)
{
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "write");
    if (size >= 1024 && room >= 0) {
        if ((long long)size > room) {
            errno = ENOSPC;
            return -1;
        }
        room -= (long long)size;
    }
    return real(fd, data, size);
}

#define ALL ((uint64_t)(BED_UNET + BED_VAE + BED_TEXT))

static void a_full_disk_is_told_before_anything_is_fetched(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    free_bytes = ALL - 1;
    bed_refuse(&b, NULL, SDW_IO, "419999 bytes are free there, want 420349");
    assert_int_equal(fake_hub_count(b.hub, FAKE_FILES, NULL, NULL), 0);
    assert_false(bed_exists(b.cache));
    bed_close(&b);
}

static void what_is_there_already_needs_no_space(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    bed_partial(&b, BED_UNET_PATH, 250000, false);
    free_bytes = ALL - 250000 + 1000; /* the small files have 349 bytes */
    bed_pull_well(&b);
    bed_close(&b);
}

static void a_disk_that_fills_up_leaves_a_partial_file(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    free_bytes = (uint64_t)1 << 40;
    b.settings.parallel = 1; /* the largest file first */
    room = 200000;
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .trickle_ms = 1, .trickle_bytes = 50000 });
    bed_refuse(&b, NULL, SDW_IO, "cannot write: No space left on device");
    size_t kept = bed_size(bed_place(&b, SDW_HUB_PARTIAL, fake_repo_hash(b.repo, BED_UNET_PATH)));
    assert_in_range(kept, 1, 200000);
    room = -1;
    bed_pull_well(&b);
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_is_told_before_anything_is_fetched),
        cmocka_unit_test(what_is_there_already_needs_no_space),
        cmocka_unit_test(a_disk_that_fills_up_leaves_a_partial_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
