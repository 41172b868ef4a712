/* serve_run.c - see serve_run.h. The main thread waits for signals and looks at the worker several times a second; the
 * server, the worker and the reports to an orchestrator have threads of their own.
 *
 * Stopping: readers are told, jobs stop between two operations, everything is joined. One operation of a large model can
 * take longer than the two seconds that supervisors give. Then its jobs are told to have ended all the same, and the process
 * ends without the threads that are inside: the journal is complete, and nothing else is left to write. A timer does that if
 * even the telling takes too long. */
#include "cli/serve_run.h"

#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/places.h"
#include "cli/serve_calls.h"
#include "core/clock.h"
#include "core/mem.h"
#include "server/loading.h"
#include "server/models.h"
#include "server/readers.h"
#include "server/sdapi_settings.h"
#include "server/systemd.h"

#define LOOK_MS 100            /* between two looks at signals and state */
#define STOP_S 1.8             /* from the signal to the end of the process, at the latest */
#define STOP_JOBS_S 1.0        /* of these, for jobs to stop between two operations */
#define STOP_CALLS_S 0.2       /* for reports that are under way */
#define STOP_STREAMS_S 0.4     /* and for the last events to reach their readers */
#define SHUTDOWN_DELAY_S 0.5   /* after POST /v1/shutdown */

extern char **environ;

typedef struct service {
    sdw_serve_config config;
    sdw_waker *waker;
    sdw_worker *worker;
    sdw_server *server;
    sdw_readers *readers;
    sdw_loading *loading;
    sdw_sdapi_settings *sdapi;
    sdw_cli_places places;
    sdw_models *models;
    sdw_serve_calls *calls;
    sdw_systemd systemd;
    sigset_t signals;
    bool loaded;               /* the first model was loaded once */
    _Atomic int64_t shutdown_ns; /* when POST /v1/shutdown takes effect; 0 = never */
} service;

/* ---- log ---- */

static void log_worker(void *ctx, int level, const sdw_job_id *id, const char *sentence)
{
    (void)ctx;
    sdw_log((sdw_log_level)level, sentence, "job", id ? id->text : NULL, NULL);
}

static void log_warnings(const service *s, const sdw_cli_options *o)
{
    const char *bind = s->config.server.bind_addr, *key = s->config.server.api_key;
    bool loopback = !bind || !strncmp(bind, "127.", 4) || !strcmp(bind, "::1") || !strcmp(bind, "localhost");
    if (!loopback && (!key || !*key))
        sdw_log(SDW_LOG_WARNING, "everybody who reaches this address may use the worker: set a key (--api-key-file)", "address", bind, NULL);
    const char *precision = s->config.worker.engine.precision;
    if (sdw_cli_on(o, "use-f16") && precision && strcmp(precision, "auto") != 0)
        sdw_log(SDW_LOG_WARNING, "--use-f16: not used, --precision says which arithmetic is wanted", "precision", precision, NULL);
    const char *argv_key = sdw_cli_value(o, "api-key");
    if (argv_key && !o->origin[sdw_cli_find(o, "api-key")])
        sdw_log(SDW_LOG_WARNING, "--api-key: others on this machine can read command lines; prefer --api-key-file or the environment", NULL);
}

/* ---- start ---- */

static void on_shutdown(void *ctx)
{
    service *s = ctx;
    atomic_store(&s->shutdown_ns, sdw_clock_monotonic_ns() + (int64_t)(SHUTDOWN_DELAY_S * 1e9));
}

static void open_browser(const char *url)
{
    static const char *const programs[] = { "xdg-open", "open" };
    pid_t pid;
    for (int i = 0; i < 2; i++) {
        char *argv[] = { (char *)programs[i], (char *)url, NULL };
        if (posix_spawnp(&pid, programs[i], NULL, NULL, argv, environ) == 0) return;
    }
    sdw_log(SDW_LOG_WARNING, "--open: no program to open a page with was found", NULL);
}

/* The models of this machine, which requests may name and the routes of /v1/models change. */
static sdw_status start_models(service *s, sdw_error *err)
{
    sdw_serve_config *c = &s->config;
    sdw_status status = sdw_cli_places_read(&s->places, err);
    if (status != SDW_OK) return status;
    s->places.places.given = c->folders;
    while (c->folders[s->places.places.given_count]) s->places.places.given_count++;
    const sdw_models_options o = { .worker = s->worker, .waker = s->waker, .loading = s->loading, .settings = &s->places.settings,
                                   .places = s->places.places, .engine = c->worker.engine, .first_id = c->model.id };
    return sdw_models_create(&o, &s->models, err);
}

