/* models.c - /v1/models: list, load, unload, fetch, remove (http-apis 2.3, 3.4), and the same without /v1. */
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"
#include "server/answer.h"
#include "server/job_stream.h"
#include "server/json_out.h"
#include "server/models.h"
#include "server/openai_answer.h"

#define ROWS_MAX 512
#define DOWNLOAD_EVERY_S 0.25

static sdw_models *models_of(const sdw_http_request *r)
{
    return sdw_server_options_of(r->server)->models;
}

/* "created" is when the service started: nobody knows more of a model. */
static void put_row(const sdw_http_request *r, const sdw_model_row *row, sdw_buf *out)
{
    double created = sdw_clock_wall_s() - (sdw_clock_monotonic_s() - sdw_server_options_of(r->server)->started_at);
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "id", row->id);
    sdw_json_put_text(out, "object", "model");
    sdw_json_put_int(out, "created", (int64_t)created);
    sdw_json_put_text(out, "owned_by", "sd-worker");
    sdw_json_put_text(out, "status", row->status);
    sdw_json_put_text(out, "family", row->family);
    sdw_json_put_text(out, "dtype", row->dtype[0] ? row->dtype : NULL);
    sdw_json_put_int(out, "size_bytes", (int64_t)row->bytes);
    if (row->problem[0]) sdw_json_put_text(out, "message", row->problem);
    sdw_json_close(out, '}');
}

/* ---- list ---- */

/* A service without a list (tests) shows what is loaded. */
static size_t rows_of(const sdw_http_request *r, sdw_model_row *rows)
{
    sdw_worker_state state;
    if (models_of(r)) return sdw_models_list(models_of(r), rows, ROWS_MAX);
    sdw_worker_state_of(sdw_server_worker(r->server), &state);
    if (!state.model_id[0]) return 0;
    rows[0] = (sdw_model_row){ .status = sdw_worker_model_status(sdw_server_worker(r->server), state.model_id) };
    snprintf(rows[0].id, sizeof rows[0].id, "%s", state.model_id);
    return 1;
}

static void list(const sdw_http_request *r, sdw_http_response *ret)
{
    sdw_model_row *rows = sdw_calloc(ROWS_MAX, sizeof *rows);
    size_t count = rows ? rows_of(r, rows) : 0;
    sdw_buf *out = sdw_answer_json(ret, 200);
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "object", "list");
    sdw_json_key(out, "data");
    sdw_json_open(out, '[');
    for (size_t i = 0; i < count; i++) put_row(r, &rows[i], out);
    sdw_json_close(out, ']');
    sdw_json_close(out, '}');
    sdw_free(rows);
    sdw_answer_check(ret);
}

static void get(const sdw_http_request *r, sdw_http_response *ret)
{
    sdw_model_row *rows = sdw_calloc(ROWS_MAX, sizeof *rows);
    size_t count = rows ? rows_of(r, rows) : 0, i = 0;
    while (i < count && strcmp(rows[i].id, r->tail)) i++;
    if (i < count) {
        put_row(r, &rows[i], sdw_answer_json(ret, 200));
        sdw_answer_check(ret);
    } else {
        char message[300];
        snprintf(message, sizeof message, "The model '%.200s' does not exist", r->tail);
        sdw_openai_error(ret, 404, "model_not_found", "model", message);
    }
    sdw_free(rows);
}

/* ---- change ---- */

typedef struct ask { yyjson_doc *doc; const char *model, *revision, *variant; } ask;

static const char *text_of(yyjson_val *root, const char *key)
{
    return yyjson_get_str(yyjson_obj_get(root, key));
}

