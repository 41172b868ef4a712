/* copy.c - rows from one place to another, strides may differ. */
#include <string.h>

#include "cpu/ops.h"

static void row(const sdw_cpu_call *c, int64_t i)
{
    memcpy(sdw_cpu_row(c->op->out, i), sdw_cpu_row(c->op->in, i), (size_t)c->op->in->c * sizeof(float));
}

static sdw_status run(const sdw_cpu_call *c, sdw_error *err)
{
    (void)err;
    sdw_cpu_each_row(c, sdw_tensor_rows(c->op->in), c->op->in->c, row);
    return SDW_OK;
}

const sdw_cpu_op sdw_cpu_op_copy = { NULL, run };
