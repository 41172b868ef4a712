/* sdapi_generate.c - /sdapi/v1/txt2img and img2img: one job, one answer (http-apis 4.2 to 4.4). */
#include <string.h>

#include "core/mem.h"
#include "server/answer.h"
#include "server/job_wait.h"
#include "server/models.h"
#include "server/sdapi_info.h"
#include "server/sdapi_settings.h"
#include "server/server.h"

static void free_facts(void *ctx)
{
    sdw_sdapi_facts *f = ctx;
    if (f) sdw_free(f->echo);
    sdw_free(f);
}

static void answer(void *ctx, const sdw_waiter *w, const sdw_job_view *v, sdw_http_response *ret)
{
    if (v->status != SDW_JOB_COMPLETED) {
        bool cancelled = v->status == SDW_JOB_WAS_CANCELLED;
        sdw_sdapi_error(ret, cancelled ? 500 : sdw_job_error_status(v->error.code), cancelled ? "The job was cancelled" : v->error.message);
        return;
    }
    sdw_buf *out = sdw_answer_json(ret, 200);
    char hex[SDW_DIGEST_HEX_SIZE];
    bool known = sdw_models_hash(sdw_server_options_of(w->server)->models, v->model, hex);
    if (!sdw_sdapi_write_answer(sdw_server_worker(w->server), ctx, v, known ? hex : NULL, out)) sdw_sdapi_error(ret, 500, "A picture was forgotten before it could be sent");
    sdw_answer_check(ret);
}

static sdw_sdapi_facts *facts_of(const sdw_sdapi_request *q)
{
    sdw_buf echo;
    sdw_sdapi_facts *f = sdw_calloc(1, sizeof *f);
    sdw_buf_init(&echo, 0);
    sdw_sdapi_write_echo(q, &echo);
    if (f && !echo.failed) {
        *f = (sdw_sdapi_facts){ .batch_size = q->batch_size, .image_call = q->image_call, .send_images = q->send_images, .echo = sdw_buf_take(&echo, NULL) };
        if (f->echo) return f;
    }
    sdw_buf_finish(&echo);
    free_facts(f);
    return NULL;
}

static void refused(const sdw_error *err, sdw_http_response *ret)
{
    if (err->status == SDW_INVALID && !strcmp(err->field, "sampler")) sdw_sdapi_error(ret, 400, "Sampler not found");
    else if (err->status == SDW_INVALID && !strcmp(err->field, "schedule")) sdw_sdapi_error(ret, 400, "Scheduler not found");
    else sdw_http_fail(ret, SDW_FACE_SDAPI, err);
}

/* The checkpoint of a request: "name [hash]" or the name. False: not one that is served. */
static bool choose_model(const sdw_http_request *r, sdw_sdapi_request *q, sdw_http_response *ret)
{
    sdw_worker *w = sdw_server_worker(r->server);
    if (!q->checkpoint || !q->checkpoint[0]) return true;
    const char *name = sdw_arena_printf(&q->arena, "%.*s", (int)sdw_models_title_id(q->checkpoint), q->checkpoint);
    if (name && sdw_worker_model_status(w, name)) {
        q->job.model = name;
        return true;
    }
    sdw_sdapi_error(ret, 404, "Checkpoint not found");
    return false;
}

static void run(const sdw_http_request *r, sdw_sdapi_request *q, sdw_http_response *ret)
{
    sdw_worker *w = sdw_server_worker(r->server);
    sdw_worker_model_info *m;
    sdw_waiter waiter = { .server = r->server, .count = 1, .answer = answer, .free_ctx = free_facts };
    sdw_submit_answer accepted;
    sdw_error err = { 0 };
    if (!sdw_worker_model(w, &m)) {
        sdw_sdapi_error(ret, 503, "The model is not loaded yet");
        return;
    }
    sdw_worker_model_info_free(m);
    if (!choose_model(r, q, ret)) return;
    waiter.ctx = facts_of(q);
    if (!waiter.ctx) {
        sdw_sdapi_error(ret, 503, "No memory to read the request");
        return;
    }
    sdw_status s = sdw_worker_submit(w, &q->job, &waiter.jobs[0], &accepted, &err);
    if (s == SDW_OK) {
        sdw_http_note_job(r, &waiter.jobs[0]);
        sdw_wait_for_jobs(&waiter, SDW_FACE_SDAPI, ret);
        return;
    }
    free_facts(waiter.ctx);
    err.status = s;
    refused(&err, ret);
}

static void call(const sdw_http_request *r, bool image_call, sdw_http_response *ret)
{
    sdw_sdapi_defaults standing = sdw_sdapi_settings_get(sdw_server_options_of(r->server)->sdapi);
    sdw_sdapi_problem problem;
    sdw_sdapi_request *q = sdw_malloc(sizeof *q);
    if (!q) {
        sdw_sdapi_error(ret, 503, "No memory to read the request");
        return;
    }
    if (sdw_sdapi_read(r, image_call, &standing, q, &problem)) run(r, q, ret);
    else sdw_sdapi_refuse(&problem, ret);
    sdw_sdapi_finish(q);
    sdw_free(q);
}

static void txt2img(const sdw_http_request *r, sdw_http_response *ret)
{
    call(r, false, ret);
}

static void img2img(const sdw_http_request *r, sdw_http_response *ret)
{
    call(r, true, ret);
}

static const sdw_route rows[] = {
    { "POST", "/sdapi/v1/txt2img", SDW_FACE_SDAPI, SDW_ROUTE_DESK, txt2img, "sdapiTxt2img", "AUTOMATIC1111: pictures from a prompt." },
    { "POST", "/sdapi/v1/img2img", SDW_FACE_SDAPI, SDW_ROUTE_DESK, img2img, "sdapiImg2img",
      "AUTOMATIC1111: a picture drawn anew, as a whole or under a mask." },
};
const sdw_routes sdw_routes_sdapi_generate = { rows, sizeof rows / sizeof rows[0] };
