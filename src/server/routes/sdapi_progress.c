/* sdapi_progress.c - progress, interrupt and skip. They concern the oldest running request that came in under /sdapi, or
 * the one that ?id_task= names, never a job of another face. */
#include <string.h>
#include <time.h>

#include "server/answer.h"
#include "server/json_out.h"
#include "server/sdapi_request.h"

#define LOOK_MAX 500

/* False: none runs. Finish *ret otherwise. */
static bool find(const sdw_http_request *r, bool running_only, sdw_job_view *ret)
{
    sdw_worker *w = sdw_server_worker(r->server);
    const char *task = sdw_http_query(r, "id_task");
    unsigned mask = 1u << SDW_JOB_RUNNING | (running_only ? 0 : 1u << SDW_JOB_QUEUED);
    sdw_job_id ids[LOOK_MAX];
    for (size_t n = sdw_worker_jobs(w, mask, NULL, ids, LOOK_MAX); n; n--) { /* newest first: the last is the oldest */
        if (sdw_worker_job(w, &ids[n - 1], ret, NULL) != SDW_OK) continue;
        bool wanted = !strcmp(ret->face, "sdapi") && (!task || (ret->tag && !strcmp(ret->tag, task)));
        if (wanted) return true;
        sdw_job_view_finish(ret);
    }
    return false;
}

static void put_state(const sdw_job_view *v, sdw_buf *out)
{
    char stamp[32] = "0";
    time_t at = v ? (time_t)v->created_at : 0;
    struct tm tm;
    if (v && localtime_r(&at, &tm)) strftime(stamp, sizeof stamp, "%Y%m%d%H%M%S", &tm);
    sdw_json_key(out, "state");
    sdw_json_open(out, '{');
    sdw_json_put_bool(out, "skipped", false);
    sdw_json_put_bool(out, "interrupted", false);
    sdw_json_put_bool(out, "stopping_generation", false);
    sdw_json_put_text(out, "job", v ? v->id.text : "");
    sdw_json_put_int(out, "job_count", v ? 1 : 0);
    sdw_json_put_text(out, "job_timestamp", stamp);
    sdw_json_put_int(out, "job_no", 0);
    sdw_json_put_int(out, "sampling_step", v ? v->step : 0);
    sdw_json_put_int(out, "sampling_steps", v ? v->total : 0);
    sdw_json_close(out, '}');
}

static bool is_set(const char *value)
{
    return value && (!strcmp(value, "true") || !strcmp(value, "True") || !strcmp(value, "1"));
}

static void put_picture(const sdw_http_request *r, const sdw_job_view *v, sdw_buf *out)
{
    sdw_blob *picture = NULL;
    size_t size = 0;
    bool skip = is_set(sdw_http_query(r, "skip_current_image")) || is_set(sdw_http_query(r, "skipCurrentImage"));
    sdw_json_key(out, "current_image");
    const void *bytes = v && !skip && sdw_worker_preview(sdw_server_worker(r->server), &v->id, &picture, NULL) == SDW_OK ? sdw_blob_bytes(picture, &size) : NULL;
    if (bytes) sdw_json_base64(out, bytes, size);
    else sdw_json_null(out);
    sdw_blob_unref(picture);
}

static void progress(const sdw_http_request *r, sdw_http_response *ret)
{
    sdw_job_view view;
    sdw_job_view *v = find(r, true, &view) ? &view : NULL;
    sdw_buf *out = sdw_answer_json(ret, 200);
    double p = 0, eta = 0;
    if (v) {
        p = 0.01 + (v->total ? (double)v->step / v->total : 0);
        if (p > 1) p = 1;
        eta = v->elapsed_ms / 1000 / p - v->elapsed_ms / 1000;
    }
    sdw_json_open(out, '{');
    sdw_json_put_real(out, "progress", p);
    sdw_json_put_real(out, "eta_relative", eta);
    put_state(v, out);
    put_picture(r, v, out);
    sdw_json_put_text(out, "textinfo", NULL);
    sdw_json_put_text(out, "current_task", v ? v->tag : NULL);
    sdw_json_close(out, '}');
    if (v) sdw_job_view_finish(v);
    sdw_answer_check(ret);
}

static void finish_early(const sdw_http_request *r)
{
    sdw_job_view v;
    if (!find(r, true, &v)) return;
    sdw_worker_finish_early(sdw_server_worker(r->server), &v.id, NULL); /* NOT_FOUND: it has just ended */
    sdw_job_view_finish(&v);
}

static void interrupt(const sdw_http_request *r, sdw_http_response *ret)
{
    finish_early(r);
    sdw_buf_puts(sdw_answer_json(ret, 200), "{}");
}

static void skip(const sdw_http_request *r, sdw_http_response *ret)
{
    finish_early(r);
    sdw_buf_puts(sdw_answer_json(ret, 200), "null");
}

static const sdw_route rows[] = {
    { "GET", "/sdapi/v1/progress", SDW_FACE_SDAPI, SDW_ROUTE_DESK, progress, "sdapiProgress", "AUTOMATIC1111: how far the oldest request is." },
    { "POST", "/sdapi/v1/interrupt", SDW_FACE_SDAPI, SDW_ROUTE_SMALL_BODY, interrupt, "sdapiInterrupt",
      "AUTOMATIC1111: ends it after its step and answers with what there is." },
    { "POST", "/sdapi/v1/skip", SDW_FACE_SDAPI, SDW_ROUTE_SMALL_BODY, skip, "sdapiSkip", "AUTOMATIC1111: the same, since pictures of a request are drawn together." },
};
const sdw_routes sdw_routes_sdapi_progress = { rows, sizeof rows / sizeof rows[0] };
