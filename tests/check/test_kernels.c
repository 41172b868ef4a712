/* test_kernels.c - every instruction set that the machine has passes the checker, and the checker refuses each planted bug. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "check.h"
#include "cpu/cpuid.h"

static const char *const levels[] = { "scalar", "avx2", "avx512" };
enum { LEVELS = sizeof levels / sizeof *levels };

/* The flags of a level under the machine's and the environment's cap, -1 where it is missing. */
static int flags_of(int level)
{
    const char *cap = getenv("SDW_CPU_MAX");
    unsigned most = sdw_cpu_detect();
    if (cap && *cap && sdw_cpu_cap(most, cap) >= 0) most = (unsigned)sdw_cpu_cap(most, cap);
    int flags = sdw_cpu_cap(SDW_CPU_AVX2 | SDW_CPU_AVX512, levels[level]);
    return ((unsigned)flags & most) == (unsigned)flags ? flags : -1;
}

static void every_level_of_this_machine_passes_the_checker(void **state)
{
    (void)state;
    for (int l = 0; l < LEVELS; l++) {
        sdw_cpu_kernels k;
        if (flags_of(l) < 0) {
            print_message("%s: not on this machine, or capped\n", levels[l]);
            continue;
        }
        sdw_cpu_kernels_init(&k, (unsigned)flags_of(l));
        const char *wrong = check_kernels(&k);
        if (wrong) fail_msg("%s: %s", levels[l], wrong);
    }
}

static void the_checker_refuses_every_planted_bug(void **state)
{
    (void)state;
    for (int l = 0; l < LEVELS; l++)
        for (int bug = 0; flags_of(l) >= 0; bug++) {
            sdw_cpu_kernels k;
            sdw_cpu_kernels_init(&k, (unsigned)flags_of(l));
            const char *name = planted_bug(&k, bug);
            if (!name) {
                assert_true(bug >= 28);
                break;
            }
            if (!check_kernels(&k)) fail_msg("%s: the checker lets %s through", levels[l], name);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_level_of_this_machine_passes_the_checker),
        cmocka_unit_test(the_checker_refuses_every_planted_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
