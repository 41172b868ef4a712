/* kernels_avx512_fp16.c - f16 with AVX512-FP16: 32 multiply-adds an instruction, twice the rate of f32. */
#include "cpu/narrow_isa.h"

#if defined(__AVX512FP16__)

#include "cpu/avx512_math.h"

enum { LANES = 16 };

#define FP16_VECTOR __m512i
#define FP16_ZERO() _mm512_setzero_si512()
#define FP16_LOAD(from) _mm512_loadu_si512(from)
#define FP16_PAIR(from) _mm512_castps_si512(_mm512_set1_ps(*(const float *)(const void *)(from)))
#define FP16_MULTIPLY_ADD(sum, vector, pair) __asm__("vfmadd231ph %2, %1, %0" : "+v"(sum) : "v"(vector), "v"(pair))

/* Even and odd sums are added in f16: one more rounding of many. */
SDW_INLINE __m512 columns_of(__m512i sum)
{
    __m512i both;
    __asm__("vaddph %2, %1, %0" : "=v"(both) : "v"(sum), "v"(_mm512_rol_epi32(sum, 16)));
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(both));
}

#include "cpu/avx512_fp16.h"

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
    return 4.0 * LANES * 24 * (double)rounds;
}

void sdw_cpu_narrow_avx512_fp16(sdw_cpu_narrow *n)
{
    n->unit = "AVX512-FP16";
    n->row = row_f16;
    n->weights = weights_f16;
    enter_rows(n);
    n->peak = peak;
    sdw_cpu_narrow_avx512_attention(n);
}

#else

void sdw_cpu_narrow_avx512_fp16(sdw_cpu_narrow *n)
{
    (void)n;
}

#endif
