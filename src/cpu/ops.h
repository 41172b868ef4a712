/* ops.h - what every op of the CPU backend offers: one file ops/NAME.c with both halves side by side. */
#ifndef SDW_CPU_OPS_H
#define SDW_CPU_OPS_H

#include "cpu/kernels.h"
#include "cpu/pool.h"
#include "tensor/graph.h"

typedef struct sdw_cpu_call {
    const sdw_cpu_kernels *k;
    sdw_cpu_pool *pool;
    const sdw_op *op;          /* data pointers are resolved */
    void *workspace;           /* op->workspace bytes, 64-byte aligned */
    const atomic_bool *cancel; /* may be NULL; an op that sees it true may leave its output unfinished */
} sdw_cpu_call;

typedef struct sdw_cpu_op {
    /* Sets op->workspace and op->choice; NULL when nothing is needed. */
    sdw_status (*prepare)(const sdw_cpu_kernels *k, int threads, sdw_op *op, sdw_arena *arena, sdw_error *err);
    sdw_status (*run)(const sdw_cpu_call *c, sdw_error *err);
} sdw_cpu_op;

#define SDW_CPU_OP_DECLARE(name) extern const sdw_cpu_op sdw_cpu_op_##name;
SDW_OP_LIST(SDW_CPU_OP_DECLARE)
#undef SDW_CPU_OP_DECLARE

/* A function of one row, applied to all rows on all threads. */
typedef void sdw_cpu_row_fn(const sdw_cpu_call *c, int64_t row);
void sdw_cpu_each_row(const sdw_cpu_call *c, int64_t rows, int64_t values_per_row, sdw_cpu_row_fn *fn);

static inline const float *sdw_cpu_vector(const sdw_weight *w)
{
    return w ? w->packed : NULL;
}

static inline float *sdw_cpu_row(const sdw_tensor *t, int64_t row)
{
    return t->data + row * t->row_stride;
}

#endif