/* False: ret holds the answer. Free a->doc otherwise. */
static bool read_ask(const sdw_http_request *r, ask *a, sdw_http_response *ret)
{
    const sdw_json_limits limits = { .bytes_max = r->body_size ? r->body_size : 1, .top = SDW_JSON_OBJECT };
    sdw_error err = { 0 };
    char message[SDW_ERROR_TEXT_MAX + 64];
    if (!models_of(r)) {
        sdw_answer_error(ret, 503, "NOT_READY", "This service has no list of models");
        return false;
    }
    if (sdw_json_parse(r->body, r->body_size, "body", &limits, &a->doc, &err) != SDW_OK) {
        snprintf(message, sizeof message, "Failed to parse the request body as JSON: %s", err.text);
        sdw_answer_error(ret, 400, "INVALID_REQUEST", message);
        return false;
    }
    yyjson_val *root = yyjson_doc_get_root(a->doc);
    a->model = text_of(root, "model");
    a->revision = text_of(root, "revision");
    a->variant = text_of(root, "variant");
    if (a->model && *a->model) return true;
    yyjson_doc_free(a->doc);
    sdw_answer_error(ret, 400, "INVALID_REQUEST", "Invalid input: model must be a text");
    return false;
}

static void answer(const sdw_http_request *r, sdw_status s, const char *model, const char *status, const sdw_error *err, sdw_http_response *ret)
{
    (void)r;
    if (s == SDW_BUSY) {
        sdw_answer_error(ret, 409, "CONFLICT", err->text);
        return;
    }
    if (s != SDW_OK) {
        sdw_error own = *err;
        own.status = s;
        sdw_http_fail(ret, SDW_FACE_NATIVE, &own);
        return;
    }
    sdw_buf *out = sdw_answer_json(ret, 200);
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "model", model);
    sdw_json_put_text(out, "status", status);
    sdw_json_close(out, '}');
    sdw_answer_check(ret);
}

static void load(const sdw_http_request *r, sdw_http_response *ret)
{
    ask a = { 0 };
    sdw_error err = { 0 };
    if (!read_ask(r, &a, ret)) return;
    sdw_status s = sdw_models_load(models_of(r), a.model, &err);
    const char *status = sdw_worker_model_status(sdw_server_worker(r->server), a.model);
    answer(r, s, a.model, status && !strcmp(status, "loaded") ? "loaded" : "loading", &err, ret);
    yyjson_doc_free(a.doc);
}

static void unload(const sdw_http_request *r, sdw_http_response *ret)
{
    ask a = { 0 };
    sdw_error err = { 0 };
    if (!read_ask(r, &a, ret)) return;
    sdw_status s = sdw_models_unload(models_of(r), a.model, &err);
    answer(r, s, a.model, "unloaded", &err, ret);
    yyjson_doc_free(a.doc);
}

static bool allowed(const sdw_http_request *r, sdw_http_response *ret)
{
    if (sdw_is_trusted(r)) return true;
    sdw_answer_error(ret, 403, "FORBIDDEN", "Models are fetched and removed with a key, or without one from this machine only");
    return false;
}

static void pull(const sdw_http_request *r, sdw_http_response *ret)
{
    ask a = { 0 };
    sdw_error err = { 0 };
    if (!allowed(r, ret) || !read_ask(r, &a, ret)) return;
    sdw_status s = sdw_models_pull(models_of(r), a.model, a.revision, a.variant, &err);
    answer(r, s, a.model, "downloading", &err, ret);
    yyjson_doc_free(a.doc);
}

static void delete(const sdw_http_request *r, sdw_http_response *ret)
{
    sdw_error err = { 0 };
    if (!allowed(r, ret)) return;
    if (!models_of(r)) {
        sdw_answer_error(ret, 503, "NOT_READY", "This service has no list of models");
        return;
    }
    answer(r, sdw_models_remove(models_of(r), r->tail, &err), r->tail, "deleted", &err, ret);
}

/* ---- events ---- */

typedef struct reader { sdw_models *models; sdw_worker *worker; uint64_t serial; bool any; double told_at; char last[SDW_MODEL_NAME_MAX + 16]; } reader;

static void put_status(reader *r, sdw_buf *out)
{
    sdw_worker_state state;
    char now[sizeof r->last];
    sdw_worker_state_of(r->worker, &state);
    const char *status = state.model_id[0] ? sdw_worker_model_status(r->worker, state.model_id) : NULL;
    snprintf(now, sizeof now, "%.250s %s", state.model_id, status ? status : "unloaded");
    if (!strcmp(now, r->last)) return;
    memcpy(r->last, now, sizeof now);
    sdw_buf_puts(out, "event: model_status\ndata: ");
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "model", state.model_id);
    sdw_json_put_text(out, "status", status ? status : "unloaded");
    sdw_json_close(out, '}');
    sdw_buf_puts(out, "\n\n");
}

