/* table.c - see table.h. */
#include "server/table.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "core/mem.h"

void stage_init(stage *s)
{
    memset(s, 0, sizeof *s);
    pthread_mutex_init(&s->mutex, NULL);
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&s->moved, &clock);
    pthread_condattr_destroy(&clock);
}

void stage_finish(stage *s)
{
    pthread_cond_destroy(&s->moved);
    pthread_mutex_destroy(&s->mutex);
}

void stage_show(stage *s, sdw_server *server, int events, bool ended)
{
    pthread_mutex_lock(&s->mutex);
    s->events = events;
    s->ended = ended;
    pthread_mutex_unlock(&s->mutex);
    sdw_job_id id = { STAGE_JOB };
    sdw_server_wake(server, &id);
}

bool stage_reaches(stage *s, const int *value, int wanted)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 60;
    pthread_mutex_lock(&s->mutex);
    int late = 0;
    while (*value < wanted && !late) late = pthread_cond_timedwait(&s->moved, &s->mutex, &until);
    bool reached = *value >= wanted;
    pthread_mutex_unlock(&s->mutex);
    return reached;
}

void stage_release(stage *s)
{
    pthread_mutex_lock(&s->mutex);
    s->hold = false;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->mutex);
}

static void note(stage *s, int *value)
{
    pthread_mutex_lock(&s->mutex);
    (*value)++;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->mutex);
}

static stage *stage_of(const sdw_http_request *r)
{
    return sdw_server_options_of(r->server)->user;
}

/* ---- bytes ---- */

static void hello(const sdw_http_request *r, sdw_http_response *ret)
{
    const char *who = sdw_http_query(r, "who");
    note(stage_of(r), &stage_of(r)->handled);
    ret->status = 200;
    ret->content_type = "text/plain";
    sdw_buf_printf(&ret->body, "hello %s\n", who ? who : "you");
}

static void echo(const sdw_http_request *r, sdw_http_response *ret)
{
    note(stage_of(r), &stage_of(r)->handled);
    ret->status = 201;
    ret->content_type = "application/octet-stream";
    sdw_buf_append(&ret->body, r->body, r->body_size);
    sdw_http_add_header(ret, "X-Type", r->content_type, NULL);
}

static void describe(const sdw_http_request *r, sdw_http_response *ret)
{
    const char *x = sdw_http_header(r, "X-Thing");
    ret->status = 200;
    ret->content_type = "text/plain";
    sdw_buf_printf(&ret->body, "method=%s path=%s tail=%s thing=%s loopback=%d peer=%s id=%s", r->method, r->path, r->tail, x ? x : "-",
                   r->peer_is_loopback, r->peer, r->request_id);
}

static void fixed(const sdw_http_request *r, sdw_http_response *ret)
{
    static const char bytes[] = "these bytes\0are static";
    (void)r;
    ret->status = 200;
    ret->fixed = bytes;
    ret->fixed_size = sizeof bytes - 1;
}

static void large(const sdw_http_request *r, sdw_http_response *ret)
{
    const char *bytes = sdw_http_query(r, "bytes");
    size_t size = 0;
    if (bytes) sscanf(bytes, "%zu", &size);
    ret->status = 200;
    char *to = sdw_buf_reserve(&ret->body, size);
    if (!to) return;
    memset(to, 'x', size);
    ret->body.size = size;
}

static void broken(const sdw_http_request *r, sdw_http_response *ret)
{
    sdw_error err = { .status = SDW_BUSY, .text = "queue: 3 of 3 places taken" };
    sdw_http_fail(ret, r->route->face, &err);
}

static void hold(const sdw_http_request *r, sdw_http_response *ret)
{
    stage *s = stage_of(r);
    pthread_mutex_lock(&s->mutex);
    s->held++;
    pthread_cond_broadcast(&s->moved);
    while (s->hold) pthread_cond_wait(&s->moved, &s->mutex);
    pthread_mutex_unlock(&s->mutex);
    ret->status = 200;
    sdw_buf_append(&ret->body, r->body, r->body_size);
}

/* ---- streams ---- */

struct reader {
    stage *stage;
    sdw_server *server;
    int at;
};

static sdw_status pull(void *ctx, sdw_buf *out, bool *ret_end)
{
    struct reader *r = ctx;
    stage *s = r->stage;
    pthread_mutex_lock(&s->mutex);
    while (r->at < s->events && out->size < SDW_HTTP_SLICE) {
        sdw_buf_printf(out, "data: %d", ++r->at);
        for (size_t i = 0; i < s->event_bytes; i++) sdw_buf_append(out, "e", 1);
        sdw_buf_puts(out, "\n\n");
    }
    *ret_end = s->ended && r->at == s->events;
    pthread_mutex_unlock(&s->mutex);
    return SDW_OK;
}

static void close_reader(void *ctx, bool client_gone)
{
    struct reader *r = ctx;
    stage *s = r->stage;
    sdw_free(r);
    if (client_gone) note(s, &s->gone);
    note(s, &s->closed);
}

static struct reader *open_reader(const sdw_http_request *r)
{
    struct reader *reader = sdw_calloc(1, sizeof *reader);
    reader->stage = stage_of(r);
    note(reader->stage, &reader->stage->opened);
    return reader;
}

