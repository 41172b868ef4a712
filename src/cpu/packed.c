/* packed.c - see packed.h. */
#include "cpu/packed.h"

#include "cpu/narrow_product.h"

enum { LINE = 64, CELL = 4 /* bytes */ };

static size_t lines(size_t bytes)
{
    return (bytes + LINE - 1) / LINE * LINE;
}

sdw_cpu_packed sdw_cpu_packed_layout(const sdw_cpu_narrow *n, int rows, int channels)
{
    sdw_cpu_packed p = { .narrow = n, .rows = rows, .channels = channels, .blocks = sdw_cpu_narrow_blocks(n, channels) };
    p.each = sdw_cpu_narrow_padded(n, sdw_cpu_narrow_block_steps(n, channels, 0));
    p.stride = (ptrdiff_t)p.each * n->size;
    size_t count = (size_t)p.blocks * (size_t)rows;
    p.scales_at = lines((count + sdw_cpu_narrow_spare_rows(n)) * (size_t)p.stride);
    p.bytes = p.scales_at + (n->scaled ? lines(count * sizeof(sdw_cpu_narrow_scale)) : 0);
    return p;
}

/* ---- which tensors ---- */

static bool can_write(const sdw_cpu_kernels *k, const sdw_op *op)
{
    switch (op->kind) {
    case SDW_OP_layer_norm: return true;
    case SDW_OP_glu: return sdw_cpu_narrow_takes(k, op->args.glu.weight);
    default: return false;
    }
}

static bool can_read(const sdw_cpu_kernels *k, const sdw_op *op)
{
    switch (op->kind) {
    case SDW_OP_linear: return sdw_cpu_narrow_takes(k, op->args.linear.weight) && !op->args.linear.pre.coeffs;
    case SDW_OP_glu: return sdw_cpu_narrow_takes(k, op->args.glu.weight);
    default: return false;
    }
}

/* Whether nothing but t itself is seen of its memory: as the output of one op that can write it, as the input of ops that can read it. */
static bool only_packed(const sdw_cpu_kernels *k, const sdw_graph *g, const sdw_tensor *t)
{
    const sdw_block *b = &g->blocks[t->block];
    int writers = 0, readers = 0;
    for (int i = b->first_op; i <= b->last_op; i++) {
        const sdw_op *op = g->ops[i];
        const sdw_tensor *seen[SDW_OP_TENSORS_MAX];
        int times = 0;
        for (int j = sdw_op_tensors(op, seen) - 1; j >= 0; j--) times += seen[j]->block == t->block;
        if (times == 0) continue;
        bool writes = op->out == t && can_write(k, op), reads = op->in == t && can_read(k, op);
        if (times > 1 || !(writes || reads)) return false;
        writers += writes;
        readers += reads;
    }
    return writers == 1 && readers > 0;
}

void sdw_cpu_choose_packed(const sdw_cpu_kernels *k, sdw_graph *g)
{
    for (int i = 0; k->narrow && i < g->op_count; i++) {
        sdw_tensor *t = g->ops[i]->out;
        sdw_block *b = &g->blocks[t->block];
        if (b->bound >= 0 || t->c > SDW_CPU_PACKED_CHANNELS || !can_write(k, g->ops[i]) || !only_packed(k, g, t)) continue;
        size_t bytes = sdw_cpu_packed_layout(k->narrow, (int)sdw_tensor_rows(t), t->c).bytes;
        if (bytes > b->cells * CELL) continue;
        t->packed_bytes = bytes;
        b->cells = (bytes + CELL - 1) / CELL;
    }
}
