/* narrow.h - arithmetics narrower than f32: what the driver (narrow_product.h) must know of one, as data.
 *
 * Rows of input and weights are brought into a narrow type; a tile multiplies them and leaves sums in f32, in the units of
 * the layer, so that everything behind it (bias, activation, residual) is that of f32. bf16 and f16 round their values. int8
 * holds a row's values x as bytes q (0..255) with x ~ scale * q + shift, both of that row alone, and an output's weights w as v
 * (-127..127) with w ~ factor * v, so that
 *     sum x w ~ factor * (scale * sum q v  +  shift * sum v),
 * the first sum in int32, the second packed with the weights.
 *
 * Steps (input channels) are cut into blocks by their number alone; each block of a row has a scale of its own. A block of a
 * packed row is padded with zeros to SDW_CPU_NARROW_GRANULE bytes. Panels hold k->nr outputs, always whole:
 *     panel: factors (nr f32, only if scaled), then for each run
 *     run:   sums of v over the run (nr f32, only if scaled), then weights [step / group][nr][step % group], padding = zeros.
 * A run is one block of one tap; the taps of a block follow each other, column by column, then comes the next block.
 *
 * The scalar entries (kernels_narrow.c) are the specification; tests/check holds every other one against them. */
#ifndef SDW_CPU_NARROW_H
#define SDW_CPU_NARROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SDW_CPU_NARROW_GRANULE = 64,     /* bytes: one row of an AMX tile, one vector */
    SDW_CPU_NARROW_BLOCK = 1280,    /* steps of a block, at most; 255 * 127 * 1280 is far from 2^31 */
    SDW_CPU_NARROW_ROWS_MAX = 32,
    SDW_CPU_NARROW_RUNS_MAX = 64,    /* runs of one call */
};

/* x ~ scale * q + shift for a block of a row. */
typedef struct sdw_cpu_narrow_scale {
    float scale, shift;
} sdw_cpu_narrow_scale;

/* n values into `padded` elements at dst (padded >= n, whole granules; zeros behind the last value); *scale is written if the
 * arithmetic is scaled. A row with a NaN or an infinity must not come out as numbers: int8 makes its scale NaN. */
typedef void sdw_cpu_narrow_row_fn(void *dst, sdw_cpu_narrow_scale *scale, const float *src, int n, int padded);

/* Weights: dst[i] = src[i] * inverse in the narrow type; int8 rounds to the nearest and clamps, the others ignore inverse. */
typedef void sdw_cpu_narrow_weights_fn(void *dst, const float *src, size_t n, float inverse);

/* `steps` elements of the packed rows `row`, `row` + 1, ... and their part of a panel, at b + at. */
typedef struct sdw_cpu_narrow_run {
    int32_t row;
    int32_t at;    /* bytes; a multiple of 64 where nr is 32 */
    int32_t steps; /* padded: whole granules */
} sdw_cpu_narrow_run;

/* One tile: c[r*nr + j] (+)= the sum over all runs of row r times column j. Row p lies at a + p * stride, its scale at scale[p]. */
typedef struct sdw_cpu_narrow_tile {
    const void *a;
    ptrdiff_t stride;                  /* bytes between packed rows; a multiple of the granule */
    const sdw_cpu_narrow_scale *scale; /* NULL unless scaled */
    const void *b;                     /* 64-byte aligned where nr is 32 */
    const float *factor;               /* nr, NULL unless scaled */
    float *c;
    int rows;                          /* 1..mr */
    bool add;                          /* to what c holds, else c is overwritten */
    const char *fetch;                 /* memory that will be wanted soon; where the table says `fetches`, the entry asks for the line at */
    ptrdiff_t fetch_step;              /* fetch with every group of steps, which moves on by so many bytes each time; 0 is harmless */
    const sdw_cpu_narrow_run *run;
    int count;                         /* of them, 1..RUNS_MAX */
} sdw_cpu_narrow_tile;
typedef void sdw_cpu_narrow_tile_fn(const sdw_cpu_narrow_tile *t);

