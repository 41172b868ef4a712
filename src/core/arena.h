/* arena.h - memory with one lifetime: many small allocations, one free.
 * An arena has a maximum; what would pass it fails. Not thread-safe: one owner. A zeroed struct is a valid empty arena
 * without a maximum. */
#ifndef SDW_CORE_ARENA_H
#define SDW_CORE_ARENA_H

#include <stddef.h>

typedef struct sdw_arena_block sdw_arena_block;

typedef struct sdw_arena {
    sdw_arena_block *first; /* newest block; owned */
    size_t used;            /* bytes handed out */
    size_t max;             /* 0 = no maximum */
} sdw_arena;

void sdw_arena_init(sdw_arena *a, size_t max);
/* Zeroed, aligned to 16 bytes; NULL when the heap or the maximum is exhausted, or size is 0. */
void *sdw_arena_alloc(sdw_arena *a, size_t size);
void *sdw_arena_array(sdw_arena *a, size_t count, size_t size); /* NULL too if the product wraps */
char *sdw_arena_strdup(sdw_arena *a, const char *s);
/* printf into the arena; NULL on failure. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
char *sdw_arena_printf(sdw_arena *a, const char *format, ...);
/* Frees every block; the arena is empty and usable again. */
void sdw_arena_finish(sdw_arena *a);

#endif
