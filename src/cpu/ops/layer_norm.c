/* layer_norm.c - each row to mean 0 and variance 1, then gamma and beta: Ba, Kiros and Hinton 2016. */
#include "cpu/ops.h"

static void row(const sdw_cpu_call *c, int64_t i)
{
    const sdw_norm_args *a = &c->op->args.norm;
    c->k->norm_row(sdw_cpu_row(c->op->out, i), sdw_cpu_row(c->op->in, i), c->op->in->c, sdw_cpu_vector(a->gamma), sdw_cpu_vector(a->beta), a->eps);
}

static sdw_status run(const sdw_cpu_call *c, sdw_error *err)
{
    (void)err;
    sdw_cpu_each_row(c, sdw_tensor_rows(c->op->in), c->op->in->c, row);
    return SDW_OK;
}

const sdw_cpu_op sdw_cpu_op_layer_norm = { NULL, run };
