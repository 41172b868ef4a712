/* kernels_narrow_attention.c - the scalar entries of attention in narrow arithmetic: the specification of narrow.h's second part. */
#include <math.h>
#include <string.h>

#include "core/half.h"
#include "cpu/narrow.h"

enum { COLUMNS = 8 };

/* Where step s of column j lies in a panel. */
static int at(int s, int j, int group)
{
    return (s / group * COLUMNS + j) * group + s % group;
}

/* ---- rows and queries ---- */

static float largest(const float *src, int n, int stride)
{
    float most = 0;
    for (int i = 0; i < n; i++) {
        if (!isfinite(src[i * stride])) return NAN;
        if (fabsf(src[i * stride]) > most) most = fabsf(src[i * stride]);
    }
    return most;
}

static int quantized(float x, float inverse)
{
    float v = rintf(x * inverse);
    return v > 127 ? 127 : v < -127 ? -127 : v == v ? (int)v : 0;
}

static float inverse_of(float most)
{
    return most > 0 ? 127.0f / most : 0;
}

static void signed_int8(void *dst, sdw_cpu_narrow_sign *sign, const float *src, int n, int padded)
{
    float most = largest(src, n, 1), inverse = inverse_of(most);
    int sum = 0;
    memset(dst, 0, (size_t)padded);
    for (int i = 0; i < n; i++) {
        int v = quantized(src[i], inverse);
        ((int8_t *)dst)[i] = (int8_t)v;
        sum += v;
    }
    *sign = (sdw_cpu_narrow_sign){ most / 127, -128 * sum };
}

static void columns_int8(void *panel, float *by, const float *src, int dim, int steps)
{
    memset(panel, 128, (size_t)(steps * COLUMNS));
    for (int j = 0; j < COLUMNS; j++) {
        float most = largest(src + j, dim, COLUMNS), inverse = inverse_of(most);
        for (int i = 0; i < dim; i++) ((uint8_t *)panel)[at(i, j, 4)] = (uint8_t)(quantized(src[i * COLUMNS + j], inverse) + 128);
        by[j] = most / 127;
    }
}

typedef uint16_t narrow_fn(float x);

static void signed16(uint16_t *dst, const float *src, int n, int padded, narrow_fn *narrow)
{
    for (int i = 0; i < padded; i++) dst[i] = i < n ? narrow(src[i]) : 0;
}

static void columns16(uint16_t *panel, const float *src, int dim, int steps, narrow_fn *narrow)
{
    for (int i = 0; i < steps; i++)
        for (int j = 0; j < COLUMNS; j++) panel[at(i, j, 2)] = i < dim ? narrow(src[i * COLUMNS + j]) : 0;
}

static void signed_bf16(void *dst, sdw_cpu_narrow_sign *sign, const float *src, int n, int padded)
{
    (void)sign;
    signed16(dst, src, n, padded, sdw_f32_to_bf16);
}

static void signed_f16(void *dst, sdw_cpu_narrow_sign *sign, const float *src, int n, int padded)
{
    (void)sign;
    signed16(dst, src, n, padded, sdw_f32_to_f16);
}

static void columns_bf16(void *panel, float *by, const float *src, int dim, int steps)
{
    (void)by;
    columns16(panel, src, dim, steps, sdw_f32_to_bf16);
}

static void columns_f16(void *panel, float *by, const float *src, int dim, int steps)
{
    (void)by;
    columns16(panel, src, dim, steps, sdw_f32_to_f16);
}

/* ---- sums: signed rows times a panel ---- */

typedef double sum_fn(const char *a, const void *b, int steps, int j);

static double sum_int8(const char *a, const void *b, int steps, int j)
{
    int32_t sum = 0;
    for (int s = 0; s < steps; s++) sum += (int32_t)((const int8_t *)a)[s] * ((const uint8_t *)b)[at(s, j, 4)];
    return sum;
}

static double sum_bf16(const char *a, const void *b, int steps, int j)
{
    double sum = 0;
    for (int s = 0; s < steps; s++)
        sum += (double)sdw_bf16_to_f32(((const uint16_t *)(const void *)a)[s]) * sdw_bf16_to_f32(((const uint16_t *)b)[at(s, j, 2)]);
    return sum;
}

static double sum_f16(const char *a, const void *b, int steps, int j)
{
    double sum = 0;
    for (int s = 0; s < steps; s++)
        sum += (double)sdw_f16_to_f32(((const uint16_t *)(const void *)a)[s]) * sdw_f16_to_f32(((const uint16_t *)b)[at(s, j, 2)]);
    return sum;
}

