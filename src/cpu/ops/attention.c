/* attention.c - softmax(q k^T scale) v in blocks of keys, never the whole score matrix: Milakov and Gimelshein 2018, Dao et al.
 * 2022.
 *
 * Everything is turned by 90 degrees: a panel is `nr` queries side by side, scores are keys x queries, sums are values x
 * queries. Then no head dimension wastes a vector, the softmax runs down columns without crossing vector lanes, and the
 * scores are already what the second product reads. A task is some panels of one head in one lane; each block of keys is
 * gathered once for all of them. Block borders depend on the shape alone, so results do not depend on threads. */
#include <math.h>
#include <string.h>

#include "cpu/ops.h"

enum {
    KEYS_MAX = 224,
    BLOCK_FLOATS = 32 << 10,  /* of keys, and as many of values: 256 KiB in all */
    STATE_FLOATS = 96 << 10,  /* queries and sums of a task's panels: 384 KiB */
    PANELS_MAX = 32,
};

typedef struct choice {
    int dim, keys_per_block;
    int panels, panel_parts, panels_per_part;
    size_t k_floats, v_floats, s_floats, panel_floats, scratch_bytes;
} choice;

/* One task. */
typedef struct work {
    const sdw_cpu_kernels *k;
    const sdw_op *op;
    const choice *choice;
    float *keys, *values, *scores, *state;
    int lane, head, keys_total, panel0, panel1;
} work;

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

static size_t round_up(size_t n)
{
    return (n + 15) / 16 * 16;
}

static sdw_status prepare(const sdw_cpu_kernels *k, int threads, sdw_op *op, sdw_arena *arena, sdw_error *err)
{
    choice *p = sdw_arena_alloc(arena, sizeof *p);
    if (!p) return sdw_fail(err, SDW_NO_MEMORY, "%s: no memory for its plan", op->name);
    int heads = op->args.attention.heads, queries = op->in->h * op->in->w;
    p->dim = op->in->c / heads;
    int keys = min_int(BLOCK_FLOATS / p->dim, KEYS_MAX) / k->mr * k->mr;
    p->keys_per_block = keys < k->mr ? k->mr : keys;
    p->panels = (queries + k->nr - 1) / k->nr;
    int most = min_int(STATE_FLOATS / (2 * p->dim * k->nr), PANELS_MAX);
    int others = op->in->n * heads;
    p->panel_parts = (p->panels + (most < 1 ? 1 : most) - 1) / (most < 1 ? 1 : most);
    while (p->panel_parts * 2 <= p->panels && others * p->panel_parts < 8 * threads && others * p->panel_parts % threads != 0) p->panel_parts++;
    p->panels_per_part = (p->panels + p->panel_parts - 1) / p->panel_parts;
    size_t dim = (size_t)p->dim, n = (size_t)p->keys_per_block, nr = (size_t)k->nr;
    p->k_floats = p->v_floats = round_up(n * dim);
    p->s_floats = n * nr;
    p->panel_floats = 2 * dim * nr + 2 * nr;
    p->scratch_bytes = (p->k_floats + p->v_floats + p->s_floats + (size_t)p->panels_per_part * p->panel_floats) * sizeof(float);
    p->scratch_bytes = (p->scratch_bytes + 4095) / 4096 * 4096;
    op->choice = p;
    op->workspace = p->scratch_bytes * (size_t)threads;
    return SDW_OK;
}

/* ---- state of a panel: queries (dim x nr), sums (dim x nr), top (nr), total (nr) ---- */

static float *panel_queries(const work *w, int panel)
{
    return w->state + (size_t)(panel - w->panel0) * w->choice->panel_floats;
}

static float *panel_sums(const work *w, int panel)
{
    return panel_queries(w, panel) + (ptrdiff_t)w->choice->dim * w->k->nr;
}

static float *panel_top(const work *w, int panel)
{
    return panel_sums(w, panel) + (ptrdiff_t)w->choice->dim * w->k->nr;
}

static float *panel_total(const work *w, int panel)
{
    return panel_top(w, panel) + w->k->nr;
}

static int panel_count(const work *w, int panel)
{
    return min_int(w->op->in->h * w->op->in->w - panel * w->k->nr, w->k->nr);
}

static const float *head_row(const work *w, const sdw_tensor *t, int row)
{
    return sdw_cpu_row(t, (int64_t)w->lane * t->h * t->w + row) + (ptrdiff_t)w->head * w->choice->dim;
}

static void begin_panel(const work *w, int panel)
{
    const sdw_tensor *q = w->op->in;
    int count = panel_count(w, panel), nr = w->k->nr, dim = w->choice->dim;
    float *queries = panel_queries(w, panel), *top = panel_top(w, panel);
    if (count < nr) memset(queries, 0, (size_t)dim * (size_t)nr * sizeof *queries);
    w->k->transpose(queries, nr, head_row(w, q, panel * nr), q->row_stride, count, dim, w->op->args.attention.scale * w->k->score_scale);
    memset(panel_sums(w, panel), 0, (size_t)dim * (size_t)nr * sizeof(float));
    for (int j = 0; j < nr; j++) top[j] = -INFINITY;
    memset(panel_total(w, panel), 0, (size_t)nr * sizeof(float));
}

