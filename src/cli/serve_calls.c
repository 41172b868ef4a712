/* serve_calls.c - see serve_calls.h. */
#include "cli/serve_calls.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "core/mem.h"
#include "hub/post.h"
#include "server/answer.h"
#include "server/json_out.h"

#define HEARTBEAT_S 30.0
#define FIRST_RETRY_S 1.0  /* doubled after each connection that fails, up to the usual pause */
#define TIMEOUT_S 5.0
#define CALLBACK_TRIES 3

struct sdw_serve_calls {
    const sdw_serve_config *config;
    sdw_server *server;
    char heartbeat_url[1024];
    pthread_t threads[2];
    bool runs[2];
    pthread_mutex_t mutex;
    pthread_cond_t changed;    /* stop, ready, done */
    bool stop, ready;          /* guarded by mutex */
    int done;                  /* threads that have ended; guarded by mutex */
};

/* Waits that long or until told to stop; false: stop. */
static bool pause_for(sdw_serve_calls *c, double seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)seconds;
    until.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
    if (until.tv_nsec >= 1000000000L) until.tv_sec++, until.tv_nsec -= 1000000000L;
    pthread_mutex_lock(&c->mutex);
    while (!c->stop && pthread_cond_timedwait(&c->changed, &c->mutex, &until) == 0) { }
    bool go_on = !c->stop;
    pthread_mutex_unlock(&c->mutex);
    return go_on;
}

static void ended(sdw_serve_calls *c)
{
    pthread_mutex_lock(&c->mutex);
    c->done++;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->mutex);
}

/* ---- heartbeat ---- */

static bool write_heartbeat(sdw_serve_calls *c, sdw_buf *out)
{
    sdw_worker_state state;
    char now[SDW_RFC3339_SIZE];
    sdw_worker_state_of(sdw_server_worker(c->server), &state);
    sdw_rfc3339(sdw_clock_wall_ns(), SDW_ZONE_Z, now);
    sdw_json_open(out, '{');
    sdw_json_key(out, "worker");
    sdw_write_worker_info(c->server, &state, out);
    sdw_json_put_text(out, "timestamp", now);
    sdw_json_close(out, '}');
    return !out->failed;
}

static void log_failure(const char *sentence, const char *detail)
{
    char text[SDW_ERROR_TEXT_MAX + 64];
    snprintf(text, sizeof text, "%s: %s", sentence, detail);
    sdw_log(SDW_LOG_WARNING, text, NULL);
}

/* False: the connection failed. A 200 proves nothing: a page may answer every address. */
static bool beat(sdw_serve_calls *c, bool *told_odd)
{
    sdw_buf body = { 0 };
    sdw_post_answer answer = { 0 };
    sdw_error err = { 0 };
    char odd[64];
    sdw_status s = SDW_NO_MEMORY;
    if (write_heartbeat(c, &body)) s = sdw_post_json(c->heartbeat_url, body.data, TIMEOUT_S, &answer, &err);
    sdw_buf_finish(&body);
    if (s != SDW_OK) {
        log_failure("Failed to send heartbeat", err.text[0] ? err.text : "no memory");
        return false;
    }
    if (answer.status / 100 == 2 && answer.json) return true;
    snprintf(odd, sizeof odd, "status %d, %s", answer.status, answer.json ? "JSON" : "not JSON");
    if (answer.status / 100 != 2) log_failure("Failed to send heartbeat", odd);
    else if (!*told_odd) log_failure("The heartbeat's receiver answers as if it knew none", odd);
    *told_odd = true;
    return true;
}

static void *heartbeat(void *ctx)
{
    sdw_serve_calls *c = ctx;
    double wait = FIRST_RETRY_S;
    bool told_odd = false;
    do {
        if (beat(c, &told_odd)) wait = HEARTBEAT_S;
        else wait = wait >= HEARTBEAT_S ? FIRST_RETRY_S * 2 : wait * 2;
        if (wait > HEARTBEAT_S) wait = HEARTBEAT_S;
    } while (pause_for(c, wait));
    ended(c);
    return NULL;
}

/* ---- ready callback ---- */

