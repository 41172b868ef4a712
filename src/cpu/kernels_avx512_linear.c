/* kernels_avx512_linear.c - products of linear layers with AVX-512, up to 14 rows times 2 vectors of 16: see linear_lanes.h. */
#include "cpu/kernels.h"

#if defined(__AVX512F__)

#include "cpu/avx512_math.h"

#define SDW_LINEAR_LANES 16
#define SDW_LINEAR_EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
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

SDW_INLINE lanes madd(lanes a, lanes b, lanes c)
{
    return _mm512_fmadd_ps(a, b, c);
}

#include "cpu/linear_lanes.h"

void sdw_cpu_kernels_avx512_linear(sdw_cpu_kernels *k)
{
    enter(k);
}

#else

void sdw_cpu_kernels_avx512_linear(sdw_cpu_kernels *k)
{
    (void)k;
}

#endif
