/* submit.c - from a request to a place in the queue, and out of it again. */
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "image/image.h"
#include "sdw/fields.h"
#include "worker/keeping.h"

/* ---- checks ---- */

static sdw_status check_format(const sdw_job_request *r, sdw_error *err)
{
    const char *name;
    if (!r->format) return SDW_OK;
    for (size_t i = 0; (name = sdw_image_format_at(i, NULL, NULL)); i++)
        if (strcmp(name, r->format) == 0) return SDW_OK;
    return sdw_fail_field(err, SDW_INVALID, "format", "format is '%.40s', want png, jpeg or webp", r->format);
}

/* What can be said without a model. */
static sdw_status check_alone(const sdw_worker *w, const sdw_job_request *r, sdw_error *err)
{
    const sdw_params *p = &r->params;
    if (!p->prompt) return sdw_fail_field(err, SDW_INVALID, "prompt", "prompt is missing, want a text");
    sdw_status status = sdw_params_check_fields(p, err);
    if (status == SDW_OK) status = check_format(r, err);
    if (status != SDW_OK) return status;
    if (p->count > SDW_JOB_PICTURES_MAX)
        return sdw_fail_field(err, SDW_INVALID, "count", "count is %d, want 1 to %d in one request", p->count, SDW_JOB_PICTURES_MAX);
    if (p->mask && !p->init_image) return sdw_fail_field(err, SDW_INVALID, "mask", "mask given without init_image: there is no picture to repaint");
    if (r->quality < 0 || r->quality > 100) return sdw_fail_field(err, SDW_INVALID, "quality", "quality is %d, want 1 to 100", r->quality);
    if (!(r->timeout_s >= 0)) return sdw_fail_field(err, SDW_INVALID, "timeout_s", "timeout_s is %g, want 0 or more", r->timeout_s);
    if (w->job_timeout > 0 && r->timeout_s > w->job_timeout)
        return sdw_fail_field(err, SDW_INVALID, "timeout_s", "timeout_s is %g, this worker allows at most %g", r->timeout_s, w->job_timeout);
    return SDW_OK;
}

/* The rest, if the model is open. */
static sdw_status check_with_model(sdw_worker *w, sdw_ticket *t, sdw_warnings *warnings, sdw_error *err)
{
    sdw_params resolved;
    sdw_exec_cost cost;
    pthread_mutex_lock(&w->mutex);
    sdw_exec_model *model = t->entry->model;
    pthread_mutex_unlock(&w->mutex);
    if (!model) {
        t->params_json = sdw_ticket_params_json(t, &t->params);
        return SDW_OK;
    }
    sdw_status status = w->x->resolve(model, &t->params, &resolved, warnings, err);
    if (status == SDW_OK) status = w->x->cost(model, &resolved, &cost, err);
    if (status != SDW_OK) return status;
    uint64_t limit = w->x->memory_limit(model);
    if (cost.total > limit)
        return sdw_fail(err, SDW_NO_MEMORY, "%d x %d needs %llu bytes of memory, the limit is %llu", resolved.width, resolved.height,
                        (unsigned long long)cost.total, (unsigned long long)limit);
    t->params_json = sdw_ticket_params_json(t, &resolved);
    return SDW_OK;
}

/* ---- places ---- */

/* A job that an idle engine is about to take does not wait. */
static bool full(const sdw_worker *w)
{
    bool idle = !w->active_count && !w->load_wanted && !w->unit_model;
    return w->queued + w->accepting >= w->queue_max + (idle ? 1 : 0);
}

/* What a request has before it has a ticket. order: of the POSTs, however long accepting each of them takes. */
typedef struct place {
    sdw_model_entry *entry;      /* held */
    uint64_t order;
} place;

