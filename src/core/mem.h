/* mem.h - the one place that calls malloc, and sizes that cannot wrap.
 * Everything on the heap goes through here so that tests can make the nth allocation fail. */
#ifndef SDW_CORE_MEM_H
#define SDW_CORE_MEM_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

/* NULL on failure or for size 0. Any thread. */
void *sdw_malloc(size_t size);
void *sdw_calloc(size_t count, size_t size);       /* zeroed; NULL if count * size wraps */
void *sdw_realloc(void *p, size_t size);           /* p may be NULL; p stays valid on failure */
void *sdw_aligned_alloc(size_t alignment, size_t size); /* power of two >= sizeof(void *); free with sdw_free */
/* The same for memory that is walked through again and again, such as activations: aligned to a page, and where it is large
 * the system is asked for huge pages. Rows that lie kilobytes apart miss the address cache otherwise, and in a
 * virtual machine each miss is two walks. */
void *sdw_pages_alloc(size_t size);
char *sdw_strdup(const char *s);                   /* NULL for NULL */
char *sdw_strndup(const char *s, size_t n);        /* n bytes and a NUL */
void sdw_free(void *p);                            /* accepts NULL */

/* The error every failed allocation gives: `what` says for what, bytes how much. */
sdw_status sdw_fail_memory(sdw_error *err, const char *what, size_t bytes);

/* false and *ret untouched if the result would wrap. */
bool sdw_size_mul(size_t a, size_t b, size_t *ret);
bool sdw_size_add(size_t a, size_t b, size_t *ret);

/* Test hook: the nth allocation from now (1 = the next) fails, and every later one too if `sticky`; 0 switches the
 * hook off. Not thread-safe against running allocations: set it while nothing else runs. */
void sdw_mem_fail_at(size_t nth, bool sticky);
/* Allocations made since the hook was last set. */
size_t sdw_mem_count(void);

#endif
