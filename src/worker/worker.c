/* worker.c - opening, stopping and closing a worker, and the tables that its threads share. */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "worker/blob.h"
#include "worker/keeping.h"
#include "worker/narration.h"

/* ---- small things without the lock ---- */

void sdw_worker_wake(sdw_worker *w, const sdw_job_id *id)
{
    if (w->wake) w->wake(w->wake_ctx, id);
}

void sdw_worker_log(sdw_worker *w, int level, const sdw_job_id *id, const char *format, ...)
{
    char text[SDW_ERROR_TEXT_MAX + 64];
    va_list args;
    if (!w->log) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    w->log(w->log_ctx, level, id, text);
}

void sdw_worker_tell(sdw_worker *w, sdw_ticket *t, const sdw_event *e)
{
    sdw_event timed = *e;
    timed.at = sdw_clock_wall_s();
    pthread_mutex_lock(&w->mutex);
    bool added = sdw_event_list_add(&t->events, &timed);
    pthread_mutex_unlock(&w->mutex);
    if (added) sdw_worker_wake(w, &t->id);
}

void sdw_worker_narrate(sdw_worker *w, sdw_ticket *t, const char *action, const char *format, ...)
{
    char text[SDW_ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sdw_event e = { .kind = SDW_EVENT_NARRATION, .text = sdw_narration(action, t->model_id ? t->model_id : "", text) };
    snprintf(e.code, sizeof e.code, "%s", action);
    if (e.text) sdw_worker_tell(w, t, &e);
    sdw_worker_log(w, strcmp(action, "warning") == 0 ? 1 : 2, &t->id, "%s: %s", action, text);
}

const char *sdw_worker_code(sdw_status status)
{
    switch (status) {
    case SDW_NO_MEMORY: return "VRAM_OOM";
    case SDW_NUMERIC: return "NON_FINITE";
    case SDW_INVALID:
    case SDW_UNSUPPORTED:
    case SDW_LIMIT: return "INVALID_REQUEST";
    default: return "INFERENCE_FAILED";
    }
}

void sdw_worker_fail(sdw_worker *w, sdw_ticket *t, const char *code, const char *message)
{
    sdw_blob *text = sdw_blob_copy(message, strlen(message));
    sdw_worker_narrate(w, t, "error", "%s", message);
    pthread_mutex_lock(&w->mutex);
    sdw_worker_end(w, t, SDW_JOB_FAILED, code, text, message);
    pthread_mutex_unlock(&w->mutex);
    sdw_worker_wake(w, &t->id);
    sdw_worker_wake(w, NULL);
}

/* ---- tables ---- */

static unsigned bucket_of(const char *id)
{
    unsigned h = 2166136261u; /* FNV-1a */
    for (; *id; id++) h = (h ^ (unsigned char)*id) * 16777619u;
    return h % SDW_TICKET_BUCKETS;
}

sdw_ticket *sdw_worker_find(sdw_worker *w, const char *id)
{
    sdw_ticket *t = w->bucket[bucket_of(id)];
    while (t && strcmp(t->id.text, id) != 0) t = t->same_bucket;
    return t;
}

void sdw_worker_hold(sdw_ticket *t)
{
    t->holders++;
}

void sdw_worker_drop(sdw_worker *w, sdw_ticket *t)
{
    if (!t || --t->holders > 0) return;
    sdw_worker_drop_model(w, t->entry);
    t->entry = NULL;
    t->next = w->dead;
    w->dead = t;
    pthread_cond_signal(&w->desk_cond);
}

void sdw_worker_drop_model(sdw_worker *w, sdw_model_entry *m)
{
    if (!m || --m->holders > 0) return;
    m->next_dead = w->dead_models;
    w->dead_models = m;
    pthread_cond_signal(&w->engine_cond);
}

void sdw_worker_insert(sdw_worker *w, sdw_ticket *t)
{
    unsigned b = bucket_of(t->id.text);
    sdw_worker_hold(t);
    t->in_table = true;
    t->same_bucket = w->bucket[b];
    w->bucket[b] = t;
    sdw_ticket *older = w->newest; /* submits end in another order than they began */
    while (older && older->order > t->order) older = older->older;
    t->older = older;
    t->newer = older ? older->newer : w->oldest;
    if (t->older) t->older->newer = t;
    else w->oldest = t;
    if (t->newer) t->newer->older = t;
    else w->newest = t;
}

void sdw_worker_forget(sdw_worker *w, sdw_ticket *t)
{
    sdw_ticket **at = &w->bucket[bucket_of(t->id.text)];
    while (*at != t) at = &(*at)->same_bucket;
    *at = t->same_bucket;
    if (t->older) t->older->newer = t->newer;
    else w->oldest = t->newer;
    if (t->newer) t->newer->older = t->older;
    else w->newest = t->older;
    t->in_table = false;
    sdw_worker_drop(w, t);
}

void sdw_worker_enqueue(sdw_worker *w, sdw_ticket *t)
{
    sdw_ticket **at = &w->queue;
    while (*at && (*at)->order < t->order) at = &(*at)->next;
    t->next = *at;
    *at = t;
    t->in_queue = true;
    w->queued++;
    w->queue_bytes += t->bytes;
    pthread_cond_signal(&w->engine_cond);
}

void sdw_worker_dequeue(sdw_worker *w, sdw_ticket *t)
{
    sdw_ticket **at = &w->queue;
    while (*at != t) at = &(*at)->next;
    *at = t->next;
    t->next = NULL;
    t->in_queue = false;
    w->queued--;
    w->queue_bytes -= t->bytes;
}

sdw_model_entry *sdw_worker_find_model(sdw_worker *w, const char *id)
{
    for (int i = 0; i < w->model_count; i++)
        if (strcmp(w->model[i]->id, id) == 0) return w->model[i];
    return NULL;
}

static void note(sdw_worker *w, sdw_ticket *t, sdw_note what)
{
    bool listed = t->note != SDW_NOTE_NONE;
    t->note = what; /* the later word counts */
    if (listed) return;
    t->next_noted = w->noted;
    w->noted = t;
    sdw_worker_hold(t);
    pthread_cond_signal(&w->desk_cond);
}

static void add_end(sdw_ticket *t, sdw_event_kind kind, sdw_blob *text, const char *code)
{
    sdw_event e = { .kind = kind, .at = t->finished_at, .text = text };
    snprintf(e.code, sizeof e.code, "%s", code);
    sdw_event_list_add(&t->events, &e);
}

static void count_end(sdw_worker *w, const sdw_ticket *t)
{
    bool ran = t->started_at > 0;
    sdw_stats_job(&w->stats, &(sdw_stats_end){
        .kind = t->kind, .outcome = t->status, .model = t->entry ? t->entry->id : "unknown", .pictures = t->output_count,
        .queue_s = (ran ? t->started_at : t->finished_at) - t->created_at, .run_s = ran ? t->finished - t->started : -1,
    });
}

void sdw_worker_end(sdw_worker *w, sdw_ticket *t, sdw_job_status status, const char *code, sdw_blob *text, const char *message)
{
    if (t->events.ended) { /* the engine comes late with a job that was abandoned */
        sdw_blob_unref(text);
        return;
    }
    t->status = status;
    t->finished = sdw_clock_monotonic_s();
    t->finished_at = sdw_clock_wall_s();
    if (status == SDW_JOB_COMPLETED) {
        add_end(t, SDW_EVENT_COMPLETE, NULL, "");
        add_end(t, SDW_EVENT_END_DONE, NULL, "");
        w->jobs_completed++;
    } else if (status == SDW_JOB_FAILED) {
        snprintf(t->error.code, sizeof t->error.code, "%s", code);
        snprintf(t->error.message, sizeof t->error.message, "%s", message);
        add_end(t, SDW_EVENT_ERROR, text, code);
        add_end(t, SDW_EVENT_END_ERROR, NULL, code);
        w->jobs_failed++;
    } else {
        add_end(t, SDW_EVENT_END_CANCELLED, NULL, "");
        w->jobs_cancelled++;
    }
    count_end(w, t);
    note(w, t, SDW_NOTE_ENDED);
}

void sdw_worker_note_cancelling(sdw_worker *w, sdw_ticket *t)
{
    note(w, t, SDW_NOTE_CANCELLING);
}

void sdw_worker_keep(sdw_worker *w, sdw_ticket *t)
{
    if (t->status == SDW_JOB_RUNNING) note(w, t, SDW_NOTE_KEPT);
    t->kept = true;
    t->status = SDW_JOB_QUEUED;
}

void sdw_worker_interrupt(sdw_worker *w)
{
    if (!w->unit_model || !w->unit_model->model || (!w->unit_jobs && !w->stop_now)) return;
    for (int i = 0; i < w->unit_jobs; i++)
        if (!w->unit_of[i]->wish) return;
    w->x->cancel(w->unit_model->model, true);
}

/* ---- open and close ---- */

static int or_default(int given, int fallback)
{
    return given ? given : fallback;
}

static uint64_t or_bytes(uint64_t given, uint64_t fallback)
{
    return given ? given : fallback;
}

static void take_options(sdw_worker *w, const sdw_worker_options *o)
{
    w->x = o->executor ? o->executor : &sdw_executor_engine;
    w->queue_max = or_default(o->queue_max, 128);
    w->queue_bytes_max = or_bytes(o->queue_bytes_max, (uint64_t)1 << 30);
    w->batch_max = o->batch_max > SDW_ACTIVE_MAX ? SDW_ACTIVE_MAX : or_default(o->batch_max, 4);
    w->job_timeout = o->job_timeout_s;
    w->preview_every = o->preview_every < 0 ? 5 : o->preview_every;
    w->wake = o->wake;
    w->wake_ctx = o->wake_ctx;
    w->log = o->log;
    w->log_ctx = o->log_ctx;
    w->find = o->find;
    w->find_ctx = o->find_ctx;
}

static void init_locks(sdw_worker *w)
{
    pthread_condattr_t a;
    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->mutex, NULL);
    pthread_mutex_init(&w->settling, NULL);
    sdw_stats_init(&w->stats);
    pthread_cond_init(&w->engine_cond, &a);
    pthread_cond_init(&w->desk_cond, &a);
    pthread_condattr_destroy(&a);
    w->desk_last = &w->desk_first;
}

