/* loading.c - /v1/loading/progress: how far the model is, from the first file to the last weight (worker-protocol 3.4). */
#include <math.h>

#include "core/clock.h"
#include "core/mem.h"
#include "server/answer.h"
#include "server/job_stream.h"
#include "server/json_out.h"
#include "server/loading.h"
#include "server/server.h"

#define DOWNLOAD_EVERY_S 0.25

typedef struct reader {
    sdw_server *server;
    int layers;            /* last told; -1 = none yet */
    double told_at;        /* of the last download event, monotonic */
    bool ended;
} reader;

static void begin(sdw_buf *out, const char *stage)
{
    sdw_buf_puts(out, "data: ");
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "stage", stage);
}

static void finish(sdw_buf *out)
{
    sdw_json_close(out, '}');
    sdw_buf_puts(out, "\n\n");
}

static void tell_download(reader *r, const sdw_fetching *f, sdw_buf *out)
{
    double now = sdw_clock_monotonic_s();
    if (now - r->told_at < DOWNLOAD_EVERY_S) return;
    r->told_at = now;
    begin(out, "downloading");
    sdw_json_put_text(out, "file", f->file);
    sdw_json_put_int(out, "files_done", f->files_done);
    sdw_json_put_int(out, "files_total", f->files_total);
    sdw_json_put_int(out, "bytes_done", (int64_t)f->bytes_done);
    sdw_json_put_int(out, "bytes_total", (int64_t)f->bytes_total);
    sdw_json_put_int(out, "bytes_per_second", llround(f->bytes_per_second));
    finish(out);
}

static void tell_layers(reader *r, const sdw_worker_state *s, sdw_buf *out)
{
    if (s->layers_loaded == r->layers) return;
    r->layers = s->layers_loaded;
    begin(out, "loading_to_vram");
    sdw_json_put_int(out, "layers_loaded", s->layers_loaded);
    sdw_json_put_int(out, "layers_total", s->layers_total);
    sdw_json_put_int(out, "vram_mb", (int64_t)(s->memory_bytes >> 20));
    finish(out);
}

static void tell_failure(const sdw_worker_state *s, sdw_buf *out)
{
    const char *message = s->phase == SDW_WORKER_STOPPING ? "Worker is shutting down" : s->load_error.text;
    begin(out, "error");
    sdw_json_put_text(out, "message", message);
    finish(out);
    sdw_buf_puts(out, "data: [ERROR] ");
    for (const char *c = message; *c; c++) sdw_buf_append(out, *c == '\n' || *c == '\r' ? " " : c, 1);
    sdw_buf_puts(out, "\n\n");
}

static sdw_status pull(void *ctx, sdw_buf *out, bool *ret_end)
{
    reader *r = ctx;
    sdw_worker_state s;
    sdw_fetching f;
    if (r->ended) {
        *ret_end = true;
        return SDW_OK;
    }
    sdw_worker_state_of(sdw_server_worker(r->server), &s);
    sdw_loading_get(sdw_server_options_of(r->server)->loading, &f);
    if (f.active) {
        tell_download(r, &f, out);
    } else if (s.phase == SDW_WORKER_LOADING) {
        tell_layers(r, &s, out);
    } else {
        r->ended = true;
        if (sdw_phase_is_ready(s.phase)) {
            begin(out, "ready");
            finish(out);
            sdw_buf_puts(out, "data: [DONE]\n\n");
        } else {
            tell_failure(&s, out);
        }
    }
    *ret_end = r->ended;
    return out->failed ? SDW_NO_MEMORY : SDW_OK;
}

static void close_reader(void *ctx, bool client_gone)
{
    (void)client_gone;
    sdw_free(ctx);
}

static void progress(const sdw_http_request *r, sdw_http_response *ret)
{
    sdw_worker_state s;
    sdw_fetching f;
    sdw_worker_state_of(sdw_server_worker(r->server), &s);
    sdw_loading_get(sdw_server_options_of(r->server)->loading, &f);
    if (s.phase != SDW_WORKER_LOADING && !f.active) {
        sdw_answer_error(ret, 503, "NOT_READY", "Model not loading");
        return;
    }
    reader *reading = sdw_calloc(1, sizeof *reading);
    if (!reading) {
        sdw_answer_later(ret, 503, "OVERLOADED", "No memory for another stream");
        return;
    }
    *reading = (reader){ .server = r->server, .layers = -1 };
    sdw_sse_head(ret);
    ret->stream = (sdw_http_stream){ .pull = pull, .close = close_reader, .ctx = reading };
}

static const sdw_route rows[] = {
    { "GET", "/v1/loading/progress", SDW_FACE_NATIVE, SDW_ROUTE_TOKEN_QUERY, progress, "loadingProgress",
      "Events while a model is fetched and loaded; 503 when none is." },
};
const sdw_routes sdw_routes_loading = { rows, sizeof rows / sizeof rows[0] };
