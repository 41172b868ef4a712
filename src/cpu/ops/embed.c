/* embed.c - rows of a table by id, plus the rows of a table by position. Tables stay in their own type. */
#include <string.h>

#include "cpu/ops.h"
#include "cpu/weights.h"

static void add_row(float *out, const sdw_weight *table, int64_t row, bool add)
{
    enum { PIECE = 256 };
    float wide[PIECE];
    sdw_dtype t = sdw_cpu_packed_dtype(table);
    const char *from = (const char *)table->packed + (size_t)row * (size_t)table->in * sdw_dtype_size(t);
    for (int64_t c = 0; c < table->in; c += PIECE) {
        int n = (int)(table->in - c < PIECE ? table->in - c : PIECE);
        sdw_to_f32(t, from + (size_t)c * sdw_dtype_size(t), wide, (size_t)n);
        for (int i = 0; i < n; i++) out[c + i] = add ? out[c + i] + wide[i] : wide[i];
    }
}

static sdw_status run(const sdw_cpu_call *c, sdw_error *err)
{
    const sdw_embed_args *a = &c->op->args.embed;
    int tokens = c->op->in->h * c->op->in->w;
    for (int64_t i = 0; i < sdw_tensor_rows(c->op->in); i++) {
        int32_t id;
        memcpy(&id, sdw_cpu_row(c->op->in, i), sizeof id);
        if (id < 0 || id >= a->table->out)
            return sdw_fail(err, SDW_INVALID, "%s: token id %d, want 0 to %lld", c->op->name, (int)id, (long long)a->table->out - 1);
        add_row(sdw_cpu_row(c->op->out, i), a->table, id, false);
        if (a->positions) add_row(sdw_cpu_row(c->op->out, i), a->positions, i % tokens, true);
    }
    return SDW_OK;
}

const sdw_cpu_op sdw_cpu_op_embed = { NULL, run };
