/* glu.c - gated linear units: both halves of a pair meet in one tile, so the doubled row is never stored. */
#include "cpu/matmul.h"
#include "cpu/narrow_product.h"
#include "cpu/ops.h"

typedef struct choice {
    bool narrow;
    union {
        sdw_cpu_matmul matmul;
        sdw_cpu_narrow_product narrow;
    } plan;
} choice;

static sdw_status prepare(const sdw_cpu_kernels *k, int threads, sdw_op *op, sdw_arena *arena, sdw_error *err)
{
    const sdw_weight *w = op->args.glu.weight;
    choice *c = sdw_arena_alloc(arena, sizeof *c);
    if (!c) return sdw_fail(err, SDW_NO_MEMORY, "%s: no memory for its plan", op->name);
    c->narrow = sdw_cpu_narrow_takes(k, w);
    op->choice = c;
    if (c->narrow) {
        sdw_cpu_shape s = sdw_cpu_row_shape(op->in, false);
        sdw_cpu_narrow_ends packed = { .in = op->in->packed_bytes > 0, .out = op->out->packed_bytes > 0 };
        sdw_cpu_narrow_product_plan(k, &s, w, packed, threads, &c->plan.narrow);
        op->workspace = c->plan.narrow.workspace;
    } else {
        sdw_cpu_matmul_plan(k, (int)sdw_tensor_rows(op->in), w, threads, &c->plan.matmul);
        op->workspace = c->plan.matmul.scratch_bytes * (size_t)threads;
    }
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
    const choice *p = c->op->choice;
    o.rough = p->narrow;
    if (p->narrow) sdw_cpu_narrow_product_run(c->k, c->pool, &p->plan.narrow, &o, c->workspace, c->cancel);
    else sdw_cpu_matmul_run(c->k, c->pool, &p->plan.matmul, &o, c->workspace, c->cancel);
    return SDW_OK;
}

const sdw_cpu_op sdw_cpu_op_glu = { prepare, run };