static sdw_status start_thread(pthread_t *thread, void *(*body)(void *), sdw_worker *w, bool *ret_runs, sdw_error *err)
{
    int e = pthread_create(thread, NULL, body, w);
    if (e) return sdw_fail(err, SDW_NO_MEMORY, "worker: the system gave no thread: %s", strerror(e));
    *ret_runs = true;
    return SDW_OK;
}

static const char *last_part(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    while (n > 0 && path[n - 1] != '/') n--;
    return path + n;
}

static sdw_status open_with(sdw_worker *w, const sdw_worker_options *o, sdw_error *err)
{
    sdw_status status = sdw_keeping_open(w, o, err);
    if (status == SDW_OK && o->engine.model) status = sdw_worker_load(w, o->model_id ? o->model_id : last_part(o->engine.model), &o->engine, err);
    if (status == SDW_OK) status = sdw_keeping_restore(w, err);
    if (status == SDW_OK) status = start_thread(&w->engine_thread, sdw_worker_engine_main, w, &w->engine_runs, err);
    if (status == SDW_OK) status = start_thread(&w->desk_thread, sdw_worker_desk_main, w, &w->desk_runs, err);
    return status;
}

sdw_status sdw_worker_open(const sdw_worker_options *o, sdw_worker **ret_worker, sdw_error *err)
{
    sdw_worker *w = sdw_calloc(1, sizeof *w);
    if (!w) return sdw_fail_memory(err, "worker", sizeof *w);
    take_options(w, o);
    init_locks(w);
    sdw_status status = open_with(w, o, err);
    if (status != SDW_OK) sdw_worker_close(w);
    else *ret_worker = w;
    return status;
}

