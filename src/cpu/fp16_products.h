/* fp16_products.h - products in f16: up to 14 rows times two vectors of 16 columns. A vector holds two sums of each column, one of even
 * and one of odd steps, so that a pair of steps of a row is broadcast at once. Sums are promoted to f32 every 256 steps, that is 128
 * products each: half of that loses a fifth of the speed and spares a quarter of the error (docs/speed.md).
 *
 * Vectors and what is done with them come from the includer (kernels_avx512_fp16.c: the instructions; bench/emulated: AVX-512 without
 * them, to the bit; tests/check/emulated.c: plain C):
 *     FP16_VECTOR             type of 16 pairs of f16
 *     FP16_ZERO()             all zero
 *     FP16_LOAD(from)         16 pairs
 *     FP16_PAIR(from)         the one pair at from, 16 times
 *     FP16_MULTIPLY_ADD(sum, vector, pair)  sum += vector * pair, rounded once
 *     FP16_PROMOTE(c, sum, alpha)  c[0..15] = c * alpha + s in f32, s = even sums + odd sums in f16; alpha may be NULL: 1
 *     FP16_STORE(c, sum)      c[0..15] = s
 *     FP16_FLOATS             type of 16 values of f32, with FP16_FLOATS_LOAD(from), FP16_FLOATS_STORE(to, v) and
 *     FP16_FLOATS_MAX(a, b)   b where one of them is NaN
 *     FP16_INLINE, FP16_UNROLL */
#ifndef SDW_CPU_FP16_PRODUCTS_H
#define SDW_CPU_FP16_PRODUCTS_H

#include "cpu/narrow.h"

#if defined(FP16_VECTOR) /* else nothing: a header must compile alone */

enum { FP16_ROWS = 14, FP16_HALF = 16, FP16_COLUMNS = 2 * FP16_HALF, FP16_PROMOTED = 256, FP16_SIZE = 2, FP16_PAIR_BYTES = 2 * FP16_SIZE };

/* rows is a constant at every call, see tile() of kernels_avx512.c. */
FP16_INLINE const char *fp16_multiply(const int rows, const char *from, ptrdiff_t stride, int steps, const char *b, FP16_VECTOR sum[][2])
{
    const char *end = from + steps * FP16_SIZE, *row4 = from + 4 * stride, *row8 = from + 8 * stride, *row12 = from + 12 * stride;
    FP16_UNROLL
    for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = FP16_ZERO();
    for (; from < end; b += FP16_COLUMNS * FP16_PAIR_BYTES) {
        FP16_VECTOR v0 = FP16_LOAD(b), v1 = FP16_LOAD(b + FP16_HALF * FP16_PAIR_BYTES);
        FP16_UNROLL
        for (int r = 0; r < rows; r++) {
            FP16_VECTOR pair = FP16_PAIR((r >= 12 ? row12 : r >= 8 ? row8 : r >= 4 ? row4 : from) + r % 4 * stride);
            FP16_MULTIPLY_ADD(sum[r][0], v0, pair);
            FP16_MULTIPLY_ADD(sum[r][1], v1, pair);
        }
        from += FP16_PAIR_BYTES;
        row4 += FP16_PAIR_BYTES;
        row8 += FP16_PAIR_BYTES;
        row12 += FP16_PAIR_BYTES;
    }
    return b;
}

FP16_INLINE int fp16_part(int steps)
{
    return steps < FP16_PROMOTED ? steps : FP16_PROMOTED;
}

/* c = c * alpha + sums (alpha NULL: 1), or just the sums if they are the first. */
FP16_INLINE void fp16_settle(const int rows, float *c, FP16_VECTOR sum[][2], const float *alpha, bool first)
{
    FP16_UNROLL
    for (int r = 0; r < rows; r++)
        FP16_UNROLL
        for (int j = 0; j < 2; j++) {
            float *to = c + r * FP16_COLUMNS + j * FP16_HALF;
            if (first) FP16_STORE(to, sum[r][j]);
            else FP16_PROMOTE(to, sum[r][j], alpha ? alpha + j * FP16_HALF : NULL);
        }
}

FP16_INLINE void fp16_tile(const int rows, const sdw_cpu_narrow_tile *t)
{
    bool add = t->add;
    for (int i = 0; i < t->count; i++) {
        const char *a = (const char *)t->a + t->run[i].row * t->stride, *b = (const char *)t->b + t->run[i].at;
        for (int left = t->run[i].steps; left > 0; left -= FP16_PROMOTED, a += FP16_PROMOTED * FP16_SIZE) {
            FP16_VECTOR sum[FP16_ROWS][2];
            b = fp16_multiply(rows, a, t->stride, fp16_part(left), b, sum);
            fp16_settle(rows, t->c, sum, NULL, !add);
            add = true;
        }
    }
}

FP16_INLINE void fp16_outer(const int rows, const sdw_cpu_narrow_outer *o)
{
    const char *a = o->a, *b = o->b;
    const float *alpha = o->alpha;
    for (int left = o->steps; left > 0; left -= FP16_PROMOTED, a += FP16_PROMOTED * FP16_SIZE, alpha = NULL) {
        FP16_VECTOR sum[FP16_ROWS][2];
        b = fp16_multiply(rows, a, o->stride, fp16_part(left), b, sum);
        fp16_settle(rows, o->c, sum, alpha, false);
    }
}

FP16_INLINE void fp16_scores(const int rows, const sdw_cpu_narrow_scores *s)
{
    const char *a = s->a, *b = s->b;
    for (int left = s->steps; left > 0; left -= FP16_PROMOTED, a += FP16_PROMOTED * FP16_SIZE) {
        FP16_VECTOR sum[FP16_ROWS][2];
        b = fp16_multiply(rows, a, s->stride, fp16_part(left), b, sum);
        fp16_settle(rows, s->c, sum, NULL, left == s->steps);
    }
    for (int j = 0; j < FP16_COLUMNS; j += FP16_HALF) {
        FP16_FLOATS most = FP16_FLOATS_LOAD(s->most + j);
        FP16_UNROLL
        for (int r = 0; r < rows; r++) most = FP16_FLOATS_MAX(most, FP16_FLOATS_LOAD(s->c + r * FP16_COLUMNS + j));
        FP16_FLOATS_STORE(s->most + j, most);
    }
}

#define NARROW_TILE fp16_tile
#define NARROW_SCORES fp16_scores
#define NARROW_OUTER fp16_outer
#include "cpu/narrow_rows.h"

#endif
#endif