static sdw_status start(service *s, const sdw_executor *executor, sdw_error *err)
{
    sdw_serve_config *c = &s->config;
    s->waker = sdw_waker_create();
    s->loading = sdw_loading_create();
    if (c->server.cancel_on_disconnect) s->readers = sdw_readers_create();
    if (!s->waker || !s->loading || (c->server.cancel_on_disconnect && !s->readers)) return sdw_fail_memory(err, "service", 0);
    c->worker.executor = executor;
    c->worker.wake = sdw_waker_wake;
    c->worker.wake_ctx = s->waker;
    c->worker.log = log_worker;
    c->worker.find = sdw_serve_find;
    c->worker.find_ctx = &c->model;
    c->model.loading = s->loading;
    c->model.waker = s->waker;
    sdw_status status = sdw_worker_open(&c->worker, &s->worker, err);
    if (status == SDW_OK) status = start_models(s, err);
    if (status != SDW_OK) return status;
    s->sdapi = sdw_sdapi_settings_create();
    c->server.models = s->models;
    c->server.sdapi = s->sdapi;
    c->server.worker = s->worker;
    c->server.waker = s->waker;
    c->server.routes = sdw_server_routes;
    c->server.readers = s->readers;
    c->server.loading = s->loading;
    c->server.shutdown = on_shutdown;
    c->server.shutdown_ctx = s;
    status = sdw_server_start(&c->server, &s->server, err);
    if (status != SDW_OK) return status;
    char line[300];
    snprintf(line, sizeof line, "listening on %.250s", sdw_server_url(s->server));
    sdw_log(SDW_LOG_INFO, line, "model", c->model.id, "device", c->device, NULL);
    if (c->open_browser) open_browser(sdw_server_url(s->server));
    return sdw_serve_calls_start(c, s->server, &s->calls, err);
}

/* ---- run ---- */

/* The next signal within LOOK_MS; 0 = none. SIGHUP is dealt with here. */
static int next_signal(service *s)
{
    const struct timespec look = { .tv_nsec = LOOK_MS * 1000000L };
    int number = sigtimedwait(&s->signals, NULL, &look);
    if (number == SIGHUP) sdw_log_reopen();
    if (number == SIGTERM || number == SIGINT) return number;
    int64_t at = atomic_load(&s->shutdown_ns);
    return at && sdw_clock_monotonic_ns() >= at ? SIGTERM : 0;
}

/* SDW_OK: a signal ended it. Otherwise the first model could not be loaded. */
static sdw_status run(service *s, sdw_error *err)
{
    for (;;) {
        sdw_worker_state state;
        if (next_signal(s)) return SDW_OK;
        sdw_readers_tick(s->readers, s->worker, sdw_clock_monotonic_s());
        sdw_worker_state_of(s->worker, &state);
        sdw_systemd_look(&s->systemd, &state, sdw_clock_monotonic_s());
        if (s->loaded) continue;
        if (state.phase == SDW_WORKER_LOAD_FAILED) {
            *err = state.load_error;
            err->field[0] = '\0';
            return state.load_error.status;
        }
        s->loaded = state.phase == SDW_WORKER_IDLE || state.phase == SDW_WORKER_BUSY;
        if (s->loaded) sdw_serve_calls_ready(s->calls);
    }
}

/* ---- stop ---- */

static void on_alarm(int number)
{
    (void)number;
    _exit(SDW_EXIT_OK);
}

