/* buf.c - growable bytes. */
#include "core/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"

void sdw_buf_init(sdw_buf *b, size_t max)
{
    *b = (sdw_buf){ .max = max };
}

char *sdw_buf_reserve(sdw_buf *b, size_t size)
{
    size_t need;
    if (b->failed) return NULL;
    if (!sdw_size_add(b->size, size, &need) || need == (size_t)-1 || (b->max && need > b->max)) {
        b->failed = true;
        return NULL;
    }
    if (need + 1 > b->capacity) {
        size_t capacity = b->capacity ? b->capacity : 256;
        while (capacity < need + 1) capacity = capacity > SIZE_MAX / 2 ? need + 1 : capacity * 2;
        char *data = sdw_realloc(b->data, capacity);
        if (!data) {
            b->failed = true;
            return NULL;
        }
        b->data = data;
        b->capacity = capacity;
    }
    return b->data + b->size;
}

bool sdw_buf_append(sdw_buf *b, const void *data, size_t size)
{
    char *to = sdw_buf_reserve(b, size);
    if (!to) return false;
    if (size) memcpy(to, data, size);
    b->size += size;
    b->data[b->size] = '\0';
    return true;
}

bool sdw_buf_puts(sdw_buf *b, const char *s)
{
    return sdw_buf_append(b, s, strlen(s));
}

bool sdw_buf_printf(sdw_buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *to = n < 0 ? NULL : sdw_buf_reserve(b, (size_t)n);
    if (to) {
        vsnprintf(to, (size_t)n + 1, format, again);
        b->size += (size_t)n;
    } else {
        b->failed = true;
    }
    va_end(again);
    va_end(args);
    return to != NULL;
}

char *sdw_buf_take(sdw_buf *b, size_t *ret_size)
{
    char *data = b->failed ? NULL : b->data;
    if (b->failed) sdw_free(b->data);
    if (ret_size) *ret_size = data ? b->size : 0;
    *b = (sdw_buf){ .max = b->max };
    return data;
}

void sdw_buf_finish(sdw_buf *b)
{
    sdw_free(b->data);
    *b = (sdw_buf){ .max = b->max };
}
