/* attention.c - softmax(q k^T scale) v in blocks of keys, never the whole score matrix: Milakov and Gimelshein 2018, Dao et al.
 * 2022.
 *
 * Everything is turned by 90 degrees: a panel is `nr` queries side by side, scores are keys x queries, sums are values x
 * queries. Then no head dimension wastes a vector, the softmax runs down columns without crossing vector lanes, and the
 * scores are already what the second product reads. A task is some panels of one head in one lane; each block of keys is
 * gathered once for all of them. Block borders depend on the shape alone, so results do not depend on threads.
 * Where the backend has a narrow arithmetic, both products are taken in it (ops/attention_narrow.c); causal attention, which is
 * that of the text encoders, stays f32: it is small and everything hangs on it. */
#include <math.h>
#include <string.h>

#include "cpu/operands.h"
#include "cpu/ops/attention.h"

enum {
    KEYS_MAX = 224,
    BLOCK_FLOATS = 32 << 10,      /* of keys, and as many of values: 256 KiB in all */
    STATE_BYTES = 384 << 10,      /* queries and sums of a task's panels */
    PANELS_MAX = 32,
    TASKS_PER_THREAD = 8,         /* at least: the last ones should not be waited for long */
    LINE = 64,                    /* bytes */
};

typedef sdw_cpu_attention choice;
typedef sdw_cpu_attention_work work;

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

static size_t lines(size_t bytes)
{
    return (bytes + LINE - 1) / LINE * LINE;
}

/* ---- planning ---- */

static void plan_f32(const sdw_cpu_kernels *k, choice *p)
{
    int keys = min_int(BLOCK_FLOATS / p->dim, KEYS_MAX) / k->mr * k->mr;
    p->keys_per_block = keys < k->mr ? k->mr : keys;
    size_t dim = (size_t)p->dim, n = (size_t)p->keys_per_block, nr = (size_t)k->nr;
    p->keys_bytes = p->values_bytes = lines(n * dim * sizeof(float));
    p->scores_bytes = lines(n * nr * sizeof(float));
    p->query_bytes = dim * nr * sizeof(float);
}

static void plan_tasks(const sdw_cpu_kernels *k, int threads, int others, int queries, choice *p)
{
    p->panel_bytes = lines(((size_t)p->dim + 2) * (size_t)k->nr * sizeof(float) + p->query_bytes);
    p->panels = sdw_cpu_ceil_div(queries, k->nr);
    int most = min_int((int)(STATE_BYTES / p->panel_bytes), PANELS_MAX);
    p->panel_parts = sdw_cpu_ceil_div(p->panels, most < 1 ? 1 : most);
    while (p->panel_parts * 2 <= p->panels && others * p->panel_parts < TASKS_PER_THREAD * threads && others * p->panel_parts % threads != 0)
        p->panel_parts++;
    p->panels_per_part = sdw_cpu_ceil_div(p->panels, p->panel_parts);
}

static sdw_status prepare(const sdw_cpu_kernels *k, int threads, sdw_op *op, sdw_arena *arena, sdw_error *err)
{
    choice *p = sdw_arena_alloc(arena, sizeof *p);
    if (!p) return sdw_fail(err, SDW_NO_MEMORY, "%s: no memory for its plan", op->name);
    int heads = op->args.attention.heads;
    *p = (choice){ .dim = op->in->c / heads };
    if (k->narrow && k->narrow->outer && !op->args.attention.causal) p->narrow = k->narrow;
    const sdw_tensor *keys = op->args.attention.k;
    if (p->narrow) sdw_cpu_attention_narrow_plan(k, op->in->n * heads, keys->h * keys->w, p);
    else plan_f32(k, p);
    plan_tasks(k, threads, op->in->n * heads, op->in->h * op->in->w, p);
    p->scratch_bytes = p->keys_bytes + p->values_bytes + p->scores_bytes + p->packed_bytes + (size_t)p->panels_per_part * p->panel_bytes;
    p->scratch_bytes = (p->scratch_bytes + 4095) / 4096 * 4096;
    op->choice = p;
    op->workspace = (p->shared_bytes + 4095) / 4096 * 4096 + p->scratch_bytes * (size_t)threads;
    return SDW_OK;
}

/* ---- a panel ---- */

static int panel_count(const work *w, int panel)
{
    return min_int(w->op->in->h * w->op->in->w - panel * w->k->nr, w->k->nr);
}

static void begin_panel(const work *w, int panel)
{
    const sdw_tensor *q = w->op->in;
    int count = panel_count(w, panel), nr = w->k->nr, dim = w->p->dim;
    float *queries = w->p->narrow ? w->scores : sdw_cpu_attention_queries(w, panel), *top = sdw_cpu_attention_top(w, panel);
    if (count < nr) memset(queries, 0, (size_t)dim * (size_t)nr * sizeof *queries);
    w->k->transpose(queries, nr, sdw_cpu_attention_row(w, q, panel * nr), q->row_stride, count, dim, w->op->args.attention.scale * w->k->score_scale);
    if (w->p->narrow) sdw_cpu_attention_narrow_queries(w, panel, queries);
    memset(sdw_cpu_attention_sums(w, panel), 0, (size_t)dim * (size_t)nr * sizeof(float));
    for (int j = 0; j < nr; j++) top[j] = -INFINITY;
    memset(sdw_cpu_attention_total(w, panel), 0, (size_t)nr * sizeof(float));
}

