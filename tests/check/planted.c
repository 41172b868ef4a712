/* planted.c - kernels with one mistake each, of the kinds that real ones have. They lean on the right kernels that they
 * stand over. */
#include <string.h>

#include "check.h"

static sdw_cpu_kernels right; /* what the last planted_bug was put over */

static void tile_stores_too_far(const float *a, const float *b, float *c, const sdw_cpu_runs *runs, bool add)
{
    right.tile[2](a, b, c, runs, add);
    c[2 * right.nr] = 0;
}

static void tile_misses_last_step(const float *a, const float *b, float *c, const sdw_cpu_runs *runs, bool add)
{
    sdw_cpu_runs fewer = *runs;
    if (fewer.count) fewer.length[fewer.count - 1]--;
    right.tile[3](a, b, c, &fewer, add);
}

static void tile_forgets_to_add(const float *a, const float *b, float *c, const sdw_cpu_runs *runs, bool add)
{
    (void)add;
    right.tile_half[1](a, b, c, runs, false);
}

static void tile_ignores_the_stride(const float *a, const float *b, float *c, const sdw_cpu_runs *runs, bool add)
{
    sdw_cpu_runs dense = *runs;
    dense.stride = SDW_CPU_SEGMENT;
    right.tile[4](a, b, c, &dense, add);
}

static void tile_swaps_rows(const float *a, const float *b, float *c, const sdw_cpu_runs *runs, bool add)
{
    float row[SDW_CPU_COLUMNS_MAX];
    right.tile[2](a, b, c, runs, add);
    memcpy(row, c, sizeof *c * (size_t)right.nr);
    memcpy(c, c + right.nr, sizeof *c * (size_t)right.nr);
    memcpy(c + right.nr, row, sizeof *c * (size_t)right.nr);
}

static void linear_forgets_to_add(const sdw_cpu_linear *l)
{
    sdw_cpu_linear fresh = *l;
    fresh.add = false;
    right.linear_f32[1](&fresh);
}

static void linear_misses_the_odd_step(const sdw_cpu_linear *l)
{
    sdw_cpu_linear even = *l;
    if (even.steps > 2) even.steps &= ~1;
    right.linear_f16[3](&even);
}

static void linear_takes_f16_for_bf16(const sdw_cpu_linear *l)
{
    right.linear_f16[2](l);
}

static void linear_reads_dense_rows(const sdw_cpu_linear *l)
{
    sdw_cpu_linear dense = *l;
    dense.stride = dense.steps;
    right.linear_f32[4](&dense);
}

static void linear_stores_too_far(const sdw_cpu_linear *l)
{
    right.linear_bf16[1](l);
    l->c[right.nr] = 0;
}

static void linear_asks_for_the_last_line_again(const sdw_cpu_linear *l)
{
    right.linear_f16[2](l);
    if (l->ahead->count && l->ahead->area[0].lines > 0) l->ahead->area[0].lines--;
}

static void linear_asks_for_all_at_once(const sdw_cpu_linear *l)
{
    right.linear_f32[2](l);
    for (int i = 0; i < l->ahead->count; i++)
        for (sdw_cpu_area *area = &l->ahead->area[i]; area->lines > 0; area->lines--) {
            area->at += 64;
            if (++area->column == area->width) area->column = 0, area->at += area->jump;
        }
}

static void outer_ignores_alpha(const float *a, ptrdiff_t lda, const float *b, int steps, float *c, const float *alpha)
{
    float ones[SDW_CPU_COLUMNS_MAX];
    for (int j = 0; j < SDW_CPU_COLUMNS_MAX; j++) ones[j] = 1;
    right.outer[1](a, lda, b, steps, c, alpha ? ones : NULL);
}

static void softmax_sums_half_the_keys(float *s, int keys, float *top, float *sum, float *alpha)
{
    float stale[SDW_CPU_COLUMNS_MAX];
    right.softmax(s, keys, top, sum, alpha);
    memcpy(stale, sum, sizeof *sum * (size_t)right.nr);
    for (int j = 0; j < right.nr; j++) sum[j] = keys > 1 ? stale[j] - s[(keys - 1) * right.nr + j] : stale[j];
}

static void winograd_input_turns_the_tile(float *dst, ptrdiff_t point_stride, const float *src, ptrdiff_t row_stride, int tiles)
{
    right.winograd_input(dst, point_stride, src, row_stride, tiles);
    for (int t = 0; t < tiles * SDW_CPU_SEGMENT; t++)
        for (int y = 0; y < 6; y++)
            for (int x = 0; x < y; x++) {
                float *a = dst + (6 * y + x) * point_stride + t, *b = dst + (6 * x + y) * point_stride + t, kept = *a;
                *a = *b;
                *b = kept;
            }
}

