/* test_narrow.c - products in narrow arithmetics: near the definition, equal to the scalar entries, and independent of threads
 * and company. What this machine lacks is named and left out; the scalar entries are always tried. */
#include "cpu/cpuid.h"
#include "cpu/narrow_level.h"
#include "cpu/product_cases.h"

/* bound: relative distance from the definition. Rounding to 8 bits of significance; to 11 with sums of some products in f16; to 255 steps of a row's range (normal
 * values reach over 6 deviations: steps of 1/40 deviation, an error of 0.007) together with 255 of the weights' (about as much). */
static const struct { const char *name; double bound, sums; } precisions[] = { { "bf16", 4e-3, 0 }, { "f16", 2e-3, 2e-3 }, { "int8", 1.5e-2, 0 } };
enum { PRECISIONS = sizeof precisions / sizeof *precisions };
static const char *const levels[] = { "scalar", "avx512" };
enum { LEVELS = sizeof levels / sizeof *levels };

/* Beside the shared cases: panels too large for one pass. */
static const conv_case large_cases[] = {
    { 2, 4, 5, 1500, 40, 3, 1, 1, 0, SDW_F16, .bias = true, .residual = true },
    { 1, 3, 6, 2600, 33, 3, 2, 1, 0, SDW_F16, .pre = true, .silu = true },
};
enum { ALL_CONV_CASES = CONV_CASES + (int)(sizeof large_cases / sizeof *large_cases) };

static const conv_case *conv_at(int i)
{
    return i < CONV_CASES ? &conv_cases[i] : &large_cases[i - CONV_CASES];
}

static sdw_backend_options options_of(int precision, const char *isa, int threads)
{
    return (sdw_backend_options){ .isa = isa, .threads = threads, .precision = precisions[precision].name };
}

static void say_what_is_left_out(void **state)
{
    (void)state;
    for (int p = 0; p < PRECISIONS; p++)
        if (!narrow_available(precisions[p].name, "avx512")) print_message("%s: not on this machine, only the scalar entries are tried\n", precisions[p].name);
}

/* Some layers of 3x3 are better off in f32; then they are as exact as f32. */
static void products_are_near_their_definition(void **state)
{
    (void)state;
    for (int p = 0; p < PRECISIONS; p++)
        for (int l = 0; l < LEVELS; l++) {
            sdw_backend_options o = options_of(p, levels[l], 2);
            if (!narrow_available(o.precision, o.isa)) continue;
            for (int i = 0; i < ALL_CONV_CASES; i++) {
                conv_run r;
                record_conv_with(&r, conv_at(i), &o);
                bed_run(&r.b);
                double d = check_conv(&r, conv_at(i));
                check_beside(&r, conv_at(i));
                if (!(d < precisions[p].bound)) fail_msg("%s, %s: convolution %d is off by %g", o.precision, o.isa, i, d);
                close_conv(&r);
            }
            for (int i = 0; i < LINEAR_CASES; i++) {
                linear_run r;
                record_linear(&r, &linear_cases[i], &o);
                bed_run(&r.b);
                double d = check_linear(&r, &linear_cases[i]);
                if (!(d < precisions[p].bound)) fail_msg("%s, %s: linear layer %d is off by %g", o.precision, o.isa, i, d);
                if (linear_cases[i].ci > 8 && !(d > 1e-6)) fail_msg("%s, %s: linear layer %d is as exact as f32", o.precision, o.isa, i);
                bed_close(&r.b);
            }
        }
}

static double against_scalar(const bed *fast, const bed *scalar, double *scratch)
{
    for (size_t i = 0; i < fast->bound_floats[1]; i++) scratch[i] = scalar->bound[1][i];
    return bed_distance(fast->bound[1], scratch, fast->bound_floats[1]);
}

/* What remains is the order of additions in f32 (f16: the rounding of sums too, `sums` above); where SiLU comes first, its last bit may
 * move a value to the next step; GELU of gates is rough. */
