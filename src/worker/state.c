/* state.c - what the worker as a whole is doing, and its models. */
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "worker/worker_impl.h"

/* ---- state ---- */

static sdw_worker_phase phase_of(const sdw_worker *w)
{
    const sdw_model_entry *m = w->current;
    if (w->stopping) return SDW_WORKER_STOPPING;
    if (w->load_wanted || (w->unit_model && w->unit_model->loading)) return SDW_WORKER_LOADING;
    if (w->active_count || w->finishing) return SDW_WORKER_BUSY;
    if (m && m->loaded) return SDW_WORKER_IDLE;
    return w->load_error.status != SDW_OK ? SDW_WORKER_LOAD_FAILED : SDW_WORKER_NO_MODEL;
}

void sdw_worker_state_of(sdw_worker *w, sdw_worker_state *ret)
{
    *ret = (sdw_worker_state){ 0 };
    pthread_mutex_lock(&w->mutex);
    const sdw_model_entry *m = w->unit_model && w->unit_model->loading ? w->unit_model : w->load_wanted ? w->load_wanted : w->current;
    ret->phase = phase_of(w);
    if (m) {
        snprintf(ret->model_id, sizeof ret->model_id, "%s", m->id);
        ret->layers_loaded = m->layers_loaded;
        ret->layers_total = m->layers_total;
    }
    for (int i = 0; i < w->model_count; i++) ret->memory_bytes += w->model[i]->held;
    ret->queued = w->queued;
    ret->running = w->active_count + w->finishing;
    ret->slots = w->batch_max;
    ret->queue_max = w->queue_max;
    ret->steps_done = w->steps_done;
    ret->images_done = w->images_done;
    ret->pixels_done = w->pixels_done;
    ret->jobs_completed = w->jobs_completed;
    ret->jobs_failed = w->jobs_failed;
    ret->jobs_cancelled = w->jobs_cancelled;
    ret->load_error = w->load_error;
    pthread_mutex_unlock(&w->mutex);
}

void sdw_worker_stats_of(sdw_worker *w, sdw_worker_stats *ret)
{
    pthread_mutex_lock(&w->stats.mutex);
    *ret = w->stats.sum;
    pthread_mutex_unlock(&w->stats.mutex);
}

/* ---- description ---- */

struct sdw_worker_model_info {
    sdw_worker *worker;
    sdw_model_entry *entry;      /* held: what the description points to lives as long */
};

bool sdw_worker_model(sdw_worker *w, sdw_worker_model_info **ret)
{
    sdw_worker_model_info *m = sdw_calloc(1, sizeof *m);
    if (!m) return false;
    pthread_mutex_lock(&w->mutex);
    if (w->current && w->current->model) {
        m->worker = w;
        m->entry = w->current;
        m->entry->holders++;
    }
    pthread_mutex_unlock(&w->mutex);
    bool described = m->entry != NULL;
    if (described) *ret = m;
    else sdw_free(m);
    return described;
}

const sdw_model_info *sdw_worker_model_info_of(const sdw_worker_model_info *m)
{
    return m->worker->x->info(m->entry->model);
}

void sdw_worker_model_info_free(sdw_worker_model_info *m)
{
    if (!m) return;
    pthread_mutex_lock(&m->worker->mutex);
    sdw_worker_drop_model(m->worker, m->entry);
    pthread_mutex_unlock(&m->worker->mutex);
    sdw_free(m);
}

/* ---- loading ---- */

