/* watchdog.c - one thread that wakes those whose job has news, and four times a second looks at every connection: heads
 * and bodies past their deadline, readers that take nothing, clients that left while their answer is being made, streams
 * that were silent for long.
 *
 * The library's own timeout is not used: every byte that drips in would reset it. */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/socket.h>

#include "core/clock.h"
#include "core/log.h"
#include "server/impl.h"
#include "server/tcp.h"

#define ROUND_S 0.25
/* Connections looked at under one hold of the lock; some 50 us. */
#define BATCH 64

/* Lock held. The library sees the shut socket, or is told by the wake. */
static void close_connection(sdw_conn *c, const char *why)
{
    if (c->gone) return;
    sdw_log(SDW_LOG_DEBUG, "connection closed", "why", why, "peer", c->peer, NULL);
    c->gone = true;
    c->deadline = 0;
    shutdown(c->fd, SHUT_RDWR);
    sdw_conn_wake(c);
}

static void look_at_bytes(sdw_conn *c, double now, const sdw_server_limits *l)
{
    sdw_tcp_state tcp;
    bool writes = c->phase == SDW_CONN_SEND || c->phase == SDW_CONN_STREAM;
    if ((!writes && c->phase != SDW_CONN_IDLE) || !sdw_tcp_look(c->fd, &tcp)) return;
    if (c->phase == SDW_CONN_IDLE && tcp.received != c->received) { /* the next head has begun */
        c->phase = SDW_CONN_HEAD;
        c->deadline = now + l->header_timeout_s;
    }
    if (!writes) return;
    if (!tcp.outstanding || tcp.acked != c->acked) c->acked_at = now;
    c->acked = tcp.acked;
    if (now - c->acked_at >= l->write_timeout_s) close_connection(c, "reader took no byte");
}

static bool client_left(const sdw_conn *c)
{
    struct pollfd p = { .fd = c->fd, .events = POLLRDHUP };
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

/* A handler that no desk thread has begun: 408. One that runs is not interrupted; what it did must be told. */
static void give_up_handler(sdw_conn *c)
{
    sdw_exchange *x = c->exchange;
    if (!c->on_desk || !sdw_desk_take_back(&c->server->desk, x)) return;
    x->phase = SDW_EXCHANGE_FILLED;
    x->answer.status = 408;
    c->on_desk = false;
    sdw_conn_wake(c);
}

static void deadline_passed(sdw_conn *c)
{
    switch (c->phase) {
    case SDW_CONN_WORK: give_up_handler(c); break;
    case SDW_CONN_HEAD: close_connection(c, "head too slow"); break;
    case SDW_CONN_BODY: close_connection(c, "body too slow"); break;
    default: close_connection(c, "idle"); break;
    }
}

static void look_at(sdw_conn *c, double now, const sdw_server_limits *l)
{
    if (c->deadline > 0 && now >= c->deadline) deadline_passed(c);
    look_at_bytes(c, now, l);
    if (c->gone) return;
    if (c->suspended && client_left(c)) close_connection(c, "client left");
    else if (c->phase == SDW_CONN_STREAM && c->suspended && now - c->quiet_since >= l->keep_alive_s) sdw_conn_wake(c);
}

static void look_at_all(sdw_server *s)
{
    for (int at = 0; at < s->slots; at += BATCH) {
        double now = sdw_clock_monotonic_s();
        pthread_mutex_lock(&s->lock);
        for (int i = at; i < at + BATCH && i < s->slots; i++)
            if (s->slot[i]) look_at(s->slot[i], now, &s->o.limits);
        pthread_mutex_unlock(&s->lock);
    }
}

void *sdw_watchdog_main(void *server)
{
    sdw_server *s = server;
    sdw_wakes news;
    double next = sdw_clock_monotonic_s() + ROUND_S;
    while (!atomic_load(&s->watchdog_stop)) {
        double now = sdw_clock_monotonic_s();
        sdw_waker_wait(s->waker, next > now ? next - now : 0, &news);
        sdw_conn_wake_all(s, &news);
        if (sdw_clock_monotonic_s() < next) continue;
        look_at_all(s);
        next = sdw_clock_monotonic_s() + ROUND_S;
    }
    return NULL;
}
