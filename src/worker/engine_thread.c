/* engine_thread.c - whose turn it is: the one thread that owns models and running jobs.
 *
 * It asks for the next thing to do under the mutex (next), and does it without. A turn is one unit of work: a prompt
 * encoding, a slice of a picture's way in or out, or one model evaluation that all jobs of one key share. Who waited
 * longest comes first, so a long decode and other jobs' steps alternate. */
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "worker/engine_thread.h"

typedef enum action_kind { ACT_EXIT, ACT_CLOSE_MODEL, ACT_END, ACT_UNLOAD, ACT_LOAD, ACT_NO_MODEL, ACT_START, ACT_TURN } action_kind;

typedef struct action {
    action_kind kind;
    sdw_ticket *ticket;          /* END, START, TURN; LOAD: who waits for it, or NULL */
    sdw_model_entry *entry;      /* CLOSE_MODEL, UNLOAD, LOAD (held) */
} action;

/* ---- what is next; the mutex is held ---- */

static sdw_ticket *to_end(sdw_worker *w)
{
    double now = sdw_clock_monotonic_s();
    for (int i = 0; i < w->active_count; i++) {
        sdw_ticket *t = w->active[i];
        if (!t->wish && t->deadline > 0 && now >= t->deadline) t->wish = SDW_WISH_TIMEOUT;
        if (t->wish) return t;
    }
    return NULL;
}

static sdw_model_entry *to_unload(sdw_worker *w)
{
    for (int i = 0; i < w->model_count; i++)
        if (w->model[i]->unload_wanted && !w->model[i]->running) return w->model[i];
    return NULL;
}

/* Jobs start in the order of their POSTs: only the first of the queue is looked at. */
static bool may_start(const sdw_worker *w, const sdw_ticket *t)
{
    int pictures = t->params.count > 0 ? t->params.count : 1;
    if (w->active_count == 0) return true;
    if (w->active[0]->entry != t->entry || w->active_count == SDW_ACTIVE_MAX) return false;
    return w->active_pictures + pictures <= w->batch_max;
}

/* One encoding or decoding in slices at a time: two unfinished ones would hold twice the memory and end no sooner. */
static sdw_ticket *longest_waiting(const sdw_worker *w)
{
    sdw_ticket *best = NULL;
    for (int i = 0; i < w->active_count; i++) {
        sdw_ticket *t = w->active[i];
        if (t->sliced && w->slicing && w->slicing != t) continue;
        if (!best || t->served < best->served) best = t;
    }
    return best;
}

static bool find_action(sdw_worker *w, action *a)
{
    *a = (action){ 0 };
    if (w->dead_models) {
        *a = (action){ .kind = ACT_CLOSE_MODEL, .entry = w->dead_models };
        w->dead_models = a->entry->next_dead;
        return true;
    }
    if ((a->ticket = to_end(w))) {
        a->kind = ACT_END;
        return true;
    }
    if (w->closing && !w->active_count) {
        a->kind = ACT_EXIT;
        return true;
    }
    if (!w->active_count && (a->entry = to_unload(w))) {
        a->kind = ACT_UNLOAD;
        a->entry->holders++;
        return true;
    }
    if (!w->active_count && w->load_wanted && !w->stopping) {
        *a = (action){ .kind = ACT_LOAD, .entry = w->load_wanted };
        w->load_wanted = NULL;
        return true;
    }
    sdw_ticket *first = w->load_wanted || w->stopping ? NULL : w->queue;
    if (first && !first->entry) { /* from the journal: its model is known by now, or never */
        first->entry = sdw_worker_find_model(w, first->model_id);
        if (first->entry) first->entry->holders++;
        else if (!w->current) first = NULL;
    }
    if (first && !first->entry) {
        *a = (action){ .kind = ACT_NO_MODEL, .ticket = first };
        sdw_worker_dequeue(w, first);
        sdw_worker_hold(first);
        w->finishing++;
        return true;
    }
    if (first && may_start(w, first)) {
        *a = (action){ .kind = first->entry->loaded ? ACT_START : ACT_LOAD, .ticket = first };
        sdw_worker_hold(first);
        if (a->kind == ACT_LOAD) {
            a->entry = first->entry;
            a->entry->holders++;
        }
        return true;
    }
    *a = (action){ .kind = ACT_TURN, .ticket = longest_waiting(w) };
    return a->ticket != NULL;
}

static void next(sdw_worker *w, action *a)
{
    pthread_mutex_lock(&w->mutex);
    while (!find_action(w, a)) pthread_cond_wait(&w->engine_cond, &w->mutex);
    pthread_mutex_unlock(&w->mutex);
}

/* ---- a unit of work ---- */

