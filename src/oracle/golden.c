/* golden.c - vectors of a golden.safetensors: finding, loading, comparing, telling. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "oracle/replay.h"

/* ---- telling ---- */

static void tell(sdw_replay *r, const sdw_oracle_line *line)
{
    if (line->outcome == SDW_ORACLE_PASSED) r->totals->passed++;
    else if (line->outcome == SDW_ORACLE_FAILED) r->totals->failed++;
    else r->totals->skipped++;
    if (r->options->line) r->options->line(r->options->ctx, line);
}

void sdw_replay_tell(sdw_replay *r, sdw_oracle_outcome outcome, const char *name, const char *reason)
{
    tell(r, &(sdw_oracle_line){ .outcome = outcome, .folder = r->folder, .name = name, .reason = reason });
}

/* ---- finding and loading ---- */

#define FORMAT_NAME(name, format)                        \
    char name[SDW_REPLAY_NAME_MAX];                      \
    do {                                                 \
        va_list args_;                                   \
        va_start(args_, format);                         \
        vsnprintf(name, sizeof name, format, args_);     \
        va_end(args_);                                   \
    } while (0)

bool sdw_replay_has(const sdw_replay *r, const char *format, ...)
{
    FORMAT_NAME(name, format);
    return sdw_checkpoint_find(r->golden, name) != NULL;
}

bool sdw_replay_wants(sdw_replay *r, const char *format, ...)
{
    FORMAT_NAME(name, format);
    bool found = false, wanted = false;
    size_t length = strlen(name);
    for (size_t i = 0; i < sdw_checkpoint_count(r->golden); i++) {
        sdw_file_tensor *t = sdw_checkpoint_at(r->golden, i);
        if (strncmp(t->name, name, length) != 0) continue;
        found = true;
        wanted = wanted || !r->options->only || strstr(t->name, r->options->only);
    }
    return found && wanted;
}

/* The types that vectors have; bytes may lie at any address. */
static bool widen(const sdw_file_tensor *t, float *dst, size_t n)
{
    const unsigned char *src = t->data;
    if (t->dtype == SDW_F32) {
        memcpy(dst, src, n * sizeof *dst);
    } else if (t->dtype == SDW_U8) {
        for (size_t i = 0; i < n; i++) dst[i] = src[i];
    } else if (t->dtype == SDW_I64) {
        for (size_t i = 0; i < n; i++) {
            int64_t v;
            memcpy(&v, src + i * sizeof v, sizeof v);
            dst[i] = (float)v;
        }
    } else {
        return false;
    }
    return true;
}

static bool load(const sdw_replay *r, const char *name, sdw_vector *ret)
{
    sdw_file_tensor *t = sdw_checkpoint_find(r->golden, name);
    if (!t) return false;
    sdw_vector v = { .rank = t->rank, .count = t->bytes / sdw_dtype_size(t->dtype) };
    memcpy(v.shape, t->shape, sizeof v.shape);
    v.values = sdw_malloc(v.count * sizeof *v.values);
    if (!v.values || !widen(t, v.values, v.count)) {
        sdw_free(v.values);
        return false;
    }
    t->used = true;
    *ret = v;
    return true;
}

bool sdw_replay_load(sdw_replay *r, sdw_vector *ret, const char *format, ...)
{
    FORMAT_NAME(name, format);
    return load(r, name, ret);
}

void sdw_vector_finish(sdw_vector *v)
{
    sdw_free(v->values);
    *v = (sdw_vector){ 0 };
}

/* ---- comparing ---- */

typedef struct difference {
    double rel_l2, max_diff;   /* over all */
    double worst_slice;        /* relative L2 */
    double worst_relative;     /* largest |difference| / |value|; a value of 0 must be met exactly */
    double different;          /* share of values off by more than half a level */
} difference;

static double relative_l2(double sum, double base)
{
    return base > 0 ? sqrt(sum / base) : sum > 0 ? INFINITY : 0;
}

