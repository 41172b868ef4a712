/* kernels_avx2_winograd.c - Winograd's transforms with AVX2, 8 channels at a time: see winograd_lanes.h. */
#include "cpu/kernels.h"

#if defined(__AVX2__) && defined(__FMA__)

#include "cpu/avx2_math.h"

#define SDW_WINOGRAD_LANES 8
typedef __m256 lanes;

SDW_INLINE lanes load(const float *p)
{
    return _mm256_loadu_ps(p);
}

SDW_INLINE lanes load_f16(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const void *)p));
}

SDW_INLINE void store(float *p, lanes x)
{
    _mm256_storeu_ps(p, x);
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
    return _mm256_mul_ps(x, _mm256_set1_ps(factor));
}

SDW_INLINE lanes madd(lanes a, float factor, lanes b)
{
    return _mm256_fmadd_ps(a, _mm256_set1_ps(factor), b);
}

#include "cpu/winograd_lanes.h"

void sdw_cpu_kernels_avx2_winograd(sdw_cpu_kernels *k)
{
    enter(k);
}

#else

void sdw_cpu_kernels_avx2_winograd(sdw_cpu_kernels *k)
{
    (void)k;
}

#endif
