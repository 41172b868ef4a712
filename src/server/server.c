/* server.c - start and stop. */
#include "server/impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"

/* The head (SDW_HEAD_BYTES_MAX), what the library notes about each header, and room for one chunk of an answer. */
#define POOL_BYTES ((size_t)26 << 10)
/* The library stops to accept at its own limit; ours lies below, so that it never gets there. */
#define SPARE_CONNECTIONS 16
/* Descriptors besides connections: model files, journal, log, pipes. */
#define SPARE_DESCRIPTORS 256

/* ---- options ---- */

static void fill_limits(sdw_server_limits *l)
{
#define FILL(type, name, standard, meaning) if (l->name <= 0) l->name = (type)(standard);
    SDW_SERVER_LIMIT_LIST(FILL)
#undef FILL
}

static bool copy_text(sdw_arena *arena, const char **text)
{
    if (!*text) return true;
    *text = sdw_arena_strdup(arena, *text);
    return *text != NULL;
}

static bool copy_list(sdw_arena *arena, const char *const **list)
{
    size_t n = 0;
    if (!*list) return true;
    while ((*list)[n]) n++;
    const char **own = sdw_arena_array(arena, n + 1, sizeof *own);
    for (size_t i = 0; own && i < n; i++) own[i] = (*list)[i];
    for (size_t i = 0; own && i < n; i++)
        if (!copy_text(arena, &own[i])) return false;
    *list = own;
    return own != NULL;
}

static sdw_status copy_options(sdw_server *s, const sdw_server_options *from, sdw_error *err)
{
    sdw_server_options *o = &s->o;
    *o = *from;
    fill_limits(&o->limits);
    const char **text[] = { &o->bind_addr, &o->api_key, &o->public_url, &o->model_id, &o->worker_id, &o->backend, &o->device,
                            &o->models_dir, &o->lora_dir, &o->ui_dir, &o->ui_frame_ancestors };
    bool ok = copy_list(&s->arena, &o->cors_origins) && copy_list(&s->arena, &o->allowed_hosts);
    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++) ok = ok && copy_text(&s->arena, text[i]);
    if (!ok) return sdw_fail_memory(err, "server options", s->arena.used);
    if (!o->bind_addr) o->bind_addr = "127.0.0.1";
    if (o->started_at <= 0) o->started_at = sdw_clock_monotonic_s();
    if (!o->backend) o->backend = "cpu";
    if (!o->device) o->device = "cpu:0";
    if (!o->routes) return sdw_fail(err, SDW_INVALID, "server: no routes given");
    return SDW_OK;
}

/* ---- start ---- */

static size_t keep_escaped(void *cls, struct MHD_Connection *mhd, char *text)
{
    (void)cls, (void)mhd;
    return strlen(text);
}

static void __attribute__((format(printf, 2, 0))) log_library(void *cls, const char *format, va_list args)
{
    char text[512];
    (void)cls;
    if (!sdw_log_wants(SDW_LOG_DEBUG)) return;
    vsnprintf(text, sizeof text, format, args);
    size_t size = strlen(text);
    while (size > 0 && text[size - 1] == '\n') text[--size] = '\0';
    sdw_log(SDW_LOG_DEBUG, text, "from", "http", NULL);
}

static void raise_descriptor_limit(int wanted)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur == RLIM_INFINITY || r.rlim_cur >= (rlim_t)wanted) return;
    r.rlim_cur = r.rlim_max == RLIM_INFINITY || r.rlim_max > (rlim_t)wanted ? (rlim_t)wanted : r.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &r);
}

static sdw_status start_library(sdw_server *s, sdw_error *err)
{
    unsigned most = (unsigned)(s->o.limits.connections_max + SPARE_CONNECTIONS);
    s->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, sdw_conn_accept, s, sdw_exchange_handle, s,
        MHD_OPTION_EXTERNAL_LOGGER, log_library, s, /* first, so that it hears of the others */
        MHD_OPTION_LISTEN_SOCKET, s->listener.fd, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        /* 0: what 1 refuses (no Host, blanks in the URL) we refuse ourselves; the library would send its head twice. */
        MHD_OPTION_STRICT_FOR_CLIENT, 0,
        MHD_OPTION_CONNECTION_LIMIT, most, MHD_OPTION_CONNECTION_MEMORY_LIMIT, POOL_BYTES,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escaped, s, MHD_OPTION_NOTIFY_CONNECTION, sdw_conn_notify, s,
        MHD_OPTION_URI_LOG_CALLBACK, sdw_exchange_begin, s, MHD_OPTION_NOTIFY_COMPLETED, sdw_exchange_end, s, MHD_OPTION_END);
    if (!s->daemon) return sdw_fail(err, SDW_IO, "the HTTP library did not start on %s", s->url);
    s->listener.fd = -1; /* the library's now */
    return SDW_OK;
}

static sdw_status start_threads(sdw_server *s, sdw_error *err)
{
    sdw_status status = sdw_desk_start(&s->desk, s->o.limits.desk_threads, err);
    if (status != SDW_OK) return status;
    if (pthread_create(&s->watchdog, NULL, sdw_watchdog_main, s) != 0)
        return sdw_fail(err, SDW_NO_MEMORY, "watchdog: the system gave no thread");
    s->watchdog_runs = true;
    return SDW_OK;
}

