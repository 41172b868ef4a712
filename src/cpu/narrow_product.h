/* narrow_product.h - the driver behind linear layers, GLU pairs and convolutions in a narrow arithmetic (narrow.h).
 *
 * Two phases. First, unless the input is a tensor of packed rows (packed.h), all of it is packed into the op's workspace, pixel by
 * pixel (affine, SiLU, upsampling and the border of zeros on the way in): narrow rows are small enough to stay in the caches, and
 * every value is converted once. Packed rows of a block lie side by side, [block][lane][y][x]; with stride 2 even columns come
 * before odd ones, so that the pixels of a tile are neighbours for every tap. Then tasks of some tiles and some panels multiply; a panel too large for the cache is taken in
 * passes over blocks, with the sums of the task's tiles kept in between. Taps that meet only the border's zeros are left out.
 * An output of packed rows is made a block of channels at a time: a task keeps its rows of the block in f32 until the last panel of
 * the block, then packs them.
 * How work is cut depends on the number of threads; what an element adds, and in which order, on the layer alone. */
#ifndef SDW_CPU_NARROW_PRODUCT_H
#define SDW_CPU_NARROW_PRODUCT_H

#include "cpu/kernels.h"
#include "cpu/narrow.h"
#include "cpu/operands.h"
#include "cpu/packed.h"
#include "cpu/pool.h"

typedef struct sdw_cpu_narrow_product {
    sdw_cpu_shape shape;
    sdw_cpu_packed in;                   /* all lanes with their borders */
    sdw_cpu_packed out;                  /* no rows: the output is f32 */
    bool given;                          /* the input comes packed */
    int taps, blocks_per_pass;
    int packed_w, packed_h;              /* of a lane's picture with its border */
    int chunks;                          /* pieces in which a packed picture row is packed */
    int last_steps;                      /* of a run of the last block, padded; all others fill the stride */
    int tiles_per_row, tiles;            /* of a picture row; in all */
    int panels, panel_outputs, group;    /* group: panels that a tile goes past in turn */
    int span;                            /* panels that stay in one task: those of a packed output's block, else 1 */
    int tile_parts, panel_parts;         /* tasks */
    size_t shared_bytes, scratch_bytes;  /* of all threads together, of each */
    size_t sums_bytes;                   /* of a thread's, before its rows in f32 */
    size_t workspace;                    /* in all */
} sdw_cpu_narrow_product;

/* Whether k's arithmetic multiplies this weight: by its role, size and what the model says it bears. */
bool sdw_cpu_narrow_takes(const sdw_cpu_kernels *k, const sdw_weight *w);
/* Packed form of such a weight, and panel `panel` of it into w->packed. */
size_t sdw_cpu_narrow_packed_bytes(const sdw_cpu_kernels *k, const sdw_weight *w);
void sdw_cpu_narrow_pack_panel(const sdw_cpu_kernels *k, const sdw_weight *w, int panel);

/* Ends of a product that are tensors of packed rows; only where the shape is one long row. */
typedef struct sdw_cpu_narrow_ends {
    bool in, out;
} sdw_cpu_narrow_ends;

void sdw_cpu_narrow_product_plan(const sdw_cpu_kernels *k, const sdw_cpu_shape *shape, const sdw_weight *w, sdw_cpu_narrow_ends packed, int threads,
                                 sdw_cpu_narrow_product *p);
void sdw_cpu_narrow_product_run(const sdw_cpu_kernels *k, sdw_cpu_pool *pool, const sdw_cpu_narrow_product *p, const sdw_cpu_operands *o,
                                void *workspace, const atomic_bool *cancel);

#endif
