/* answer.c - see answer.h. */
#include "server/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/job_json.h"
#include "server/json_out.h"
#include "server/server.h"

#define RETRY_AFTER_S "5"

sdw_buf *sdw_answer_json(sdw_http_response *ret, int status)
{
    ret->status = status;
    ret->content_type = "application/json";
    return &ret->body;
}

void sdw_answer_error(sdw_http_response *ret, int status, const char *code, const char *message)
{
    sdw_http_error(ret, SDW_FACE_NATIVE, status, code, message);
}

void sdw_answer_later(sdw_http_response *ret, int status, const char *code, const char *message)
{
    sdw_answer_error(ret, status, code, message);
    for (int i = 0; i < ret->header_count; i++)
        if (!strcasecmp(ret->headers[i][0], "retry-after")) return;
    sdw_http_add_header(ret, "retry-after", RETRY_AFTER_S, NULL);
}

void sdw_answer_check(sdw_http_response *ret)
{
    if (ret->body.failed) sdw_answer_error(ret, 500, "INTERNAL", "Out of memory while the answer was written");
}

bool sdw_is_json_type(const char *content_type)
{
    size_t n = strcspn(content_type, "; \t");
    if (n < 16 || strncasecmp(content_type, "application/", 12) != 0) return false;
    return (n == 16 && !strncasecmp(content_type + 12, "json", 4)) || !strncasecmp(content_type + n - 5, "+json", 5);
}

bool sdw_page_of(const sdw_http_request *r, sdw_page *ret_page, sdw_http_response *ret)
{
    const char *limit = sdw_http_query(r, "limit"), *cursor = sdw_http_query(r, "cursor");
    char message[120];
    *ret_page = (sdw_page){ .limit = 50 };
    if (limit) {
        char *end;
        long n = strtol(limit, &end, 10);
        if (*limit < '0' || *limit > '9' || *end || n < 1 || n > SDW_PAGE_MAX) {
            snprintf(message, sizeof message, "Invalid input: limit must be between 1 and %d, got %.40s", SDW_PAGE_MAX, limit);
            sdw_answer_error(ret, 400, "INVALID_REQUEST", message);
            return false;
        }
        ret_page->limit = (int)n;
    }
    if (cursor && *cursor) {
        ret_page->has_cursor = sdw_job_id_parse(cursor, &ret_page->cursor);
        if (!ret_page->has_cursor) {
            sdw_answer_error(ret, 400, "INVALID_REQUEST", "Invalid input: cursor must be a next_cursor of this list");
            return false;
        }
    }
    return true;
}

/* "http://host:port" of the request itself. */
static bool is_own_origin(const sdw_http_request *r, const char *origin)
{
    const char *host = sdw_http_header(r, "host"), *at = strstr(origin, "://");
    return host && at && !strcasecmp(at + 3, host);
}

bool sdw_is_trusted(const sdw_http_request *r)
{
    static const char *const proxied[] = { "forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
                                           "x-forwarded-port", "x-forwarded-server", "x-forwarded-prefix", "x-real-ip" };
    const char *key = sdw_server_options_of(r->server)->api_key, *origin = sdw_http_header(r, "origin");
    if (key && *key) return true;
    if (!r->peer_is_loopback || (origin && !is_own_origin(r, origin))) return false;
    for (size_t i = 0; i < sizeof proxied / sizeof proxied[0]; i++)
        if (sdw_http_header(r, proxied[i])) return false;
    return true;
}

/* ---- what state the worker is in ---- */

const char *sdw_phase_status(sdw_worker_phase phase)
{
    switch (phase) {
    case SDW_WORKER_NO_MODEL:
    case SDW_WORKER_LOADING: return "starting";
    case SDW_WORKER_IDLE: return "ready";
    case SDW_WORKER_BUSY: return "busy";
    case SDW_WORKER_LOAD_FAILED: return "stopped";
    case SDW_WORKER_STOPPING: return "stopping";
    }
    return "stopped";
}

const char *sdw_phase_state(sdw_worker_phase phase)
{
    switch (phase) {
    case SDW_WORKER_NO_MODEL:
    case SDW_WORKER_IDLE: return "idle";
    case SDW_WORKER_LOADING: return "loading";
    case SDW_WORKER_BUSY: return "busy";
    case SDW_WORKER_LOAD_FAILED:
    case SDW_WORKER_STOPPING: return "error";
    }
    return "error";
}

bool sdw_phase_is_ready(sdw_worker_phase phase)
{
    return phase == SDW_WORKER_IDLE || phase == SDW_WORKER_BUSY;
}

const char *sdw_server_worker_id(const sdw_server *s, char store[64])
{
    const sdw_server_options *o = sdw_server_options_of(s);
    if (o->worker_id) return o->worker_id;
    snprintf(store, 64, "sd-worker-%d", sdw_server_port(s));
    return store;
}

void sdw_write_worker_info(sdw_server *s, const sdw_worker_state *state, sdw_buf *out)
{
    const sdw_server_options *o = sdw_server_options_of(s);
    char id[64];
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "id", sdw_server_worker_id(s, id));
    sdw_json_put_text(out, "model_id", state->model_id);
    sdw_json_put_text(out, "device", o->device ? o->device : "cpu:0");
    sdw_json_put_int(out, "port", sdw_server_port(s));
    sdw_json_put_text(out, "status", sdw_phase_status(state->phase));
    sdw_json_put_text(out, "implementation", "sd-worker");
    sdw_json_put_text(out, "version", SDW_VERSION);
    sdw_json_close(out, '}');
}
