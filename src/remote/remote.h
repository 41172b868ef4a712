/* remote.h - another worker's native API, as a client sees it: one request, or one stream of events followed to its end
 * across lost connections. Over libcurl. One thread at a time. */
#ifndef SDW_REMOTE_REMOTE_H
#define SDW_REMOTE_REMOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/status.h"

typedef struct sdw_remote sdw_remote;

typedef struct sdw_remote_options {
    const char *url;                 /* "http://host:8081", perhaps with a path; a lone "host:port" is http */
    const char *key;                 /* bearer token; NULL = none */
    bool (*cancelled)(void *ctx);    /* asked several times a second; may be NULL */
    void *ctx;
} sdw_remote_options;

/* INVALID: no such address. Borrows key and ctx. */
sdw_status sdw_remote_open(const sdw_remote_options *o, sdw_remote **ret, sdw_error *err);
void sdw_remote_close(sdw_remote *r); /* accepts NULL */
const char *sdw_remote_url(const sdw_remote *r);
/* What is asked from now on is not cancelled: for the last request after a signal. */
void sdw_remote_no_cancel(sdw_remote *r);

/* Sends `body` (NULL = none) and appends the answer's body to out. *ret_status is HTTP's. SDW_OK: any answer; IO: none, the
 * text says why; CANCELLED; LIMIT: an answer larger than out's maximum. */
sdw_status sdw_remote_ask(sdw_remote *r, const char *method, const char *path, const char *body, size_t body_size, sdw_buf *out,
                          int *ret_status, sdw_error *err);
/* The same, and an answer that is not 2xx becomes an error with the worker's own words: 400 and 422 INVALID, 401 and 403
 * UNSUPPORTED, 404 NOT_FOUND, 413 LIMIT, 429 BUSY, the rest IO. */
sdw_status sdw_remote_call(sdw_remote *r, const char *method, const char *path, const char *body, size_t body_size, sdw_buf *out, sdw_error *err);

/* One event: name ("" for the marker of the end) and data, NUL-terminated, valid during the call. False ends the stream. */
typedef bool sdw_remote_event_fn(void *ctx, const char *event, const char *data, size_t size);
/* Follows a stream until it ends for good. resume: events are numbered and a lost connection is opened again after the
 * last number; without it the end of the answer is the end. NOT_FOUND, IO (after several tries), CANCELLED. */
sdw_status sdw_remote_follow(sdw_remote *r, const char *path, bool resume, sdw_remote_event_fn *event, void *ctx, sdw_error *err);

#endif
