/* prompt_cache.h - encoded prompts of one model, kept for requests that repeat them: pictures of one prompt with several
 * seeds are the usual case. Bounded in bytes and number, least recently used out first. Engine thread. */
#ifndef SDW_ENGINE_PROMPT_CACHE_H
#define SDW_ENGINE_PROMPT_CACHE_H

#include "core/sha256.h"
#include "engine/conditioning.h"

enum { SDW_PROMPTS_CACHED_MAX = 64 };

typedef struct sdw_prompt_cache sdw_prompt_cache;

sdw_prompt_cache *sdw_prompt_cache_create(size_t bytes_max); /* NULL without memory */
void sdw_prompt_cache_free(sdw_prompt_cache *c);             /* accepts NULL */

/* Everything that the encoding depends on, in one name; chunks: of the longer prompt. */
sdw_status sdw_prompt_cache_key(const sdw_params *r, int rows, int chunks, char ret[SDW_SHA256_HEX_SIZE], sdw_error *err);
/* A copy of its own for the caller; false: not there, or no memory. */
bool sdw_prompt_cache_get(sdw_prompt_cache *c, const char *key, const sdw_pipeline_shape *s, sdw_conditioning *ret);
/* Copies; does nothing if memory lacks or it is larger than the cache. */
void sdw_prompt_cache_put(sdw_prompt_cache *c, const char *key, const sdw_pipeline_shape *s, const sdw_conditioning *from);
size_t sdw_prompt_cache_bytes(const sdw_prompt_cache *c); /* held; 0 for NULL */
unsigned long sdw_prompt_cache_hits(const sdw_prompt_cache *c);

#endif
