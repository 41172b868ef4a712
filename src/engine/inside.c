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

sdw_status sdw_pipeline_timed_ops(const sdw_pipeline *p, sdw_op_time **ret, int *ret_count, sdw_error *err)
{
    const sdw_plan_slot *latest = NULL;
    for (int i = 0; i < SDW_PLAN_SLOTS; i++)
        if (p->slot[i].plan && (!latest || p->slot[i].last_use > latest->last_use)) latest = &p->slot[i];
    bool timed = latest && latest->plan->op_seconds;
    int count = timed ? latest->plan->graph->op_count : 0;
    sdw_op_time *ops = sdw_calloc((size_t)count + 1, sizeof *ops);
    if (!ops) return sdw_fail_memory(err, "op times", (size_t)count * sizeof *ops);
    for (int i = 0; i < count; i++) {
        const sdw_op *op = latest->plan->graph->ops[i];
        ops[i] = (sdw_op_time){ .name = op->name, .kind = sdw_op_kind_name(op->kind), .seconds = latest->plan->op_seconds[i], .flop = op->flop };
        sdw_op_bytes(op, &ops[i].read, &ops[i].written);
    }
    *ret = ops;
    *ret_count = count;
    return SDW_OK;
}