static void end_panel(const work *w, int panel)
{
    const sdw_tensor *out = w->op->out;
    int nr = w->k->nr, dim = w->p->dim;
    float *sums = sdw_cpu_attention_sums(w, panel), *total = sdw_cpu_attention_total(w, panel);
    for (int j = 0; j < nr; j++) total[j] = 1 / total[j];
    for (int i = 0; i < dim; i++)
        for (int j = 0; j < nr; j++) sums[i * nr + j] *= total[j];
    w->k->transpose((float *)sdw_cpu_attention_row(w, out, panel * nr), out->row_stride, sums, nr, dim, panel_count(w, panel), 1);
}

/* ---- a block of keys in f32 ---- */

/* Rows of the head side by side: in their tensor they are a whole token apart, each on a page of its own. */
static void load_rows(const work *w, char *dst, const sdw_tensor *t, int first, int count)
{
    size_t bytes = (size_t)w->p->dim * sizeof(float);
    for (int i = 0; i < count; i++) memcpy(dst + (size_t)i * bytes, sdw_cpu_attention_row(w, t, first + i), bytes);
}

static void load_block(const work *w, int first, int count)
{
    if (w->p->narrow) return;
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
    if (w->p->narrow) {
        sdw_cpu_attention_narrow_add(w, panel, first, count);
        return;
    }
    const sdw_cpu_kernels *k = w->k;
    int dim = w->p->dim, mr = k->mr, nr = k->nr;
    float alpha[SDW_CPU_COLUMNS_MAX], *sums = sdw_cpu_attention_sums(w, panel);
    const float *keys = (const float *)(const void *)w->keys, *values = (const float *)(const void *)w->values;
    const sdw_cpu_runs run = { .stride = dim, .count = 1, .length = { dim } };
    for (int i = 0; i < count; i += mr)
        k->tile[min_int(count - i, mr)](keys + (ptrdiff_t)i * dim, sdw_cpu_attention_queries(w, panel), w->scores + (ptrdiff_t)i * nr, &run, false);
    if (w->op->args.attention.causal) mask(w, panel, first, count);
    k->softmax(w->scores, count, sdw_cpu_attention_top(w, panel), sdw_cpu_attention_total(w, panel), alpha);
    int tiles = (dim + mr - 1) / mr;
    for (int i = 0; i < tiles; i++) {
        int row = dim * i / tiles, next = dim * (i + 1) / tiles;
        k->outer[next - row](values + row, dim, w->scores, count, sums + (ptrdiff_t)row * nr, alpha);
    }
}

/* ---- a task ---- */

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
    if (w->p->narrow) sdw_cpu_narrow_begin(w->p->narrow);
    for (int first = 0; first < most; first += w->p->keys_per_block) {
        load_block(w, first, min_int(most - first, w->p->keys_per_block));
        for (int panel = w->panel0; panel < w->panel1; panel++) {
            int count = min_int(panel_keys(w, panel) - first, w->p->keys_per_block);
            if (count > 0) add_block(w, panel, first, count);
        }
    }
    if (w->p->narrow) sdw_cpu_narrow_end(w->p->narrow);
    for (int panel = w->panel0; panel < w->panel1; panel++) end_panel(w, panel);
}

static int lane_keys(const sdw_op *op, int lane)
{
    const sdw_tensor *length = op->args.attention.kv_len;
    int32_t n = op->args.attention.k->h * op->args.attention.k->w;
    if (length) memcpy(&n, sdw_cpu_row(length, lane), sizeof n);
    return n;
}

/* The view of a thread on head `index` of all lanes. */
static work look_at(const sdw_cpu_call *c, int index, int thread)
{
    const choice *p = c->op->choice;
    int heads = c->op->args.attention.heads;
    work w = { .k = c->k, .op = c->op, .p = p, .shared = c->workspace, .head = index % heads, .lane = index / heads };
    char *scratch = w.shared + (p->shared_bytes + 4095) / 4096 * 4096 + (size_t)thread * p->scratch_bytes;
    w.keys_total = lane_keys(c->op, w.lane);
    w.keys = sdw_cpu_carve(&scratch, p->keys_bytes);
    w.values = sdw_cpu_carve(&scratch, p->values_bytes);
    w.scores = sdw_cpu_carve(&scratch, p->scores_bytes);
    w.packed = sdw_cpu_carve(&scratch, p->packed_bytes);
    w.state = scratch;
    return w;
}

static void pack_task(void *ctx, int index, int thread)
{
    const sdw_cpu_call *c = ctx;
    const choice *p = c->op->choice;
    work w = look_at(c, index / p->blocks, thread);
    sdw_cpu_attention_narrow_pack(&w, index % p->blocks);
}

static void run_task(void *ctx, int index, int thread)
{
    const sdw_cpu_call *c = ctx;
    const choice *p = c->op->choice;
    int part = index % p->panel_parts;
    work w = look_at(c, index / p->panel_parts, thread);
    w.panel0 = sdw_cpu_cut(p->panels, p->panel_parts, part);
    w.panel1 = sdw_cpu_cut(p->panels, p->panel_parts, part + 1);
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
    int heads = c->op->in->n * c->op->args.attention.heads;
    if (p->narrow) sdw_cpu_pool_run(c->pool, heads * p->blocks, pack_task, (void *)c, c->cancel);
    sdw_cpu_pool_run(c->pool, heads * p->panel_parts, run_task, (void *)c, c->cancel);
    return SDW_OK;
}

const sdw_cpu_op sdw_cpu_op_attention = { prepare, run };