static sdw_status take_place(sdw_worker *w, const sdw_job_request *r, place *ret, sdw_error *err)
{
    sdw_status status = SDW_OK;
    pthread_mutex_lock(&w->mutex);
    sdw_model_entry *m = r->model ? sdw_worker_find_model(w, r->model) : w->current;
    if (w->stopping) status = sdw_fail(err, SDW_CANCELLED, "the worker is shutting down");
    else if (!m && r->model) status = sdw_fail_field(err, SDW_NOT_FOUND, "model", "no model '%.200s' is known here", r->model);
    else if (!m) status = sdw_fail_field(err, SDW_NOT_FOUND, "model", "no model is loaded");
    else if (full(w)) status = sdw_fail(err, SDW_BUSY, "the queue is full: %d jobs wait, the limit is %d", w->queued + w->accepting, w->queue_max);
    if (status == SDW_OK) {
        m->holders++;
        w->accepting++;
        *ret = (place){ .entry = m, .order = ++w->orders };
    }
    pthread_mutex_unlock(&w->mutex);
    return status;
}

static sdw_status take_bytes(sdw_worker *w, sdw_ticket *t, sdw_error *err)
{
    pthread_mutex_lock(&w->mutex);
    uint64_t held = w->queue_bytes;
    bool fits = held + t->bytes <= w->queue_bytes_max;
    if (fits) w->queue_bytes += t->bytes;
    pthread_mutex_unlock(&w->mutex);
    if (fits) return SDW_OK;
    return sdw_fail(err, SDW_BUSY, "the queue is full: waiting jobs hold %llu bytes of input, %zu more would pass the limit of %llu", (unsigned long long)held,
                    t->bytes, (unsigned long long)w->queue_bytes_max);
}

/* ---- submit ---- */

static void tell_notes(sdw_worker *w, sdw_ticket *t, const sdw_job_request *r, sdw_warnings *warnings)
{
    for (const char *const *n = r->notes; n && *n; n++) sdw_worker_narrate(w, t, "warning", "%s", *n);
    for (size_t i = 0; i < warnings->count; i++) sdw_worker_narrate(w, t, "warning", "%s", warnings->text[i]);
}

static sdw_status make_ticket(sdw_worker *w, const sdw_job_request *r, sdw_model_entry *m, sdw_ticket **ret, sdw_error *err)
{
    sdw_job_request own = *r;
    sdw_status status = SDW_OK;
    if (own.preview_every < 0) own.preview_every = w->preview_every;
    if (own.preview == SDW_PREVIEW_NONE) own.preview_every = 0;
    if (own.timeout_s <= 0) own.timeout_s = w->job_timeout;
    if (!own.params.has_seed) {
        status = sdw_job_seed_draw(&own.params.seed, err);
        own.params.has_seed = 1;
    }
    sdw_ticket *t;
    if (status == SDW_OK) status = sdw_ticket_create(&own, &t, err);
    if (status != SDW_OK) return status;
    t->model_id = sdw_strdup(m->id);
    if (!t->model_id) {
        sdw_ticket_free(t);
        return sdw_fail_memory(err, "job", strlen(m->id));
    }
    t->entry = m;
    *ret = t;
    return SDW_OK;
}

/* Into table and queue; t->bytes are counted already. */
static sdw_status join_queue(sdw_worker *w, sdw_ticket *t, sdw_error *err)
{
    pthread_mutex_lock(&w->mutex);
    w->accepting--;
    w->queue_bytes -= t->bytes;
    bool stopping = w->stopping;
    if (!stopping) {
        sdw_worker_insert(w, t);
        sdw_worker_enqueue(w, t);
    }
    pthread_mutex_unlock(&w->mutex);
    return stopping ? sdw_fail(err, SDW_CANCELLED, "the worker is shutting down") : SDW_OK;
}

static void give_up(sdw_worker *w, sdw_model_entry *m, sdw_ticket *t, bool bytes)
{
    pthread_mutex_lock(&w->mutex);
    w->accepting--;
    if (bytes) w->queue_bytes -= t->bytes;
    if (t) sdw_worker_drop(w, t);
    else sdw_worker_drop_model(w, m);
    pthread_mutex_unlock(&w->mutex);
}

