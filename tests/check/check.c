/* check.c - see check.h. Tolerances: a sum of n terms in f32 may be off by (n + 1) eps times the sum of the terms' sizes, in
 * whatever order it is taken; functions by some eps of the result. */
#include "check.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/dtype.h"

enum { FLOATS = 1 << 16, GUARD = 64 };

static const double eps = FLT_EPSILON / 2;
static char message[256];
static float in_a[FLOATS + GUARD], in_b[FLOATS + GUARD], out[FLOATS + GUARD], want[FLOATS + GUARD];

static const char *wrong(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return message;
}

/* n values beginning at p (not aligned), NaN behind them. */
static float *fill(float *p, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        p[1 + i] = ((float)(seed >> 8) / 8388608.0f - 1.0f) * 2;
    }
    for (size_t i = 0; i < GUARD - 1; i++) p[1 + n + i] = NAN;
    return p + 1;
}

/* An output area: every cell holds a known word, so that cells not to be written can be told. */
static float *guarded(size_t n)
{
    for (size_t i = 0; i < n + GUARD; i++) out[i] = want[i] = 12345.0f + (float)(i % 7);
    return out + 1;
}

/* Compares out with want (both from index 0 on, as guarded() gave them) over n cells and the guards; relative to size[]. */
static int differs(size_t n, double relative, double absolute)
{
    for (size_t i = 0; i < n + GUARD; i++) {
        if (isnan(out[i]) && isnan(want[i])) continue;
        if (out[i] == want[i]) continue;
        if (!(fabs((double)out[i] - want[i]) <= relative * fabs((double)want[i]) + absolute)) return (int)i;
    }
    return -1;
}

/* ---- products ---- */

static const char *check_tile(sdw_cpu_tile_fn *fn, const char *name, int rows, int width, const sdw_cpu_runs *runs, bool add)
{
    int steps = 0, reach = 0;
    for (int i = 0; i < runs->count; i++) {
        steps += runs->length[i];
        int end = runs->offset[i] + (rows - 1) * (int)runs->stride + runs->length[i];
        if (end > reach) reach = end;
    }
    const float *a = fill(in_a, (size_t)reach, 1), *b = fill(in_b, (size_t)(steps * width), 2);
    float *c = guarded((size_t)(rows * width));
    fn(a, b, c, runs, add);
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < width; j++) {
            double sum = add ? want[1 + r * width + j] : 0, size = fabs(sum);
            const float *panel = b + j;
            for (int i = 0; i < runs->count; i++)
                for (int s = 0; s < runs->length[i]; s++, panel += width) {
                    double term = (double)a[runs->offset[i] + r * runs->stride + s] * *panel;
                    sum += term;
                    size += fabs(term);
                }
            float *got = &out[1 + r * width + j];
            if (!(fabs(*got - sum) <= (steps + 2) * eps * size)) return wrong("%s: %d rows, %d steps, row %d column %d", name, rows, steps, r, j);
            want[1 + r * width + j] = *got;
        }
    return differs((size_t)(rows * width), 0, 0) < 0 ? NULL : wrong("%s: %d rows write outside their tile", name, rows);
}

static const char *check_tiles(const sdw_cpu_kernels *k)
{
    static const sdw_cpu_runs lists[] = {
        { 32, 1, { 0 }, { 1 } },
        { 32, 2, { 0, 32 }, { 32, 7 } },
        { 331, 1, { 0 }, { 320 } },
        { 32, 9, { 0, 32, 64, 640, 672, 704, 1280, 1312, 1344 }, { 32, 32, 32, 32, 32, 32, 32, 32, 32 } },
        { 32, 0, { 0 }, { 0 } },
    };
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
        for (int rows = 1; rows <= k->mr; rows++)
            for (int add = 0; add < 2; add++) {
                const char *w = check_tile(k->tile[rows], "tile", rows, k->nr, &lists[l], add);
                if (!w) w = check_tile(k->tile_half[rows], "half tile", rows, k->nr / 2, &lists[l], add);
                if (w) return w;
            }
    return NULL;
}

