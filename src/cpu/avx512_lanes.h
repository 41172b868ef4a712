/* avx512_lanes.h - vectors of 16 floats for sources that are written once for every width (winograd_lanes.h, linear_lanes.h). Included by the
 * AVX-512 files only. */
#ifndef SDW_CPU_AVX512_LANES_H
#define SDW_CPU_AVX512_LANES_H

#include "cpu/avx512_math.h"

#define SDW_LANES 16
enum { LANES = SDW_LANES };
typedef __m512 lanes;

SDW_INLINE lanes load(const float *p)
{
    return _mm512_loadu_ps(p);
}

SDW_INLINE lanes load_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)p));
}

SDW_INLINE lanes load_bf16(const uint16_t *p)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)p)), 16));
}

SDW_INLINE void store(float *p, lanes x)
{
    _mm512_storeu_ps(p, x);
}

SDW_INLINE lanes spread(float x)
{
    return _mm512_set1_ps(x);
}

SDW_INLINE lanes plus(lanes a, lanes b)
{
    return _mm512_add_ps(a, b);
}

SDW_INLINE lanes minus(lanes a, lanes b)
{
    return _mm512_sub_ps(a, b);
}

SDW_INLINE lanes times(lanes x, float factor)
{
    return _mm512_mul_ps(x, spread(factor));
}

SDW_INLINE lanes madd(lanes a, lanes b, lanes c)
{
    return _mm512_fmadd_ps(a, b, c);
}

#endif