static bool write_callback(const sdw_serve_calls *c, sdw_buf *out)
{
    char id[64], url[64];
    const sdw_serve_config *o = c->config;
    snprintf(url, sizeof url, "http://localhost:%d", sdw_server_port(c->server));
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "worker_id", sdw_server_worker_id(c->server, id));
    sdw_json_put_text(out, "url", o->server.public_url ? o->server.public_url : url);
    sdw_json_put_text(out, "model_ref", o->model.ref);
    sdw_json_put_text(out, "backend", o->server.backend);
    sdw_json_put_int(out, "device", o->device_index);
    sdw_json_close(out, '}');
    return !out->failed;
}

static bool wait_ready(sdw_serve_calls *c)
{
    pthread_mutex_lock(&c->mutex);
    while (!c->stop && !c->ready) pthread_cond_wait(&c->changed, &c->mutex);
    bool go_on = !c->stop;
    pthread_mutex_unlock(&c->mutex);
    return go_on;
}

static void *callback(void *ctx)
{
    sdw_serve_calls *c = ctx;
    sdw_buf body = { 0 };
    bool done = !wait_ready(c) || !write_callback(c, &body);
    for (int i = 0; !done && i < CALLBACK_TRIES; i++) {
        sdw_post_answer answer = { 0 };
        sdw_error err = { 0 };
        char status[32];
        if (i > 0 && !pause_for(c, (double)i)) break;
        sdw_status s = sdw_post_json(c->config->callback_url, body.data, TIMEOUT_S, &answer, &err);
        done = s == SDW_OK && answer.status / 100 == 2;
        snprintf(status, sizeof status, "status %d", answer.status);
        if (!done) log_failure("The ready callback failed", s == SDW_OK ? status : err.text);
    }
    sdw_buf_finish(&body);
    ended(c);
    return NULL;
}

/* ---- start and stop ---- */

static sdw_status run(sdw_serve_calls *c, int i, void *(*body)(void *), sdw_error *err)
{
    if (pthread_create(&c->threads[i], NULL, body, c) != 0)
        return sdw_fail(err, SDW_NO_MEMORY, "the system gave no thread for reports to an orchestrator");
    c->runs[i] = true;
    return SDW_OK;
}

static void init_waiting(sdw_serve_calls *c)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&c->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&c->mutex, NULL);
}

sdw_status sdw_serve_calls_start(const sdw_serve_config *o, sdw_server *server, sdw_serve_calls **ret, sdw_error *err)
{
    *ret = NULL;
    if (!o->queen_url && !o->callback_url) return SDW_OK;
    sdw_serve_calls *c = sdw_calloc(1, sizeof *c);
    if (!c) return sdw_fail_memory(err, "reports to an orchestrator", sizeof *c);
    c->config = o;
    c->server = server;
    init_waiting(c);
    sdw_status s = SDW_OK;
    if (o->queen_url) {
        size_t n = strlen(o->queen_url);
        while (n && o->queen_url[n - 1] == '/') n--;
        snprintf(c->heartbeat_url, sizeof c->heartbeat_url, "%.*s/v1/worker-heartbeat", (int)(n < 900 ? n : 900), o->queen_url);
        s = run(c, 0, heartbeat, err);
    }
    if (s == SDW_OK && o->callback_url) s = run(c, 1, callback, err);
    if (s == SDW_OK) *ret = c;
    else sdw_serve_calls_stop(c, TIMEOUT_S + 1);
    return s;
}

void sdw_serve_calls_ready(sdw_serve_calls *c)
{
    if (!c) return;
    pthread_mutex_lock(&c->mutex);
    c->ready = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->mutex);
}

void sdw_serve_calls_stop(sdw_serve_calls *c, double wait_s)
{
    if (!c) return;
    double until = sdw_clock_monotonic_s() + wait_s;
    const struct timespec slice = { .tv_nsec = 5000000 };
    int running = c->runs[0] + c->runs[1];
    pthread_mutex_lock(&c->mutex);
    c->stop = true;
    pthread_cond_broadcast(&c->changed);
    while (c->done < running && sdw_clock_monotonic_s() < until) {
        pthread_mutex_unlock(&c->mutex);
        nanosleep(&slice, NULL);
        pthread_mutex_lock(&c->mutex);
    }
    bool all = c->done == running;
    pthread_mutex_unlock(&c->mutex);
    if (!all) { /* one of them still waits for an answer; it goes with the process, and what it uses stays */
        for (int i = 0; i < 2; i++)
            if (c->runs[i]) pthread_detach(c->threads[i]);
        return;
    }
    for (int i = 0; i < 2; i++)
        if (c->runs[i]) pthread_join(c->threads[i], NULL);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->mutex);
    sdw_free(c);
}
