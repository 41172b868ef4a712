/* conv2d.c - convolutions. Algorithms are tried in the order of the list, best first; each may decline by shape, the last
 * never does. */
#include "cpu/matmul.h"
#include "cpu/narrow_product.h"
#include "cpu/ops.h"
#include "cpu/product.h"
#include "cpu/sums.h"
#include "cpu/winograd.h"

/* An output of this size has left the caches of a core and most of a shared one before it is read. Where it is added to, its
 * memory is read and then at hand: no gain. */
enum { STREAM_BYTES = 16 << 20 };

typedef struct choice {
    const struct algorithm *algorithm;
    union {
        sdw_cpu_narrow_product narrow;
        sdw_cpu_matmul matmul;
        sdw_cpu_product product;
        sdw_cpu_winograd winograd;
    } plan;
} choice;

typedef struct algorithm {
    const char *name;
    /* Fills c->plan and *ret_workspace (bytes); false: declined. Decides by one lane's shape and the weight, never by load, threads
     * or the number of lanes. */
    bool (*plan)(const sdw_cpu_kernels *k, int threads, const sdw_op *op, choice *c, size_t *ret_workspace);
    void (*run)(const sdw_cpu_call *c, const choice *p, const sdw_cpu_operands *o);
    bool sums; /* leaves them on the way; else they are taken from the finished output */
} algorithm;

static void run_narrow(const sdw_cpu_call *c, const choice *p, const sdw_cpu_operands *o)
{
    sdw_cpu_narrow_product_run(c->k, c->pool, &p->plan.narrow, o, c->workspace, c->cancel);
}

static void run_matmul(const sdw_cpu_call *c, const choice *p, const sdw_cpu_operands *o)
{
    sdw_cpu_matmul_run(c->k, c->pool, &p->plan.matmul, o, c->workspace, c->cancel);
}

static void run_product(const sdw_cpu_call *c, const choice *p, const sdw_cpu_operands *o)
{
    sdw_cpu_product_run(c->k, c->pool, &p->plan.product, o, c->workspace, c->cancel);
}

static void run_winograd(const sdw_cpu_call *c, const choice *p, const sdw_cpu_operands *o)
{
    sdw_cpu_winograd_run(c->k, c->pool, &p->plan.winograd, o, c->workspace, c->cancel);
}

static sdw_cpu_shape shape_of(const sdw_op *op)
{
    const sdw_conv2d_args *a = &op->args.conv2d;
    return (sdw_cpu_shape){
        .lanes = op->out->n, .h = op->out->h, .w = op->out->w,
        .src_h = op->in->h, .src_w = op->in->w,
        .in_h = a->up_h ? a->up_h : op->in->h, .in_w = a->up_w ? a->up_w : op->in->w,
        .channels = op->in->c, .side = a->weight->k, .stride = a->stride, .pad_top = a->pad_top, .pad_left = a->pad_left,
    };
}

static bool plan_narrow(const sdw_cpu_kernels *k, int threads, const sdw_op *op, choice *c, size_t *ret_workspace)
{
    const sdw_weight *w = op->args.conv2d.weight;
    sdw_cpu_shape s = shape_of(op);
    if (!sdw_cpu_narrow_takes(k, w)) return false;
    sdw_cpu_narrow_product_plan(k, &s, w, (sdw_cpu_narrow_ends){ false, false }, threads, &c->plan.narrow);
    *ret_workspace = c->plan.narrow.workspace;
    return true;
}

/* 1x1 without border, stride or widening: the picture is one long row of pixels. */
static bool is_row(const sdw_op *op)
{
    const sdw_conv2d_args *a = &op->args.conv2d;
    return a->weight->k == 1 && a->stride == 1 && !a->up_h && op->out->h == op->in->h && op->out->w == op->in->w;
}

static bool plan_matmul(const sdw_cpu_kernels *k, int threads, const sdw_op *op, choice *c, size_t *ret_workspace)
{
    const sdw_conv2d_args *a = &op->args.conv2d;
    if (!is_row(op) || a->pre.coeffs || a->lane_add) return false;
    sdw_cpu_matmul_plan(k, (int)sdw_tensor_rows(op->in), a->weight, threads, &c->plan.matmul);
    *ret_workspace = c->plan.matmul.scratch_bytes * (size_t)threads;
    return true;
}

