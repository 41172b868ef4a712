/* kernels_avx512_rows.c - everything beside the products with AVX-512: moving rows in and out of them, transposes, norms,
 * element functions. */
#include "cpu/kernels.h"

#if defined(__AVX512F__)

#include <math.h>
#include <string.h>

#include "cpu/avx512_math.h"

enum { LANES = 16 };

/* ---- transposes ---- */

/* 16 x 16 floats: pairs, quads, then 128-bit lanes. */
SDW_INLINE void transpose_16x16(__m512 v[16])
{
    __m512 t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(v[i], v[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int j = 0; j < 2; j++) {
            __m512d x = _mm512_castps_pd(t[i + j]), y = _mm512_castps_pd(t[i + 2 + j]);
            v[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(x, y));
            v[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(x, y));
        }
    for (int i = 0; i < 16; i += 8)
        for (int j = 0; j < 4; j++) {
            t[i + j] = _mm512_shuffle_f32x4(v[i + j], v[i + 4 + j], 0x88);
            t[i + 4 + j] = _mm512_shuffle_f32x4(v[i + j], v[i + 4 + j], 0xdd);
        }
    for (int j = 0; j < 8; j++) {
        v[j] = _mm512_shuffle_f32x4(t[j], t[8 + j], 0x88);
        v[8 + j] = _mm512_shuffle_f32x4(t[j], t[8 + j], 0xdd);
    }
}

static void transpose(float *dst, ptrdiff_t dst_stride, const float *src, ptrdiff_t src_stride, int rows, int columns, float factor)
{
    __m512 scale = _mm512_set1_ps(factor), v[16];
    for (int r = 0; r < rows; r += LANES) {
        int height = rows - r < LANES ? rows - r : LANES;
        __mmask16 down = lanes_below(height);
        for (int c = 0; c < columns; c += LANES) {
            int width = columns - c < LANES ? columns - c : LANES;
            __mmask16 across = lanes_below(width);
            for (int i = 0; i < LANES; i++)
                v[i] = i < height ? _mm512_mul_ps(_mm512_maskz_loadu_ps(across, src + (ptrdiff_t)(r + i) * src_stride + c), scale) : _mm512_setzero_ps();
            transpose_16x16(v);
            for (int i = 0; i < width; i++) _mm512_mask_storeu_ps(dst + (ptrdiff_t)(c + i) * dst_stride + r, down, v[i]);
        }
    }
}

/* ---- weights ---- */

static void panel32(void *dst, int width, const int32_t *row, const void *src, ptrdiff_t src_stride, int rows, int columns)
{
    __m512 v[16];
    for (int r = 0; r < width; r += LANES)
        for (int k = 0; k < columns; k += LANES) {
            __mmask16 across = lanes_below(columns - k);
            for (int i = 0; i < LANES; i++)
                v[i] = r + i < rows ? _mm512_maskz_loadu_ps(across, (const float *)src + (ptrdiff_t)(r + i) * src_stride + k) : _mm512_setzero_ps();
            transpose_16x16(v);
            for (int i = 0; i < LANES && k + i < columns; i++) _mm512_storeu_ps((float *)dst + (ptrdiff_t)row[k + i] * width + r, v[i]);
        }
}

/* 16 rows of 32 halves, moved as 16 x 16 dwords: dword r of v[i] then holds columns 2i and 2i + 1 of row r. */
SDW_INLINE void transpose_pairs(const uint16_t *src, ptrdiff_t stride, int rows, __mmask32 across, __m512 v[16])
{
    for (int i = 0; i < LANES; i++)
        v[i] = i < rows ? _mm512_castsi512_ps(_mm512_maskz_loadu_epi16(across, src + (ptrdiff_t)i * stride)) : _mm512_setzero_ps();
    transpose_16x16(v);
}

/* Two rows of 16 halves from 16 dwords: even columns, then odd ones. */
SDW_INLINE void split_columns(__m512 v, __m256i *even, __m256i *odd)
{
    __m512i d = _mm512_castps_si512(v);
    *even = _mm512_cvtepi32_epi16(d);
    *odd = _mm512_cvtepi32_epi16(_mm512_srli_epi32(d, 16));
}

static void panel16(void *dst, int width, const int32_t *row, const void *src, ptrdiff_t src_stride, int rows, int columns)
{
    __m512 v[16];
    for (int r = 0; r < width; r += LANES)
        for (int k = 0; k < columns; k += 2 * LANES) {
            int rest = columns - k < 2 * LANES ? columns - k : 2 * LANES;
            __mmask32 across = rest >= 32 ? 0xffffffffu : (1u << rest) - 1;
            transpose_pairs((const uint16_t *)src + (ptrdiff_t)r * src_stride + k, src_stride, rows - r, across, v);
            for (int i = 0; i < LANES && 2 * i < rest; i++) {
                __m256i even, odd;
                split_columns(v[i], &even, &odd);
                uint16_t *to = (uint16_t *)dst + r;
                _mm256_storeu_si256((void *)(to + (ptrdiff_t)row[k + 2 * i] * width), even);
                if (2 * i + 1 < rest) _mm256_storeu_si256((void *)(to + (ptrdiff_t)row[k + 2 * i + 1] * width), odd);
            }
        }
}

static void widen_f16(float *dst, const uint16_t *src, size_t n)
{
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        _mm512_storeu_ps(dst + i, _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(src + i))));
        _mm512_storeu_ps(dst + i + 16, _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(src + i + 16))));
    }
    for (; i < n; i += LANES) {
        __mmask16 m = lanes_below((long)(n - i));
        _mm512_mask_storeu_ps(dst + i, m, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(m, src + i)));
    }
}

