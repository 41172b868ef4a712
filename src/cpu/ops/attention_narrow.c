/* attention_narrow.c - a block of keys in a narrow arithmetic: scores by its tile, probabilities packed by its softmax, sums by its
 * outer product. Sums, tops and totals stay f32. */
#include <math.h>
#include <string.h>

#include "cpu/operands.h"
#include "cpu/ops/attention.h"

enum { KEYS_MAX = 256, LINE = 64 };

typedef sdw_cpu_attention_work work;

static size_t lines(size_t bytes)
{
    return (bytes + LINE - 1) / LINE * LINE;
}

static int unit_steps(const sdw_cpu_narrow *n, int steps)
{
    return (steps + n->step_unit - 1) / n->step_unit * n->step_unit;
}

/* Keys: rows, then their scales. Values: rows, their scales, then room to turn the block in f32. */
static size_t key_rows_bytes(const sdw_cpu_attention *p)
{
    return ((size_t)p->keys_per_block + sdw_cpu_narrow_spare_rows(p->narrow)) * (size_t)p->key_stride;
}

static size_t value_rows_bytes(const sdw_cpu_attention *p)
{
    return ((size_t)p->dim + sdw_cpu_narrow_spare_rows(p->narrow)) * (size_t)p->value_stride;
}

void sdw_cpu_attention_narrow_plan(const sdw_cpu_kernels *k, sdw_cpu_attention *p)
{
    const sdw_cpu_narrow *n = p->narrow;
    p->keys_per_block = KEYS_MAX / n->mr * n->mr;
    size_t keys = (size_t)p->keys_per_block, dim = (size_t)p->dim, nr = (size_t)k->nr;
    p->key_stride = (ptrdiff_t)sdw_cpu_narrow_padded(n, p->dim) * n->size;
    p->value_stride = (ptrdiff_t)sdw_cpu_narrow_padded(n, p->keys_per_block) * n->size;
    p->keys_bytes = lines(key_rows_bytes(p) + keys * sizeof(sdw_cpu_narrow_scale));
    p->values_bytes = lines(lines(value_rows_bytes(p) + dim * sizeof(float)) + keys * dim * sizeof(float));
    p->scores_bytes = lines(keys * nr * sizeof(float));
    p->packed_bytes = lines((size_t)p->value_stride * nr);
    p->query_bytes = 2 * nr * sizeof(float) + (size_t)p->key_stride * nr; /* factors, sums, panel */
}

/* ---- queries: factors (nr), sums (nr), panel ---- */

void sdw_cpu_attention_narrow_queries(const work *w, int panel, const float *turned)
{
    const sdw_cpu_narrow *n = w->p->narrow;
    float *factor = sdw_cpu_attention_queries(w, panel), *sums = factor + w->k->nr;
    n->columns(sums + w->k->nr, factor, sums, turned, w->p->dim, unit_steps(n, w->p->dim));
}

/* ---- keys and values of a block ---- */

static sdw_cpu_narrow_scale *key_scales(const work *w)
{
    return (sdw_cpu_narrow_scale *)(void *)(w->keys + key_rows_bytes(w->p));
}

static float *value_scales(const work *w)
{
    return (float *)(void *)(w->values + value_rows_bytes(w->p));
}

void sdw_cpu_attention_narrow_load(work *w, int first, int count)
{
    const sdw_cpu_attention *p = w->p;
    const sdw_cpu_narrow *n = p->narrow;
    const sdw_tensor *k = w->op->args.attention.k, *v = w->op->args.attention.v;
    sdw_cpu_narrow_scale *scale = key_scales(w);
    float *turned = (float *)(void *)(w->values + lines(value_rows_bytes(p) + (size_t)p->dim * sizeof(float)));
    w->spoiled = false;
    for (int i = 0; i < count; i++) {
        n->row(w->keys + i * p->key_stride, &scale[i], sdw_cpu_attention_row(w, k, first + i), p->dim, (int)(p->key_stride / n->size));
        if (n->scaled && !(isfinite(scale[i].scale) && isfinite(scale[i].shift))) w->spoiled = true;
    }
    w->k->transpose(turned, p->keys_per_block, sdw_cpu_attention_row(w, v, first), v->row_stride, count, p->dim, 1);
    int padded = sdw_cpu_narrow_padded(n, count);
    for (int d = 0; d < p->dim; d++)
        n->values(w->values + d * p->value_stride, &value_scales(w)[d], turned + (ptrdiff_t)d * p->keys_per_block, count, padded);
}

/* ---- one panel ---- */

static void multiply_keys(const work *w, int panel, int count)
{
    const sdw_cpu_attention *p = w->p;
    const sdw_cpu_narrow *n = p->narrow;
    const float *factor = sdw_cpu_attention_queries(w, panel);
    sdw_cpu_narrow_tile t = { .stride = p->key_stride, .factor = n->scaled ? factor : NULL, .count = 1, .steps = { unit_steps(n, p->dim) } };
    t.b = factor + (n->scaled ? 1 : 2) * w->k->nr; /* scaled panels begin with their sums */
    int tiles = (count + n->mr - 1) / n->mr;
    for (int i = 0; i < tiles; i++) {
        int row = sdw_cpu_cut(count, tiles, i);
        t.rows = sdw_cpu_cut(count, tiles, i + 1) - row;
        t.a = w->keys + row * p->key_stride;
        t.scale = n->scaled ? key_scales(w) + row : NULL;
        t.c = w->scores + (ptrdiff_t)row * w->k->nr;
        n->tile(&t);
    }
}

static void multiply_values(const work *w, int panel, int count, const float *factor, const float *alpha)
{
    const sdw_cpu_attention *p = w->p;
    const sdw_cpu_narrow *n = p->narrow;
    sdw_cpu_narrow_outer o = { .stride = p->value_stride, .b = w->packed, .factor = n->scaled ? factor : NULL, .alpha = alpha,
                               .steps = unit_steps(n, count) };
    int tiles = (p->dim + n->mr - 1) / n->mr;
    for (int i = 0; i < tiles; i++) {
        int row = sdw_cpu_cut(p->dim, tiles, i);
        o.rows = sdw_cpu_cut(p->dim, tiles, i + 1) - row;
        o.a = w->values + row * p->value_stride;
        o.scale = n->scaled ? value_scales(w) + row : NULL;
        o.c = sdw_cpu_attention_sums(w, panel) + (ptrdiff_t)row * w->k->nr;
        n->outer(&o);
    }
}

/* Integers cannot say that a key is no number: then no query's result is one either. */
static void spoil(const work *w, int panel)
{
    float *total = sdw_cpu_attention_total(w, panel);
    for (int j = 0; j < w->k->nr; j++) total[j] = NAN;
}

void sdw_cpu_attention_narrow_add(const work *w, int panel, int count)
{
    const sdw_cpu_narrow *n = w->p->narrow;
    float factor[SDW_CPU_COLUMNS_MAX], alpha[SDW_CPU_COLUMNS_MAX];
    if (w->spoiled) {
        spoil(w, panel);
        return;
    }
    multiply_keys(w, panel, count);
    n->softmax(w->packed, factor, w->scores, count, unit_steps(n, count), sdw_cpu_attention_top(w, panel), sdw_cpu_attention_total(w, panel), alpha);
    multiply_values(w, panel, count, factor, alpha);
}
