/* kernels_avx512.c - products and softmax with AVX-512. A tile is up to 14 rows times 2 vectors: 28 sums in registers, two
 * registers for the panel, one for the broadcast input; 28 multiply-adds for 16 loads. */
#include "cpu/kernels.h"

#if defined(__AVX512F__)

#include "cpu/avx512_math.h"

enum { TILE_ROWS = 14, LANES = 16, COLUMNS = 2 * LANES };

/* rows and vectors are constants at every call: the loops over them unroll and the sums stay in registers. Every fourth row has
 * a pointer of its own, those between are one to three strides away: few enough registers that none is kept in memory. */
SDW_INLINE void tile(const int rows, const int vectors, const float *a, const float *b, float *c, const sdw_cpu_runs *runs, bool add)
{
    __m512 sum[TILE_ROWS][2];
    ptrdiff_t stride = runs->stride;
    SDW_UNROLL
    for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = _mm512_setzero_ps();
    for (int i = 0; i < runs->count; i++) {
        const float *from = a + runs->offset[i], *end = from + runs->length[i];
        const float *row4 = from + 4 * stride, *row8 = from + 8 * stride, *row12 = from + 12 * stride;
        for (; from < end; from++, row4++, row8++, row12++, b += vectors * LANES) {
            __m512 b0 = _mm512_loadu_ps(b), b1 = vectors > 1 ? _mm512_loadu_ps(b + LANES) : b0;
            SDW_UNROLL
            for (int r = 0; r < rows; r++) {
                __m512 v = _mm512_set1_ps((r >= 12 ? row12 : r >= 8 ? row8 : r >= 4 ? row4 : from)[r % 4 * stride]);
                sum[r][0] = _mm512_fmadd_ps(v, b0, sum[r][0]);
                if (vectors > 1) sum[r][1] = _mm512_fmadd_ps(v, b1, sum[r][1]);
            }
        }
    }
    SDW_UNROLL
    for (int r = 0; r < rows; r++)
        SDW_UNROLL
        for (int j = 0; j < vectors; j++) {
            float *to = c + (r * vectors + j) * LANES;
            _mm512_storeu_ps(to, add ? _mm512_add_ps(_mm512_loadu_ps(to), sum[r][j]) : sum[r][j]);
        }
}

SDW_INLINE void outer(const int rows, const float *a, ptrdiff_t lda, const float *b, int steps, float *c, const float *alpha)
{
    __m512 sum[TILE_ROWS][2];
    SDW_UNROLL
    for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = _mm512_setzero_ps();
    for (int s = 0; s < steps; s++, a += lda, b += COLUMNS) {
        __m512 b0 = _mm512_loadu_ps(b), b1 = _mm512_loadu_ps(b + LANES);
        SDW_UNROLL
        for (int r = 0; r < rows; r++) {
            __m512 v = _mm512_set1_ps(a[r]);
            sum[r][0] = _mm512_fmadd_ps(v, b0, sum[r][0]);
            sum[r][1] = _mm512_fmadd_ps(v, b1, sum[r][1]);
        }
    }
    __m512 alpha0 = _mm512_setzero_ps(), alpha1 = alpha0;
    if (alpha) {
        alpha0 = _mm512_loadu_ps(alpha);
        alpha1 = _mm512_loadu_ps(alpha + LANES);
    }
    SDW_UNROLL
    for (int r = 0; r < rows; r++) {
        float *to = c + r * COLUMNS;
        if (alpha) {
            sum[r][0] = _mm512_fmadd_ps(_mm512_loadu_ps(to), alpha0, sum[r][0]);
            sum[r][1] = _mm512_fmadd_ps(_mm512_loadu_ps(to + LANES), alpha1, sum[r][1]);
        }
        _mm512_storeu_ps(to, sum[r][0]);
        _mm512_storeu_ps(to + LANES, sum[r][1]);
    }
}

#define EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)

#define DEFINE(n)                                                                                                  \
    static void tile_##n(const float *a, const float *b, float *c, const sdw_cpu_runs *runs, bool add)             \
    {                                                                                                              \
        tile(n, 2, a, b, c, runs, add);                                                                            \
    }                                                                                                              \
    static void tile_half_##n(const float *a, const float *b, float *c, const sdw_cpu_runs *runs, bool add)        \
    {                                                                                                              \
        tile(n, 1, a, b, c, runs, add);                                                                            \
    }                                                                                                              \
    static void outer_##n(const float *a, ptrdiff_t lda, const float *b, int steps, float *c, const float *alpha)  \
    {                                                                                                              \
        outer(n, a, lda, b, steps, c, alpha);                                                                      \
    }
