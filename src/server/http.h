/* http.h - one HTTP request and its answer, as route handlers see them; nothing here knows the library underneath.
 *
 * A route is a row {method, path, flags, handler} in routes/NAME.c. When the handler runs, the guards, Host, Origin,
 * key and body limit have been passed and the whole body is there. It fills the response in one of three ways: bytes
 * now; a stream (server-sent events) that is pulled whenever something woke it; or later, when a job that it waits for
 * ends. */
#ifndef SDW_SERVER_HTTP_H
#define SDW_SERVER_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/status.h"
#include "sdw/worker.h"

typedef struct sdw_server sdw_server;

typedef struct sdw_http_request {
    sdw_server *server;
    const char *method;          /* "GET"; HEAD is shown to handlers as GET */
    const char *path;            /* decoded, begins with '/' */
    const char *tail;            /* what the route's "*" or "{id}" matched; "" if none */
    const char *body; size_t body_size;
    const char *content_type;    /* "" if absent */
    const char *request_id;      /* the client's if well formed, else ours */
    bool peer_is_loopback;
    const char *peer;            /* address as text, without port */
    const struct sdw_route *route;
    void *impl;                  /* the listener's */
} sdw_http_request;

/* NULL if absent. Names without regard to case. Valid until the handler returns. */
const char *sdw_http_header(const sdw_http_request *r, const char *name);
/* Decoded query argument; NULL if absent, "" if without a value. */
const char *sdw_http_query(const sdw_http_request *r, const char *name);

/* The request made this job, or is about it: its line in the log says so. The first one counts. */
void sdw_http_note_job(const sdw_http_request *r, const sdw_job_id *id);

/* What one pull should about append: a reader that stalls holds no more than this. */
#define SDW_HTTP_SLICE ((size_t)16 << 10)

/* Server-sent events. Loop thread; neither may block. */
typedef struct sdw_http_stream {
    /* Appends all that is ready, and stops at about SDW_HTTP_SLICE bytes: then it is called again when those are sent. A
     * large event may be cut over several calls, if each of them has its next part ready. One that appends less has
     * left nothing: it is called again after a wake (a comment may be sent meanwhile). *ret_end: nothing follows. */
    sdw_status (*pull)(void *ctx, sdw_buf *out, bool *ret_end);
    void (*close)(void *ctx, bool client_gone); /* exactly once; frees ctx */
    void *ctx;
    sdw_job_id job;              /* woken by events of this job; "" = woken by everything */
} sdw_http_stream;

struct sdw_http_response;
/* An answer that waits for jobs. poll: at once and after each wake of `job`, on the loop, or on a desk thread if the
 * route says SDW_ROUTE_DESK; returns true when it has filled the response, which may be a stream but not another
 * `later`. close: exactly once, soon after that; client_gone if the client left before. */
typedef struct sdw_http_later {
    bool (*poll)(void *ctx, struct sdw_http_response *ret);
    void (*close)(void *ctx, bool client_gone);
    void *ctx;
    sdw_job_id job;              /* "" = polled on every wake */
} sdw_http_later;

#define SDW_HTTP_HEADERS_MAX 16
typedef struct sdw_http_response {
    int status;                  /* 200 ... */
    const char *content_type;    /* static storage; NULL = none */
    sdw_buf body;                /* owned */
    sdw_blob *blob;              /* instead of body; owned; may be NULL */
    const void *fixed; size_t fixed_size; /* instead of both: static storage */
    char *headers[SDW_HTTP_HEADERS_MAX][2]; int header_count; /* owned; see sdw_http_add_header */
    sdw_http_stream stream;      /* pull != NULL: a stream; body, if any, is sent first */
    sdw_http_later later;        /* poll != NULL */
} sdw_http_response;

/* Copies name and value; a value with control bytes is refused (INTERNAL). */
sdw_status sdw_http_add_header(sdw_http_response *r, const char *name, const char *value, sdw_error *err);

/* The one place that knows each face's error body (http-apis 1.9); replaces what ret holds. code: the native word such
 * as "INVALID_REQUEST", NULL = the usual one of that status; the other faces translate it. */
typedef enum sdw_face { SDW_FACE_NATIVE, SDW_FACE_OPENAI, SDW_FACE_SDAPI, SDW_FACE_OPS } sdw_face;
void sdw_http_error(sdw_http_response *ret, sdw_face face, int status, const char *code, const char *message);
/* The same from a status of the library: INVALID 400 INVALID_REQUEST, NOT_FOUND 404, BUSY 429 QUEUE_FULL with
 * Retry-After, CANCELLED 503 SHUTTING_DOWN, IO 503 STORAGE_FULL, ... (worker-protocol 4.1). */
void sdw_http_fail(sdw_http_response *ret, sdw_face face, const sdw_error *err);
/* Frees what ret holds and makes it empty; streams and waiting answers are closed as if the client had left. */
void sdw_http_response_finish(sdw_http_response *ret);

#define SDW_HTTP_SMALL_BODY ((size_t)64 << 10)

typedef enum sdw_route_flag {
    SDW_ROUTE_OPEN = 1,          /* no key needed */
    SDW_ROUTE_DESK = 2,          /* the handler may read or write files or decode pictures: it runs on a desk thread */
    SDW_ROUTE_HEALTH = 4,        /* answers in the last reserved places */
    SDW_ROUTE_TOKEN_QUERY = 8,   /* ?token= is a key too (GET streams) */
    SDW_ROUTE_SMALL_BODY = 16    /* a body of at most SDW_HTTP_SMALL_BODY; always so for GET and DELETE */
} sdw_route_flag;

typedef struct sdw_route {
    const char *method;          /* "GET", "POST", "DELETE" */
    const char *path;            /* "/v1/jobs/{id}/stream"; a last "*" matches the rest, slashes too */
    sdw_face face;               /* which error shape the guards use for its 401, 403, 413 ... */
    int flags;
    void (*handle)(const sdw_http_request *r, sdw_http_response *ret);
    const char *id, *summary;    /* operationId and one sentence, for /openapi.json and docs/api.md */
} sdw_route;

/* Every file routes/NAME.c defines `const sdw_routes sdw_routes_NAME`; the registry collects them. */
typedef struct sdw_routes { const sdw_route *rows; int count; } sdw_routes;

/* What the server was started with, for handlers. */
sdw_worker *sdw_server_worker(const sdw_server *s);
struct sdw_server_options;
const struct sdw_server_options *sdw_server_options_of(const sdw_server *s);
/* Wakes what waits for this job (NULL: everything). Any thread, returns at once. */
void sdw_server_wake(sdw_server *s, const sdw_job_id *id);

#endif
