/* test_narrow_attention.c - attention in narrow arithmetics: near its definition, like the scalar entries, the same whatever the
 * number of threads, and no numbers out of what is none. */
#include "cpu/attention_cases.h"
#include "cpu/narrow_level.h"

/* bound: relative distance when scores are small: one rounding of probabilities and one of values (see test_narrow.c for the size of
 * int8's); in f16 sums of 128 products, each addition rounding by up to 2^-12: the root of 128 times that is 2.8e-3. With their size grows what the rounding of queries and keys, in f16 also that of their sum, moves in the exponent. */
static const struct { const char *name; double bound, growth; } precisions[] = { { "bf16", 5e-3, 0.125 }, { "f16", 3e-3, 0.25 }, { "int8", 1.6e-2, 0.125 } };
enum { PRECISIONS = sizeof precisions / sizeof *precisions };
static const char *const levels[] = { "scalar", "avx512", NULL }; /* NULL: all there is */
enum { LEVELS = sizeof levels / sizeof *levels };

static sdw_backend_options options_of(int precision, const char *isa, int threads)
{
    return (sdw_backend_options){ .isa = isa, .threads = threads, .precision = precisions[precision].name };
}

static void say_what_is_left_out(void **state)
{
    (void)state;
    for (int p = 0; p < PRECISIONS; p++)
        if (!narrow_available(precisions[p].name, NULL)) print_message("%s: not on this machine, only the scalar entries are tried\n", precisions[p].name);
}

static void narrow_attention_is_near_its_definition(void **state)
{
    (void)state;
    for (int p = 0; p < PRECISIONS; p++)
        for (int l = 0; l < LEVELS; l++)
            for (int i = 0; i < ATTENTION_CASES && narrow_available(precisions[p].name, levels[l]); i++) {
                attention_run r;
                sdw_backend_options o = options_of(p, levels[l], 2);
                run_attention(&r, &attention_cases[i], &o);
                double d = check_attention(&r, &attention_cases[i]), most = precisions[p].bound * (1 + attention_cases[i].size * precisions[p].growth);
                if (!(d < most)) fail_msg("%s, %s: case %d is off by %g, want below %g", precisions[p].name, levels[l] ? levels[l] : "all", i, d, most);
                if (!attention_cases[i].causal && attention_cases[i].keys > 1 && !(d > 1e-5)) fail_msg("%s: case %d is as exact as f32", precisions[p].name, i);
                bed_close(&r.b);
            }
}

/* Probabilities may differ in the last step of their type, where the shorter exponential rounds the other way. */
static void fast_entries_give_what_the_scalar_ones_give(void **state)
{
    (void)state;
    for (int p = 0; p < PRECISIONS; p++)
        for (int i = 0; i < ATTENTION_CASES && narrow_available(precisions[p].name, NULL); i++) {
            attention_run fast, scalar;
            sdw_backend_options o = options_of(p, NULL, 3), plain = options_of(p, "scalar", 1);
            run_attention(&fast, &attention_cases[i], &o);
            run_attention(&scalar, &attention_cases[i], &plain);
            size_t n = fast.b.bound_floats[0];
            double *want = sdw_malloc(n * sizeof *want);
            for (size_t j = 0; j < n; j++) want[j] = scalar.out[j];
            double d = bed_distance(fast.out, want, n), most = precisions[p].bound * (1 + attention_cases[i].size * precisions[p].growth);
            if (!(d < most)) fail_msg("%s: case %d is %g away from the scalar entries, want below %g", precisions[p].name, i, d, most);
            sdw_free(want);
            bed_close(&fast.b);
            bed_close(&scalar.b);
        }
}

static void narrow_attention_does_not_depend_on_threads(void **state)
{
    (void)state;
    for (int p = 0; p < PRECISIONS; p++)
        for (int i = 0; i < ATTENTION_CASES && narrow_available(precisions[p].name, NULL); i++) {
            attention_run first, r;
            sdw_backend_options o = options_of(p, NULL, 1);
            run_attention(&first, &attention_cases[i], &o);
            for (o.threads = 2; o.threads <= 5; o.threads++) {
                run_attention(&r, &attention_cases[i], &o);
                assert_memory_equal(r.out, first.out, first.b.bound_floats[0] * 4);
                bed_close(&r.b);
            }
            bed_close(&first.b);
        }
}

/* A NaN in one query spoils that query, one in a key every query, one in a value its channel; and nothing else. */
static void what_is_no_number_does_not_become_one(void **state)
{
    (void)state;
    static const attention_case c = { 1, 100, 300, 1, 24, .size = 1 };
    static const float bad[] = { NAN, INFINITY };
    for (int p = 0; p < PRECISIONS; p++)
        for (int l = 0; l < LEVELS; l++)
            for (int what = 0; what < 6 && narrow_available(precisions[p].name, levels[l]); what++) {
                attention_run r;
                sdw_backend_options o = options_of(p, levels[l], 1);
                record_attention(&r, &c, &o);
                float *target[] = { r.q + 40 * (ptrdiff_t)r.q_pitch, r.k + 280 * (ptrdiff_t)r.kv_pitch, r.v + 7 * (ptrdiff_t)r.kv_pitch };
                target[what / 2][5] = bad[what % 2];
                bed_run(&r.b);
                int wrong = 0;
                for (int i = 0; i < c.queries; i++)
                    for (int d = 0; d < c.dim; d++) {
                        bool is = isfinite(r.out[i * c.dim + d]);
                        if (what / 2 == 0) wrong += is == (i == 40);
                        else if (what / 2 == 2) wrong += is == (d == 5);
                        else if (what % 2 == 0) wrong += is; /* an infinite key may only win everywhere or nowhere */
                    }
                if (wrong) fail_msg("%s, %s: case %d has %d wrong results", precisions[p].name, levels[l] ? levels[l] : "all", what, wrong);
                bed_close(&r.b);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(say_what_is_left_out),
        cmocka_unit_test(narrow_attention_is_near_its_definition),
        cmocka_unit_test(fast_entries_give_what_the_scalar_ones_give),
        cmocka_unit_test(narrow_attention_does_not_depend_on_threads),
        cmocka_unit_test(what_is_no_number_does_not_become_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
