/* operands.h - the two ends of every product, shared by its drivers: how input pixels and packed weights become what a tile
 * reads, and how a finished sum becomes output. Thread-safe: nothing here holds state. */
#ifndef SDW_CPU_OPERANDS_H
#define SDW_CPU_OPERANDS_H

#include "cpu/kernels.h"
#include "tensor/graph.h"

typedef struct sdw_cpu_shape {
    int lanes, h, w;          /* of the output */
    int src_h, src_w;         /* of the input as it lies in memory */
    int in_h, in_w;           /* after nearest upsampling */
    int channels;             /* of the input */
    int side, stride, pad_top, pad_left;
} sdw_cpu_shape;

/* The pointers of one run. Strides in floats. */
typedef struct sdw_cpu_operands {
    const float *in;
    ptrdiff_t in_stride;
    const sdw_weight *weight;
    const float *bias;
    const float *coeffs;      /* per lane scale[channels], shift[channels]; or NULL */
    ptrdiff_t coeffs_stride;
    sdw_act pre_act;
    const float *lane_add;    /* or NULL */
    ptrdiff_t lane_add_stride;
    const float *residual;    /* or NULL */
    ptrdiff_t residual_stride;
    sdw_act act;
    bool rough;               /* see sdw_cpu_finish */
    float *out;
    ptrdiff_t out_stride;
    const sdw_tensor *sums;   /* of out, for a driver that leaves them; or NULL */
    bool stream;              /* out may be written around the caches, see sdw_cpu_finish; nobody reads it before the run ends */
} sdw_cpu_operands;

/* Part of a finished sum: `rows` pixels side by side from out_row on, the columns of one panel, `width` apart in c. */
typedef struct sdw_cpu_part {
    const float *c;
    int width, rows, panel, panel_outputs, lane;
    int64_t out_row;
    float *out;               /* where it goes instead of the operands' out; or NULL */
    ptrdiff_t out_stride;
} sdw_cpu_part;

/* Pixels or tokens as one long row, of each lane if something differs between lanes, else of all: what a linear map sees. */
static inline sdw_cpu_shape sdw_cpu_row_shape(const sdw_tensor *x, bool by_lane)
{
    int lanes = by_lane ? x->n : 1, rows = (int)sdw_tensor_rows(x) / lanes;
    return (sdw_cpu_shape){ .lanes = lanes, .h = 1, .w = rows, .src_h = 1, .src_w = rows, .in_h = 1, .in_w = rows, .channels = x->c, .side = 1, .stride = 1 };
}

/* Segments of the input's channels, and how many of its values segment i holds. */
int sdw_cpu_segments(const sdw_cpu_shape *s);
int sdw_cpu_segment_length(const sdw_cpu_shape *s, int segment);
/* Source pixel of column x of the widened input; -1 = padding. */
int32_t sdw_cpu_source_column(const sdw_cpu_shape *s, int x);
/* `count` pixels of row y of the widened input (columns as sdw_cpu_source_column gave them), one segment, with affine and
 * activation, in segment form. Rows outside are zeros. */
void sdw_cpu_pack_row(const sdw_cpu_kernels *k, const sdw_cpu_shape *s, const sdw_cpu_operands *o, float *dst, int lane, int y,
                      const int32_t *column, int count, int segment);
/* Where the panel's weights from step first_step on lie. */
const char *sdw_cpu_panel_at(const sdw_cpu_kernels *k, const sdw_weight *w, int panel, int width, int64_t first_step);
/* `count` of them as f32: themselves, or widened into scratch. */
const float *sdw_cpu_panel_f32(const sdw_cpu_kernels *k, const sdw_weight *w, const char *at, size_t count, float *scratch);
void sdw_cpu_finish_part(const sdw_cpu_kernels *k, const sdw_cpu_operands *o, const sdw_cpu_part *part);
/* The same for a part that is all of picture row y in part x of the columns, which joins its cell of o->sums. Rows of a cell come in
 * order. c may be written to. */
void sdw_cpu_finish_and_sum(const sdw_cpu_kernels *k, const sdw_cpu_operands *o, const sdw_cpu_part *part, float *c, int y, int x);

/* Cutting and cache habits of the drivers. */
static inline int sdw_cpu_ceil_div(int a, int b)
{
    return (a + b - 1) / b;
}

/* First element of part i when n are cut into `parts` nearly equal ones. */
static inline int sdw_cpu_cut(int n, int parts, int i)
{
    return (int)((int64_t)n * i / parts);
}

/* Time of the slowest thread over the mean, when equal tasks are handed out. */
static inline double sdw_cpu_imbalance(int tasks, int threads)
{
    return (double)(sdw_cpu_ceil_div(tasks, threads) * threads) / tasks;
}

/* The next `bytes` of *at, which moves on; every piece begins at a cache line. */
static inline void *sdw_cpu_carve(char **at, size_t bytes)
{
    void *p = *at;
    *at += (bytes + 63) / 64 * 64;
    return p;
}

/* gcc 12 takes a function that only prefetches for one without effects and drops its calls; code that stands inline it keeps. */
#define SDW_CPU_PREFETCHES __attribute__((always_inline)) static inline void

/* What a part that is about to be finished will be added to. Memory that is only written is better left alone. */
SDW_CPU_PREFETCHES sdw_cpu_prefetch_residual(const sdw_cpu_operands *o, const sdw_cpu_part *part)
{
    if (!o->residual) return;
    const float *at = o->residual + part->out_row * o->residual_stride + (ptrdiff_t)part->panel * part->panel_outputs;
    for (int r = 0; r < part->rows; r++, at += o->residual_stride) {
        __builtin_prefetch(at, 0, 3);
        if (part->panel_outputs > 16) __builtin_prefetch(at + 16, 0, 3);
    }
}

/* Part i of `parts` of some memory on its way into the level-2 cache while something else is computed. */
SDW_CPU_PREFETCHES sdw_cpu_prefetch_part(const char *at, size_t bytes, int parts, int i)
{
    size_t first = bytes * (size_t)i / (size_t)parts / 64 * 64, last = bytes * (size_t)(i + 1) / (size_t)parts;
    for (; first < last; first += 64) __builtin_prefetch(at + first, 0, 2);
}

#endif
