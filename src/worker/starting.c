/* starting.c - from the queue to the engine: the checks that need the model, room for what the job will tell. */
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "worker/engine_thread.h"
#include "worker/keeping.h"

static void on_warning(void *ctx, const char *sentence)
{
    sdw_worker *w = ctx;
    if (w->heard) sdw_worker_narrate(w, w->heard, "warning", "%s", sentence);
}

static sdw_status check_cost(sdw_worker *w, const sdw_ticket *t, sdw_exec_cost *ret, sdw_error *err)
{
    sdw_status status = w->x->cost(t->entry->model, &t->resolved, ret, err);
    uint64_t limit = w->x->memory_limit(t->entry->model);
    if (status != SDW_OK || ret->total <= limit) return status;
    return sdw_fail(err, SDW_INVALID, "%d x %d needs %llu bytes of memory, the limit is %llu", t->resolved.width, t->resolved.height,
                    (unsigned long long)ret->total, (unsigned long long)limit);
}

/* Room for every step, preview and sentence, so that telling never allocates. */
static bool reserve_events(sdw_worker *w, sdw_ticket *t)
{
    int capacity = SDW_NARRATIONS_MAX + SDW_EVENT_ENDS + SDW_PREVIEWS_KEPT + t->resolved.steps * t->resolved.count;
    sdw_event *fresh = sdw_event_array(capacity);
    if (!fresh) return false;
    pthread_mutex_lock(&w->mutex);
    sdw_event *old = sdw_event_list_grow(&t->events, fresh, capacity);
    pthread_mutex_unlock(&w->mutex);
    sdw_free(old);
    return true;
}

static void show_params(sdw_worker *w, sdw_ticket *t)
{
    sdw_blob *json = sdw_ticket_params_json(t, &t->resolved);
    if (!json) return; /* the request as given stays to be seen */
    pthread_mutex_lock(&w->mutex);
    sdw_blob *old = t->params_json;
    t->params_json = json;
    pthread_mutex_unlock(&w->mutex);
    sdw_blob_unref(old);
}

static sdw_status prepare(sdw_worker *w, sdw_ticket *t, sdw_error *err)
{
    sdw_exec_cost cost;
    w->heard = t;
    sdw_status status = w->x->resolve(t->entry->model, &t->params, &t->resolved, NULL, err);
    if (status == SDW_OK) status = check_cost(w, t, &cost, err);
    if (status == SDW_OK && !reserve_events(w, t)) status = sdw_fail_memory(err, "events", 0);
    if (status != SDW_OK) return status;
    show_params(w, t);
    sdw_worker_narrate(w, t, "generation_start", "Generating %d picture%s of %d x %d in %d steps", t->resolved.count, t->resolved.count == 1 ? "" : "s",
                       t->resolved.width, t->resolved.height, t->resolved.steps);
    if (t->params.init_image && !t->params.width && !t->params.height && !t->resolved.inpaint_full_res &&
        (t->params.init_image->width != t->resolved.width || t->params.init_image->height != t->resolved.height))
        sdw_worker_narrate(w, t, "warning", "the input picture of %d x %d is scaled to %d x %d", t->params.init_image->width, t->params.init_image->height,
                           t->resolved.width, t->resolved.height);
    if (cost.tokens > 77 && !t->resolved.truncate)
        sdw_worker_narrate(w, t, "warning", "the prompt is longer than 75 tokens and is encoded in %d chunks", cost.tokens / 77);
    return w->x->job_create(t->entry->model, &t->resolved, on_warning, w, &t->run, err);
}

/* From the queue to the active ones; false if it was cancelled meanwhile. */
static bool enter(sdw_worker *w, sdw_ticket *t)
{
    pthread_mutex_lock(&w->mutex);
    bool queued = t->in_queue;
    if (queued) {
        sdw_worker_dequeue(w, t);
        t->active = true;
        t->status = SDW_JOB_RUNNING;
        t->started = sdw_clock_monotonic_s();
        t->started_at = sdw_clock_wall_s();
        t->deadline = t->timeout > 0 ? t->started + t->timeout : 0;
        t->slots = t->params.count > 0 ? t->params.count : 1;
        t->served = 0; /* first of all: its prompt, so that it joins the next evaluation */
        t->entry->running++;
        t->entry->last_use = ++w->uses;
        w->active[w->active_count++] = t;
        w->active_pictures += t->slots;
        pthread_cond_signal(&w->desk_cond); /* watches deadlines */
    }
    pthread_mutex_unlock(&w->mutex);
    return queued;
}

void sdw_engine_start(sdw_worker *w, sdw_ticket *t)
{
    sdw_error err = { 0 };
    if (!enter(w, t)) {
        pthread_mutex_lock(&w->mutex);
        sdw_worker_drop(w, t);
        pthread_mutex_unlock(&w->mutex);
        return;
    }
    sdw_keeping_started(w, t);
    if (!t->waited_for_model) sdw_stats_hits(&w->stats, SDW_CACHE_MODEL, 1);
    sdw_worker_wake(w, &t->id);
    sdw_worker_wake(w, NULL);
    if (t->model_hash[0] && t->entry->fingerprint[0] && strcmp(t->model_hash, t->entry->fingerprint) != 0) {
        sdw_engine_fail(w, t, "MODEL_CHANGED", "the model's files or its precision are not those that the job was accepted for");
        return;
    }
    sdw_status status = prepare(w, t, &err);
    if (status != SDW_OK) {
        sdw_engine_fail(w, t, sdw_worker_code(status), err.text);
        return;
    }
    sdw_exec_state s;
    w->x->job_state(t->run, &s);
    pthread_mutex_lock(&w->mutex);
    t->total = s.total;
    t->pictures = t->resolved.count;
    pthread_mutex_unlock(&w->mutex);
}

