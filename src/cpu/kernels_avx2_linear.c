/* kernels_avx2_linear.c - products of linear layers with AVX2 and FMA, up to 6 rows times 2 vectors of 8: see linear_lanes.h. */
#include "cpu/kernels.h"

#if defined(__AVX2__) && defined(__FMA__)

#include "cpu/avx2_math.h"

#define SDW_LINEAR_LANES 8
#define SDW_LINEAR_EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6)
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

SDW_INLINE lanes madd(lanes a, lanes b, lanes c)
{
    return _mm256_fmadd_ps(a, b, c);
}

#include "cpu/linear_lanes.h"

void sdw_cpu_kernels_avx2_linear(sdw_cpu_kernels *k)
{
    enter(k);
}

#else

void sdw_cpu_kernels_avx2_linear(sdw_cpu_kernels *k)
{
    (void)k;
}

#endif