void sdw_unit_begin(sdw_worker *w, sdw_model_entry *m, sdw_ticket *const *jobs, int count)
{
    pthread_mutex_lock(&w->mutex);
    w->unit_model = m;
    w->unit_jobs = 0;
    for (int i = 0; i < count; i++)
        if (i == 0 || jobs[i] != jobs[i - 1]) w->unit_of[w->unit_jobs++] = jobs[i];
    sdw_worker_interrupt(w); /* somebody may have asked since the turn was given */
    pthread_mutex_unlock(&w->mutex);
}

void sdw_unit_end(sdw_worker *w)
{
    pthread_mutex_lock(&w->mutex);
    if (w->unit_model->model) w->x->cancel(w->unit_model->model, false);
    w->unit_model = NULL;
    w->unit_jobs = 0;
    pthread_mutex_unlock(&w->mutex);
}

/* ---- leaving the engine ---- */

void sdw_engine_leave(sdw_worker *w, sdw_ticket *t)
{
    w->x->job_free(t->run);
    t->run = NULL;
    if (w->slicing == t) w->slicing = NULL;
    uint64_t held = w->x->held(t->entry->model);
    pthread_mutex_lock(&w->mutex);
    int i = 0;
    while (w->active[i] != t) i++;
    for (; i + 1 < w->active_count; i++) w->active[i] = w->active[i + 1];
    w->active_count--;
    t->entry->held = held;
    w->active_pictures -= t->slots;
    t->active = false;
    t->entry->running--;
    w->finishing++;
    pthread_mutex_unlock(&w->mutex);
}

void sdw_engine_release(sdw_worker *w, sdw_ticket *t)
{
    pthread_mutex_lock(&w->mutex);
    w->finishing--;
    sdw_worker_drop(w, t);
    pthread_mutex_unlock(&w->mutex);
    sdw_worker_wake(w, NULL);
}

sdw_wish sdw_ticket_wish(sdw_worker *w, const sdw_ticket *t)
{
    pthread_mutex_lock(&w->mutex);
    sdw_wish wish = t->wish;
    pthread_mutex_unlock(&w->mutex);
    return wish;
}

void sdw_engine_fail(sdw_worker *w, sdw_ticket *t, const char *code, const char *message)
{
    sdw_engine_leave(w, t);
    sdw_worker_fail(w, t, code, message);
    sdw_engine_release(w, t);
}

static void end_job(sdw_worker *w, sdw_ticket *t)
{
    char text[SDW_ERROR_TEXT_MAX];
    sdw_wish wish = sdw_ticket_wish(w, t);
    if (wish == SDW_WISH_TIMEOUT) {
        snprintf(text, sizeof text, "the job ran longer than its limit of %g s", t->timeout);
        sdw_engine_fail(w, t, "TIMEOUT", text);
        return;
    }
    sdw_engine_leave(w, t);
    pthread_mutex_lock(&w->mutex);
    if (wish == SDW_WISH_KEEP) sdw_worker_keep(w, t);
    else sdw_worker_end(w, t, SDW_JOB_WAS_CANCELLED, NULL, NULL, NULL);
    pthread_mutex_unlock(&w->mutex);
    sdw_worker_wake(w, &t->id);
    sdw_worker_wake(w, NULL);
    sdw_engine_release(w, t);
}

static void no_model(sdw_worker *w, sdw_ticket *t)
{
    char text[SDW_ERROR_TEXT_MAX];
    snprintf(text, sizeof text, "the job wants model %.300s, which this worker does not have", t->model_id);
    sdw_worker_fail(w, t, "MODEL_CHANGED", text);
    sdw_engine_release(w, t);
}

/* ---- the thread ---- */

static void act(sdw_worker *w, const action *a)
{
    switch (a->kind) {
    case ACT_CLOSE_MODEL: sdw_model_entry_free(a->entry, w->x); break;
    case ACT_END: end_job(w, a->ticket); break;
    case ACT_UNLOAD: sdw_engine_unload_model(w, a->entry); break;
    case ACT_LOAD: sdw_engine_load_model(w, a->entry, a->ticket); break;
    case ACT_NO_MODEL: no_model(w, a->ticket); break;
    case ACT_START: sdw_engine_start(w, a->ticket); break;
    case ACT_TURN: sdw_engine_turn(w, a->ticket); break;
    case ACT_EXIT: break;
    }
    if (a->kind != ACT_LOAD && a->kind != ACT_UNLOAD) return;
    pthread_mutex_lock(&w->mutex);
    sdw_worker_drop_model(w, a->entry);
    sdw_worker_drop(w, a->ticket);
    pthread_mutex_unlock(&w->mutex);
}

void *sdw_worker_engine_main(void *worker)
{
    sdw_worker *w = worker;
    action a;
    for (next(w, &a); a.kind != ACT_EXIT; next(w, &a)) act(w, &a);
    return NULL;
}
