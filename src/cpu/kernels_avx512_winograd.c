/* kernels_avx512_winograd.c - Winograd's transforms with AVX-512, 16 channels at a time: see winograd_lanes.h. */
#include "cpu/kernels.h"

#if defined(__AVX512F__)

#include "cpu/avx512_math.h"

#define SDW_WINOGRAD_LANES 16
typedef __m512 lanes;

SDW_INLINE lanes load(const float *p)
{
    return _mm512_loadu_ps(p);
}

SDW_INLINE lanes load_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)p));
}

SDW_INLINE void store(float *p, lanes x)
{
    _mm512_storeu_ps(p, x);
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
    return _mm512_mul_ps(x, _mm512_set1_ps(factor));
}

SDW_INLINE lanes madd(lanes a, float factor, lanes b)
{
    return _mm512_fmadd_ps(a, _mm512_set1_ps(factor), b);
}

#include "cpu/winograd_lanes.h"

void sdw_cpu_kernels_avx512_winograd(sdw_cpu_kernels *k)
{
    enter(k);
}

#else

void sdw_cpu_kernels_avx512_winograd(sdw_cpu_kernels *k)
{
    (void)k;
}

#endif
