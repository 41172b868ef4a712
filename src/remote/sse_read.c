/* sse_read.c - see sse_read.h. */
#include "remote/sse_read.h"

#include <stdlib.h>
#include <string.h>

#define FIELD_ROOM 64 /* a line is a field's name beside its data */

void sdw_sse_reader_init(sdw_sse_reader *r, size_t data_max)
{
    *r = (sdw_sse_reader){ .id = 0 };
    sdw_buf_init(&r->line, data_max + FIELD_ROOM);
    sdw_buf_init(&r->data, data_max);
}

void sdw_sse_reader_finish(sdw_sse_reader *r)
{
    sdw_buf_finish(&r->line);
    sdw_buf_finish(&r->data);
}

static void field(sdw_sse_reader *r, const char *name, size_t name_size, const char *value, size_t size)
{
    if (name_size == 4 && !memcmp(name, "data", 4)) {
        sdw_buf_append(&r->data, value, size);
        sdw_buf_append(&r->data, "\n", 1);
    } else if (name_size == 5 && !memcmp(name, "event", 5) && size < sizeof r->event) {
        memcpy(r->event, value, size);
        r->event[size] = '\0';
    } else if (name_size == 2 && !memcmp(name, "id", 2)) {
        r->id = strtoull(value, NULL, 10);
    }
}

/* The line without its end. */
static bool line(sdw_sse_reader *r, sdw_sse_take_fn *take, void *ctx)
{
    const char *at = r->line.data ? r->line.data : "", *colon;
    size_t size = r->line.size;
    bool more = true;
    if (size == 0) {
        if (r->data.size) {
            r->data.data[r->data.size - 1] = '\0'; /* the last line break */
            more = take(ctx, r->event, r->id, r->data.data, r->data.size - 1);
        }
        r->data.size = 0;
        r->event[0] = '\0';
        r->id = 0;
    } else if (*at != ':') {
        colon = memchr(at, ':', size);
        size_t name_size = colon ? (size_t)(colon - at) : size;
        const char *value = colon ? colon + 1 : at + size;
        if (value < at + size && *value == ' ') value++;
        field(r, at, name_size, value, (size_t)(at + size - value));
    }
    r->line.size = 0;
    return more && !r->data.failed;
}

bool sdw_sse_reader_push(sdw_sse_reader *r, const char *bytes, size_t size, sdw_sse_take_fn *take, void *ctx)
{
    const char *end = bytes + size;
    while (bytes < end) {
        if (r->after_cr && *bytes == '\n') {
            r->after_cr = false;
            bytes++;
            continue;
        }
        r->after_cr = false;
        const char *stop = bytes;
        while (stop < end && *stop != '\n' && *stop != '\r') stop++;
        if (!sdw_buf_append(&r->line, bytes, (size_t)(stop - bytes)) && stop > bytes) return false;
        if (stop == end) return true;
        r->after_cr = *stop == '\r';
        bytes = stop + 1;
        if (!line(r, take, ctx)) return false;
    }
    return true;
}