static difference measure(const float *got, const sdw_vector *want, double half_level)
{
    difference d = { 0 };
    size_t slices = want->rank > 0 && want->shape[0] > 0 ? (size_t)want->shape[0] : 1, each = want->count / slices, off = 0;
    double all = 0, base = 0;
    for (size_t s = 0; s < slices; s++) {
        double sum = 0, square = 0;
        for (size_t i = s * each; i < (s + 1) * each; i++) {
            double v = want->values[i], e = fabs((double)got[i] - v);
            if (!(e <= d.max_diff)) d.max_diff = e; /* NaN sticks */
            double relative = v != 0 ? e / fabs(v) : e > 0 ? INFINITY : 0;
            if (!(relative <= d.worst_relative)) d.worst_relative = relative;
            off += !(e <= half_level);
            sum += e * e;
            square += v * v;
        }
        double l2 = relative_l2(sum, square);
        if (!(l2 <= d.worst_slice)) d.worst_slice = l2;
        all += sum;
        base += square;
    }
    d.rel_l2 = relative_l2(all, base);
    d.different = want->count ? (double)off / (double)want->count : 0;
    return d;
}

static bool near_enough(const difference *d, sdw_tolerance t)
{
    switch (t.measure) {
    case SDW_MEASURE_L2: return d->rel_l2 <= t.limit;
    case SDW_MEASURE_SLICES: return d->worst_slice <= t.limit;
    case SDW_MEASURE_ABSOLUTE: return d->max_diff <= t.limit;
    case SDW_MEASURE_RELATIVE: return d->worst_relative <= t.limit;
    case SDW_MEASURE_LEVELS: return d->max_diff <= 1 && d->different <= t.limit;
    case SDW_MEASURE_PICTURE: return d->max_diff <= 1 / 255.0 && d->different <= t.limit;
    }
    return false;
}

void sdw_replay_compare_with(sdw_replay *r, const float *got, size_t count, const sdw_vector *want, sdw_tolerance t,
                             const char *name)
{
    char reason[120] = "";
    sdw_oracle_line line = { .folder = r->folder, .name = name, .reason = reason };
    if (count != want->count) {
        snprintf(reason, sizeof reason, "%zu values computed, want %zu", count, want->count);
        line.outcome = SDW_ORACLE_FAILED;
        tell(r, &line);
        return;
    }
    double level = t.measure == SDW_MEASURE_LEVELS ? 1 : 1 / 255.0;
    difference d = measure(got, want, level / 2);
    line.measured = true;
    line.rel_l2 = t.measure == SDW_MEASURE_SLICES ? d.worst_slice : d.rel_l2;
    line.max_diff = d.max_diff;
    line.outcome = near_enough(&d, t) ? SDW_ORACLE_PASSED : SDW_ORACLE_FAILED;
    if (t.measure == SDW_MEASURE_LEVELS) snprintf(reason, sizeof reason, "%.3f %% of the values differ", 100 * d.different);
    else if (line.outcome == SDW_ORACLE_FAILED) snprintf(reason, sizeof reason, "limit %.2g", t.limit);
    tell(r, &line);
}

void sdw_replay_compare(sdw_replay *r, const float *got, size_t count, sdw_tolerance t, const char *format, ...)
{
    FORMAT_NAME(name, format);
    sdw_vector want;
    if (!load(r, name, &want)) return;
    if (!r->options->only || strstr(name, r->options->only)) sdw_replay_compare_with(r, got, count, &want, t, name);
    sdw_vector_finish(&want);
}

/* ---- metadata ---- */

const char *sdw_replay_prompt(const sdw_replay *r, int i, int which)
{
    yyjson_val *pair = yyjson_arr_get(yyjson_doc_get_root(r->prompts), (size_t)i);
    return yyjson_get_str(yyjson_arr_get(pair, (size_t)which));
}

bool sdw_replay_size(const sdw_replay *r, int i, int *ret_width, int *ret_height)
{
    yyjson_val *pair = yyjson_arr_get(yyjson_doc_get_root(r->sizes), (size_t)i);
    yyjson_val *width = yyjson_arr_get(pair, 0), *height = yyjson_arr_get(pair, 1);
    if (!yyjson_is_int(width) || !yyjson_is_int(height)) return false;
    *ret_width = yyjson_get_int(width);
    *ret_height = yyjson_get_int(height);
    return true;
}
