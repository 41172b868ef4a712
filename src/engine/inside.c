/* inside.c - see inside.h. */
#include "engine/inside.h"

#include "core/mem.h"
#include "engine/engine_impl.h"
#include "engine/pipeline_impl.h"
#include "engine/prompt_cache.h"

sdw_pipeline *sdw_engine_pipeline(sdw_engine *e)
{
    return e->pipeline;
}

uint64_t sdw_engine_memory_limit(const sdw_engine *e)
{
    return e->memory_limit;
}

sdw_status sdw_engine_cache_prompts(sdw_engine *e, size_t bytes, sdw_error *err)
{
    sdw_prompt_cache_free(e->prompts);
    e->prompts = sdw_prompt_cache_create(bytes);
    return e->prompts ? SDW_OK : sdw_fail_memory(err, "prompt cache", sizeof e->prompts);
}

size_t sdw_engine_prompt_bytes(const sdw_engine *e)
{
    return sdw_prompt_cache_bytes(e->prompts);
}

unsigned long sdw_engine_prompt_hits(const sdw_engine *e)
{
    return sdw_prompt_cache_hits(e->prompts);
}

sdw_status sdw_pipeline_time_ops(sdw_pipeline *p, sdw_error *err)
{
    for (int i = 0; i < SDW_PLAN_SLOTS; i++) {
        if (!p->slot[i].plan) continue;
        sdw_status s = sdw_plan_time_ops(p->slot[i].plan, err);
        if (s != SDW_OK) return s;
    }
    return SDW_OK;
}

/* Keeps ret sorted, slowest first. */
static int insert(sdw_op_time *ret, int count, int most, sdw_op_time t)
{
    int at = count < most ? count++ : most;
    for (; at > 0 && ret[at - 1].seconds < t.seconds; at--)
        if (at < most) ret[at] = ret[at - 1];
    if (at < most) ret[at] = t;
    return count;
}

int sdw_pipeline_slowest_ops(const sdw_pipeline *p, sdw_op_time *ret, int most)
{
    const sdw_plan_slot *latest = NULL;
    int count = 0;
    for (int i = 0; i < SDW_PLAN_SLOTS; i++)
        if (p->slot[i].plan && (!latest || p->slot[i].last_use > latest->last_use)) latest = &p->slot[i];
    if (!latest || !latest->plan->op_seconds) return 0;
    const sdw_graph *g = latest->plan->graph;
    for (int i = 0; i < g->op_count; i++) {
        const sdw_op *op = g->ops[i];
        count = insert(ret, count, most, (sdw_op_time){ op->name, sdw_op_kind_name(op->kind), latest->plan->op_seconds[i], op->flop });
    }
    return count;
}
