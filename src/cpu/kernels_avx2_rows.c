/* kernels_avx2_rows.c - everything beside the products with AVX2: moving rows in and out of them, transposes, norms, element
 * functions. */
#include "cpu/kernels.h"

#if defined(__AVX2__) && defined(__FMA__)

#include <math.h>
#include <string.h>

#include "cpu/avx2_math.h"

enum { LANES = 8 };

/* ---- transposes ---- */

/* 8 x 8 floats: pairs, quads, then 128-bit halves. */
SDW_INLINE void transpose_8x8(__m256 v[8])
{
    __m256 t[8];
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(v[i], v[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int j = 0; j < 2; j++) {
            __m256d x = _mm256_castps_pd(t[i + j]), y = _mm256_castps_pd(t[i + 2 + j]);
            v[i + 2 * j] = _mm256_castpd_ps(_mm256_unpacklo_pd(x, y));
            v[i + 2 * j + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(x, y));
        }
    for (int j = 0; j < 4; j++) {
        t[j] = _mm256_permute2f128_ps(v[j], v[4 + j], 0x20);
        t[4 + j] = _mm256_permute2f128_ps(v[j], v[4 + j], 0x31);
    }
    for (int j = 0; j < 8; j++) v[j] = t[j];
}

/* 8 x 8 dwords from `src` (stride in dwords), zeros outside rows x columns. */
SDW_INLINE void load_transposed(const float *src, ptrdiff_t stride, int rows, int columns, __m256 v[8])
{
    for (int i = 0; i < LANES; i++) v[i] = i < rows ? load_part(src + (ptrdiff_t)i * stride, columns) : _mm256_setzero_ps();
    transpose_8x8(v);
}

static void transpose(float *dst, ptrdiff_t dst_stride, const float *src, ptrdiff_t src_stride, int rows, int columns, float factor)
{
    __m256 scale = set1(factor), v[8];
    for (int r = 0; r < rows; r += LANES)
        for (int c = 0; c < columns; c += LANES) {
            load_transposed(src + (ptrdiff_t)r * src_stride + c, src_stride, rows - r, columns - c, v);
            for (int i = 0; i < LANES && c + i < columns; i++) store_part(dst + (ptrdiff_t)(c + i) * dst_stride + r, rows - r, _mm256_mul_ps(v[i], scale));
        }
}

/* ---- weights ---- */

static void panel32(void *dst, int width, const int32_t *row, const void *src, ptrdiff_t src_stride, int rows, int columns)
{
    __m256 v[8];
    for (int r = 0; r < width; r += LANES)
        for (int k = 0; k < columns; k += LANES) {
            load_transposed((const float *)src + (ptrdiff_t)r * src_stride + k, src_stride, rows - r, columns - k, v);
            for (int i = 0; i < LANES && k + i < columns; i++) _mm256_storeu_ps((float *)dst + (ptrdiff_t)row[k + i] * width + r, v[i]);
        }
}

/* Eight low halves of eight dwords, side by side. */
SDW_INLINE __m128i low_halves(__m256i d)
{
    __m256i packed = _mm256_packus_epi32(_mm256_and_si256(d, _mm256_set1_epi32(0xffff)), _mm256_setzero_si256());
    return _mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0x08));
}

/* 16-bit elements move as dwords of two neighbours: dword r of v[i] is columns 2i and 2i + 1 of row r. */
static void panel16(void *dst, int width, const int32_t *row, const void *src, ptrdiff_t src_stride, int rows, int columns)
{
    __m256 v[8];
    for (int r = 0; r < width; r += LANES)
        for (int k = 0; k < columns; k += 2 * LANES) {
            int rest = columns - k < 2 * LANES ? columns - k : 2 * LANES;
            for (int i = 0; i < LANES; i++) {
                uint16_t part[2 * LANES] = { 0 };
                const uint16_t *from = (const uint16_t *)src + (ptrdiff_t)(r + i) * src_stride + k;
                if (r + i >= rows) v[i] = _mm256_setzero_ps();
                else if (rest == 2 * LANES) v[i] = _mm256_loadu_ps((const float *)(const void *)from);
                else v[i] = _mm256_loadu_ps(memcpy(part, from, (size_t)rest * 2));
            }
            transpose_8x8(v);
            for (int i = 0; i < LANES && 2 * i < rest; i++) {
                __m256i d = _mm256_castps_si256(v[i]);
                uint16_t *to = (uint16_t *)dst + r;
                _mm_storeu_si128((void *)(to + (ptrdiff_t)row[k + 2 * i] * width), low_halves(d));
                if (2 * i + 1 < rest) _mm_storeu_si128((void *)(to + (ptrdiff_t)row[k + 2 * i + 1] * width), low_halves(_mm256_srli_epi32(d, 16)));
            }
        }
}

