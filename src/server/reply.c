/* reply.c - an answer as the library takes it: bytes, or a stream that it reads piece by piece. */
#define _GNU_SOURCE
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "server/impl.h"

static const char keep_alive[] = ":\n\n";

static void free_bytes(void *bytes)
{
    sdw_free(bytes);
}

static void free_blob(void *blob)
{
    sdw_blob_unref(blob);
}

/* Bytes of the next chunk: one event at most, so that an event of up to 4 KiB is one chunk and one write. */
static size_t next_chunk(const char *data, size_t size, size_t max)
{
    const char *end = size > 1 ? memmem(data, size, "\n\n", 2) : NULL;
    size_t n = end ? (size_t)(end - data) + 2 : size;
    return n < max ? n : max;
}

static ssize_t take(sdw_exchange *x, char *to, size_t max)
{
    size_t n = next_chunk(x->out.data + x->out_at, x->out.size - x->out_at, max);
    memcpy(to, x->out.data + x->out_at, n);
    x->out_at += n;
    x->sent += n;
    if (x->out_at == x->out.size) {
        x->out.size = x->out_at = 0;
        if (x->out.capacity > 2 * SDW_HTTP_SLICE) sdw_buf_finish(&x->out);
    }
    return (ssize_t)n;
}

/* Asks the stream for more; false: it broke off, or the connection shall end. */
static bool pull(sdw_exchange *x)
{
    sdw_http_stream *stream = &x->answer.stream;
    sdw_conn_news news = sdw_conn_look(x->conn); /* before the pull, so that a wake during it is not lost */
    if (news.gone || news.closing) return false;
    if (stream->pull(stream->ctx, &x->out, &x->stream_ended) != SDW_OK || x->out.failed) return false;
    x->pulled_all = x->out.size < SDW_HTTP_SLICE;
    if (x->out.size) x->spoke = true;
    return true;
}

/* The library's content reader. It is called when it can send; 0 with a suspended connection means: nothing yet. */
static ssize_t read_stream(void *cls, uint64_t position, char *to, size_t max)
{
    sdw_exchange *x = cls;
    (void)position;
    for (;;) {
        if (x->out_at < x->out.size) return take(x, to, max);
        if (x->stream_ended) return MHD_CONTENT_READER_END_OF_STREAM;
        if (!x->pulled_all) {
            if (!pull(x)) return MHD_CONTENT_READER_END_WITH_ERROR;
            continue;
        }
        x->pulled_all = false;
        sdw_conn_rest rest = sdw_conn_rest_stream(x->conn, x->spoke);
        x->spoke = false;
        if (rest == SDW_CONN_SLEEPS) return 0;
        if (rest == SDW_CONN_SILENT && max >= sizeof keep_alive - 1) {
            memcpy(to, keep_alive, sizeof keep_alive - 1);
            return (ssize_t)sizeof keep_alive - 1;
        }
    }
}

static struct MHD_Response *stream_response(sdw_exchange *x)
{
    sdw_server *s = x->server;
    pthread_mutex_lock(&s->lock);
    bool full = s->streams >= s->o.limits.streams_max;
    if (!full) s->streams++;
    pthread_mutex_unlock(&s->lock);
    if (full) {
        sdw_refuse(x, 503, NULL, "Too many event streams");
        return NULL;
    }
    x->is_stream = true;
    x->out = x->answer.body; /* sent first */
    x->answer.body = (sdw_buf){ 0 };
    sdw_conn_wait_for(x->conn, SDW_CONN_STREAM, &x->answer.stream.job);
    /* The block is used for HTTP/1.0 only; chunks are written into the connection's own buffer. */
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, x->head.minor == 0 ? SDW_HTTP_SLICE : 256, read_stream, x, NULL);
}

static struct MHD_Response *bytes_response(sdw_exchange *x)
{
    sdw_http_response *a = &x->answer;
    struct MHD_Response *response;
    size_t size = 0;
    if (a->blob) {
        const void *bytes = sdw_blob_bytes(a->blob, &size);
        response = MHD_create_response_from_buffer_with_free_callback_cls(size, (void *)(uintptr_t)bytes, free_blob, a->blob);
        if (response) a->blob = NULL;
    } else if (a->fixed || a->body.size == 0) {
        size = a->fixed ? a->fixed_size : 0;
        response = MHD_create_response_from_buffer(size, (void *)(uintptr_t)(a->fixed ? a->fixed : ""), MHD_RESPMEM_PERSISTENT);
    } else {
        char *bytes = sdw_buf_take(&a->body, &size);
        response = MHD_create_response_from_buffer_with_free_callback(size, bytes, free_bytes);
        if (!response) sdw_free(bytes);
    }
    x->sent = size;
    return response;
}

static void add_headers(struct MHD_Response *response, const sdw_http_response *from)
{
    for (int i = 0; i < from->header_count; i++) MHD_add_response_header(response, from->headers[i][0], from->headers[i][1]);
}

enum MHD_Result sdw_reply(sdw_exchange *x)
{
    sdw_http_response *a = &x->answer, common = { 0 };
    struct MHD_Response *response = NULL;
    if (a->stream.pull && x->head_only) { /* nothing is opened for a look */
        a->stream.close(a->stream.ctx, false);
        a->stream = (sdw_http_stream){ 0 };
        sdw_buf_finish(&a->body);
    }
    if (a->status == 0) a->status = 200;
    if (a->stream.pull) response = stream_response(x);
    if (!response) response = bytes_response(x);
    if (!response) return MHD_NO;
    sdw_access_add_headers(&x->server->access, &x->head, x->preflight, &common);
    if (a->content_type) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, a->content_type);
    if (x->is_stream) MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
    if (x->request_id[0]) MHD_add_response_header(response, "X-Request-Id", x->request_id);
    add_headers(response, &common);
    add_headers(response, a);
    sdw_http_response_finish(&common);
    if (!x->is_stream) sdw_conn_enter(x->conn, SDW_CONN_SEND, 0);
    x->phase = SDW_EXCHANGE_SENT;
    enum MHD_Result queued = MHD_queue_response(x->conn->mhd, (unsigned)a->status, response);
    MHD_destroy_response(response);
    return queued;
}
