/* test_kernels.c - every instruction set that the machine has passes the checker, and the checker refuses each planted bug. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "check.h"
#include "check_narrow.h"
#include "cpu/cpuid.h"
#include "cpu/narrow_isa.h"

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
                assert_true(bug >= 37);
                break;
            }
            if (!check_kernels(&k)) fail_msg("%s: the checker lets %s through", levels[l], name);
        }
}

/* ---- narrow arithmetics ---- */

static const sdw_cpu_precision precisions[] = { SDW_PRECISION_INT8, SDW_PRECISION_BF16, SDW_PRECISION_F16 };
enum { PRECISIONS = sizeof precisions / sizeof *precisions };

/* Calls fn with every table that can be tried here: scalar, by each set of flags, and emulated. */
typedef void table_fn(const sdw_cpu_narrow *n, sdw_cpu_precision p, float score_scale, const char *title);
static void each_narrow_table(table_fn *fn)
{
    static const unsigned sets[] = { SDW_CPU_VNNI, SDW_CPU_BF16, SDW_CPU_FP16, SDW_CPU_AMX_INT8, SDW_CPU_AMX_BF16 };
    int wide = flags_of(2);
    unsigned have = sdw_cpu_detect();
    const char *missing = NULL;
    for (int i = 0; i < PRECISIONS; i++) {
        sdw_cpu_narrow n;
        sdw_cpu_kernels k;
        sdw_cpu_kernels_init(&k, 0);
        assert_true(sdw_cpu_narrow_init(&n, precisions[i], 0, &missing));
        fn(&n, precisions[i], k.score_scale, sdw_cpu_precision_name(precisions[i]));
        if (wide < 0) continue;
        sdw_cpu_kernels_init(&k, (unsigned)wide);
        for (size_t s = 0; s < sizeof sets / sizeof *sets; s++) {
            if ((have & sets[s]) && sdw_cpu_narrow_init(&n, precisions[i], (unsigned)wide | sets[s], &missing)) fn(&n, precisions[i], k.score_scale, n.unit);
        }
#if defined(__x86_64__)
        sdw_cpu_narrow_scalar(&n, precisions[i]);
        n.nr = k.nr;
        sdw_cpu_narrow_avx512_attention(&n);
        if (emulated_narrow(&n, precisions[i])) fn(&n, precisions[i], k.score_scale, "emulated");
#endif
    }
}

static void passes(const sdw_cpu_narrow *n, sdw_cpu_precision p, float score_scale, const char *title)
{
    const char *wrong = check_narrow(n, p, score_scale);
    print_message("%s, %s: %s\n", sdw_cpu_precision_name(p), title, wrong ? wrong : "right");
    if (wrong) fail_msg("%s, %s: %s", sdw_cpu_precision_name(p), title, wrong);
}

static void every_narrow_table_passes_the_checker(void **state)
{
    (void)state;
    each_narrow_table(passes);
}

static void refuses_bugs(const sdw_cpu_narrow *n, sdw_cpu_precision p, float score_scale, const char *title)
{
    for (int bug = 0;; bug++) {
        sdw_cpu_narrow planted = *n;
        const char *name = planted_narrow_bug(&planted, bug);
        if (!name) {
            assert_true(bug >= 17);
            return;
        }
        if (!check_narrow(&planted, p, score_scale)) fail_msg("%s, %s: the checker lets %s through", sdw_cpu_precision_name(p), title, name);
    }
}

static void the_checker_refuses_every_planted_narrow_bug(void **state)
{
    (void)state;
    each_narrow_table(refuses_bugs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_level_of_this_machine_passes_the_checker),
        cmocka_unit_test(the_checker_refuses_every_planted_bug),
        cmocka_unit_test(every_narrow_table_passes_the_checker),
        cmocka_unit_test(the_checker_refuses_every_planted_narrow_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
