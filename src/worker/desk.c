/* desk.c - the thread for what takes milliseconds and is no model: pictures into files, results let go in time, and the
 * look at the clock while the engine is inside a long operation. Tasks are done in the order in which they came, so a
 * job's previews are out before its end. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "core/mem.h"
#include "image/image.h"
#include "image/resize.h"
#include "sdw/request.h"
#include "worker/blob.h"
#include "worker/keeping.h"

void sdw_desk_put(sdw_worker *w, sdw_desk_task *task)
{
    pthread_mutex_lock(&w->mutex);
    sdw_worker_hold(task->ticket);
    *w->desk_last = task;
    w->desk_last = &task->next;
    w->desk_tasks++;
    pthread_cond_signal(&w->desk_cond);
    pthread_mutex_unlock(&w->mutex);
}

void sdw_desk_task_free(sdw_desk_task *task)
{
    if (!task) return;
    for (int i = 0; i < task->count; i++) sdw_free(task->picture[i].pixels);
    sdw_free(task);
}

/* ---- previews ---- */

static sdw_blob *encode_preview(const sdw_desk_task *task, sdw_error *err)
{
    sdw_image small = { task->picture[0].width, task->picture[0].height, 3, task->picture[0].pixels };
    sdw_image *large = NULL;
    sdw_buf file;
    sdw_buf_init(&file, 0);
    sdw_status status = sdw_image_resize(&small, task->width, task->height, SDW_FILTER_BICUBIC, &large, err);
    if (status == SDW_OK) status = sdw_image_encode(large, "png", NULL, &file, err);
    sdw_image_free(large);
    size_t size;
    char *bytes = status == SDW_OK ? sdw_buf_take(&file, &size) : NULL;
    sdw_buf_finish(&file);
    return bytes ? sdw_blob_take(bytes, size) : NULL;
}

static void do_preview(sdw_worker *w, sdw_desk_task *task)
{
    sdw_ticket *t = task->ticket;
    sdw_error err = { 0 };
    sdw_blob *picture = encode_preview(task, &err), *old = NULL;
    if (!picture) sdw_worker_log(w, 1, &t->id, "a preview was left out: %s", err.text);
    pthread_mutex_lock(&w->mutex);
    t->previews_pending--;
    if (picture && t->status == SDW_JOB_RUNNING) {
        old = t->preview_latest;
        t->preview_latest = sdw_blob_ref(picture);
    }
    pthread_mutex_unlock(&w->mutex);
    sdw_blob_unref(old);
    if (!picture) return;
    sdw_stats_preview(&w->stats);
    if (task->event) sdw_worker_tell(w, t, &(sdw_event){ .kind = SDW_EVENT_PREVIEW, .step = task->step, .total = task->total, .picture = picture });
    else sdw_blob_unref(picture);
}

/* The last preview of a job that wants decoded ones is its result. */
static void preview_of_result(sdw_worker *w, const sdw_desk_task *task)
{
    sdw_error err = { 0 };
    sdw_blob *picture = encode_preview(task, &err);
    if (picture)
        sdw_worker_tell(w, task->ticket, &(sdw_event){ .kind = SDW_EVENT_PREVIEW, .step = task->step, .total = task->total, .picture = picture });
}

/* ---- results ---- */

/* The request of picture i, such that it can be repeated alone; pictures from one generator only together. */
static sdw_request_record record_of(const sdw_desk_task *task, int i)
{
    sdw_request_record r = { .params = task->params, .model = task->ticket->model_id };
    const char *precision = task->ticket->entry->precision;
    if (precision && strcmp(precision, "f32") != 0) r.precision = precision;
    bool shared = r.params.rng_batch && strcmp(r.params.rng_batch, "shared") == 0;
    r.params.init_image = r.params.mask = NULL;
    if (!shared) {
        r.params.seed = task->seed[i];
        r.params.count = 1;
    }
    return r;
}