static void widen_bf16(float *dst, const uint16_t *src, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes_below((long)(n - i));
        __m512i wide = _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(m, src + i)), 16);
        _mm512_mask_storeu_ps(dst + i, m, _mm512_castsi512_ps(wide));
    }
}

/* ---- into products ---- */

/* Whole segments of 32 values, the usual case; scale and shift stay in registers. */
SDW_INLINE void gather_whole(float *dst, const sdw_cpu_gather *g, const bool affine, const bool silu)
{
    __m512 scale[2], shift[2];
    for (int j = 0; j < 2; j++) {
        scale[j] = affine ? _mm512_loadu_ps(g->scale + j * LANES) : _mm512_setzero_ps();
        shift[j] = affine ? _mm512_loadu_ps(g->shift + j * LANES) : _mm512_setzero_ps();
    }
    for (int i = 0; i < g->rows; i++, dst += SDW_CPU_SEGMENT) {
        int32_t row = g->index ? g->index[i] : i;
        const float *src = g->src + (ptrdiff_t)(row < 0 ? 0 : row) * g->stride;
        for (int j = 0; j < 2; j++) {
            __m512 v = _mm512_setzero_ps();
            if (row >= 0) {
                v = _mm512_loadu_ps(src + j * LANES);
                if (affine) v = _mm512_fmadd_ps(v, scale[j], shift[j]);
                if (silu) v = times_sigmoid_ps(v, v);
            }
            _mm512_storeu_ps(dst + j * LANES, v);
        }
    }
}

static void gather_part(float *dst, const sdw_cpu_gather *g)
{
    for (int i = 0; i < g->rows; i++, dst += SDW_CPU_SEGMENT) {
        int32_t row = g->index ? g->index[i] : i;
        for (int j = 0; j < g->length; j += LANES) {
            __mmask16 m = lanes_below(g->length - j);
            __m512 v = _mm512_setzero_ps();
            if (row >= 0) {
                v = _mm512_maskz_loadu_ps(m, g->src + (ptrdiff_t)row * g->stride + j);
                if (g->scale) v = _mm512_fmadd_ps(v, _mm512_maskz_loadu_ps(m, g->scale + j), _mm512_maskz_loadu_ps(m, g->shift + j));
                if (g->scale && g->act == SDW_ACT_SILU) v = times_sigmoid_ps(v, v);
            }
            _mm512_mask_storeu_ps(dst + j, m, v);
        }
    }
}

