/* attention_narrow.c - a block of keys in a narrow arithmetic: scores, probabilities packed by its softmax, sums by its outer
 * product. Sums, tops and totals stay f32. Keys and values of all heads are packed first, once for all tasks. */
#include <math.h>
#include <string.h>

#include "cpu/operands.h"
#include "cpu/ops/attention.h"

enum { KEYS_MAX = 256, KEYS_UNIT = 16, LINE = 64 };

typedef sdw_cpu_attention_work work;

/* A block of keys as it lies in the shared workspace. */
typedef struct block {
    char *keys, *values; /* rows */
    sdw_cpu_narrow_sign *key_sign, *value_sign;
    bool *spoiled;       /* a key that is not finite, where scales cannot say it to every query */
} block;

static size_t lines(size_t bytes)
{
    return (bytes + LINE - 1) / LINE * LINE;
}

static int unit_steps(const sdw_cpu_narrow *n, int steps)
{
    return (steps + n->step_unit - 1) / n->step_unit * n->step_unit;
}

static size_t key_rows_bytes(const sdw_cpu_attention *p)
{
    return lines(((size_t)p->keys_per_block + sdw_cpu_narrow_spare_rows(p->narrow)) * (size_t)p->key_stride);
}

static size_t value_rows_bytes(const sdw_cpu_attention *p)
{
    return lines(((size_t)p->dim + sdw_cpu_narrow_spare_rows(p->narrow)) * (size_t)p->value_stride);
}

void sdw_cpu_attention_narrow_plan(const sdw_cpu_kernels *k, int heads, int keys, sdw_cpu_attention *p)
{
    const sdw_cpu_narrow *n = p->narrow;
    p->blocks = sdw_cpu_ceil_div(keys, KEYS_MAX);
    p->keys_per_block = sdw_cpu_ceil_div(sdw_cpu_ceil_div(keys, p->blocks), KEYS_UNIT) * KEYS_UNIT; /* nearly equal: a small one costs as much */
    size_t most = (size_t)p->keys_per_block, dim = (size_t)p->dim, nr = (size_t)k->nr;
    p->key_stride = (ptrdiff_t)sdw_cpu_narrow_padded(n, p->dim) * n->size;
    p->value_stride = (ptrdiff_t)sdw_cpu_narrow_padded(n, p->keys_per_block) * n->size;
    p->block_bytes = key_rows_bytes(p) + value_rows_bytes(p) + lines((most + dim) * sizeof(sdw_cpu_narrow_sign)) + LINE;
    p->shared_bytes = p->block_bytes * (size_t)p->blocks * (size_t)heads;
    p->values_bytes = lines(most * dim * sizeof(float)); /* to turn a block in */
    p->scores_bytes = lines(most * nr * sizeof(float));
    if (p->scores_bytes < dim * nr * sizeof(float)) p->scores_bytes = lines(dim * nr * sizeof(float)); /* queries are turned there */
    p->packed_bytes = lines((size_t)p->value_stride * nr);
    p->query_bytes = nr * sizeof(float) + (size_t)p->key_stride * nr; /* what scores are multiplied by, panel */
}

/* ---- keys and values ---- */

static block block_at(const work *w, int index)
{
    const sdw_cpu_attention *p = w->p;
    size_t head = (size_t)w->lane * (size_t)w->op->args.attention.heads + (size_t)w->head;
    char *at = w->shared + (head * (size_t)p->blocks + (size_t)index) * p->block_bytes;
    block b = { .keys = at, .values = at + key_rows_bytes(p) };
    b.key_sign = (sdw_cpu_narrow_sign *)(void *)(b.values + value_rows_bytes(p));
    b.value_sign = b.key_sign + p->keys_per_block;
    b.spoiled = (bool *)(void *)(at + p->block_bytes - LINE);
    return b;
}

