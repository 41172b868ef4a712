/* Recording checks shapes; planning never lets two living blocks overlap. A fake backend stands in for the device. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "core/mem.h"
#include "tensor/plan.h"

static sdw_status fake_prepare(sdw_backend *b, sdw_op *op, sdw_arena *arena, sdw_error *err)
{
    (void)b, (void)arena;
    if (op->kind == SDW_OP_glu) return sdw_fail(err, SDW_UNSUPPORTED, "%s: glu is not here", op->name);
    op->workspace = op->kind == SDW_OP_copy ? 640 : 64;
    return SDW_OK;
}

static int ran;
static sdw_status fake_run(sdw_backend *b, sdw_op *const *ops, int count, void *workspace, const atomic_bool *cancel, double *seconds, sdw_error *err)
{
    (void)b, (void)ops, (void)workspace, (void)cancel, (void)seconds, (void)err;
    ran = count;
    return SDW_OK;
}

static const sdw_backend_api fake_api = { .name = "fake", .prepare = fake_prepare, .run = fake_run };
static sdw_backend fake = { &fake_api };

static sdw_graph *new_graph(void)
{
    sdw_graph *g = sdw_graph_create(NULL);
    assert_non_null(g);
    return g;
}

static void shapes_that_do_not_fit_stick_as_the_first_error(void **state)
{
    (void)state;
    sdw_graph *g = new_graph();
    sdw_error err = { 0 };
    sdw_weight m = { .role = SDW_ROLE_MATRIX, .out = 8, .in = 5, .k = 1 };
    sdw_graph_name(g, "block.3");
    sdw_tensor *x = sdw_graph_tensor(g, 1, 4, 1, 6);
    sdw_tensor *y = sdw_linear(g, x, &(sdw_linear_args){ .weight = &m }, NULL);
    sdw_add(g, y, x, NULL); /* harmless after the error */
    assert_int_equal(sdw_graph_check(g, &err), SDW_INTERNAL);
    assert_string_equal(err.text, "block.3: matrix does not fit");
    assert_int_equal(g->op_count, 0);
    sdw_graph_free(g);
}

static void convolution_sizes_follow_stride_padding_and_upsampling(void **state)
{
    (void)state;
    sdw_graph *g = new_graph();
    sdw_weight k = { .role = SDW_ROLE_CONV, .out = 7, .in = 3, .k = 3 };
    sdw_tensor *x = sdw_graph_tensor(g, 2, 5, 9, 3);
    sdw_conv2d_args a = { .weight = &k, .stride = 2, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1 };
    sdw_tensor *down = sdw_conv2d(g, x, &a, NULL);
    assert_int_equal(down->h, 3);
    assert_int_equal(down->w, 5);
    assert_int_equal(down->c, 7);
    a = (sdw_conv2d_args){ .weight = &k, .stride = 2, .pad_bottom = 1, .pad_right = 1 };
    down = sdw_conv2d(g, x, &a, NULL);
    assert_int_equal(down->h, 2);
    assert_int_equal(down->w, 4);
    a = (sdw_conv2d_args){ .weight = &k, .stride = 1, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1, .up_h = 9, .up_w = 18 };
    sdw_tensor *up = sdw_conv2d(g, x, &a, NULL);
    assert_int_equal(up->h, 9);
    assert_int_equal(up->w, 18);
    assert_true(g->ops[2]->flop == 2.0 * 2 * 9 * 18 * 7 * 3 * 9);
    assert_int_equal(sdw_graph_check(g, NULL), SDW_OK);
    sdw_graph_free(g);
}

/* A random chain of adds over live tensors, many times. */
static void living_blocks_never_overlap(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (int round = 0; round < 50; round++) {
        sdw_graph *g = new_graph();
        sdw_tensor *live[8];
        for (int i = 0; i < 8; i++) live[i] = sdw_activate(g, sdw_graph_tensor(g, 1, 1 + (int)(seed % 7), 1, 16), SDW_ACT_SILU, NULL);
        for (int i = 0; i < 60; i++) {
            seed = seed * 1664525u + 1013904223u;
            sdw_tensor *a = live[seed >> 8 & 7];
            live[seed >> 16 & 7] = seed >> 30 ? sdw_activate(g, a, SDW_ACT_SILU, NULL) : sdw_copy(g, a, NULL);
        }
        sdw_plan *p;
        assert_int_equal(sdw_plan_create(g, &fake, &p, NULL), SDW_OK);
        for (int i = 0; i < g->block_count; i++)
            for (int j = 0; j < i; j++) {
                const sdw_block *a = &g->blocks[i], *b = &g->blocks[j];
                bool apart = a->last_op < b->first_op || b->last_op < a->first_op;
                bool aside = a->pool_offset + a->cells * 4 <= b->pool_offset || b->pool_offset + b->cells * 4 <= a->pool_offset;
                assert_true(apart || aside);
                assert_int_equal(a->pool_offset % 64, 0);
                assert_true(a->pool_offset + a->cells * 4 <= p->activation_bytes);
            }
        assert_true(p->workspace_bytes == 64 || p->workspace_bytes == 640);
        sdw_plan_free(p);
    }
}

