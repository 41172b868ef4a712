/* openai_stream.c - an OpenAI Images call as server-sent events: previews of the first picture, then one "completed" per
 * picture. Events carry no numbers; a client that leaves cancels the jobs. Loop thread. */
#include <stdio.h>
#include <string.h>
#include <yyjson.h>

#include "core/clock.h"
#include "core/mem.h"
#include "server/answer.h"
#include "server/job_stream.h"
#include "server/json_out.h"
#include "server/openai_answer.h"
#include "server/sse_format.h"

typedef struct reader {
    sdw_server *server;
    sdw_openai_facts facts;
    int job;                     /* whose events are read */
    uint64_t after;
    int partials;                /* sent so far */
    int picture, pictures;       /* of a completed job: the next one to send, of how many */
    bool ended;
    int width, height;           /* of the pictures; 0 until known */
    sdw_buf out;                 /* the event that is being sent */
    size_t out_done;
} reader;

static const char *word(const reader *r)
{
    return r->facts.call == SDW_OPENAI_GENERATION ? "image_generation" : "image_edit";
}

static void open_event(reader *r, const char *what)
{
    char type[48];
    snprintf(type, sizeof type, "%s.%s", word(r), what);
    sdw_buf_printf(&r->out, "event: %s\ndata: ", type);
    sdw_json_open(&r->out, '{');
    sdw_json_put_text(&r->out, "type", type);
    sdw_json_put_int(&r->out, "created_at", (int64_t)sdw_clock_wall_s());
}

static void close_event(reader *r)
{
    sdw_json_close(&r->out, '}');
    sdw_buf_puts(&r->out, "\n\n");
}

static void put_error(reader *r, const char *code, const char *message)
{
    sdw_buf *out = &r->out;
    sdw_buf_puts(out, "event: error\ndata: ");
    sdw_json_open(out, '{');
    sdw_json_key(out, "error");
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "message", message);
    sdw_json_put_text(out, "type", "server_error");
    sdw_json_put_text(out, "code", code);
    sdw_json_put_text(out, "param", NULL);
    sdw_json_close(out, '}');
    close_event(r);
    r->ended = true;
}

/* ---- events ---- */

/* The first preview shows noise and is left out; the rest are as many as were asked for. */
static void put_partial(reader *r, const sdw_event *e)
{
    size_t size;
    if (r->job > 0 || e->step <= 1 || r->partials == r->facts.partial_images || !e->picture) return;
    const void *bytes = sdw_blob_bytes(e->picture, &size);
    open_event(r, "partial_image");
    sdw_json_put_int(&r->out, "partial_image_index", r->partials++);
    sdw_json_key(&r->out, "b64_json");
    sdw_json_base64(&r->out, bytes, size);
    sdw_openai_put_common(&r->facts, r->width, r->height, &r->out);
    close_event(r);
}

static void put_completed(reader *r)
{
    const sdw_job_id *id = &r->facts.jobs[r->job];
    sdw_job_view v;
    if (sdw_worker_job(sdw_server_worker(r->server), id, &v, NULL) != SDW_OK) {
        put_error(r, NULL, "The job's result was forgotten before it could be sent");
        return;
    }
    r->pictures = v.output_count;
    if (r->picture < r->pictures) {
        open_event(r, "completed");
        sdw_json_key(&r->out, "b64_json");
        bool ok = sdw_write_picture(sdw_server_worker(r->server), id, r->picture, &r->out);
        sdw_json_key(&r->out, "seed");
        sdw_json_uint(&r->out, v.outputs[r->picture].seed);
        sdw_openai_put_common(&r->facts, v.outputs[r->picture].width, v.outputs[r->picture].height, &r->out);
        sdw_openai_put_usage(&r->out);
        close_event(r);
        if (!ok) {
            r->out.size = 0;
            put_error(r, NULL, "A picture was forgotten before it could be sent");
        }
        r->picture++;
    }
    sdw_job_view_finish(&v);
}

/* The next job, or the end. */
static void next_job(reader *r)
{
    r->after = 0;
    r->picture = r->pictures = 0;
    if (++r->job == r->facts.job_count) r->ended = true;
}

