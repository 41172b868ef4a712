/* mem.c - heap with a fault hook. */
#include "core/mem.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

enum { PAGE = 4096, HUGE_PAGE = 2 << 20 };

static atomic_size_t alloc_count;
static atomic_size_t fail_nth; /* 0 = never */
static atomic_bool fail_sticky;

static bool must_fail(void)
{
    size_t n = atomic_fetch_add_explicit(&alloc_count, 1, memory_order_relaxed) + 1;
    size_t at = atomic_load_explicit(&fail_nth, memory_order_relaxed);
    if (at == 0) return false;
    return n == at || (n > at && atomic_load_explicit(&fail_sticky, memory_order_relaxed));
}

void sdw_mem_fail_at(size_t nth, bool sticky)
{
    atomic_store(&alloc_count, 0);
    atomic_store(&fail_nth, nth);
    atomic_store(&fail_sticky, sticky);
}

size_t sdw_mem_count(void)
{
    return atomic_load(&alloc_count);
}

void *sdw_malloc(size_t size)
{
    return size == 0 || must_fail() ? NULL : malloc(size);
}

void *sdw_calloc(size_t count, size_t size)
{
    return count == 0 || size == 0 || must_fail() ? NULL : calloc(count, size);
}

void *sdw_realloc(void *p, size_t size)
{
    return size == 0 || must_fail() ? NULL : realloc(p, size);
}

void *sdw_aligned_alloc(size_t alignment, size_t size)
{
    void *p = NULL;
    if (size == 0 || must_fail()) return NULL;
    return posix_memalign(&p, alignment, size) == 0 ? p : NULL;
}

void *sdw_pages_alloc(size_t size)
{
    size_t page = size >= HUGE_PAGE ? HUGE_PAGE : PAGE;
    if (size > SIZE_MAX - page) return NULL;
    size_t whole = (size + PAGE - 1) / PAGE * PAGE;
    void *p = sdw_aligned_alloc(page, whole);
#if defined(__linux__)
    if (p && page == HUGE_PAGE) madvise(p, whole, MADV_HUGEPAGE); /* a wish: without it the memory is as good, only slower */
#endif
    return p;
}

char *sdw_strdup(const char *s)
{
    return s ? sdw_strndup(s, strlen(s)) : NULL;
}

char *sdw_strndup(const char *s, size_t n)
{
    char *copy = n == SIZE_MAX ? NULL : sdw_malloc(n + 1);
    if (!copy) return NULL;
    if (n) memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

void sdw_free(void *p)
{
    free(p);
}

sdw_status sdw_fail_memory(sdw_error *err, const char *what, size_t bytes)
{
    return sdw_fail(err, SDW_NO_MEMORY, "%s: out of memory, %zu bytes wanted", what, bytes);
}

bool sdw_size_mul(size_t a, size_t b, size_t *ret)
{
    if (b != 0 && a > SIZE_MAX / b) return false;
    *ret = a * b;
    return true;
}

bool sdw_size_add(size_t a, size_t b, size_t *ret)
{
    if (a > SIZE_MAX - b) return false;
    *ret = a + b;
    return true;
}
