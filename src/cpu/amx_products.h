/* amx_products.h - products by tiles of 16 rows times 64 bytes: two tiles of rows times two of columns are added up in four.
 *
 * The operations on tiles come from the includer (kernels_amx.c: the instructions; tests/check/emulated.c: the same in plain C, so
 * that every index here is tried on machines without AMX):
 *     TILE_ZERO(t)  TILE_LOAD(t, from, stride)  TILE_STORE(t, to, stride)
 *     TILE_BYTES_US(sum, rows, panel)  rows unsigned, panel signed; TILE_BYTES_SU the other way round
 *     TILE_BF16(sum, rows, panel)
 * with t, sum, rows and panel literal numbers. Tiles 0 to 3 are sums, 4 and 5 rows, 6 and 7 columns; all are whole, so rows
 * behind the last one are read too (narrow.h) and their sums dropped. What happens to finished sums is plain C, which
 * compilers turn into vectors. */
#ifndef SDW_CPU_AMX_PRODUCTS_H
#define SDW_CPU_AMX_PRODUCTS_H

#include <string.h>

#include "cpu/narrow.h"

#if defined(TILE_ZERO) /* else nothing: a header must compile alone */

enum { AMX_ROWS = 32, AMX_COLUMNS = 32, AMX_SIDE = 16, AMX_BYTES = 64, AMX_PANEL_STRIDE = 2 * AMX_BYTES, AMX_PANEL_TILE = AMX_SIDE * AMX_PANEL_STRIDE };

static inline void amx_zero(bool both)
{
    TILE_ZERO(0);
    TILE_ZERO(1);
    if (!both) return;
    TILE_ZERO(2);
    TILE_ZERO(3);
}

/* Adds `chunks` times 64 bytes of steps to the sums; both: rows 16 to 31 as well. */
#define AMX_DEFINE_ADD(name, PRODUCT)                                                                             \
    static inline void name(const char *a, ptrdiff_t stride, const char *b, int chunks, bool both)               \
    {                                                                                                             \
        for (int i = 0; i < chunks; i++, a += AMX_BYTES, b += AMX_PANEL_TILE) {                                   \
            TILE_LOAD(6, b, AMX_PANEL_STRIDE);                                                                    \
            TILE_LOAD(4, a, stride);                                                                              \
            TILE_LOAD(7, b + AMX_BYTES, AMX_PANEL_STRIDE);                                                        \
            PRODUCT(0, 4, 6);                                                                                     \
            PRODUCT(1, 4, 7);                                                                                     \
            if (!both) continue;                                                                                  \
            TILE_LOAD(5, a + AMX_SIDE * stride, stride);                                                          \
            PRODUCT(2, 5, 6);                                                                                     \
            PRODUCT(3, 5, 7);                                                                                     \
        }                                                                                                         \
    }
AMX_DEFINE_ADD(amx_add_us, TILE_BYTES_US)
AMX_DEFINE_ADD(amx_add_su, TILE_BYTES_SU)
AMX_DEFINE_ADD(amx_add_bf16, TILE_BF16)
#undef AMX_DEFINE_ADD

/* Sums to 16 or 32 rows of 32 words. */
static inline void amx_store(void *to, bool both)
{
    const ptrdiff_t stride = AMX_COLUMNS * 4;
    TILE_STORE(0, to, stride);
    TILE_STORE(1, (char *)to + AMX_BYTES, stride);
    if (!both) return;
    TILE_STORE(2, (char *)to + AMX_SIDE * stride, stride);
    TILE_STORE(3, (char *)to + AMX_SIDE * stride + AMX_BYTES, stride);
}

static inline void amx_load_sums(const void *from)
{
    const ptrdiff_t stride = AMX_COLUMNS * 4;
    TILE_LOAD(0, (const char *)from, stride);
    TILE_LOAD(1, (const char *)from + AMX_BYTES, stride);
    TILE_LOAD(2, (const char *)from + AMX_SIDE * stride, stride);
    TILE_LOAD(3, (const char *)from + AMX_SIDE * stride + AMX_BYTES, stride);
}

/* factor * (scale * sum + shift * sum of weights) onto what c holds. */
static inline void amx_settle(const int32_t *restrict sum, int rows, const sdw_cpu_narrow_scale *scale, const float *restrict sums,
                              const float *restrict factor, float *restrict c, bool add)
{
    for (int r = 0; r < rows; r++, sum += AMX_COLUMNS, c += AMX_COLUMNS) {
        float by = scale[r].scale, shift = scale[r].shift;
        if (add)
            for (int j = 0; j < AMX_COLUMNS; j++) c[j] += (by * (float)sum[j] + shift * sums[j]) * factor[j];
        else
            for (int j = 0; j < AMX_COLUMNS; j++) c[j] = (by * (float)sum[j] + shift * sums[j]) * factor[j];
    }
}

