/* kernels_vnni.c - int8 with AVX512-VNNI: four products of bytes a lane and instruction, four times the rate of f32. */
#include "cpu/narrow_isa.h"

#if defined(__AVX512VNNI__)

#include <math.h>

#include "cpu/avx512_math.h"

enum { TILE_ROWS = 14, LANES = 16, COLUMNS = 2 * LANES, GROUP = 4 };

/* ---- rows ---- */

/* What is known of the values seen so far; `poison` is NaN in a lane once a value was not finite, else 0. */
typedef struct range {
    __m512 low, high, poison;
} range;

SDW_INLINE range widened(range r, __m512 x)
{
    return (range){ _mm512_min_ps(r.low, x), _mm512_max_ps(r.high, x), _mm512_fmadd_ps(x, _mm512_setzero_ps(), r.poison) };
}

/* Smallest and largest value; false if one is not finite. */
SDW_INLINE bool range_of(const float *src, int n, float *ret_low, float *ret_high)
{
    range r[2];
    int i = 0;
    for (int j = 0; j < 2; j++) r[j] = (range){ _mm512_set1_ps(INFINITY), _mm512_set1_ps(-INFINITY), _mm512_setzero_ps() };
    for (; i + 2 * LANES <= n; i += 2 * LANES)
        for (int j = 0; j < 2; j++) r[j] = widened(r[j], _mm512_loadu_ps(src + i + j * LANES));
    for (; i < n; i += LANES) r[0] = widened(r[0], _mm512_mask_loadu_ps(_mm512_set1_ps(src[i]), lanes_below(n - i), src + i));
    __m512 poison = _mm512_add_ps(r[0].poison, r[1].poison);
    *ret_low = _mm512_reduce_min_ps(_mm512_min_ps(r[0].low, r[1].low));
    *ret_high = _mm512_reduce_max_ps(_mm512_max_ps(r[0].high, r[1].high));
    return !_mm512_cmp_ps_mask(poison, poison, _CMP_UNORD_Q) && isfinite(*ret_high - *ret_low);
}

/* Sixteen bytes of a row; x beyond its end may be anything, m says what counts. */
SDW_INLINE __m128i quantised(__m512 x, __mmask16 m, __m512 low, __m512 inverse)
{
    return _mm512_cvtusepi32_epi8(_mm512_maskz_cvtps_epi32(m, _mm512_mul_ps(_mm512_sub_ps(x, low), inverse)));
}

void sdw_cpu_row_int8_avx512(void *dst, sdw_cpu_narrow_scale *scale, const float *src, int n, int padded)
{
    float low, high, inverse;
    int i = 0;
    bool finite = range_of(src, n, &low, &high);
    *scale = (sdw_cpu_narrow_scale){ (high - low) / 255.0f, low };
    inverse = high > low ? 255.0f / (high - low) : 0;
    if (!finite) {
        *scale = (sdw_cpu_narrow_scale){ NAN, 0 };
        inverse = low = 0;
    }
    __m512 offset = _mm512_set1_ps(low), factor = _mm512_set1_ps(inverse);
    for (; i + LANES <= n; i += LANES)
        _mm_storeu_si128((void *)((char *)dst + i), quantised(_mm512_loadu_ps(src + i), 0xffff, offset, factor));
    for (; i < padded; i += LANES) {
        __mmask16 m = lanes_below(n - i);
        _mm_storeu_si128((void *)((char *)dst + i), quantised(_mm512_maskz_loadu_ps(m, src + i), m, offset, factor));
    }
}

void sdw_cpu_weights_int8_avx512(void *dst, const float *src, size_t n, float inverse)
{
    __m512 factor = _mm512_set1_ps(inverse);
    __m512i least = _mm512_set1_epi32(-127);
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 m = lanes_below((long)(n - i));
        __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_maskz_loadu_ps(m, src + i), factor));
        _mm512_mask_cvtsepi32_storeu_epi8((char *)dst + i, m, _mm512_max_epi32(q, least));
    }
}

/* ---- tiles ---- */

/* The instruction by name: gcc 12 keeps arrays of sums in memory around its intrinsic. */
SDW_INLINE void add_products(__m512i *sum, __m512i bytes, __m512i weights)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(*sum) : "v"(bytes), "v"(weights));
}

SDW_INLINE __m512i broadcast(const char *p)
{
    return _mm512_castps_si512(_mm512_set1_ps(*(const float *)(const void *)p));
}

/* Memory on its way into the level-2 cache, a line with every group of steps: in bursts, between tiles, the lines would queue. */
typedef struct fetch {
    const char *at;
    ptrdiff_t step;
} fetch;

/* rows is a constant at every call, see tile() of kernels_avx512.c. signed_rows: bytes of the rows have the sign, those of the panel
 * do not; otherwise the other way round. Sums begin with `start`, NULL: with 0. next: NULL or moved on. */
SDW_INLINE void multiply(const int rows, const bool signed_rows, const sdw_cpu_narrow_sign *start, const char *from, ptrdiff_t stride,
                         int steps, const char *b, fetch *next, __m512i sum[][2])
{
    const char *end = from + steps, *row4 = from + 4 * stride, *row8 = from + 8 * stride, *row12 = from + 12 * stride;
    SDW_UNROLL
    for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = start ? _mm512_set1_epi32(start[r].start) : _mm512_setzero_si512();
    for (; from < end; from += GROUP, row4 += GROUP, row8 += GROUP, row12 += GROUP, b += COLUMNS * GROUP) {
        if (next) {
            _mm_prefetch(next->at, _MM_HINT_T1);
            next->at += next->step;
        }
        __m512i b0 = _mm512_loadu_si512(b), b1 = _mm512_loadu_si512(b + LANES * GROUP);
        SDW_UNROLL
        for (int r = 0; r < rows; r++) {
            __m512i v = broadcast((r >= 12 ? row12 : r >= 8 ? row8 : r >= 4 ? row4 : from) + r % 4 * stride);
            add_products(&sum[r][0], signed_rows ? b0 : v, signed_rows ? v : b0);
            add_products(&sum[r][1], signed_rows ? b1 : v, signed_rows ? v : b1);
        }
    }
}

