/* sums.h - sums for a group norm (tensor/graph.h, sdw_graph_sums): where a cell lies, and the pass over a tensor for writers that
 * do not leave them on the way. Whoever fills a cell adds its rows one after the other, so the bytes are the same. */
#ifndef SDW_CPU_SUMS_H
#define SDW_CPU_SUMS_H

#include "cpu/ops.h"

static inline double *sdw_cpu_sums_cell(const sdw_tensor *sums, int lane, int i, int j)
{
    return (double *)(void *)(sdw_cpu_row(sums, ((int64_t)lane * sums->h + i) * sums->w + j));
}

/* Fills `sums` from x, on all threads. */
void sdw_cpu_take_sums(const sdw_cpu_call *c, const sdw_tensor *x, const sdw_tensor *sums);

#endif
