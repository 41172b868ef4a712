/* avx2_math.h - exp, sigmoid and friends on eight floats; the same formulas as in avx512_math.h, which explains them.
 * Included by the AVX2 files only. */
#ifndef SDW_CPU_AVX2_MATH_H
#define SDW_CPU_AVX2_MATH_H

#include <immintrin.h>
#include <stdint.h>

#include "tensor/graph.h"

#define SDW_INLINE static inline __attribute__((always_inline))

/* Before a loop with a constant number of rounds: unroll it wholly and early, so that its arrays become registers. */
#if defined(__clang__)
#define SDW_UNROLL _Pragma("clang loop unroll(full)")
#else
#define SDW_UNROLL _Pragma("GCC unroll 32")
#endif

SDW_INLINE __m256 set1(float x)
{
    return _mm256_set1_ps(x);
}

/* p * 2^n for whole n in -252..254, in two factors so that results below the normal range are rounded once. */
SDW_INLINE __m256 scale_by_power(__m256 p, __m256 n)
{
    __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1), rest = _mm256_sub_epi32(whole, half);
    __m256 first = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, _mm256_set1_epi32(127)), 23));
    __m256 second = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, _mm256_set1_epi32(127)), 23));
    return _mm256_mul_ps(_mm256_mul_ps(p, first), second);
}

SDW_INLINE __m256 exp_ps(__m256 x)
{
    x = _mm256_min_ps(set1(90.0f), _mm256_max_ps(set1(-110.0f), x));
    __m256 n = _mm256_round_ps(_mm256_mul_ps(x, set1(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 r = _mm256_fnmadd_ps(n, set1(0.693145752f), x);
    r = _mm256_fnmadd_ps(n, set1(1.42860677e-6f), r);
    __m256 q = _mm256_fmadd_ps(set1(0.00139261836f), r, set1(0.00836317905f));
    q = _mm256_fmadd_ps(q, r, set1(0.0416665546f));
    q = _mm256_fmadd_ps(q, r, set1(0.16666577f));
    q = _mm256_fmadd_ps(q, r, set1(0.5f));
    __m256 p = _mm256_add_ps(_mm256_fmadd_ps(_mm256_mul_ps(r, r), q, r), set1(1.0f));
    return scale_by_power(p, n); /* a NaN in p stays one whatever the factors are */
}

/* 2^x for x <= 0 or NaN. */
SDW_INLINE __m256 exp2_ps(__m256 x)
{
    x = _mm256_max_ps(set1(-200.0f), x);
    __m256 n = _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), r = _mm256_sub_ps(x, n);
    __m256 q = _mm256_fmadd_ps(set1(0.000154531828f), r, set1(0.00133908863f));
    q = _mm256_fmadd_ps(q, r, set1(0.00961808252f));
    q = _mm256_fmadd_ps(q, r, set1(0.0555035707f));
    q = _mm256_fmadd_ps(q, r, set1(0.240226508f));
    q = _mm256_fmadd_ps(q, r, set1(0.693147188f));
    return scale_by_power(_mm256_fmadd_ps(q, r, set1(1.0f)), n);
}

SDW_INLINE __m256 times_sigmoid_ps(__m256 x, __m256 s)
{
    __m256 e = exp_ps(_mm256_min_ps(set1(86.0f), _mm256_sub_ps(_mm256_setzero_ps(), s)));
    return _mm256_div_ps(x, _mm256_add_ps(e, set1(1.0f)));
}

SDW_INLINE __m256 gelu_ps(__m256 x)
{
    static const float c[] = { -0.0002782657f, -0.0008009518f, 0.001992521f, 0.0025799843f, -0.023789118f, 0.06829367f,
                               -0.11927283f, 0.12964654f, -0.047562272f, -0.13562114f, 1.2530081f };
    __m256 z = _mm256_mul_ps(_mm256_andnot_ps(set1(-0.0f), x), set1(0.707106781f));
    z = _mm256_min_ps(set1(10.0f), z);
    __m256 t = _mm256_div_ps(_mm256_sub_ps(z, set1(3.0f)), _mm256_add_ps(z, set1(3.0f))), p = set1(c[0]);
    for (int i = 1; i < 11; i++) p = _mm256_fmadd_ps(p, t, set1(c[i]));
    p = _mm256_div_ps(p, _mm256_fmadd_ps(set1(2.0f), z, set1(1.0f)));
    __m256 half = _mm256_mul_ps(x, set1(-0.5f)), square = _mm256_mul_ps(half, x), rest = _mm256_fmsub_ps(half, x, square);
    __m256 e = exp_ps(square);
    __m256 tail = _mm256_mul_ps(_mm256_mul_ps(p, set1(0.5f)), _mm256_fmadd_ps(e, rest, e));
    __m256 lower = _mm256_mul_ps(x, tail);
    __m256 y = _mm256_blendv_ps(lower, _mm256_sub_ps(x, lower), _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_GT_OQ));
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(x, set1(6.0f), _CMP_GT_OQ));
}

SDW_INLINE __m256 act_ps(__m256 x, sdw_act act)
{
    switch (act) {
    case SDW_ACT_SILU: return times_sigmoid_ps(x, x);
    case SDW_ACT_GELU: return gelu_ps(x);
    case SDW_ACT_GELU_TANH: {
        __m256 cube = _mm256_mul_ps(_mm256_mul_ps(x, x), _mm256_mul_ps(x, set1(0.044715f)));
        return times_sigmoid_ps(x, _mm256_mul_ps(_mm256_add_ps(x, cube), set1(1.59576912f)));
    }
    case SDW_ACT_QUICK_GELU: return times_sigmoid_ps(x, _mm256_mul_ps(x, set1(1.702f)));
    case SDW_ACT_NONE: break;
    }
    return x;
}

/* Mask of the lanes below n. */
SDW_INLINE __m256i lanes_below(long n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n > 8 ? 8 : (int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* The first n (all if n >= 8) values at p, zeros behind. */
SDW_INLINE __m256 load_part(const float *p, long n)
{
    return n >= 8 ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, lanes_below(n));
}

SDW_INLINE void store_part(float *p, long n, __m256 v)
{
    if (n >= 8) _mm256_storeu_ps(p, v);
    else _mm256_maskstore_ps(p, lanes_below(n), v);
}

/* Eight lanes added in a fixed order. */
SDW_INLINE float sum_of(__m256 v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}

#endif