static void end_panel(const work *w, int panel)
{
    const sdw_tensor *out = w->op->out;
    int nr = w->k->nr, dim = w->choice->dim;
    float *sums = panel_sums(w, panel), *total = panel_total(w, panel);
    for (int j = 0; j < nr; j++) total[j] = 1 / total[j];
    for (int i = 0; i < dim; i++)
        for (int j = 0; j < nr; j++) sums[i * nr + j] *= total[j];
    w->k->transpose((float *)head_row(w, out, panel * nr), out->row_stride, sums, nr, dim, panel_count(w, panel), 1);
}

/* ---- a block of keys ---- */

/* Rows of the head side by side: in their tensor they are a whole token apart, each on a page of its own. */
static void load_rows(const work *w, float *dst, const sdw_tensor *t, int first, int count)
{
    int dim = w->choice->dim;
    for (int i = 0; i < count; i++) memcpy(dst + (ptrdiff_t)i * dim, head_row(w, t, first + i), (size_t)dim * sizeof(float));
}

static void load_block(const work *w, int first, int count)
{
    load_rows(w, w->keys, w->op->args.attention.k, first, count);
    load_rows(w, w->values, w->op->args.attention.v, first, count);
}

/* Key j counts for query i only if j <= i. */
static void mask(const work *w, int panel, int first, int count)
{
    int nr = w->k->nr;
    for (int i = 0; i < count; i++) {
        int hidden = min_int(first + i - panel * nr, nr); /* queries of the panel before this key */
        for (int j = 0; j < hidden; j++) w->scores[i * nr + j] = -INFINITY;
    }
}

static void add_block(const work *w, int panel, int first, int count)
{
    const sdw_cpu_kernels *k = w->k;
    int dim = w->choice->dim, mr = k->mr, nr = k->nr;
    float alpha[SDW_CPU_COLUMNS_MAX];
    float *sums = panel_sums(w, panel);
    const sdw_cpu_runs run = { .stride = dim, .count = 1, .length = { dim } };
    for (int i = 0; i < count; i += mr)
        k->tile[min_int(count - i, mr)](w->keys + (ptrdiff_t)i * dim, panel_queries(w, panel), w->scores + (ptrdiff_t)i * nr, &run, false);
    if (w->op->args.attention.causal) mask(w, panel, first, count);
    k->softmax(w->scores, count, panel_top(w, panel), panel_total(w, panel), alpha);
    int tiles = (dim + mr - 1) / mr;
    for (int i = 0; i < tiles; i++) {
        int row = dim * i / tiles, next = dim * (i + 1) / tiles;
        k->outer[next - row](w->values + row, dim, w->scores, count, sums + (ptrdiff_t)row * nr, alpha);
    }
}

/* Keys that some query of the panel may see. */
static int panel_keys(const work *w, int panel)
{
    if (!w->op->args.attention.causal) return w->keys_total;
    return min_int(w->keys_total, panel * w->k->nr + panel_count(w, panel));
}

static void attend(const work *w)
{
    int most = panel_keys(w, w->panel1 - 1);
    for (int panel = w->panel0; panel < w->panel1; panel++) begin_panel(w, panel);
    for (int first = 0; first < most; first += w->choice->keys_per_block) {
        load_block(w, first, min_int(most - first, w->choice->keys_per_block));
        for (int panel = w->panel0; panel < w->panel1; panel++) {
            int count = min_int(panel_keys(w, panel) - first, w->choice->keys_per_block);
            if (count > 0) add_block(w, panel, first, count);
        }
    }
    for (int panel = w->panel0; panel < w->panel1; panel++) end_panel(w, panel);
}

static int lane_keys(const sdw_op *op, int lane)
{
    const sdw_tensor *length = op->args.attention.kv_len;
    int32_t n = op->args.attention.k->h * op->args.attention.k->w;
    if (length) memcpy(&n, sdw_cpu_row(length, lane), sizeof n);
    return n;
}

static void run_task(void *ctx, int index, int thread)
{
    const sdw_cpu_call *c = ctx;
    const choice *p = c->op->choice;
    int part = index % p->panel_parts, heads = c->op->args.attention.heads;
    work w = { .k = c->k, .op = c->op, .choice = p, .head = index / p->panel_parts % heads, .lane = index / p->panel_parts / heads };
    w.panel0 = p->panels * part / p->panel_parts;
    w.panel1 = p->panels * (part + 1) / p->panel_parts;
    w.keys_total = lane_keys(c->op, w.lane);
    w.keys = (float *)(void *)((char *)c->workspace + (size_t)thread * p->scratch_bytes);
    w.values = w.keys + p->k_floats;
    w.scores = w.values + p->v_floats;
    w.state = w.scores + p->s_floats;
    attend(&w);
}

static sdw_status run(const sdw_cpu_call *c, sdw_error *err)
{
    const choice *p = c->op->choice;
    const sdw_tensor *k = c->op->args.attention.k;
    for (int lane = 0; lane < c->op->in->n; lane++) {
        int n = lane_keys(c->op, lane);
        if (n < 1 || n > k->h * k->w)
            return sdw_fail(err, SDW_INVALID, "%s: %d keys in lane %d, want 1 to %d", c->op->name, n, lane, k->h * k->w);
    }
    sdw_cpu_pool_run(c->pool, c->op->in->n * c->op->args.attention.heads * p->panel_parts, run_task, (void *)c, c->cancel);
    return SDW_OK;
}

const sdw_cpu_op sdw_cpu_op_attention = { prepare, run };
