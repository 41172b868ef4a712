/* job_stream.c - see job_stream.h. Runs on the loop thread; one event at a time is on its way, pictures stay shared. */
#include "server/job_stream.h"

#include "core/mem.h"
#include "server/readers.h"
#include "server/server.h"

typedef struct reader {
    sdw_server *server;
    sdw_job_id id;
    sdw_job_stream_options options;
    uint64_t after;          /* number of the last event taken */
    bool ended;              /* the marker is on its way or sent */
    sdw_sse_pieces pieces;   /* the event that is being sent */
} reader;

void sdw_sse_head(sdw_http_response *ret)
{
    ret->status = 200;
    ret->content_type = "text/event-stream";
}

/* ---- one event ---- */

/* Looks up what the last events tell beside themselves. */
static bool append_last(reader *r, const sdw_event *e)
{
    sdw_worker *w = sdw_server_worker(r->server);
    sdw_job_view v;
    if (sdw_worker_job(w, &r->id, &v, NULL) != SDW_OK) return true; /* forgotten this moment */
    sdw_blob *pictures[SDW_JOB_PICTURES_MAX] = { NULL };
    uint64_t seeds[SDW_JOB_PICTURES_MAX] = { 0 };
    sdw_sse_job job = { .id = r->id.text, .model = v.model, .format = v.format, .error_message = v.error.message,
                        .elapsed_ms = v.elapsed_ms, .picture = pictures, .seeds = seeds };
    for (int i = 0; e->kind == SDW_EVENT_COMPLETE && i < v.output_count; i++) {
        sdw_job_id owner;
        int index;
        if (sdw_worker_output(w, &v.outputs[i].id, &pictures[i], &owner, &index, NULL) != SDW_OK) break;
        seeds[i] = v.outputs[i].seed;
        job.pictures = i + 1;
    }
    if (v.output_count) job.width = v.outputs[0].width, job.height = v.outputs[0].height;
    bool ok = sdw_sse_append(&r->pieces, r->options.form, r->options.ids, &job, e);
    for (int i = 0; i < job.pictures; i++) sdw_blob_unref(pictures[i]);
    sdw_job_view_finish(&v);
    return ok;
}

static bool append(reader *r, const sdw_event *e)
{
    if (e->kind == SDW_EVENT_COMPLETE || e->kind == SDW_EVENT_END_ERROR) return append_last(r, e);
    const sdw_sse_job job = { .id = r->id.text };
    return sdw_sse_append(&r->pieces, r->options.form, r->options.ids, &job, e);
}

/* ---- the stream ---- */

static sdw_status pull(void *ctx, sdw_buf *out, bool *ret_end)
{
    reader *r = ctx;
    sdw_worker *w = sdw_server_worker(r->server);
    size_t start = out->size;
    while (out->size - start < SDW_HTTP_SLICE) {
        if (!sdw_sse_empty(&r->pieces)) {
            if (!sdw_sse_take(&r->pieces, SDW_HTTP_SLICE - (out->size - start), out)) return SDW_NO_MEMORY;
            continue;
        }
        if (r->ended) break;
        sdw_event e;
        sdw_error err = { 0 };
        sdw_status s = sdw_worker_event(w, &r->id, r->after, &e, &err);
        if (s == SDW_BUSY) break;
        r->ended = s != SDW_OK || sdw_sse_is_end(e.kind);
        if (s != SDW_OK) break; /* the job was forgotten under its reader */
        if (e.number) r->after = e.number;
        bool ok = append(r, &e);
        sdw_event_finish(&e);
        if (!ok) return SDW_NO_MEMORY;
    }
    *ret_end = r->ended && sdw_sse_empty(&r->pieces);
    return SDW_OK;
}

static void close_reader(void *ctx, bool client_gone)
{
    reader *r = ctx;
    if (client_gone && r->options.cancel_when_gone && !r->ended)
        sdw_worker_cancel(sdw_server_worker(r->server), &r->id, NULL); /* NOT_FOUND: it has just ended by itself */
    sdw_readers_left(sdw_server_options_of(r->server)->readers, &r->id, client_gone && !r->ended);
    sdw_sse_pieces_finish(&r->pieces);
    sdw_free(r);
}

sdw_status sdw_job_stream_open(sdw_server *server, const sdw_job_id *id, const sdw_job_stream_options *o,
                               sdw_http_response *ret, sdw_error *err)
{
    uint64_t number;
    bool ended;
    sdw_status s = sdw_worker_last_event(sdw_server_worker(server), id, &number, &ended, err);
    if (s != SDW_OK) return s;
    reader *r = sdw_calloc(1, sizeof *r);
    if (!r) return sdw_fail_memory(err, "event stream", sizeof *r);
    *r = (reader){ .server = server, .id = *id, .options = *o, .after = o->after };
    sdw_readers_came(sdw_server_options_of(server)->readers, id);
    sdw_sse_head(ret);
    ret->stream = (sdw_http_stream){ .pull = pull, .close = close_reader, .ctx = r, .job = *id };
    return SDW_OK;
}
