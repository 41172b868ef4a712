/* engine_impl.h - the engine behind the public header; shared by the files of this folder only. */
#ifndef SDW_ENGINE_ENGINE_IMPL_H
#define SDW_ENGINE_ENGINE_IMPL_H

#include "core/warn.h"
#include "engine/pipeline.h"
#include "sdw/sdw.h"

enum { SDW_SCHEDULER_NAME_MAX = 64 };

struct sdw_engine {
    sdw_pipeline *pipeline;
    sdw_model_info info;
    sdw_part_info part[SDW_PART_COUNT];
    char part_dtypes[SDW_PART_COUNT][64];
    char scheduler[SDW_SCHEDULER_NAME_MAX];
    uint64_t memory_limit;      /* bytes; never 0 */
    bool release_parts;         /* options.release_parts */
    struct sdw_batch *batch;    /* batch.h; made at the first step */
    struct sdw_prompt_cache *prompts; /* prompt_cache.h; NULL: every prompt is encoded */
    sdw_warn_fn *warn;
    void *warn_ctx;
};

/* Passes collected sentences on and empties w. */
void sdw_engine_warn_all(sdw_engine *e, sdw_warnings *w);
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void sdw_engine_warn(sdw_engine *e, const char *format, ...);


/* Latent sides for a picture of width x height. */
int sdw_engine_latent_side(const sdw_engine *e, int pixels);

#endif
