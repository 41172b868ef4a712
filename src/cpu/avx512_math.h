/* avx512_math.h - exp, sigmoid and friends on sixteen floats. Included by the AVX-512 files only. */
#ifndef SDW_CPU_AVX512_MATH_H
#define SDW_CPU_AVX512_MATH_H

#include <immintrin.h>

#include "tensor/graph.h"

#define SDW_INLINE static inline __attribute__((always_inline))

/* Before a loop with a constant number of rounds: unroll it wholly and early, so that its arrays become registers. */
#if defined(__clang__)
#define SDW_UNROLL _Pragma("clang loop unroll(full)")
#else
#define SDW_UNROLL _Pragma("GCC unroll 32")
#endif

/* e^x. x = n ln2 + r with |r| <= ln2 / 2; a polynomial of degree 6 (error 8e-9) for e^r. About 1 ulp; 0 and infinity beyond
 * the range, NaN stays NaN (hence the order of max and min). */
SDW_INLINE __m512 exp_ps(__m512 x)
{
    x = _mm512_min_ps(_mm512_set1_ps(90.0f), _mm512_max_ps(_mm512_set1_ps(-110.0f), x));
    __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693145752f), x);
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(1.42860677e-6f), r);
    __m512 q = _mm512_fmadd_ps(_mm512_set1_ps(0.00139261836f), r, _mm512_set1_ps(0.00836317905f));
    q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(0.0416665546f));
    q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(0.16666577f));
    q = _mm512_fmadd_ps(q, r, _mm512_set1_ps(0.5f));
    __m512 p = _mm512_add_ps(_mm512_fmadd_ps(_mm512_mul_ps(r, r), q, r), _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(p, n);
}

/* 2^x for x <= 0 or NaN; -infinity gives 0. The fraction r = x - floor(x) in one instruction, a polynomial of degree 6 (error
 * 2e-9) in three short chains instead of a long one, and the whole part goes on by scalef, which takes the floor itself. */
SDW_INLINE __m512 exp2_ps(__m512 x)
{
    __m512 r = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC), r2 = _mm512_mul_ps(r, r);
    __m512 high = _mm512_fmadd_ps(_mm512_set1_ps(0.00124396877f), r, _mm512_set1_ps(0.00967884101f));
    __m512 middle = _mm512_fmadd_ps(_mm512_set1_ps(0.055483342f), r, _mm512_set1_ps(0.240229836f));
    __m512 low = _mm512_fmadd_ps(_mm512_set1_ps(0.693146984f), r, _mm512_set1_ps(1.0f));
    high = _mm512_fmadd_ps(_mm512_set1_ps(0.000217022557f), r2, high);
    return _mm512_scalef_ps(_mm512_fmadd_ps(_mm512_fmadd_ps(high, r2, middle), r2, low), x);
}

/* 1 / d for normal d below 2^126: an estimate of 14 bits and two Newton steps. */
SDW_INLINE __m512 reciprocal_ps(__m512 d)
{
    __m512 y = _mm512_rcp14_ps(d);
    y = _mm512_fmadd_ps(y, _mm512_fnmadd_ps(d, y, _mm512_set1_ps(1.0f)), y);
    return _mm512_fmadd_ps(y, _mm512_fnmadd_ps(d, y, _mm512_set1_ps(1.0f)), y);
}

/* x / (1 + e^-s). e^-s is held below 2^125, where the quotient has long been 0 beside any activation that matters. */
SDW_INLINE __m512 times_sigmoid_ps(__m512 x, __m512 s)
{
    __m512 e = exp_ps(_mm512_min_ps(_mm512_set1_ps(86.0f), _mm512_sub_ps(_mm512_setzero_ps(), s)));
    return _mm512_mul_ps(x, reciprocal_ps(_mm512_add_ps(e, _mm512_set1_ps(1.0f))));
}

/* x * Phi(x). Phi(-|x|) = e^(-z^2) erfcx(z) / 2 with z = |x| / sqrt 2; (1 + 2z) erfcx(z) is a polynomial of degree 10 in
 * (z - 3) / (z + 3), error 3e-9 on [0, 10]. So both tails keep their relative precision. */
