/* weights.h - the CPU's private form of weights.
 *
 * Matrices and convolutions: panels of `nr` outputs (the last one nr/2 wide where that suffices); a panel holds, for each step,
 * the weights of its outputs side by side, zeros behind the last output. Steps are ordered by segment of SDW_CPU_SEGMENT input
 * channels, then tap (row-major over the kernel window), then channel: what one tile reads is one run of memory. A GLU
 * panel holds nr/2 values and the nr/2 gates that belong to them. F16, BF16 and F32 are kept as they are; F8 becomes F16,
 * which holds every F8 value; sources of different types become F32.
 * Weights that a narrow arithmetic multiplies have panels of their own, see narrow.h and narrow_weights.c.
 * Vectors are plain f32, tables plain rows of their own type. */
#ifndef SDW_CPU_WEIGHTS_H
#define SDW_CPU_WEIGHTS_H

#include "cpu/kernels.h"
#include "cpu/pool.h"
#include "tensor/backend.h"
#include "tensor/weight.h"

/* Type of the packed elements; a function of the sources' types alone. */
sdw_dtype sdw_cpu_packed_dtype(const sdw_weight *w);
size_t sdw_cpu_packed_bytes(const sdw_cpu_kernels *k, const sdw_weight *w);
/* What w computes for a row: its outputs, of which a GLU has one for two. */
int64_t sdw_cpu_outputs(const sdw_weight *w);
/* Outputs that one panel serves, and panels of w. */
int sdw_cpu_panel_outputs(const sdw_cpu_kernels *k, const sdw_weight *w);
int sdw_cpu_panel_count(const sdw_cpu_kernels *k, const sdw_weight *w);
/* Columns of panel p: nr or nr/2. */
int sdw_cpu_panel_width(const sdw_cpu_kernels *k, const sdw_weight *w, int p);
/* Elements [first, first + count) of output row o in the files' order, as f32. */
void sdw_cpu_weight_row(const sdw_cpu_kernels *k, const sdw_weight *w, int64_t o, int64_t first, int count, float *dst);
sdw_status sdw_cpu_pack(const sdw_cpu_kernels *k, sdw_cpu_pool *pool, sdw_weight **weights, size_t count, sdw_packed_fn *done, void *ctx,
                        sdw_error *err);

#endif
