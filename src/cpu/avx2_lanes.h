/* avx2_lanes.h - vectors of 8 floats for sources that are written once for every width (winograd_lanes.h, linear_lanes.h). Included by the
 * AVX2 files only. */
#ifndef SDW_CPU_AVX2_LANES_H
#define SDW_CPU_AVX2_LANES_H

#include "cpu/avx2_math.h"

#define SDW_LANES 8
enum { LANES = SDW_LANES };
typedef __m256 lanes;

SDW_INLINE lanes load(const float *p)
{
    return _mm256_loadu_ps(p);
}

SDW_INLINE lanes load_f16(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const void *)p));
}

SDW_INLINE lanes load_bf16(const uint16_t *p)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)p)), 16));
}

SDW_INLINE void store(float *p, lanes x)
{
    _mm256_storeu_ps(p, x);
}

SDW_INLINE lanes spread(float x)
{
    return _mm256_set1_ps(x);
}

SDW_INLINE lanes plus(lanes a, lanes b)
{
    return _mm256_add_ps(a, b);
}

SDW_INLINE lanes minus(lanes a, lanes b)
{
    return _mm256_sub_ps(a, b);
}

SDW_INLINE lanes times(lanes x, float factor)
{
    return _mm256_mul_ps(x, spread(factor));
}

SDW_INLINE lanes madd(lanes a, lanes b, lanes c)
{
    return _mm256_fmadd_ps(a, b, c);
}

#endif