/* Panels of one type for the linear entries: their values in in_b, 16-bit ones as they are in `narrow`. */
static const void *fill_panel(sdw_dtype type, int n)
{
    static uint16_t narrow[FLOATS + GUARD];
    const float *b = fill(in_b, (size_t)n, 26);
    if (type == SDW_F32) return b;
    sdw_from_f32(type, b, narrow + 1, (size_t)n);
    sdw_to_f32(type, narrow + 1, in_b + 1, (size_t)n);
    for (int i = 0; i < GUARD - 1; i++) narrow[1 + n + i] = 0x7fff; /* NaN in both */
    return narrow + 1;
}

/* What an entry took off its areas is what it had the time for, and each area stands behind the lines that are gone. */
static bool moved_on(const sdw_cpu_ahead *before, const sdw_cpu_ahead *after, int steps)
{
    int asked = 0;
    for (int i = 0; i < before->count; i++) {
        sdw_cpu_area area = before->area[i];
        const sdw_cpu_area *now = &after->area[i];
        if (now->lines > area.lines || (area.lines >= 0 && now->lines < 0)) return false;
        for (; area.lines > now->lines; area.lines--, asked++) {
            area.at += 64;
            if (++area.column == area.width) area.column = 0, area.at += area.jump;
        }
        if (area.at != now->at || area.column != now->column || area.width != now->width || area.jump != now->jump) return false;
    }
    return asked <= steps / before->every && before->every == after->every && before->count == after->count;
}

static const char *check_linear(sdw_cpu_linear_fn *fn, const char *name, sdw_dtype type, int rows, int nr, int steps, bool add)
{
    static char memory[4096];
    enum { STRIDE = 331 };
    sdw_cpu_ahead before = { .every = 1 + steps % 5, .count = steps % 4,
                             .area = { { memory, 128, 3, 1, 17 }, { memory, 0, 1, 0, 0 }, { memory + 2048, -64, 1, 0, 1000 } } }, ahead = before;
    const float *a = fill(in_a, (size_t)((rows - 1) * STRIDE + steps), 25);
    const void *b = fill_panel(type, steps * nr);
    float *c = guarded((size_t)(rows * nr));
    fn(&(sdw_cpu_linear){ .a = a, .stride = STRIDE, .b = b, .c = c, .steps = steps, .add = add, .ahead = &ahead });
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < nr; j++) {
            double sum = add ? want[1 + r * nr + j] : 0, size = fabs(sum);
            for (int s = 0; s < steps; s++) {
                sum += (double)a[r * STRIDE + s] * in_b[1 + s * nr + j];
                size += fabs((double)a[r * STRIDE + s] * in_b[1 + s * nr + j]);
            }
            float *got = &out[1 + r * nr + j];
            if (!(fabs(*got - sum) <= (steps + 2) * eps * size)) return wrong("%s: %d rows, %d steps, row %d column %d", name, rows, steps, r, j);
            want[1 + r * nr + j] = *got;
        }
    if (differs((size_t)(rows * nr), 0, 0) >= 0) return wrong("%s: %d rows write outside their tile", name, rows);
    return moved_on(&before, &ahead, steps) ? NULL : wrong("%s: %d rows, %d steps, areas do not stand where they should", name, rows, steps);
}

static const char *check_linears(const sdw_cpu_kernels *k)
{
    static const int counts[] = { 1, 2, 7, 64, 331 };
    const char *w = NULL;
    for (size_t l = 0; l < sizeof counts / sizeof *counts && !w; l++)
        for (int rows = 1; rows <= k->mr && !w; rows++)
            for (int add = 0; add < 2 && !w; add++) {
                w = check_linear(k->linear_f32[rows], "linear_f32", SDW_F32, rows, k->nr, counts[l], add);
                if (!w) w = check_linear(k->linear_f16[rows], "linear_f16", SDW_F16, rows, k->nr, counts[l], add);
                if (!w) w = check_linear(k->linear_bf16[rows], "linear_bf16", SDW_BF16, rows, k->nr, counts[l], add);
            }
    return w;
}

