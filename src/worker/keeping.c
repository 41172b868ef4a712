/* keeping.c - the worker's side of journal, store and keys; restoring is in keeping_restore.c. */
#include "worker/keeping.h"

#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "worker/blob.h"
#include "worker/fingerprint.h"

/* Between two tries to write what found no memory. */
#define RETRY_S 0.1

static void tell_journal(void *ctx, int level, const sdw_job_id *id, const char *sentence)
{
    sdw_worker_log(ctx, level, id, "%s", sentence);
}

/* For notes: the journal keeps what it could not write, so this is for the log only. */
static void tell_trouble(sdw_worker *w, const sdw_job_id *id, sdw_status status, const sdw_error *err)
{
    if (status != SDW_OK) sdw_worker_log(w, 0, id, "%s", err->text);
}

sdw_status sdw_keeping_open(sdw_worker *w, const sdw_worker_options *o, sdw_error *err)
{
    sdw_status s = sdw_idempotency_open(0, 0, &w->keys, err);
    if (s == SDW_OK && o->state_dir) s = sdw_state_dir_open(o->state_dir, NULL, &w->state_dir, err);
    if (s == SDW_OK && o->state_dir) {
        const sdw_journal_options jo = { .keys = w->keys, .log = tell_journal, .log_ctx = w };
        s = sdw_journal_open(w->state_dir, &jo, &w->journal, err);
    }
    const sdw_store_options so = { .dir = w->state_dir, .results_max = o->results_max, .bytes_max = o->result_bytes_max, .ttl_s = o->result_ttl_s };
    if (s == SDW_OK) s = sdw_store_open(&so, &w->store, err);
    w->keeps = s == SDW_OK && w->journal;
    return s;
}

void sdw_keeping_close(sdw_worker *w)
{
    if (w->store) sdw_keeping_settle(w);
    sdw_store_close(w->store);
    sdw_journal_close(w->journal);
    sdw_state_dir_close(w->state_dir);
    sdw_idempotency_close(w->keys);
}

/* ---- keys ---- */

sdw_status sdw_keeping_ask_key(sdw_worker *w, const sdw_job_request *r, uint8_t ret_key[32], sdw_job_id *ret_job, sdw_error *err)
{
    ret_job->text[0] = '\0';
    if (!r->idempotency_key) return SDW_OK;
    sdw_status s = sdw_idempotency_hash(r->idempotency_scope ? r->idempotency_scope : "", r->idempotency_key, ret_key, err);
    if (s == SDW_OK) s = sdw_idempotency_begin(w->keys, ret_key, r->body_hash, sdw_clock_wall_s(), ret_job, err);
    return s;
}

void sdw_keeping_use_key(sdw_worker *w, const sdw_job_request *r, const uint8_t key[32], const sdw_job_id *job)
{
    if (r->idempotency_key) sdw_idempotency_commit(w->keys, key, job, sdw_clock_wall_s());
}

void sdw_keeping_drop_key(sdw_worker *w, const sdw_job_request *r, const uint8_t key[32])
{
    if (r->idempotency_key) sdw_idempotency_abort(w->keys, key);
}

/* ---- a job begins ---- */

static void release_inputs(sdw_worker *w, const sdw_ticket *t)
{
    sdw_store_picture_release(w->store, t->init_name);
    sdw_store_picture_release(w->store, t->mask_name);
}

static sdw_status store_inputs(sdw_worker *w, sdw_ticket *t, sdw_error *err)
{
    sdw_status s = SDW_OK;
    if (t->params.init_image) s = sdw_store_picture_put(w->store, t->params.init_image, t->init_name, err);
    if (s == SDW_OK && t->params.mask) s = sdw_store_picture_put(w->store, t->params.mask, t->mask_name, err);
    if (s == SDW_OK) return s;
    release_inputs(w, t);
    t->init_name[0] = t->mask_name[0] = '\0';
    return s;
}

static void fill_record(const sdw_ticket *t, const sdw_job_request *r, const uint8_t key[32], sdw_job_record *ret)
{
    *ret = (sdw_job_record){ .id = t->id, .kind = t->kind, .created_at = t->created_at, .params = t->params, .model = t->model_id,
                             .model_hash = t->model_hash, .format = t->format, .quality = t->quality, .preview_every = t->preview_every,
                             .preview = t->preview, .timeout_s = t->timeout, .face = t->face, .tag = t->tag, .echo = t->echo,
                             .is_idempotent = r->idempotency_key != NULL };
    memcpy(ret->init_image, t->init_name, sizeof ret->init_image);
    memcpy(ret->mask, t->mask_name, sizeof ret->mask);
    if (!r->idempotency_key) return;
    memcpy(ret->idempotency_key, key, sizeof ret->idempotency_key);
    memcpy(ret->body_hash, r->body_hash, sizeof ret->body_hash);
}