static sdw_status encode(const sdw_desk_task *task, int i, sdw_blob **ret, sdw_error *err)
{
    const sdw_picture *p = &task->picture[i];
    const sdw_image image = { p->width, p->height, p->channels, p->pixels };
    sdw_request_record record = record_of(task, i);
    char *infotext = NULL, *json = NULL;
    sdw_buf file;
    sdw_buf_init(&file, 0);
    sdw_status status = sdw_request_write_infotext(&record, &infotext, err);
    if (status == SDW_OK) status = sdw_request_write_json(&record, &json, err);
    if (status == SDW_OK) {
        const sdw_image_text texts[] = { { SDW_TEXT_PARAMETERS, infotext }, { "sdw", json } };
        const sdw_image_encode_options o = { .quality = task->ticket->quality, .texts = texts, .text_count = 2 };
        status = sdw_image_encode(&image, task->ticket->format, &o, &file, err);
    }
    sdw_text_free(infotext);
    sdw_text_free(json);
    size_t size;
    char *bytes = status == SDW_OK ? sdw_buf_take(&file, &size) : NULL;
    sdw_buf_finish(&file);
    if (status != SDW_OK) return status;
    *ret = bytes ? sdw_blob_take(bytes, size) : NULL;
    return *ret ? SDW_OK : sdw_fail_memory(err, "result", size);
}

typedef struct result {
    sdw_stored_output *output;   /* owned until the ticket takes it */
    sdw_blob *blob[SDW_JOB_PICTURES_MAX];
    int count;
    double pixels;
} result;

static sdw_status make_outputs(const sdw_desk_task *task, result *r, sdw_error *err)
{
    r->output = sdw_calloc((size_t)task->count, sizeof *r->output);
    if (!r->output) return sdw_fail_memory(err, "results", (size_t)task->count * sizeof *r->output);
    sdw_status status = SDW_OK;
    for (int i = 0; i < task->count && status == SDW_OK; i++) {
        const sdw_picture *p = &task->picture[i];
        sdw_job_output *o = &r->output[i].output;
        *o = (sdw_job_output){ .seed = task->seed[i], .width = p->width, .height = p->height };
        status = encode(task, i, &r->blob[i], err);
        if (status != SDW_OK) break;
        sdw_blob_bytes(r->blob[i], &o->bytes);
        r->count = i + 1;
        r->pixels += (double)p->width * p->height;
    }
    return status;
}

/* How the job ends: with its pictures, unless somebody cancelled it in the last moment. */
static void settle(sdw_worker *w, sdw_ticket *t, result *r)
{
    pthread_mutex_lock(&w->mutex);
    if (t->wish == SDW_WISH_CANCEL) {
        t->end_is_written = false; /* another one was */
        sdw_worker_end(w, t, SDW_JOB_WAS_CANCELLED, NULL, NULL, NULL);
    } else {
        t->output = r->output;
        t->output_count = r->count;
        w->images_done += (uint64_t)r->count;
        w->pixels_done += (uint64_t)r->pixels;
        r->output = NULL;
        sdw_worker_end(w, t, SDW_JOB_COMPLETED, NULL, NULL, NULL);
    }
    pthread_mutex_unlock(&w->mutex);
}

static void store(sdw_worker *w, sdw_ticket *t, result *r)
{
    sdw_error err = { 0 };
    sdw_status status = sdw_keeping_complete(w, t, r->output, r->blob, r->count, &err);
    if (status == SDW_OK) settle(w, t, r);
    else sdw_worker_fail(w, t, status == SDW_NO_MEMORY ? "VRAM_OOM" : "STORAGE_FULL", err.text);
}

