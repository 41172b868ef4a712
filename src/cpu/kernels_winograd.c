/* kernels_winograd.c - the transforms of F(4x4,3x3) from their definition: Winograd 1980, Lavin and Gray 2016.
 *
 * A 3-tap filter g over 6 inputs d gives 4 outputs A^T [(G g) * (B^T d)]: polynomials are multiplied by their values at
 * five points and at infinity. In two dimensions each transform is applied to rows and columns: 36 products in place of
 * 144. Any points work on paper; in f32 they decide how much is lost. 0, +-5/8, +-3/2 halve the error of the usual
 * 0, +-1, +-2 (7.9e-7 against 1.7e-6 for a convolution of 320 channels, direct sums 2e-7), and every constant of A
 * and B is exact in f32. */
#include "cpu/kernels.h"

#include "core/half.h"

enum { POINTS = 6, TAPS = 3, OUTPUTS = 4 };

/* Rows of B^T: coefficients of the product of (x - p) over all other points; the last over all five. */
static const double input_matrix[POINTS][POINTS] = {
    { 225.0 / 256, 0, -169.0 / 64, 0, 1, 0 },
    { 0, -5.0 / 8 * 9 / 4, -9.0 / 4, 5.0 / 8, 1, 0 },
    { 0, 5.0 / 8 * 9 / 4, -9.0 / 4, -5.0 / 8, 1, 0 },
    { 0, -3.0 / 2 * 25 / 64, -25.0 / 64, 3.0 / 2, 1, 0 },
    { 0, 3.0 / 2 * 25 / 64, -25.0 / 64, -3.0 / 2, 1, 0 },
    { 0, 225.0 / 256, 0, -169.0 / 64, 0, 1 },
};

/* Rows of G: 1, p, p^2 over the product of p - q for all other points q: 225/256 at 0; 2 p^2 (25/64 - 144/64) and
 * 2 p^2 (144/64 - 25/64) at 5/8 and 3/2. */
static const double weight_matrix[POINTS][TAPS] = {
    { 256.0 / 225, 0, 0 },
    { -2048.0 / 2975, -256.0 / 595, -32.0 / 119 },
    { -2048.0 / 2975, 256.0 / 595, -32.0 / 119 },
    { 128.0 / 1071, 64.0 / 357, 32.0 / 119 },
    { 128.0 / 1071, -64.0 / 357, 32.0 / 119 },
    { 0, 0, 1 },
};

/* Columns of A^T: 1, p, p^2, p^3. */
static const double output_matrix[OUTPUTS][POINTS] = {
    { 1, 1, 1, 1, 1, 0 },
    { 0, 5.0 / 8, -5.0 / 8, 3.0 / 2, -3.0 / 2, 0 },
    { 0, 25.0 / 64, 25.0 / 64, 9.0 / 4, 9.0 / 4, 0 },
    { 0, 125.0 / 512, -125.0 / 512, 27.0 / 8, -27.0 / 8, 1 },
};

/* to (rows x rows) = m from m^T; m is rows x columns, from columns x columns. A NaN reaches what depends on it and no more:
 * zeros are not multiplied. */
static void both_sides(double *to, const double *m, int rows, int columns, const double *from)
{
    double half[POINTS * POINTS];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            half[i * columns + j] = 0;
            for (int k = 0; k < columns; k++)
                if (m[i * columns + k] != 0) half[i * columns + j] += m[i * columns + k] * from[k * columns + j];
        }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < rows; j++) {
            to[i * rows + j] = 0;
            for (int k = 0; k < columns; k++)
                if (m[j * columns + k] != 0) to[i * rows + j] += half[i * columns + k] * m[j * columns + k];
        }
}

static void winograd_input(float *dst, ptrdiff_t point_stride, const float *src, ptrdiff_t row_stride, int tiles)
{
    double from[POINTS * POINTS], to[POINTS * POINTS];
    for (int t = 0; t < tiles; t++)
        for (int c = 0; c < SDW_CPU_SEGMENT; c++) {
            for (int y = 0; y < POINTS; y++)
                for (int x = 0; x < POINTS; x++) from[y * POINTS + x] = src[y * row_stride + (4 * t + x) * SDW_CPU_SEGMENT + c];
            both_sides(to, &input_matrix[0][0], POINTS, POINTS, from);
            for (int p = 0; p < POINTS * POINTS; p++) dst[p * point_stride + t * SDW_CPU_SEGMENT + c] = (float)to[p];
        }
}

static void winograd_weight(float *dst, ptrdiff_t point_stride, const float *src, ptrdiff_t tap_stride, size_t n)
{
    double from[TAPS * TAPS], to[POINTS * POINTS];
    for (size_t i = 0; i < n; i++) {
        for (int tap = 0; tap < TAPS * TAPS; tap++) from[tap] = src[tap * tap_stride + (ptrdiff_t)i];
        both_sides(to, &weight_matrix[0][0], POINTS, TAPS, from);
        for (int p = 0; p < POINTS * POINTS; p++) dst[p * point_stride + (ptrdiff_t)i] = (float)to[p];
    }
}

static void winograd_weight_f16(float *dst, ptrdiff_t point_stride, const uint16_t *src, ptrdiff_t tap_stride, size_t n)
{
    float taps[TAPS * TAPS];
    for (size_t i = 0; i < n; i++) {
        for (int tap = 0; tap < TAPS * TAPS; tap++) taps[tap] = sdw_f16_to_f32(src[tap * tap_stride + (ptrdiff_t)i]);
        winograd_weight(dst + i, point_stride, taps, 1, 1);
    }
}

static void winograd_output(float *dst, ptrdiff_t row_stride, const float *src, ptrdiff_t point_stride, int tiles, int width)
{
    double from[POINTS * POINTS], to[OUTPUTS * OUTPUTS];
    for (int t = 0; t < tiles; t++)
        for (int j = 0; j < width; j++) {
            for (int p = 0; p < POINTS * POINTS; p++) from[p] = src[p * point_stride + t * width + j];
            both_sides(to, &output_matrix[0][0], OUTPUTS, POINTS, from);
            for (int y = 0; y < OUTPUTS; y++)
                for (int x = 0; x < OUTPUTS; x++) dst[y * row_stride + (4 * t + x) * width + j] = (float)to[y * OUTPUTS + x];
        }
}

void sdw_cpu_kernels_winograd(sdw_cpu_kernels *k)
{
    k->winograd = false;
    k->winograd_input = winograd_input;
    k->winograd_weight = winograd_weight;
    k->winograd_weight_f16 = winograd_weight_f16;
    k->winograd_output = winograd_output;
}
