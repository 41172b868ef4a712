/* matmul.h - rows times a matrix where the rows can be read as they lie: linear layers, GLU pairs and 1x1 convolutions without
 * anything to do on the way in.
 *
 * A task is a range of rows and of panels. A group of panels stays in the level-2 cache while the rows stream by, one tile of them
 * against all those panels: no row is copied, and each comes from memory once per group. Tiles read 16-bit weights as they are
 * packed, or, where a processor is slow at that, widened once per group; the bytes of the result are the same. While a tile
 * multiplies, it asks for what comes next: rows, the next group's panels, what is added to and what is written. Sums over many
 * steps are taken in blocks, as product.h does; the order depends on the shape alone. */
#ifndef SDW_CPU_MATMUL_H
#define SDW_CPU_MATMUL_H

#include "cpu/kernels.h"
#include "cpu/operands.h"
#include "cpu/pool.h"

typedef struct sdw_cpu_matmul {
    int rows, steps;                 /* steps: input channels */
    int blocks, steps_per_block;     /* by shape alone */
    int panels, panel_outputs, group; /* group: panels that stay in the cache together */
    int row_parts, panel_parts;      /* tasks */
    size_t b_floats, scratch_bytes;  /* of one thread; b_floats: of widened panels */
} sdw_cpu_matmul;

void sdw_cpu_matmul_plan(const sdw_cpu_kernels *k, int rows, const sdw_weight *w, int threads, sdw_cpu_matmul *p);
/* coeffs and lane_add of o are not read: whoever has them takes product.h. */
void sdw_cpu_matmul_run(const sdw_cpu_kernels *k, sdw_cpu_pool *pool, const sdw_cpu_matmul *p, const sdw_cpu_operands *o,
                        void *workspace, const atomic_bool *cancel);

#endif