static void gather(float *dst, const sdw_cpu_gather *g)
{
    if (g->length != SDW_CPU_SEGMENT) gather_part(dst, g);
    else if (!g->scale) gather_whole(dst, g, false, false);
    else if (g->act == SDW_ACT_SILU) gather_whole(dst, g, true, true);
    else gather_whole(dst, g, true, false);
}

static void affine(float *dst, const float *src, const float *scale, const float *shift, size_t n, sdw_act act)
{
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes_below((long)(n - i));
        __m512 v = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(m, src + i), _mm512_maskz_loadu_ps(m, scale + i), _mm512_maskz_loadu_ps(m, shift + i));
        _mm512_mask_storeu_ps(dst + i, m, act == SDW_ACT_SILU ? times_sigmoid_ps(v, v) : v);
    }
}

/* ---- out of products ---- */

/* What most sums meet is known outside of the loops: whole vectors, no activation. Pointers are copied, for a store may change what
 * f points to as far as the compiler knows. */
SDW_INLINE void finish_as(const sdw_cpu_finish *f, const bool plain, const bool added, const bool around)
{
    const ptrdiff_t width = f->width, out_stride = f->out_stride, residual_stride = f->residual_stride;
    const int rows = f->rows, columns = f->columns;
    const sdw_act act = f->act;
    for (int j = 0; j < columns; j += LANES) {
        const float *c = f->c + j, *residual = added ? f->residual + j : NULL;
        float *out = f->out + j;
        __mmask16 m = plain ? (__mmask16)0xffff : lanes_below(columns - j);
        __m512 bias = f->bias ? _mm512_maskz_loadu_ps(m, f->bias + j) : _mm512_setzero_ps();
        __m512 lane = f->lane ? _mm512_maskz_loadu_ps(m, f->lane + j) : _mm512_setzero_ps();
        for (int r = 0; r < rows; r++, c += width, out += out_stride, residual += added ? residual_stride : 0) {
            __m512 v = _mm512_add_ps(_mm512_add_ps(_mm512_maskz_loadu_ps(m, c), bias), lane);
            if (!plain && act) v = act_ps(v, act);
            if (added) v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(m, residual));
            if (around && m == 0xffff) _mm512_stream_ps(out, v);
            else _mm512_mask_storeu_ps(out, m, v);
        }
    }
}

static void finish(const sdw_cpu_finish *f)
{
    bool around = f->stream && (uintptr_t)f->out % 64 == 0 && f->out_stride % LANES == 0;
    if (f->act || f->columns % LANES) finish_as(f, false, f->residual, around);
    else if (around) finish_as(f, true, f->residual, true);
    else if (f->residual) finish_as(f, true, true, false);
    else finish_as(f, true, false, false);
}

SDW_INLINE void finish_pairs(const sdw_cpu_finish *f, const bool rough)
{
    for (int j = 0; j < f->columns; j += LANES) {
        __mmask16 m = lanes_below(f->columns - j);
        __m512 bias = f->bias ? _mm512_maskz_loadu_ps(m, f->bias + j) : _mm512_setzero_ps();
        __m512 gates = f->lane ? _mm512_maskz_loadu_ps(m, f->lane + j) : _mm512_setzero_ps();
        for (int r = 0; r < f->rows; r++) {
            const float *c = f->c + r * f->width + j;
            __m512 value = _mm512_add_ps(_mm512_maskz_loadu_ps(m, c), bias);
            __m512 gate = _mm512_add_ps(_mm512_maskz_loadu_ps(m, c + f->width / 2), gates);
            gate = rough ? gelu_rough_ps(gate) : f->act == SDW_ACT_GELU ? gelu_ps(gate) : act_ps(gate, f->act);
            _mm512_mask_storeu_ps(f->out + r * f->out_stride + j, m, _mm512_mul_ps(value, gate));
        }
    }
}