/* factor * (scale * sum + shift * sum of weights) onto what c holds. What all rows share is read before c is written. */
SDW_INLINE void settle(const int rows, __m512i sum[][2], const sdw_cpu_narrow_scale *scale, const float *sums, const float *factor, float *c, bool add)
{
    __m512 total[2], by[2];
    for (int j = 0; j < 2; j++) {
        by[j] = _mm512_loadu_ps(factor + j * LANES);
        total[j] = _mm512_loadu_ps(sums + j * LANES);
    }
    SDW_UNROLL
    for (int r = 0; r < rows; r++) {
        __m512 wide = _mm512_set1_ps(scale[r].scale), shift = _mm512_set1_ps(scale[r].shift);
        SDW_UNROLL
        for (int j = 0; j < 2; j++) {
            float *to = c + r * COLUMNS + j * LANES;
            __m512 v = _mm512_fmadd_ps(wide, _mm512_cvtepi32_ps(sum[r][j]), _mm512_mul_ps(shift, total[j]));
            _mm512_storeu_ps(to, add ? _mm512_fmadd_ps(v, by[j], _mm512_loadu_ps(to)) : _mm512_mul_ps(v, by[j]));
        }
    }
}

SDW_INLINE void tile(const int rows, const sdw_cpu_narrow_tile *t)
{
    fetch next = { t->fetch, t->fetch_step };
    for (int i = 0; i < t->count; i++) {
        __m512i sum[TILE_ROWS][2];
        const char *b = (const char *)t->b + t->run[i].at;
        const float *sums = (const float *)(const void *)b;
        multiply(rows, false, NULL, (const char *)t->a + t->run[i].row * t->stride, t->stride, t->run[i].steps, b + COLUMNS * sizeof(float), &next, sum);
        settle(rows, sum, t->scale + t->run[i].row, sums, t->factor, t->c, t->add || i > 0);
    }
}

SDW_INLINE void scores(const int rows, const sdw_cpu_narrow_scores *s)
{
    __m512i sum[TILE_ROWS][2];
    __m512 most[2] = { _mm512_loadu_ps(s->most), _mm512_loadu_ps(s->most + LANES) };
    multiply(rows, true, s->sign, s->a, s->stride, s->steps, s->b, NULL, sum);
    SDW_UNROLL
    for (int r = 0; r < rows; r++)
        SDW_UNROLL
        for (int j = 0; j < 2; j++) {
            __m512 v = _mm512_mul_ps(_mm512_cvtepi32_ps(sum[r][j]), _mm512_set1_ps(s->sign[r].scale));
            _mm512_storeu_ps(s->c + r * COLUMNS + j * LANES, v);
            most[j] = _mm512_max_ps(most[j], v);
        }
    _mm512_storeu_ps(s->most, most[0]);
    _mm512_storeu_ps(s->most + LANES, most[1]);
}

SDW_INLINE void outer(const int rows, const sdw_cpu_narrow_outer *o)
{
    __m512i sum[TILE_ROWS][2];
    multiply(rows, true, NULL, o->a, o->stride, o->steps, o->b, NULL, sum);
    SDW_UNROLL
    for (int r = 0; r < rows; r++)
        SDW_UNROLL
        for (int j = 0; j < 2; j++) {
            float *to = o->c + r * COLUMNS + j * LANES;
            __m512 factor = _mm512_mul_ps(_mm512_set1_ps(o->sign[r].scale), _mm512_loadu_ps(o->factor + j * LANES));
            __m512 before = _mm512_mul_ps(_mm512_loadu_ps(to), _mm512_loadu_ps(o->alpha + j * LANES));
            _mm512_storeu_ps(to, _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r][j]), factor, before));
        }
}

#define NARROW_TILE tile
#define NARROW_SCORES scores
#define NARROW_OUTER outer
#include "cpu/narrow_rows.h"

static double peak(long rounds, float *ret)
{
    __m512i v[24], x = _mm512_set1_epi8(3), y = _mm512_set1_epi8(1);
    SDW_UNROLL
    for (int j = 0; j < 24; j++) v[j] = _mm512_set1_epi32(j);
    for (long i = 0; i < rounds; i++)
        SDW_UNROLL
        for (int j = 0; j < 24; j++) add_products(&v[j], x, y);
    SDW_UNROLL
    for (int j = 0; j < 24; j++) *ret += (float)_mm512_reduce_add_epi32(v[j]);
    return 2.0 * GROUP * LANES * 24 * (double)rounds;
}

void sdw_cpu_narrow_vnni(sdw_cpu_narrow *n)
{
    n->unit = "AVX512-VNNI";
    n->row = sdw_cpu_row_int8_avx512;
    n->weights = sdw_cpu_weights_int8_avx512;
    enter_rows(n);
    n->fetches = true;
    n->peak = peak;
    sdw_cpu_narrow_avx512_attention(n);
}

#else

void sdw_cpu_narrow_vnni(sdw_cpu_narrow *n)
{
    (void)n;
}

#endif