static const char *check_outer(const sdw_cpu_kernels *k)
{
    static const int counts[] = { 0, 1, 40, 77, 161 };
    for (size_t l = 0; l < sizeof counts / sizeof *counts; l++)
        for (int rows = 1; rows <= k->mr; rows++)
            for (int scaled = 0; scaled < 2; scaled++) {
                int steps = counts[l], nr = k->nr, lda = rows + 3;
                const float *a = fill(in_a, (size_t)(steps * lda), 3), *b = fill(in_b, (size_t)(steps * nr), 4);
                float alpha[SDW_CPU_COLUMNS_MAX], *c = guarded((size_t)(rows * nr));
                for (int j = 0; j < nr; j++) alpha[j] = (float)j / 64;
                k->outer[rows](a, lda, b, steps, c, scaled ? alpha : NULL);
                for (int r = 0; r < rows; r++)
                    for (int j = 0; j < nr; j++) {
                        double sum = scaled ? (double)want[1 + r * nr + j] * alpha[j] : 0, size = fabs(sum);
                        for (int s = 0; s < steps; s++) {
                            sum += (double)a[s * lda + r] * b[s * nr + j];
                            size += fabs((double)a[s * lda + r] * b[s * nr + j]);
                        }
                        if (!(fabs(out[1 + r * nr + j] - sum) <= (steps + 2) * eps * size)) return wrong("outer: %d rows, %d steps, row %d column %d", rows, steps, r, j);
                        want[1 + r * nr + j] = out[1 + r * nr + j];
                    }
                if (differs((size_t)(rows * nr), 0, 0) >= 0) return wrong("outer: %d rows write outside their tile", rows);
            }
    return NULL;
}

static const char *check_softmax(const sdw_cpu_kernels *k)
{
    static const int counts[] = { 1, 2, 3, 5, 77, 224 };
    for (size_t l = 0; l < sizeof counts / sizeof *counts; l++)
        for (int later = 0; later < 2; later++) {
            int keys = counts[l], nr = k->nr;
            float top[SDW_CPU_COLUMNS_MAX], sum[SDW_CPU_COLUMNS_MAX], alpha[SDW_CPU_COLUMNS_MAX], *s = guarded((size_t)(keys * nr));
            const float *x = fill(in_a, (size_t)(keys * nr), 5);
            memcpy(s, x, (size_t)(keys * nr) * sizeof *s);
            for (int i = 0; i < keys && i < 9; i += 2) s[i * nr + 1] = -INFINITY; /* masked keys */
            if (keys > 2) s[2 * nr] = 90 * k->score_scale;                        /* one key takes all */
            memcpy(in_b, s, (size_t)(keys * nr) * sizeof *s);
            for (int j = 0; j < nr; j++) {
                top[j] = later ? 1.5f : -INFINITY;
                sum[j] = later ? 3 : 0;
            }
            k->softmax(s, keys, top, sum, alpha);
            for (int j = 0; j < nr; j++) {
                double before = later ? 1.5 : -INFINITY, m = before, total = 0;
                if (!later && keys == 1 && j == 1) { /* nothing but masked keys: never asked for */
                    want[1 + j] = out[1 + j];
                    continue;
                }
                for (int i = 0; i < keys; i++) m = fmax(m, in_b[i * nr + j]);
                for (int i = 0; i < keys; i++) {
                    double p = exp(((double)in_b[i * nr + j] - m) / k->score_scale);
                    total += p;
                    want[1 + i * nr + j] = (float)p;
                }
                double a = exp((before - m) / k->score_scale);
                if (!(fabs(alpha[j] - a) <= 40 * eps * a + 1e-38)) return wrong("softmax: alpha of column %d, %d keys", j, keys);
                if (!(fabs(sum[j] - ((later ? 3 : 0) * a + total)) <= (keys + 40) * eps * (3 + total))) return wrong("softmax: sum of column %d, %d keys", j, keys);
                if (top[j] != (float)m) return wrong("softmax: top of column %d, %d keys", j, keys);
            }
            int at = differs((size_t)(keys * nr), 40 * eps, 1e-38);
            if (at >= 0) return wrong("softmax: cell %d of %d keys", at - 1, keys);
        }
    return NULL;
}

/* ---- Winograd's transforms ---- */

enum { POINTS = 36, STRIDE_MORE = 5 };

/* The transforms are linear, each channel alone: what one input adds to one output is found by asking the scalar kernel. */
static double factor[POINTS][POINTS];

/* Compares the outputs of one channel, the o-th at out + 1 + at[o], with sums of the inputs x[i]; as many as there are of each. */
static bool linear_matches(int outputs, const ptrdiff_t *at, int inputs, const float *x)
{
    for (int o = 0; o < outputs; o++) {
        double sum = 0, size = 0;
        for (int i = 0; i < inputs; i++) {
            if (factor[o][i] == 0) continue;
            sum += factor[o][i] * x[i];
            size += fabs(factor[o][i] * x[i]);
        }
        float *got = &out[1 + at[o]];
        bool right = isfinite(sum) ? fabs(*got - sum) <= (inputs + 1) * eps * size + 1e-44 : !isfinite(*got); /* infinity may cancel */
        if (!right) return false;
        want[1 + at[o]] = *got;
    }
    return true;
}

