/* fp16_products.h - products in f16: up to 28 rows times one vector of 32 columns. Sums are promoted to f32 every 64 products, which
 * keeps the rounding of f16 sums near that of the operands.
 *
 * Vectors and what is done with them come from the includer (kernels_avx512_fp16.c: the instructions; tests/check/emulated.c: plain C):
 *     FP16_VECTOR             type of 32 values of f16
 *     FP16_ZERO()             all zero
 *     FP16_LOAD(from)         32 values
 *     FP16_MULTIPLY_ADD(sum, vector, from)  sum += vector * the one value at from, rounded once
 *     FP16_PROMOTE(c, sum, alpha)  c[0..31] = c * alpha + sum in f32; alpha may be NULL: 1
 *     FP16_STORE(c, sum)      c[0..31] = sum in f32
 *     FP16_RAISE(most, c)     most[0..31] = max(most, c) in f32, a NaN of c as x86 has it
 *     FP16_INLINE, FP16_UNROLL */
#ifndef SDW_CPU_FP16_PRODUCTS_H
#define SDW_CPU_FP16_PRODUCTS_H

#include "cpu/narrow.h"

#if defined(FP16_VECTOR) /* else nothing: a header must compile alone */

enum { FP16_ROWS = 28, FP16_COLUMNS = 32, FP16_PROMOTED = 64, FP16_SIZE = 2 };

/* rows is a constant at every call, see tile() of kernels_avx512.c. */
FP16_INLINE const char *fp16_multiply(const int rows, const char *from, ptrdiff_t stride, int steps, const char *b, FP16_VECTOR *sum)
{
    const char *end = from + steps * FP16_SIZE, *row4 = from + 4 * stride, *row8 = from + 8 * stride, *row12 = from + 12 * stride;
    const char *row16 = from + 16 * stride, *row20 = from + 20 * stride, *row24 = from + 24 * stride;
    FP16_UNROLL
    for (int r = 0; r < rows; r++) sum[r] = FP16_ZERO();
    for (; from < end; b += FP16_COLUMNS * FP16_SIZE) {
        FP16_VECTOR v = FP16_LOAD(b);
        FP16_UNROLL
        for (int r = 0; r < rows; r++) {
            const char *at = r >= 24 ? row24 : r >= 20 ? row20 : r >= 16 ? row16 : r >= 12 ? row12 : r >= 8 ? row8 : r >= 4 ? row4 : from;
            FP16_MULTIPLY_ADD(sum[r], v, at + r % 4 * stride);
        }
        from += FP16_SIZE;
        row4 += FP16_SIZE;
        row8 += FP16_SIZE;
        row12 += FP16_SIZE;
        row16 += FP16_SIZE;
        row20 += FP16_SIZE;
        row24 += FP16_SIZE;
    }
    return b;
}

FP16_INLINE int fp16_part(int steps)
{
    return steps < FP16_PROMOTED ? steps : FP16_PROMOTED;
}

FP16_INLINE void fp16_tile(const int rows, const sdw_cpu_narrow_tile *t)
{
    const char *b = t->b;
    bool add = t->add;
    for (int i = 0; i < t->count; i++) {
        const char *a = (const char *)t->a + t->row[i] * t->stride;
        for (int left = t->steps[i]; left > 0; left -= FP16_PROMOTED, a += FP16_PROMOTED * FP16_SIZE) {
            FP16_VECTOR sum[FP16_ROWS];
            b = fp16_multiply(rows, a, t->stride, fp16_part(left), b, sum);
            FP16_UNROLL
            for (int r = 0; r < rows; r++)
                if (add) FP16_PROMOTE(t->c + r * FP16_COLUMNS, sum[r], NULL);
                else FP16_STORE(t->c + r * FP16_COLUMNS, sum[r]);
            add = true;
        }
    }
}

FP16_INLINE void fp16_outer(const int rows, const sdw_cpu_narrow_outer *o)
{
    const char *a = o->a, *b = o->b;
    const float *alpha = o->alpha;
    for (int left = o->steps; left > 0; left -= FP16_PROMOTED, a += FP16_PROMOTED * FP16_SIZE, alpha = NULL) {
        FP16_VECTOR sum[FP16_ROWS];
        b = fp16_multiply(rows, a, o->stride, fp16_part(left), b, sum);
        FP16_UNROLL
        for (int r = 0; r < rows; r++) FP16_PROMOTE(o->c + r * FP16_COLUMNS, sum[r], alpha);
    }
}

FP16_INLINE void fp16_scores(const int rows, const sdw_cpu_narrow_scores *s)
{
    const char *a = s->a, *b = s->b;
    for (int left = s->steps; left > 0; left -= FP16_PROMOTED, a += FP16_PROMOTED * FP16_SIZE) {
        FP16_VECTOR sum[FP16_ROWS];
        b = fp16_multiply(rows, a, s->stride, fp16_part(left), b, sum);
        FP16_UNROLL
        for (int r = 0; r < rows; r++)
            if (left < s->steps) FP16_PROMOTE(s->c + r * FP16_COLUMNS, sum[r], NULL);
            else FP16_STORE(s->c + r * FP16_COLUMNS, sum[r]);
    }
    for (int r = 0; r < rows; r++) FP16_RAISE(s->most, s->c + r * FP16_COLUMNS);
}

#define FP16_EACH_ROWS(X)                                                                                             \
    X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19) X(20) X(21) \
    X(22) X(23) X(24) X(25) X(26) X(27) X(28)
#define FP16_DEFINE(n)                                        \
    static void fp16_tile_##n(const sdw_cpu_narrow_tile *t)   \
    {                                                         \
        fp16_tile(n, t);                                      \
    }                                                         \
    static void fp16_scores_##n(const sdw_cpu_narrow_scores *s) \
    {                                                         \
        fp16_scores(n, s);                                    \
    }                                                         \
    static void fp16_outer_##n(const sdw_cpu_narrow_outer *o) \
    {                                                         \
        fp16_outer(n, o);                                     \
    }
FP16_EACH_ROWS(FP16_DEFINE)
#undef FP16_DEFINE

static void fp16_any_tile(const sdw_cpu_narrow_tile *t)
{
#define ENTER(n) [n] = fp16_tile_##n,
    static sdw_cpu_narrow_tile_fn *const by_rows[FP16_ROWS + 1] = { FP16_EACH_ROWS(ENTER) };
#undef ENTER
    by_rows[t->rows](t);
}

static void fp16_any_scores(const sdw_cpu_narrow_scores *s)
{
#define ENTER(n) [n] = fp16_scores_##n,
    static sdw_cpu_narrow_scores_fn *const by_rows[FP16_ROWS + 1] = { FP16_EACH_ROWS(ENTER) };
#undef ENTER
    by_rows[s->rows](s);
}

static void fp16_any_outer(const sdw_cpu_narrow_outer *o)
{
#define ENTER(n) [n] = fp16_outer_##n,
    static sdw_cpu_narrow_outer_fn *const by_rows[FP16_ROWS + 1] = { FP16_EACH_ROWS(ENTER) };
#undef ENTER
    by_rows[o->rows](o);
}

#endif
#endif