static void widen_f16(float *dst, const uint16_t *src, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) _mm256_storeu_ps(dst + i, _mm256_cvtph_ps(_mm_loadu_si128((const void *)(src + i))));
    if (i == n) return;
    uint16_t part[LANES] = { 0 };
    memcpy(part, src + i, (n - i) * 2);
    store_part(dst + i, (long)(n - i), _mm256_cvtph_ps(_mm_loadu_si128((const void *)part)));
}

static void widen_bf16(float *dst, const uint16_t *src, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        uint16_t part[LANES] = { 0 };
        const uint16_t *from = n - i >= LANES ? src + i : memcpy(part, src + i, (n - i) * 2);
        __m256i wide = _mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)from)), 16);
        store_part(dst + i, (long)(n - i), _mm256_castsi256_ps(wide));
    }
}

/* ---- into and out of products ---- */

static void gather(float *dst, const sdw_cpu_gather *g)
{
    for (int i = 0; i < g->rows; i++, dst += SDW_CPU_SEGMENT) {
        int32_t row = g->index ? g->index[i] : i;
        const float *src = g->src + (ptrdiff_t)(row < 0 ? 0 : row) * g->stride;
        for (int j = 0; j < g->length; j += LANES) {
            long n = g->length - j;
            __m256 v = _mm256_setzero_ps();
            if (row >= 0) {
                v = load_part(src + j, n);
                if (g->scale) v = _mm256_fmadd_ps(v, load_part(g->scale + j, n), load_part(g->shift + j, n));
                if (g->scale && g->act == SDW_ACT_SILU) v = times_sigmoid_ps(v, v);
            }
            store_part(dst + j, n, v);
        }
    }
}

static void affine(float *dst, const float *src, const float *scale, const float *shift, size_t n, sdw_act act)
{
    for (size_t i = 0; i < n; i += LANES) {
        long rest = (long)(n - i);
        __m256 v = _mm256_fmadd_ps(load_part(src + i, rest), load_part(scale + i, rest), load_part(shift + i, rest));
        store_part(dst + i, rest, act == SDW_ACT_SILU ? times_sigmoid_ps(v, v) : v);
    }
}

static void finish(const sdw_cpu_finish *f)
{
    bool around = f->stream && (uintptr_t)f->out % 32 == 0 && f->out_stride % LANES == 0;
    for (int j = 0; j < f->columns; j += LANES) {
        long n = f->columns - j;
        __m256 bias = f->bias ? load_part(f->bias + j, n) : _mm256_setzero_ps();
        __m256 lane = f->lane ? load_part(f->lane + j, n) : _mm256_setzero_ps();
        for (int r = 0; r < f->rows; r++) {
            __m256 v = load_part(f->c + r * f->width + j, n);
            v = _mm256_add_ps(_mm256_add_ps(v, bias), lane);
            if (f->act) v = act_ps(v, f->act);
            if (f->residual) v = _mm256_add_ps(v, load_part(f->residual + r * f->residual_stride + j, n));
            if (around && n >= LANES) _mm256_stream_ps(f->out + r * f->out_stride + j, v);
            else store_part(f->out + r * f->out_stride + j, n, v);
        }
    }
}

static void finish_glu(const sdw_cpu_finish *f)
{
    for (int j = 0; j < f->columns; j += LANES) {
        long n = f->columns - j;
        __m256 bias = f->bias ? load_part(f->bias + j, n) : _mm256_setzero_ps();
        __m256 gates = f->lane ? load_part(f->lane + j, n) : _mm256_setzero_ps();
        for (int r = 0; r < f->rows; r++) {
            const float *c = f->c + r * f->width + j;
            __m256 value = _mm256_add_ps(load_part(c, n), bias), gate = _mm256_add_ps(load_part(c + f->width / 2, n), gates);
            store_part(f->out + r * f->out_stride + j, n, _mm256_mul_ps(value, act_ps(gate, f->act)));
        }
    }
}

