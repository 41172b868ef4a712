/* kernels_avx2_winograd.c - the transforms of F(4x4,3x3) with AVX2, 8 channels at a time: columns first, then rows. The even and odd
 * parts of a polynomial serve p and -p; kernels_winograd.c has the matrices. */
#include "cpu/kernels.h"

#if defined(__AVX2__) && defined(__FMA__)

#include "cpu/avx2_math.h"

enum { LANES = 8, POINTS = 6, TILE = 4 };

SDW_INLINE __m256 times(__m256 x, float factor)
{
    return _mm256_mul_ps(x, _mm256_set1_ps(factor));
}

/* a * factor + b */
SDW_INLINE __m256 madd(__m256 a, float factor, __m256 b)
{
    return _mm256_fmadd_ps(a, _mm256_set1_ps(factor), b);
}

SDW_INLINE void input_line(__m256 *to, ptrdiff_t step, const __m256 d[POINTS])
{
    __m256 even = madd(d[2], -2.25f, d[4]), odd = madd(d[1], -2.25f, d[3]);
    to[0] = madd(d[0], 0.87890625f, madd(d[2], -2.640625f, d[4]));
    to[step] = madd(odd, 0.625f, even);
    to[2 * step] = madd(odd, -0.625f, even);
    even = madd(d[2], -0.390625f, d[4]);
    odd = madd(d[1], -0.390625f, d[3]);
    to[3 * step] = madd(odd, 1.5f, even);
    to[4 * step] = madd(odd, -1.5f, even);
    to[5 * step] = madd(d[1], 0.87890625f, madd(d[3], -2.640625f, d[5]));
}

static void winograd_input(float *dst, ptrdiff_t point_stride, const float *src, ptrdiff_t row_stride, int tiles)
{
    for (int t = 0; t < tiles; t++, src += TILE * SDW_CPU_SEGMENT, dst += SDW_CPU_SEGMENT)
        for (int c = 0; c < SDW_CPU_SEGMENT; c += LANES) {
            __m256 half[POINTS * POINTS], d[POINTS];
            SDW_UNROLL
            for (int x = 0; x < POINTS; x++) {
                SDW_UNROLL
                for (int y = 0; y < POINTS; y++) d[y] = _mm256_loadu_ps(src + y * row_stride + x * SDW_CPU_SEGMENT + c);
                input_line(half + x, POINTS, d);
            }
            SDW_UNROLL
            for (int y = 0; y < POINTS; y++) {
                input_line(d, 1, half + y * POINTS);
                SDW_UNROLL
                for (int x = 0; x < POINTS; x++) _mm256_storeu_ps(dst + (y * POINTS + x) * point_stride + c, d[x]);
            }
        }
}

SDW_INLINE void weight_line(__m256 *to, ptrdiff_t step, __m256 g0, __m256 g1, __m256 g2)
{
    __m256 even = madd(g2, (float)(-32.0 / 119), times(g0, (float)(-2048.0 / 2975)));
    to[0] = times(g0, (float)(256.0 / 225));
    to[step] = madd(g1, (float)(-256.0 / 595), even);
    to[2 * step] = madd(g1, (float)(256.0 / 595), even);
    even = madd(g2, (float)(32.0 / 119), times(g0, (float)(128.0 / 1071)));
    to[3 * step] = madd(g1, (float)(64.0 / 357), even);
    to[4 * step] = madd(g1, (float)(-64.0 / 357), even);
    to[5 * step] = g2;
}

SDW_INLINE void transform_taps(__m256 g[9], float *dst, ptrdiff_t point_stride)
{
    __m256 half[POINTS * 3], d[POINTS];
    SDW_UNROLL
    for (int x = 0; x < 3; x++) weight_line(half + x, 3, g[x], g[3 + x], g[6 + x]);
    SDW_UNROLL
    for (int y = 0; y < POINTS; y++) {
        weight_line(d, 1, half[3 * y], half[3 * y + 1], half[3 * y + 2]);
        SDW_UNROLL
        for (int x = 0; x < POINTS; x++) _mm256_storeu_ps(dst + (y * POINTS + x) * point_stride, d[x]);
    }
}

static void winograd_weight(float *dst, ptrdiff_t point_stride, const float *src, ptrdiff_t tap_stride, size_t n)
{
    __m256 g[9];
    for (size_t i = 0; i < n; i += LANES) {
        SDW_UNROLL
        for (int tap = 0; tap < 9; tap++) g[tap] = _mm256_loadu_ps(src + tap * tap_stride + i);
        transform_taps(g, dst + i, point_stride);
    }
}

static void winograd_weight_f16(float *dst, ptrdiff_t point_stride, const uint16_t *src, ptrdiff_t tap_stride, size_t n)
{
    __m256 g[9];
    for (size_t i = 0; i < n; i += LANES) {
        SDW_UNROLL
        for (int tap = 0; tap < 9; tap++) {
            const uint16_t *p = src + tap * tap_stride + i;
            g[tap] = _mm256_cvtph_ps(_mm_loadu_si128((const void *)p));
        }
        transform_taps(g, dst + i, point_stride);
    }
}

SDW_INLINE void output_line(__m256 *to, ptrdiff_t step, const __m256 m[POINTS])
{
    __m256 near_sum = _mm256_add_ps(m[1], m[2]), near_difference = _mm256_sub_ps(m[1], m[2]);
    __m256 far_sum = _mm256_add_ps(m[3], m[4]), far_difference = _mm256_sub_ps(m[3], m[4]);
    to[0] = _mm256_add_ps(m[0], _mm256_add_ps(near_sum, far_sum));
    to[step] = madd(near_difference, 0.625f, times(far_difference, 1.5f));
    to[2 * step] = madd(near_sum, 0.390625f, times(far_sum, 2.25f));
    to[3 * step] = madd(near_difference, 0.244140625f, madd(far_difference, 3.375f, m[5]));
}

static void winograd_output(float *dst, ptrdiff_t row_stride, const float *src, ptrdiff_t point_stride, int tiles, int width)
{
    for (int t = 0; t < tiles; t++, src += width, dst += TILE * width)
        for (int c = 0; c < width; c += LANES) {
            __m256 half[TILE * POINTS], m[POINTS];
            SDW_UNROLL
            for (int x = 0; x < POINTS; x++) {
                SDW_UNROLL
                for (int y = 0; y < POINTS; y++) m[y] = _mm256_loadu_ps(src + (y * POINTS + x) * point_stride + c);
                output_line(half + x, POINTS, m);
            }
            SDW_UNROLL
            for (int y = 0; y < TILE; y++) {
                output_line(m, 1, half + y * POINTS);
                SDW_UNROLL
                for (int x = 0; x < TILE; x++) _mm256_storeu_ps(dst + y * row_stride + x * width + c, m[x]);
            }
        }
}

void sdw_cpu_kernels_avx2_winograd(sdw_cpu_kernels *k)
{
    k->winograd = true;
    k->winograd_input = winograd_input;
    k->winograd_weight = winograd_weight;
    k->winograd_weight_f16 = winograd_weight_f16;
    k->winograd_output = winograd_output;
}

#else

void sdw_cpu_kernels_avx2_winograd(sdw_cpu_kernels *k)
{
    (void)k;
}

#endif
