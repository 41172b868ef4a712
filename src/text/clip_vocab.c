/* clip_vocab.c - two hash tables and the byte alphabet. */
#include "text/clip_vocab.h"

#include <string.h>

#include "core/mem.h"
#include "text/unicode.h"

#define FIRST_OTHER 256 /* code points of the bytes that cannot be printed */

static bool is_printable(int byte)
{
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

int32_t sdw_clip_byte_code(int byte)
{
    int32_t other = FIRST_OTHER;
    if (is_printable(byte)) return byte;
    for (int b = 0; b < byte; b++) other += !is_printable(b);
    return other;
}

int sdw_clip_code_byte(int32_t code)
{
    if (code >= 0 && code < 256) return is_printable(code) ? code : -1;
    for (int b = 0, other = FIRST_OTHER; b < 256 && code >= FIRST_OTHER; b++)
        if (!is_printable(b) && other++ == code) return b;
    return -1;
}

/* A power of two, at least twice n: the tables stay at most half full. */
static uint32_t slots_for(int32_t n)
{
    uint32_t slots = 16;
    while (slots < 2 * (uint32_t)n) slots *= 2;
    return slots;
}

sdw_status sdw_clip_vocab_init(sdw_clip_vocab *v, int32_t size, int32_t merges, sdw_error *err)
{
    uint32_t texts = slots_for(size), pairs = slots_for(merges);
    *v = (sdw_clip_vocab){ .size = size, .by_text_mask = texts - 1, .merges_mask = pairs - 1 };
    sdw_arena_init(&v->arena, 0);
    v->token = sdw_arena_array(&v->arena, (size_t)size, sizeof *v->token);
    v->by_text = sdw_arena_array(&v->arena, texts, sizeof *v->by_text);
    v->merges = sdw_arena_array(&v->arena, pairs, sizeof *v->merges);
    if (!v->token || !v->by_text || !v->merges) {
        sdw_clip_vocab_free(v);
        return sdw_fail_memory(err, "vocabulary", (size_t)size * sizeof *v->token);
    }
    memset(v->by_text, 0xff, texts * sizeof *v->by_text);
    for (uint32_t i = 0; i < pairs; i++) v->merges[i].left = -1;
    memset(v->byte_id, 0xff, sizeof v->byte_id);
    return SDW_OK;
}

void sdw_clip_vocab_free(sdw_clip_vocab *v)
{
    sdw_arena_finish(&v->arena);
    *v = (sdw_clip_vocab){ 0 };
}

/* FNV-1a. */
static uint32_t hash_text(const char *text, size_t size)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < size; i++) h = (h ^ (unsigned char)text[i]) * 16777619u;
    return h ^ h >> 15;
}

/* The slot of this text, or the free slot where it belongs. */
static uint32_t text_slot(const sdw_clip_vocab *v, const char *text, size_t size)
{
    uint32_t slot = hash_text(text, size) & v->by_text_mask;
    for (; v->by_text[slot] >= 0; slot = (slot + 1) & v->by_text_mask) {
        const char *other = v->token[v->by_text[slot]];
        if (strncmp(other, text, size) == 0 && other[size] == '\0') break;
    }
    return slot;
}

int32_t sdw_clip_vocab_find(const sdw_clip_vocab *v, const char *text, size_t size)
{
    return v->by_text[text_slot(v, text, size)];
}

sdw_status sdw_clip_vocab_add(sdw_clip_vocab *v, const char *text, int32_t id, const char *what, sdw_error *err)
{
    size_t size = strlen(text);
    if (size == 0 || size > SDW_LIMIT_TOKEN_BYTES)
        return sdw_fail(err, SDW_FORMAT, "%s: token %d has %zu bytes, want 1..%d", what, id, size, SDW_LIMIT_TOKEN_BYTES);
    if (id < 0 || id >= v->size)
        return sdw_fail(err, SDW_FORMAT, "%s: token \"%.60s\" has id %d, want 0..%d", what, text, id, v->size - 1);
    if (v->token[id])
        return sdw_fail(err, SDW_FORMAT, "%s: id %d is both \"%.60s\" and \"%.60s\", want one token", what, id,
                        v->token[id], text);
    uint32_t slot = text_slot(v, text, size);
    const char *copy = sdw_arena_strdup(&v->arena, text);
    if (!copy) return sdw_fail_memory(err, what, size);
    v->token[id] = copy;
    v->by_text[slot] = id; /* a text that came before (no JSON object has one twice) now means this id */
    return SDW_OK;
}

static uint32_t merge_slot(const sdw_clip_vocab *v, int32_t left, int32_t right)
{
    uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * UINT64_C(0x9e3779b97f4a7c15);
    uint32_t slot = (uint32_t)(h >> 32) & v->merges_mask;
    while (v->merges[slot].left >= 0 && (v->merges[slot].left != left || v->merges[slot].right != right))
        slot = (slot + 1) & v->merges_mask;
    return slot;
}

void sdw_clip_vocab_add_merge(sdw_clip_vocab *v, int32_t left, int32_t right, int32_t id)
{
    sdw_clip_merge *m = &v->merges[merge_slot(v, left, right)];
    if (m->left < 0) *m = (sdw_clip_merge){ left, right, v->merge_count, id };
    v->merge_count++;
}

const sdw_clip_merge *sdw_clip_vocab_merge(const sdw_clip_vocab *v, int32_t left, int32_t right)
{
    const sdw_clip_merge *m = &v->merges[merge_slot(v, left, right)];
    return m->left < 0 ? NULL : m;
}

void sdw_clip_vocab_finish_bytes(sdw_clip_vocab *v)
{
    for (int b = 0; b < 256; b++) {
        char text[4 + sizeof SDW_CLIP_WORD_END];
        int n = sdw_utf8_put(sdw_clip_byte_code(b), text);
        memcpy(text + n, SDW_CLIP_WORD_END, sizeof SDW_CLIP_WORD_END);
        v->byte_id[0][b] = sdw_clip_vocab_find(v, text, (size_t)n);
        v->byte_id[1][b] = sdw_clip_vocab_find(v, text, (size_t)n + sizeof SDW_CLIP_WORD_END - 1);
    }
}