static void stream(const sdw_http_request *r, sdw_http_response *ret)
{
    ret->status = 200;
    ret->content_type = "text/event-stream";
    ret->stream = (sdw_http_stream){ .pull = pull, .close = close_reader, .ctx = open_reader(r), .job = { STAGE_JOB } };
    if (sdw_http_query(r, "all")) ret->stream.job.text[0] = '\0';
    if (sdw_http_query(r, "first")) sdw_buf_puts(&ret->body, "data: first\n\n");
}

/* ---- waiting answers ---- */

static bool poll_stage(void *ctx, sdw_http_response *ret)
{
    struct reader *r = ctx;
    stage *s = r->stage;
    note(s, &s->polled);
    pthread_mutex_lock(&s->mutex);
    bool ended = s->ended;
    pthread_mutex_unlock(&s->mutex);
    if (!ended) return false;
    ret->status = 200;
    ret->content_type = "text/plain";
    sdw_buf_puts(&ret->body, "at last");
    return true;
}

/* Its news come while it is being polled on a desk thread, after it has looked. */
static bool poll_overtaken(void *ctx, sdw_http_response *ret)
{
    struct reader *r = ctx;
    sdw_job_id id = { STAGE_JOB };
    if (r->at++ > 0) {
        ret->status = 200;
        sdw_buf_puts(&ret->body, "second look");
        return true;
    }
    sdw_server_wake(r->server, &id);
    poll(NULL, 0, 60); /* the loop deals with the wake meanwhile */
    return false;
}

static void overtaken(const sdw_http_request *r, sdw_http_response *ret)
{
    struct reader *reader = open_reader(r);
    reader->server = r->server;
    ret->later = (sdw_http_later){ .poll = poll_overtaken, .close = close_reader, .ctx = reader, .job = { STAGE_JOB } };
}

static void later(const sdw_http_request *r, sdw_http_response *ret)
{
    sdw_http_note_job(r, &(sdw_job_id){ STAGE_JOB });
    ret->later = (sdw_http_later){ .poll = poll_stage, .close = close_reader, .ctx = open_reader(r), .job = { STAGE_JOB } };
}

static const sdw_route rows[] = {
    { "GET", "/hello", SDW_FACE_NATIVE, 0, hello, "hello", "Says hello." },
    { "GET", "/open", SDW_FACE_NATIVE, SDW_ROUTE_OPEN, hello, "open", "Says hello to everyone." },
    { "GET", "/alive", SDW_FACE_OPS, SDW_ROUTE_OPEN | SDW_ROUTE_HEALTH, hello, "alive", "A health route." },
    { "POST", "/echo", SDW_FACE_NATIVE, 0, echo, "echo", "Sends the body back." },
    { "POST", "/desk", SDW_FACE_NATIVE, SDW_ROUTE_DESK, echo, "desk", "The same on a desk thread." },
    { "POST", "/small", SDW_FACE_NATIVE, SDW_ROUTE_SMALL_BODY, echo, "small", "The same, small bodies only." },
    { "POST", "/hold", SDW_FACE_NATIVE, SDW_ROUTE_DESK, hold, "hold", "Takes as long as the test wants." },
    { "GET", "/fixed", SDW_FACE_NATIVE, 0, fixed, "fixed", "Static bytes." },
    { "GET", "/large", SDW_FACE_NATIVE, 0, large, "large", "Many bytes." },
    { "GET", "/items/{id}", SDW_FACE_NATIVE, 0, describe, "item", "One item." },
    { "GET", "/items/{id}/parts", SDW_FACE_NATIVE, 0, describe, "parts", "Its parts." },
    { "GET", "/items/special", SDW_FACE_NATIVE, 0, describe, "special", "A literal beats a name." },
    { "DELETE", "/items/{id}", SDW_FACE_NATIVE, 0, describe, "drop", "Drops one item." },
    { "GET", "/files/*", SDW_FACE_NATIVE, 0, describe, "file", "Slashes too." },
    { "POST", "/v1/images/fail", SDW_FACE_OPENAI, 0, broken, "failOpenai", "Fails." },
    { "POST", "/sdapi/v1/fail", SDW_FACE_SDAPI, 0, broken, "failSdapi", "Fails." },
    { "POST", "/fail", SDW_FACE_NATIVE, 0, broken, "fail", "Fails." },
    { "POST", "/opsfail", SDW_FACE_OPS, 0, broken, "failOps", "Fails." },
    { "GET", "/stream", SDW_FACE_NATIVE, SDW_ROUTE_TOKEN_QUERY, stream, "stream", "Events of the stage." },
    { "GET", "/later", SDW_FACE_NATIVE, 0, later, "later", "Answers when the stage ends." },
    { "POST", "/overtaken", SDW_FACE_NATIVE, SDW_ROUTE_DESK, overtaken, "overtaken", "Woken while it is polled." },
    { "POST", "/later-desk", SDW_FACE_NATIVE, SDW_ROUTE_DESK, later, "laterDesk", "The same on desk threads." },
};
static const sdw_routes table = { rows, sizeof rows / sizeof rows[0] };
const sdw_routes *const test_routes[] = { &table, NULL };

sdw_server *serve(const sdw_server_options *o, stage *s)
{
    sdw_server_options own = o ? *o : (sdw_server_options){ 0 };
    sdw_server *server = NULL;
    sdw_error err = { 0 };
    if (!own.routes) own.routes = test_routes;
    own.user = s;
    if (sdw_server_start(&own, &server, &err) != SDW_OK) fail_msg("server: %s", err.text);
    return server;
}
