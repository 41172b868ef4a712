/* check_narrow.c - see check_narrow.h. Products are tried on small whole numbers, which every arithmetic here adds up exactly, with sums
 * beyond what f16 could hold exactly alone; so a step too few or too many, or an index off by one, is always seen. */
#include "check_narrow.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/dtype.h"
#include "core/half.h"

enum { COLUMNS_MAX = 32, ROWS_MAX = 64, STEPS_MAX = 2048, STRIDE = 1344, GUARD = 64, CELLS = (SDW_CPU_NARROW_ROWS_MAX + 2) * COLUMNS_MAX };

static const double eps = FLT_EPSILON / 2;
static char message[256];
static _Alignas(64) uint8_t rows_area[ROWS_MAX * STRIDE], panel_area[4 * COLUMNS_MAX * (STEPS_MAX + 256) + GUARD], want_panel[sizeof panel_area];
static float values[STEPS_MAX * COLUMNS_MAX + GUARD], slice[STEPS_MAX * 8];
static float out[CELLS + GUARD], want[CELLS + GUARD];
static uint32_t seed;

static const char *wrong(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return message;
}

static uint32_t next(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static float uniform(void)
{
    return (float)next() / 8388608.0f - 1;
}

/* ---- elements: small whole numbers, mostly positive ---- */

typedef enum sign { UNSIGNED, SIGNED } sign;

static int element(const sdw_cpu_narrow *n, sign kind)
{
    int v = (int)(next() % 5) - 1;
    return n->scaled && kind == UNSIGNED ? v + (int)(next() % 200) + 1 : v;
}

static bool bf16(const sdw_cpu_narrow *n)
{
    return strcmp(n->name, "bf16") == 0;
}

static void put(const sdw_cpu_narrow *n, void *at, size_t index, int v)
{
    if (n->scaled) ((uint8_t *)at)[index] = (uint8_t)v;
    else if (bf16(n)) ((uint16_t *)at)[index] = sdw_f32_to_bf16((float)v);
    else ((uint16_t *)at)[index] = sdw_f32_to_f16((float)v);
}

static double get(const sdw_cpu_narrow *n, const void *at, size_t index, sign kind)
{
    if (n->scaled) return kind == UNSIGNED ? ((const uint8_t *)at)[index] : ((const int8_t *)at)[index];
    return bf16(n) ? (double)sdw_bf16_to_f32(((const uint16_t *)at)[index]) : (double)sdw_f16_to_f32(((const uint16_t *)at)[index]);
}

static void fill(const sdw_cpu_narrow *n, void *at, size_t bytes, sign kind)
{
    for (size_t i = 0; i < bytes / (size_t)n->size; i++) put(n, at, i, element(n, kind));
}

static size_t in_panel(const sdw_cpu_narrow *n, int step, int j)
{
    return (size_t)((step / n->group * n->nr + j) * n->group + step % n->group);
}

/* Exact product of packed row `row` and column j over `steps` of a panel. */
static double product(const sdw_cpu_narrow *n, const void *row, sign row_kind, const void *panel, int steps, int j)
{
    double sum = 0;
    for (int s = 0; s < steps; s++) sum += get(n, row, (size_t)s, row_kind) * get(n, panel, in_panel(n, s, j), row_kind == UNSIGNED ? SIGNED : UNSIGNED);
    return sum;
}

static void guarded(void)
{
    for (size_t i = 0; i < CELLS + GUARD; i++) out[i] = want[i] = 12345.0f + (float)(i % 7);
}

static bool untouched(int from)
{
    return memcmp(out + from, want + from, (size_t)(CELLS + GUARD - from) * sizeof *out) == 0;
}

/* ---- tiles ---- */

typedef struct runs {
    int count, rows[4], granules[4];
} runs;

static const char *check_tile(const sdw_cpu_narrow *n, const runs *list, int rows, bool add)
{
    static sdw_cpu_narrow_scale scale[ROWS_MAX];
    float factor[COLUMNS_MAX];
    sdw_cpu_narrow_run run[4];
    sdw_cpu_narrow_tile t = { .a = rows_area, .stride = STRIDE, .scale = n->scaled ? scale : NULL, .b = panel_area, .factor = n->scaled ? factor : NULL,
                              .c = out, .rows = rows, .add = add, .fetch = (const char *)rows_area, .fetch_step = 40, .run = run, .count = list->count };
    size_t at = 0;
    fill(n, rows_area, sizeof rows_area, UNSIGNED);
    for (int i = 0; i < ROWS_MAX; i++) scale[i] = (sdw_cpu_narrow_scale){ 0.5f + (float)(i % 5), (float)(i % 7) - 3 };
    for (int j = 0; j < n->nr; j++) factor[j] = 1.0f / (float)(1 << j % 4);
    for (int i = 0; i < list->count; i++) {
        run[i].row = list->rows[i];
        run[i].steps = list->granules[i] * SDW_CPU_NARROW_GRANULE / n->size;
        at += (size_t)(i % 2 ? 0 : 3 * SDW_CPU_NARROW_GRANULE); /* runs need not follow each other */
        run[i].at = (int32_t)at;
        for (int j = 0; n->scaled && j < n->nr; j++, at += 4) memcpy(panel_area + at, &(float){ (float)(j % 9) - 4 }, 4);
        fill(n, panel_area + at, (size_t)(n->nr * run[i].steps * n->size), SIGNED);
        at += (size_t)(n->nr * run[i].steps * n->size);
    }
    memset(panel_area + at, 0x7f, GUARD);
    guarded();
    n->tile(&t);
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < n->nr; j++) {
            double sum = add ? want[r * n->nr + j] : 0, size = fabs(sum) + 1;
            for (int i = 0; i < t.count; i++) {
                int row = run[i].row + r;
                float sums = 0;
                const uint8_t *b = panel_area + run[i].at;
                if (n->scaled) memcpy(&sums, b + 4 * j, 4), b += 4 * n->nr;
                double part = product(n, rows_area + row * STRIDE, UNSIGNED, b, run[i].steps, j);
                if (n->scaled) part = (scale[row].scale * part + (double)scale[row].shift * sums) * factor[j];
                sum += part;
                size += fabs(part) + fabs(sum);
            }
            if (!(fabs(out[r * n->nr + j] - sum) <= 4 * eps * size))
                return wrong("tile: %d rows, %d runs%s, row %d column %d: %g, want %g", rows, t.count, add ? ", added" : "", r, j, (double)out[r * n->nr + j], sum);
        }
    return untouched(rows * n->nr) ? NULL : wrong("tile: %d rows write outside their tile", rows);
}

