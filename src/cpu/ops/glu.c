/* glu.c - gated linear units: both halves of a pair meet in one tile, so the doubled row is never stored. */
#include "cpu/ops.h"
#include "cpu/product.h"

static sdw_status prepare(const sdw_cpu_kernels *k, int threads, sdw_op *op, sdw_arena *arena, sdw_error *err)
{
    const sdw_tensor *x = op->in;
    sdw_cpu_product *p = sdw_arena_alloc(arena, sizeof *p);
    if (!p) return sdw_fail(err, SDW_NO_MEMORY, "%s: no memory for its plan", op->name);
    int rows = (int)sdw_tensor_rows(x);
    sdw_cpu_shape s = { .lanes = 1, .h = 1, .w = rows, .src_h = 1, .src_w = rows, .in_h = 1, .in_w = rows, .channels = x->c, .side = 1, .stride = 1 };
    sdw_cpu_product_plan(k, &s, op->args.glu.weight, threads, p);
    op->choice = p;
    op->workspace = p->scratch_bytes * (size_t)threads;
    return SDW_OK;
}

static sdw_status run(const sdw_cpu_call *c, sdw_error *err)
{
    const sdw_glu_args *a = &c->op->args.glu;
    sdw_cpu_operands o = {
        .in = c->op->in->data, .in_stride = c->op->in->row_stride, .weight = a->weight, .bias = sdw_cpu_vector(a->bias), .act = a->act,
        .out = c->op->out->data, .out_stride = c->op->out->row_stride,
    };
    (void)err;
    sdw_cpu_product_run(c->k, c->pool, c->op->choice, &o, c->workspace, c->cancel);
    return SDW_OK;
}

const sdw_cpu_op sdw_cpu_op_glu = { prepare, run };