static void put_download(const sdw_model_download *d, sdw_buf *out)
{
    sdw_buf_puts(out, "event: download_progress\ndata: ");
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "model", d->id);
    sdw_json_put_text(out, "status", d->running ? "downloading" : d->status == SDW_OK ? "done" : "failed");
    sdw_json_put_int(out, "done", (int64_t)d->bytes_done);
    sdw_json_put_int(out, "total", (int64_t)d->bytes_total);
    if (!d->running && d->status != SDW_OK) sdw_json_put_text(out, "message", d->message);
    sdw_json_close(out, '}');
    sdw_buf_puts(out, "\n\n");
}

static sdw_status pull_events(void *ctx, sdw_buf *out, bool *ret_end)
{
    reader *r = ctx;
    sdw_model_download d;
    uint64_t serial = 0;
    put_status(r, out);
    bool there = sdw_models_download(r->models, &d, &serial);
    double now = sdw_clock_monotonic_s();
    if (there && (!r->any || serial != r->serial) && (!d.running || now - r->told_at >= DOWNLOAD_EVERY_S)) {
        put_download(&d, out);
        r->told_at = now;
        r->serial = serial;
        r->any = true;
    }
    *ret_end = false;
    return SDW_OK;
}

static void close_reader(void *ctx, bool client_gone)
{
    (void)client_gone;
    sdw_free(ctx);
}

static void events(const sdw_http_request *r, sdw_http_response *ret)
{
    reader *own = models_of(r) ? sdw_calloc(1, sizeof *own) : NULL;
    if (!own) {
        sdw_answer_error(ret, 503, "NOT_READY", "This service has no list of models");
        return;
    }
    *own = (reader){ .models = models_of(r), .worker = sdw_server_worker(r->server) };
    sdw_sse_head(ret);
    ret->stream = (sdw_http_stream){ .pull = pull_events, .close = close_reader, .ctx = own };
}

#define DESK SDW_ROUTE_DESK
#define N SDW_FACE_NATIVE
static const sdw_route rows[] = {
    { "GET", "/v1/models", SDW_FACE_OPENAI, DESK, list, "listModels", "Models on this machine and what they are doing." },
    { "GET", "/v1/models/sse", N, SDW_ROUTE_TOKEN_QUERY, events, "modelEvents", "Server-sent events: model_status and download_progress." },
    { "GET", "/v1/models/*", SDW_FACE_OPENAI, DESK, get, "getModel", "One model; an id may hold slashes." },
    { "POST", "/v1/models/load", N, DESK, load, "loadModel", "Makes a model the current one, after the running jobs." },
    { "POST", "/v1/models/unload", N, DESK, unload, "unloadModel", "Frees a model's weights, after the running jobs." },
    { "POST", "/v1/models/pull", N, DESK, pull, "pullModel", "Starts to fetch a model from the hub." },
    { "DELETE", "/v1/models/*", N, DESK, delete, "deleteModel", "Removes a model from the disk." },
    { "POST", "/models", N, DESK, pull, "pullModelShort", "As /v1/models/pull." },
    { "POST", "/models/load", N, DESK, load, "loadModelShort", "As /v1/models/load." },
    { "POST", "/models/unload", N, DESK, unload, "unloadModelShort", "As /v1/models/unload." },
    { "GET", "/models", SDW_FACE_OPENAI, DESK, list, "listModelsShort", "As /v1/models." },
    { "GET", "/models/sse", N, SDW_ROUTE_TOKEN_QUERY, events, "modelEventsShort", "As /v1/models/sse." },
    { "DELETE", "/models/*", N, DESK, delete, "deleteModelShort", "As DELETE /v1/models/{id}." },
};
const sdw_routes sdw_routes_models = { rows, sizeof rows / sizeof rows[0] };
