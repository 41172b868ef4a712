/* job_wait.c - see job_wait.h. */
#include "server/job_wait.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "server/json_out.h"

static bool is_over(const sdw_job_view *v)
{
    return v->status == SDW_JOB_COMPLETED || v->status == SDW_JOB_FAILED || v->status == SDW_JOB_WAS_CANCELLED;
}

static void forgotten(sdw_job_view *v)
{
    *v = (sdw_job_view){ .status = SDW_JOB_FAILED };
    snprintf(v->error.code, sizeof v->error.code, "INFERENCE_FAILED");
    snprintf(v->error.message, sizeof v->error.message, "The job's result was forgotten before it could be sent");
}

static bool poll(void *ctx, sdw_http_response *ret)
{
    sdw_waiter *w = ctx;
    sdw_worker *worker = sdw_server_worker(w->server);
    sdw_job_view views[SDW_WAIT_JOBS_MAX];
    int n = 0;
    bool over = true;
    for (; n < w->count && over; n++) {
        if (sdw_worker_job(worker, &w->jobs[n], &views[n], NULL) != SDW_OK) forgotten(&views[n]);
        over = is_over(&views[n]);
    }
    if (over) w->answer(w->ctx, w, views, ret);
    while (n) sdw_job_view_finish(&views[--n]);
    return over;
}

static void close_waiter(void *ctx, bool client_gone)
{
    sdw_waiter *w = ctx;
    for (int i = 0; client_gone && i < w->count; i++) sdw_worker_cancel(sdw_server_worker(w->server), &w->jobs[i], NULL);
    if (w->free_ctx) w->free_ctx(w->ctx);
    sdw_free(w);
}

void sdw_wait_for_jobs(const sdw_waiter *w, sdw_face face, sdw_http_response *ret)
{
    sdw_waiter *own = sdw_malloc(sizeof *own);
    if (!own) {
        for (int i = 0; i < w->count; i++) sdw_worker_cancel(sdw_server_worker(w->server), &w->jobs[i], NULL);
        if (w->free_ctx) w->free_ctx(w->ctx);
        sdw_http_error(ret, face, 503, "OVERLOADED", "No memory to wait for the job");
        return;
    }
    *own = *w;
    ret->later = (sdw_http_later){ .poll = poll, .close = close_waiter, .ctx = own };
    if (w->count == 1) ret->later.job = w->jobs[0];
}

bool sdw_write_picture(sdw_worker *w, const sdw_job_id *id, int index, sdw_buf *out)
{
    sdw_blob *picture;
    size_t size;
    if (sdw_worker_picture(w, id, index, &picture, NULL) != SDW_OK) return false;
    const void *bytes = sdw_blob_bytes(picture, &size);
    sdw_json_base64(out, bytes, size);
    sdw_blob_unref(picture);
    return !out->failed;
}

int sdw_job_error_status(const char *code)
{
    if (!strcmp(code, "INVALID_REQUEST")) return 400;
    if (!strcmp(code, "TIMEOUT")) return 504;
    if (!strcmp(code, "STORAGE_FULL") || !strcmp(code, "MODEL_LOAD_FAILED")) return 503;
    return 500;
}
