/* exchange.c - one request from its first byte to the last one of its answer.
 *
 * The library calls sdw_exchange_handle at least twice: when the head is complete, for pieces of the body, and when
 * everything is there. It takes an answer only in the first call, and then closes the connection with whatever was not
 * read, so that the client may never see it; therefore only broken framing is answered there. Every other refusal waits
 * until the body has been read and thrown away. After the last call the connection is suspended while a desk thread or a
 * job is at work, and the call comes again when it is resumed. */
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "server/impl.h"

/* A refused body is read up to this many times --max-body. */
#define DISCARD_FACTOR 4

/* ---- beginning and end ---- */

void *sdw_exchange_begin(void *server, const char *raw_target, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    sdw_conn *c = info ? info->socket_context : NULL;
    sdw_exchange *x = c ? sdw_calloc(1, sizeof *x) : NULL;
    if (!x) return NULL;
    x->server = server;
    x->conn = c;
    x->started = sdw_clock_monotonic_s();
    x->raw_target = sdw_strdup(raw_target ? raw_target : "");
    sdw_head_init(&x->head);
    sdw_conn_exchange_began(c, x);
    return x;
}

static const char *job_of(const sdw_exchange *x)
{
    if (x->job.text[0]) return x->job.text;
    return x->seen.tail && strncmp(x->seen.tail, "job-", 4) == 0 ? x->seen.tail : NULL;
}

static void log_exchange(const sdw_exchange *x, enum MHD_RequestTerminationCode why)
{
    bool health = x->match.route && (x->match.route->flags & SDW_ROUTE_HEALTH);
    sdw_log_level level = health && x->answer.status < 400 ? SDW_LOG_DEBUG : SDW_LOG_INFO;
    if (!sdw_log_wants(level)) return;
    char status[12], ms[24], bytes[24];
    snprintf(status, sizeof status, "%d", x->answer.status);
    snprintf(ms, sizeof ms, "%.1f", (sdw_clock_monotonic_s() - x->started) * 1e3);
    snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)x->sent);
    sdw_log(level, "request", "request", x->request_id, "job", job_of(x), "method", x->head.method, "path", x->head.target.path, "status", status,
            "bytes", bytes, "ms", ms, "peer", x->conn->peer, "traceparent", sdw_head_get(&x->head, "traceparent"),
            "end", why == MHD_REQUEST_TERMINATED_COMPLETED_OK ? NULL : "closed early", NULL);
}

void sdw_exchange_end(void *server, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode why)
{
    sdw_server *s = server;
    sdw_exchange *x = *context;
    (void)mhd;
    if (!x) return;
    *context = NULL;
    bool gone = why != MHD_REQUEST_TERMINATED_COMPLETED_OK;
    if (x->phase != SDW_EXCHANGE_HEAD) {
        log_exchange(x, why);
        sdw_metrics_request(s->metrics, x->match.index, x->answer.status, sdw_clock_monotonic_s() - x->started);
    }
    if (x->is_stream) {
        x->answer.stream.close(x->answer.stream.ctx, gone && !x->stream_ended);
        x->answer.stream.pull = NULL;
        pthread_mutex_lock(&s->lock);
        s->streams--;
        pthread_mutex_unlock(&s->lock);
    }
    if (x->later.poll) x->later.close(x->later.ctx, true);
    sdw_http_response_finish(&x->answer);
    s->body_bytes -= x->body_counted;
    sdw_buf_finish(&x->body);
    sdw_buf_finish(&x->out);
    sdw_head_finish(&x->head);
    sdw_free(x->raw_target);
    sdw_conn_exchange_ended(x->conn);
    sdw_free(x);
}

/* ---- head ---- */

struct reader {
    sdw_head *head;
    bool full;
};

static enum MHD_Result read_header(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_size, const char *value,
                                   size_t value_size)
{
    struct reader *r = cls;
    (void)kind;
    if (!sdw_head_add(r->head, name, name_size, value ? value : "", value ? value_size : 0)) r->full = true;
    return r->full ? MHD_NO : MHD_YES;
}

static bool visible(const char *s)
{
    size_t size = strlen(s);
    if (size < 1 || size > 128) return false;
    for (; *s; s++)
        if (*s <= ' ' || *s > '~') return false;
    return true;
}

