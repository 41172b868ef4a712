/* plan.c - offsets from lifetimes. Host arithmetic only until the run: submit may call it before accepting a job.
 *
 * Blocks that live at the same time must not overlap. Largest first, each block takes the lowest gap among those it
 * meets in time; for UNets this lands within a few percent of the sum of what is alive at the worst moment. */
#include "tensor/plan.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

enum { POOL_ALIGN = 64 };

static size_t bytes_of(const sdw_block *b)
{
    return (b->cells * 4 + POOL_ALIGN - 1) / POOL_ALIGN * POOL_ALIGN;
}

static bool meet(const sdw_block *a, const sdw_block *b)
{
    return a->first_op <= b->last_op && b->first_op <= a->last_op;
}

static int larger_first(const void *a, const void *b)
{
    const sdw_block *x = *(sdw_block *const *)a, *y = *(sdw_block *const *)b;
    if (x->cells != y->cells) return x->cells < y->cells ? 1 : -1;
    if (x->first_op != y->first_op) return x->first_op < y->first_op ? -1 : 1;
    return x < y ? -1 : x > y;
}

static int lower_offset_first(const void *a, const void *b)
{
    const sdw_block *x = *(sdw_block *const *)a, *y = *(sdw_block *const *)b;
    return x->pool_offset < y->pool_offset ? -1 : x->pool_offset > y->pool_offset;
}

/* Lowest offset where `b` meets none of its neighbours in time; `near` is scratch for count pointers. */
static size_t lowest_gap(const sdw_block *b, sdw_block *const *placed, int count, const sdw_block **near)
{
    int n = 0;
    for (int i = 0; i < count; i++)
        if (meet(placed[i], b)) near[n++] = placed[i];
    qsort(near, (size_t)n, sizeof *near, lower_offset_first);
    size_t at = 0, want = bytes_of(b);
    for (int i = 0; i < n; i++) {
        if (near[i]->pool_offset >= at && near[i]->pool_offset - at >= want) break;
        size_t end = near[i]->pool_offset + bytes_of(near[i]);
        if (end > at) at = end;
    }
    return at;
}

static sdw_status lay_out(sdw_graph *g, size_t *ret_bytes, sdw_error *err)
{
    size_t n = (size_t)g->block_count, peak = 0;
    sdw_block **order = sdw_calloc(n ? n : 1, sizeof *order);
    const sdw_block **near = sdw_calloc(n ? n : 1, sizeof *near);
    sdw_status status = SDW_OK;
    if (!order || !near) {
        status = sdw_fail_memory(err, "plan", n * sizeof *order);
        goto out;
    }
    int count = 0;
    for (int i = 0; i < g->block_count; i++)
        if (g->blocks[i].bound < 0 && g->blocks[i].last_op >= 0) order[count++] = &g->blocks[i];
    qsort(order, (size_t)count, sizeof *order, larger_first);
    for (int i = 0; i < count; i++) {
        order[i]->pool_offset = lowest_gap(order[i], order, i, near);
        size_t end = order[i]->pool_offset + bytes_of(order[i]);
        if (end > peak) peak = end;
    }
    *ret_bytes = peak;
out:
    sdw_free(order);
    sdw_free(near);
    return status;
}

sdw_status sdw_plan_create(sdw_graph *g, sdw_backend *b, sdw_plan **ret, sdw_error *err)
{
    sdw_plan *p = sdw_calloc(1, sizeof *p);
    sdw_status status = p ? sdw_graph_check(g, err) : sdw_fail_memory(err, "plan", sizeof *p);
    if (!p) {
        sdw_graph_free(g);
        return status;
    }
    p->graph = g;
    if (status == SDW_OK && b->api->arrange) b->api->arrange(b, g);
    for (int i = 0; i < g->op_count && status == SDW_OK; i++) {
        status = b->api->prepare(b, g->ops[i], &g->arena, err);
        if (g->ops[i]->workspace > p->workspace_bytes) p->workspace_bytes = g->ops[i]->workspace;
        p->flop += g->ops[i]->flop;
    }
    if (status == SDW_OK) status = lay_out(g, &p->activation_bytes, err);
    if (status == SDW_OK && g->bound_count) {
        p->bound = sdw_calloc((size_t)g->bound_count, sizeof *p->bound);
        if (!p->bound) status = sdw_fail_memory(err, "plan", (size_t)g->bound_count * sizeof *p->bound);
    }
    if (status != SDW_OK) {
        sdw_plan_free(p);
        return status;
    }
    p->pool_bytes = p->activation_bytes + p->workspace_bytes;
    *ret = p;
    return SDW_OK;
}

void sdw_plan_free(sdw_plan *p)
{
    if (!p) return;
    sdw_graph_free(p->graph);
    sdw_free(p->bound);
    sdw_free(p->op_seconds);
    sdw_free(p);
}

void sdw_plan_bind(sdw_plan *p, int bound, void *data)
{
    p->bound[bound] = data;
}

static void resolve_tensor(const sdw_plan *p, char *pool, const sdw_tensor *t)
{
    const sdw_block *b = &p->graph->blocks[t->block];
    float *base = b->bound >= 0 ? p->bound[b->bound] : (float *)(void *)(pool + b->pool_offset);
    ((sdw_tensor *)t)->data = base + t->offset; /* the graph made every tensor; ops hold them as const */
}

static void resolve(const sdw_plan *p, char *pool)
{
    for (int i = 0; i < p->graph->op_count; i++) {
        const sdw_tensor *t[SDW_OP_TENSORS_MAX];
        for (int j = sdw_op_tensors(p->graph->ops[i], t) - 1; j >= 0; j--) resolve_tensor(p, pool, t[j]);
    }
}

sdw_status sdw_plan_run_ops(sdw_plan *p, sdw_backend *b, void *pool, int first, int count, const atomic_bool *cancel, sdw_error *err)
{
    for (int i = 0; i < p->graph->bound_count; i++)
        if (!p->bound[i]) return sdw_fail(err, SDW_INTERNAL, "plan: bound tensor %d has no memory", i);
    resolve(p, pool);
    return b->api->run(b, p->graph->ops + first, count, (char *)pool + p->activation_bytes, cancel, p->op_seconds ? p->op_seconds + first : NULL, err);
}

sdw_status sdw_plan_run(sdw_plan *p, sdw_backend *b, void *pool, const atomic_bool *cancel, sdw_error *err)
{
    return sdw_plan_run_ops(p, b, pool, 0, p->graph->op_count, cancel, err);
}

sdw_status sdw_plan_time_ops(sdw_plan *p, sdw_error *err)
{
    if (p->op_seconds || p->graph->op_count == 0) return SDW_OK;
    p->op_seconds = sdw_calloc((size_t)p->graph->op_count, sizeof *p->op_seconds);
    return p->op_seconds ? SDW_OK : sdw_fail_memory(err, "op times", (size_t)p->graph->op_count * sizeof *p->op_seconds);
}
