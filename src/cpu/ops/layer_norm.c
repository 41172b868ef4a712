/* layer_norm.c - each row to mean 0 and variance 1, then gamma and beta: Ba, Kiros and Hinton 2016. Where narrow layers alone read
 * it, a row is packed as soon as it is there. */
#include "cpu/ops.h"
#include "cpu/packed.h"

static sdw_status prepare(const sdw_cpu_kernels *k, int threads, sdw_op *op, sdw_arena *arena, sdw_error *err)
{
    (void)threads;
    if (!op->out->packed_bytes) return SDW_OK;
    sdw_cpu_packed *p = sdw_arena_alloc(arena, sizeof *p);
    if (!p) return sdw_fail(err, SDW_NO_MEMORY, "%s: no memory for its plan", op->name);
    *p = sdw_cpu_packed_layout(k->narrow, (int)sdw_tensor_rows(op->out), op->out->c);
    op->choice = p;
    return SDW_OK;
}

static void norm(const sdw_cpu_call *c, int64_t i, float *to)
{
    const sdw_norm_args *a = &c->op->args.norm;
    c->k->norm_row(to, sdw_cpu_row(c->op->in, i), c->op->in->c, sdw_cpu_vector(a->gamma), sdw_cpu_vector(a->beta), a->eps);
}

static void row(const sdw_cpu_call *c, int64_t i)
{
    norm(c, i, sdw_cpu_row(c->op->out, i));
}

static void packed_row(const sdw_cpu_call *c, int64_t i)
{
    float values[SDW_CPU_PACKED_CHANNELS];
    norm(c, i, values);
    sdw_cpu_packed_write(c->op->choice, c->op->out->data, (int)i, values);
}

static sdw_status run(const sdw_cpu_call *c, sdw_error *err)
{
    (void)err;
    sdw_cpu_each_row(c, sdw_tensor_rows(c->op->in), c->op->in->c, c->op->choice ? packed_row : row);
    return SDW_OK;
}

const sdw_cpu_op sdw_cpu_op_layer_norm = { prepare, run };
