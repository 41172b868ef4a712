/* inside.h - the door behind the public engine, for those who measure it: replay and bench. */
#ifndef SDW_ENGINE_INSIDE_H
#define SDW_ENGINE_INSIDE_H

#include "engine/pipeline.h"
#include "sdw/sdw.h"

/* The engine's own; valid until the engine is closed. Same thread as the engine's other calls. */
sdw_pipeline *sdw_engine_pipeline(sdw_engine *e);
uint64_t sdw_engine_memory_limit(const sdw_engine *e); /* bytes; never 0 */

/* Wall time of one op of the latest timed run. Strings belong to the plan: valid until the next run. */
typedef struct sdw_op_time {
    const char *name, *kind;
    double seconds, flop;
} sdw_op_time;

/* Times the ops of every plan that exists now, from its next run on. */
sdw_status sdw_pipeline_time_ops(sdw_pipeline *p, sdw_error *err);
/* The slowest ops of the plan that ran last, slowest first; returns how many were written (at most `most`). */
int sdw_pipeline_slowest_ops(const sdw_pipeline *p, sdw_op_time *ret, int most);

#endif
