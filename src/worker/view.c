/* view.c - what callers may see of jobs: snapshots, lists, events, pictures. All by copy or shared bytes. */
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "worker/worker_impl.h"

const char *sdw_job_status_name(sdw_job_status s)
{
    static const char *const names[] = { "queued", "running", "completed", "failed", "cancelled" };
    return (unsigned)s < sizeof names / sizeof *names ? names[s] : "unknown";
}

static sdw_status unknown_job(const sdw_job_id *id, sdw_error *err)
{
    return sdw_fail(err, SDW_NOT_FOUND, "Job %s not found", id->text);
}

static int position(const sdw_worker *w, const sdw_ticket *t)
{
    int n = 1;
    if (!t->in_queue) return 0;
    for (const sdw_ticket *q = w->queue; q && q != t; q = q->next) n++;
    return n;
}

/* What a view copies outside the lock: texts that are fixed for a held ticket. */
static bool copy_texts(const sdw_ticket *t, sdw_job_view *v)
{
    v->model = sdw_strdup(t->model_id);
    v->tag = sdw_strdup(t->tag);
    v->echo = sdw_strdup(t->echo);
    return v->model && (!t->tag || v->tag) && (!t->echo || v->echo);
}

static void fill(const sdw_worker *w, const sdw_ticket *t, sdw_job_view *v)
{
    *v = (sdw_job_view){ .id = t->id, .kind = t->kind, .status = t->status, .created_at = t->created_at, .started_at = t->started_at,
                         .finished_at = t->finished_at, .queue_position = position(w, t), .step = t->step, .total = t->total, .picture = t->picture,
                         .pictures = t->pictures, .seed = t->params.seed, .error = t->error };
    memcpy(v->format, t->format, sizeof v->format);
    memcpy(v->face, t->face, sizeof v->face);
    for (int i = 0; i < t->output_count; i++)
        if (!t->output[i].deleted) v->outputs[v->output_count++] = t->output[i].output;
    if (t->started > 0) v->elapsed_ms = 1e3 * ((t->finished > 0 ? t->finished : sdw_clock_monotonic_s()) - t->started);
}

sdw_status sdw_worker_job(sdw_worker *w, const sdw_job_id *id, sdw_job_view *ret, sdw_error *err)
{
    sdw_blob *json = NULL;
    pthread_mutex_lock(&w->mutex);
    sdw_ticket *t = sdw_worker_find(w, id->text);
    if (t) {
        fill(w, t, ret);
        json = sdw_blob_ref(t->params_json);
        sdw_worker_hold(t);
    }
    pthread_mutex_unlock(&w->mutex);
    if (!t) return unknown_job(id, err);
    bool ok = copy_texts(t, ret);
    size_t size = 0;
    const char *text = json ? sdw_blob_bytes(json, &size) : "{}";
    ret->params_json = json ? sdw_strndup(text, size) : sdw_strdup(text);
    pthread_mutex_lock(&w->mutex);
    sdw_worker_drop(w, t);
    pthread_mutex_unlock(&w->mutex);
    sdw_blob_unref(json);
    if (ok && ret->params_json) return SDW_OK;
    sdw_job_view_finish(ret);
    return sdw_fail_memory(err, "job", size);
}

void sdw_job_view_finish(sdw_job_view *v)
{
    sdw_free(v->model);
    sdw_free(v->tag);
    sdw_free(v->echo);
    sdw_free(v->params_json);
    v->model = v->tag = v->echo = v->params_json = NULL;
}

size_t sdw_worker_jobs(sdw_worker *w, unsigned status_mask, const sdw_job_id *before, sdw_job_id *out, size_t cap)
{
    size_t n = 0;
    pthread_mutex_lock(&w->mutex);
    const sdw_ticket *t = w->newest;
    if (before) {
        t = sdw_worker_find(w, before->text);
        if (t) t = t->older;
    }
    for (; t && n < cap; t = t->older)
        if (!status_mask || (status_mask >> t->status & 1)) out[n++] = t->id;
    pthread_mutex_unlock(&w->mutex);
    return n;
}

/* ---- events ---- */

