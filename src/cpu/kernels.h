/* kernels.h - the inner loops of the CPU backend: one table of function pointers, filled per instruction set.
 *
 * Matrix products. Everything that multiplies by weights is rows x steps times steps x columns. The weights lie in panels:
 * `nr` output channels side by side for every step. The input rows lie at a constant distance: those of linear layers as they
 * are, those of convolutions copied into segments of SDW_CPU_SEGMENT values, one row after the other. A tile of 1..mr rows
 * times one panel is held in registers while a list of runs is added up: a 3x3 convolution has nine runs (one per tap) into
 * the same segment rows, a linear layer a single one. The sum over one call is a partial sum; partial sums are added in order.
 * Each element's order of additions is that of the runs, whatever the number of rows in the tile.
 *
 * Pointers need no alignment, except where said. Kernels write exactly what they say and read nothing behind their inputs. */
#ifndef SDW_CPU_KERNELS_H
#define SDW_CPU_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/dtype.h"
#include "tensor/graph.h"

enum {
    SDW_CPU_SEGMENT = 32, /* values of a row side by side in packed input: two cache lines */
    SDW_CPU_ROWS_MAX = 16,
    SDW_CPU_COLUMNS_MAX = 32,
    SDW_CPU_RUNS_MAX = 64 /* runs of one call */
};

/* Runs of steps: run i reads `length[i]` values of each row from a + offset[i] on; the panel is read straight through. */
typedef struct sdw_cpu_runs {
    ptrdiff_t stride;                 /* floats between the rows of a */
    int count;
    int32_t offset[SDW_CPU_RUNS_MAX]; /* floats */
    int32_t length[SDW_CPU_RUNS_MAX]; /* 1 or more */
} sdw_cpu_runs;

/* c[r*width + j] (+)= sum over runs i, steps s of a[offset[i] + r*stride + s] * b[step*width + j], for the rows of the entry
 * and width = nr (nr/2 in the half-width entries). add: to what c holds, else c is overwritten. */
typedef void sdw_cpu_tile_fn(const float *a, const float *b, float *c, const sdw_cpu_runs *runs, bool add);

/* Memory that is wanted soon: `lines` cache lines from column `column` of a row on, each row `width` lines side by side, the next one
 * `jump` bytes behind its end. */
typedef struct sdw_cpu_area {
    const char *at;
    ptrdiff_t jump;
    int width, column, lines;
} sdw_cpu_area;

/* Areas to ask for one after the other while something else is computed, at most a line every `every` steps. What was asked for is
 * taken off the areas, so that a list goes on over several calls. */
enum { SDW_CPU_AREAS_MAX = 4 };
typedef struct sdw_cpu_ahead {
    int every, count; /* every: 1 or more */
    sdw_cpu_area area[SDW_CPU_AREAS_MAX];
} sdw_cpu_ahead;

/* Linear layers: the tile of one run, the panel in the weights' own type, with fetching ahead:
 * c[r*nr + j] (+)= sum over s < steps of a[r*stride + s] * b[s*nr + j], for the rows of the entry. */
typedef struct sdw_cpu_linear {
    const float *a;
    ptrdiff_t stride;
    const void *b;
    float *c;
    int steps; /* 1 or more */
    bool add;
    sdw_cpu_ahead *ahead;
} sdw_cpu_linear;
typedef void sdw_cpu_linear_fn(const sdw_cpu_linear *l);

/* c[r*nr + j] = (alpha ? c[r*nr + j] * alpha[j] : 0) + sum over s < steps of a[s*lda + r] * b[s*nr + j]: attention's products. */
typedef void sdw_cpu_outer_fn(const float *a, ptrdiff_t lda, const float *b, int steps, float *c, const float *alpha);

/* Softmax over the rows of s (keys x nr), column by column, continued over blocks of keys: with f(x) = exp(x / score_scale)
 * top' = max(top, s); alpha = f(top - top'); s <- f(s - top'); sum <- sum * alpha + column sums of s. */
typedef void sdw_cpu_softmax_fn(float *s, int keys, float *top, float *sum, float *alpha);

