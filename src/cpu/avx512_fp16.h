/* avx512_fp16.h - the f32 side of fp16_products.h in AVX-512, for the instructions and for their emulation (bench/emulated). The includer
 * has defined FP16_VECTOR with its own four operations, and columns_of(sum): even sums + odd sums, rounded to f16, as f32. */
#ifndef SDW_CPU_AVX512_FP16_H
#define SDW_CPU_AVX512_FP16_H

#ifdef FP16_VECTOR

#include "cpu/avx512_math.h"

SDW_INLINE void promote(float *c, FP16_VECTOR sum, const float *alpha)
{
    __m512 v = columns_of(sum), before = _mm512_loadu_ps(c);
    _mm512_storeu_ps(c, alpha ? _mm512_fmadd_ps(before, _mm512_loadu_ps(alpha), v) : _mm512_add_ps(before, v));
}

#define FP16_PROMOTE(c, sum, alpha) promote(c, sum, alpha)
#define FP16_STORE(c, sum) _mm512_storeu_ps(c, columns_of(sum))
#define FP16_FLOATS __m512
#define FP16_FLOATS_LOAD(from) _mm512_loadu_ps(from)
#define FP16_FLOATS_STORE(to, v) _mm512_storeu_ps(to, v)
#define FP16_FLOATS_MAX(a, b) _mm512_max_ps(a, b)
#define FP16_INLINE SDW_INLINE
#define FP16_UNROLL SDW_UNROLL
#include "cpu/fp16_products.h"

#endif
#endif
