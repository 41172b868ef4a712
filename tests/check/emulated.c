/* emulated.c - the products of AMX and AVX512-FP16, from the very source that those compile, over their operations in plain C: for f16 the
 * definition, to the bit, that test_fp16.c holds the others against. */
#include <math.h>
#include <string.h>

#include "check_narrow.h"
#include "core/half.h"

/* ---- tiles of 16 rows times 64 bytes ---- */

static _Alignas(64) uint8_t tiles[8][16 * 64];

static void tile_load(uint8_t *tile, const char *from, ptrdiff_t stride)
{
    for (int r = 0; r < 16; r++) memcpy(tile + r * 64, from + r * stride, 64);
}

static void tile_store(const uint8_t *tile, char *to, ptrdiff_t stride)
{
    for (int r = 0; r < 16; r++) memcpy(to + r * stride, tile + r * 64, 64);
}

static void tile_bytes(uint8_t *sum, const uint8_t *rows, const uint8_t *panel, bool signed_rows)
{
    for (int r = 0; r < 16; r++)
        for (int j = 0; j < 16; j++) {
            int32_t v;
            memcpy(&v, sum + r * 64 + j * 4, 4);
            for (int s = 0; s < 64; s++) {
                uint8_t a = rows[r * 64 + s], b = panel[s / 4 * 64 + j * 4 + s % 4];
                v += signed_rows ? (int8_t)a * b : a * (int8_t)b;
            }
            memcpy(sum + r * 64 + j * 4, &v, 4);
        }
}

static void tile_bf16(uint8_t *sum, const uint8_t *rows, const uint8_t *panel)
{
    for (int r = 0; r < 16; r++)
        for (int j = 0; j < 16; j++) {
            float v;
            memcpy(&v, sum + r * 64 + j * 4, 4);
            for (int s = 0; s < 32; s++) {
                uint16_t a, b;
                memcpy(&a, rows + r * 64 + s * 2, 2);
                memcpy(&b, panel + s / 2 * 64 + j * 4 + s % 2 * 2, 2);
                v += sdw_bf16_to_f32(a) * sdw_bf16_to_f32(b);
            }
            memcpy(sum + r * 64 + j * 4, &v, 4);
        }
}

#define TILE_ZERO(t) memset(tiles[t], 0, sizeof tiles[t])
#define TILE_LOAD(t, from, stride) tile_load(tiles[t], from, stride)
#define TILE_STORE(t, to, stride) tile_store(tiles[t], (char *)(to), stride)
#define TILE_BYTES_US(sum, rows, panel) tile_bytes(tiles[sum], tiles[rows], tiles[panel], false)
#define TILE_BYTES_SU(sum, rows, panel) tile_bytes(tiles[sum], tiles[rows], tiles[panel], true)
#define TILE_BF16(sum, rows, panel) tile_bf16(tiles[sum], tiles[rows], tiles[panel])
#include "cpu/amx_products.h"

/* ---- vectors of 16 pairs of f16 ---- */

typedef struct halves {
    uint16_t v[32];
} halves;

static halves load_halves(const void *from)
{
    halves h;
    memcpy(&h, from, sizeof h);
    return h;
}

static halves pair_of(const void *from)
{
    halves h;
    for (int j = 0; j < 32; j += 2) memcpy(h.v + j, from, 4);
    return h;
}

/* The f16 nearest to x, ties to even. */
static uint16_t nearest(double x)
{
    int exponent;
    if (!isfinite(x)) return sdw_f32_to_f16((float)x);
    frexp(x, &exponent);
    double unit = ldexp(1, exponent - 11 > -24 ? exponent - 11 : -24);
    return sdw_f32_to_f16((float)(rint(x / unit) * unit));
}

/* The sum in double is exact wherever it is near the middle of two f16: such a product's last bit is less than 53 bits below. */
static uint16_t multiply_add_one(uint16_t sum, uint16_t a, uint16_t b)
{
    return nearest((double)sdw_f16_to_f32(a) * (double)sdw_f16_to_f32(b) + (double)sdw_f16_to_f32(sum));
}

static halves multiply_add(halves sum, halves vector, halves pair)
{
    for (int j = 0; j < 32; j++) sum.v[j] = multiply_add_one(sum.v[j], vector.v[j], pair.v[j]);
    return sum;
}

static float column_of(const halves *sum, int j)
{
    return sdw_f16_to_f32(nearest((double)sdw_f16_to_f32(sum->v[2 * j]) + (double)sdw_f16_to_f32(sum->v[2 * j + 1])));
}

static void promote(float *c, halves sum, const float *alpha)
{
    for (int j = 0; j < 16; j++) c[j] = fmaf(c[j], alpha ? alpha[j] : 1, column_of(&sum, j));
}

static void store_halves(float *c, halves sum)
{
    for (int j = 0; j < 16; j++) c[j] = column_of(&sum, j);
}

typedef struct floats {
    float v[16];
} floats;

static floats load_floats(const float *from)
{
    floats f;
    memcpy(&f, from, sizeof f);
    return f;
}

static floats larger(floats a, floats b)
{
    for (int j = 0; j < 16; j++) a.v[j] = a.v[j] > b.v[j] ? a.v[j] : b.v[j];
    return a;
}

#define FP16_VECTOR halves
#define FP16_ZERO() ((halves){ { 0 } })
#define FP16_LOAD(from) load_halves(from)
#define FP16_PAIR(from) pair_of(from)
#define FP16_MULTIPLY_ADD(sum, vector, pair) (sum) = multiply_add(sum, vector, pair)
#define FP16_PROMOTE(c, sum, alpha) promote(c, sum, alpha)
#define FP16_STORE(c, sum) store_halves(c, sum)
#define FP16_FLOATS floats
#define FP16_FLOATS_LOAD(from) load_floats(from)
#define FP16_FLOATS_STORE(to, f) memcpy(to, &(f), sizeof(f))
#define FP16_FLOATS_MAX(a, b) larger(a, b)
#define FP16_INLINE static inline
#define FP16_UNROLL
#include "cpu/fp16_products.h"

bool emulated_narrow(sdw_cpu_narrow *n, sdw_cpu_precision p)
{
    n->unit = "emulated";
    n->begin = n->end = NULL;
    if (p == SDW_PRECISION_F16) {
        enter_rows(n);
        return true;
    }
    n->mr = AMX_ROWS;
    n->rows_read = AMX_SIDE;
    n->step_unit = AMX_BYTES / n->size;
    n->tile = p == SDW_PRECISION_INT8 ? amx_tile_int8 : amx_tile_bf16;
    n->scores = p == SDW_PRECISION_INT8 ? amx_scores_int8 : amx_scores_bf16;
    n->outer = p == SDW_PRECISION_INT8 ? amx_outer_int8 : amx_outer_bf16;
    return p == SDW_PRECISION_INT8 || p == SDW_PRECISION_BF16;
}