static void choose_request_id(sdw_exchange *x)
{
    const char *own = sdw_head_get(&x->head, "x-request-id");
    char random[SDW_HEX128_SIZE];
    if (own && visible(own)) snprintf(x->request_id, sizeof x->request_id, "%s", own);
    else if (sdw_hex128(random, NULL) == SDW_OK) snprintf(x->request_id, sizeof x->request_id, "req-%s", random);
}

/* 0, or the status of the refusal that must be sent in this very call. */
static int read_head(sdw_exchange *x, struct MHD_Connection *mhd, const char *method, const char *version)
{
    struct reader r = { .head = &x->head };
    const union MHD_ConnectionInfo *size = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, read_header, &r);
    choose_request_id(x);
    if (!x->raw_target) return 503;
    if (r.full || (size && size->header_size > SDW_HEAD_BYTES_MAX)) {
        bool long_target = strlen(x->raw_target) > SDW_HEAD_BYTES_MAX / 2;
        sdw_refuse(x, long_target ? 414 : 431, "INVALID_REQUEST", long_target ? "URL too long" : "Request head too large");
        return x->answer.status;
    }
    const char *problem = sdw_head_check(&x->head, method, x->raw_target, version);
    if (problem) {
        sdw_refuse(x, 400, NULL, problem);
        return 400;
    }
    x->head_only = strcmp(method, "HEAD") == 0;
    x->preflight = strcmp(method, "OPTIONS") == 0;
    return 0;
}

static void describe(sdw_exchange *x)
{
    const char *type = sdw_head_get(&x->head, "content-type");
    const char *path = x->head.target.path;
    char *tail = sdw_arena_printf(&x->head.arena, "%.*s", (int)x->match.tail_size, path + x->match.tail_at);
    x->seen = (sdw_http_request){
        .server = x->server, .method = x->head_only ? "GET" : x->head.method, .path = path, .tail = tail ? tail : "",
        .content_type = type ? type : "", .request_id = x->request_id, .peer_is_loopback = x->conn->loopback,
        .peer = x->conn->peer, .route = x->match.route, .impl = x,
    };
}

static enum MHD_Result handle_head(sdw_exchange *x, struct MHD_Connection *mhd, const char *method, const char *version)
{
    sdw_server *s = x->server;
    x->phase = SDW_EXCHANGE_BODY;
    if (read_head(x, mhd, method, version) != 0) {
        x->phase = SDW_EXCHANGE_FILLED;
        return sdw_reply(x);
    }
    bool has_body = x->head.chunked || x->head.length > 0;
    sdw_conn_enter(x->conn, has_body ? SDW_CONN_BODY : SDW_CONN_WORK, has_body ? x->started + s->o.limits.body_timeout_s : 0);
    if (!sdw_guard_head(x)) x->phase = SDW_EXCHANGE_DISCARD;
    describe(x);
    if (x->phase != SDW_EXCHANGE_DISCARD || !has_body) return MHD_YES;
    /* Nobody waits for a body that the client has not begun to send, or that is past all measure. */
    if (!x->head.expects_continue && x->head.length <= DISCARD_FACTOR * (uint64_t)s->o.limits.body_max) return MHD_YES;
    x->phase = SDW_EXCHANGE_FILLED;
    return sdw_reply(x);
}

/* ---- body ---- */

static void give_up_body(sdw_exchange *x)
{
    x->phase = SDW_EXCHANGE_DISCARD;
    x->thrown_away = x->body.size;
    x->server->body_bytes -= x->body_counted;
    x->body_counted = 0;
    sdw_buf_finish(&x->body);
}

static void keep(sdw_exchange *x, const char *data, size_t size)
{
    if (x->body.size + size > x->body_limit) {
        sdw_refuse_body(x);
        give_up_body(x);
    } else if ((x->head.chunked && !sdw_body_reserve(x, size))) {
        give_up_body(x);
    } else if (!sdw_buf_append(&x->body, data, size)) {
        sdw_refuse(x, 503, NULL, "Out of memory for the request body");
        give_up_body(x);
    }
}

static enum MHD_Result handle_body(sdw_exchange *x, const char *data, size_t *size)
{
    if (x->phase == SDW_EXCHANGE_BODY) keep(x, data, *size);
    if (x->phase == SDW_EXCHANGE_DISCARD) x->thrown_away += *size;
    *size = 0;
    bool endless = x->thrown_away > DISCARD_FACTOR * (uint64_t)x->server->o.limits.body_max;
    return endless ? MHD_NO : MHD_YES;
}

/* ---- answer ---- */