/* Every number of rows with the shortest case, some with the longer ones. */
static bool tried(const sdw_cpu_narrow *n, size_t which, int rows)
{
    return which == 0 || rows == 1 || rows == 3 || rows == n->mr || rows == n->mr / 2 + 1;
}

static const char *check_tiles(const sdw_cpu_narrow *n)
{
    static const runs lists[] = {
        { 1, { 0 }, { 1 } },
        { 1, { 3 }, { 5 } },
        { 3, { 0, 9, 4 }, { 2, 1, 3 } },
        { 4, { 0, 1, 16, 17 }, { 10, 10, 10, 10 } },
    };
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
        for (int rows = 1; rows <= n->mr; rows++)
            for (int add = 0; add < 2 && tried(n, l, rows); add++) {
                const char *w = check_tile(n, &lists[l], rows, add);
                if (w) return w;
            }
    return NULL;
}

static const int attention_steps[] = { 1, 3, 64, 80, 192, 256, 320 };
enum { ATTENTION_STEPS = sizeof attention_steps / sizeof *attention_steps };
static sdw_cpu_narrow_sign signs[SDW_CPU_NARROW_ROWS_MAX];

/* Random rows and a panel of `steps`; signs of all rows. Returns the rounded number of steps. */
static int fill_attention(const sdw_cpu_narrow *n, int steps)
{
    steps = (steps + n->step_unit - 1) / n->step_unit * n->step_unit;
    fill(n, rows_area, sizeof rows_area, SIGNED);
    fill(n, panel_area, (size_t)(n->nr * steps * n->size), UNSIGNED);
    memset(panel_area + n->nr * steps * n->size, 0x7f, GUARD);
    for (int r = 0; r < SDW_CPU_NARROW_ROWS_MAX; r++) signs[r] = (sdw_cpu_narrow_sign){ 0.25f * (float)(1 + r % 3), 17 * (r % 5) - 40 };
    guarded();
    return steps;
}