static void winograd_input_reads_the_first_tile_again(float *dst, ptrdiff_t point_stride, const float *src, ptrdiff_t row_stride, int tiles)
{
    for (int t = 0; t < tiles; t++) right.winograd_input(dst + t * SDW_CPU_SEGMENT, point_stride, src, row_stride, 1);
}

static void winograd_weight_is_one_vector_short(float *dst, ptrdiff_t point_stride, const float *src, ptrdiff_t tap_stride, size_t n)
{
    size_t half = (size_t)right.nr / 2;
    right.winograd_weight(dst, point_stride, src, tap_stride, n > half ? n - half : n);
}

static void winograd_weight_rounds_a_constant(float *dst, ptrdiff_t point_stride, const float *src, ptrdiff_t tap_stride, size_t n)
{
    right.winograd_weight(dst, point_stride, src, tap_stride, n);
    for (size_t i = 0; i < n; i++) dst[i] *= 1.000001f;
}

static void winograd_weight_swaps_two_taps(float *dst, ptrdiff_t point_stride, const uint16_t *src, ptrdiff_t tap_stride, size_t n)
{
    static uint16_t turned[9 * 1024];
    for (int tap = 0; tap < 9; tap++) memcpy(turned + (ptrdiff_t)(tap < 2 ? 1 - tap : tap) * (ptrdiff_t)n, src + tap * tap_stride, n * sizeof *src);
    right.winograd_weight_f16(dst, point_stride, turned, (ptrdiff_t)n, n);
}

static void winograd_output_forgets_infinity(float *dst, ptrdiff_t row_stride, const float *src, ptrdiff_t point_stride, int tiles, int width)
{
    static float copy[36 * 8 * SDW_CPU_COLUMNS_MAX];
    for (int p = 0; p < 36; p++)
        for (int j = 0; j < tiles * width; j++) copy[p * tiles * width + j] = p % 6 == 5 ? 0 : src[p * point_stride + j];
    right.winograd_output(dst, row_stride, copy, tiles * width, tiles, width);
}

static void winograd_output_stores_too_far(float *dst, ptrdiff_t row_stride, const float *src, ptrdiff_t point_stride, int tiles, int width)
{
    right.winograd_output(dst, row_stride, src, point_stride, tiles, width);
    dst[3 * row_stride + 4 * tiles * width] = 0;
}

static void gather_activates_without_shift(float *dst, const sdw_cpu_gather *g)
{
    static const float zero[SDW_CPU_SEGMENT];
    sdw_cpu_gather other = *g;
    if (g->scale) other.shift = zero;
    right.gather(dst, &other);
}

static void gather_leaves_padding(float *dst, const sdw_cpu_gather *g)
{
    float before[7 * SDW_CPU_SEGMENT];
    memcpy(before, dst, sizeof before);
    right.gather(dst, g);
    for (int i = 0; g->index && i < g->rows && i < 7; i++)
        if (g->index[i] < 0) memcpy(dst + i * SDW_CPU_SEGMENT, before + i * SDW_CPU_SEGMENT, (size_t)g->length * sizeof *dst);
}

static void affine_activates_always(float *dst, const float *src, const float *scale, const float *shift, size_t n, sdw_act act)
{
    (void)act;
    right.affine(dst, src, scale, shift, n, SDW_ACT_SILU);
}

static void finish_drops_residual(const sdw_cpu_finish *f)
{
    sdw_cpu_finish other = *f;
    other.residual = NULL;
    right.finish(&other);
}

static void glu_takes_the_tanh_form_when_rough(const sdw_cpu_finish *f)
{
    sdw_cpu_finish other = *f;
    if (f->rough) other.act = SDW_ACT_GELU_TANH;
    right.finish_glu(&other);
}

static void finish_forgets_what_it_streams(const sdw_cpu_finish *f)
{
    if (!f->stream) right.finish(f);
}

static void glu_swaps_value_and_gate(const sdw_cpu_finish *f)
{
    float swapped[SDW_CPU_ROWS_MAX * SDW_CPU_COLUMNS_MAX];
    sdw_cpu_finish other = *f;
    for (int r = 0; r < f->rows; r++) {
        memcpy(swapped + r * f->width, f->c + r * f->width + f->width / 2, sizeof *swapped * (size_t)f->width / 2);
        memcpy(swapped + r * f->width + f->width / 2, f->c + r * f->width, sizeof *swapped * (size_t)f->width / 2);
    }
    other.c = swapped;
    right.finish_glu(&other);
}

static void transpose_forgets_factor(float *dst, ptrdiff_t dst_stride, const float *src, ptrdiff_t src_stride, int rows, int columns, float factor)
{
    (void)factor;
    right.transpose(dst, dst_stride, src, src_stride, rows, columns, 1);
}

