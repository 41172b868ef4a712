/* sse_read.h - server-sent events out of bytes that come in any pieces (HTML standard 9.2.6). Any thread, one at a time. */
#ifndef SDW_REMOTE_SSE_READ_H
#define SDW_REMOTE_SSE_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"

typedef struct sdw_sse_reader {
    sdw_buf line, data;
    char event[32];
    uint64_t id;             /* of the event that is being read; 0 = it has none */
    bool after_cr;
} sdw_sse_reader;

/* An event's data may have at most data_max bytes. */
void sdw_sse_reader_init(sdw_sse_reader *r, size_t data_max);
void sdw_sse_reader_finish(sdw_sse_reader *r);
/* Calls `take` for each whole event; stops and answers false when it does, or when a line is too long. */
typedef bool sdw_sse_take_fn(void *ctx, const char *event, uint64_t id, const char *data, size_t size);
bool sdw_sse_reader_push(sdw_sse_reader *r, const char *bytes, size_t size, sdw_sse_take_fn *take, void *ctx);

#endif