static const char *check_scores(const sdw_cpu_narrow *n)
{
    float most[COLUMNS_MAX], before[COLUMNS_MAX];
    for (int l = 0; l < ATTENTION_STEPS; l++)
        for (int rows = 1; rows <= n->mr; rows++) {
            if (!tried(n, (size_t)l, rows)) continue;
            int steps = fill_attention(n, attention_steps[l]);
            for (int j = 0; j < n->nr; j++) most[j] = before[j] = j % 2 ? 300 : -INFINITY;
            n->scores(&(sdw_cpu_narrow_scores){ .a = rows_area, .stride = STRIDE, .sign = n->scaled ? signs : NULL, .b = panel_area, .c = out, .most = most,
                                                .rows = rows, .steps = steps });
            for (int j = 0; j < n->nr; j++) {
                for (int r = 0; r < rows; r++) {
                    double sum = product(n, rows_area + r * STRIDE, SIGNED, panel_area, steps, j);
                    if (n->scaled) sum = signs[r].scale * (sum + signs[r].start);
                    float got = out[r * n->nr + j];
                    if (!(fabs(got - sum) <= 4 * eps * (fabs(sum) + 1))) return wrong("scores: %d rows, %d steps, row %d column %d: %g, want %g", rows, steps, r, j, (double)got, sum);
                    if (got > before[j]) before[j] = got;
                }
                if (most[j] != before[j]) return wrong("scores: largest of column %d, %d rows, %d steps", j, rows, steps);
            }
            if (!untouched(rows * n->nr)) return wrong("scores: %d rows write outside their tile", rows);
        }
    return NULL;
}

static const char *check_outer(const sdw_cpu_narrow *n)
{
    float factor[COLUMNS_MAX], alpha[COLUMNS_MAX];
    for (int j = 0; j < n->nr; j++) factor[j] = 1.0f / (float)(1 << j % 5), alpha[j] = (float)(j % 3) / 2;
    for (int l = 0; l < ATTENTION_STEPS; l++)
        for (int rows = 1; rows <= n->mr; rows++) {
            if (!tried(n, (size_t)l, rows)) continue;
            int steps = fill_attention(n, attention_steps[l]);
            n->outer(&(sdw_cpu_narrow_outer){ .a = rows_area, .stride = STRIDE, .sign = n->scaled ? signs : NULL, .b = panel_area,
                                              .factor = n->scaled ? factor : NULL, .alpha = alpha, .c = out, .rows = rows, .steps = steps });
            for (int r = 0; r < rows; r++)
                for (int j = 0; j < n->nr; j++) {
                    double part = product(n, rows_area + r * STRIDE, SIGNED, panel_area, steps, j);
                    if (n->scaled) part *= (double)signs[r].scale * factor[j];
                    double before = (double)want[r * n->nr + j] * alpha[j];
                    if (!(fabs(out[r * n->nr + j] - (before + part)) <= 4 * eps * (fabs(before) + fabs(part) + 1)))
                        return wrong("outer: %d rows, %d steps, row %d column %d: %g, want %g", rows, steps, r, j, (double)out[r * n->nr + j], before + part);
                }
            if (!untouched(rows * n->nr)) return wrong("outer: %d rows write outside their tile", rows);
        }
    return NULL;
}