static void fast_entries_give_what_the_scalar_ones_give(void **state)
{
    (void)state;
    double *scratch = sdw_malloc(sizeof *scratch << 20);
    for (int p = 0; p < PRECISIONS; p++) {
        sdw_backend_options fast = options_of(p, "avx512", 3), scalar = options_of(p, "scalar", 1);
        if (!narrow_available(fast.precision, fast.isa)) continue;
        for (int i = 0; i < ALL_CONV_CASES; i++) {
            conv_run a, b;
            record_conv_with(&a, conv_at(i), &fast);
            record_conv_with(&b, conv_at(i), &scalar);
            bed_run(&a.b);
            bed_run(&b.b);
            double d = against_scalar(&a.b, &b.b, scratch), most = precisions[p].sums + (conv_at(i)->pre ? 2e-4 : 2e-6);
            if (!(d < most)) fail_msg("%s: convolution %d is %g away from the scalar one, want below %g", fast.precision, i, d, most);
            close_conv(&a);
            close_conv(&b);
        }
        for (int i = 0; i < LINEAR_CASES; i++) {
            linear_run a, b;
            record_linear(&a, &linear_cases[i], &fast);
            record_linear(&b, &linear_cases[i], &scalar);
            bed_run(&a.b);
            bed_run(&b.b);
            bool rough = linear_cases[i].glu && linear_cases[i].act == SDW_ACT_GELU;
            double d = against_scalar(&a.b, &b.b, scratch), most = precisions[p].sums + (linear_cases[i].pre || rough ? 2e-4 : 2e-6);
            if (!(d < most)) fail_msg("%s: linear layer %d is %g away from the scalar one, want below %g", fast.precision, i, d, most);
            bed_close(&a.b);
            bed_close(&b.b);
        }
    }
    sdw_free(scratch);
}

/* How work is cut does not depend on the precision: the slow scalar entries of one are enough there. */
static bool worth_cutting(int precision, int level)
{
    return narrow_available(precisions[precision].name, levels[level]) && (level > 0 || strcmp(precisions[precision].name, "int8") == 0);
}

static void the_number_of_threads_changes_no_byte(void **state)
{
    (void)state;
    for (int p = 0; p < PRECISIONS; p++)
        for (int l = 0; l < LEVELS; l++) {
            if (!worth_cutting(p, l)) continue;
            for (int i = 0; i < ALL_CONV_CASES; i++) {
                conv_run first, r;
                record_conv_with(&first, conv_at(i), &(sdw_backend_options){ .isa = levels[l], .threads = 1, .precision = precisions[p].name });
                bed_run(&first.b);
                for (int threads = 2; threads <= 5; threads += 3) {
                    sdw_backend_options o = options_of(p, levels[l], threads);
                    record_conv_with(&r, conv_at(i), &o);
                    bed_run(&r.b);
                    assert_memory_equal(r.b.bound[1], first.b.bound[1], r.b.bound_floats[1] * 4);
                    close_conv(&r);
                }
                close_conv(&first);
            }
            for (int i = 0; i < LINEAR_CASES; i++) {
                linear_run one, four;
                sdw_backend_options o = options_of(p, levels[l], 1);
                record_linear(&one, &linear_cases[i], &o);
                o.threads = 4;
                record_linear(&four, &linear_cases[i], &o);
                bed_run(&one.b);
                bed_run(&four.b);
                assert_memory_equal(one.b.bound[1], four.b.bound[1], one.b.bound_floats[1] * 4);
                bed_close(&one.b);
                bed_close(&four.b);
            }
        }
}

/* The last lane alone gives what it gives among others. */
static void company_changes_no_byte(void **state)
{
    (void)state;
    for (int p = 0; p < PRECISIONS; p++)
        for (int l = 0; l < LEVELS; l++)
            for (int i = 0; i < ALL_CONV_CASES; i++) {
                sdw_backend_options o = options_of(p, levels[l], 2);
                conv_case c = *conv_at(i), alone_case = c;
                if (c.n < 2 || !worth_cutting(p, l)) continue;
                alone_case.n = 1;
                conv_run all, alone;
                record_conv_with(&all, &c, &o);
                record_conv_with(&alone, &alone_case, &o);
                conv_last_lane(&alone, &all, c.n);
                bed_run(&all.b);
                bed_run(&alone.b);
                size_t floats = alone.b.bound_floats[1];
                assert_memory_equal(alone.b.bound[1], all.b.bound[1] + floats * (size_t)(c.n - 1), floats * 4);
                close_conv(&all);
                close_conv(&alone);
            }
}