static sdw_status prepare(sdw_server *s, const sdw_server_options *o, sdw_error *err)
{
    sdw_status status = copy_options(s, o, err);
    if (status == SDW_OK) status = sdw_metrics_create(sdw_route_count(s->o.routes), &s->metrics, err);
    if (status != SDW_OK) return status;
    s->slots = s->o.limits.connections_max;
    s->slot = sdw_calloc((size_t)s->slots, sizeof *s->slot);
    s->waker = s->o.waker;
    if (!s->waker) s->waker = s->own_waker = sdw_waker_create();
    if (!s->slot || !s->waker) return sdw_fail_memory(err, "connection table", (size_t)s->slots * sizeof *s->slot);
    raise_descriptor_limit(s->o.limits.connections_max + SPARE_DESCRIPTORS);
    return SDW_OK;
}

static sdw_status listen_on(sdw_server *s, sdw_error *err)
{
    sdw_listener *l = &s->listener;
    sdw_status status = s->o.listen_fd > 0 ? sdw_listener_adopt(s->o.listen_fd, l, err)
                                           : sdw_listener_open(s->o.bind_addr, s->o.port, l, err);
    if (status != SDW_OK) return status;
    snprintf(s->url, sizeof s->url, "http://%s:%d", l->address, l->port);
    if (!s->o.worker_id) s->o.worker_id = sdw_arena_printf(&s->arena, "sd-worker-%d", l->port);
    sdw_access_rules_of(&s->o, l->loopback, &s->access);
    return s->o.worker_id ? SDW_OK : sdw_fail_memory(err, "server options", 32);
}

static void init_locks(sdw_server *s)
{
    pthread_condattr_t clock;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&s->quiet, &clock);
    pthread_cond_init(&s->round, &clock);
    pthread_condattr_destroy(&clock);
}

sdw_status sdw_server_start(const sdw_server_options *o, sdw_server **ret_server, sdw_error *err)
{
    sdw_server *s = sdw_calloc(1, sizeof *s);
    if (!s) return sdw_fail_memory(err, "server", sizeof *s);
    s->listener.fd = s->epoll_fd = -1;
    init_locks(s);
    sdw_status status = prepare(s, o, err);
    if (status == SDW_OK) status = listen_on(s, err);
    if (status == SDW_OK) status = start_threads(s, err);
    if (status == SDW_OK) status = start_library(s, err);
    if (status == SDW_OK) status = sdw_loop_start(s, err);
    if (status == SDW_OK) *ret_server = s;
    else sdw_server_stop(s, 0);
    return status;
}

/* ---- stop ---- */

static void wait_for_answers(sdw_server *s, double grace_s)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    long long ns = until.tv_nsec + (long long)(grace_s * 1e9);
    until.tv_sec += (time_t)(ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_mutex_lock(&s->lock);
    int late = 0;
    while (s->exchanges > 0 && !late) late = pthread_cond_timedwait(&s->quiet, &s->lock, &until);
    pthread_mutex_unlock(&s->lock);
}

/* The library must not be stopped while a connection is suspended: from here on none is. */
static void wake_for_good(sdw_server *s)
{
    pthread_mutex_lock(&s->lock);
    s->closing = true;
    for (int i = 0; i < s->slots; i++) {
        if (!s->slot[i]) continue;
        s->slot[i]->on_desk = false;
        sdw_conn_wake(s->slot[i]);
    }
    pthread_mutex_unlock(&s->lock);
}

static void stop_watchdog(sdw_server *s)
{
    if (!s->watchdog_runs) return;
    pthread_mutex_lock(&s->lock);
    s->watchdog_stop = true;
    pthread_cond_signal(&s->round);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->watchdog, NULL);
}

void sdw_server_stop(sdw_server *s, double grace_s)
{
    if (!s) return;
    sdw_server_drain(s);
    if (s->loop_runs) {
        atomic_store(&s->no_more_connections, true);
        sdw_waker_nudge(s->waker);
        wait_for_answers(s, grace_s);
    }
    stop_watchdog(s);
    sdw_desk_stop(&s->desk);
    sdw_loop_stop(s);
    if (s->daemon) {
        wake_for_good(s);
        MHD_stop_daemon(s->daemon);
    }
    if (s->listener.fd >= 0) close(s->listener.fd);
    sdw_waker_free(s->own_waker);
    sdw_metrics_free(s->metrics);
    sdw_free(s->slot);
    pthread_cond_destroy(&s->round);
    pthread_cond_destroy(&s->quiet);
    pthread_mutex_destroy(&s->lock);
    sdw_arena_finish(&s->arena);
    sdw_free(s);
}

/* ---- asking ---- */

int sdw_server_port(const sdw_server *s)
{
    return s->listener.port;
}

const char *sdw_server_url(const sdw_server *s)
{
    return s->url;
}

void sdw_server_drain(sdw_server *s)
{
    atomic_store(&s->draining, true);
}

bool sdw_server_draining(const sdw_server *s)
{
    return atomic_load(&s->draining);
}

sdw_worker *sdw_server_worker(const sdw_server *s)
{
    return s->o.worker;
}

const sdw_server_options *sdw_server_options_of(const sdw_server *s)
{
    return &s->o;
}

void sdw_server_wake(sdw_server *s, const sdw_job_id *id)
{
    sdw_waker_wake(s->waker, id);
}
