/* buf.h - a growable run of bytes with a maximum; always NUL-terminated behind its end once something was added.
 * A failed append sticks (`failed`), so that a writer may append freely and check once. One owner. */
#ifndef SDW_CORE_BUF_H
#define SDW_CORE_BUF_H

#include <stdbool.h>
#include <stddef.h>

typedef struct sdw_buf {
    char *data; /* owned; NULL while empty */
    size_t size, capacity, max; /* max 0 = no maximum */
    bool failed;
} sdw_buf;

void sdw_buf_init(sdw_buf *b, size_t max);
bool sdw_buf_append(sdw_buf *b, const void *data, size_t size);
bool sdw_buf_puts(sdw_buf *b, const char *s);
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
bool sdw_buf_printf(sdw_buf *b, const char *format, ...);
/* Room for `size` more bytes at data + size; NULL on failure. Set b->size afterwards. */
char *sdw_buf_reserve(sdw_buf *b, size_t size);
/* Hands the bytes to the caller (sdw_free), leaves the buffer empty. NULL if failed or empty. */
char *sdw_buf_take(sdw_buf *b, size_t *ret_size);
void sdw_buf_finish(sdw_buf *b);

#endif
