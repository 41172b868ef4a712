/* inside.h - the door behind the public engine, for those who measure it: replay and bench. */
#ifndef SDW_ENGINE_INSIDE_H
#define SDW_ENGINE_INSIDE_H

#include "engine/pipeline.h"
#include "sdw/sdw.h"

/* The engine's own; valid until the engine is closed. Same thread as the engine's other calls. */
sdw_pipeline *sdw_engine_pipeline(sdw_engine *e);
uint64_t sdw_engine_memory_limit(const sdw_engine *e); /* bytes; never 0 */

/* From now on encoded prompts are kept, up to `bytes`, for requests that repeat them. */
sdw_status sdw_engine_cache_prompts(sdw_engine *e, size_t bytes, sdw_error *err);
size_t sdw_engine_prompt_bytes(const sdw_engine *e);
unsigned long sdw_engine_prompt_hits(const sdw_engine *e);

/* One op of the latest timed run: wall time, work, and the bytes that it moves (sdw_op_bytes). Strings belong to the plan: valid
 * until the next run. */
typedef struct sdw_op_time {
    const char *name, *kind;
    double seconds, flop, read, written;
} sdw_op_time;

/* Times the ops of every plan that exists now, from its next run on. */
sdw_status sdw_pipeline_time_ops(sdw_pipeline *p, sdw_error *err);
/* The ops of the plan that ran last, in order; *ret is the caller's (sdw_free). None if it was not timed. */
sdw_status sdw_pipeline_timed_ops(const sdw_pipeline *p, sdw_op_time **ret, int *ret_count, sdw_error *err);

#endif