/* ---- conversions ---- */

static void fill_values(int count, int special)
{
    for (int i = 0; i < count; i++) values[i] = uniform() * 3;
    if (special == 1 && count > 2) values[count / 2] = NAN;
    if (special == 2 && count > 2) values[count / 3] = -INFINITY;
    if (special == 3) memset(values, 0, (size_t)count * sizeof *values);
    if (special == 4) memcpy(&values[count / 2], &(uint32_t){ 0x7fffe000 }, 4); /* a NaN with nearly all bits */
    for (int i = 0; i < GUARD; i++) values[count + i] = NAN;
}

/* Equal elements, or a step of int8 apart where a product lay between two; NaN like NaN. */
static bool same(const sdw_cpu_narrow *n, const void *a, const void *b, size_t i, sign kind)
{
    double x = get(n, a, i, kind), y = get(n, b, i, kind);
    return x == y || (isnan(x) && isnan(y)) || (n->scaled && fabs(x - y) <= 1);
}

static bool near(float a, float b)
{
    return (isnan(a) && isnan(b)) || fabs((double)a - b) <= 4 * eps * fabs((double)b);
}

static const char *check_rows(const sdw_cpu_narrow *n, const sdw_cpu_narrow *scalar)
{
    static const int lengths[] = { 1, 5, 16, 40, 77, 320, 640, 1280 };
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
        for (int special = 0; special < 5; special++)
            for (int way = 0; way < 3; way++) {
                int length = lengths[l], padded = sdw_cpu_narrow_padded(n, length), cells = way == 2 ? length : padded;
                sdw_cpu_narrow_scale s1 = { 7, 7 }, s2 = { 7, 7 };
                sdw_cpu_narrow_sign g1 = { 7, 7 }, g2 = { 7, 7 };
                sign kind = way == 0 ? UNSIGNED : SIGNED;
                if (way == 2 && n->scaled && (special == 1 || special == 2 || special == 4)) continue; /* weights are finite */
                fill_values(length, special);
                memset(panel_area, 0x55, (size_t)(cells * n->size) + GUARD);
                memset(want_panel, 0x55, (size_t)(cells * n->size) + GUARD);
                if (way == 0) {
                    n->row(panel_area, &s1, values, length, padded);
                    scalar->row(want_panel, &s2, values, length, padded);
                } else if (way == 1) {
                    if (!n->outer) continue;
                    n->signed_row(panel_area, &g1, values, length, padded);
                    scalar->signed_row(want_panel, &g2, values, length, padded);
                    s1.scale = g1.scale, s2.scale = g2.scale;
                    int64_t sum = 0;
                    for (int i = 0; n->scaled && i < length; i++) sum += ((const int8_t *)panel_area)[i];
                    if (n->scaled && !isnan(g2.scale) && g1.start != -128 * sum) return wrong("signed_row: start at length %d", length);
                } else {
                    n->weights(panel_area, values, (size_t)length, 42.3f);
                    scalar->weights(want_panel, values, (size_t)length, 42.3f);
                }
                static const char *const names[] = { "row", "signed_row", "weights" };
                for (int i = 0; i < cells; i++)
                    if (!(n->scaled && isnan(s2.scale)) && !same(n, panel_area, want_panel, (size_t)i, kind)) return wrong("%s: length %d, case %d, value %d", names[way], length, special, i);
                if (memcmp(panel_area + cells * n->size, want_panel + cells * n->size, GUARD) != 0) return wrong("%s: length %d writes too far", names[way], length);
                if (!near(s1.scale, s2.scale) || !near(s1.shift, s2.shift)) return wrong("%s: scale at length %d, case %d", names[way], length, special);
            }
    return NULL;
}