static const char *check_winograd_input(const sdw_cpu_kernels *k, const sdw_cpu_kernels *scalar)
{
    enum { S = SDW_CPU_SEGMENT, TILES = 5, ROW = (4 * TILES + 2) * S + STRIDE_MORE };
    static const int counts[] = { 0, 1, 2, TILES };
    ptrdiff_t at[POINTS];
    for (int i = 0; i < POINTS; i++) {
        memset(in_a, 0, sizeof in_a);
        in_a[i / 6 * ROW + i % 6 * S] = 1;
        scalar->winograd_input(want, S, in_a, ROW, 1);
        for (int p = 0; p < POINTS; p++) factor[p][i] = want[p * S];
    }
    for (size_t l = 0; l < sizeof counts / sizeof *counts; l++) {
        int tiles = counts[l];
        ptrdiff_t point = tiles * S + STRIDE_MORE;
        float *x = fill(in_a, (size_t)(5 * ROW + (4 * tiles + 2) * S), 20), *dst = guarded((size_t)(POINTS * point));
        x[3 * ROW + 4 * S + 1] = NAN;
        x[2 * ROW + 1 * S + 2] = INFINITY;
        for (int i = 0; i < 6; i++) x[i * ROW + 3] *= 1e-41f;
        k->winograd_input(dst, point, x, ROW, tiles);
        for (int t = 0; t < tiles; t++)
            for (int c = 0; c < S; c++) {
                float d[POINTS];
                for (int i = 0; i < POINTS; i++) {
                    d[i] = x[i / 6 * ROW + (4 * t + i % 6) * S + c];
                    at[i] = i * point + t * S + c;
                }
                if (!linear_matches(POINTS, at, POINTS, d)) return wrong("winograd_input: tile %d of %d, channel %d", t, tiles, c);
            }
        if (differs((size_t)(POINTS * point), 0, 0) >= 0) return wrong("winograd_input: %d tiles write elsewhere", tiles);
    }
    return NULL;
}

static const char *check_winograd_weight(const sdw_cpu_kernels *k, const sdw_cpu_kernels *scalar)
{
    ptrdiff_t at[POINTS];
    for (int i = 0; i < 9; i++) {
        memset(in_a, 0, sizeof in_a);
        in_a[i] = 1;
        scalar->winograd_weight(want, 1, in_a, 1, 1);
        for (int p = 0; p < POINTS; p++) factor[p][i] = want[p];
    }
    for (int half = 0; half <= 40; half += half < 4 ? 1 : 9) {
        int n = half * k->nr / 2, apart = n + STRIDE_MORE;
        float *x = fill(in_a, (size_t)(8 * apart + n), 21), *dst = guarded((size_t)(POINTS * apart));
        if (n) x[4 * apart] = NAN;
        k->winograd_weight(dst, apart, x, apart, (size_t)n);
        for (int c = 0; c < n; c++) {
            float g[9];
            for (int i = 0; i < 9; i++) g[i] = x[i * apart + c];
            for (int p = 0; p < POINTS; p++) at[p] = p * apart + c;
            if (!linear_matches(POINTS, at, 9, g)) return wrong("winograd_weight: value %d of %d", c, n);
        }
        if (differs((size_t)(POINTS * apart), 0, 0) >= 0) return wrong("winograd_weight: %d values write elsewhere", n);
    }
    return NULL;
}

/* Exactly what widening first would give. */
static const char *check_winograd_weight_f16(const sdw_cpu_kernels *k)
{
    static uint16_t narrow[9 * 1024 + GUARD];
    for (int half = 0; half <= 40; half += half < 4 ? 1 : 9) {
        int n = half * k->nr / 2, apart = n + STRIDE_MORE;
        for (int i = 0; i < 8 * apart + n; i++) narrow[i] = (uint16_t)(i * 40503u); /* every kind of number, odd address */
        float *dst = guarded((size_t)(POINTS * apart));
        k->widen_f16(in_a, narrow + 1, (size_t)(8 * apart + n));
        k->winograd_weight(want + 1, apart, in_a, apart, (size_t)n);
        k->winograd_weight_f16(dst, apart, narrow + 1, apart, (size_t)n);
        if (differs((size_t)(POINTS * apart), 0, 0) >= 0) return wrong("winograd_weight_f16: %d values", n);
    }
    return NULL;
}

