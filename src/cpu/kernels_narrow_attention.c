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

/* ---- queries ---- */

static float largest(const float *src, int n, int stride)
{
    float most = 0;
    for (int i = 0; i < n; i++)
        if (!(fabsf(src[i * stride]) <= most)) most = fabsf(src[i * stride]); /* a NaN stays or spoils what follows */
    for (int i = 0; i < n; i++)
        if (!isfinite(src[i * stride])) most = NAN;
    return most;
}

static int8_t quantized(float x, float inverse)
{
    float v = rintf(x * inverse);
    return (int8_t)(v > 127 ? 127 : v < -127 ? -127 : v == v ? v : 0);
}

static float inverse_of(float most)
{
    return most > 0 && isfinite(most) ? 127.0f / most : 0;
}

static void columns_int8(void *panel, float *factor, float *sums, const float *src, int dim, int steps)
{
    memset(panel, 0, (size_t)(steps * COLUMNS));
    for (int j = 0; j < COLUMNS; j++) {
        float most = largest(src + j, dim, COLUMNS), inverse = inverse_of(most);
        int sum = 0;
        for (int i = 0; i < dim; i++) {
            int8_t v = quantized(src[i * COLUMNS + j], inverse);
            ((int8_t *)panel)[at(i, j, 4)] = v;
            sum += v;
        }
        factor[j] = most / 127;
        sums[j] = (float)sum;
    }
}

typedef uint16_t narrow_fn(float x);

static void columns16(uint16_t *panel, const float *src, int dim, int steps, int group, narrow_fn *narrow)
{
    for (int i = 0; i < steps; i++)
        for (int j = 0; j < COLUMNS; j++) panel[at(i, j, group)] = i < dim ? narrow(src[i * COLUMNS + j]) : 0;
}

static void columns_bf16(void *panel, float *factor, float *sums, const float *src, int dim, int steps)
{
    (void)factor;
    (void)sums;
    columns16(panel, src, dim, steps, 2, sdw_f32_to_bf16);
}

static void columns_f16(void *panel, float *factor, float *sums, const float *src, int dim, int steps)
{
    (void)factor;
    (void)sums;
    columns16(panel, src, dim, steps, 1, sdw_f32_to_f16);
}

/* ---- values ---- */

static void values_int8(void *dst, float *scale, const float *src, int n, int padded)
{
    float most = largest(src, n, 1), inverse = inverse_of(most);
    memset(dst, 0, (size_t)padded);
    for (int i = 0; i < n; i++) ((int8_t *)dst)[i] = quantized(src[i], inverse);
    *scale = most / 127;
}

static void values16(uint16_t *dst, const float *src, int n, int padded, narrow_fn *narrow)
{
    for (int i = 0; i < padded; i++) dst[i] = i < n ? narrow(src[i]) : 0;
}

static void values_bf16(void *dst, float *scale, const float *src, int n, int padded)
{
    (void)scale;
    values16(dst, src, n, padded, sdw_f32_to_bf16);
}

static void values_f16(void *dst, float *scale, const float *src, int n, int padded)
{
    (void)scale;
    values16(dst, src, n, padded, sdw_f32_to_f16);
}

/* ---- softmax ---- */

static float top_of(const float *s, int keys, float before)
{
    for (int i = 0; i < keys; i++)
        if (!(s[i * COLUMNS] <= before)) before = s[i * COLUMNS];
    return before;
}

static void softmax_int8(void *p, float *factor, const float *s, int keys, int steps, float *top, float *sum, float *alpha)
{
    memset(p, 0, (size_t)(steps * COLUMNS));
    for (int j = 0; j < COLUMNS; j++) {
        float here = top_of(s + j, keys, -INFINITY), now = here <= top[j] ? top[j] : here;
        int total = 0;
        for (int i = 0; i < keys; i++) {
            double v = rint(exp((double)s[i * COLUMNS + j] - here) * 255);
            uint8_t b = (uint8_t)(v == v ? v : 0);
            ((uint8_t *)p)[at(i, j, 4)] = b;
            total += b;
        }
        factor[j] = (float)(exp((double)here - now) / 255);
        alpha[j] = (float)exp((double)top[j] - now);
        sum[j] = (float)((double)sum[j] * alpha[j] + (double)factor[j] * total);
        top[j] = now;
    }
}

static void softmax16(uint16_t *p, const float *s, int keys, int steps, float *top, float *sum, float *alpha, int group, narrow_fn *narrow)
{
    for (int j = 0; j < COLUMNS; j++) {
        float now = top_of(s + j, keys, top[j]);
        double total = 0;
        for (int i = 0; i < steps; i++) {
            double v = i < keys ? exp((double)s[i * COLUMNS + j] - now) : 0;
            p[at(i, j, group)] = narrow((float)v);
            total += v;
        }
        alpha[j] = (float)exp((double)top[j] - now);
        sum[j] = (float)((double)sum[j] * alpha[j] + total);
        top[j] = now;
    }
}

static void softmax_bf16(void *p, float *factor, const float *s, int keys, int steps, float *top, float *sum, float *alpha)
{
    (void)factor;
    softmax16(p, s, keys, steps, top, sum, alpha, 2, sdw_f32_to_bf16);
}

static void softmax_f16(void *p, float *factor, const float *s, int keys, int steps, float *top, float *sum, float *alpha)
{
    (void)factor;
    softmax16(p, s, keys, steps, top, sum, alpha, 1, sdw_f32_to_f16);
}

/* ---- sums ---- */

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
        sum += (double)sdw_f16_to_f32(((const uint16_t *)(const void *)a)[s]) * sdw_f16_to_f32(((const uint16_t *)b)[at(s, j, 1)]);
    return sum;
}

typedef double sum_fn(const char *a, const void *b, int steps, int j);

static void outer(const sdw_cpu_narrow_outer *o, sum_fn *sum)
{
    for (int r = 0; r < o->rows; r++)
        for (int j = 0; j < COLUMNS; j++) {
            double part = sum((const char *)o->a + r * o->stride, o->b, o->steps, j);
            if (o->scale) part *= (double)o->scale[r] * o->factor[j];
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

void sdw_cpu_narrow_scalar_attention(sdw_cpu_narrow *n, sdw_cpu_precision p)
{
    static const struct {
        sdw_cpu_narrow_columns_fn *columns;
        sdw_cpu_narrow_values_fn *values;
        sdw_cpu_narrow_softmax_fn *softmax;
        sdw_cpu_narrow_outer_fn *outer;
    } rows[SDW_PRECISIONS] = {
        [SDW_PRECISION_INT8] = { columns_int8, values_int8, softmax_int8, outer_int8 },
        [SDW_PRECISION_BF16] = { columns_bf16, values_bf16, softmax_bf16, outer_bf16 },
        [SDW_PRECISION_F16] = { columns_f16, values_f16, softmax_f16, outer_f16 },
    };
    n->step_unit = n->group;
    n->columns = rows[p].columns;
    n->values = rows[p].values;
    n->softmax = rows[p].softmax;
    n->outer = rows[p].outer;
}