sdw_status sdw_worker_event(sdw_worker *w, const sdw_job_id *id, uint64_t after, sdw_event *ret, sdw_error *err)
{
    sdw_status status = SDW_OK;
    pthread_mutex_lock(&w->mutex);
    const sdw_ticket *t = sdw_worker_find(w, id->text);
    const sdw_event *e = t ? sdw_event_list_after(&t->events, after) : NULL;
    if (!t) status = unknown_job(id, err);
    else if (e) {
        *ret = *e;
        sdw_blob_ref(ret->picture);
        sdw_blob_ref(ret->text);
    } else if (t->kept) *ret = (sdw_event){ .kind = SDW_EVENT_END_KEPT, .at = sdw_clock_wall_s() };
    else if (t->events.ended) status = sdw_fail(err, SDW_NOT_FOUND, "Job %s has ended, no event follows number %llu", id->text, (unsigned long long)after);
    else status = sdw_fail(err, SDW_BUSY, "no event after number %llu yet", (unsigned long long)after);
    pthread_mutex_unlock(&w->mutex);
    return status;
}

sdw_status sdw_worker_last_event(sdw_worker *w, const sdw_job_id *id, uint64_t *ret_number, bool *ret_ended, sdw_error *err)
{
    pthread_mutex_lock(&w->mutex);
    const sdw_ticket *t = sdw_worker_find(w, id->text);
    if (t) {
        *ret_number = t->events.last;
        *ret_ended = t->events.ended;
    }
    pthread_mutex_unlock(&w->mutex);
    return t ? SDW_OK : unknown_job(id, err);
}

/* ---- pictures ---- */

/* Callers count the pictures that are left. Mutex held: the place of number `index` among all; -1: there is none. */
static int place_of(const sdw_ticket *t, int index)
{
    for (int i = 0; index >= 0 && i < t->output_count; i++)
        if (!t->output[i].deleted && index-- == 0) return i;
    return -1;
}

/* The other way round. */
static int index_of(const sdw_ticket *t, int place)
{
    int index = 0;
    for (int i = 0; t && i < place && i < t->output_count; i++) index += t->output[i].deleted ? 0 : 1;
    return index;
}

sdw_status sdw_worker_picture(sdw_worker *w, const sdw_job_id *id, int index, sdw_blob **ret, sdw_error *err)
{
    sdw_output_id output = { "" };
    sdw_output_place place;
    pthread_mutex_lock(&w->mutex);
    const sdw_ticket *t = sdw_worker_find(w, id->text);
    int at = t && t->status == SDW_JOB_COMPLETED ? place_of(t, index) : -1;
    if (at >= 0) output = t->output[at].output.id;
    pthread_mutex_unlock(&w->mutex);
    if (!output.text[0]) return sdw_fail(err, SDW_NOT_FOUND, "Job %s has no picture %d here", id->text, index + 1);
    return sdw_store_output_get(w->store, &output, &place, ret, err);
}

sdw_status sdw_worker_output(sdw_worker *w, const sdw_output_id *id, sdw_blob **ret, sdw_job_id *ret_job, int *ret_index, sdw_error *err)
{
    sdw_output_place place;
    sdw_status status = sdw_store_output_get(w->store, id, &place, ret, err);
    if (status != SDW_OK) return status;
    if (ret_job) *ret_job = place.job;
    if (!ret_index) return SDW_OK;
    pthread_mutex_lock(&w->mutex);
    *ret_index = index_of(sdw_worker_find(w, place.job.text), place.index);
    pthread_mutex_unlock(&w->mutex);
    return SDW_OK;
}

sdw_status sdw_worker_output_delete(sdw_worker *w, const sdw_output_id *id, sdw_error *err)
{
    sdw_output_place place;
    sdw_status status = sdw_store_output_delete(w->store, id, &place, err);
    if (status != SDW_OK) return status;
    pthread_mutex_lock(&w->mutex);
    sdw_ticket *t = sdw_worker_find(w, place.job.text);
    if (t && place.index < t->output_count) t->output[place.index].deleted = true;
    pthread_mutex_unlock(&w->mutex);
    sdw_error why = { 0 };
    if (w->journal && sdw_journal_output_deleted(w->journal, &place.job, place.index, &why) != SDW_OK) sdw_worker_log(w, 0, &place.job, "%s", why.text);
    return SDW_OK;
}

sdw_status sdw_worker_preview(sdw_worker *w, const sdw_job_id *id, sdw_blob **ret, sdw_error *err)
{
    sdw_blob *b = NULL;
    pthread_mutex_lock(&w->mutex);
    sdw_ticket *t = sdw_worker_find(w, id->text);
    if (t && t->status == SDW_JOB_RUNNING) {
        b = sdw_blob_ref(t->preview_latest);
        t->preview_wanted = true; /* the next step makes a newer one */
    }
    pthread_mutex_unlock(&w->mutex);
    if (!b) return sdw_fail(err, SDW_NOT_FOUND, "Job %s has no preview yet", id->text);
    *ret = b;
    return SDW_OK;
}
