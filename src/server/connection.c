/* connection.c - the table of open connections: who may come in, who sleeps, who is woken. */
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "server/impl.h"
#include "server/tcp.h"

/* Answered only on health routes, so that a full service still says that it lives. */
#define LAST_PLACES 32

static int last_places(const sdw_server *s)
{
    int half = s->o.limits.connections_max / 2;
    return half < LAST_PLACES ? half : LAST_PLACES;
}

/* Lock held. */
static int connections_of(const sdw_server *s, const char *peer)
{
    int n = 0;
    for (int i = 0; i < s->slots; i++)
        if (s->slot[i] && strcmp(s->slot[i]->peer, peer) == 0) n++;
    return n;
}

enum MHD_Result sdw_conn_accept(void *server, const struct sockaddr *a, socklen_t size)
{
    sdw_server *s = server;
    char peer[SDW_PEER_SIZE];
    (void)size;
    (void)sdw_address_text(a, peer);
    bool counted = s->o.limit_loopback || !sdw_address_is_loopback(a);
    pthread_mutex_lock(&s->lock);
    bool full = s->connections >= s->o.limits.connections_max;
    bool greedy = counted && !full && connections_of(s, peer) >= s->o.limits.connections_per_client_max;
    pthread_mutex_unlock(&s->lock);
    if (full || greedy) sdw_log(SDW_LOG_WARNING, full ? "connection refused: too many" : "connection refused: too many of one client", "peer", peer, NULL);
    return full || greedy ? MHD_NO : MHD_YES;
}

static void *open_connection(sdw_server *s, struct MHD_Connection *mhd)
{
    sdw_conn *c = sdw_calloc(1, sizeof *c);
    const union MHD_ConnectionInfo *fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *address = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (!c || !fd || !address) {
        sdw_free(c);
        return NULL; /* its first request finds no connection and is closed */
    }
    *c = (sdw_conn){ .server = s, .mhd = mhd, .fd = fd->connect_fd, .slot = -1, .phase = SDW_CONN_HEAD };
    c->loopback = sdw_address_is_loopback(address->client_addr);
    (void)sdw_address_text(address->client_addr, c->peer);
    sdw_tcp_prepare(c->fd);
    c->deadline = sdw_clock_monotonic_s() + s->o.limits.header_timeout_s;
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < s->slots && c->slot < 0; i++)
        if (!s->slot[i]) c->slot = i;
    if (c->slot >= 0) {
        s->slot[c->slot] = c;
        c->in_last_places = ++s->connections > s->o.limits.connections_max - last_places(s);
    }
    pthread_mutex_unlock(&s->lock);
    if (c->slot >= 0) return c;
    sdw_free(c);
    return NULL;
}

void sdw_conn_notify(void *server, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode code)
{
    sdw_server *s = server;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = open_connection(s, mhd);
        return;
    }
    sdw_conn *c = *context;
    if (!c) return;
    /* The descriptor is closed after this: under the lock, the watchdog never shuts down one that was used again. */
    pthread_mutex_lock(&s->lock);
    s->slot[c->slot] = NULL;
    s->connections--;
    pthread_mutex_unlock(&s->lock);
    sdw_free(c);
    *context = NULL;
}

void sdw_conn_enter(sdw_conn *c, sdw_conn_phase phase, double deadline)
{
    pthread_mutex_lock(&c->server->lock);
    c->phase = phase;
    c->deadline = deadline;
    if (phase == SDW_CONN_SEND || phase == SDW_CONN_STREAM) c->acked_at = c->quiet_since = sdw_clock_monotonic_s();
    pthread_mutex_unlock(&c->server->lock);
}

/* ---- sleeping and waking ---- */

static sdw_conn **list_of(sdw_server *s, const sdw_job_id *job)
{
    return job->text[0] ? &s->waiting[sdw_job_hash(job) % SDW_WAIT_LISTS] : &s->waiting[SDW_WAIT_LISTS];
}

/* Lock held. */
static void leave_list(sdw_conn *c)
{
    if (!c->link) return;
    *c->link = c->next;
    if (c->next) c->next->link = c->link;
    c->link = NULL;
    c->next = NULL;
}