static void panel_ignores_order(void *dst, int width, const int32_t *row, const void *src, ptrdiff_t src_stride, int rows, int columns)
{
    int32_t straight[288];
    (void)row;
    for (int i = 0; i < columns; i++) straight[i] = i;
    right.panel16(dst, width, straight, src, src_stride, rows, columns);
}

static void panel_does_not_clear_the_rest(void *dst, int width, const int32_t *row, const void *src, ptrdiff_t src_stride, int rows, int columns)
{
    right.panel32(dst, width, row, src, src_stride, rows, columns);
    if (rows < width) ((float *)dst)[(ptrdiff_t)row[0] * width + rows] = 1;
}

static void widen_flushes_denormals(float *dst, const uint16_t *src, size_t n)
{
    right.widen_f16(dst, src, n);
    for (size_t i = 0; i < n; i++)
        if ((src[i] & 0x7c00) == 0) dst[i] = 0;
}

static void widen_misses_the_tail(float *dst, const uint16_t *src, size_t n)
{
    right.widen_bf16(dst, src, n / 8 * 8);
}

static void moments_miss_the_last_row(const float *x, ptrdiff_t stride, int rows, int channels, double *sum, double *square)
{
    right.moments(x, stride, rows > 8 ? rows - 1 : rows, channels, sum, square);
}

static void norm_without_eps(float *dst, const float *x, int n, const float *gamma, const float *beta, float eps)
{
    right.norm_row(dst, x, n, gamma, beta, eps / 2);
}

static void act_is_the_other_gelu(float *dst, const float *src, size_t n, sdw_act act)
{
    right.act(dst, src, n, act == SDW_ACT_GELU ? SDW_ACT_GELU_TANH : act);
}

static void act_swallows_nan(float *dst, const float *src, size_t n, sdw_act act)
{
    right.act(dst, src, n, act);
    for (size_t i = 0; i < n; i++)
        if (dst[i] != dst[i]) dst[i] = 0;
}

static void add_is_one_short(float *dst, const float *a, const float *b, size_t n)
{
    right.add(dst, a, b, n > 16 ? n - 1 : n);
}

#define BUGS(X)                                          \
    X(tile_stores_too_far, tile[2])                      \
    X(tile_misses_last_step, tile[3])                    \
    X(tile_forgets_to_add, tile_half[1])                 \
    X(tile_swaps_rows, tile[2])                          \
    X(tile_ignores_the_stride, tile[4])                  \
    X(linear_forgets_to_add, linear_f32[1])              \
    X(linear_misses_the_odd_step, linear_f16[3])         \
    X(linear_takes_f16_for_bf16, linear_bf16[2])         \
    X(linear_reads_dense_rows, linear_f32[4])            \
    X(linear_stores_too_far, linear_bf16[1])             \
    X(linear_asks_for_the_last_line_again, linear_f16[2]) \
    X(linear_asks_for_all_at_once, linear_f32[2])        \
    X(outer_ignores_alpha, outer[1])                     \
    X(softmax_sums_half_the_keys, softmax)               \
    X(winograd_input_turns_the_tile, winograd_input)     \
    X(winograd_input_reads_the_first_tile_again, winograd_input) \
    X(winograd_weight_is_one_vector_short, winograd_weight) \
    X(winograd_weight_rounds_a_constant, winograd_weight) \
    X(winograd_weight_swaps_two_taps, winograd_weight_f16) \
    X(winograd_output_forgets_infinity, winograd_output) \
    X(winograd_output_stores_too_far, winograd_output)   \
    X(gather_activates_without_shift, gather)            \
    X(gather_leaves_padding, gather)                     \
    X(affine_activates_always, affine)                   \
    X(finish_drops_residual, finish)                     \
    X(glu_takes_the_tanh_form_when_rough, finish_glu)    \
    X(finish_forgets_what_it_streams, finish)            \
    X(glu_swaps_value_and_gate, finish_glu)              \
    X(transpose_forgets_factor, transpose)               \
    X(panel_ignores_order, panel16)                      \
    X(panel_does_not_clear_the_rest, panel32)            \
    X(widen_flushes_denormals, widen_f16)                \
    X(widen_misses_the_tail, widen_bf16)                 \
    X(moments_miss_the_last_row, moments)                \
    X(norm_without_eps, norm_row)                        \
    X(act_is_the_other_gelu, act)                        \
    X(act_swallows_nan, act)                             \
    X(add_is_one_short, add)

const char *planted_bug(sdw_cpu_kernels *k, int index)
{
    int i = 0;
    right = *k;
#define PLANT(name, entry)         \
    if (i++ == index) {            \
        k->entry = name;           \
        return #name;              \
    }
    BUGS(PLANT)
#undef PLANT
    return NULL;
}