static const char *check_winograd_output(const sdw_cpu_kernels *k, const sdw_cpu_kernels *scalar)
{
    ptrdiff_t at[POINTS];
    for (int p = 0; p < POINTS; p++) {
        memset(in_a, 0, sizeof in_a);
        in_a[p] = 1;
        scalar->winograd_output(want, 4, in_a, 1, 1, 1);
        for (int o = 0; o < 16; o++) factor[o][p] = want[o];
    }
    for (int tiles = 0; tiles < 5; tiles++)
        for (int width = k->nr / 2; width <= k->nr; width += k->nr / 2) {
            ptrdiff_t point = tiles * width + STRIDE_MORE, row = 4 * tiles * width + STRIDE_MORE;
            float *x = fill(in_a, (size_t)(35 * point + tiles * width), 22), *dst = guarded((size_t)(4 * row));
            if (tiles) x[35 * point] = NAN;
            k->winograd_output(dst, row, x, point, tiles, width);
            for (int t = 0; t < tiles; t++)
                for (int j = 0; j < width; j++) {
                    float m[POINTS];
                    for (int p = 0; p < POINTS; p++) m[p] = x[p * point + t * width + j];
                    for (int o = 0; o < 16; o++) at[o] = o / 4 * row + (4 * t + o % 4) * width + j;
                    if (!linear_matches(16, at, POINTS, m)) return wrong("winograd_output: tile %d of %d, column %d of %d", t, tiles, j, width);
                }
            if (differs((size_t)(4 * row), 0, 0) >= 0) return wrong("winograd_output: %d tiles write elsewhere", tiles);
        }
    return NULL;
}

/* The three belong together: one channel, one output, against the convolution that they stand for. */
static const char *check_winograd(const sdw_cpu_kernels *k)
{
    enum { S = SDW_CPU_SEGMENT };
    static float v[POINTS * S], u[POINTS * SDW_CPU_COLUMNS_MAX], m[POINTS * SDW_CPU_COLUMNS_MAX], y[16 * SDW_CPU_COLUMNS_MAX];
    int width = k->nr / 2;
    const float *x = fill(in_a, POINTS * S, 23), *g = fill(in_b, (size_t)(9 * width), 24);
    k->winograd_input(v, S, x, 6 * S, 1);
    k->winograd_weight(u, width, g, width, (size_t)width);
    for (int p = 0; p < POINTS; p++)
        for (int j = 0; j < width; j++) m[p * width + j] = v[p * S] * u[p * width + j];
    k->winograd_output(y, 4 * width, m, width, 1, width);
    for (int o = 0; o < 16; o++)
        for (int j = 0; j < width; j++) {
            double sum = 0;
            for (int tap = 0; tap < 9; tap++) sum += (double)x[((o / 4 + tap / 3) * 6 + o % 4 + tap % 3) * S] * g[tap * width + j];
            /* inputs up to 2, taps up to 2; the transforms' norms multiply to some 300 */
            if (!(fabs(y[o * width + j] - sum) <= 300 * 4 * 4 * eps)) return wrong("winograd: output %d, column %d: %g, want %g", o, j, (double)y[o * width + j], sum);
        }
    return NULL;
}

/* ---- rows in and out ---- */

static const int lengths[] = { 1, 2, 7, 8, 9, 15, 16, 17, 31, 32 };
enum { LENGTHS = sizeof lengths / sizeof *lengths };

static const char *check_gather(const sdw_cpu_kernels *k, const sdw_cpu_kernels *scalar)
{
    static const int32_t index[] = { -1, 0, 2, 2, 1, -1, 4 };
    for (int l = 0; l < LENGTHS; l++)
        for (int mode = 0; mode < 6; mode++) {
            int n = lengths[l];
            const float *x = fill(in_a, (size_t)(6 * 41 + n), 6), *coeffs = fill(in_b, 64, 7);
            float *dst = guarded(7 * SDW_CPU_SEGMENT);
            sdw_cpu_gather g = { .src = x, .stride = 41, .index = mode % 2 ? index : NULL, .rows = 7, .length = n };
            if (mode >= 2) g.scale = coeffs, g.shift = coeffs + n;
            if (mode >= 4) g.act = SDW_ACT_SILU;
            if (mode >= 2 && n + n < 64) in_b[1 + 2 * n] = NAN;
            k->gather(dst, &g);
            scalar->gather(want + 1, &g);
            if (differs(7 * SDW_CPU_SEGMENT, 60 * eps, 8 * eps) >= 0) return wrong("gather: length %d, mode %d", n, mode);
        }
    return NULL;
}