/* dst[c*dst_stride + r] = src[r*src_stride + c] * factor. */
typedef void sdw_cpu_transpose_fn(float *dst, ptrdiff_t dst_stride, const float *src, ptrdiff_t src_stride, int rows, int columns, float factor);

/* Input rows into segment form: dst[i*SEGMENT + c] = act(src[index[i]*stride + c] * scale[c] + shift[c]) for c < length. index
 * NULL: i itself; a negative index writes zeros. scale and shift NULL: plain copy, no act. act: NONE or SILU. Values from
 * length on are left alone. */
typedef struct sdw_cpu_gather {
    const float *src;
    ptrdiff_t stride;
    const int32_t *index;
    int rows, length;
    const float *scale, *shift;
    sdw_act act;
} sdw_cpu_gather;
typedef void sdw_cpu_gather_fn(float *dst, const sdw_cpu_gather *g);

/* dst[i] = act(src[i] * scale[i] + shift[i]) for i < n: the same for one row of any length. act: NONE or SILU. */
typedef void sdw_cpu_affine_fn(float *dst, const float *src, const float *scale, const float *shift, size_t n, sdw_act act);

/* Winograd's transforms F(4x4,3x3), see kernels_winograd.c: a picture tile of 4 x 4 outputs needs 6 x 6 inputs and becomes 36
 * products, one for each "point" (row * 6 + column of the transformed tile).
 * Input: `tiles` tiles side by side, SEGMENT channels: pixel (y, x) of tile t lies at src + y*row_stride + (4*t + x)*SEGMENT; its
 * point p goes to dst + p*point_stride + t*SEGMENT. */
typedef void sdw_cpu_winograd_input_fn(float *dst, ptrdiff_t point_stride, const float *src, ptrdiff_t row_stride, int tiles);
/* Weights: for each i < n the nine taps src[tap*tap_stride + i] become the 36 values dst[p*point_stride + i]. n is a multiple
 * of nr/2. */
typedef void sdw_cpu_winograd_weight_fn(float *dst, ptrdiff_t point_stride, const float *src, ptrdiff_t tap_stride, size_t n);
typedef void sdw_cpu_winograd_weight_f16_fn(float *dst, ptrdiff_t point_stride, const uint16_t *src, ptrdiff_t tap_stride, size_t n);
/* Output: point p of tile t is src[p*point_stride + t*width + j], j < width (nr or nr/2); pixel (y, x) of the tile goes to
 * dst + y*row_stride + (4*t + x)*width. */
typedef void sdw_cpu_winograd_output_fn(float *dst, ptrdiff_t row_stride, const float *src, ptrdiff_t point_stride, int tiles, int width);

/* n values of a 16-bit type to f32. */
typedef void sdw_cpu_widen_fn(float *dst, const uint16_t *src, size_t n);

/* From a finished sum to the output: out = act(c + bias + lane) + residual. Rows of c are `width` apart, `columns` of them count.
 * residual may be out itself. */
typedef struct sdw_cpu_finish {
    const float *c;
    int width, rows, columns;
    float *out;
    ptrdiff_t out_stride;
    const float *bias, *lane;   /* columns values, or NULL */
    const float *residual;      /* or NULL */
    ptrdiff_t residual_stride;
    sdw_act act;
    bool rough;                 /* GELU of gates may be off by 5e-5 + 1e-5 |x|: what reads the output is narrower than f32 */
    bool stream;                /* out is too large to be found in a cache later: it may be written around them */
} sdw_cpu_finish;
typedef void sdw_cpu_finish_fn(const sdw_cpu_finish *f);
/* The same for pairs: columns j and width/2 + j of c are value and gate: out = (value + bias[j]) * act(gate + lane[j]), where
 * `lane` holds the bias of the gates; no residual. */

/* Weights: dst[row[k]*width + r] = src[r*src_stride + k] for r < rows, zeros for rows <= r < width. Elements of 2 or 4
 * bytes by entry; strides in elements. */
typedef void sdw_cpu_panel_fn(void *dst, int width, const int32_t *row, const void *src, ptrdiff_t src_stride, int rows, int columns);