static void a_chain_needs_the_memory_of_two_tensors(void **state)
{
    (void)state;
    sdw_graph *g = new_graph();
    sdw_plan *p;
    sdw_tensor *x = sdw_graph_tensor(g, 1, 64, 1, 16);
    for (int i = 0; i < 20; i++) x = sdw_activate(g, x, SDW_ACT_SILU, NULL);
    assert_int_equal(sdw_plan_create(g, &fake, &p, NULL), SDW_OK);
    assert_int_equal(p->activation_bytes, 2 * 64 * 16 * 4);
    sdw_plan_free(p);
}

static void views_point_into_their_block_and_bound_memory_is_demanded(void **state)
{
    (void)state;
    sdw_graph *g = new_graph();
    sdw_plan *p;
    sdw_error err = { 0 };
    int in, out;
    sdw_tensor *x = sdw_graph_bound(g, 1, 2, 2, 4, &in), *y = sdw_graph_bound(g, 1, 2, 2, 8, &out);
    sdw_tensor *right = sdw_columns(g, y, 4, 4);
    sdw_copy(g, x, right);
    assert_int_equal(sdw_plan_create(g, &fake, &p, NULL), SDW_OK);
    float a[16], b[32], pool[256];
    sdw_plan_bind(p, in, a);
    assert_int_equal(sdw_plan_run(p, &fake, pool, NULL, &err), SDW_INTERNAL);
    sdw_plan_bind(p, out, b);
    assert_int_equal(sdw_plan_run(p, &fake, pool, NULL, &err), SDW_OK);
    assert_int_equal(ran, 1);
    assert_ptr_equal(right->data, b + 4);
    assert_int_equal(right->row_stride, 8);
    sdw_plan_free(p);
}

static void an_op_that_the_backend_lacks_fails_while_planning(void **state)
{
    (void)state;
    sdw_graph *g = new_graph();
    sdw_plan *p = NULL;
    sdw_error err = { 0 };
    sdw_weight w = { .role = SDW_ROLE_GLU, .out = 8, .in = 4, .k = 1 };
    sdw_graph_name(g, "ff");
    sdw_glu(g, sdw_graph_tensor(g, 1, 1, 1, 4), &(sdw_glu_args){ .weight = &w }, NULL);
    assert_int_equal(sdw_plan_create(g, &fake, &p, &err), SDW_UNSUPPORTED);
    assert_null(p);
    assert_string_equal(err.text, "ff: glu is not here");
}

static sdw_status record_and_plan(void)
{
    sdw_plan *p;
    sdw_graph *g = sdw_graph_create(NULL);
    if (!g) return SDW_NO_MEMORY;
    sdw_tensor *x = sdw_graph_tensor(g, 1, 4, 1, 16);
    for (int i = 0; i < 100; i++) x = sdw_add(g, x, x, NULL);
    sdw_status status = sdw_plan_create(g, &fake, &p, NULL);
    if (status == SDW_OK) sdw_plan_free(p);
    return status;
}

static void every_failed_allocation_is_an_answer(void **state)
{
    (void)state;
    sdw_mem_fail_at(0, false);
    assert_int_equal(record_and_plan(), SDW_OK);
    size_t total = sdw_mem_count();
    assert_true(total > 4);
    for (size_t n = 1; n <= total; n++) {
        sdw_mem_fail_at(n, false);
        assert_int_equal(record_and_plan(), SDW_NO_MEMORY);
    }
    sdw_mem_fail_at(0, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_that_do_not_fit_stick_as_the_first_error),
        cmocka_unit_test(convolution_sizes_follow_stride_padding_and_upsampling),
        cmocka_unit_test(living_blocks_never_overlap),
        cmocka_unit_test(a_chain_needs_the_memory_of_two_tensors),
        cmocka_unit_test(views_point_into_their_block_and_bound_memory_is_demanded),
        cmocka_unit_test(an_op_that_the_backend_lacks_fails_while_planning),
        cmocka_unit_test(every_failed_allocation_is_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