static sdw_status accept(sdw_worker *w, const sdw_job_request *r, const place *p, const uint8_t key[32], sdw_job_id *ret_id, sdw_error *err)
{
    sdw_ticket *t = NULL;
    sdw_warnings warnings = { 0 };
    bool bytes = false;
    sdw_status status = make_ticket(w, r, p->entry, &t, err);
    if (status == SDW_OK) t->order = p->order;
    if (status == SDW_OK) status = check_with_model(w, t, &warnings, err);
    if (status == SDW_OK) status = take_bytes(w, t, err);
    bytes = status == SDW_OK;
    if (status == SDW_OK) status = sdw_keeping_accept(w, t, r, key, err);
    if (status != SDW_OK) {
        give_up(w, p->entry, t, bytes);
        sdw_warnings_finish(&warnings);
        return status;
    }
    tell_notes(w, t, r, &warnings);
    sdw_warnings_finish(&warnings);
    sdw_job_id id = t->id;
    status = join_queue(w, t, err);
    if (status != SDW_OK) sdw_keeping_withdraw(w, t);
    pthread_mutex_lock(&w->mutex);
    sdw_worker_drop(w, t);
    pthread_mutex_unlock(&w->mutex);
    if (status == SDW_OK) *ret_id = id;
    return status;
}

static sdw_status submit_first(sdw_worker *w, const sdw_job_request *r, const uint8_t key[32], sdw_job_id *ret_id, sdw_error *err)
{
    place p;
    sdw_status status = check_alone(w, r, err);
    if (status == SDW_OK) status = take_place(w, r, &p, err);
    return status == SDW_OK ? accept(w, r, &p, key, ret_id, err) : status;
}

sdw_status sdw_worker_submit(sdw_worker *w, const sdw_job_request *r, sdw_job_id *ret_id, sdw_submit_answer *ret_answer, sdw_error *err)
{
    sdw_job_id id;
    uint8_t key[32];
    sdw_status status = sdw_keeping_ask_key(w, r, key, &id, err);
    if (status != SDW_OK) return status;
    if (id.text[0]) {
        *ret_id = id;
        if (ret_answer) *ret_answer = SDW_SUBMIT_REPLAYED;
        return SDW_OK;
    }
    status = submit_first(w, r, key, &id, err);
    if (status == SDW_OK) sdw_keeping_use_key(w, r, key, &id);
    else sdw_keeping_drop_key(w, r, key);
    if (status != SDW_OK) return status;
    *ret_id = id;
    if (ret_answer) *ret_answer = SDW_SUBMIT_ACCEPTED;
    sdw_worker_log(w, 2, &id, "accepted");
    sdw_worker_wake(w, &id);
    sdw_worker_wake(w, NULL);
    return SDW_OK;
}

/* ---- cancel ---- */

static sdw_status not_there(const sdw_job_id *id, sdw_error *err)
{
    return sdw_fail(err, SDW_NOT_FOUND, "Job %s not found or cannot be cancelled (already completed/failed)", id->text);
}

sdw_status sdw_worker_cancel(sdw_worker *w, const sdw_job_id *id, sdw_error *err)
{
    bool found = false;
    pthread_mutex_lock(&w->mutex);
    sdw_ticket *t = sdw_worker_find(w, id->text);
    if (t && t->in_queue) {
        found = true;
        sdw_worker_dequeue(w, t);
        sdw_worker_end(w, t, SDW_JOB_WAS_CANCELLED, NULL, NULL, NULL);
    } else if (t && t->status == SDW_JOB_RUNNING && t->wish != SDW_WISH_CANCEL) {
        found = true;
        t->wish = SDW_WISH_CANCEL;
        sdw_worker_note_cancelling(w, t);
        sdw_worker_interrupt(w);
        pthread_cond_signal(&w->engine_cond);
    }
    pthread_mutex_unlock(&w->mutex);
    if (!found) return not_there(id, err);
    sdw_keeping_settle(w);
    sdw_worker_wake(w, id);
    sdw_worker_wake(w, NULL);
    return SDW_OK;
}

sdw_status sdw_worker_finish_early(sdw_worker *w, const sdw_job_id *id, sdw_error *err)
{
    pthread_mutex_lock(&w->mutex);
    sdw_ticket *t = sdw_worker_find(w, id->text);
    bool found = t && t->status == SDW_JOB_RUNNING && !t->wish;
    if (found) t->early = true;
    pthread_mutex_unlock(&w->mutex);
    return found ? SDW_OK : not_there(id, err);
}