/* sum[c] += x[r][c], square[c] += x[r][c]^2 over rows, in double. */
typedef void sdw_cpu_moments_fn(const float *x, ptrdiff_t stride, int rows, int channels, double *sum, double *square);
/* out = (x - mean) / sqrt(var + eps) * gamma + beta over n values; gamma and beta may both be NULL; out may be x. */
typedef void sdw_cpu_norm_row_fn(float *out, const float *x, int n, const float *gamma, const float *beta, float eps);
typedef void sdw_cpu_act_fn(float *dst, const float *src, size_t n, sdw_act act); /* dst may be src */
typedef void sdw_cpu_add_fn(float *dst, const float *a, const float *b, size_t n); /* dst may be a or b */
/* Runs multiply-adds in registers `rounds` times; returns how many floating-point operations that was. *ret keeps the
 * compiler from dropping them. */
typedef double sdw_cpu_peak_fn(long rounds, float *ret);

typedef struct sdw_cpu_kernels {
    int mr, nr;       /* rows and columns of the largest tile; nr is even */
    int steps_max;    /* steps of a partial sum that drivers aim at; short sums round less and fit the cache */
    float score_scale; /* see softmax */
    sdw_cpu_tile_fn *tile[SDW_CPU_ROWS_MAX + 1], *tile_half[SDW_CPU_ROWS_MAX + 1]; /* by rows, 1..mr */
    sdw_cpu_linear_fn *linear_f32[SDW_CPU_ROWS_MAX + 1], *linear_f16[SDW_CPU_ROWS_MAX + 1], *linear_bf16[SDW_CPU_ROWS_MAX + 1];
    bool widen_in_tile; /* linear_f16 and linear_bf16 are as fast as linear_f32: no reason to widen a panel before */
    sdw_cpu_outer_fn *outer[SDW_CPU_ROWS_MAX + 1];
    sdw_cpu_softmax_fn *softmax;
    sdw_cpu_transpose_fn *transpose;
    sdw_cpu_gather_fn *gather;
    sdw_cpu_affine_fn *affine;
    bool winograd;     /* worth its rounding: not in the reference */
    sdw_cpu_winograd_input_fn *winograd_input;
    sdw_cpu_winograd_weight_fn *winograd_weight;
    sdw_cpu_winograd_weight_f16_fn *winograd_weight_f16;
    sdw_cpu_winograd_output_fn *winograd_output;
    sdw_cpu_widen_fn *widen_f16, *widen_bf16;
    sdw_cpu_finish_fn *finish, *finish_glu;
    sdw_cpu_panel_fn *panel16, *panel32;
    sdw_cpu_moments_fn *moments;
    sdw_cpu_norm_row_fn *norm_row;
    sdw_cpu_act_fn *act;
    sdw_cpu_add_fn *add;
    sdw_cpu_peak_fn *peak;
    const struct sdw_cpu_narrow *narrow; /* narrow.h; NULL: everything in f32. Set by who opens the backend */
} sdw_cpu_kernels;

/* Fills k for a set of flags (cpuid.h). A pure function: scalar first, then each instruction set overrides what it has. */
void sdw_cpu_kernels_init(sdw_cpu_kernels *k, unsigned flags);

/* One per instruction set; each starts from what the narrower one left. They do nothing on other processors. */
void sdw_cpu_kernels_avx2(sdw_cpu_kernels *k);
void sdw_cpu_kernels_avx512(sdw_cpu_kernels *k);
/* Further files of an instruction set, called by its first. */
void sdw_cpu_kernels_winograd(sdw_cpu_kernels *k); /* scalar */
void sdw_cpu_kernels_avx2_winograd(sdw_cpu_kernels *k);
void sdw_cpu_kernels_avx512_winograd(sdw_cpu_kernels *k);
void sdw_cpu_kernels_avx2_linear(sdw_cpu_kernels *k);
void sdw_cpu_kernels_avx512_linear(sdw_cpu_kernels *k);
void sdw_cpu_kernels_avx2_rows(sdw_cpu_kernels *k);
void sdw_cpu_kernels_avx512_rows(sdw_cpu_kernels *k);

#endif