SDW_INLINE __m512 gelu_ps(__m512 x)
{
    __m512 z = _mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(0.707106781f));
    z = _mm512_min_ps(_mm512_set1_ps(10.0f), z);
    __m512 above = _mm512_add_ps(z, _mm512_set1_ps(3.0f)), slope = _mm512_fmadd_ps(_mm512_set1_ps(2.0f), z, _mm512_set1_ps(1.0f));
    __m512 both = reciprocal_ps(_mm512_mul_ps(above, slope)); /* one division for two */
    __m512 t = _mm512_mul_ps(_mm512_sub_ps(z, _mm512_set1_ps(3.0f)), _mm512_mul_ps(both, slope));
    static const float c[] = { -0.0002782657f, -0.0008009518f, 0.001992521f, 0.0025799843f, -0.023789118f, 0.06829367f,
                               -0.11927283f, 0.12964654f, -0.047562272f, -0.13562114f, 1.2530081f };
    __m512 p = _mm512_set1_ps(c[0]);
    for (int i = 1; i < 11; i++) p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(c[i]));
    p = _mm512_mul_ps(p, _mm512_mul_ps(both, above));
    /* -x^2/2 as a sum of two floats, so that the exponential is exact to the last digits far out too */
    __m512 half = _mm512_mul_ps(x, _mm512_set1_ps(-0.5f)), square = _mm512_mul_ps(half, x), rest = _mm512_fmsub_ps(half, x, square);
    __m512 e = exp_ps(square);
    __m512 tail = _mm512_mul_ps(_mm512_mul_ps(p, _mm512_set1_ps(0.5f)), _mm512_fmadd_ps(e, rest, e));
    __m512 lower = _mm512_mul_ps(x, tail);
    __m512 y = _mm512_mask_sub_ps(lower, _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GT_OQ), x, lower);
    return _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(x, _mm512_set1_ps(6.0f), _CMP_GT_OQ), x); /* infinity included */
}

/* The same within 5e-5 + 1e-5 |x|, at a seventh of the cost: Phi(x) = 1/2 + x P(x^2) for |x| < 4.5, P of degree 8 by least maximum error of
 * x^2 P; 0 or x beyond. */
SDW_INLINE __m512 gelu_rough_ps(__m512 x)
{
    static const float c[] = { 3.03642389e-11f, -3.31466518e-9f, 1.59099893e-7f, -4.45173347e-6f, 8.14252148e-5f, -0.00103759162f, 0.0095852041f,
                               -0.0659846577f, 0.398712608f };
    __m512 reach = _mm512_set1_ps(4.5f), z = _mm512_max_ps(_mm512_set1_ps(-4.5f), _mm512_min_ps(reach, x)), u = _mm512_mul_ps(z, z);
    __m512 p = _mm512_set1_ps(c[0]);
    for (int i = 1; i < 9; i++) p = _mm512_fmadd_ps(p, u, _mm512_set1_ps(c[i]));
    __mmask16 counts = _mm512_cmp_ps_mask(x, _mm512_set1_ps(-4.5f), _CMP_NLT_UQ); /* NaN counts */
    return _mm512_maskz_mul_ps(counts, x, _mm512_fmadd_ps(z, p, _mm512_set1_ps(0.5f)));
}

SDW_INLINE __m512 act_ps(__m512 x, sdw_act act)
{
    switch (act) {
    case SDW_ACT_SILU: return times_sigmoid_ps(x, x);
    case SDW_ACT_GELU: return gelu_ps(x);
    case SDW_ACT_GELU_TANH: {
        __m512 cube = _mm512_mul_ps(_mm512_mul_ps(x, x), _mm512_mul_ps(x, _mm512_set1_ps(0.044715f)));
        return times_sigmoid_ps(x, _mm512_mul_ps(_mm512_add_ps(x, cube), _mm512_set1_ps(1.59576912f)));
    }
    case SDW_ACT_QUICK_GELU: return times_sigmoid_ps(x, _mm512_mul_ps(x, _mm512_set1_ps(1.702f)));
    case SDW_ACT_NONE: break;
    }
    return x;
}

/* Mask of the lanes below n: all sixteen for n >= 16, none for n <= 0. */
SDW_INLINE __mmask16 lanes_below(long n)
{
    return n >= 16 ? (__mmask16)0xffff : n <= 0 ? (__mmask16)0 : (__mmask16)((1u << n) - 1);
}

#endif