static const char *check_columns(const sdw_cpu_narrow *n, const sdw_cpu_narrow *scalar)
{
    static const int dims[] = { 1, 5, 40, 64, 77, 160 };
    float factor[COLUMNS_MAX] = { 0 }, factor2[8] = { 0 };
    for (size_t l = 0; l < sizeof dims / sizeof *dims; l++)
        for (int special = 0; special < 5; special++) {
            int dim = dims[l], steps = (dim + n->step_unit - 1) / n->step_unit * n->step_unit;
            size_t bytes = (size_t)(steps * n->nr * n->size);
            fill_values(dim * n->nr, special);
            memset(panel_area, 0x55, bytes + GUARD);
            n->columns(panel_area, factor, values, dim, steps);
            for (int first = 0; first < n->nr; first += scalar->nr) {
                for (int i = 0; i < dim; i++) memcpy(slice + i * scalar->nr, values + i * n->nr + first, (size_t)scalar->nr * sizeof *slice);
                scalar->columns(want_panel, factor2, slice, dim, steps);
                for (int j = 0; j < scalar->nr; j++) {
                    if (n->scaled && !near(factor[first + j], factor2[j])) return wrong("columns: factor %d of dim %d, case %d", first + j, dim, special);
                    for (int s = 0; s < steps; s++) {
                        double x = get(n, panel_area, in_panel(n, s, first + j), UNSIGNED), y = get(scalar, want_panel, in_panel(scalar, s, j), UNSIGNED);
                        bool tie = fabs(x - y) <= ldexp(fabs(y), -7) && !n->scaled; /* rounded up where the other went to even */
                        if (x != y && !(isnan(x) && isnan(y)) && !tie && !(n->scaled && (isnan(factor2[j]) || fabs(x - y) <= 1)))
                            return wrong("columns: column %d step %d of dim %d, case %d: %g, want %g", first + j, s, dim, special, x, y);
                    }
                }
            }
            for (int i = 0; i < GUARD; i++)
                if (panel_area[bytes + (size_t)i] != 0x55) return wrong("columns: dim %d writes too far", dim);
        }
    return NULL;
}

/* ---- softmax ---- */

static const char *check_softmax_case(const sdw_cpu_narrow *n, float score_scale, int keys, bool later)
{
    float top[COLUMNS_MAX], sum[COLUMNS_MAX], alpha[COLUMNS_MAX], factor[COLUMNS_MAX], most[COLUMNS_MAX], by[COLUMNS_MAX];
    int steps = (keys + n->step_unit - 1) / n->step_unit * n->step_unit;
    size_t bytes = (size_t)(steps * n->nr * n->size);
    double rounding = bf16(n) ? ldexp(1, -8) + 3e-4 : ldexp(1, -11) + 1e-5;
    fill_values(keys * n->nr, 0);
    if (keys > 2) values[2 * n->nr + 1] = 90 * score_scale; /* one key takes all */
    for (int j = 0; j < n->nr; j++) top[j] = later ? 1.5f : -INFINITY, sum[j] = later ? 3 : 0, by[j] = n->scaled ? 0.5f + (float)(j % 3) : 1, most[j] = -INFINITY;
    for (int i = 0; i < keys * n->nr; i++) most[i % n->nr] = fmaxf(most[i % n->nr], values[i]);
    memset(panel_area, 0x55, bytes + GUARD);
    n->softmax(&(sdw_cpu_narrow_softmax){ .p = panel_area, .factor = n->scaled ? factor : NULL, .s = values, .most = most, .by = n->scaled ? by : NULL,
                                          .keys = keys, .steps = steps, .top = top, .sum = sum, .alpha = alpha });
    for (int j = 0; j < n->nr; j++) {
        double here = (double)most[j] * by[j], before = later ? 1.5 : -INFINITY, total = 0;
        double now = fmax(here, before), f = exp((here - now) / score_scale) / 255;
        for (int s = 0; s < steps; s++) {
            double got = get(n, panel_area, in_panel(n, s, j), UNSIGNED), x = s < keys ? (double)values[s * n->nr + j] * by[j] : -INFINITY;
            double p = n->scaled ? exp((x - here) / score_scale) * 255 : exp((x - now) / score_scale);
            if (!(fabs(got - p) <= (n->scaled ? 1.0 : rounding * p + 1e-7)) || (s >= keys && got != 0))
                return wrong("softmax: key %d of %d, column %d: %g, want %g", s, keys, j, got, p);
            total += n->scaled ? got * f : p;
        }
        double a = exp((before - now) / score_scale), all = (later ? 3 : 0) * a + total;
        if (n->scaled && !(fabs(factor[j] - f) <= (40 * eps + 4 * eps * fabs(now) / score_scale) * f + 1e-38)) return wrong("softmax: factor of column %d, %d keys", j, keys);
        double loose = 40 * eps + 4 * eps * fabs(now) / score_scale; /* the exponent's own rounding */
        if (!(fabs(alpha[j] - a) <= loose * a + 1e-38)) return wrong("softmax: alpha of column %d, %d keys", j, keys);
        if (!(fabs(sum[j] - all) <= 3e-4 * all)) return wrong("softmax: sum of column %d, %d keys: %g, want %g", j, keys, (double)sum[j], all);
        if (!near(top[j], (float)now)) return wrong("softmax: top of column %d, %d keys", j, keys);
    }
    for (int i = 0; i < GUARD; i++)
        if (panel_area[bytes + (size_t)i] != 0x55) return wrong("softmax: %d keys write too far", keys);
    return NULL;
}

