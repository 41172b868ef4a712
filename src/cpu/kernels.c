/* kernels.c - the scalar kernels: sums in double, the C library's functions. They are the specification; a fast kernel that
 * disagrees is wrong. Speed is no aim here. */
#include "cpu/kernels.h"

#include <math.h>
#include <string.h>

#include "core/half.h"
#include "cpu/cpuid.h"

enum { TILE_ROWS = 4, TILE_COLUMNS = 8 };

/* ---- products ---- */

static void tile(int rows, int width, const float *a, const float *b, float *c, const sdw_cpu_runs *runs, bool add)
{
    double sum[TILE_ROWS * TILE_COLUMNS] = { 0 };
    for (int i = 0; i < runs->count; i++)
        for (int s = 0; s < runs->length[i]; s++, b += width)
            for (int r = 0; r < rows; r++)
                for (int j = 0; j < width; j++)
                    sum[r * width + j] += (double)a[runs->offset[i] + r * runs->stride + s] * b[j];
    for (int i = 0; i < rows * width; i++) c[i] = (float)(add ? c[i] + sum[i] : sum[i]);
}

static void outer(int rows, const float *a, ptrdiff_t lda, const float *b, int steps, float *c, const float *alpha)
{
    double sum[TILE_ROWS * TILE_COLUMNS] = { 0 };
    for (int s = 0; s < steps; s++)
        for (int r = 0; r < rows; r++)
            for (int j = 0; j < TILE_COLUMNS; j++) sum[r * TILE_COLUMNS + j] += (double)a[s * lda + r] * b[s * TILE_COLUMNS + j];
    for (int i = 0; i < rows * TILE_COLUMNS; i++)
        c[i] = (float)(alpha ? (double)c[i] * alpha[i % TILE_COLUMNS] + sum[i] : sum[i]);
}

static float weight_f32(const void *b, int i)
{
    return ((const float *)b)[i];
}

static float weight_f16(const void *b, int i)
{
    return sdw_f16_to_f32(((const uint16_t *)b)[i]);
}

static float weight_bf16(const void *b, int i)
{
    return sdw_bf16_to_f32(((const uint16_t *)b)[i]);
}

/* Asks for nothing. */
static void linear(int rows, float (*weight)(const void *b, int i), const sdw_cpu_linear *l)
{
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < TILE_COLUMNS; j++) {
            float *c = l->c + r * TILE_COLUMNS + j;
            double sum = 0;
            for (int s = 0; s < l->steps; s++) sum += (double)l->a[r * l->stride + s] * weight(l->b, s * TILE_COLUMNS + j);
            *c = (float)(l->add ? *c + sum : sum);
        }
}

#define ROWS(n)                                                                                                     \
    static void tile_##n(const float *a, const float *b, float *c, const sdw_cpu_runs *runs, bool add)              \
    {                                                                                                               \
        tile(n, TILE_COLUMNS, a, b, c, runs, add);                                                                  \
    }                                                                                                               \
    static void tile_half_##n(const float *a, const float *b, float *c, const sdw_cpu_runs *runs, bool add)         \
    {                                                                                                               \
        tile(n, TILE_COLUMNS / 2, a, b, c, runs, add);                                                              \
    }                                                                                                               \
    static void linear_f32_##n(const sdw_cpu_linear *l)                                                             \
    {                                                                                                               \
        linear(n, weight_f32, l);                                                                                   \
    }                                                                                                               \
    static void linear_f16_##n(const sdw_cpu_linear *l)                                                             \
    {                                                                                                               \
        linear(n, weight_f16, l);                                                                                   \
    }                                                                                                               \
    static void linear_bf16_##n(const sdw_cpu_linear *l)                                                            \
    {                                                                                                               \
        linear(n, weight_bf16, l);                                                                                  \
    }                                                                                                               \
    static void outer_##n(const float *a, ptrdiff_t lda, const float *b, int steps, float *c, const float *alpha)   \
    {                                                                                                               \
        outer(n, a, lda, b, steps, c, alpha);                                                                       \
    }
ROWS(1)
ROWS(2)
ROWS(3)
ROWS(4)
#undef ROWS