static bool plan_row(const sdw_cpu_kernels *k, int threads, const sdw_op *op, choice *c, size_t *ret_workspace)
{
    sdw_cpu_shape s = sdw_cpu_row_shape(op->in, true);
    if (!is_row(op)) return false;
    sdw_cpu_product_plan(k, &s, op->args.conv2d.weight, threads, &c->plan.product);
    *ret_workspace = c->plan.product.scratch_bytes * (size_t)threads;
    return true;
}

static bool plan_winograd(const sdw_cpu_kernels *k, int threads, const sdw_op *op, choice *c, size_t *ret_workspace)
{
    sdw_cpu_shape s = shape_of(op);
    if (!sdw_cpu_winograd_plan(k, &s, op->args.conv2d.weight, threads, &c->plan.winograd)) return false;
    *ret_workspace = c->plan.winograd.scratch_bytes * (size_t)threads;
    return true;
}

static bool plan_direct(const sdw_cpu_kernels *k, int threads, const sdw_op *op, choice *c, size_t *ret_workspace)
{
    sdw_cpu_shape s = shape_of(op);
    sdw_cpu_product_plan(k, &s, op->args.conv2d.weight, threads, &c->plan.product);
    *ret_workspace = c->plan.product.scratch_bytes * (size_t)threads;
    return true;
}

static const algorithm algorithms[] = {
    { "narrow", plan_narrow, run_narrow, false },
    { "matmul", plan_matmul, run_matmul, false },
    { "row", plan_row, run_product, false },
    { "winograd", plan_winograd, run_winograd, true },
    { "direct", plan_direct, run_product, false },
};
enum { ALGORITHMS = sizeof algorithms / sizeof *algorithms };

static sdw_status prepare(const sdw_cpu_kernels *k, int threads, sdw_op *op, sdw_arena *arena, sdw_error *err)
{
    choice *c = sdw_arena_alloc(arena, sizeof *c);
    size_t workspace = 0;
    int i = 0;
    if (!c) return sdw_fail(err, SDW_NO_MEMORY, "%s: no memory for its plan", op->name);
    while (i < ALGORITHMS - 1 && !algorithms[i].plan(k, threads, op, c, &workspace)) i++;
    if (i == ALGORITHMS - 1) algorithms[i].plan(k, threads, op, c, &workspace);
    c->algorithm = &algorithms[i];
    op->choice = c;
    op->workspace = workspace;
    return SDW_OK;
}

static sdw_status run(const sdw_cpu_call *c, sdw_error *err)
{
    const sdw_conv2d_args *a = &c->op->args.conv2d;
    sdw_cpu_operands o = {
        .in = c->op->in->data, .in_stride = c->op->in->row_stride, .weight = a->weight, .bias = sdw_cpu_vector(a->bias),
        .out = c->op->out->data, .out_stride = c->op->out->row_stride, .sums = a->sums, .pre_act = a->pre.act,
    };
    (void)err;
    if (a->pre.coeffs) {
        o.coeffs = a->pre.coeffs->data;
        o.coeffs_stride = a->pre.coeffs->row_stride;
    }
    if (a->lane_add) {
        o.lane_add = a->lane_add->data;
        o.lane_add_stride = a->lane_add->row_stride;
    }
    if (a->residual) {
        o.residual = a->residual->data;
        o.residual_stride = a->residual->row_stride;
    }
    o.stream = !a->residual && 4 * sdw_tensor_rows(c->op->out) * c->op->out->c >= STREAM_BYTES;
    const choice *p = c->op->choice;
    p->algorithm->run(c, p, &o);
    if (a->sums && !p->algorithm->sums) sdw_cpu_take_sums(c, c->op->out, a->sums);
    return SDW_OK;
}

const sdw_cpu_op sdw_cpu_op_conv2d = { prepare, run };
