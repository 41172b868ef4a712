/* watchdog.c - one thread that looks at every connection four times a second: heads and bodies past their deadline, readers
 * that take nothing, clients that left while their answer is being made, streams that were silent for long.
 *
 * The library's own timeout is not used: every byte that drips in would reset it. */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

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

/* Seconds between two questions to the kernel, one system call each: an eighth of the shortest time that they serve. */
static double bytes_every(const sdw_server_limits *l)
{
    double shortest = l->write_timeout_s < l->header_timeout_s ? l->write_timeout_s : l->header_timeout_s;
    return shortest > 8 ? 1 : shortest / 8;
}

static void look_at_bytes(sdw_conn *c, double now, const sdw_server_limits *l)
{
    sdw_tcp_state tcp;
    bool writes = c->phase == SDW_CONN_SEND || c->phase == SDW_CONN_STREAM;
    if ((!writes && c->phase != SDW_CONN_IDLE) || now < c->next_bytes) return;
    c->next_bytes = now + bytes_every(l);
    if (!sdw_tcp_look(c->fd, &tcp)) return;
    if (c->phase == SDW_CONN_IDLE && tcp.received != c->received) { /* the next head has begun */
        c->phase = SDW_CONN_HEAD;
        c->deadline = now + l->header_timeout_s;
    }
    if (!writes) return;
    if (!tcp.outstanding || tcp.acked != c->acked) c->acked_at = now;
    c->acked = tcp.acked;
    if (now - c->acked_at >= l->write_timeout_s) close_connection(c, "reader took no byte");
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

/* Whether the library may have missed that the client closed its side: while it is suspended, and where the end came
 * together with the last bytes, which it reads without asking for more. */
static bool end_matters(const sdw_conn *c)
{
    return c->suspended || c->phase == SDW_CONN_IDLE || c->phase == SDW_CONN_HEAD || c->phase == SDW_CONN_BODY;
}

/* A suspended one will not get its answer. Of the others one that still waits for bytes in the next round, with the same
 * deadline, gets none: what had arrived was read long ago. */
static void client_left(sdw_conn *c)
{
    if (c->suspended || c->left_at == c->deadline) close_connection(c, "client left");
    else c->left_at = c->deadline;
}

static void look_at(sdw_conn *c, bool left, double now, const sdw_server_limits *l)
{
    if (c->deadline > 0 && now >= c->deadline) deadline_passed(c);
    if (!c->gone) look_at_bytes(c, now, l);
    if (c->gone) return;
    if (left) client_left(c);
    else if (c->phase == SDW_CONN_STREAM && c->suspended && now - c->quiet_since >= l->keep_alive_s) sdw_conn_wake(c);
}

/* Lock held, count at most BATCH. */
static void look_at_batch(sdw_server *s, sdw_conn *const *slot, int count)
{
    struct pollfd ends[BATCH];
    double now = sdw_clock_monotonic_s();
    for (int i = 0; i < count; i++) ends[i] = (struct pollfd){ .fd = slot[i] && end_matters(slot[i]) ? slot[i]->fd : -1, .events = POLLRDHUP };
    (void)poll(ends, (nfds_t)count, 0);
    for (int i = 0; i < count; i++)
        if (slot[i]) look_at(slot[i], (ends[i].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0, now, &s->o.limits);
}

static void look_at_all(sdw_server *s)
{
    for (int at = 0; at < s->slots; at += BATCH) {
        pthread_mutex_lock(&s->lock);
        look_at_batch(s, s->slot + at, s->slots - at < BATCH ? s->slots - at : BATCH);
        pthread_mutex_unlock(&s->lock);
    }
}

/* Waits for the next round; false: it is the end. */
static bool next_round(sdw_server *s)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(ROUND_S * 1e9);
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    int late = 0;
    pthread_mutex_lock(&s->lock);
    while (!s->watchdog_stop && !late) late = pthread_cond_timedwait(&s->round, &s->lock, &until);
    bool stop = s->watchdog_stop;
    pthread_mutex_unlock(&s->lock);
    return !stop;
}

void *sdw_watchdog_main(void *server)
{
    pthread_setname_np(pthread_self(), "sdw-watchdog");
    while (next_round(server)) look_at_all(server);
    return NULL;
}
