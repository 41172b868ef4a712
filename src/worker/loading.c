/* loading.c - models into memory and out of it, on the engine thread. */
#include <limits.h>
#include <string.h>

#include "core/clock.h"
#include "worker/engine_thread.h"
#include "worker/keeping.h"

static uint64_t weight_bytes(const sdw_executor *x, const sdw_exec_model *m)
{
    const sdw_model_info *info = x->info(m);
    uint64_t bytes = 0;
    for (int i = 0; i < info->part_count; i++) bytes += info->parts[i].packed_bytes;
    return bytes;
}

void sdw_engine_unload_model(sdw_worker *w, sdw_model_entry *m)
{
    if (m->model) w->x->unload(m->model);
    pthread_mutex_lock(&w->mutex);
    bool was = m->loaded;
    m->loaded = m->unload_wanted = false;
    m->layers_loaded = 0;
    m->held = m->model ? w->x->held(m->model) : 0;
    pthread_mutex_unlock(&w->mutex);
    if (was) sdw_worker_log(w, 2, NULL, "model %s unloaded", m->id);
    sdw_worker_wake(w, NULL);
}

/* The least recently used of the loaded ones other than m. */
static sdw_model_entry *to_evict(sdw_worker *w, const sdw_model_entry *m, uint64_t *ret_held)
{
    sdw_model_entry *oldest = NULL;
    *ret_held = 0;
    pthread_mutex_lock(&w->mutex);
    for (int i = 0; i < w->model_count; i++) {
        sdw_model_entry *o = w->model[i];
        if (o == m || !o->loaded) continue;
        *ret_held += o->held;
        if (!oldest || o->last_use < oldest->last_use) oldest = o;
    }
    pthread_mutex_unlock(&w->mutex);
    return oldest;
}

static void make_room(sdw_worker *w, sdw_model_entry *m)
{
    uint64_t held, weights = weight_bytes(w->x, m->model), limit = w->x->memory_limit(m->model);
    sdw_model_entry *o;
    while ((o = to_evict(w, m, &held)) && (held > limit || weights + weights / 2 > limit - held)) sdw_engine_unload_model(w, o); /* half as much again to work in */
}

typedef struct load_watch {
    sdw_worker *w;
    sdw_model_entry *m;
} load_watch;

static bool on_loading(void *ctx, int done, int total)
{
    load_watch *l = ctx;
    pthread_mutex_lock(&l->w->mutex);
    l->m->layers_loaded = done;
    l->m->layers_total = total;
    bool go_on = !l->w->stop_now;
    pthread_mutex_unlock(&l->w->mutex);
    sdw_worker_wake(l->w, NULL);
    return go_on;
}

static void log_warning(void *ctx, const char *sentence)
{
    sdw_worker_log(ctx, 1, NULL, "%s", sentence);
}

static sdw_status open_and_pack(sdw_worker *w, sdw_model_entry *m, sdw_error *err)
{
    sdw_status status = SDW_OK;
    if (!m->model) { /* only this thread sets it */
        sdw_engine_options o = m->options;
        sdw_exec_model *model;
        char path[PATH_MAX];
        o.warn = log_warning;
        o.warn_ctx = w;
        if (w->find) {
            status = w->find(w->find_ctx, m->options.model, path, sizeof path, err);
            o.model = path;
        }
        if (status == SDW_OK) status = w->x->open(&o, &model, err);
        if (status != SDW_OK) return status;
        char fingerprint[SDW_DIGEST_HEX_SIZE];
        o.precision = w->x->info(model)->precision; /* what "auto" and the environment came to */
        sdw_keeping_fingerprint(w, &o, fingerprint);
        pthread_mutex_lock(&w->mutex);
        memcpy(m->fingerprint, fingerprint, sizeof m->fingerprint);
        m->precision = o.precision;
        m->model = model;
        if (w->stop_now) w->x->cancel(model, true);
        pthread_mutex_unlock(&w->mutex);
        sdw_worker_wake(w, NULL);
    }
    make_room(w, m);
    load_watch l = { w, m };
    status = w->x->load(m->model, on_loading, &l, err);
    if (status != SDW_OK) w->x->unload(m->model);
    return status;
}

/* Every queued job that wants this model fails: it would only load again in vain. */
static void fail_waiting(sdw_worker *w, sdw_model_entry *m, const char *message)
{
    for (;;) {
        pthread_mutex_lock(&w->mutex);
        sdw_ticket *t = w->queue;
        while (t && t->entry != m) t = t->next;
        if (t) {
            sdw_worker_dequeue(w, t);
            sdw_worker_hold(t);
            w->finishing++;
        }
        pthread_mutex_unlock(&w->mutex);
        if (!t) return;
        sdw_worker_fail(w, t, "MODEL_LOAD_FAILED", message);
        sdw_engine_release(w, t);
    }
}

void sdw_engine_load_model(sdw_worker *w, sdw_model_entry *m, sdw_ticket *waiting)
{
    sdw_error err = { 0 };
    pthread_mutex_lock(&w->mutex);
    m->loading = true;
    m->last_use = ++w->uses;
    pthread_mutex_unlock(&w->mutex);
    sdw_unit_begin(w, m, NULL, 0);
    sdw_worker_log(w, 2, NULL, "model %s: loading", m->id);
    if (waiting) {
        waiting->waited_for_model = true;
        sdw_worker_narrate(w, waiting, "model_loading_start", "Loading model %s", m->id);
    }
    sdw_worker_wake(w, NULL);
    double start = sdw_clock_monotonic_s();
    sdw_status status = open_and_pack(w, m, &err);
    sdw_unit_end(w);
    pthread_mutex_lock(&w->mutex);
    m->loading = false;
    m->loaded = status == SDW_OK;
    m->held = m->model ? w->x->held(m->model) : 0;
    if (status != SDW_OK) w->load_error = err;
    else w->load_error = (sdw_error){ 0 };
    bool stopping = w->stopping;
    pthread_mutex_unlock(&w->mutex);
    if (status == SDW_OK) {
        sdw_stats_stage(&w->stats, SDW_STAGE_LOAD, sdw_clock_monotonic_s() - start);
        sdw_worker_log(w, 2, NULL, "model %s: loaded in %.2f s", m->id, sdw_clock_monotonic_s() - start);
        if (waiting) sdw_worker_narrate(w, waiting, "model_loading_complete", "Model %s loaded in %.2f s", m->id, sdw_clock_monotonic_s() - start);
    } else if (!stopping) {
        sdw_worker_log(w, 0, NULL, "model %s: %s", m->id, err.text);
        fail_waiting(w, m, err.text);
    }
    sdw_worker_wake(w, NULL);
}

