/* arena.c - blocks of growing size in a list; nothing is freed before the end. */
#include "core/arena.h"

#include <stdarg.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"

enum { BLOCK_MIN = 16 * 1024, ALIGN = 16 };

struct sdw_arena_block {
    alignas(ALIGN) sdw_arena_block *next;
    size_t size, used; /* of the bytes that follow this header */
};

void sdw_arena_init(sdw_arena *a, size_t max)
{
    *a = (sdw_arena){ .max = max };
}

static sdw_arena_block *add_block(sdw_arena *a, size_t want)
{
    size_t size = a->first ? a->first->size * 2 : BLOCK_MIN, total;
    if (size > (size_t)1 << 20) size = (size_t)1 << 20;
    if (size < want) size = want;
    if (!sdw_size_add(size, sizeof(sdw_arena_block), &total)) return NULL;
    sdw_arena_block *b = sdw_calloc(1, total);
    if (!b) return NULL;
    b->size = size;
    b->next = a->first;
    a->first = b;
    return b;
}

void *sdw_arena_alloc(sdw_arena *a, size_t size)
{
    size_t padded;
    if (size == 0 || !sdw_size_add(size, ALIGN - 1, &padded)) return NULL;
    padded &= ~(size_t)(ALIGN - 1);
    if (a->max && (padded > a->max || a->used > a->max - padded)) return NULL;
    sdw_arena_block *b = a->first;
    if (!b || b->size - b->used < padded) b = add_block(a, padded);
    if (!b) return NULL;
    void *p = (char *)(b + 1) + b->used;
    b->used += padded;
    a->used += padded;
    return p;
}

void *sdw_arena_array(sdw_arena *a, size_t count, size_t size)
{
    size_t total;
    return sdw_size_mul(count, size, &total) ? sdw_arena_alloc(a, total) : NULL;
}

char *sdw_arena_strdup(sdw_arena *a, const char *s)
{
    size_t n = strlen(s);
    char *copy = sdw_arena_alloc(a, n + 1);
    if (copy) memcpy(copy, s, n);
    return copy;
}

char *sdw_arena_printf(sdw_arena *a, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *text = n < 0 ? NULL : sdw_arena_alloc(a, (size_t)n + 1);
    if (text) vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}

void sdw_arena_finish(sdw_arena *a)
{
    while (a->first) {
        sdw_arena_block *next = a->first->next;
        sdw_free(a->first);
        a->first = next;
    }
    a->used = 0;
}
