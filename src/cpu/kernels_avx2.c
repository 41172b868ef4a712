/* kernels_avx2.c - products and softmax with AVX2 and FMA. A tile is up to 6 rows times 2 vectors: 12 sums, two registers for
 * the panel, one for the broadcast input, of sixteen. */
#include "cpu/kernels.h"

#if defined(__AVX2__) && defined(__FMA__)

#include "cpu/avx2_math.h"

enum { TILE_ROWS = 6, LANES = 8, COLUMNS = 2 * LANES };

/* rows and vectors are constants at every call: the loops over them unroll and the sums stay in registers. Every fourth row has
 * a pointer of its own, those between are one to three strides away: few enough registers that none is kept in memory. */
SDW_INLINE void tile(const int rows, const int vectors, const float *a, const float *b, float *c, const sdw_cpu_runs *runs, bool add)
{
    __m256 sum[TILE_ROWS][2];
    ptrdiff_t stride = runs->stride;
    SDW_UNROLL
    for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = _mm256_setzero_ps();
    for (int i = 0; i < runs->count; i++) {
        const float *from = a + runs->offset[i], *end = from + runs->length[i];
        const float *row4 = from + 4 * stride;
        for (; from < end; from++, row4++, b += vectors * LANES) {
            __m256 b0 = _mm256_loadu_ps(b), b1 = vectors > 1 ? _mm256_loadu_ps(b + LANES) : b0;
            SDW_UNROLL
            for (int r = 0; r < rows; r++) {
                __m256 v = _mm256_broadcast_ss((r >= 4 ? row4 : from) + r % 4 * stride);
                sum[r][0] = _mm256_fmadd_ps(v, b0, sum[r][0]);
                if (vectors > 1) sum[r][1] = _mm256_fmadd_ps(v, b1, sum[r][1]);
            }
        }
    }
    SDW_UNROLL
    for (int r = 0; r < rows; r++)
        SDW_UNROLL
        for (int j = 0; j < vectors; j++) {
            float *to = c + (r * vectors + j) * LANES;
            _mm256_storeu_ps(to, add ? _mm256_add_ps(_mm256_loadu_ps(to), sum[r][j]) : sum[r][j]);
        }
}

SDW_INLINE void outer(const int rows, const float *a, ptrdiff_t lda, const float *b, int steps, float *c, const float *alpha)
{
    __m256 sum[TILE_ROWS][2];
    SDW_UNROLL
    for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = _mm256_setzero_ps();
    for (int s = 0; s < steps; s++, a += lda, b += COLUMNS) {
        __m256 b0 = _mm256_loadu_ps(b), b1 = _mm256_loadu_ps(b + LANES);
        SDW_UNROLL
        for (int r = 0; r < rows; r++) {
            __m256 v = _mm256_broadcast_ss(a + r);
            sum[r][0] = _mm256_fmadd_ps(v, b0, sum[r][0]);
            sum[r][1] = _mm256_fmadd_ps(v, b1, sum[r][1]);
        }
    }
    SDW_UNROLL
    for (int r = 0; r < rows; r++)
        SDW_UNROLL
        for (int j = 0; j < 2; j++) {
            float *to = c + r * COLUMNS + j * LANES;
            _mm256_storeu_ps(to, alpha ? _mm256_fmadd_ps(_mm256_loadu_ps(to), _mm256_loadu_ps(alpha + j * LANES), sum[r][j]) : sum[r][j]);
        }
}

#define EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6)

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

/* Two independent maxima and sums per column; their order is fixed. */
SDW_INLINE void softmax_column(float *s, int keys, float *top, float *sum, float *alpha)
{
    __m256 before = _mm256_loadu_ps(top), m0 = before, m1 = before;
    int k = 0;
    for (; k + 2 <= keys; k += 2) {
        m0 = _mm256_max_ps(m0, _mm256_loadu_ps(s + (ptrdiff_t)k * COLUMNS));
        m1 = _mm256_max_ps(m1, _mm256_loadu_ps(s + (ptrdiff_t)(k + 1) * COLUMNS));
    }
    if (k < keys) m0 = _mm256_max_ps(m0, _mm256_loadu_ps(s + (ptrdiff_t)k * COLUMNS));
    __m256 now = _mm256_max_ps(m0, m1), total[2] = { _mm256_setzero_ps(), _mm256_setzero_ps() };
    for (k = 0; k < keys; k++) {
        float *at = s + (ptrdiff_t)k * COLUMNS;
        __m256 p = exp2_ps(_mm256_sub_ps(_mm256_loadu_ps(at), now));
        _mm256_storeu_ps(at, p);
        total[k & 1] = _mm256_add_ps(total[k & 1], p);
    }
    __m256 a = exp2_ps(_mm256_sub_ps(before, now));
    _mm256_storeu_ps(sum, _mm256_fmadd_ps(_mm256_loadu_ps(sum), a, _mm256_add_ps(total[0], total[1])));
    _mm256_storeu_ps(alpha, a);
    _mm256_storeu_ps(top, now);
}

static void softmax(float *s, int keys, float *top, float *sum, float *alpha)
{
    for (int j = 0; j < COLUMNS; j += LANES) softmax_column(s + j, keys, top + j, sum + j, alpha + j);
}

static double peak(long rounds, float *ret)
{
    __m256 v[12], x = set1(0.999f), y = set1(0.001f);
    SDW_UNROLL
    for (int j = 0; j < 12; j++) v[j] = set1((float)j);
    for (long i = 0; i < rounds; i++)
        SDW_UNROLL
        for (int j = 0; j < 12; j++) v[j] = _mm256_fmadd_ps(v[j], x, y);
    SDW_UNROLL
    for (int j = 0; j < 12; j++) *ret += sum_of(v[j]);
    return 2.0 * LANES * 12 * (double)rounds;
}

void sdw_cpu_kernels_avx2(sdw_cpu_kernels *k)
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
    sdw_cpu_kernels_avx2_linear(k);
    sdw_cpu_kernels_avx2_rows(k);
    sdw_cpu_kernels_avx2_winograd(k);
}

#else

void sdw_cpu_kernels_avx2(sdw_cpu_kernels *k)
{
    (void)k;
}

#endif
