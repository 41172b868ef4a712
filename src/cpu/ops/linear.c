/* linear.c - rows times a matrix, as a 1x1 convolution over one long row. Lanes only matter when the input's coefficients
 * differ between them. */
#include "cpu/ops.h"
#include "cpu/product.h"

static sdw_status prepare(const sdw_cpu_kernels *k, int threads, sdw_op *op, sdw_arena *arena, sdw_error *err)
{
    const sdw_tensor *x = op->in;
    sdw_cpu_product *p = sdw_arena_alloc(arena, sizeof *p);
    if (!p) return sdw_fail(err, SDW_NO_MEMORY, "%s: no memory for its plan", op->name);
    int lanes = op->args.linear.pre.coeffs ? x->n : 1, rows = (int)(sdw_tensor_rows(x) / lanes);
    sdw_cpu_shape s = { .lanes = lanes, .h = 1, .w = rows, .src_h = 1, .src_w = rows, .in_h = 1, .in_w = rows, .channels = x->c, .side = 1, .stride = 1 };
    sdw_cpu_product_plan(k, &s, op->args.linear.weight, threads, p);
    op->choice = p;
    op->workspace = p->scratch_bytes * (size_t)threads;
    return SDW_OK;
}

static sdw_status run(const sdw_cpu_call *c, sdw_error *err)
{
    const sdw_linear_args *a = &c->op->args.linear;
    sdw_cpu_operands o = {
        .in = c->op->in->data, .in_stride = c->op->in->row_stride, .weight = a->weight, .bias = sdw_cpu_vector(a->bias), .act = a->act,
        .out = c->op->out->data, .out_stride = c->op->out->row_stride, .pre_act = a->pre.act,
    };
    (void)err;
    if (a->pre.coeffs) {
        o.coeffs = a->pre.coeffs->data;
        o.coeffs_stride = a->pre.coeffs->row_stride;
    }
    if (a->residual) {
        o.residual = a->residual->data;
        o.residual_stride = a->residual->row_stride;
    }
    sdw_cpu_product_run(c->k, c->pool, c->op->choice, &o, c->workspace, c->cancel);
    return SDW_OK;
}

const sdw_cpu_op sdw_cpu_op_linear = { prepare, run };