/* Queued jobs end at once, here: the engine has not seen them. */
static void end_queued(sdw_worker *w)
{
    while (w->queue) {
        sdw_ticket *t = w->queue;
        sdw_worker_dequeue(w, t);
        if (w->keeps) sdw_worker_keep(w, t);
        else sdw_worker_end(w, t, SDW_JOB_WAS_CANCELLED, NULL, NULL, NULL);
    }
}

void sdw_worker_stop(sdw_worker *w, sdw_stop how)
{
    pthread_mutex_lock(&w->mutex);
    w->stopping = true;
    if (how == SDW_STOP_NOW) w->stop_now = true;
    end_queued(w);
    for (sdw_ticket *t = w->oldest; t && w->stop_now; t = t->newer)
        if (t->status == SDW_JOB_RUNNING && !t->wish) t->wish = w->keeps ? SDW_WISH_KEEP : SDW_WISH_CANCEL;
    if (w->stop_now) sdw_worker_interrupt(w);
    pthread_cond_signal(&w->engine_cond);
    pthread_mutex_unlock(&w->mutex);
    if (w->store) sdw_keeping_settle(w);
    sdw_worker_wake(w, NULL);
}

void sdw_worker_abandon(sdw_worker *w)
{
    pthread_mutex_lock(&w->mutex);
    for (sdw_ticket *t = w->oldest; t; t = t->newer) {
        if (t->status != SDW_JOB_RUNNING) continue;
        if (t->wish == SDW_WISH_KEEP) sdw_worker_keep(w, t);
        else sdw_worker_end(w, t, SDW_JOB_WAS_CANCELLED, NULL, NULL, NULL);
    }
    w->abandoned = true;
    pthread_mutex_unlock(&w->mutex);
    sdw_keeping_settle(w);
    sdw_keeping_sync(w);
    sdw_worker_wake(w, NULL);
}