EACH_ROWS(DEFINE)
#undef DEFINE

/* Four independent maxima and sums per column, so that no chain of additions waits; their order is fixed. */
SDW_INLINE void softmax_column(float *s, int keys, float *top, float *sum, float *alpha)
{
    __m512 m[4], before = _mm512_loadu_ps(top);
    for (int i = 0; i < 4; i++) m[i] = before;
    int k = 0;
    for (; k + 4 <= keys; k += 4)
        for (int i = 0; i < 4; i++) m[i] = _mm512_max_ps(m[i], _mm512_loadu_ps(s + (ptrdiff_t)(k + i) * COLUMNS));
    for (; k < keys; k++) m[0] = _mm512_max_ps(m[0], _mm512_loadu_ps(s + (ptrdiff_t)k * COLUMNS));
    __m512 now = _mm512_max_ps(_mm512_max_ps(m[0], m[1]), _mm512_max_ps(m[2], m[3])), total[4];
    for (int i = 0; i < 4; i++) total[i] = _mm512_setzero_ps();
    for (k = 0; k + 4 <= keys; k += 4)
        for (int i = 0; i < 4; i++) {
            float *at = s + (ptrdiff_t)(k + i) * COLUMNS;
            __m512 p = exp2_ps(_mm512_sub_ps(_mm512_loadu_ps(at), now));
            _mm512_storeu_ps(at, p);
            total[i] = _mm512_add_ps(total[i], p);
        }
    for (; k < keys; k++) {
        float *at = s + (ptrdiff_t)k * COLUMNS;
        __m512 p = exp2_ps(_mm512_sub_ps(_mm512_loadu_ps(at), now));
        _mm512_storeu_ps(at, p);
        total[0] = _mm512_add_ps(total[0], p);
    }
    __m512 a = exp2_ps(_mm512_sub_ps(before, now));
    __m512 all = _mm512_add_ps(_mm512_add_ps(total[0], total[1]), _mm512_add_ps(total[2], total[3]));
    _mm512_storeu_ps(sum, _mm512_fmadd_ps(_mm512_loadu_ps(sum), a, all));
    _mm512_storeu_ps(alpha, a);
    _mm512_storeu_ps(top, now);
}

static void softmax(float *s, int keys, float *top, float *sum, float *alpha)
{
    for (int j = 0; j < COLUMNS; j += LANES) softmax_column(s + j, keys, top + j, sum + j, alpha + j);
}

static double peak(long rounds, float *ret)
{
    __m512 v[24], x = _mm512_set1_ps(0.999f), y = _mm512_set1_ps(0.001f);
    SDW_UNROLL
    for (int j = 0; j < 24; j++) v[j] = _mm512_set1_ps((float)j);
    for (long i = 0; i < rounds; i++)
        SDW_UNROLL
        for (int j = 0; j < 24; j++) v[j] = _mm512_fmadd_ps(v[j], x, y);
    SDW_UNROLL
    for (int j = 0; j < 24; j++) *ret += _mm512_reduce_add_ps(v[j]);
    return 2.0 * LANES * 24 * (double)rounds;
}

void sdw_cpu_kernels_avx512(sdw_cpu_kernels *k)
{
    k->mr = TILE_ROWS;
    k->nr = COLUMNS;
    k->steps_max = 384;
    k->score_scale = 1.44269504088896341f; /* exp2 below */
#define ENTER(n)                         \
    k->tile[n] = tile_##n;               \
    k->tile_half[n] = tile_half_##n;     \
    k->outer[n] = outer_##n;
    EACH_ROWS(ENTER)
#undef ENTER
    k->softmax = softmax;
    k->peak = peak;
    sdw_cpu_kernels_avx512_linear(k);
    sdw_cpu_kernels_avx512_rows(k);
    sdw_cpu_kernels_avx512_winograd(k);
}

#else

void sdw_cpu_kernels_avx512(sdw_cpu_kernels *k)
{
    (void)k;
}

#endif
