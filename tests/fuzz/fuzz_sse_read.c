/* Server-sent events from anywhere, whole and cut into pieces: both ways must give the same events. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "remote/sse_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool note(void *ctx, const char *event, uint64_t id, const char *data, size_t size)
{
    sdw_buf *story = ctx;
    sdw_buf_printf(story, "%s %llu %zu ", event, (unsigned long long)id, size);
    sdw_buf_append(story, data, size);
    return true;
}

static void read_in_pieces(const char *bytes, size_t size, size_t piece, sdw_buf *story)
{
    sdw_sse_reader r;
    bool more = true;
    sdw_sse_reader_init(&r, 1 << 16);
    sdw_buf_init(story, 0);
    for (size_t at = 0; at < size && more; at += piece) more = sdw_sse_reader_push(&r, bytes + at, size - at < piece ? size - at : piece, note, story);
    sdw_sse_reader_finish(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sdw_buf whole, pieces;
    if (size > 1 << 15) return 0;
    read_in_pieces((const char *)data, size, size ? size : 1, &whole);
    read_in_pieces((const char *)data, size, 1 + (size ? data[0] % 7 : 0), &pieces);
    if (whole.size != pieces.size || (whole.size && memcmp(whole.data, pieces.data, whole.size))) abort();
    sdw_buf_finish(&whole);
    sdw_buf_finish(&pieces);
    return 0;
}
