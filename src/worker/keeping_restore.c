/* keeping_restore.c - tickets from the journal. Runs before the threads of the worker. */
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "worker/blob.h"
#include "worker/keeping.h"

typedef struct counts { int queued, failed, ended; } counts;
typedef struct restore { sdw_worker *w; counts n; } restore;

/* ---- tickets ---- */

/* A ticket as submit made it; texts and pictures are copied. */
static sdw_status make_ticket(const sdw_job_record *r, const sdw_params *params, sdw_ticket **ret, sdw_error *err)
{
    const sdw_job_request request = { .params = *params, .preview_every = r->preview_every, .preview = r->preview, .format = r->format,
                                      .quality = r->quality, .timeout_s = r->timeout_s, .face = r->face, .tag = r->tag, .echo = r->echo };
    sdw_ticket *t;
    sdw_status s = sdw_ticket_create(&request, &t, err);
    if (s != SDW_OK) return s;
    t->id = r->id;
    t->kind = r->kind;
    t->created_at = r->created_at;
    snprintf(t->model_hash, sizeof t->model_hash, "%s", r->model_hash ? r->model_hash : "");
    memcpy(t->init_name, r->init_image, sizeof t->init_name);
    memcpy(t->mask_name, r->mask, sizeof t->mask_name);
    t->model_id = sdw_strdup(r->model ? r->model : "");
    if (!t->model_id) {
        sdw_ticket_free(t);
        return sdw_fail_memory(err, "job", 0);
    }
    *ret = t;
    return SDW_OK;
}

/* The creator's hold becomes the table's. */
static void insert(sdw_worker *w, sdw_ticket *t)
{
    t->order = ++w->orders;
    sdw_worker_insert(w, t);
    sdw_worker_drop(w, t);
}

/* ---- ended jobs ---- */

static void add_event(sdw_ticket *t, double at, sdw_event_kind kind, sdw_blob *text)
{
    sdw_event e = { .kind = kind, .at = at, .text = text };
    if (t->status == SDW_JOB_FAILED) snprintf(e.code, sizeof e.code, "%s", t->error.code);
    sdw_event_list_add(&t->events, &e);
}

/* The two ends, under the numbers that they had: a reader that resumes gets what it has not seen. */
static void add_ends(sdw_ticket *t, const sdw_job_end *end)
{
    const uint64_t ends = t->status == SDW_JOB_WAS_CANCELLED ? 1 : 2;
    t->events.last = end->last_event > ends ? end->last_event - ends : 0;
    if (t->status == SDW_JOB_COMPLETED) add_event(t, end->finished_at, SDW_EVENT_COMPLETE, NULL);
    if (t->status == SDW_JOB_FAILED) add_event(t, end->finished_at, SDW_EVENT_ERROR, sdw_blob_copy(t->error.message, strlen(t->error.message)));
    add_event(t, end->finished_at, t->status == SDW_JOB_COMPLETED ? SDW_EVENT_END_DONE : t->status == SDW_JOB_FAILED ? SDW_EVENT_END_ERROR : SDW_EVENT_END_CANCELLED, NULL);
}

static bool copy_outputs(sdw_ticket *t, const sdw_job_end *end)
{
    if (end->output_count == 0) return true;
    t->output = sdw_calloc((size_t)end->output_count, sizeof *t->output);
    if (!t->output) return false;
    memcpy(t->output, end->outputs, (size_t)end->output_count * sizeof *t->output);
    t->output_count = end->output_count;
    return true;
}

static sdw_status restore_ended(restore *x, const sdw_job_record *r, sdw_error *err)
{
    const sdw_job_end *end = &r->end;
    sdw_ticket *t;
    sdw_status s = make_ticket(r, &r->params, &t, err);
    if (s != SDW_OK) return s;
    t->status = end->status;
    t->error = end->error;
    t->started_at = end->started_at;
    t->finished_at = end->finished_at;
    if (end->started_at > 0) t->started = 1, t->finished = 1 + (end->finished_at - end->started_at); /* only their difference is shown */
    t->step = end->step;
    t->total = end->total;
    t->pictures = end->output_count;
    t->end_is_written = true;
    t->init_name[0] = t->mask_name[0] = '\0'; /* let go when it ended */
    char *resolved = sdw_strdup(end->resolved);
    t->params_json = resolved ? sdw_blob_take(resolved, strlen(resolved)) : sdw_ticket_params_json(t, &t->params);
    if (!copy_outputs(t, end) || !t->params_json) s = sdw_fail_memory(err, "finished job", 0);
    if (s == SDW_OK) s = sdw_store_add(x->w->store, &t->id, end->finished_at, end->outputs, end->output_count, err);
    if (s != SDW_OK) {
        sdw_ticket_free(t);
        return s;
    }
    add_ends(t, end);
    insert(x->w, t);
    x->n.ended++;
    return SDW_OK;
}