static void do_result(sdw_worker *w, sdw_desk_task *task)
{
    sdw_ticket *t = task->ticket;
    result r = { .count = 0 };
    sdw_error err = { 0 };
    if (task->preview_first) preview_of_result(w, task);
    double begun = sdw_clock_monotonic_s();
    sdw_status status = make_outputs(task, &r, &err);
    if (status == SDW_OK) {
        sdw_stats_stage(&w->stats, SDW_STAGE_ENCODE, sdw_clock_monotonic_s() - begun);
        sdw_worker_narrate(w, t, "generation_complete", "%d picture%s in %.2f s", r.count, r.count == 1 ? "" : "s", sdw_clock_monotonic_s() - t->started);
        store(w, t, &r);
    } else {
        char text[SDW_ERROR_TEXT_MAX];
        snprintf(text, sizeof text, "Failed to encode image: %.480s", err.text);
        sdw_worker_fail(w, t, status == SDW_NO_MEMORY ? "VRAM_OOM" : "INFERENCE_FAILED", text);
    }
    for (int i = 0; i < r.count; i++) sdw_blob_unref(r.blob[i]);
    sdw_free(r.output);
    pthread_mutex_lock(&w->mutex);
    w->finishing--;
    pthread_mutex_unlock(&w->mutex);
    sdw_worker_wake(w, &t->id);
    sdw_worker_wake(w, NULL);
}

/* ---- the thread ---- */

static void bury(sdw_ticket *dead)
{
    while (dead) {
        sdw_ticket *next = dead->next;
        sdw_ticket_free(dead);
        dead = next;
    }
}

/* Running jobs past their time: the engine may be inside a long operation for one of them. Seconds until the next, or -1. */
static double watch_deadlines(sdw_worker *w)
{
    double now = sdw_clock_monotonic_s(), next = -1;
    for (int i = 0; i < w->active_count; i++) {
        sdw_ticket *t = w->active[i];
        if (t->deadline <= 0 || t->wish) continue;
        if (t->deadline <= now) {
            t->wish = SDW_WISH_TIMEOUT;
            sdw_worker_interrupt(w);
        } else if (next < 0 || t->deadline - now < next) next = t->deadline - now;
    }
    return next;
}

static void wait_for_work(sdw_worker *w)
{
    double deadline = watch_deadlines(w), expiry = sdw_keeping_next(w);
    double left = deadline < 0 ? expiry : expiry < 0 || deadline < expiry ? deadline : expiry;
    if (left < 0) {
        pthread_cond_wait(&w->desk_cond, &w->mutex);
        return;
    }
    double at = sdw_clock_monotonic_s() + fmin(left, 3600.0) + 1e-4;
    struct timespec until = { .tv_sec = (time_t)at, .tv_nsec = (long)((at - floor(at)) * 1e9) };
    pthread_cond_timedwait(&w->desk_cond, &w->mutex, &until);
}

void *sdw_worker_desk_main(void *worker)
{
    sdw_worker *w = worker;
    pthread_mutex_lock(&w->mutex);
    while (!(w->engine_done && !w->desk_first)) {
        sdw_ticket *dead = w->dead;
        sdw_desk_task *task = w->desk_first;
        bool settle_now = sdw_keeping_next(w) == 0;
        if (!dead && !task && !settle_now) {
            wait_for_work(w);
            continue;
        }
        w->dead = NULL;
        if (task && !(w->desk_first = task->next)) w->desk_last = &w->desk_first;
        if (task) w->desk_tasks--;
        pthread_mutex_unlock(&w->mutex);
        bury(dead);
        if (settle_now) {
            sdw_keeping_settle(w);
            sdw_keeping_sync(w);
            sdw_keeping_tidy(w);
        }
        if (task && task->kind == SDW_DESK_PREVIEW) do_preview(w, task);
        else if (task) do_result(w, task);
        pthread_mutex_lock(&w->mutex);
        if (task) sdw_worker_drop(w, task->ticket);
        pthread_mutex_unlock(&w->mutex);
        sdw_desk_task_free(task);
        pthread_mutex_lock(&w->mutex);
    }
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}