static void finish_glu(const sdw_cpu_finish *f)
{
    if (f->rough && f->act == SDW_ACT_GELU) finish_pairs(f, true);
    else finish_pairs(f, false);
}

/* ---- norms ---- */

SDW_INLINE void add_moments(double *sum, double *square, __m512d s, __m512d q, __mmask8 m)
{
    _mm512_mask_storeu_pd(sum, m, _mm512_add_pd(_mm512_maskz_loadu_pd(m, sum), s));
    _mm512_mask_storeu_pd(square, m, _mm512_add_pd(_mm512_maskz_loadu_pd(m, square), q));
}

/* Eight rows at a time: one update of the sums in memory for eight rows in registers. */
static void moments(const float *x, ptrdiff_t stride, int rows, int channels, double *sum, double *square)
{
    for (int r = 0; r < rows; r += 8) {
        int height = rows - r < 8 ? rows - r : 8;
        for (int c = 0; c < channels; c += LANES) {
            __mmask16 m = lanes_below(channels - c);
            __m512d s[2], q[2];
            for (int j = 0; j < 2; j++) s[j] = q[j] = _mm512_setzero_pd();
            for (int i = 0; i < height; i++) {
                __m512 v = _mm512_maskz_loadu_ps(m, x + (ptrdiff_t)(r + i) * stride + c);
                __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(v)), high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1));
                s[0] = _mm512_add_pd(s[0], low);
                s[1] = _mm512_add_pd(s[1], high);
                q[0] = _mm512_fmadd_pd(low, low, q[0]);
                q[1] = _mm512_fmadd_pd(high, high, q[1]);
            }
            add_moments(sum + c, square + c, s[0], q[0], (__mmask8)m);
            if (m >> 8) add_moments(sum + c + 8, square + c + 8, s[1], q[1], (__mmask8)(m >> 8));
        }
    }
}

static void norm_row(float *out, const float *x, int n, const float *gamma, const float *beta, float eps)
{
    __m512 sum = _mm512_setzero_ps(), square = sum;
    for (int i = 0; i < n; i += LANES) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(lanes_below(n - i), x + i));
    __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / (float)n);
    for (int i = 0; i < n; i += LANES) {
        __mmask16 m = lanes_below(n - i);
        __m512 d = _mm512_maskz_sub_ps(m, _mm512_maskz_loadu_ps(m, x + i), mean);
        square = _mm512_fmadd_ps(d, d, square);
    }
    float variance = _mm512_reduce_add_ps(square) / (float)n;
    __m512 scale = _mm512_set1_ps((float)(1 / sqrt((double)variance + (double)eps)));
    for (int i = 0; i < n; i += LANES) {
        __mmask16 m = lanes_below(n - i);
        __m512 v = _mm512_mul_ps(_mm512_sub_ps(_mm512_maskz_loadu_ps(m, x + i), mean), scale);
        if (gamma) v = _mm512_fmadd_ps(v, _mm512_maskz_loadu_ps(m, gamma + i), _mm512_maskz_loadu_ps(m, beta + i));
        _mm512_mask_storeu_ps(out + i, m, v);
    }
}

/* ---- element functions ---- */

static void act_values(float *dst, const float *src, size_t n, sdw_act act)
{
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes_below((long)(n - i));
        _mm512_mask_storeu_ps(dst + i, m, act_ps(_mm512_maskz_loadu_ps(m, src + i), act));
    }
}

static void add_values(float *dst, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes_below((long)(n - i));
        _mm512_mask_storeu_ps(dst + i, m, _mm512_add_ps(_mm512_maskz_loadu_ps(m, a + i), _mm512_maskz_loadu_ps(m, b + i)));
    }
}

void sdw_cpu_kernels_avx512_rows(sdw_cpu_kernels *k)
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

void sdw_cpu_kernels_avx512_rows(sdw_cpu_kernels *k)
{
    (void)k;
}

#endif
