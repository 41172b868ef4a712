/* Sums that a convolution leaves for a group norm: those of its output, with every algorithm, the same bytes from each. */
#include "cpu/bed.h"
#include "cpu/cpuid.h"
#include "cpu/sums.h"

typedef struct sums_case {
    int n, h, w, in, out, stride;
} sums_case;

static const sums_case cases[] = {
    { 2, 9, 7, 32, 33, 1 }, { 1, 30, 131, 64, 40, 1 }, { 3, 8, 8, 96, 70, 1 }, { 1, 13, 66, 3, 5, 1 }, { 2, 15, 21, 32, 16, 2 }, { 1, 1, 1, 8, 8, 1 },
};
enum { CASES = sizeof cases / sizeof *cases };

static int ceil_div(int a, int b)
{
    return (a + b - 1) / b;
}

/* bound[0]: input, [1]: output, [2]: sums, [3]: coefficients of the norm, [4]: those of a copy that nobody left sums for. */
static void run_case(bed *b, const sums_case *c, const sdw_backend_options *o)
{
    bed_open_with(b, o);
    int h = (c->h - 1) / c->stride + 1, w = (c->w - 1) / c->stride + 1;
    sdw_tensor *x = bed_input(b, c->n, c->h, c->w, c->in), *out = bed_input(b, c->n, h, w, c->out);
    sdw_tensor *sums = bed_input(b, c->n, ceil_div(h, 4), ceil_div(w, 64), 4 * c->out), *coeffs = bed_input(b, c->n, 1, 1, 2 * c->out);
    sdw_tensor *again = bed_input(b, c->n, 1, 1, 2 * c->out), *copy = bed_input(b, c->n, h, w, c->out);
    sdw_norm_args norm = { .gamma = bed_weight(b, SDW_ROLE_VECTOR, c->out, 1, 1, SDW_F32, 1), .beta = bed_weight(b, SDW_ROLE_VECTOR, c->out, 1, 1, SDW_F32, 1),
                           .groups = 1, .eps = 1e-6f };
    sdw_conv2d_args a = { .weight = bed_weight(b, SDW_ROLE_CONV, c->out, c->in, 3, SDW_F16, 0.1f), .bias = bed_weight(b, SDW_ROLE_VECTOR, c->out, 1, 1, SDW_F32, 1),
                          .stride = c->stride, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1, .sums = sums };
    sdw_conv2d(b->graph, x, &a, out);
    sdw_copy(b->graph, sdw_group_norm(b->graph, out, &norm), coeffs);
    assert_ptr_equal(b->graph->ops[1]->in2, sums);
    sdw_copy(b->graph, out, copy);
    sdw_copy(b->graph, sdw_group_norm(b->graph, copy, &norm), again);
    assert_null(b->graph->ops[4]->in2);
    bed_run(b);
}

static void sums_are_those_of_the_output(void **state)
{
    (void)state;
    static const char *const levels[] = { "scalar", "avx2", "avx512" };
    for (int l = 0; l < 3; l++)
        for (int i = 0; i < CASES; i++) {
            const sums_case *c = &cases[i];
            bed b;
            run_case(&b, c, &(sdw_backend_options){ .isa = levels[l], .threads = 2 });
            int pixels = (((c->h - 1) / c->stride) + 1) * (((c->w - 1) / c->stride) + 1);
            size_t cells = b.bound_floats[2] / (4 * (size_t)c->out) / (size_t)c->n;
            for (int lane = 0; lane < c->n; lane++)
                for (int k = 0; k < c->out; k++) {
                    double want[2] = { 0 }, got[2] = { 0 };
                    for (int p = 0; p < pixels; p++) {
                        double v = b.bound[1][((size_t)lane * (size_t)pixels + (size_t)p) * (size_t)c->out + (size_t)k];
                        want[0] += v;
                        want[1] += v * v;
                    }
                    for (size_t j = 0; j < cells; j++)
                        for (int q = 0; q < 2; q++) {
                            double part;
                            memcpy(&part, b.bound[2] + (((size_t)lane * cells + j) * 2 + (size_t)q) * 2 * (size_t)c->out + 2 * (size_t)k, sizeof part);
                            got[q] += part;
                        }
                    for (int q = 0; q < 2; q++)
                        if (!(fabs(got[q] - want[q]) <= 1e-12 * (want[1] + 1))) fail_msg("%s: case %d, channel %d: %.15g, want %.15g", levels[l], i, k, got[q], want[q]);
                }
            for (size_t j = 0; j < b.bound_floats[3]; j++) assert_true(fabs(b.bound[3][j] - b.bound[4][j]) <= 2e-7 * (fabs(b.bound[4][j]) + 1));
            bed_close(&b);
        }
}