/* ---- attention: keys times queries and values times probabilities, everything turned so that queries are columns ----
 *
 * `scores`: rows are keys, the panel holds nr queries. `outer`: rows are the channels of the values, steps are keys, the panel
 * holds the probabilities of nr queries. Steps of both are multiples of step_unit. int8: rows are signed, x ~ scale * v with v
 * -127..127; a panel's bytes are not. Those of queries are 128 too large, which `start` takes back: -128 times the sum of v. */
typedef struct sdw_cpu_narrow_sign {
    float scale;
    int32_t start;
} sdw_cpu_narrow_sign;

/* n values of a key or of a channel into `padded` elements, zeros behind the last; *sign only if scaled. A row that is not finite
 * gets the scale NaN. */
typedef void sdw_cpu_narrow_signed_fn(void *dst, sdw_cpu_narrow_sign *sign, const float *src, int n, int padded);

/* Queries into a panel [step / group][nr][step % group]. src[i*nr + j] is value i of column j. steps >= dim; what lies behind dim
 * meets zeros of the keys and only must be finite. by (nr) only if scaled: what a column's scores are multiplied by, NaN for a
 * column with a NaN or an infinity. */
typedef void sdw_cpu_narrow_columns_fn(void *panel, float *by, const float *src, int dim, int steps);

/* c[r*nr + j] = scale of r * (start of r + the sum over `steps` of row r times column j); unscaled the sum alone.
 * most[j] = max(most[j], c[r*nr + j]); if all of a column are NaN, NaN. */
typedef struct sdw_cpu_narrow_scores {
    const void *a;       /* rows of keys */
    ptrdiff_t stride;    /* bytes; a multiple of the granule */
    const sdw_cpu_narrow_sign *sign; /* of each row, NULL unless scaled */
    const void *b;       /* queries */
    float *c, *most;
    int rows, steps;     /* 1..mr; a multiple of step_unit */
} sdw_cpu_narrow_scores;
typedef void sdw_cpu_narrow_scores_fn(const sdw_cpu_narrow_scores *s);

/* Softmax down the columns of s (keys x nr, left as it was), continued over blocks of keys as sdw_cpu_softmax_fn, x = s * by if
 * scaled, m = most * by the block's largest: top' = max(top, m); alpha = f(top - top'). The panel p gets
 * [step / group][nr][step % group] with zeros behind keys: in bf16 and f16 f(x - top'); in int8 bytes f(x - m) * 255 rounded and
 * factor = f(m - top') / 255. sum <- sum * alpha + what the panel stands for; unscaled arithmetics may leave the rounding out of it.
 * Finite scores only if scaled, but a column whose `by` is NaN makes its sum NaN. */
typedef struct sdw_cpu_narrow_softmax {
    void *p;
    float *factor;                       /* nr, NULL unless scaled */
    const float *s, *most, *by;          /* by: nr, NULL unless scaled */
    int keys, steps;
    float *top, *sum, *alpha;
} sdw_cpu_narrow_softmax;
typedef void sdw_cpu_narrow_softmax_fn(const sdw_cpu_narrow_softmax *x);

/* c[r*nr + j] = c[r*nr + j] * alpha[j] + the sum over `steps` keys of row r times column j. */
typedef struct sdw_cpu_narrow_outer {
    const void *a;       /* rows of values */
    ptrdiff_t stride;    /* bytes; a multiple of the granule */
    const sdw_cpu_narrow_sign *sign; /* of each row, NULL unless scaled; only the scale counts */
    const void *b;       /* probabilities */
    const float *factor; /* nr, NULL unless scaled */
    const float *alpha;  /* nr */
    float *c;
    int rows, steps;     /* 1..mr; a multiple of step_unit */
} sdw_cpu_narrow_outer;
typedef void sdw_cpu_narrow_outer_fn(const sdw_cpu_narrow_outer *o);

/* Multiply-adds in registers, as sdw_cpu_peak_fn. */
typedef double sdw_cpu_narrow_peak_fn(long rounds, float *ret);

