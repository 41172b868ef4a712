/* test_fp16.c - sums of products in f16, bit for bit: the definition in plain C (emulated.c), the emulation that the benches use
 * (bench/emulated) and, where the machine has it, AVX512-FP16 itself. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "check_narrow.h"
#include "core/half.h"
#include "cpu/cpuid.h"
#include "cpu/kernels.h"
#include "cpu/narrow_isa.h"

enum { COLUMNS = 32, ROWS = 14, STEPS_MAX = 640, STRIDE = STEPS_MAX * 2, ROUNDS = 40, PLAIN = 0, TABLES_MAX = 3 };

typedef struct tables {
    sdw_cpu_narrow n[TABLES_MAX]; /* plain C first */
    int count;
} tables;

static uint32_t seed;

static uint32_t next(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static bool wide_flags(unsigned *ret)
{
    const char *cap = getenv("SDW_CPU_MAX");
    *ret = sdw_cpu_detect();
    if (cap && *cap && sdw_cpu_cap(*ret, cap) >= 0) *ret = (unsigned)sdw_cpu_cap(*ret, cap);
    return *ret & SDW_CPU_AVX512;
}

#if defined(__x86_64__)
#include "emulated.h"

static void open_tables(tables *t)
{
    unsigned flags;
    const char *missing;
    sdw_cpu_narrow_scalar(&t->n[PLAIN], SDW_PRECISION_F16);
    assert_true(emulated_narrow(&t->n[PLAIN], SDW_PRECISION_F16));
    t->count = 1;
    if (!wide_flags(&flags)) return;
    emulated_fp16(&t->n[t->count++]);
    if (flags & SDW_CPU_FP16 && sdw_cpu_narrow_init(&t->n[t->count], SDW_PRECISION_F16, flags, &missing)) t->count++;
    else print_message("no AVX512-FP16 here: the emulation is held against plain C alone\n");
}
#else
static void open_tables(tables *t)
{
    t->count = 0;
}
#endif

/* ---- values ---- */

typedef enum kind { ANY, FINITE, ORDINARY, TINY, LARGE, TIES, KINDS } kind;
static const char *const kind_names[KINDS] = { "any", "finite", "ordinary", "tiny", "large", "ties" };

static uint16_t pattern(unsigned exponent, unsigned mantissa)
{
    return (uint16_t)((next() & 1) << 15 | exponent << 10 | (mantissa & 1023));
}

static uint16_t value_of(kind k)
{
    static const unsigned even[] = { 0, 1, 2, 512, 1022, 1023 };
    switch (k) {
    case ANY: return (uint16_t)next();
    case FINITE: return pattern(next() % 31, next());
    case ORDINARY: return pattern(13 + next() % 4, next());
    case TINY: return pattern(next() % 12, next()); /* products from 2^-48 to 2^-4: mostly denormals and what is less */
    case LARGE: return pattern(17 + next() % 8, next()); /* sums that reach infinity, and some that do not */
    default: return pattern(5 + next() % 20, even[next() % 6]);
    }
}

/* A sparse array keeps single products visible, where otherwise the largest or a NaN would hide them. */
static void fill(uint16_t *v, size_t n, kind k, bool sparse)
{
    for (size_t i = 0; i < n; i++) v[i] = sparse && next() % 4 ? 0 : value_of(k);
}

/* ---- the three entries that multiply ---- */

static _Alignas(64) uint16_t rows_area[ROWS * STEPS_MAX], panel[COLUMNS * STEPS_MAX];
static float start[ROWS * COLUMNS], out[TABLES_MAX][ROWS * COLUMNS], alpha[COLUMNS];

static void run_tile(const sdw_cpu_narrow *n, float *c, int rows, int steps)
{
    const sdw_cpu_narrow_run run = { .steps = steps };
    sdw_cpu_narrow_tile t = { .a = rows_area, .stride = STRIDE, .b = panel, .c = c, .rows = rows, .add = rows % 2, .run = &run, .count = 1 };
    n->tile(&t);
}

static void run_scores(const sdw_cpu_narrow *n, float *c, int rows, int steps)
{
    float most[COLUMNS];
    for (int j = 0; j < COLUMNS; j++) most[j] = -INFINITY;
    n->scores(&(sdw_cpu_narrow_scores){ .a = rows_area, .stride = STRIDE, .b = panel, .c = c, .most = most, .rows = rows, .steps = steps });
}

static void run_outer(const sdw_cpu_narrow *n, float *c, int rows, int steps)
{
    n->outer(&(sdw_cpu_narrow_outer){ .a = rows_area, .stride = STRIDE, .b = panel, .alpha = alpha, .c = c, .rows = rows, .steps = steps });
}

static const struct { const char *name; void (*run)(const sdw_cpu_narrow *n, float *c, int rows, int steps); int unit; } entries[] = {
    { "tile", run_tile, SDW_CPU_NARROW_GRANULE / 2 }, { "scores", run_scores, 2 }, { "outer", run_outer, 2 } };
enum { ENTRIES = sizeof entries / sizeof *entries };

static bool same_bits(float a, float b)
{
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

static void compare(const tables *t, int entry, kind k, int rows, int steps)
{
    for (int i = 0; i < t->count; i++) {
        memcpy(out[i], start, sizeof start);
        entries[entry].run(&t->n[i], out[i], rows, steps);
        for (int j = 0; j < ROWS * COLUMNS; j++)
            if (!same_bits(out[i][j], out[PLAIN][j]))
                fail_msg("%s by %s, values: %s, %d rows, %d steps: sum %d is %a, want %a", entries[entry].name, t->n[i].unit, kind_names[k], rows, steps,
                         j, (double)out[i][j], (double)out[PLAIN][j]);
    }
}

static void all_ways_give_the_same_bits(void **state)
{
    static const int lengths[] = { 1, 3, 16, 128, 160, 256, 320 }; /* pairs; promotions on either side of 128 */
    (void)state;
    tables t;
    open_tables(&t);
    if (t.count < 2) skip();
    seed = 1;
    for (int round = 0; round < ROUNDS; round++)
        for (int k = 0; k < KINDS; k++)
            for (int e = 0; e < ENTRIES; e++) {
                int steps = 2 * lengths[round % 7], rows = 1 + (int)(next() % ROWS);
                steps = (steps + entries[e].unit - 1) / entries[e].unit * entries[e].unit;
                fill(rows_area, ROWS * STEPS_MAX, (kind)k, round % 2);
                fill(panel, COLUMNS * STEPS_MAX, (kind)k, round % 2);
                for (int j = 0; j < ROWS * COLUMNS; j++) start[j] = (float)next() / 8388608.0f - 1;
                for (int j = 0; j < COLUMNS; j++) alpha[j] = (float)next() / 16777216.0f;
                compare(&t, e, (kind)k, rows, steps);
            }
}

/* ---- what is known without any of them ---- */

/* Two products for the even sum of column 0, one for its odd one: first + a * b, then odd. */
static const struct { const char *what; float first, a, b, odd, want; } answers[] = {
    { "a little less than half of the last bit", 1025, 1 + 0x1p-10f, 0.5f - 0x1p-11f, 0, 1025 },
    { "a little more than half of it", 1024, 1 + 0x1p-10f, 0.5f, 0, 1025 },
    { "half of it, even below", 1024, 1, 0.5f, 0, 1024 },
    { "half of it, even above", 1025, 1, 0.5f, 0, 1026 },
    { "the smallest number", 0, 0x1p-14f, 0x1p-10f, 0, 0x1p-24f },
    { "half of the smallest number", 0, 0x1p-14f, 0x1p-11f, 0, 0 },
    { "a little more than half of the smallest", 0, 0x1p-14f, 0x1p-11f + 0x1p-21f, 0, 0x1p-24f },
    { "denormals added", 0x1p-24f, 0x1p-14f, 0x1p-9f, 0, 0x1.8p-23f },
    { "short of infinity", 65504, 1, 15.9921875f, 0, 65504 },
    { "half a bit beyond the largest number", 65504, 1, 16, 0, INFINITY },
    { "even and odd sums added in f16", 2048, 1, 0, 1, 2048 },
    { "even and odd sums beyond f16", 40000, 1, 0, 40000, INFINITY },
};

static void sums_are_rounded_once_and_keep_denormals(void **state)
{
    (void)state;
    tables t;
    open_tables(&t);
    for (int i = 0; i < t.count; i++)
        for (size_t k = 0; k < sizeof answers / sizeof *answers; k++) {
            const uint16_t row[4] = { sdw_f32_to_f16(1), sdw_f32_to_f16(1), sdw_f32_to_f16(answers[k].a), 0 };
            memset(panel, 0, sizeof panel);
            memcpy(rows_area, row, sizeof row);
            panel[0] = sdw_f32_to_f16(answers[k].first);
            panel[1] = sdw_f32_to_f16(answers[k].odd);
            panel[2 * COLUMNS] = sdw_f32_to_f16(answers[k].b);
            run_scores(&t.n[i], out[i], 1, 4);
            if (!same_bits(out[i][0], answers[k].want))
                fail_msg("%s, %s: %a, want %a", t.n[i].unit, answers[k].what, (double)out[i][0], (double)answers[k].want);
        }
}

static void the_emulation_passes_the_checker(void **state)
{
    (void)state;
    tables t;
    sdw_cpu_kernels k;
    open_tables(&t);
    if (t.count < 2) skip();
    sdw_cpu_kernels_init(&k, SDW_CPU_AVX2 | SDW_CPU_AVX512);
    const char *wrong = check_narrow(&t.n[1], SDW_PRECISION_F16, k.score_scale);
    if (wrong) fail_msg("%s: %s", t.n[1].unit, wrong);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_ways_give_the_same_bits),
        cmocka_unit_test(sums_are_rounded_once_and_keep_denormals),
        cmocka_unit_test(the_emulation_passes_the_checker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