void sdw_conn_wait_for(sdw_conn *c, sdw_conn_phase phase, const sdw_job_id *job)
{
    sdw_server *s = c->server;
    pthread_mutex_lock(&s->lock);
    leave_list(c);
    c->job = *job;
    c->job_hash = sdw_job_hash(job);
    sdw_conn **list = list_of(s, job);
    c->next = *list;
    c->link = list;
    if (*list) (*list)->link = &c->next;
    *list = c;
    c->phase = phase;
    c->deadline = 0;
    c->acked_at = c->quiet_since = sdw_clock_monotonic_s();
    pthread_mutex_unlock(&s->lock);
}

/* Lock held. */
static bool sleep_unless_news(sdw_conn *c)
{
    if (c->woken || c->gone || c->server->closing) return false;
    c->suspended = true;
    MHD_suspend_connection(c->mhd);
    return true;
}

bool sdw_conn_suspend(sdw_conn *c)
{
    pthread_mutex_lock(&c->server->lock);
    bool sleeps = sleep_unless_news(c);
    pthread_mutex_unlock(&c->server->lock);
    return sleeps;
}

sdw_conn_rest sdw_conn_rest_stream(sdw_conn *c, bool spoke)
{
    sdw_server *s = c->server;
    double now = sdw_clock_monotonic_s();
    pthread_mutex_lock(&s->lock);
    bool silent = !spoke && now - c->quiet_since >= s->o.limits.keep_alive_s;
    if (silent || spoke) c->quiet_since = now;
    sdw_conn_rest rest = silent ? SDW_CONN_SILENT : sleep_unless_news(c) ? SDW_CONN_SLEEPS : SDW_CONN_NEWS;
    pthread_mutex_unlock(&s->lock);
    return rest;
}

/* Whether the library has something to do now. */
static bool resume(sdw_conn *c)
{
    if (c->on_desk || !c->suspended) {
        c->woken = true;
        return false;
    }
    c->suspended = false;
    MHD_resume_connection(c->mhd);
    return true;
}

void sdw_conn_wake(sdw_conn *c)
{
    if (resume(c)) sdw_waker_nudge(c->server->waker); /* the library does not tell the loop */
}

/* A job of the same hash is woken with it: it looks and finds nothing. */
static void wake_list(sdw_conn *first, const uint32_t *only)
{
    for (sdw_conn *c = first; c; c = c->next)
        if (!only || c->job_hash == *only) (void)resume(c);
}

int sdw_conn_wake_all(sdw_server *s, const sdw_wakes *news)
{
    pthread_mutex_lock(&s->lock);
    if (news->all)
        for (int i = 0; i < SDW_WAIT_LISTS; i++) wake_list(s->waiting[i], NULL);
    else
        for (int i = 0; i < news->count; i++) wake_list(s->waiting[news->hash[i] % SDW_WAIT_LISTS], &news->hash[i]);
    if (news->all || news->count) wake_list(s->waiting[SDW_WAIT_LISTS], NULL);
    int streams = s->streams;
    pthread_mutex_unlock(&s->lock);
    return streams;
}

sdw_conn_news sdw_conn_look(sdw_conn *c)
{
    pthread_mutex_lock(&c->server->lock);
    sdw_conn_news news = { .gone = c->gone, .closing = c->server->closing };
    c->woken = false;
    pthread_mutex_unlock(&c->server->lock);
    return news;
}

void sdw_conn_exchange_began(sdw_conn *c, sdw_exchange *x)
{
    pthread_mutex_lock(&c->server->lock);
    c->exchange = x;
    c->server->exchanges++;
    if (c->phase == SDW_CONN_IDLE) {
        c->phase = SDW_CONN_HEAD;
        c->deadline = sdw_clock_monotonic_s() + c->server->o.limits.header_timeout_s;
    }
    pthread_mutex_unlock(&c->server->lock);
}

void sdw_conn_exchange_ended(sdw_conn *c)
{
    sdw_server *s = c->server;
    sdw_tcp_state tcp = { 0 };
    (void)sdw_tcp_look(c->fd, &tcp);
    pthread_mutex_lock(&s->lock);
    leave_list(c);
    c->exchange = NULL;
    c->phase = SDW_CONN_IDLE;
    c->deadline = sdw_clock_monotonic_s() + s->o.limits.idle_timeout_s;
    c->received = tcp.received;
    c->woken = c->gone = false;
    if (s->connections <= s->o.limits.connections_max - last_places(s)) c->in_last_places = false;
    s->exchanges--;
    pthread_cond_broadcast(&s->quiet);
    pthread_mutex_unlock(&s->lock);
}
