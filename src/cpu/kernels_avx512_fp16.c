/* kernels_avx512_fp16.c - f16 with AVX512-FP16: 32 multiply-adds an instruction, twice the rate of f32. */
#include "cpu/narrow_isa.h"

#if defined(__AVX512FP16__)

#include "cpu/avx512_math.h"

enum { LANES = 16 };

#define FP16_VECTOR __m512i
#define FP16_ZERO() _mm512_setzero_si512()
#define FP16_LOAD(from) _mm512_loadu_si512(from)
/* As assembly, so that the value is broadcast by the load and by nothing else. */
#define FP16_MULTIPLY_ADD(sum, vector, from) \
    __asm__("vfmadd231ph %2%{1to32%}, %1, %0" : "+v"(sum) : "v"(vector), "m"(*(const uint16_t *)(const void *)(from)))
#define FP16_PROMOTE(c, sum, alpha) promote(c, sum, alpha)
#define FP16_STORE(c, sum) store(c, sum)
#define FP16_RAISE(most, c) raise(most, c)
#define FP16_INLINE SDW_INLINE
#define FP16_UNROLL SDW_UNROLL

SDW_INLINE void store(float *c, __m512i sum)
{
    _mm512_storeu_ps(c, _mm512_cvtph_ps(_mm512_castsi512_si256(sum)));
    _mm512_storeu_ps(c + LANES, _mm512_cvtph_ps(_mm512_extracti64x4_epi64(sum, 1)));
}

SDW_INLINE void promote(float *c, __m512i sum, const float *alpha)
{
    __m512 low = _mm512_cvtph_ps(_mm512_castsi512_si256(sum)), high = _mm512_cvtph_ps(_mm512_extracti64x4_epi64(sum, 1));
    __m512 c0 = _mm512_loadu_ps(c), c1 = _mm512_loadu_ps(c + LANES);
    if (alpha) {
        low = _mm512_fmadd_ps(c0, _mm512_loadu_ps(alpha), low);
        high = _mm512_fmadd_ps(c1, _mm512_loadu_ps(alpha + LANES), high);
    } else {
        low = _mm512_add_ps(c0, low);
        high = _mm512_add_ps(c1, high);
    }
    _mm512_storeu_ps(c, low);
    _mm512_storeu_ps(c + LANES, high);
}

SDW_INLINE void raise(float *most, const float *c)
{
    _mm512_storeu_ps(most, _mm512_max_ps(_mm512_loadu_ps(most), _mm512_loadu_ps(c)));
    _mm512_storeu_ps(most + LANES, _mm512_max_ps(_mm512_loadu_ps(most + LANES), _mm512_loadu_ps(c + LANES)));
}

#include "cpu/fp16_products.h"

static void row_f16(void *dst, sdw_cpu_narrow_scale *scale, const float *src, int n, int padded)
{
    (void)scale;
    for (int i = 0; i < padded; i += LANES)
        _mm256_storeu_si256((void *)((uint16_t *)dst + i), _mm512_cvtps_ph(_mm512_maskz_loadu_ps(lanes_below(n - i), src + i),
                                                                           _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

static void weights_f16(void *dst, const float *src, size_t n, float inverse)
{
    (void)inverse;
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes_below((long)(n - i));
        __m256i v = _mm512_cvtps_ph(_mm512_maskz_loadu_ps(m, src + i), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        _mm256_mask_storeu_epi16((uint16_t *)dst + i, m, v);
    }
}

static double peak(long rounds, float *ret)
{
    __m512i v[24], x = _mm512_set1_epi16(0x3bff), y = _mm512_set1_epi16(0x1400); /* 0.9995 and 0.001 */
    SDW_UNROLL
    for (int j = 0; j < 24; j++) v[j] = _mm512_set1_epi16((short)(0x3000 + j));
    for (long i = 0; i < rounds; i++)
        SDW_UNROLL
        for (int j = 0; j < 24; j++) __asm__("vfmadd213ph %2, %1, %0" : "+v"(v[j]) : "v"(x), "v"(y));
    SDW_UNROLL
    for (int j = 0; j < 24; j++) *ret += (float)_mm512_reduce_add_epi32(v[j]);
    return 2.0 * FP16_COLUMNS * 24 * (double)rounds;
}

void sdw_cpu_narrow_avx512_fp16(sdw_cpu_narrow *n)
{
    n->unit = "AVX512-FP16";
    n->nr = FP16_COLUMNS;
    n->mr = FP16_ROWS;
    n->row = row_f16;
    n->weights = weights_f16;
    n->tile = fp16_any_tile;
    n->peak = peak;
    n->step_unit = 1;
    n->scores = fp16_any_scores;
    n->outer = fp16_any_outer;
    sdw_cpu_narrow_avx512_attention(n);
}

#else

void sdw_cpu_narrow_avx512_fp16(sdw_cpu_narrow *n)
{
    (void)n;
}

#endif
