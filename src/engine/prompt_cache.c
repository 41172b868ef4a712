/* prompt_cache.c - see prompt_cache.h. */
#include "engine/prompt_cache.h"

#include <string.h>

#include "core/buf.h"
#include "core/mem.h"

typedef struct entry {
    char key[SDW_SHA256_HEX_SIZE];
    sdw_conditioning value;      /* owned; context NULL: free place */
    size_t bytes;
    unsigned long last_use;
} entry;

struct sdw_prompt_cache {
    size_t bytes, bytes_max;
    unsigned long clock, hits;
    entry entry[SDW_PROMPTS_CACHED_MAX];
};

sdw_prompt_cache *sdw_prompt_cache_create(size_t bytes_max)
{
    sdw_prompt_cache *c = sdw_calloc(1, sizeof *c);
    if (c) c->bytes_max = bytes_max;
    return c;
}

static void drop(sdw_prompt_cache *c, entry *e)
{
    c->bytes -= e->bytes;
    sdw_conditioning_finish(&e->value);
    e->bytes = 0;
}

void sdw_prompt_cache_free(sdw_prompt_cache *c)
{
    if (!c) return;
    for (int i = 0; i < SDW_PROMPTS_CACHED_MAX; i++)
        if (c->entry[i].value.context) drop(c, &c->entry[i]);
    sdw_free(c);
}

sdw_status sdw_prompt_cache_key(const sdw_params *r, int rows, int chunks, char ret[SDW_SHA256_HEX_SIZE], sdw_error *err)
{
    sdw_buf b;
    sdw_buf_init(&b, 0);
    /* Width and height are among what XL reads beside the text. */
    sdw_buf_printf(&b, "%d %d %d %d %d %d %s %d ", rows, chunks, r->clip_skip, r->truncate > 0, r->width, r->height, r->prompt_syntax, r->negative_prompt != NULL);
    sdw_buf_append(&b, r->prompt, strlen(r->prompt) + 1);
    if (r->negative_prompt) sdw_buf_puts(&b, r->negative_prompt);
    sdw_status status = b.failed ? sdw_fail_memory(err, "prompt cache", b.size) : sdw_sha256_bytes(b.data, b.size, ret, err);
    sdw_buf_finish(&b);
    return status;
}

/* Floats of context, pooled and time ids. */
static void floats(const sdw_pipeline_shape *s, const sdw_conditioning *v, size_t ret[3])
{
    ret[0] = (size_t)v->rows * (size_t)v->tokens * (size_t)s->context_width;
    ret[1] = v->pooled ? (size_t)v->rows * (size_t)s->pooled_width : 0;
    ret[2] = v->time_ids ? (size_t)v->rows * (size_t)s->time_ids : 0;
}

static float *copy(const float *from, size_t count, bool *ok)
{
    float *to = count ? sdw_malloc(count * sizeof *to) : NULL;
    if (to) memcpy(to, from, count * sizeof *to);
    else if (count) *ok = false;
    return to;
}

static bool copy_value(const sdw_pipeline_shape *s, const sdw_conditioning *from, sdw_conditioning *ret)
{
    size_t n[3];
    bool ok = true;
    floats(s, from, n);
    *ret = (sdw_conditioning){ .rows = from->rows, .tokens = from->tokens };
    ret->context = copy(from->context, n[0], &ok);
    ret->pooled = copy(from->pooled, n[1], &ok);
    ret->time_ids = copy(from->time_ids, n[2], &ok);
    if (!ok) sdw_conditioning_finish(ret);
    return ok;
}

bool sdw_prompt_cache_get(sdw_prompt_cache *c, const char *key, const sdw_pipeline_shape *s, sdw_conditioning *ret)
{
    for (int i = 0; i < SDW_PROMPTS_CACHED_MAX; i++) {
        entry *e = &c->entry[i];
        if (!e->value.context || strcmp(e->key, key) != 0) continue;
        if (!copy_value(s, &e->value, ret)) return false;
        e->last_use = ++c->clock;
        c->hits++;
        return true;
    }
    return false;
}

/* A free place, after the oldest have left for `bytes` more. */
static entry *make_room(sdw_prompt_cache *c, size_t bytes)
{
    for (;;) {
        entry *oldest = NULL, *empty = NULL;
        for (int i = 0; i < SDW_PROMPTS_CACHED_MAX; i++) {
            entry *e = &c->entry[i];
            if (!e->value.context) empty = e;
            else if (!oldest || e->last_use < oldest->last_use) oldest = e;
        }
        if (empty && c->bytes + bytes <= c->bytes_max) return empty;
        drop(c, oldest);
    }
}

void sdw_prompt_cache_put(sdw_prompt_cache *c, const char *key, const sdw_pipeline_shape *s, const sdw_conditioning *from)
{
    size_t n[3];
    sdw_conditioning value;
    floats(s, from, n);
    size_t bytes = (n[0] + n[1] + n[2]) * sizeof(float);
    if (bytes > c->bytes_max || !copy_value(s, from, &value)) return;
    entry *e = make_room(c, bytes);
    memcpy(e->key, key, sizeof e->key);
    e->value = value;
    e->bytes = bytes;
    e->last_use = ++c->clock;
    c->bytes += bytes;
}

size_t sdw_prompt_cache_bytes(const sdw_prompt_cache *c)
{
    return c ? c->bytes : 0;
}

unsigned long sdw_prompt_cache_hits(const sdw_prompt_cache *c)
{
    return c ? c->hits : 0;
}