static bool on_desk(const sdw_exchange *x)
{
    return x->match.route && (x->match.route->flags & SDW_ROUTE_DESK);
}

static void run_handler(sdw_exchange *x)
{
    x->seen.body = x->body.data ? x->body.data : "";
    x->seen.body_size = x->body.size;
    x->match.route->handle(&x->seen, &x->answer);
    x->phase = SDW_EXCHANGE_FILLED;
    if (!x->answer.later.poll) return;
    x->later = x->answer.later;
    x->answer.later = (sdw_http_later){ 0 };
    sdw_conn_wait_for(x->conn, SDW_CONN_WAIT, &x->later.job);
    x->phase = SDW_EXCHANGE_WAITING;
}

static void poll_later(sdw_exchange *x)
{
    if (!x->later.poll(x->later.ctx, &x->answer)) return;
    x->later.close(x->later.ctx, false);
    x->later = (sdw_http_later){ 0 };
    x->phase = SDW_EXCHANGE_FILLED;
}

void sdw_exchange_work(sdw_exchange *x)
{
    sdw_server *s = x->server;
    if (x->phase == SDW_EXCHANGE_READY) run_handler(x);
    if (x->phase == SDW_EXCHANGE_WAITING) poll_later(x);
    bool waits = x->phase == SDW_EXCHANGE_WAITING;
    pthread_mutex_lock(&s->lock);
    x->conn->on_desk = false;
    /* Still waiting: it sleeps on, unless there was news during the poll. */
    if (!waits || x->conn->woken || x->conn->gone) sdw_conn_wake(x->conn);
    pthread_mutex_unlock(&s->lock);
}

static enum MHD_Result go_to_desk(sdw_exchange *x)
{
    sdw_server *s = x->server;
    pthread_mutex_lock(&s->lock);
    bool closing = s->closing;
    if (!closing) {
        x->conn->on_desk = x->conn->suspended = true;
        x->conn->woken = false;
        MHD_suspend_connection(x->conn->mhd);
    }
    pthread_mutex_unlock(&s->lock);
    if (closing) return MHD_NO;
    sdw_desk_push(&s->desk, x);
    return MHD_YES;
}

static enum MHD_Result handle_rest(sdw_exchange *x)
{
    if (x->phase == SDW_EXCHANGE_BODY) {
        sdw_conn_enter(x->conn, SDW_CONN_WORK, sdw_clock_monotonic_s() + x->server->o.limits.answer_timeout_s);
        x->phase = SDW_EXCHANGE_READY;
    }
    if (x->phase == SDW_EXCHANGE_DISCARD) x->phase = SDW_EXCHANGE_FILLED;
    while (x->phase != SDW_EXCHANGE_FILLED) {
        sdw_conn_news news = sdw_conn_look(x->conn);
        if (news.gone || news.closing) return MHD_NO;
        if (on_desk(x)) return go_to_desk(x);
        if (x->phase == SDW_EXCHANGE_READY) run_handler(x);
        if (x->phase == SDW_EXCHANGE_WAITING) poll_later(x);
        if (x->phase == SDW_EXCHANGE_WAITING && sdw_conn_suspend(x->conn)) return MHD_YES;
    }
    return sdw_reply(x);
}

enum MHD_Result sdw_exchange_handle(void *server, struct MHD_Connection *mhd, const char *url, const char *method,
                                    const char *version, const char *data, size_t *data_size, void **context)
{
    sdw_exchange *x = *context;
    (void)server, (void)url;
    if (!x) return MHD_NO;
    if (x->phase == SDW_EXCHANGE_HEAD) return handle_head(x, mhd, method, version);
    if (*data_size > 0) return handle_body(x, data, data_size);
    return x->phase == SDW_EXCHANGE_SENT ? MHD_YES : handle_rest(x);
}

/* ---- what handlers ask ---- */

const char *sdw_http_header(const sdw_http_request *r, const char *name)
{
    const sdw_exchange *x = r->impl;
    return x ? sdw_head_get(&x->head, name) : NULL;
}

const char *sdw_http_query(const sdw_http_request *r, const char *name)
{
    const sdw_exchange *x = r->impl;
    return x ? sdw_target_query(&x->head.target, name) : NULL;
}

void sdw_http_note_job(const sdw_http_request *r, const sdw_job_id *id)
{
    sdw_exchange *x = r->impl;
    if (x && !x->job.text[0]) x->job = *id;
}
