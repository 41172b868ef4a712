/* linear.c - rows times a matrix. In a narrow arithmetic where the weight bears it; else, where the input's values change on
 * the way in, as a 1x1 convolution over one long row of each lane, which copies them; otherwise they are read as they lie. */
#include "cpu/matmul.h"
#include "cpu/narrow_product.h"
#include "cpu/ops.h"
#include "cpu/product.h"

typedef struct choice {
    bool narrow, copied;
    union {
        sdw_cpu_narrow_product narrow;
        sdw_cpu_product product;
        sdw_cpu_matmul matmul;
    } plan;
} choice;

static sdw_status prepare(const sdw_cpu_kernels *k, int threads, sdw_op *op, sdw_arena *arena, sdw_error *err)
{
    const sdw_tensor *x = op->in;
    const sdw_weight *w = op->args.linear.weight;
    choice *c = sdw_arena_alloc(arena, sizeof *c);
    if (!c) return sdw_fail(err, SDW_NO_MEMORY, "%s: no memory for its plan", op->name);
    op->choice = c;
    c->narrow = sdw_cpu_narrow_takes(k, w);
    c->copied = op->args.linear.pre.coeffs != NULL;
    sdw_cpu_shape s = sdw_cpu_row_shape(x, c->copied);
    if (c->narrow) {
        sdw_cpu_narrow_product_plan(k, &s, w, (sdw_cpu_narrow_ends){ .in = x->packed_bytes > 0 }, threads, &c->plan.narrow);
        op->workspace = c->plan.narrow.workspace;
    } else if (c->copied) {
        sdw_cpu_product_plan(k, &s, w, threads, &c->plan.product);
        op->workspace = c->plan.product.scratch_bytes * (size_t)threads;
    } else {
        sdw_cpu_matmul_plan(k, (int)sdw_tensor_rows(x), w, threads, &c->plan.matmul);
        op->workspace = c->plan.matmul.scratch_bytes * (size_t)threads;
    }
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
    const choice *p = c->op->choice;
    if (p->narrow) sdw_cpu_narrow_product_run(c->k, c->pool, &p->plan.narrow, &o, c->workspace, c->cancel);
    else if (p->copied) sdw_cpu_product_run(c->k, c->pool, &p->plan.product, &o, c->workspace, c->cancel);
    else sdw_cpu_matmul_run(c->k, c->pool, &p->plan.matmul, &o, c->workspace, c->cancel);
    return SDW_OK;
}

const sdw_cpu_op sdw_cpu_op_linear = { prepare, run };
