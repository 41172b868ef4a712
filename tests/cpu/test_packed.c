/* test_packed.c - tensors whose rows are packed where they are written: the same bytes as packing them where they are read, and only
 * where nobody reads them as f32. */
#include "cpu/narrow_level.h"
#include "cpu/bed.h"

static const char *const precisions[] = { "bf16", "f16", "int8" }, *const levels[] = { "scalar", "avx512" };
enum { PRECISIONS = 3, LEVELS = 2 };

/* A feed-forward block: norm, gated pair, map back onto the input. Every width meets another edge: less than a granule, no whole panel,
 * several blocks on both sides. */
static const struct { int n, rows, width, inner; } cases[] = { { 1, 1, 5, 3 }, { 2, 9, 64, 150 }, { 1, 61, 100, 660 }, { 2, 21, 700, 1300 } };
enum { CASES = sizeof cases / sizeof *cases };

typedef struct block {
    bed b;
    const sdw_tensor *norm, *inner;
} block;

/* watched: somebody else reads what is between the ops, as f32. */
static void record_block(block *r, int index, bool watched, const sdw_backend_options *o)
{
    bed *b = &r->b;
    int n = cases[index].n, rows = cases[index].rows, c = cases[index].width, inner = cases[index].inner;
    bed_open_with(b, o);
    sdw_tensor *x = bed_input(b, n, rows, 1, c), *copy1 = bed_input(b, n, rows, 1, c), *copy2 = bed_input(b, n, rows, 1, inner);
    sdw_weight *gamma = bed_weight(b, SDW_ROLE_VECTOR, c, 1, 1, SDW_F32, 0.2f), *beta = bed_weight(b, SDW_ROLE_VECTOR, c, 1, 1, SDW_F32, 0.2f);
    sdw_weight *up = bed_weight(b, SDW_ROLE_GLU, 2 * inner, c, 1, SDW_F16, 1 / sqrtf((float)c)), *bias = bed_weight(b, SDW_ROLE_VECTOR, 2 * inner, 1, 1, SDW_F32, 0.1f);
    sdw_weight *down = bed_weight(b, SDW_ROLE_MATRIX, c, inner, 1, SDW_F16, 1 / sqrtf((float)inner));
    sdw_tensor *h = sdw_layer_norm(b->graph, x, &(sdw_norm_args){ .gamma = gamma, .beta = beta, .eps = 1e-5f }, NULL);
    r->norm = h;
    if (watched) sdw_copy(b->graph, h, copy1);
    h = sdw_glu(b->graph, h, &(sdw_glu_args){ .weight = up, .bias = bias, .act = SDW_ACT_GELU }, NULL);
    r->inner = h;
    if (watched) sdw_copy(b->graph, h, copy2);
    sdw_linear(b->graph, h, &(sdw_linear_args){ .weight = down, .residual = x }, x);
}

static void packing_where_it_is_written_changes_no_byte(void **state)
{
    (void)state;
    for (int p = 0; p < PRECISIONS; p++)
        for (int l = 0; l < LEVELS; l++)
            for (int i = 0; i < CASES; i++) {
                block written, read;
                sdw_backend_options o = { .isa = levels[l], .threads = 3, .precision = precisions[p] };
                if (!narrow_available(o.precision, o.isa)) continue;
                record_block(&written, i, false, &o);
                o.threads = 1;
                record_block(&read, i, true, &o);
                bed_run(&written.b);
                bed_run(&read.b);
                assert_int_equal(read.norm->packed_bytes + read.inner->packed_bytes, 0);
                if (cases[i].width >= 64 && !(written.norm->packed_bytes && written.inner->packed_bytes)) fail_msg("%s, %s: block %d is not packed", o.precision, o.isa, i);
                if (memcmp(written.b.bound[0], read.b.bound[0], read.b.bound_floats[0] * 4) != 0) fail_msg("%s, %s: block %d differs", o.precision, o.isa, i);
                assert_true(written.b.plan->activation_bytes <= read.b.plan->activation_bytes);
                bed_close(&written.b);
                bed_close(&read.b);
            }
}