/* ---- attention ---- */

static void softmax(float *s, int keys, float *top, float *sum, float *alpha)
{
    for (int j = 0; j < TILE_COLUMNS; j++) {
        float m = top[j];
        for (int i = 0; i < keys; i++)
            if (!(s[i * TILE_COLUMNS + j] <= m)) m = s[i * TILE_COLUMNS + j]; /* a NaN stays */
        double total = 0;
        for (int i = 0; i < keys; i++) {
            float *p = &s[i * TILE_COLUMNS + j];
            *p = (float)exp((double)*p - m);
            total += *p;
        }
        alpha[j] = (float)exp((double)top[j] - m);
        sum[j] = (float)((double)sum[j] * alpha[j] + total);
        top[j] = m;
    }
}

static void transpose(float *dst, ptrdiff_t dst_stride, const float *src, ptrdiff_t src_stride, int rows, int columns, float factor)
{
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++) dst[c * dst_stride + r] = src[r * src_stride + c] * factor;
}

/* ---- element functions ---- */

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* GELU is x * Phi(x), Phi the normal distribution: Hendrycks and Gimpel 2016; "tanh" is their approximation, "quick" the
 * sigmoid one that CLIP uses. */
static double apply(double x, sdw_act act)
{
    static const double root_half = 0.70710678118654752440, root_2_pi = 0.79788456080286535588;
    switch (act) {
    case SDW_ACT_SILU: return x * sigmoid(x);
    case SDW_ACT_GELU: return 0.5 * x * erfc(-x * root_half);
    case SDW_ACT_GELU_TANH: return x * sigmoid(2 * root_2_pi * (x + 0.044715 * x * x * x));
    case SDW_ACT_QUICK_GELU: return x * sigmoid(1.702 * x);
    case SDW_ACT_NONE: break;
    }
    return x;
}

static void act_values(float *dst, const float *src, size_t n, sdw_act act)
{
    for (size_t i = 0; i < n; i++) dst[i] = (float)apply(src[i], act);
}

static void add_values(float *dst, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) dst[i] = a[i] + b[i];
}

/* ---- into and out of products ---- */

static void gather(float *dst, const sdw_cpu_gather *g)
{
    for (int i = 0; i < g->rows; i++, dst += SDW_CPU_SEGMENT) {
        int32_t row = g->index ? g->index[i] : i;
        const float *src = g->src + (row < 0 ? 0 : row * g->stride);
        if (row < 0) memset(dst, 0, (size_t)g->length * sizeof *dst);
        else if (!g->scale) memcpy(dst, src, (size_t)g->length * sizeof *dst);
        else
            for (int c = 0; c < g->length; c++) dst[c] = (float)apply((double)src[c] * g->scale[c] + g->shift[c], g->act);
    }
}

static void affine(float *dst, const float *src, const float *scale, const float *shift, size_t n, sdw_act act)
{
    for (size_t i = 0; i < n; i++) dst[i] = (float)apply((double)src[i] * scale[i] + shift[i], act);
}

static void widen_f16(float *dst, const uint16_t *src, size_t n)
{
    for (size_t i = 0; i < n; i++) dst[i] = sdw_f16_to_f32(src[i]);
}

static void widen_bf16(float *dst, const uint16_t *src, size_t n)
{
    for (size_t i = 0; i < n; i++) dst[i] = sdw_bf16_to_f32(src[i]);
}

static void finish(const sdw_cpu_finish *f)
{
    for (int r = 0; r < f->rows; r++)
        for (int j = 0; j < f->columns; j++) {
            double v = f->c[r * f->width + j];
            if (f->bias) v += f->bias[j];
            if (f->lane) v += f->lane[j];
            v = apply(v, f->act);
            if (f->residual) v += f->residual[r * f->residual_stride + j];
            f->out[r * f->out_stride + j] = (float)v;
        }
}

static void finish_glu(const sdw_cpu_finish *f)
{
    for (int r = 0; r < f->rows; r++)
        for (int j = 0; j < f->columns; j++) {
            const float *c = f->c + r * f->width;
            double value = (double)c[j] + (f->bias ? f->bias[j] : 0), gate = (double)c[f->width / 2 + j] + (f->lane ? f->lane[j] : 0);
            f->out[r * f->out_stride + j] = (float)(value * apply(gate, f->act));
        }
}

