/* packed.h - rows in a narrow arithmetic (narrow.h): where they lie, how one is written, and which tensors consist of them.
 *
 * A tensor that only narrow linear layers and GLU pairs read is never stored in f32: who computes it brings its rows into the
 * narrow type while their values are still in a near cache, and its readers take them as they are. The values are rounded as a
 * reader would have done it, so results are the same bytes. */
#ifndef SDW_CPU_PACKED_H
#define SDW_CPU_PACKED_H

#include "cpu/kernels.h"
#include "cpu/narrow.h"

/* Rows of `channels` values: [block][row], as many spare rows as a tile may read, then the scales [block][row] if scaled. */
typedef struct sdw_cpu_packed {
    const sdw_cpu_narrow *narrow;
    int rows, channels;
    int blocks, each;        /* of a row; channels of a block, but for the last, which has what is left */
    ptrdiff_t stride;        /* bytes of a row of one block; a multiple of the granule */
    size_t scales_at, bytes; /* where scales begin; in all */
} sdw_cpu_packed;

sdw_cpu_packed sdw_cpu_packed_layout(const sdw_cpu_narrow *n, int rows, int channels);

static inline int sdw_cpu_packed_steps(const sdw_cpu_packed *p, int block)
{
    int rest = p->channels - block * p->each;
    return rest < p->each ? rest : p->each;
}

static inline sdw_cpu_narrow_scale *sdw_cpu_packed_scales(const sdw_cpu_packed *p, const void *data)
{
    return p->narrow->scaled ? (sdw_cpu_narrow_scale *)(uintptr_t)((const char *)data + p->scales_at) : NULL;
}

/* The values of one block of a row. */
static inline void sdw_cpu_packed_write_block(const sdw_cpu_packed *p, void *data, int row, int block, const float *src)
{
    size_t at = (size_t)block * (size_t)p->rows + (size_t)row;
    sdw_cpu_narrow_scale *scales = sdw_cpu_packed_scales(p, data);
    p->narrow->row((char *)data + at * (size_t)p->stride, scales ? scales + at : NULL, src, sdw_cpu_packed_steps(p, block),
                   (int)(p->stride / p->narrow->size));
}

/* A whole row. */
static inline void sdw_cpu_packed_write(const sdw_cpu_packed *p, void *data, int row, const float *src)
{
    for (int block = 0; block < p->blocks; block++) sdw_cpu_packed_write_block(p, data, row, block, src + (ptrdiff_t)block * p->each);
}

enum { SDW_CPU_PACKED_CHANNELS = 4096 }; /* of a packed tensor, at most */

/* Sets packed_bytes of the tensors of g that are written and read packed, and shortens their blocks. Decides by what writes and
 * reads them, their shapes and their weights alone. */
void sdw_cpu_choose_packed(const sdw_cpu_kernels *k, sdw_graph *g);

#endif
