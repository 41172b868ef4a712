/* product.h - the driver behind convolutions, linear layers and GLU pairs: blocks, edges, threads.
 *
 * All three are "output pixels x steps times steps x outputs"; a linear layer is a 1x1 convolution over one long row. A task
 * is a patch of pixels and a range of panels. For each block of input channels it brings the patch's input into segment form
 * (affine, SiLU, upsampling and padding happen here, once per value), then adds each panel's partial sums tile by tile.
 * How work is cut into tasks and tiles may depend on the number of threads; the order of additions does not. */
#ifndef SDW_CPU_PRODUCT_H
#define SDW_CPU_PRODUCT_H

#include "cpu/kernels.h"
#include "cpu/operands.h"
#include "cpu/pool.h"

/* What sdw_cpu_product_plan decides; lives in the graph's arena. */
typedef struct sdw_cpu_product {
    sdw_cpu_shape shape;
    int blocks, segments_per_block; /* of input channels; by shape alone */
    int lane_groups, x_parts, y_parts, panel_parts; /* tasks */
    int panels, panel_outputs;
    int patch_w, patch_h, patch_lanes, patch_panels; /* largest of each */
    size_t a_floats, b_floats, c_floats, tiles; /* scratch of one thread */
    size_t scratch_bytes;
} sdw_cpu_product;

/* Decides for a weight of this role and size; p->scratch_bytes is what each thread needs. */
void sdw_cpu_product_plan(const sdw_cpu_kernels *k, const sdw_cpu_shape *shape, const sdw_weight *w, int threads, sdw_cpu_product *p);
void sdw_cpu_product_run(const sdw_cpu_kernels *k, sdw_cpu_pool *pool, const sdw_cpu_product *p, const sdw_cpu_operands *o, void *workspace,
                         const atomic_bool *cancel);

#endif