static const char *check_affine(const sdw_cpu_kernels *k, const sdw_cpu_kernels *scalar)
{
    for (size_t n = 0; n < 70; n++)
        for (int silu = 0; silu < 2; silu++) {
            const float *x = fill(in_a, n, 18), *coeffs = fill(in_b, 2 * n, 19);
            float *dst = guarded(n);
            sdw_act act = silu ? SDW_ACT_SILU : SDW_ACT_NONE;
            k->affine(dst, x, coeffs, coeffs + n, n, act);
            scalar->affine(want + 1, x, coeffs, coeffs + n, n, act);
            if (differs(n, 60 * eps, 8 * eps) >= 0) return wrong("affine: length %zu, %s", n, silu ? "SiLU" : "plain");
        }
    return NULL;
}

static const char *check_finish(const sdw_cpu_kernels *k, const sdw_cpu_kernels *scalar)
{
    for (int columns = 1; columns <= k->nr; columns++)
        for (int mode = 0; mode < 24; mode++) {
            int rows = mode % 3 == 0 ? k->mr : mode % 3;
            const float *c = fill(in_a, (size_t)(rows * k->nr), 8), *more = fill(in_b, 3000, 9);
            float *to = guarded(3000);
            sdw_cpu_finish f = { .c = c, .width = k->nr, .rows = rows, .columns = columns, .out = to, .out_stride = 40,
                                 .act = (sdw_act)(mode % 5) };
            size_t shift = 0;
            if (mode >= 12) { /* rows that begin at cache lines */
                f.stream = true;
                f.out_stride = 48;
                while ((uintptr_t)(to + shift) % 64) shift++;
                f.out = to + shift;
            }
            if (mode & 1) f.bias = more;
            if (mode & 2) f.lane = more + 100;
            if (mode & 4) f.residual = more + 200, f.residual_stride = 37;
            if (mode & 8) f.residual = f.out, f.residual_stride = f.out_stride;
            k->finish(&f);
            f.out = want + 1 + shift;
            if (mode & 8) f.residual = want + 1 + shift;
            scalar->finish(&f);
            if (differs(3000, 60 * eps, 60 * eps) >= 0) return wrong("finish: %d columns, mode %d", columns, mode);
            if (columns > k->nr / 2) continue;
            to = guarded(3000);
            f.residual = NULL;
            f.stream = false;
            f.out = to;
            k->finish_glu(&f);
            f.out = want + 1;
            scalar->finish_glu(&f);
            if (differs(3000, 80 * eps, 80 * eps) >= 0) return wrong("finish_glu: %d columns, mode %d", columns, mode);
        }
    return NULL;
}

/* Gates whose GELU may be rough: within what kernels.h allows, and not more where the flag is not set. */
static const char *check_rough_gates(const sdw_cpu_kernels *k)
{
    int half = k->nr / 2;
    for (double x = -30; x < 30; x += 0.23) {
        float *to = guarded((size_t)half);
        for (int j = 0; j < half; j++) {
            in_a[1 + j] = 1;
            in_a[1 + half + j] = (float)(x + 0.23 * j / half);
        }
        sdw_cpu_finish f = { .c = in_a + 1, .width = k->nr, .rows = 1, .columns = half, .out = to, .out_stride = half, .act = SDW_ACT_GELU, .rough = true };
        k->finish_glu(&f);
        for (int j = 0; j < half; j++) {
            double gate = in_a[1 + half + j], right = 0.5 * gate * erfc(-gate * 0.70710678118654752440);
            if (!(fabs(to[j] - right) <= 5e-5 + 1e-5 * fabs(gate))) return wrong("finish_glu, rough: %g gives %g, want %g", gate, (double)to[j], right);
        }
    }
    in_a[1 + half] = NAN;
    float *to = guarded(1);
    k->finish_glu(&(sdw_cpu_finish){ .c = in_a + 1, .width = k->nr, .rows = 1, .columns = 1, .out = to, .out_stride = 1, .act = SDW_ACT_GELU, .rough = true });
    return isnan(to[0]) ? NULL : wrong("finish_glu, rough: NaN gives %g", (double)to[0]);
}