sdw_status sdw_keeping_accept(sdw_worker *w, sdw_ticket *t, const sdw_job_request *r, const uint8_t key[32], sdw_error *err)
{
    sdw_job_record record;
    if (!w->journal) return SDW_OK;
    sdw_status s = store_inputs(w, t, err);
    if (s != SDW_OK) return s;
    pthread_mutex_lock(&w->mutex);
    memcpy(t->model_hash, t->entry->fingerprint, sizeof t->model_hash);
    pthread_mutex_unlock(&w->mutex);
    fill_record(t, r, key, &record);
    s = sdw_journal_accept(w->journal, &record, err);
    if (s != SDW_OK) release_inputs(w, t);
    return s;
}

void sdw_keeping_withdraw(sdw_worker *w, sdw_ticket *t)
{
    sdw_error err = { 0 };
    if (!w->journal) return;
    tell_trouble(w, &t->id, sdw_journal_forget(w->journal, &t->id, &err), &err);
    release_inputs(w, t);
}

void sdw_keeping_fingerprint(sdw_worker *w, const sdw_engine_options *o, char ret[SDW_DIGEST_HEX_SIZE])
{
    sdw_error err = { 0 };
    ret[0] = '\0';
    if (w->journal && sdw_model_fingerprint(o, ret, &err) != SDW_OK) {
        sdw_worker_log(w, 1, NULL, "model %s: no fingerprint: %s", o->model, err.text);
        ret[0] = '\0';
    }
}

void sdw_keeping_started(sdw_worker *w, const sdw_ticket *t)
{
    sdw_error err = { 0 };
    if (w->journal) tell_trouble(w, &t->id, sdw_journal_start(w->journal, &t->id, sdw_clock_wall_s(), &err), &err);
}

/* ---- a job ends ---- */

/* What may still change is copied under the lock; the texts are held by `*ret_json`. Outputs are set once, with the end. */
static void fill_end(sdw_worker *w, sdw_ticket *t, sdw_job_end *ret, sdw_blob **ret_json)
{
    size_t size;
    pthread_mutex_lock(&w->mutex);
    *ret = (sdw_job_end){ .status = t->status, .started_at = t->started_at, .finished_at = t->finished_at, .error = t->error,
                          .last_event = t->events.last, .step = t->step, .total = t->total };
    *ret_json = sdw_blob_ref(t->params_json);
    ret->output_count = t->output_count;
    for (int i = 0; i < t->output_count; i++) ret->outputs[i] = t->output[i];
    pthread_mutex_unlock(&w->mutex);
    if (*ret_json) ret->resolved = sdw_blob_bytes(*ret_json, &size); /* ends with a NUL behind its size */
}

/* Whether the journal has it, or keeps it until its disk takes it; else it is to be written again. */
static bool write_end(sdw_worker *w, sdw_ticket *t, const sdw_job_end *end)
{
    sdw_error err = { 0 };
    if (!w->journal) return true;
    sdw_status s = sdw_journal_end(w->journal, &t->id, end, &err);
    tell_trouble(w, &t->id, s, &err);
    return s == SDW_OK || s == SDW_IO;
}

static void mark_written(sdw_worker *w, sdw_ticket *t, bool written)
{
    pthread_mutex_lock(&w->mutex);
    t->end_is_written = written;
    pthread_mutex_unlock(&w->mutex);
}

static void sync_journal(sdw_worker *w, const sdw_job_id *id)
{
    sdw_error err = { 0 };
    if (w->journal) tell_trouble(w, id, sdw_journal_sync(w->journal, &err), &err);
}

static sdw_status put_outputs(sdw_worker *w, sdw_stored_output *outputs, sdw_blob **blobs, int count, sdw_error *err)
{
    sdw_status s = SDW_OK;
    int i = 0;
    while (i < count && s == SDW_OK) {
        s = sdw_store_output_put(w->store, blobs[i], &outputs[i].output.id, outputs[i].sha256, err);
        if (s == SDW_OK) i++;
    }
    while (s != SDW_OK && i > 0) sdw_store_output_drop(w->store, &outputs[--i].output.id);
    return s;
}

sdw_status sdw_keeping_complete(sdw_worker *w, sdw_ticket *t, sdw_stored_output *outputs, sdw_blob **blobs, int count, sdw_error *err)
{
    sdw_job_end end;
    sdw_blob *json;
    sdw_status s = put_outputs(w, outputs, blobs, count, err);
    if (s != SDW_OK) return s;
    fill_end(w, t, &end, &json);
    end.status = SDW_JOB_COMPLETED;
    end.finished_at = sdw_clock_wall_s();
    end.last_event += SDW_EVENT_ENDS;
    end.output_count = count;
    memcpy(end.outputs, outputs, (size_t)count * sizeof *outputs);
    s = sdw_store_add(w->store, &t->id, end.finished_at, outputs, count, err);
    if (s == SDW_OK) {
        mark_written(w, t, write_end(w, t, &end));
        sync_journal(w, &t->id);
    }
    for (int i = 0; s != SDW_OK && i < count; i++) sdw_store_output_drop(w->store, &outputs[i].output.id);
    sdw_blob_unref(json);
    return s;
}

