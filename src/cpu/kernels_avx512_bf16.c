/* kernels_avx512_bf16.c - bf16 with AVX512-BF16: two products a lane and instruction, added in f32. */
#include "cpu/narrow_isa.h"

#if defined(__AVX512BF16__)

#include "cpu/avx512_math.h"

enum { TILE_ROWS = 14, LANES = 16, COLUMNS = 2 * LANES, GROUP = 2, SIZE = 2 };

/* Rounded in integers: the conversion instruction takes denormals for zero, which the type itself does not. NaN stays NaN. */
SDW_INLINE __m256i narrowed(__m512 x)
{
    __m512i u = _mm512_castps_si512(x), odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
    __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(_mm512_add_epi32(u, odd), _mm512_set1_epi32(0x7fff)), 16);
    __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    rounded = _mm512_mask_or_epi32(rounded, nan, _mm512_srli_epi32(u, 16), _mm512_set1_epi32(0x40));
    return _mm512_cvtepi32_epi16(rounded);
}

void sdw_cpu_row_bf16_avx512(void *dst, sdw_cpu_narrow_scale *scale, const float *src, int n, int padded)
{
    (void)scale;
    for (int i = 0; i < padded; i += LANES)
        _mm256_storeu_si256((void *)((uint16_t *)dst + i), narrowed(_mm512_maskz_loadu_ps(lanes_below(n - i), src + i)));
}

void sdw_cpu_weights_bf16_avx512(void *dst, const float *src, size_t n, float inverse)
{
    (void)inverse;
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes_below((long)(n - i));
        _mm256_mask_storeu_epi16((uint16_t *)dst + i, m, narrowed(_mm512_maskz_loadu_ps(m, src + i)));
    }
}

SDW_INLINE void add_products(__m512 *sum, __m512 pairs, __m512 weights)
{
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(*sum) : "v"(pairs), "v"(weights));
}

/* rows is a constant at every call, see tile() of kernels_avx512.c. */
SDW_INLINE void multiply(const int rows, const char *from, ptrdiff_t stride, int steps, const char *b, __m512 sum[][2])
{
    const char *end = from + steps * SIZE, *row4 = from + 4 * stride, *row8 = from + 8 * stride, *row12 = from + 12 * stride;
    for (; from < end; from += 4, row4 += 4, row8 += 4, row12 += 4, b += COLUMNS * 4) {
        __m512 b0 = _mm512_loadu_ps(b), b1 = _mm512_loadu_ps(b + LANES * 4);
        SDW_UNROLL
        for (int r = 0; r < rows; r++) {
            const char *at = (r >= 12 ? row12 : r >= 8 ? row8 : r >= 4 ? row4 : from) + r % 4 * stride;
            __m512 v = _mm512_set1_ps(*(const float *)(const void *)at);
            add_products(&sum[r][0], v, b0);
            add_products(&sum[r][1], v, b1);
        }
    }
}

/* All runs go into one sum in registers. */
SDW_INLINE void tile(const int rows, const sdw_cpu_narrow_tile *t)
{
    __m512 sum[TILE_ROWS][2];
    ptrdiff_t stride = t->stride;
    SDW_UNROLL
    for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = _mm512_setzero_ps();
    for (int i = 0; i < t->count; i++) multiply(rows, (const char *)t->a + t->run[i].row * stride, stride, t->run[i].steps, (const char *)t->b + t->run[i].at, sum);
    SDW_UNROLL
    for (int r = 0; r < rows; r++)
        SDW_UNROLL
        for (int j = 0; j < 2; j++) {
            float *to = t->c + r * COLUMNS + j * LANES;
            _mm512_storeu_ps(to, t->add ? _mm512_add_ps(_mm512_loadu_ps(to), sum[r][j]) : sum[r][j]);
        }
}

SDW_INLINE void scores(const int rows, const sdw_cpu_narrow_scores *s)
{
    __m512 sum[TILE_ROWS][2], most[2] = { _mm512_loadu_ps(s->most), _mm512_loadu_ps(s->most + LANES) };
    SDW_UNROLL
    for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = _mm512_setzero_ps();
    multiply(rows, s->a, s->stride, s->steps, s->b, sum);
    SDW_UNROLL
    for (int r = 0; r < rows; r++)
        SDW_UNROLL
        for (int j = 0; j < 2; j++) {
            _mm512_storeu_ps(s->c + r * COLUMNS + j * LANES, sum[r][j]);
            most[j] = _mm512_max_ps(most[j], sum[r][j]);
        }
    _mm512_storeu_ps(s->most, most[0]);
    _mm512_storeu_ps(s->most + LANES, most[1]);
}

SDW_INLINE void outer(const int rows, const sdw_cpu_narrow_outer *o)
{
    __m512 sum[TILE_ROWS][2];
    SDW_UNROLL
    for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = _mm512_setzero_ps();
    multiply(rows, o->a, o->stride, o->steps, o->b, sum);
    SDW_UNROLL
    for (int r = 0; r < rows; r++)
        SDW_UNROLL
        for (int j = 0; j < 2; j++) {
            float *to = o->c + r * COLUMNS + j * LANES;
            _mm512_storeu_ps(to, _mm512_fmadd_ps(_mm512_loadu_ps(to), _mm512_loadu_ps(o->alpha + j * LANES), sum[r][j]));
        }
}

#define NARROW_TILE tile
#define NARROW_SCORES scores
#define NARROW_OUTER outer
#include "cpu/narrow_rows.h"

static double peak(long rounds, float *ret)
{
    __m512 v[24], x = _mm512_castsi512_ps(_mm512_set1_epi16(0x3f80)), y = _mm512_castsi512_ps(_mm512_set1_epi16(0x3c00));
    SDW_UNROLL
    for (int j = 0; j < 24; j++) v[j] = _mm512_set1_ps((float)j);
    for (long i = 0; i < rounds; i++)
        SDW_UNROLL
        for (int j = 0; j < 24; j++) add_products(&v[j], x, y);
    SDW_UNROLL
    for (int j = 0; j < 24; j++) *ret += _mm512_reduce_add_ps(v[j]);
    return 2.0 * GROUP * LANES * 24 * (double)rounds;
}

void sdw_cpu_narrow_avx512_bf16(sdw_cpu_narrow *n)
{
    n->unit = "AVX512-BF16";
    n->row = sdw_cpu_row_bf16_avx512;
    n->weights = sdw_cpu_weights_bf16_avx512;
    enter_rows(n);
    n->peak = peak;
    sdw_cpu_narrow_avx512_attention(n);
}

#else

void sdw_cpu_narrow_avx512_bf16(sdw_cpu_narrow *n)
{
    (void)n;
}

#endif