static void arm_end(double seconds)
{
    struct sigaction act;
    const struct itimerval timer = { .it_value = { .tv_sec = (time_t)seconds,
                                                   .tv_usec = (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6) } };
    memset(&act, 0, sizeof act);
    act.sa_handler = on_alarm;
    sigemptyset(&act.sa_mask);
    sigaction(SIGALRM, &act, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

static bool wait_stopped(service *s, double seconds)
{
    const struct timespec slice = { .tv_nsec = 5000000 };
    double until = sdw_clock_monotonic_s() + seconds;
    while (!sdw_worker_stopped(s->worker) && sdw_clock_monotonic_s() < until) nanosleep(&slice, NULL);
    return sdw_worker_stopped(s->worker);
}

/* Running jobs get their time; a second signal ends it. */
static void drain(service *s)
{
    double until = sdw_clock_monotonic_s() + s->config.drain_s;
    sdw_worker_stop(s->worker, SDW_STOP_DRAIN);
    while (!sdw_worker_stopped(s->worker) && sdw_clock_monotonic_s() < until) {
        sdw_worker_state state;
        sdw_worker_state_of(s->worker, &state);
        sdw_systemd_look(&s->systemd, &state, sdw_clock_monotonic_s());
        atomic_store(&s->shutdown_ns, 0);
        if (next_signal(s)) return;
    }
}

static void stop_service(service *s)
{
    sdw_log(SDW_LOG_INFO, s->config.drain_s > 0 ? "stopping, running jobs may go on for a while" : "stopping", NULL);
    sdw_systemd_stopping(&s->systemd, s->config.drain_s);
    sdw_server_drain(s->server);
    if (s->config.drain_s > 0) drain(s);
    arm_end(STOP_S);
    atomic_store(&s->config.model.stopping, true);
    sdw_worker_stop(s->worker, SDW_STOP_NOW);
    bool stopped = wait_stopped(s, STOP_JOBS_S);
    if (!stopped) sdw_worker_abandon(s->worker);
    sdw_serve_calls_stop(s->calls, STOP_CALLS_S);
    sdw_server_stop(s->server, STOP_STREAMS_S);
    s->server = NULL;
    if (!stopped) {
        sdw_log(SDW_LOG_WARNING, "an operation did not end in time, stopped without it", NULL);
        _exit(SDW_EXIT_OK);
    }
    sdw_models_free(s->models);
    s->models = NULL;
    sdw_worker_close(s->worker);
    s->worker = NULL;
}

/* The model cannot be loaded: jobs that wait for it fail, their readers hear of it, then the process ends. */
static void give_up(service *s)
{
    atomic_store(&s->config.model.stopping, true);
    sdw_server_drain(s->server);
    (void)wait_stopped(s, STOP_STREAMS_S);
    sdw_serve_calls_stop(s->calls, STOP_STREAMS_S);
    sdw_server_stop(s->server, STOP_S);
    sdw_models_free(s->models);
    sdw_worker_close(s->worker);
}

static void finish(service *s)
{
    sdw_serve_config_finish(&s->config);
    sdw_systemd_close(&s->systemd);
    sdw_waker_free(s->waker);
    sdw_readers_free(s->readers);
    sdw_loading_free(s->loading);
    sdw_sdapi_settings_free(s->sdapi);
    sdw_cli_places_finish(&s->places);
    sdw_log_close();
}

/* ---- the whole ---- */

/* Before any thread is made, so that all of them inherit it. */
static void block_signals(service *s)
{
    sigemptyset(&s->signals);
    sigaddset(&s->signals, SIGTERM);
    sigaddset(&s->signals, SIGINT);
    sigaddset(&s->signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &s->signals, NULL);
}

int sdw_serve_main(sdw_cli_options *o, const sdw_executor *executor)
{
    static service s; /* options and texts that threads may still read while the process ends */
    sdw_error err = { 0 };
    s.config.server.started_at = sdw_clock_monotonic_s();
    sdw_status status = sdw_serve_configure(o, &s.config, &err);
    if (status == SDW_OK) status = sdw_log_open(&s.config.log, &err);
    if (status == SDW_OK) status = sdw_systemd_open(&s.systemd, &err);
    s.config.server.listen_fd = s.systemd.listen_fd;
    if (status != SDW_OK) {
        finish(&s);
        return sdw_cli_fail(&err);
    }
    block_signals(&s);
    log_warnings(&s, o);
    bool started = false;
    status = start(&s, executor, &err);
    if (status == SDW_OK) started = true, status = run(&s, &err);
    if (status == SDW_OK) stop_service(&s);
    else if (started) give_up(&s);
    else sdw_server_stop(s.server, 0), sdw_models_free(s.models), sdw_worker_close(s.worker);
    finish(&s);
    if (status == SDW_OK) return SDW_EXIT_OK;
    err.status = err.status == SDW_INVALID ? SDW_FORMAT : err.status; /* past the options, nothing is a usage error */
    err.field[0] = '\0';
    sdw_cli_fail(&err);
    return SDW_EXIT_FAILURE;
}