/* false: for lack of memory; again later. */
static bool note_end(sdw_worker *w, sdw_ticket *t)
{
    sdw_job_end end;
    sdw_blob *json;
    sdw_error err = { 0 };
    pthread_mutex_lock(&w->mutex);
    bool written = t->end_is_written;
    pthread_mutex_unlock(&w->mutex);
    fill_end(w, t, &end, &json);
    if (!written) mark_written(w, t, written = write_end(w, t, &end));
    sdw_blob_unref(json);
    if (!written) return false;
    if (end.status != SDW_JOB_COMPLETED) {
        sdw_store_forget(w->store, &t->id); /* cancelled in its last moment: what it had stored goes */
        if (sdw_store_add(w->store, &t->id, end.finished_at, NULL, 0, &err) == SDW_NO_MEMORY) return false;
    }
    release_inputs(w, t);
    return true;
}

/* The end that the job will have, in case that it cannot be told any more; the real one is written after it. */
static bool note_cancelling(sdw_worker *w, sdw_ticket *t)
{
    sdw_job_end end;
    sdw_blob *json;
    fill_end(w, t, &end, &json);
    bool runs = end.status == SDW_JOB_RUNNING;
    end.status = SDW_JOB_WAS_CANCELLED;
    end.finished_at = sdw_clock_wall_s();
    end.last_event++;
    bool done = !runs || write_end(w, t, &end);
    sdw_blob_unref(json);
    return done;
}

static bool note_kept(sdw_worker *w, const sdw_ticket *t)
{
    sdw_error err = { 0 };
    sdw_status s = w->journal ? sdw_journal_keep(w->journal, &t->id, &err) : SDW_OK;
    tell_trouble(w, &t->id, s, &err);
    return s == SDW_OK || s == SDW_IO;
}

static void expire(sdw_worker *w)
{
    sdw_job_id id;
    bool any = false;
    while (sdw_store_expire(w->store, sdw_clock_wall_s(), &id)) {
        sdw_error err = { 0 };
        pthread_mutex_lock(&w->mutex);
        sdw_ticket *t = sdw_worker_find(w, id.text);
        if (t) sdw_worker_forget(w, t);
        pthread_mutex_unlock(&w->mutex);
        if (w->journal) tell_trouble(w, &id, sdw_journal_forget(w->journal, &id, &err), &err);
        any = true;
    }
    if (any) sdw_worker_wake(w, NULL);
}

/* Mutex held; the list holds t. */
static void put_back(sdw_worker *w, sdw_ticket *t, sdw_note note)
{
    if (t->note) { /* it stands there again, with something newer */
        sdw_worker_drop(w, t);
        return;
    }
    t->note = note;
    t->next_noted = w->noted;
    w->noted = t;
    w->noted_after = sdw_clock_monotonic_s() + RETRY_S;
}

static bool tell(sdw_worker *w, sdw_ticket *t, sdw_note note)
{
    if (note == SDW_NOTE_CANCELLING) return note_cancelling(w, t);
    return note == SDW_NOTE_ENDED ? note_end(w, t) : note_kept(w, t);
}

void sdw_keeping_settle(sdw_worker *w)
{
    pthread_mutex_lock(&w->settling);
    pthread_mutex_lock(&w->mutex);
    sdw_ticket *list = w->noted;
    bool any = list != NULL;
    w->noted = NULL;
    while (list) {
        sdw_ticket *t = list;
        sdw_note note = t->note;
        t->note = SDW_NOTE_NONE;
        list = t->next_noted;
        pthread_mutex_unlock(&w->mutex);
        bool done = tell(w, t, note);
        pthread_mutex_lock(&w->mutex);
        if (w->journal) w->unsynced = true;
        if (done) sdw_worker_drop(w, t);
        else put_back(w, t, note);
    }
    pthread_cond_signal(&w->desk_cond); /* syncs */
    pthread_mutex_unlock(&w->mutex);
    pthread_mutex_unlock(&w->settling);
    if (any) sdw_worker_wake(w, NULL); /* the last of them may be what "stopped" waited for */
    expire(w);
}

void sdw_keeping_sync(sdw_worker *w)
{
    pthread_mutex_lock(&w->mutex);
    bool wanted = w->unsynced;
    w->unsynced = false;
    pthread_mutex_unlock(&w->mutex);
    if (wanted) sync_journal(w, NULL);
}

void sdw_keeping_tidy(sdw_worker *w)
{
    sdw_error err = { 0 };
    if (w->journal && sdw_journal_wants_rewrite(w->journal)) tell_trouble(w, NULL, sdw_journal_rewrite(w->journal, sdw_clock_wall_s(), &err), &err);
}

double sdw_keeping_next(sdw_worker *w)
{
    double left = sdw_store_next_expiry(w->store, sdw_clock_wall_s());
    if (w->unsynced) return 0;
    if (!w->noted) return left;
    double retry = w->noted_after - sdw_clock_monotonic_s();
    if (retry < 0) retry = 0;
    return left < 0 || retry < left ? retry : left;
}