/* A NaN in the input must reach the output, not come out as some number. */
static void what_is_no_number_stays_none(void **state)
{
    (void)state;
    for (int p = 0; p < PRECISIONS; p++)
        for (int l = 0; l < LEVELS; l++)
            for (int bad = 0; bad < 2; bad++) {
                sdw_backend_options o = options_of(p, levels[l], 2);
                if (!narrow_available(o.precision, o.isa)) continue;
                linear_run r;
                const linear_case *c = &linear_cases[3];
                record_linear(&r, c, &o);
                r.b.bound[0][5 * c->ci + 700] = bad ? INFINITY : NAN;
                bed_run(&r.b);
                for (int row = 0; row < c->rows; row++)
                    for (int j = 0; j < c->co; j++)
                        if (isfinite(r.b.bound[1][row * c->co + j]) != (row != 5)) fail_msg("%s, %s: row %d column %d", o.precision, o.isa, row, j);
                bed_close(&r.b);
            }
}

static void a_layer_that_bears_nothing_stays_f32(void **state)
{
    (void)state;
    for (int p = 0; p < PRECISIONS; p++)
        for (int bits = 0; bits <= 16; bits += 8) {
            linear_run r;
            sdw_backend_options o = options_of(p, "scalar", 1);
            record_linear(&r, &linear_cases[1], &o);
            r.weight->narrowest = bits;
            bed_run(&r.b);
            bool narrow = check_linear(&r, &linear_cases[1]) > 1e-6, want = bits == 8 || (bits == 16 && strcmp(o.precision, "int8") != 0);
            if (narrow != want) fail_msg("%s: a layer of %d bits is %s", o.precision, bits, narrow ? "narrow" : "f32");
            bed_close(&r.b);
        }
}

static void an_unknown_or_missing_precision_is_one_clear_error(void **state)
{
    (void)state;
    sdw_backend *b = NULL;
    sdw_error err = { 0 };
    assert_int_equal(sdw_backend_cpu.open(&(sdw_backend_options){ .threads = 1, .precision = "int4" }, &b, &err), SDW_INVALID);
    assert_string_equal(err.text, "precision: \"int4\", want f32, f16, bf16, int8 or auto");
    if (sdw_cpu_cap(sdw_cpu_detect(), "avx2") <= 0) return;
    assert_int_equal(sdw_backend_cpu.open(&(sdw_backend_options){ .threads = 1, .precision = "int8", .isa = "avx2" }, &b, &err), SDW_UNSUPPORTED);
    assert_non_null(strstr(err.text, "int8"));
    assert_non_null(strstr(err.text, "AVX512-VNNI or AMX-INT8"));
    assert_null(b);
}

static void auto_is_the_fastest_arithmetic_near_f32(void **state)
{
    enum { WIDE = SDW_CPU_AVX2 | SDW_CPU_AVX512, BYTES = SDW_CPU_VNNI | SDW_CPU_AMX_INT8 };
    static const struct { const char *machine; unsigned flags; sdw_cpu_precision want; } machines[] = {
        { "none", 0, SDW_PRECISION_F32 },
        { "bytes alone", WIDE | BYTES, SDW_PRECISION_F32 },
        { "bf16 at half the rate", WIDE | BYTES | SDW_CPU_BF16, SDW_PRECISION_F32 },
        { "bf16 at twice the rate", WIDE | BYTES | SDW_CPU_BF16 | SDW_CPU_BF16_FAST, SDW_PRECISION_BF16 },
        { "f16", WIDE | BYTES | SDW_CPU_BF16 | SDW_CPU_FP16, SDW_PRECISION_F16 },
        { "f16 and tiles", WIDE | BYTES | SDW_CPU_BF16 | SDW_CPU_FP16 | SDW_CPU_AMX_BF16, SDW_PRECISION_BF16 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++)
        if (sdw_cpu_precision_auto(machines[i].flags) != machines[i].want)
            fail_msg("%s: %s, want %s", machines[i].machine, sdw_cpu_precision_name(sdw_cpu_precision_auto(machines[i].flags)), sdw_cpu_precision_name(machines[i].want));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(say_what_is_left_out),
        cmocka_unit_test(products_are_near_their_definition),
        cmocka_unit_test(fast_entries_give_what_the_scalar_ones_give),
        cmocka_unit_test(the_number_of_threads_changes_no_byte),
        cmocka_unit_test(company_changes_no_byte),
        cmocka_unit_test(what_is_no_number_stays_none),
        cmocka_unit_test(a_layer_that_bears_nothing_stays_f32),
        cmocka_unit_test(an_unknown_or_missing_precision_is_one_clear_error),
        cmocka_unit_test(auto_is_the_fastest_arithmetic_near_f32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
