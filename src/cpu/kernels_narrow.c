/* kernels_narrow.c - the scalar entries of the narrow arithmetics: the specification of narrow.h, written for being read. Tiles
 * add in double; what they add is exactly what the packed bytes stand for. */
#include <math.h>
#include <string.h>

#include "core/half.h"
#include "cpu/narrow.h"

enum { COLUMNS = 8, ROWS = 4 };

/* ---- rows ---- */

static void row_int8(void *dst, sdw_cpu_narrow_scale *scale, const float *src, int n, int padded)
{
    uint8_t *q = dst;
    float low = INFINITY, high = -INFINITY;
    bool finite = true;
    for (int i = 0; i < n; i++) {
        if (src[i] < low) low = src[i];
        if (src[i] > high) high = src[i];
        if (!isfinite(src[i])) finite = false;
    }
    memset(q, 0, (size_t)padded);
    *scale = (sdw_cpu_narrow_scale){ (high - low) / 255.0f, low };
    if (!finite || !isfinite(high - low)) {
        *scale = (sdw_cpu_narrow_scale){ NAN, 0 };
        return;
    }
    float inverse = high > low ? 255.0f / (high - low) : 0;
    for (int i = 0; i < n; i++) {
        float v = rintf((src[i] - low) * inverse);
        q[i] = (uint8_t)(v > 255 ? 255 : v);
    }
}

static void row_bf16(void *dst, sdw_cpu_narrow_scale *scale, const float *src, int n, int padded)
{
    (void)scale;
    for (int i = 0; i < padded; i++) ((uint16_t *)dst)[i] = i < n ? sdw_f32_to_bf16(src[i]) : 0;
}

static void row_f16(void *dst, sdw_cpu_narrow_scale *scale, const float *src, int n, int padded)
{
    (void)scale;
    for (int i = 0; i < padded; i++) ((uint16_t *)dst)[i] = i < n ? sdw_f32_to_f16(src[i]) : 0;
}

/* ---- weights ---- */

static void weights_int8(void *dst, const float *src, size_t n, float inverse)
{
    for (size_t i = 0; i < n; i++) {
        float v = rintf(src[i] * inverse);
        ((int8_t *)dst)[i] = (int8_t)(v > 127 ? 127 : v < -127 ? -127 : v);
    }
}

static void weights_bf16(void *dst, const float *src, size_t n, float inverse)
{
    (void)inverse;
    for (size_t i = 0; i < n; i++) ((uint16_t *)dst)[i] = sdw_f32_to_bf16(src[i]);
}

static void weights_f16(void *dst, const float *src, size_t n, float inverse)
{
    (void)inverse;
    for (size_t i = 0; i < n; i++) ((uint16_t *)dst)[i] = sdw_f32_to_f16(src[i]);
}

/* ---- tiles ---- */

/* Sum over the steps of one run of row r times column j. */
typedef double run_fn(const char *a, const char *b, int steps, int j);

static double run_int8(const char *a, const char *b, int steps, int j)
{
    int32_t sum = 0;
    for (int s = 0; s < steps; s++) sum += (int32_t)((const uint8_t *)a)[s] * ((const int8_t *)b)[(s / 4 * COLUMNS + j) * 4 + s % 4];
    return sum;
}

static double run_bf16(const char *a, const char *b, int steps, int j)
{
    const uint16_t *x = (const void *)a, *w = (const void *)b;
    double sum = 0;
    for (int s = 0; s < steps; s++) sum += (double)sdw_bf16_to_f32(x[s]) * sdw_bf16_to_f32(w[(s / 2 * COLUMNS + j) * 2 + s % 2]);
    return sum;
}

static double run_f16(const char *a, const char *b, int steps, int j)
{
    const uint16_t *x = (const void *)a, *w = (const void *)b;
    double sum = 0;
    for (int s = 0; s < steps; s++) sum += (double)sdw_f16_to_f32(x[s]) * sdw_f16_to_f32(w[(s / 2 * COLUMNS + j) * 2 + s % 2]);
    return sum;
}

static void tile(const sdw_cpu_narrow_tile *t, run_fn *run, bool scaled)
{
    for (int r = 0; r < t->rows; r++)
        for (int j = 0; j < COLUMNS; j++) {
            double sum = t->add ? t->c[r * COLUMNS + j] : 0;
            for (int i = 0; i < t->count; i++) {
                ptrdiff_t row = t->run[i].row + r;
                const char *b = (const char *)t->b + t->run[i].at, *weights = b + (scaled ? COLUMNS * sizeof(float) : 0);
                double part = run((const char *)t->a + row * t->stride, weights, t->run[i].steps, j);
                if (scaled) part = ((double)t->scale[row].scale * part + (double)t->scale[row].shift * ((const float *)(const void *)b)[j]) * t->factor[j];
                sum += part;
            }
            t->c[r * COLUMNS + j] = (float)sum;
        }
}

static void tile_int8(const sdw_cpu_narrow_tile *t)
{
    tile(t, run_int8, true);
}

static void tile_bf16(const sdw_cpu_narrow_tile *t)
{
    tile(t, run_bf16, false);
}

static void tile_f16(const sdw_cpu_narrow_tile *t)
{
    tile(t, run_f16, false);
}

void sdw_cpu_narrow_scalar(sdw_cpu_narrow *n, sdw_cpu_precision p)
{
    static const sdw_cpu_narrow table[SDW_PRECISIONS] = {
        [SDW_PRECISION_INT8] = { .name = "int8", .size = 1, .group = 4, .scaled = true, .row = row_int8, .weights = weights_int8, .tile = tile_int8 },
        [SDW_PRECISION_BF16] = { .name = "bf16", .size = 2, .group = 2, .spares_skips = true, .winograd_wins = true, .row = row_bf16, .weights = weights_bf16, .tile = tile_bf16 },
        [SDW_PRECISION_F16] = { .name = "f16", .size = 2, .group = 2, .winograd_wins = true, .row = row_f16, .weights = weights_f16, .tile = tile_f16 },
    };
    *n = table[p];
    n->unit = "scalar";
    n->nr = COLUMNS;
    n->mr = ROWS;
    n->rows_read = 1;
    sdw_cpu_narrow_scalar_attention(n, p);
}
