/* test_products.c - convolutions, linear layers and GLU pairs of every instruction set against their definitions. */
#include "cpu/product_cases.h"

#include "cpu/cpuid.h"

static const char *const levels[] = { "scalar", "avx2", "avx512" };

/* A few roundings of sums of mean size 1: see bed_distance. Blocked sums stay near 2e-7. */
static const double tolerance = 6e-7;

/* Winograd's transforms multiply what sums round: kernels_winograd.c measures 8e-7 with 320 channels. Points of 0, 1, -1, 2, -2
 * would be refused. */
static const double winograd_tolerance = 1.2e-6;

enum { LEVELS = sizeof levels / sizeof *levels };

static double conv_distance(const conv_case *c, const char *isa, bool plain_sums)
{
    conv_run r;
    record_conv_with(&r, c, &(sdw_backend_options){ .isa = isa, .threads = 2, .plain_sums = plain_sums });
    bed_run(&r.b);
    double d = check_conv(&r, c);
    check_beside(&r, c);
    close_conv(&r);
    return d;
}

static void a_convolution_equals_its_definition(void **state)
{
    (void)state;
    for (int l = 0; l < LEVELS; l++)
        for (int i = 0; i < CONV_CASES; i++) {
            const conv_case *c = &conv_cases[i];
            bool winograd = c->winograd && sdw_cpu_cap(sdw_cpu_detect(), levels[l]) > 0;
            double d = conv_distance(c, levels[l], true), limit = winograd ? winograd_tolerance : tolerance;
            if (!(d < tolerance)) fail_msg("%s: case %d is off by %g, want below %g", levels[l], i, d, tolerance);
            double default_d = conv_distance(c, levels[l], false);
            if (!(default_d < limit)) fail_msg("%s: case %d is off by %g, want below %g", levels[l], i, default_d, limit);
            if (winograd != (d != default_d)) fail_msg("%s: case %d takes the %s way", levels[l], i, winograd ? "plain" : "transformed");
        }
}

static void the_number_of_threads_changes_no_byte(void **state)
{
    (void)state;
    for (int l = 0; l < LEVELS; l++)
        for (int i = 0; i < CONV_CASES; i++) {
            conv_run first, r;
            record_conv(&first, &conv_cases[i], levels[l], 1);
            bed_run(&first.b);
            for (int threads = 2; threads <= 5; threads++) {
                record_conv(&r, &conv_cases[i], levels[l], threads);
                bed_run(&r.b);
                assert_memory_equal(r.b.bound[1], first.b.bound[1], r.b.bound_floats[1] * 4);
                close_conv(&r);
            }
            close_conv(&first);
        }
}

static void a_lane_alone_equals_the_lane_in_company(void **state)
{
    (void)state;
    for (int l = 0; l < LEVELS; l++)
        for (int i = 0; i < CONV_CASES; i++) {
            conv_case c = conv_cases[i], alone_case = c;
            if (c.n < 2) continue;
            alone_case.n = 1;
            conv_run all, alone;
            record_conv(&all, &c, levels[l], 2);
            record_conv(&alone, &alone_case, levels[l], 2);
            conv_last_lane(&alone, &all, c.n);
            bed_run(&all.b);
            bed_run(&alone.b);
            size_t floats = alone.b.bound_floats[1];
            assert_memory_equal(alone.b.bound[1], all.b.bound[1] + floats * (size_t)(c.n - 1), floats * 4);
            close_conv(&all);
            close_conv(&alone);
        }
}

static double run_linear(const linear_case *c, const char *isa)
{
    linear_run r;
    record_linear(&r, c, &(sdw_backend_options){ .isa = isa, .threads = 2 });
    bed_run(&r.b);
    double d = check_linear(&r, c);
    bed_close(&r.b);
    return d;
}

static void a_linear_layer_equals_its_definition(void **state)
{
    (void)state;
    for (int l = 0; l < LEVELS; l++)
        for (int i = 0; i < LINEAR_CASES; i++) {
            double d = run_linear(&linear_cases[i], levels[l]);
            if (!(d < tolerance)) fail_msg("%s: case %d is off by %g, want below %g", levels[l], i, d, tolerance);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_convolution_equals_its_definition),
        cmocka_unit_test(the_number_of_threads_changes_no_byte),
        cmocka_unit_test(a_lane_alone_equals_the_lane_in_company),
        cmocka_unit_test(a_linear_layer_equals_its_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
