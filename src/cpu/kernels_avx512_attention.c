/* kernels_avx512_attention.c - attention in narrow arithmetic, all but its products: queries and probabilities become panels,
 * values become rows. Shared by every unit that multiplies with 32 columns; needs no more than AVX-512 itself. */
#include "cpu/narrow_isa.h"

#if defined(__AVX512F__)

#include <math.h>
#include <string.h>

#include "cpu/avx512_math.h"

enum { LANES = 16, COLUMNS = 2 * LANES };

/* 2^x as exp2_ps of avx512_math.h, with polynomials as short as what becomes of the result allows (largest relative error). */
SDW_INLINE __m512 exp2_to_8_bits(__m512 x) /* 1.8e-3; never above the true value just below a power of two */
{
    __m512 r = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(0.337189434f), r, _mm512_set1_ps(0.657636276f));
    return _mm512_scalef_ps(_mm512_fmadd_ps(p, r, _mm512_set1_ps(1.00172476f)), x);
}

SDW_INLINE __m512 exp2_to_bf16(__m512 x) /* 8e-5 */
{
    __m512 r = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(0.0780245227f), r, _mm512_set1_ps(0.226067155f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.69583354f));
    return _mm512_scalef_ps(_mm512_fmadd_ps(p, r, _mm512_set1_ps(0.999925219f)), x);
}

SDW_INLINE __m512 exp2_to_f16(__m512 x) /* 3e-6 */
{
    __m512 r = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(0.0135341681f), r, _mm512_set1_ps(0.0520114603f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.241442757f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.693003834f));
    return _mm512_scalef_ps(_mm512_fmadd_ps(p, r, _mm512_set1_ps(1.00000259f)), x);
}

/* ---- four or two steps side by side ---- */

/* Integers of four steps, sixteen columns each, as bytes: lane j holds step 0, 1, 2, 3 of column j. */
SDW_INLINE __m512i interleaved_bytes(__m512i words01, __m512i words23, bool has_sign)
{
    const __m512i order = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    __m512i bytes = has_sign ? _mm512_packs_epi16(words01, words23) : _mm512_packus_epi16(words01, words23);
    return _mm512_shuffle_epi8(bytes, order);
}

/* Rounded half up. A NaN stays one only if canonical() made it. */
SDW_INLINE __m512i interleaved_bf16(__m512 even, __m512 odd)
{
    const __m512i half = _mm512_set1_epi32(0x8000), high = _mm512_set1_epi32((int)0xffff0000);
    __m512i e = _mm512_srli_epi32(_mm512_add_epi32(_mm512_castps_si512(even), half), 16);
    __m512i o = _mm512_add_epi32(_mm512_castps_si512(odd), half);
    return _mm512_ternarylogic_epi32(high, o, e, 0xca); /* high ? o : e */
}

