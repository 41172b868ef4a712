/* kernels_avx512_emulated.c - the products of f16 (cpu/fp16_products.h) with every f16 widened to f32. A product of two f16 is exact in f32; its
 * sum with a third must be rounded to f16 once, so it is first rounded to odd in f32 (Boldo and Melquiond 2008): to the one of the two
 * neighbours whose last bit is set, which no tie or boundary of f16 has. That needs 13 bits of the 24. */
#include "emulated.h"

#include <immintrin.h>

#include "cpu/avx512_math.h"
#include "cpu/narrow_isa.h"

/* 16 pairs, as values that f16 has. */
typedef struct pairs {
    __m512 even, odd;
} pairs;

SDW_INLINE __m512 nearest(__m512 x)
{
    return _mm512_cvtph_ps(_mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

/* Neighbours differ in their last bit; where the sum is exact both are it. */
SDW_INLINE __m512 multiply_add(__m512 sum, __m512 a, __m512 b)
{
    __m512 below = _mm512_fmadd_round_ps(a, b, sum, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    __m512 above = _mm512_fmadd_round_ps(a, b, sum, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
    __mmask16 odd = _mm512_test_epi32_mask(_mm512_castps_si512(below), _mm512_set1_epi32(1));
    return nearest(_mm512_mask_mov_ps(above, odd, below));
}

SDW_INLINE pairs multiply_add_pairs(pairs sum, pairs a, pairs b)
{
    return (pairs){ multiply_add(sum.even, a.even, b.even), multiply_add(sum.odd, a.odd, b.odd) };
}

SDW_INLINE pairs load_pairs(const char *from)
{
    __m512i v = _mm512_loadu_si512(from);
    return (pairs){ _mm512_cvtph_ps(_mm512_cvtepi32_epi16(v)), _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(v, 16))) };
}

SDW_INLINE pairs pair_of(const char *from)
{
    const uint16_t *pair = (const void *)from;
    return (pairs){ _mm512_set1_ps(_cvtsh_ss(pair[0])), _mm512_set1_ps(_cvtsh_ss(pair[1])) };
}

/* A sum of two f16 rounded to f32 is as good as exact: 24 bits are twice 11 and two more (Figueroa 1995). */
SDW_INLINE __m512 columns_of(pairs sum)
{
    return nearest(_mm512_add_ps(sum.even, sum.odd));
}

#define FP16_VECTOR pairs
#define FP16_ZERO() ((pairs){ _mm512_setzero_ps(), _mm512_setzero_ps() })
#define FP16_LOAD(from) load_pairs(from)
#define FP16_PAIR(from) pair_of(from)
#define FP16_MULTIPLY_ADD(sum, vector, pair) (sum) = multiply_add_pairs(sum, vector, pair)
#include "cpu/avx512_fp16.h"

/* Rows and weights are rounded by the scalar entries: to the nearest, like every other conversion to f16. */
void emulated_fp16(sdw_cpu_narrow *n)
{
    sdw_cpu_narrow_scalar(n, SDW_PRECISION_F16);
    n->unit = "AVX512-FP16, emulated";
    enter_rows(n);
    sdw_cpu_narrow_avx512_attention(n);
}
