/* gather_rows.c - one row of each lane, such as the pooled token of a text encoder. */
#include <string.h>

#include "cpu/ops.h"

static sdw_status run(const sdw_cpu_call *c, sdw_error *err)
{
    const sdw_tensor *x = c->op->in, *index = c->op->in2;
    int rows = x->h * x->w;
    for (int lane = 0; lane < x->n; lane++) {
        int32_t at;
        memcpy(&at, sdw_cpu_row(index, lane), sizeof at);
        if (at < 0 || at >= rows) return sdw_fail(err, SDW_INVALID, "%s: row %d of lane %d, want 0 to %d", c->op->name, (int)at, lane, rows - 1);
        memcpy(sdw_cpu_row(c->op->out, lane), sdw_cpu_row(x, (int64_t)lane * rows + at), (size_t)x->c * sizeof(float));
    }
    return SDW_OK;
}

const sdw_cpu_op sdw_cpu_op_gather_rows = { NULL, run };