bool sdw_worker_stopped(sdw_worker *w)
{
    pthread_mutex_lock(&w->mutex);
    bool stopped = w->abandoned || (w->stopping && !w->queue && !w->accepting && !w->active_count && !w->finishing && !w->noted);
    pthread_mutex_unlock(&w->mutex);
    return stopped;
}

static void free_tables(sdw_worker *w)
{
    for (sdw_ticket *t = w->oldest, *newer; t; t = newer) {
        newer = t->newer;
        sdw_worker_drop_model(w, t->entry);
        sdw_ticket_free(t);
    }
    for (sdw_ticket *t = w->dead, *next; t; t = next) {
        next = t->next;
        sdw_ticket_free(t);
    }
    sdw_worker_drop_model(w, w->current);
    sdw_worker_drop_model(w, w->load_wanted);
    for (int i = 0; i < w->model_count; i++) sdw_worker_drop_model(w, w->model[i]);
    for (sdw_model_entry *m = w->dead_models, *next; m; m = next) {
        next = m->next_dead;
        sdw_model_entry_free(m, w->x);
    }
}

void sdw_worker_close(sdw_worker *w)
{
    if (!w) return;
    sdw_worker_stop(w, SDW_STOP_NOW);
    pthread_mutex_lock(&w->mutex);
    w->closing = true;
    pthread_cond_signal(&w->engine_cond);
    pthread_mutex_unlock(&w->mutex);
    if (w->engine_runs) pthread_join(w->engine_thread, NULL);
    pthread_mutex_lock(&w->mutex);
    w->engine_done = true; /* nothing comes to the desk any more */
    pthread_cond_signal(&w->desk_cond);
    pthread_mutex_unlock(&w->mutex);
    if (w->desk_runs) pthread_join(w->desk_thread, NULL);
    sdw_keeping_close(w);
    free_tables(w);
    pthread_cond_destroy(&w->engine_cond);
    pthread_cond_destroy(&w->desk_cond);
    pthread_mutex_destroy(&w->mutex);
    pthread_mutex_destroy(&w->settling);
    sdw_stats_finish(&w->stats);
    sdw_free(w);
}