static const char *check_transpose(const sdw_cpu_kernels *k, const sdw_cpu_kernels *scalar)
{
    static const int sides[] = { 1, 3, 8, 14, 16, 17, 40, 77 };
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++) {
            int rows = sides[i], columns = sides[j];
            const float *x = fill(in_a, (size_t)((rows - 1) * 83 + columns), 10);
            float *dst = guarded((size_t)(columns * 80));
            k->transpose(dst, 80, x, 83, rows, columns, 0.37f);
            scalar->transpose(want + 1, 80, x, 83, rows, columns, 0.37f);
            if (differs((size_t)(columns * 80), 0, 0) >= 0) return wrong("transpose: %d x %d", rows, columns);
        }
    return NULL;
}

/* ---- weights ---- */

static const char *check_panels(const sdw_cpu_kernels *k, const sdw_cpu_kernels *scalar)
{
    static const int steps[] = { 1, 2, 9, 31, 36, 288 };
    int32_t row[288];
    for (size_t l = 0; l < sizeof steps / sizeof *steps; l++)
        for (int half = 0; half < 2; half++)
            for (int rows = 1; rows <= k->nr >> half; rows++) {
                int n = steps[l], width = k->nr >> half;
                for (int i = 0; i < n; i++) row[i] = n - 1 - i;
                const char *x = (const char *)fill(in_a, (size_t)(rows * 300), 11) + 1; /* odd address */
                float *dst = guarded((size_t)(n * width));
                k->panel16(dst, width, row, x, 300, rows, n);
                scalar->panel16(want + 1, width, row, x, 300, rows, n);
                if (memcmp(out, want, sizeof *out * (size_t)(n * width + GUARD))) return wrong("panel16: %d rows, %d steps, width %d", rows, n, width);
                dst = guarded((size_t)(n * width));
                k->panel32(dst, width, row, x, 300, rows, n);
                scalar->panel32(want + 1, width, row, x, 300, rows, n);
                if (memcmp(out, want, sizeof *out * (size_t)(n * width + GUARD))) return wrong("panel32: %d rows, %d steps, width %d", rows, n, width);
            }
    return NULL;
}

/* Every 16-bit pattern, and every length up to a few vectors. */
static const char *check_widen(sdw_cpu_widen_fn *got, sdw_cpu_widen_fn *scalar, const char *name)
{
    static uint16_t x[1 << 15];
    for (int part = 0; part < 2; part++) {
        for (int i = 0; i < 1 << 15; i++) x[i] = (uint16_t)(i + part * (1 << 15));
        float *dst = guarded(1 << 15);
        got(dst, x, 1 << 15);
        scalar(want + 1, x, 1 << 15);
        if (differs(1 << 15, 0, 0) >= 0) return wrong("%s: some pattern", name);
    }
    for (size_t n = 0; n < 70; n++) {
        float *dst = guarded(n);
        got(dst, x + 1, n);
        scalar(want + 1, x + 1, n);
        if (differs(n, 0, 0) >= 0) return wrong("%s: length %zu", name, n);
    }
    return NULL;
}

/* ---- norms and elements ---- */

static const char *check_moments(const sdw_cpu_kernels *k, const sdw_cpu_kernels *scalar)
{
    static const int widths[] = { 1, 5, 8, 13, 16, 33, 320 };
    for (size_t l = 0; l < sizeof widths / sizeof *widths; l++)
        for (int rows = 0; rows < 20; rows++) {
            int c = widths[l];
            double got[2][324], expect[2][324];
            const float *x = fill(in_a, (size_t)(rows * 330 + c), 12);
            for (int i = 0; i < 324; i++) got[0][i] = got[1][i] = expect[0][i] = expect[1][i] = i;
            k->moments(x, 330, rows, c, got[0], got[1]);
            scalar->moments(x, 330, rows, c, expect[0], expect[1]);
            for (int i = 0; i < 324; i++)
                for (int j = 0; j < 2; j++)
                    if (!(fabs(got[j][i] - expect[j][i]) <= 1e-13 * (fabs(expect[j][i]) + 40))) return wrong("moments: %d rows of %d, channel %d", rows, c, i);
        }
    return NULL;
}