/* The pass over a finished tensor, for drivers that leave none. */
static void take_again(const sums_case *c, bed *b)
{
    sdw_error err = { 0 };
    sdw_cpu_kernels k;
    sdw_cpu_call call = { .k = &k };
    sdw_cpu_kernels_init(&k, sdw_cpu_detect());
    assert_int_equal(sdw_cpu_pool_create(3, &call.pool, &err), SDW_OK);
    int h = (c->h - 1) / c->stride + 1, w = (c->w - 1) / c->stride + 1;
    float *again = sdw_aligned_alloc(64, (b->bound_floats[2] * 4 + 63) / 64 * 64);
    assert_non_null(again);
    sdw_tensor x = { .n = c->n, .h = h, .w = w, .c = c->out, .row_stride = c->out, .data = b->bound[1] };
    sdw_tensor sums = { .n = c->n, .h = ceil_div(h, 4), .w = ceil_div(w, 64), .c = 4 * c->out, .row_stride = 4 * c->out, .data = again };
    sdw_cpu_take_sums(&call, &x, &sums);
    assert_memory_equal(again, b->bound[2], b->bound_floats[2] * 4);
    sdw_cpu_pool_free(call.pool);
    sdw_free(again);
}

/* On the way, by however many threads, or afterwards: one order of additions. */
static void who_takes_them_changes_no_byte(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++) {
        bed first, b;
        run_case(&first, &cases[i], &(sdw_backend_options){ .threads = 1 });
        for (int threads = 2; threads <= 4; threads++) {
            run_case(&b, &cases[i], &(sdw_backend_options){ .threads = threads });
            assert_memory_equal(b.bound[2], first.bound[2], first.bound_floats[2] * 4);
            bed_close(&b);
        }
        take_again(&cases[i], &first);
        bed_close(&first);
    }
}

/* The convolution that wrote a tensor is asked for sums only where the norm reads what it wrote. */
static void a_tensor_written_again_brings_no_sums(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL, 1);
    sdw_tensor *x = bed_input(&b, 1, 8, 8, 8);
    sdw_weight *gamma = bed_weight(&b, SDW_ROLE_VECTOR, 8, 1, 1, SDW_F32, 1);
    sdw_conv2d_args a = { .weight = bed_weight(&b, SDW_ROLE_CONV, 8, 8, 3, SDW_F32, 1), .stride = 1, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1 };
    sdw_norm_args norm = { .gamma = gamma, .beta = gamma, .groups = 2, .eps = 1e-5f };
    sdw_tensor *y = sdw_conv2d(b.graph, x, &a, NULL);
    sdw_group_norm(b.graph, y, &norm);
    assert_non_null(b.graph->ops[0]->args.conv2d.sums);
    assert_ptr_equal(b.graph->ops[1]->in2, b.graph->ops[0]->args.conv2d.sums);
    sdw_add(b.graph, y, x, y);
    sdw_group_norm(b.graph, y, &norm);
    assert_null(b.graph->ops[3]->in2);
    bed_run(&b);
    bed_close(&b);
}

/* An output too large for the caches is written around them: in two halves, which are not, it has the same bytes and sums. */
static void a_large_output_has_the_bytes_of_small_ones(void **state)
{
    (void)state;
    static const char *const levels[] = { "avx2", "avx512" };
    enum { H = 264, W = 260, IN = 32, OUT = 72 };
    for (int l = 0; l < 2; l++)
        for (int summed = 0; summed < 2; summed++) {
            bed b;
            bed_open(&b, levels[l], 2);
            sdw_graph *g = b.graph;
            sdw_tensor *x = bed_input(&b, 1, H, W, IN), *whole = bed_input(&b, 1, H, W, OUT), *halves = bed_input(&b, 1, H, W, OUT);
            sdw_tensor *sums = bed_input(&b, 1, H / 4, ceil_div(W, 64), 4 * OUT), *again = bed_input(&b, 1, H / 4, ceil_div(W, 64), 4 * OUT);
            sdw_conv2d_args a = { .weight = bed_weight(&b, SDW_ROLE_CONV, OUT, IN, 3, SDW_F16, 0.1f), .bias = bed_weight(&b, SDW_ROLE_VECTOR, OUT, 1, 1, SDW_F32, 1),
                                  .stride = 1, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1, .sums = summed ? sums : NULL };
            sdw_conv2d(g, x, &a, whole);
            a.pad_bottom = 0;
            if (summed) a.sums = sdw_rows(g, again, 0, H / 8);
            sdw_conv2d(g, sdw_rows(g, x, 0, H / 2 + 1), &a, sdw_rows(g, halves, 0, H / 2));
            a.pad_top = 0;
            a.pad_bottom = 1;
            if (summed) a.sums = sdw_rows(g, again, H / 8, H / 8);
            sdw_conv2d(g, sdw_rows(g, x, H / 2 - 1, H / 2 + 1), &a, sdw_rows(g, halves, H / 2, H / 2));
            if (!summed) sdw_copy(g, sums, again); /* every bound tensor is used */
            bed_run(&b);
            assert_memory_equal(b.bound[1], b.bound[2], b.bound_floats[1] * 4);
            assert_memory_equal(b.bound[3], b.bound[4], b.bound_floats[3] * 4);
            bed_close(&b);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_those_of_the_output),
        cmocka_unit_test(who_takes_them_changes_no_byte),
        cmocka_unit_test(a_tensor_written_again_brings_no_sums),
        cmocka_unit_test(a_large_output_has_the_bytes_of_small_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