static void packed_tensors_are_counted_and_take_less_memory(void **state)
{
    (void)state;
    block r;
    double read, written, plain = 4.0 * 61 * 100;
    record_block(&r, 2, false, &(sdw_backend_options){ .isa = "scalar", .threads = 1, .precision = "int8" });
    bed_run(&r.b);
    const sdw_graph *g = r.b.plan->graph;
    size_t norm = r.norm->packed_bytes, inner = r.inner->packed_bytes;
    assert_true(norm >= 61 * (100 + 8) && norm < 61 * (128 + 8) + 128);
    assert_int_equal(g->blocks[r.norm->block].cells, (norm + 3) / 4);
    sdw_op_bytes(g->ops[0], &read, &written);
    assert_true(read == plain + 8 * 100 && written == (double)norm);
    sdw_op_bytes(g->ops[1], &read, &written);
    assert_true(read == (double)(norm + r.b.weight[2].packed_bytes + r.b.weight[3].packed_bytes) && written == (double)inner);
    sdw_op_bytes(g->ops[2], &read, &written);
    assert_true(read == (double)(inner + r.b.weight[4].packed_bytes) + plain && written == plain);
    bed_close(&r.b);
}

/* What reads the norm of a graph besides a narrow linear layer. */
typedef enum reader { NOBODY, SECOND_LAYER, RESIDUAL, WIDE_LAYER, VIEW, COEFFICIENTS, OUTPUT, READERS } reader;

static bool norm_is_packed(reader who, const char *precision)
{
    bed all, *b = &all;
    sdw_error err = { 0 };
    bed_open_with(b, &(sdw_backend_options){ .isa = "scalar", .threads = 1, .precision = precision });
    sdw_tensor *x = bed_input(b, 1, 8, 1, 64), *out = bed_input(b, 1, 8, 1, 64), *coeffs = bed_input(b, 1, 1, 1, 128);
    sdw_weight *w = bed_weight(b, SDW_ROLE_MATRIX, 64, 64, 1, SDW_F16, 0.1f), *wide = bed_weight(b, SDW_ROLE_MATRIX, 64, 64, 1, SDW_F16, 0.1f);
    wide->narrowest = 0;
    sdw_tensor *h = sdw_layer_norm(b->graph, x, &(sdw_norm_args){ .eps = 1e-5f }, who == OUTPUT ? out : NULL);
    const sdw_tensor *from = who == VIEW ? sdw_reshape(b->graph, h, 2, 4) : h;
    sdw_linear_args a = { .weight = w, .residual = who == RESIDUAL ? h : NULL, .pre = { who == COEFFICIENTS ? coeffs : NULL, SDW_ACT_NONE } };
    sdw_linear(b->graph, from, &a, NULL);
    if (who == SECOND_LAYER || who == WIDE_LAYER) sdw_linear(b->graph, h, &(sdw_linear_args){ .weight = who == WIDE_LAYER ? wide : w }, NULL);
    if (sdw_plan_create(b->graph, b->backend, &b->plan, &err) != SDW_OK) fail_msg("%s", err.text);
    bool packed = h->packed_bytes > 0;
    bed_close(b);
    return packed;
}

static void a_tensor_that_anyone_reads_as_f32_stays_f32(void **state)
{
    (void)state;
    for (int who = 0; who < READERS; who++) {
        assert_int_equal(norm_is_packed((reader)who, "int8"), who == NOBODY || who == SECOND_LAYER);
        assert_false(norm_is_packed((reader)who, "f32"));
    }
}

static void a_row_that_is_no_number_spoils_no_other(void **state)
{
    (void)state;
    for (int p = 0; p < PRECISIONS; p++)
        for (int l = 0; l < LEVELS; l++) {
            block r;
            sdw_backend_options o = { .isa = levels[l], .threads = 2, .precision = precisions[p] };
            if (!narrow_available(o.precision, o.isa)) continue;
            record_block(&r, 2, false, &o);
            r.b.bound[0][7 * 100 + 30] = NAN;
            bed_run(&r.b);
            for (int i = 0; i < 61 * 100; i++)
                if (isfinite(r.b.bound[0][i]) != (i / 100 != 7)) fail_msg("%s, %s: row %d, column %d", o.precision, o.isa, i / 100, i % 100);
            bed_close(&r.b);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packing_where_it_is_written_changes_no_byte),
        cmocka_unit_test(packed_tensors_are_counted_and_take_less_memory),
        cmocka_unit_test(a_tensor_that_anyone_reads_as_f32_stays_f32),
        cmocka_unit_test(a_row_that_is_no_number_spoils_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