/* ---- weights ---- */

static void panel16(void *dst, int width, const int32_t *row, const void *src, ptrdiff_t src_stride, int rows, int columns)
{
    const char *from = src;
    for (int k = 0; k < columns; k++)
        for (int r = 0; r < width; r++) {
            uint16_t v = 0;
            if (r < rows) memcpy(&v, from + 2 * (r * src_stride + k), 2);
            ((uint16_t *)dst)[(ptrdiff_t)row[k] * width + r] = v;
        }
}

static void panel32(void *dst, int width, const int32_t *row, const void *src, ptrdiff_t src_stride, int rows, int columns)
{
    const char *from = src;
    for (int k = 0; k < columns; k++)
        for (int r = 0; r < width; r++) {
            uint32_t v = 0;
            if (r < rows) memcpy(&v, from + 4 * (r * src_stride + k), 4);
            ((uint32_t *)dst)[(ptrdiff_t)row[k] * width + r] = v;
        }
}

/* ---- norms ---- */

static void moments(const float *x, ptrdiff_t stride, int rows, int channels, double *sum, double *square)
{
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < channels; c++) {
            double v = x[r * stride + c];
            sum[c] += v;
            square[c] += v * v;
        }
}

static void norm_row(float *out, const float *x, int n, const float *gamma, const float *beta, float eps)
{
    double sum = 0, square = 0;
    for (int i = 0; i < n; i++) sum += x[i];
    double mean = sum / n;
    for (int i = 0; i < n; i++) square += (x[i] - mean) * (x[i] - mean);
    double scale = 1 / sqrt(square / n + (double)eps);
    for (int i = 0; i < n; i++) {
        double v = (x[i] - mean) * scale;
        out[i] = (float)(gamma ? v * gamma[i] + beta[i] : v);
    }
}

static double peak(long rounds, float *ret)
{
    float v[8] = { 0 };
    for (long i = 0; i < rounds; i++)
        for (int j = 0; j < 8; j++) v[j] = v[j] * 0.999f + 0.001f;
    for (int j = 0; j < 8; j++) *ret += v[j];
    return 16.0 * (double)rounds;
}

void sdw_cpu_kernels_init(sdw_cpu_kernels *k, unsigned flags)
{
    *k = (sdw_cpu_kernels){
        .mr = TILE_ROWS,
        .nr = TILE_COLUMNS,
        .steps_max = SDW_CPU_RUNS_MAX * SDW_CPU_SEGMENT,
        .score_scale = 1,
        .tile = { NULL, tile_1, tile_2, tile_3, tile_4 },
        .tile_half = { NULL, tile_half_1, tile_half_2, tile_half_3, tile_half_4 },
        .linear_f32 = { NULL, linear_f32_1, linear_f32_2, linear_f32_3, linear_f32_4 },
        .linear_f16 = { NULL, linear_f16_1, linear_f16_2, linear_f16_3, linear_f16_4 },
        .linear_bf16 = { NULL, linear_bf16_1, linear_bf16_2, linear_bf16_3, linear_bf16_4 },
        .widen_in_tile = flags & SDW_CPU_WIDENS_FREE,
        .outer = { NULL, outer_1, outer_2, outer_3, outer_4 },
        .softmax = softmax,
        .transpose = transpose,
        .gather = gather,
        .affine = affine,
        .widen_f16 = widen_f16,
        .widen_bf16 = widen_bf16,
        .finish = finish,
        .finish_glu = finish_glu,
        .panel16 = panel16,
        .panel32 = panel32,
        .moments = moments,
        .norm_row = norm_row,
        .act = act_values,
        .add = add_values,
        .peak = peak,
    };
    sdw_cpu_kernels_winograd(k);
    if (flags & SDW_CPU_AVX2) sdw_cpu_kernels_avx2(k);
    if (flags & SDW_CPU_AVX512) sdw_cpu_kernels_avx512(k);
}
