/* server.h - starting, asking and stopping the HTTP service. Route handlers see http.h; src/cli sees this.
 *
 *     sdw_server *s; sdw_error err = {0};
 *     sdw_server_start(&(sdw_server_options){ .worker = w, .routes = sdw_server_routes }, &s, &err);
 *     ... sdw_server_port(s) ...
 *     sdw_server_stop(s, 0.5);
 *
 * Threads: one loop (sockets, parsing, streams), one watchdog (deadlines, vanished clients, wakes), a few desk threads
 * (handlers with SDW_ROUTE_DESK). docs/server.md tells who owns what. */
#ifndef SDW_SERVER_SERVER_H
#define SDW_SERVER_SERVER_H

#include "server/http.h"

/* X(type, name, default, unit and meaning). 0 in a field means its default. Times may be fractions of a second. */
#define SDW_SERVER_LIMIT_LIST(X)                                                                              \
    X(size_t, body_max, (size_t)64 << 20, "bytes of one request body")                                        \
    X(size_t, body_total_max, (size_t)512 << 20, "bytes of all request bodies in memory")                     \
    X(double, header_timeout_s, 10, "seconds for the whole head of a request")                                \
    X(double, body_timeout_s, 300, "seconds for the whole body of a request")                                 \
    X(double, idle_timeout_s, 75, "seconds that a connection may rest between two requests")                  \
    X(double, write_timeout_s, 60, "seconds that a reader may take no byte while some are waiting")           \
    X(double, answer_timeout_s, 300, "seconds until the head of an answer; then 408. Not for waiting answers") \
    X(double, keep_alive_s, 15, "seconds of silence after which a stream gets a comment")                     \
    X(int, connections_max, 1024, "open connections; the last 32 answer health routes only")                  \
    X(int, connections_per_client_max, 256, "open connections of one address")                                \
    X(int, streams_max, 768, "open event streams")                                                            \
    X(int, desk_threads, 4, "threads for handlers that read or write files")

typedef struct sdw_server_limits {
#define SDW_SERVER_LIMIT_MEMBER(type, name, standard, meaning) type name;
    SDW_SERVER_LIMIT_LIST(SDW_SERVER_LIMIT_MEMBER)
#undef SDW_SERVER_LIMIT_MEMBER
} sdw_server_limits;

/* Carries "something changed" from the worker to the server that may start after it and stop before it: give
 * sdw_waker_wake and the waker to sdw_worker_options, the waker to the server; free it after both. */
typedef struct sdw_waker sdw_waker;
sdw_waker *sdw_waker_create(void); /* NULL without memory */
void sdw_waker_free(sdw_waker *w); /* accepts NULL */
void sdw_waker_wake(void *waker, const sdw_job_id *id); /* a sdw_worker_wake_fn: any thread, returns at once */

/* Everything is copied or, where it is a pointer to an object (worker, routes), borrowed until sdw_server_stop. */
typedef struct sdw_server_options {
    sdw_worker *worker;              /* may be NULL in tests of routes that ask none */
    sdw_waker *waker;                /* borrowed; NULL = the server's own, for sdw_server_wake alone */
    const sdw_routes *const *routes; /* tables, NULL-terminated; sdw_server_routes holds those of routes/NAME.c */
    void *user;                      /* for routes of tests: sdw_server_options_of(s)->user */

    const char *bind_addr;           /* an address or "localhost"; NULL = "127.0.0.1" */
    int port;                        /* 0 = a free one, sdw_server_port tells */
    int listen_fd;                   /* > 0: this inherited listening socket instead of the two above; owned */
    sdw_server_limits limits;
    bool limit_loopback;             /* connections_per_client_max holds for this machine's own clients too */

    const char *api_key;             /* NULL or "": no authentication */
    const char *const *cors_origins;  /* NULL-terminated; "*" = every origin; may be NULL */
    const char *const *allowed_hosts; /* NULL-terminated; "*" = every name; may be NULL */

    const char *public_url;          /* base of absolute URLs in answers; NULL = made from the Host header */
    const char *model_id;            /* what others call the model (worker-protocol 2.2); NULL = the worker's */
    const char *worker_id;           /* NULL = "sd-worker-PORT" */
    const char *backend, *device;    /* "cpu", "cpu:0"; NULL = those */
    bool allow_image_urls;           /* remote picture URLs in requests are fetched */
    bool no_metrics, no_slots;       /* those routes answer that they are switched off */
    bool model_switch;               /* a native request may name the model that it wants */
    bool cancel_on_disconnect;       /* a job ends when its last reader has been gone for 5 s */
    struct sdw_readers *readers;     /* who reads what, for that; NULL without it. Borrowed */
    double job_timeout_s;            /* upper limit of a request's timeout_s; 0 = none */
    size_t image_pixels_max;         /* of one input picture; 0 = the limit of core/limits.h */
    struct sdw_sdapi_settings *sdapi; /* standing options of that face; NULL = its defaults, unchangeable. Borrowed */
    struct sdw_models *models;       /* what can be loaded; NULL = only what the worker has. Borrowed */
    struct sdw_loading *loading;     /* files being fetched before a model loads; NULL = none ever. Borrowed */
    double started_at;               /* of the process, monotonic seconds; 0 = when the server starts */
    const char *models_dir, *lora_dir;
    bool no_ui;
    const char *ui_dir;              /* serve this folder instead of the built-in page */
    const char *ui_frame_ancestors;  /* further hosts that may show the page in a frame */

    /* POST /v1/shutdown was allowed: stop as after SIGTERM. Loop thread; returns at once. */
    void (*shutdown)(void *ctx); void *shutdown_ctx;
} sdw_server_options;

/* All tables of routes/NAME.c, NULL-terminated. In a file of its own, so that a program that brings other tables does
 * not link them. */
extern const sdw_routes *const sdw_server_routes[];

/* Listens and serves from now on. INVALID: an option; IO: the address cannot be bound. */
sdw_status sdw_server_start(const sdw_server_options *o, sdw_server **ret_server, sdw_error *err);
int sdw_server_port(const sdw_server *s);
/* "http://ADDR:PORT"; lives as long as the server. */
const char *sdw_server_url(const sdw_server *s);
/* Answers from now on say that the service ends: /readyz 503. Any thread; new jobs are refused by the worker itself. */
void sdw_server_drain(sdw_server *s);
bool sdw_server_draining(const sdw_server *s);
/* No new connections; running answers and streams get up to grace_s seconds to end by themselves; then everything is closed
 * and freed. NULL is accepted. */
void sdw_server_stop(sdw_server *s, double grace_s);

#endif