/* A new entry takes the place of an old one with the same id; jobs that hold the old one keep it. */
static sdw_status place(sdw_worker *w, sdw_model_entry *fresh, sdw_error *err)
{
    int i = 0;
    while (i < w->model_count && strcmp(w->model[i]->id, fresh->id) != 0) i++;
    if (i == SDW_MODELS_MAX) return sdw_fail(err, SDW_LIMIT, "models: %d are known, no more fit; restart to forget them", SDW_MODELS_MAX);
    if (i < w->model_count) sdw_worker_drop_model(w, w->model[i]);
    else w->model_count++;
    w->model[i] = fresh;
    return SDW_OK;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_options(const sdw_engine_options *a, const sdw_engine_options *b)
{
    return same_text(a->model, b->model) && same_text(a->config_dir, b->config_dir) && same_text(a->variant, b->variant) &&
           same_text(a->prediction, b->prediction) && same_text(a->isa, b->isa) &&
           same_text(a->precision, b->precision) && a->threads == b->threads && a->memory_limit == b->memory_limit;
}

/* Mutex held. */
static void want(sdw_worker *w, sdw_model_entry *m)
{
    sdw_worker_drop_model(w, w->current);
    sdw_worker_drop_model(w, w->load_wanted);
    w->current = m;
    w->load_wanted = m;
    m->holders += 2;
    m->unload_wanted = false;
    w->load_error = (sdw_error){ 0 };
    pthread_cond_signal(&w->engine_cond);
}

static sdw_status know(sdw_worker *w, const char *id, const sdw_engine_options *o, bool load, sdw_error *err)
{
    if (!o->model) return sdw_fail_field(err, SDW_INVALID, "model", "no model given, want a diffusers folder or a .safetensors file");
    if (strlen(id) >= SDW_MODEL_ID_MAX)
        return sdw_fail_field(err, SDW_INVALID, "model", "a model id of %zu bytes given, want less than %d", strlen(id), SDW_MODEL_ID_MAX);
    sdw_model_entry *fresh = sdw_model_entry_create(id, o);
    if (!fresh) return sdw_fail_memory(err, "model", sizeof *fresh);
    sdw_status status = SDW_OK;
    pthread_mutex_lock(&w->mutex);
    sdw_model_entry *known = sdw_worker_find_model(w, id);
    if (w->stopping) status = sdw_fail(err, SDW_CANCELLED, "the worker is shutting down");
    else if (!known || !same_options(&known->options, &fresh->options)) {
        status = place(w, fresh, err);
        known = status == SDW_OK ? fresh : NULL;
        if (known) fresh = NULL;
    }
    if (status == SDW_OK && load) want(w, known);
    pthread_mutex_unlock(&w->mutex);
    sdw_model_entry_free(fresh, w->x);
    if (status == SDW_OK) sdw_worker_wake(w, NULL);
    return status;
}

sdw_status sdw_worker_load(sdw_worker *w, const char *id, const sdw_engine_options *o, sdw_error *err)
{
    return know(w, id, o, true, err);
}

sdw_status sdw_worker_add_model(sdw_worker *w, const char *id, const sdw_engine_options *o, sdw_error *err)
{
    return know(w, id, o, false, err);
}

sdw_status sdw_worker_unload(sdw_worker *w, const char *id, sdw_error *err)
{
    pthread_mutex_lock(&w->mutex);
    sdw_model_entry *m = sdw_worker_find_model(w, id);
    if (m) {
        m->unload_wanted = true;
        if (w->load_wanted == m) {
            sdw_worker_drop_model(w, m);
            w->load_wanted = NULL;
        }
        pthread_cond_signal(&w->engine_cond);
    }
    pthread_mutex_unlock(&w->mutex);
    if (!m) return sdw_fail_field(err, SDW_NOT_FOUND, "model", "no model '%.200s' is known here", id);
    sdw_worker_wake(w, NULL);
    return SDW_OK;
}

const char *sdw_worker_model_status(sdw_worker *w, const char *id)
{
    pthread_mutex_lock(&w->mutex);
    const sdw_model_entry *m = sdw_worker_find_model(w, id);
    const char *status = !m ? NULL : m->loading || w->load_wanted == m ? "loading" : m->loaded ? "loaded" : "unloaded";
    pthread_mutex_unlock(&w->mutex);
    return status;
}