static void scores(const sdw_cpu_narrow_scores *s, sum_fn *sum)
{
    for (int r = 0; r < s->rows; r++)
        for (int j = 0; j < COLUMNS; j++) {
            double v = sum((const char *)s->a + r * s->stride, s->b, s->steps, j);
            if (s->sign) v = s->sign[r].scale * (v + s->sign[r].start);
            float *c = &s->c[r * COLUMNS + j];
            *c = (float)v;
            if (!(s->most[j] >= *c)) s->most[j] = *c;
        }
}

static void scores_int8(const sdw_cpu_narrow_scores *s)
{
    scores(s, sum_int8);
}

static void scores_bf16(const sdw_cpu_narrow_scores *s)
{
    scores(s, sum_bf16);
}

static void scores_f16(const sdw_cpu_narrow_scores *s)
{
    scores(s, sum_f16);
}

static void outer(const sdw_cpu_narrow_outer *o, sum_fn *sum)
{
    for (int r = 0; r < o->rows; r++)
        for (int j = 0; j < COLUMNS; j++) {
            double part = sum((const char *)o->a + r * o->stride, o->b, o->steps, j);
            if (o->sign) part *= (double)o->sign[r].scale * o->factor[j];
            o->c[r * COLUMNS + j] = (float)((double)o->c[r * COLUMNS + j] * o->alpha[j] + part);
        }
}

static void outer_int8(const sdw_cpu_narrow_outer *o)
{
    outer(o, sum_int8);
}

static void outer_bf16(const sdw_cpu_narrow_outer *o)
{
    outer(o, sum_bf16);
}

static void outer_f16(const sdw_cpu_narrow_outer *o)
{
    outer(o, sum_f16);
}

/* ---- softmax ---- */

static void softmax_int8(const sdw_cpu_narrow_softmax *x)
{
    memset(x->p, 0, (size_t)(x->steps * COLUMNS));
    for (int j = 0; j < COLUMNS; j++) {
        double by = x->by[j], here = x->most[j] * by, now = here <= (double)x->top[j] ? (double)x->top[j] : here;
        int total = 0;
        for (int i = 0; i < x->keys; i++) {
            double v = rint(exp(x->s[i * COLUMNS + j] * by - here) * 255);
            uint8_t b = (uint8_t)(v == v ? v : 0);
            ((uint8_t *)x->p)[at(i, j, 4)] = b;
            total += b;
        }
        x->factor[j] = (float)(exp(here - now) / 255);
        x->alpha[j] = (float)exp((double)x->top[j] - now);
        x->sum[j] = (float)((double)x->sum[j] * x->alpha[j] + (double)x->factor[j] * total);
        x->top[j] = (float)now;
    }
}

static void softmax16(const sdw_cpu_narrow_softmax *x, narrow_fn *narrow)
{
    for (int j = 0; j < COLUMNS; j++) {
        float now = x->most[j] <= x->top[j] ? x->top[j] : x->most[j];
        double total = 0;
        for (int i = 0; i < x->steps; i++) {
            double v = i < x->keys ? exp((double)x->s[i * COLUMNS + j] - now) : 0;
            ((uint16_t *)x->p)[at(i, j, 2)] = narrow((float)v);
            total += v;
        }
        x->alpha[j] = (float)exp((double)x->top[j] - now);
        x->sum[j] = (float)((double)x->sum[j] * x->alpha[j] + total);
        x->top[j] = now;
    }
}

static void softmax_bf16(const sdw_cpu_narrow_softmax *x)
{
    softmax16(x, sdw_f32_to_bf16);
}

static void softmax_f16(const sdw_cpu_narrow_softmax *x)
{
    softmax16(x, sdw_f32_to_f16);
}

void sdw_cpu_narrow_scalar_attention(sdw_cpu_narrow *n, sdw_cpu_precision p)
{
    static const struct {
        sdw_cpu_narrow_signed_fn *signed_row;
        sdw_cpu_narrow_columns_fn *columns;
        sdw_cpu_narrow_scores_fn *scores;
        sdw_cpu_narrow_softmax_fn *softmax;
        sdw_cpu_narrow_outer_fn *outer;
    } rows[SDW_PRECISIONS] = {
        [SDW_PRECISION_INT8] = { signed_int8, columns_int8, scores_int8, softmax_int8, outer_int8 },
        [SDW_PRECISION_BF16] = { signed_bf16, columns_bf16, scores_bf16, softmax_bf16, outer_bf16 },
        [SDW_PRECISION_F16] = { signed_f16, columns_f16, scores_f16, softmax_f16, outer_f16 },
    };
    n->step_unit = n->group;
    n->signed_row = rows[p].signed_row;
    n->columns = rows[p].columns;
    n->scores = rows[p].scores;
    n->softmax = rows[p].softmax;
    n->outer = rows[p].outer;
}