/* ---- norms ---- */

SDW_INLINE void add_four(double *at, long n, __m256d v)
{
    double t[4];
    _mm256_storeu_pd(t, v);
    for (long i = 0; i < n && i < 4; i++) at[i] += t[i];
}

/* Eight rows at a time: one update of the sums in memory for eight rows in registers. */
static void moments(const float *x, ptrdiff_t stride, int rows, int channels, double *sum, double *square)
{
    for (int r = 0; r < rows; r += 8) {
        int height = rows - r < 8 ? rows - r : 8;
        for (int c = 0; c < channels; c += LANES) {
            long n = channels - c;
            __m256d s[2], q[2];
            for (int j = 0; j < 2; j++) s[j] = q[j] = _mm256_setzero_pd();
            for (int i = 0; i < height; i++) {
                __m256 v = load_part(x + (ptrdiff_t)(r + i) * stride + c, n);
                __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(v)), high = _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1));
                s[0] = _mm256_add_pd(s[0], low);
                s[1] = _mm256_add_pd(s[1], high);
                q[0] = _mm256_fmadd_pd(low, low, q[0]);
                q[1] = _mm256_fmadd_pd(high, high, q[1]);
            }
            for (int j = 0; j < 2; j++) {
                add_four(sum + c + 4 * j, n - 4 * j, s[j]);
                add_four(square + c + 4 * j, n - 4 * j, q[j]);
            }
        }
    }
}

static void norm_row(float *out, const float *x, int n, const float *gamma, const float *beta, float eps)
{
    __m256 sum[2] = { _mm256_setzero_ps(), _mm256_setzero_ps() }, square[2] = { sum[0], sum[0] };
    for (int i = 0; i < n; i += LANES) sum[i / LANES & 1] = _mm256_add_ps(sum[i / LANES & 1], load_part(x + i, n - i));
    __m256 mean = set1(sum_of(_mm256_add_ps(sum[0], sum[1])) / (float)n);
    for (int i = 0; i < n; i += LANES) {
        __m256 d = _mm256_and_ps(_mm256_sub_ps(load_part(x + i, n - i), mean), _mm256_castsi256_ps(lanes_below(n - i)));
        square[i / LANES & 1] = _mm256_fmadd_ps(d, d, square[i / LANES & 1]);
    }
    float variance = sum_of(_mm256_add_ps(square[0], square[1])) / (float)n;
    __m256 scale = set1((float)(1 / sqrt((double)variance + (double)eps)));
    for (int i = 0; i < n; i += LANES) {
        __m256 v = _mm256_mul_ps(_mm256_sub_ps(load_part(x + i, n - i), mean), scale);
        if (gamma) v = _mm256_fmadd_ps(v, load_part(gamma + i, n - i), load_part(beta + i, n - i));
        store_part(out + i, n - i, v);
    }
}

/* ---- element functions ---- */

static void act_values(float *dst, const float *src, size_t n, sdw_act act)
{
    for (size_t i = 0; i < n; i += LANES) store_part(dst + i, (long)(n - i), act_ps(load_part(src + i, (long)(n - i)), act));
}

static void add_values(float *dst, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        store_part(dst + i, (long)(n - i), _mm256_add_ps(load_part(a + i, (long)(n - i)), load_part(b + i, (long)(n - i))));
}

void sdw_cpu_kernels_avx2_rows(sdw_cpu_kernels *k)
{
    k->transpose = transpose;
    k->gather = gather;
    k->affine = affine;
    k->widen_f16 = widen_f16;
    k->widen_bf16 = widen_bf16;
    k->finish = finish;
    k->finish_glu = finish_glu;
    k->panel16 = panel16;
    k->panel32 = panel32;
    k->moments = moments;
    k->norm_row = norm_row;
    k->act = act_values;
    k->add = add_values;
}

#else

void sdw_cpu_kernels_avx2_rows(sdw_cpu_kernels *k)
{
    (void)k;
}

#endif
