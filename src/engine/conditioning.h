/* conditioning.h - prompts become what the UNet reads: the context, and for XL the pooled text and the time ids. */
#ifndef SDW_ENGINE_CONDITIONING_H
#define SDW_ENGINE_CONDITIONING_H

#include "engine/engine_impl.h"

typedef struct sdw_conditioning {
    int rows;        /* 2 with guidance: negative, prompt; else 1: prompt */
    int tokens;      /* 77 * chunks; both rows have as many chunks as the longer prompt */
    float *context;  /* (rows, tokens, context_width) */
    float *pooled;   /* (rows, pooled_width) or NULL */
    float *time_ids; /* (rows, 6) or NULL */
} sdw_conditioning;

/* Does the request need the second row? */
bool sdw_uses_guidance(const sdw_params *r);
/* Tokens of the longest of the prompts that count, without encoding anything. */
sdw_status sdw_conditioning_measure(sdw_engine *e, const sdw_params *r, int *ret_tokens, sdw_error *err);
/* Runs the text encoders; each prompt is encoded once. Warns of what truncation cuts. */
sdw_status sdw_conditioning_encode(sdw_engine *e, const sdw_params *r, sdw_conditioning *ret, sdw_error *err);
void sdw_conditioning_finish(sdw_conditioning *c);

#endif