typedef struct sdw_cpu_narrow {
    const char *name;      /* of the precision: "int8", "bf16", "f16" */
    const char *unit;      /* what computes: "scalar", "VNNI", "AMX", ... for people */
    int size;              /* bytes of an element */
    int group;             /* consecutive steps side by side in a panel: int8 4, bf16 and f16 2 */
    bool scaled;           /* rows have scales, panels factors and sums */
    bool spares_skips;     /* weights on the residual path stay f32, see sdw_weight */
    bool winograd_wins;    /* 3x3 convolutions with stride 1 are better off in f32 by Winograd's transforms */
    int nr, mr;            /* nr: that of the kernel table it goes with; mr: rows of the largest tile */
    sdw_cpu_narrow_row_fn *row;
    sdw_cpu_narrow_weights_fn *weights;
    sdw_cpu_narrow_tile_fn *tile;
    bool fetches;          /* tile brings memory nearer on the way, see there */
    int rows_read;         /* tile and outer read (and ignore) rows up to the next multiple of it: memory there must be */
    /* Around a thread's tiles and outer products, once per task; NULL: nothing to do. Between them the thread's AMX tiles are ours. */
    void (*begin)(void), (*end)(void);
    sdw_cpu_narrow_peak_fn *peak; /* NULL: not known */
    int step_unit;         /* attention's runs and panels are multiples of it, in elements; a multiple of group */
    sdw_cpu_narrow_signed_fn *signed_row;
    sdw_cpu_narrow_columns_fn *columns;
    sdw_cpu_narrow_scores_fn *scores;
    sdw_cpu_narrow_softmax_fn *softmax;
    sdw_cpu_narrow_outer_fn *outer; /* NULL: attention stays in f32 */
} sdw_cpu_narrow;

typedef enum sdw_cpu_precision { SDW_PRECISION_F32, SDW_PRECISION_F16, SDW_PRECISION_BF16, SDW_PRECISION_INT8, SDW_PRECISIONS } sdw_cpu_precision;

/* "f32", "f16", "bf16", "int8"; -1 for any other name. */
int sdw_cpu_precision_of(const char *name);
const char *sdw_cpu_precision_name(sdw_cpu_precision p);

/* What `auto` stands for on a machine with these flags (cpuid.h): the fastest that keeps to the bar of f16 (a picture's median
 * distance from f32 at least 40 dB); never int8. */
sdw_cpu_precision sdw_cpu_precision_auto(unsigned flags);

/* Fills n for a precision (not F32). False: no instructions for it among the flags; *ret_missing then says which are needed.
 * Without any flags it is the scalar entries, which belong to the scalar kernels. */
bool sdw_cpu_narrow_init(sdw_cpu_narrow *n, sdw_cpu_precision p, unsigned flags, const char **ret_missing);

/* The scalar entries. */
void sdw_cpu_narrow_scalar(sdw_cpu_narrow *n, sdw_cpu_precision p);
void sdw_cpu_narrow_scalar_attention(sdw_cpu_narrow *n, sdw_cpu_precision p); /* called by the former */

/* Blocks that `steps` are cut into, and elements of block i: whole granules but for the last, which is what is left. */
int sdw_cpu_narrow_blocks(const sdw_cpu_narrow *n, int steps);
int sdw_cpu_narrow_block_steps(const sdw_cpu_narrow *n, int steps, int block);
/* The same, padded. */
int sdw_cpu_narrow_padded(const sdw_cpu_narrow *n, int steps);

/* Rows of memory that belong behind the last packed row. */
static inline size_t sdw_cpu_narrow_spare_rows(const sdw_cpu_narrow *n)
{
    return (size_t)n->rows_read - 1;
}

static inline void sdw_cpu_narrow_begin(const sdw_cpu_narrow *n)
{
    if (n->begin) n->begin();
}

static inline void sdw_cpu_narrow_end(const sdw_cpu_narrow *n)
{
    if (n->end) n->end();
}

/* Bytes of a whole panel of `steps` channels with `taps` taps each. */
size_t sdw_cpu_narrow_panel_bytes(const sdw_cpu_narrow *n, int steps, int taps);

/* Bytes of a run of `padded` steps, and of the factors before the first. */
static inline size_t sdw_cpu_narrow_run_bytes(const sdw_cpu_narrow *n, int padded)
{
    return (size_t)n->nr * ((n->scaled ? sizeof(float) : 0) + (size_t)padded * (size_t)n->size);
}

static inline size_t sdw_cpu_narrow_head_bytes(const sdw_cpu_narrow *n)
{
    return n->scaled ? (size_t)n->nr * sizeof(float) : 0;
}

#endif