SDW_INLINE __m512i interleaved_f16(__m512 even, __m512 odd)
{
    __m512i e = _mm512_cvtepu16_epi32(_mm512_cvtps_ph(even, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    __m512i o = _mm512_cvtepu16_epi32(_mm512_cvtps_ph(odd, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    return _mm512_or_si512(e, _mm512_slli_epi32(o, 16));
}

SDW_INLINE __m512 canonical(__m512 x)
{
    return _mm512_mask_mov_ps(x, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), _mm512_set1_ps(NAN));
}

SDW_INLINE __m512 row_or_zero(const float *src, int i, int n)
{
    return i < n ? _mm512_loadu_ps(src + (ptrdiff_t)i * COLUMNS) : _mm512_setzero_ps();
}

/* ---- queries ---- */

/* Largest size in sixteen columns; NaN where a value is not finite. */
SDW_INLINE __m512 largest(const float *src, int dim)
{
    const __m512 infinity = _mm512_set1_ps(INFINITY);
    __m512 most = _mm512_setzero_ps();
    __mmask16 bad = 0;
    for (int i = 0; i < dim; i++) {
        __m512 x = _mm512_abs_ps(row_or_zero(src, i, dim));
        bad |= _mm512_cmp_ps_mask(x, infinity, _CMP_NLT_UQ);
        most = _mm512_max_ps(most, x);
    }
    return _mm512_mask_mov_ps(most, bad, _mm512_set1_ps(NAN));
}

static void columns_int8(void *panel, float *by, const float *src, int dim, int steps)
{
    const __m512i middle = _mm512_set1_epi8((char)128);
    for (int j = 0; j < COLUMNS; j += LANES) {
        __m512 most = largest(src + j, dim);
        __mmask16 good = _mm512_cmp_ps_mask(most, _mm512_setzero_ps(), _CMP_GT_OQ);
        __m512 inverse = _mm512_maskz_div_ps(good, _mm512_set1_ps(127), most);
        for (int i = 0; i < steps; i += 4) {
            __m512i v[4];
            SDW_UNROLL
            for (int s = 0; s < 4; s++) v[s] = _mm512_maskz_cvtps_epi32(good, _mm512_mul_ps(row_or_zero(src + j, i + s, dim), inverse));
            __m512i bytes = interleaved_bytes(_mm512_packs_epi32(v[0], v[1]), _mm512_packs_epi32(v[2], v[3]), true);
            _mm512_storeu_si512((char *)panel + ((ptrdiff_t)i * COLUMNS + j * 4), _mm512_xor_si512(bytes, middle));
        }
        _mm512_storeu_ps(by + j, _mm512_mul_ps(most, _mm512_set1_ps(1.0f / 127)));
    }
}

static void columns_bf16(void *panel, float *by, const float *src, int dim, int steps)
{
    (void)by;
    for (int i = 0; i < steps; i += 2)
        for (int j = 0; j < COLUMNS; j += LANES)
            _mm512_storeu_si512((char *)panel + ((ptrdiff_t)i * COLUMNS + j * 2) * 2,
                                interleaved_bf16(canonical(row_or_zero(src + j, i, dim)), canonical(row_or_zero(src + j, i + 1, dim))));
}

static void columns_f16(void *panel, float *by, const float *src, int dim, int steps)
{
    (void)by;
    for (int i = 0; i < steps; i += 2)
        for (int j = 0; j < COLUMNS; j += LANES)
            _mm512_storeu_si512((char *)panel + ((ptrdiff_t)i * COLUMNS + j * 2) * 2,
                                interleaved_f16(row_or_zero(src + j, i, dim), row_or_zero(src + j, i + 1, dim)));
}

/* ---- keys and values ---- */

static void signed_int8(void *dst, sdw_cpu_narrow_sign *sign, const float *src, int n, int padded)
{
    const __m512 infinity = _mm512_set1_ps(INFINITY);
    __m512 most = _mm512_setzero_ps();
    __m512i sum = _mm512_setzero_si512();
    __mmask16 bad = 0;
    for (int i = 0; i < n; i += LANES) {
        __m512 x = _mm512_abs_ps(_mm512_maskz_loadu_ps(lanes_below(n - i), src + i));
        bad |= _mm512_cmp_ps_mask(x, infinity, _CMP_NLT_UQ);
        most = _mm512_max_ps(most, x);
    }
    float size = _mm512_reduce_max_ps(most);
    __m512 inverse = _mm512_set1_ps(!bad && size > 0 ? 127 / size : 0);
    for (int i = 0; i < padded; i += LANES) {
        __mmask16 m = bad ? 0 : lanes_below(n - i);
        __m512i v = _mm512_maskz_cvtps_epi32(m, _mm512_mul_ps(_mm512_maskz_loadu_ps(m, src + i), inverse));
        sum = _mm512_add_epi32(sum, v);
        _mm_storeu_si128((void *)((char *)dst + i), _mm512_cvtsepi32_epi8(v));
    }
    *sign = (sdw_cpu_narrow_sign){ bad ? NAN : size * (1.0f / 127), -128 * _mm512_reduce_add_epi32(sum) };
}

static void signed_bf16(void *dst, sdw_cpu_narrow_sign *sign, const float *src, int n, int padded)
{
    (void)sign;
    sdw_cpu_row_bf16_avx512(dst, NULL, src, n, padded);
}

static void signed_f16(void *dst, sdw_cpu_narrow_sign *sign, const float *src, int n, int padded)
{
    (void)sign;
    for (int i = 0; i < padded; i += LANES)
        _mm256_storeu_si256((void *)((uint16_t *)dst + i), _mm512_cvtps_ph(_mm512_maskz_loadu_ps(lanes_below(n - i), src + i),
                                                                           _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

/* ---- softmax ---- */

/* The state of columns j to j + 15 moves on to the top `now`: `total` is what this block adds, in units of `factor`. */
SDW_INLINE void advance(const sdw_cpu_narrow_softmax *x, int j, __m512 now, __m512 factor, __m512 total)
{
    __m512 a = exp2_ps(_mm512_sub_ps(_mm512_loadu_ps(x->top + j), now));
    _mm512_storeu_ps(x->sum + j, _mm512_fmadd_ps(_mm512_loadu_ps(x->sum + j), a, _mm512_mul_ps(total, factor)));
    _mm512_storeu_ps(x->alpha + j, a);
    _mm512_storeu_ps(x->top + j, now);
}

SDW_INLINE __m512i bytes_of(const float *s, int k, int keys, __m512 by, __m512 offset)
{
    if (k >= keys) return _mm512_setzero_si512();
    return _mm512_cvtps_epi32(exp2_to_8_bits(_mm512_fmsub_ps(_mm512_loadu_ps(s + (ptrdiff_t)k * COLUMNS), by, offset)));
}

/* One step of bytes: four keys from k on. Returns their sum in columns. */
SDW_INLINE __m512i bytes_step(char *p, const float *s, int k, int keys, __m512 by, __m512 offset)
{
    const __m512i ones = _mm512_set1_epi8(1), words = _mm512_set1_epi16(1);
    __m512i v01 = _mm512_packus_epi32(bytes_of(s, k, keys, by, offset), bytes_of(s, k + 1, keys, by, offset));
    __m512i v23 = _mm512_packus_epi32(bytes_of(s, k + 2, keys, by, offset), bytes_of(s, k + 3, keys, by, offset));
    __m512i bytes = interleaved_bytes(v01, v23, false);
    _mm512_storeu_si512(p + (ptrdiff_t)k * COLUMNS, bytes);
    return _mm512_madd_epi16(_mm512_maddubs_epi16(bytes, ones), words);
}

static void softmax_int8(const sdw_cpu_narrow_softmax *x)
{
    for (int j = 0; j < COLUMNS; j += LANES) {
        char *to = (char *)x->p + (ptrdiff_t)j * 4;
        const float *s = x->s + j;
        __m512 by = _mm512_loadu_ps(x->by + j), here = _mm512_mul_ps(_mm512_loadu_ps(x->most + j), by);
        __m512 now = _mm512_max_ps(_mm512_loadu_ps(x->top + j), here);
        __m512 offset = _mm512_sub_ps(here, _mm512_set1_ps(7.99435344f)); /* log2 of 255 */
        __m512i total0 = _mm512_setzero_si512(), total1 = total0;
        int k = 0;
        for (; k + 8 <= x->keys; k += 8) {
            total0 = _mm512_add_epi32(total0, bytes_step(to, s, k, x->keys, by, offset));
            total1 = _mm512_add_epi32(total1, bytes_step(to, s, k + 4, x->keys, by, offset));
        }
        for (; k < x->keys; k += 4) total0 = _mm512_add_epi32(total0, bytes_step(to, s, k, x->keys, by, offset));
        for (; k < x->steps; k += 4) _mm512_storeu_si512(to + (ptrdiff_t)k * COLUMNS, _mm512_setzero_si512());
        __m512 f = _mm512_mul_ps(exp2_ps(_mm512_sub_ps(here, now)), _mm512_set1_ps(1.0f / 255));
        _mm512_storeu_ps(x->factor + j, f);
        advance(x, j, now, f, _mm512_cvtepi32_ps(_mm512_add_epi32(total0, total1)));
    }
}

SDW_INLINE __m512 power(const float *s, int k, int keys, __m512 now, bool f16)
{
    if (k >= keys) return _mm512_setzero_ps();
    __m512 x = _mm512_sub_ps(_mm512_loadu_ps(s + (ptrdiff_t)k * COLUMNS), now);
    return f16 ? exp2_to_f16(x) : exp2_to_bf16(x);
}

/* Two keys from k on; their sums onto two. */
SDW_INLINE void pair_step(char *p, const float *s, int k, int keys, __m512 now, bool f16, __m512 *total)
{
    __m512 even = power(s, k, keys, now, f16), odd = power(s, k + 1, keys, now, f16);
    _mm512_storeu_si512(p + (ptrdiff_t)k * COLUMNS * 2, f16 ? interleaved_f16(even, odd) : interleaved_bf16(even, odd));
    total[0] = _mm512_add_ps(total[0], even);
    total[1] = _mm512_add_ps(total[1], odd);
}

SDW_INLINE void softmax16(const sdw_cpu_narrow_softmax *x, const bool f16)
{
    for (int j = 0; j < COLUMNS; j += LANES) {
        char *to = (char *)x->p + (ptrdiff_t)j * 4;
        __m512 now = _mm512_max_ps(_mm512_loadu_ps(x->top + j), _mm512_loadu_ps(x->most + j)), total[4];
        for (int i = 0; i < 4; i++) total[i] = _mm512_setzero_ps();
        int k = 0;
        for (; k + 4 <= x->keys; k += 4) {
            pair_step(to, x->s + j, k, x->keys, now, f16, total);
            pair_step(to, x->s + j, k + 2, x->keys, now, f16, total + 2);
        }
        for (; k < x->steps; k += 2) pair_step(to, x->s + j, k, x->keys, now, f16, total);
        __m512 all = _mm512_add_ps(_mm512_add_ps(total[0], total[1]), _mm512_add_ps(total[2], total[3]));
        advance(x, j, now, _mm512_set1_ps(1), all);
    }
}

static void softmax_bf16(const sdw_cpu_narrow_softmax *x)
{
    softmax16(x, false);
}

static void softmax_f16(const sdw_cpu_narrow_softmax *x)
{
    softmax16(x, true);
}

void sdw_cpu_narrow_avx512_attention(sdw_cpu_narrow *n)
{
    bool bf16 = strcmp(n->name, "bf16") == 0;
    n->signed_row = n->scaled ? signed_int8 : bf16 ? signed_bf16 : signed_f16;
    n->columns = n->scaled ? columns_int8 : bf16 ? columns_bf16 : columns_f16;
    n->softmax = n->scaled ? softmax_int8 : bf16 ? softmax_bf16 : softmax_f16;
}

#else

void sdw_cpu_narrow_avx512_attention(sdw_cpu_narrow *n)
{
    (void)n;
}

#endif