static const char *check_norm_row(const sdw_cpu_kernels *k, const sdw_cpu_kernels *scalar)
{
    static const int widths[] = { 1, 2, 8, 15, 17, 320, 1279 };
    for (size_t l = 0; l < sizeof widths / sizeof *widths; l++)
        for (int affine = 0; affine < 2; affine++) {
            int n = widths[l];
            const float *x = fill(in_a, (size_t)n, 13), *more = fill(in_b, (size_t)(2 * n), 14);
            float *dst = guarded((size_t)n);
            k->norm_row(dst, x, n, affine ? more : NULL, affine ? more + n : NULL, 1e-5f);
            scalar->norm_row(want + 1, x, n, affine ? more : NULL, affine ? more + n : NULL, 1e-5f);
            if (differs((size_t)n, 40 * eps, 60 * eps) >= 0) return wrong("norm_row: %d values", n);
        }
    return NULL;
}

/* Values up to a million, with NaN: not finite in, NaN out. What lies below 1e-30 may be anything below it: sigmoids end near
 * 1e-37. */
static const char *check_act(const sdw_cpu_kernels *k, const sdw_cpu_kernels *scalar)
{
    for (int act = SDW_ACT_NONE; act <= SDW_ACT_QUICK_GELU; act++) {
        size_t n = 0;
        for (double v = 1e-42; v < 1e6; v *= 1.07) {
            in_a[1 + n++] = (float)v;
            in_a[1 + n++] = (float)-v;
        }
        in_a[1 + n++] = 0;
        in_a[1 + n++] = NAN;
        float *dst = guarded(n);
        k->act(dst, in_a + 1, n, (sdw_act)act);
        scalar->act(want + 1, in_a + 1, n, (sdw_act)act);
        int at = differs(n, 80 * eps, 1e-30);
        if (at >= 0) return wrong("act %d: %g gives %g, want %g", act, (double)in_a[at], (double)out[at], (double)want[at]);
        for (size_t length = 0; length < 40; length++) {
            const float *x = fill(in_a, length, 15);
            dst = guarded(length);
            k->act(dst, x, length, (sdw_act)act);
            scalar->act(want + 1, x, length, (sdw_act)act);
            if (differs(length, 80 * eps, 1e-30) >= 0) return wrong("act %d: length %zu", act, length);
        }
    }
    return NULL;
}

static const char *check_add(const sdw_cpu_kernels *k)
{
    for (size_t n = 0; n < 70; n++) {
        const float *a = fill(in_a, n, 16), *b = fill(in_b, n, 17);
        float *dst = guarded(n);
        k->add(dst, a, b, n);
        for (size_t i = 0; i < n; i++) want[1 + i] = a[i] + b[i];
        if (differs(n, 0, 0) >= 0) return wrong("add: length %zu", n);
    }
    return NULL;
}

const char *check_kernels(const sdw_cpu_kernels *k)
{
    sdw_cpu_kernels scalar;
    sdw_cpu_kernels_init(&scalar, 0);
    const char *w = check_tiles(k);
    if (!w) w = check_linears(k);
    if (!w) w = check_outer(k);
    if (!w) w = check_softmax(k);
    if (!w) w = check_winograd_input(k, &scalar);
    if (!w) w = check_winograd_weight(k, &scalar);
    if (!w) w = check_winograd_weight_f16(k);
    if (!w) w = check_winograd_output(k, &scalar);
    if (!w) w = check_winograd(k);
    if (!w) w = check_gather(k, &scalar);
    if (!w) w = check_affine(k, &scalar);
    if (!w) w = check_finish(k, &scalar);
    if (!w) w = check_rough_gates(k);
    if (!w) w = check_transpose(k, &scalar);
    if (!w) w = check_panels(k, &scalar);
    if (!w) w = check_widen(k->widen_f16, scalar.widen_f16, "widen_f16");
    if (!w) w = check_widen(k->widen_bf16, scalar.widen_bf16, "widen_bf16");
    if (!w) w = check_moments(k, &scalar);
    if (!w) w = check_norm_row(k, &scalar);
    if (!w) w = check_act(k, &scalar);
    if (!w) w = check_add(k);
    return w;
}
