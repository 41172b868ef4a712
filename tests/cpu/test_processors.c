/* What the system says about processors, read from made-up trees of its files. */
#define _GNU_SOURCE
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "cpu/processors.h"

static char root[32];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *place)
{
    (void)st, (void)type, (void)place;
    return remove(path);
}

static int remove_root(void **state)
{
    (void)state;
    if (*root) nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}

static void new_root(void)
{
    snprintf(root, sizeof root, "root.XXXXXX");
    assert_non_null(mkdtemp(root));
}

/* A file below the root, with its folders. */
static void put(const char *path, const char *text)
{
    char whole[512];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *slash = whole + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(whole, 0777);
        *slash = '/';
    }
    FILE *f = fopen(whole, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void sets_are_read_in_the_kernels_form(void **state)
{
    (void)state;
    sdw_cpu_set s;
    assert_true(sdw_cpu_set_parse("0-3,8,10-11\n", &s));
    assert_int_equal(sdw_cpu_set_count(&s), 7);
    assert_true(sdw_cpu_set_has(&s, 3) && !sdw_cpu_set_has(&s, 4) && sdw_cpu_set_has(&s, 8) && sdw_cpu_set_has(&s, 11));
    assert_true(sdw_cpu_set_parse("\n", &s));
    assert_int_equal(sdw_cpu_set_count(&s), 0);
    assert_true(sdw_cpu_set_parse("1020-5000", &s));
    assert_int_equal(sdw_cpu_set_count(&s), 4);
    static const char *const bad[] = { "a", "1-", "-1", "1,,2", "1;2", "3-x" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(sdw_cpu_set_parse(bad[i], &s));
}

static void a_quota_counts_with_those_of_all_groups_above(void **state)
{
    (void)state;
    new_root();
    put("/proc/self/cgroup", "0::/system.slice/sdw.service\n");
    assert_int_equal(sdw_cpu_quota(root), 0);
    put("/sys/fs/cgroup/system.slice/sdw.service/cpu.max", "max 100000\n");
    assert_int_equal(sdw_cpu_quota(root), 0);
    put("/sys/fs/cgroup/system.slice/cpu.max", "650000 100000\n");
    assert_int_equal(sdw_cpu_quota(root), 7);
    put("/sys/fs/cgroup/system.slice/sdw.service/cpu.max", "150000 100000\n");
    assert_int_equal(sdw_cpu_quota(root), 2);
    put("/sys/fs/cgroup/cpu.max", "50000 100000\n"); /* a container sees its own limit at the top */
    assert_int_equal(sdw_cpu_quota(root), 1);
}

static void the_older_form_of_groups_is_read_too(void **state)
{
    (void)state;
    new_root();
    put("/proc/self/cgroup", "9:name=systemd:/\n3:cpuset:/\n2:cpuacct,cpu:/docker/abc\n0::/\n");
    put("/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us", "100000\n");
    assert_int_equal(sdw_cpu_quota(root), 0);
    put("/sys/fs/cgroup/cpu/docker/cpu.cfs_quota_us", "300000\n");
    put("/sys/fs/cgroup/cpu/docker/cpu.cfs_period_us", "100000\n");
    assert_int_equal(sdw_cpu_quota(root), 3);
    put("/sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us", "20000\n");
    assert_int_equal(sdw_cpu_quota(root), 1);
}

static void odd_files_mean_no_quota(void **state)
{
    (void)state;
    new_root();
    assert_int_equal(sdw_cpu_quota(root), 0);
    put("/proc/self/cgroup", "\n\nnonsense\n0:\n0::\n1:cpu\n0::/a\n");
    put("/sys/fs/cgroup/a/cpu.max", "-5 0\n");
    assert_int_equal(sdw_cpu_quota(root), 0);
    put("/sys/fs/cgroup/a/cpu.max", "");
    assert_int_equal(sdw_cpu_quota(root), 0);
}

static void nodes_are_those_with_processors_we_may_use(void **state)
{
    (void)state;
    new_root();
    sdw_cpu_set allowed, node[4];
    assert_true(sdw_cpu_set_parse("0-2,12-13", &allowed));
    assert_int_equal(sdw_cpu_nodes(root, &allowed, node, 4), 0);
    put("/sys/devices/system/node/online", "0-2\n");
    put("/sys/devices/system/node/node0/cpulist", "0-3\n");
    put("/sys/devices/system/node/node1/cpulist", "4-7\n");
    put("/sys/devices/system/node/node2/cpulist", "12-15\n");
    assert_int_equal(sdw_cpu_nodes(root, &allowed, node, 4), 2);
    assert_int_equal(sdw_cpu_set_count(&node[0]), 3);
    assert_int_equal(sdw_cpu_set_count(&node[1]), 2);
    assert_true(sdw_cpu_set_has(&node[1], 12));
    assert_int_equal(sdw_cpu_nodes(root, &allowed, node, 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_are_read_in_the_kernels_form),
        cmocka_unit_test_teardown(a_quota_counts_with_those_of_all_groups_above, remove_root),
        cmocka_unit_test_teardown(the_older_form_of_groups_is_read_too, remove_root),
        cmocka_unit_test_teardown(odd_files_mean_no_quota, remove_root),
        cmocka_unit_test_teardown(nodes_are_those_with_processors_we_may_use, remove_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
