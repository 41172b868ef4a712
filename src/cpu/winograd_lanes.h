/* winograd_lanes.h - the transforms of F(4x4,3x3) at the width of an instruction set: columns first, then rows. The even and odd parts
 * of a polynomial serve p and -p; kernels_winograd.c has the matrices.
 *
 * Included by one file per instruction set, behind its vectors (avx2_lanes.h, avx512_lanes.h). Nothing without them. */
#ifndef SDW_CPU_WINOGRAD_LANES_H
#define SDW_CPU_WINOGRAD_LANES_H

#ifdef SDW_LANES

#include "cpu/kernels.h"

enum { POINTS = 6, TILE = 4 };

/* a * factor + b */
SDW_INLINE lanes add_times(lanes a, float factor, lanes b)
{
    return madd(a, spread(factor), b);
}

SDW_INLINE void input_line(lanes *to, ptrdiff_t step, const lanes d[POINTS])
{
    lanes even = add_times(d[2], -2.25f, d[4]), odd = add_times(d[1], -2.25f, d[3]);
    to[0] = add_times(d[0], 0.87890625f, add_times(d[2], -2.640625f, d[4]));
    to[step] = add_times(odd, 0.625f, even);
    to[2 * step] = add_times(odd, -0.625f, even);
    even = add_times(d[2], -0.390625f, d[4]);
    odd = add_times(d[1], -0.390625f, d[3]);
    to[3 * step] = add_times(odd, 1.5f, even);
    to[4 * step] = add_times(odd, -1.5f, even);
    to[5 * step] = add_times(d[1], 0.87890625f, add_times(d[3], -2.640625f, d[5]));
}

static void winograd_input(float *dst, ptrdiff_t point_stride, const float *src, ptrdiff_t row_stride, int tiles)
{
    for (int t = 0; t < tiles; t++, src += TILE * SDW_CPU_SEGMENT, dst += SDW_CPU_SEGMENT)
        for (int c = 0; c < SDW_CPU_SEGMENT; c += LANES) {
            lanes half[POINTS * POINTS], d[POINTS];
            SDW_UNROLL
            for (int x = 0; x < POINTS; x++) {
                SDW_UNROLL
                for (int y = 0; y < POINTS; y++) d[y] = load(src + y * row_stride + x * SDW_CPU_SEGMENT + c);
                input_line(half + x, POINTS, d);
            }
            SDW_UNROLL
            for (int y = 0; y < POINTS; y++) {
                input_line(d, 1, half + y * POINTS);
                SDW_UNROLL
                for (int x = 0; x < POINTS; x++) store(dst + (y * POINTS + x) * point_stride + c, d[x]);
            }
        }
}

SDW_INLINE void weight_line(lanes *to, ptrdiff_t step, lanes g0, lanes g1, lanes g2)
{
    lanes even = add_times(g2, (float)(-32.0 / 119), times(g0, (float)(-2048.0 / 2975)));
    to[0] = times(g0, (float)(256.0 / 225));
    to[step] = add_times(g1, (float)(-256.0 / 595), even);
    to[2 * step] = add_times(g1, (float)(256.0 / 595), even);
    even = add_times(g2, (float)(32.0 / 119), times(g0, (float)(128.0 / 1071)));
    to[3 * step] = add_times(g1, (float)(64.0 / 357), even);
    to[4 * step] = add_times(g1, (float)(-64.0 / 357), even);
    to[5 * step] = g2;
}

SDW_INLINE void transform_taps(lanes g[9], float *dst, ptrdiff_t point_stride)
{
    lanes half[POINTS * 3], d[POINTS];
    SDW_UNROLL
    for (int x = 0; x < 3; x++) weight_line(half + x, 3, g[x], g[3 + x], g[6 + x]);
    SDW_UNROLL
    for (int y = 0; y < POINTS; y++) {
        weight_line(d, 1, half[3 * y], half[3 * y + 1], half[3 * y + 2]);
        SDW_UNROLL
        for (int x = 0; x < POINTS; x++) store(dst + (y * POINTS + x) * point_stride, d[x]);
    }
}

static void winograd_weight(float *dst, ptrdiff_t point_stride, const float *src, ptrdiff_t tap_stride, size_t n)
{
    lanes g[9];
    for (size_t i = 0; i < n; i += LANES) {
        SDW_UNROLL
        for (int tap = 0; tap < 9; tap++) g[tap] = load(src + tap * tap_stride + i);
        transform_taps(g, dst + i, point_stride);
    }
}

static void winograd_weight_f16(float *dst, ptrdiff_t point_stride, const uint16_t *src, ptrdiff_t tap_stride, size_t n)
{
    lanes g[9];
    for (size_t i = 0; i < n; i += LANES) {
        SDW_UNROLL
        for (int tap = 0; tap < 9; tap++) g[tap] = load_f16(src + tap * tap_stride + i);
        transform_taps(g, dst + i, point_stride);
    }
}

SDW_INLINE void output_line(lanes *to, ptrdiff_t step, const lanes m[POINTS])
{
    lanes near_sum = plus(m[1], m[2]), near_difference = minus(m[1], m[2]);
    lanes far_sum = plus(m[3], m[4]), far_difference = minus(m[3], m[4]);
    to[0] = plus(m[0], plus(near_sum, far_sum));
    to[step] = add_times(near_difference, 0.625f, times(far_difference, 1.5f));
    to[2 * step] = add_times(near_sum, 0.390625f, times(far_sum, 2.25f));
    to[3 * step] = add_times(near_difference, 0.244140625f, add_times(far_difference, 3.375f, m[5]));
}

static void winograd_output(float *dst, ptrdiff_t row_stride, const float *src, ptrdiff_t point_stride, int tiles, int width)
{
    for (int t = 0; t < tiles; t++, src += width, dst += TILE * width)
        for (int c = 0; c < width; c += LANES) {
            lanes half[TILE * POINTS], m[POINTS];
            SDW_UNROLL
            for (int x = 0; x < POINTS; x++) {
                SDW_UNROLL
                for (int y = 0; y < POINTS; y++) m[y] = load(src + (y * POINTS + x) * point_stride + c);
                output_line(half + x, POINTS, m);
            }
            SDW_UNROLL
            for (int y = 0; y < TILE; y++) {
                output_line(m, 1, half + y * POINTS);
                SDW_UNROLL
                for (int x = 0; x < TILE; x++) store(dst + y * row_stride + x * width + c, m[x]);
            }
        }
}

SDW_INLINE void enter(sdw_cpu_kernels *k)
{
    k->winograd = true;
    k->winograd_input = winograd_input;
    k->winograd_weight = winograd_weight;
    k->winograd_weight_f16 = winograd_weight_f16;
    k->winograd_output = winograd_output;
}

#endif

#endif
