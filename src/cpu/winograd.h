/* winograd.h - 3x3 convolutions with stride 1 by Winograd's F(4x4,3x3): a quarter of the multiplications of product.h.
 *
 * A task is a patch of 4x4 tiles and a range of panels. Its input is brought into segment form (affine, SiLU, upsampling,
 * padding), transformed once for all its panels, and kept: V, [segment][point][tile][SEGMENT]. Then, panel by panel and
 * block of channels by block, the weights are widened and transformed into the cache (U, [point][step][column]; keeping them
 * for good would take 7 times the memory of F16 weights and more bandwidth than computing them), 36 small products add
 * to the sums (M, [point][tile][column]), and after the last block the sums become pixels and go through finish.
 * Tiles are counted from the picture's corner and blocks of channels follow from the shape, so no value depends on threads,
 * lanes or the size of a patch. */
#ifndef SDW_CPU_WINOGRAD_H
#define SDW_CPU_WINOGRAD_H

#include "cpu/kernels.h"
#include "cpu/operands.h"
#include "cpu/pool.h"

typedef struct sdw_cpu_winograd {
    sdw_cpu_shape shape;
    int tiles_w, tiles_h;           /* of a lane's picture */
    int blocks, segments_per_block; /* of input channels; by shape alone */
    int panels;
    int lane_groups, x_parts, y_parts, panel_parts;     /* tasks */
    int patch_w, patch_h, patch_lanes;                  /* largest of each, in tiles and lanes */
    size_t strip_floats, v_floats, u_floats, m_floats, wide_floats, out_floats; /* scratch of one thread */
    size_t scratch_bytes;
} sdw_cpu_winograd;

/* False: this shape is better served otherwise. Decides by one lane's shape and the table alone. */
bool sdw_cpu_winograd_plan(const sdw_cpu_kernels *k, const sdw_cpu_shape *shape, const sdw_weight *w, int threads, sdw_cpu_winograd *p);
void sdw_cpu_winograd_run(const sdw_cpu_kernels *k, sdw_cpu_pool *pool, const sdw_cpu_winograd *p, const sdw_cpu_operands *o,
                          void *workspace, const atomic_bool *cancel);

#endif