static void take(reader *r, const sdw_event *e)
{
    switch (e->kind) {
    case SDW_EVENT_PREVIEW: put_partial(r, e); break;
    case SDW_EVENT_COMPLETE: put_completed(r); break;
    case SDW_EVENT_ERROR: {
        size_t size;
        const char *text = e->text ? sdw_blob_bytes(e->text, &size) : NULL;
        char message[SDW_ERROR_TEXT_MAX];
        snprintf(message, sizeof message, "%.*s", text ? (int)(size < sizeof message ? size : sizeof message - 1) : 10, text ? text : "The job failed");
        put_error(r, e->code, message);
        break;
    }
    case SDW_EVENT_END_CANCELLED: put_error(r, "cancelled", "The job was cancelled"); break;
    case SDW_EVENT_END_KEPT: put_error(r, "shutting_down", "The worker is shutting down"); break;
    case SDW_EVENT_END_DONE: next_job(r); break;
    default: break;
    }
}

/* False: nothing is ready. */
static bool advance(reader *r)
{
    sdw_event e;
    if (r->picture < r->pictures) {
        put_completed(r);
        return true;
    }
    sdw_status s = sdw_worker_event(sdw_server_worker(r->server), &r->facts.jobs[r->job], r->after, &e, NULL);
    if (s == SDW_BUSY) return false;
    if (s != SDW_OK) {
        put_error(r, NULL, "The job was forgotten");
        return true;
    }
    if (e.number) r->after = e.number;
    take(r, &e);
    sdw_event_finish(&e);
    return true;
}

static sdw_status pull(void *ctx, sdw_buf *out, bool *ret_end)
{
    reader *r = ctx;
    size_t start = out->size;
    while (out->size - start < SDW_HTTP_SLICE) {
        if (r->out_done < r->out.size) {
            size_t left = r->out.size - r->out_done, room = SDW_HTTP_SLICE - (out->size - start), n = left < room ? left : room;
            if (r->out.failed || !sdw_buf_append(out, r->out.data + r->out_done, n)) return SDW_NO_MEMORY;
            r->out_done += n;
            continue;
        }
        sdw_buf_finish(&r->out);
        sdw_buf_init(&r->out, 0);
        r->out_done = 0;
        if (r->ended || !advance(r)) break;
        if (r->out.failed) return SDW_NO_MEMORY;
    }
    *ret_end = r->ended && r->out_done == r->out.size;
    return SDW_OK;
}

static void close_reader(void *ctx, bool client_gone)
{
    reader *r = ctx;
    for (int i = r->job; client_gone && i < r->facts.job_count; i++)
        sdw_worker_cancel(sdw_server_worker(r->server), &r->facts.jobs[i], NULL);
    sdw_buf_finish(&r->out);
    sdw_free(r);
}

/* The size that the pictures will have, from the resolved request. */
static void read_size(reader *r)
{
    sdw_job_view v;
    if (sdw_worker_job(sdw_server_worker(r->server), &r->facts.jobs[0], &v, NULL) != SDW_OK) return;
    yyjson_doc *doc = v.params_json ? yyjson_read(v.params_json, strlen(v.params_json), 0) : NULL;
    r->width = yyjson_get_int(yyjson_obj_get(yyjson_doc_get_root(doc), "width"));
    r->height = yyjson_get_int(yyjson_obj_get(yyjson_doc_get_root(doc), "height"));
    yyjson_doc_free(doc);
    sdw_job_view_finish(&v);
}

void sdw_openai_stream(const sdw_http_request *q, const sdw_openai_facts *facts, sdw_http_response *ret)
{
    reader *r = sdw_calloc(1, sizeof *r);
    if (!r) {
        for (int i = 0; i < facts->job_count; i++) sdw_worker_cancel(sdw_server_worker(q->server), &facts->jobs[i], NULL);
        sdw_openai_error(ret, 503, NULL, NULL, "No memory for the event stream");
        return;
    }
    r->server = q->server;
    r->facts = *facts;
    read_size(r);
    sdw_sse_head(ret);
    ret->stream = (sdw_http_stream){ .pull = pull, .close = close_reader, .ctx = r };
    if (facts->job_count == 1) ret->stream.job = facts->jobs[0];
}
