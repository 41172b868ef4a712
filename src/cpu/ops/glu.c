/* glu.c - gated linear units: both halves of a pair meet in one tile, so the doubled row is never stored. */
#include "cpu/matmul.h"
#include "cpu/ops.h"

static sdw_status prepare(const sdw_cpu_kernels *k, int threads, sdw_op *op, sdw_arena *arena, sdw_error *err)
{
    sdw_cpu_matmul *p = sdw_arena_alloc(arena, sizeof *p);
    if (!p) return sdw_fail(err, SDW_NO_MEMORY, "%s: no memory for its plan", op->name);
    sdw_cpu_matmul_plan(k, (int)sdw_tensor_rows(op->in), op->args.glu.weight, threads, p);
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
    sdw_cpu_matmul_run(c->k, c->pool, c->op->choice, &o, c->workspace, c->cancel);
    return SDW_OK;
}

const sdw_cpu_op sdw_cpu_op_glu = { prepare, run };