static const char *check_softmax(const sdw_cpu_narrow *n, float score_scale)
{
    static const int counts[] = { 1, 2, 3, 5, 7, 64, 77, 224, 250, 256 };
    for (size_t l = 0; l < sizeof counts / sizeof *counts; l++)
        for (int later = 0; later < 2; later++) {
            const char *w = check_softmax_case(n, score_scale, counts[l], later);
            if (w) return w;
        }
    float top[COLUMNS_MAX], sum[COLUMNS_MAX] = { 0 }, alpha[COLUMNS_MAX], factor[COLUMNS_MAX], most[COLUMNS_MAX], by[COLUMNS_MAX];
    for (int j = 0; j < n->nr; j++) top[j] = -INFINITY, most[j] = 3, by[j] = 1;
    fill_values(10 * n->nr, 0);
    for (int k = 0; k < 10 && !n->scaled; k++) values[k * n->nr + 3] = NAN;
    most[3] = n->scaled ? 3 : NAN;
    by[3] = n->scaled ? NAN : 1;
    n->softmax(&(sdw_cpu_narrow_softmax){ .p = panel_area, .factor = n->scaled ? factor : NULL, .s = values, .most = most, .by = n->scaled ? by : NULL, .keys = 10,
                                          .steps = (10 + n->step_unit - 1) / n->step_unit * n->step_unit, .top = top, .sum = sum, .alpha = alpha });
    for (int j = 0; j < n->nr; j++)
        if (isnan(sum[j]) != (j == 3)) return wrong("softmax: column 3 is no number, column %d %s", j, isnan(sum[j]) ? "became none" : "is one");
    return NULL;
}

const char *check_narrow(const sdw_cpu_narrow *n, sdw_cpu_precision p, float score_scale)
{
    sdw_cpu_narrow scalar;
    sdw_cpu_narrow_scalar(&scalar, p);
    seed = 1;
    sdw_cpu_narrow_begin(n);
    const char *w = check_tiles(n);
    if (!w && n->outer) w = check_scores(n);
    if (!w && n->outer) w = check_outer(n);
    sdw_cpu_narrow_end(n);
    if (!w) w = check_rows(n, &scalar);
    if (!w && n->outer) w = check_columns(n, &scalar);
    if (!w && n->outer) w = check_softmax(n, score_scale);
    return w;
}