static void amx_tile_int8(const sdw_cpu_narrow_tile *t)
{
    _Alignas(64) int32_t sum[AMX_ROWS * AMX_COLUMNS];
    bool both = t->rows > AMX_SIDE;
    for (int i = 0; i < t->count; i++) {
        const char *b = (const char *)t->b + t->run[i].at;
        const float *sums = (const float *)(const void *)b;
        amx_zero(both);
        amx_add_us((const char *)t->a + t->run[i].row * t->stride, t->stride, b + AMX_COLUMNS * sizeof(float), t->run[i].steps / AMX_BYTES, both);
        amx_store(sum, both);
        amx_settle(sum, t->rows, t->scale + t->run[i].row, sums, t->factor, t->c, t->add || i > 0);
    }
}

static void amx_tile_bf16(const sdw_cpu_narrow_tile *t)
{
    _Alignas(64) float sum[AMX_ROWS * AMX_COLUMNS];
    bool both = t->rows > AMX_SIDE, whole = t->rows == AMX_ROWS;
    if (whole && t->add) amx_load_sums(t->c);
    else amx_zero(both);
    for (int i = 0; i < t->count; i++)
        amx_add_bf16((const char *)t->a + t->run[i].row * t->stride, t->stride, (const char *)t->b + t->run[i].at, t->run[i].steps * 2 / AMX_BYTES, both);
    amx_store(whole ? t->c : sum, both);
    if (whole) return;
    float *restrict c = t->c;
    for (int j = 0; j < t->rows * AMX_COLUMNS; j++) c[j] = t->add ? c[j] + sum[j] : sum[j];
}

/* Scores of one row onto the largest; a NaN is taken where it comes last. */
static inline void amx_raise(const float *restrict c, float *restrict most)
{
    for (int j = 0; j < AMX_COLUMNS; j++) most[j] = most[j] > c[j] ? most[j] : c[j];
}

static void amx_scores_int8(const sdw_cpu_narrow_scores *s)
{
    _Alignas(64) int32_t sum[AMX_ROWS * AMX_COLUMNS];
    bool both = s->rows > AMX_SIDE;
    amx_zero(both);
    amx_add_su(s->a, s->stride, s->b, s->steps / AMX_BYTES, both);
    amx_store(sum, both);
    float *restrict most = s->most;
    for (int r = 0; r < s->rows; r++) {
        float *restrict c = s->c + r * AMX_COLUMNS, scale = s->sign[r].scale;
        int32_t start = s->sign[r].start;
        for (int j = 0; j < AMX_COLUMNS; j++) {
            float v = (float)(sum[r * AMX_COLUMNS + j] + start) * scale;
            c[j] = v;
            most[j] = most[j] > v ? most[j] : v;
        }
    }
}

static void amx_scores_bf16(const sdw_cpu_narrow_scores *s)
{
    _Alignas(64) float sum[AMX_ROWS * AMX_COLUMNS];
    bool both = s->rows > AMX_SIDE, whole = s->rows == AMX_ROWS;
    amx_zero(both);
    amx_add_bf16(s->a, s->stride, s->b, s->steps * 2 / AMX_BYTES, both);
    amx_store(whole ? s->c : sum, both);
    for (int r = 0; r < s->rows; r++) {
        float *c = s->c + r * AMX_COLUMNS;
        if (!whole) memcpy(c, sum + r * AMX_COLUMNS, AMX_COLUMNS * sizeof *c);
        amx_raise(c, s->most);
    }
}

static void amx_outer_int8(const sdw_cpu_narrow_outer *o)
{
    _Alignas(64) int32_t sum[AMX_ROWS * AMX_COLUMNS];
    bool both = o->rows > AMX_SIDE;
    amx_zero(both);
    amx_add_su(o->a, o->stride, o->b, o->steps / AMX_BYTES, both);
    amx_store(sum, both);
    const float *restrict factor = o->factor, *restrict alpha = o->alpha;
    for (int r = 0; r < o->rows; r++) {
        float *restrict c = o->c + r * AMX_COLUMNS, scale = o->sign[r].scale;
        for (int j = 0; j < AMX_COLUMNS; j++) c[j] = c[j] * alpha[j] + (float)sum[r * AMX_COLUMNS + j] * (scale * factor[j]);
    }
}

static void amx_outer_bf16(const sdw_cpu_narrow_outer *o)
{
    _Alignas(64) float sum[AMX_ROWS * AMX_COLUMNS];
    bool both = o->rows > AMX_SIDE;
    amx_zero(both);
    amx_add_bf16(o->a, o->stride, o->b, o->steps * 2 / AMX_BYTES, both);
    amx_store(sum, both);
    const float *restrict alpha = o->alpha;
    for (int r = 0; r < o->rows; r++) {
        float *restrict c = o->c + r * AMX_COLUMNS;
        for (int j = 0; j < AMX_COLUMNS; j++) c[j] = c[j] * alpha[j] + sum[r * AMX_COLUMNS + j];
    }
}

#endif
#endif