/* ---- unfinished jobs ---- */

/* "" = it can run; else the code of its failure, and why. Whether its model exists is seen when it is its turn: by then
 * the owner has named all that there are. */
static const char *verdict(const sdw_job_record *r, char *why, size_t size)
{
    if (r->attempts >= SDW_JOURNAL_ATTEMPTS_MAX) {
        snprintf(why, size, "the worker died %d times while it ran this job", r->attempts);
        return "CRASHED";
    }
    return "";
}

static void fail_restored(sdw_worker *w, sdw_ticket *t, const char *code, const char *why)
{
    insert(w, t);
    sdw_worker_fail(w, t, code, why);
}

static sdw_status get_picture(restore *x, const char *name, sdw_picture *pixels, const sdw_picture **ret, sdw_error *err)
{
    if (!*name) return SDW_OK;
    sdw_status s = sdw_store_picture_hold(x->w->store, name, err);
    if (s == SDW_OK) s = sdw_store_picture_get(x->w->store, name, pixels, err);
    if (s == SDW_OK) *ret = pixels;
    return s;
}

static sdw_status queue_again(restore *x, sdw_ticket *t)
{
    sdw_worker *w = x->w;
    t->params_json = sdw_ticket_params_json(t, &t->params);
    insert(w, t);
    sdw_worker_enqueue(w, t);
    x->n.queued++;
    return SDW_OK;
}

static sdw_status restore_unfinished(restore *x, const sdw_job_record *r, sdw_error *err)
{
    sdw_picture init = { 0 }, mask = { 0 };
    sdw_params params = r->params;
    sdw_ticket *t = NULL;
    sdw_error gone = { 0 };
    char why[SDW_ERROR_TEXT_MAX];
    const char *code = verdict(r, why, sizeof why);
    if (!*code) {
        sdw_status got = get_picture(x, r->init_image, &init, &params.init_image, &gone);
        if (got == SDW_OK) got = get_picture(x, r->mask, &mask, &params.mask, &gone);
        if (got == SDW_NO_MEMORY) code = "VRAM_OOM";
        else if (got != SDW_OK) code = "INFERENCE_FAILED";
        if (*code) snprintf(why, sizeof why, "%s", gone.text);
    }
    sdw_status s = make_ticket(r, &params, &t, err);
    if (s == SDW_OK && *code) {
        fail_restored(x->w, t, code, why);
        x->n.failed++;
    } else if (s == SDW_OK) {
        s = queue_again(x, t);
    }
    sdw_free(init.pixels);
    sdw_free(mask.pixels);
    return s;
}

/* ---- all ---- */

static sdw_status restore_job(void *ctx, const sdw_job_record *r, sdw_error *err)
{
    return r->end.status == SDW_JOB_QUEUED ? restore_unfinished(ctx, r, err) : restore_ended(ctx, r, err);
}

sdw_status sdw_keeping_restore(sdw_worker *w, sdw_error *err)
{
    restore x = { .w = w };
    if (!w->journal) return SDW_OK;
    sdw_status s = sdw_journal_each(w->journal, restore_job, &x, err);
    if (s != SDW_OK) return s;
    size_t swept = sdw_store_sweep(w->store);
    sdw_keeping_settle(w);
    if (x.n.queued || x.n.failed || x.n.ended || swept)
        sdw_worker_log(w, 2, NULL, "state folder %s: %d jobs queued again, %d failed, %d had ended; %zu files removed that nobody holds", w->state_dir->path,
                       x.n.queued, x.n.failed, x.n.ended, swept);
    return SDW_OK;
}