void sdw_cpu_attention_narrow_pack(const work *w, int index)
{
    const sdw_cpu_attention *p = w->p;
    const sdw_cpu_narrow *n = p->narrow;
    const sdw_tensor *k = w->op->args.attention.k, *v = w->op->args.attention.v;
    int first = index * p->keys_per_block, count = w->keys_total - first < p->keys_per_block ? w->keys_total - first : p->keys_per_block;
    if (count <= 0) return;
    block b = block_at(w, index);
    float *turned = (float *)(void *)w->values;
    *b.spoiled = false;
    for (int i = 0; i < count; i++) {
        n->signed_row(b.keys + i * p->key_stride, &b.key_sign[i], sdw_cpu_attention_row(w, k, first + i), p->dim, (int)(p->key_stride / n->size));
        if (n->scaled && !isfinite(b.key_sign[i].scale)) *b.spoiled = true;
    }
    w->k->transpose(turned, p->keys_per_block, sdw_cpu_attention_row(w, v, first), v->row_stride, count, p->dim, 1);
    int padded = sdw_cpu_narrow_padded(n, count);
    for (int d = 0; d < p->dim; d++)
        n->signed_row(b.values + d * p->value_stride, &b.value_sign[d], turned + (ptrdiff_t)d * p->keys_per_block, count, padded);
}

/* ---- one panel ---- */

void sdw_cpu_attention_narrow_queries(const work *w, int panel, const float *turned)
{
    const sdw_cpu_narrow *n = w->p->narrow;
    float *by = sdw_cpu_attention_queries(w, panel);
    n->columns(by + w->k->nr, by, turned, w->p->dim, unit_steps(n, w->p->dim));
}

static void multiply_keys(const work *w, const block *b, int panel, int count, float *most)
{
    const sdw_cpu_attention *p = w->p;
    const sdw_cpu_narrow *n = p->narrow;
    const float *by = sdw_cpu_attention_queries(w, panel);
    sdw_cpu_narrow_scores s = { .stride = p->key_stride, .b = by + w->k->nr, .most = most, .steps = unit_steps(n, p->dim) };
    int tiles = sdw_cpu_ceil_div(count, n->mr);
    for (int j = 0; j < w->k->nr; j++) most[j] = -INFINITY;
    for (int i = 0; i < tiles; i++) {
        int row = sdw_cpu_cut(count, tiles, i);
        s.rows = sdw_cpu_cut(count, tiles, i + 1) - row;
        s.a = b->keys + row * p->key_stride;
        s.sign = n->scaled ? b->key_sign + row : NULL;
        s.c = w->scores + (ptrdiff_t)row * w->k->nr;
        n->scores(&s);
    }
}

static void multiply_values(const work *w, const block *b, int panel, int count, const float *factor, const float *alpha)
{
    const sdw_cpu_attention *p = w->p;
    const sdw_cpu_narrow *n = p->narrow;
    sdw_cpu_narrow_outer o = { .stride = p->value_stride, .b = w->packed, .factor = n->scaled ? factor : NULL, .alpha = alpha,
                               .steps = unit_steps(n, count) };
    int tiles = sdw_cpu_ceil_div(p->dim, n->mr);
    for (int i = 0; i < tiles; i++) {
        int row = sdw_cpu_cut(p->dim, tiles, i);
        o.rows = sdw_cpu_cut(p->dim, tiles, i + 1) - row;
        o.a = b->values + row * p->value_stride;
        o.sign = n->scaled ? b->value_sign + row : NULL;
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

void sdw_cpu_attention_narrow_add(const work *w, int panel, int first, int count)
{
    const sdw_cpu_narrow *n = w->p->narrow;
    float factor[SDW_CPU_COLUMNS_MAX], alpha[SDW_CPU_COLUMNS_MAX], most[SDW_CPU_COLUMNS_MAX];
    block b = block_at(w, first / w->p->keys_per_block);
    if (*b.spoiled) {
        spoil(w, panel);
        return;
    }
    multiply_keys(w, &b, panel, count, most);
    n->softmax(&(sdw_cpu_narrow_softmax){ .p = w->packed, .factor = n->scaled ? factor : NULL, .s = w->scores, .most = most,
                                          .by = n->scaled ? sdw_cpu_attention_queries(w, panel) : NULL, .keys = count, .steps = unit_steps(n, count),
                                          .top = sdw_cpu_attention_top(w, panel), .sum = sdw_cpu_attention_total(w, panel), .alpha = alpha });
    multiply_values(w, &b, panel, count, factor, alpha);
}
