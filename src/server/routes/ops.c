/* ops.c - routes for those who run the service: probes of orchestrators, llama.cpp's health, slots and props, numbers
 * for Prometheus. None of them touches a model, so none wakes or keeps one (http-apis 5). */
#include <string.h>

#include "core/buf.h"
#include "server/answer.h"
#include "server/impl.h"
#include "server/json_out.h"
#include "server/ops.h"

#ifndef SDW_GIT
#define SDW_GIT "unknown"
#endif

/* ---- live and ready ---- */

static void livez(const sdw_http_request *r, sdw_http_response *ret)
{
    (void)r;
    ret->status = 200;
    ret->content_type = "text/plain; charset=utf-8";
    sdw_buf_puts(&ret->body, "ok\n");
}

static sdw_worker_phase phase_of(const sdw_http_request *r, sdw_worker_state *state)
{
    sdw_worker_state_of(sdw_server_worker(r->server), state);
    return sdw_server_draining(r->server) ? SDW_WORKER_STOPPING : state->phase;
}

static const char *reason_of(sdw_worker_phase phase)
{
    switch (phase) {
    case SDW_WORKER_LOADING: return "model loading";
    case SDW_WORKER_STOPPING: return "shutting down";
    case SDW_WORKER_LOAD_FAILED: return "model could not be loaded";
    default: return "no model loaded";
    }
}

static void readyz(const sdw_http_request *r, sdw_http_response *ret)
{
    sdw_worker_state state;
    sdw_worker_phase phase = phase_of(r, &state);
    bool ready = sdw_phase_is_ready(phase);
    sdw_buf *out = sdw_answer_json(ret, ready ? 200 : 503);
    if (!ready) (void)sdw_http_add_header(ret, "Retry-After", "5", NULL);
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "status", ready ? "ok" : "unavailable");
    sdw_json_key(out, "reasons");
    sdw_json_open(out, '[');
    if (!ready) sdw_json_text(out, reason_of(phase));
    sdw_json_close(out, ']');
    if (sdw_http_query(r, "verbose")) {
        sdw_json_put_text(out, "model", state.model_id);
        sdw_json_put_text(out, "state", sdw_phase_state(phase));
        sdw_json_put_bool(out, "draining", sdw_server_draining(r->server));
        sdw_json_put_int(out, "queued", state.queued);
        sdw_json_put_int(out, "running", state.running);
    }
    sdw_json_close(out, '}');
    sdw_answer_check(ret);
}

static void v1_health(const sdw_http_request *r, sdw_http_response *ret)
{
    sdw_worker_state state;
    sdw_worker_phase phase = phase_of(r, &state);
    if (!sdw_phase_is_ready(phase)) {
        sdw_http_error(ret, SDW_FACE_OPS, 503, NULL, phase == SDW_WORKER_LOADING ? "Loading model" : reason_of(phase));
        return;
    }
    sdw_buf *out = sdw_answer_json(ret, 200);
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "status", "ok");
    sdw_json_close(out, '}');
    sdw_answer_check(ret);
}

/* ---- slots and props ---- */

static void put_slot(sdw_buf *out, int number, const sdw_job_view *job)
{
    sdw_json_open(out, '{');
    sdw_json_put_int(out, "id", number);
    sdw_json_put_text(out, "id_task", job ? job->id.text : NULL);
    sdw_json_put_bool(out, "is_processing", job != NULL);
    if (job) {
        sdw_json_put_int(out, "step", job->step);
        sdw_json_put_int(out, "total", job->total);
    }
    sdw_json_key(out, "params");
    sdw_json_raw(out, job && job->params_json ? job->params_json : "{}");
    sdw_json_close(out, '}');
}

static void slots(const sdw_http_request *r, sdw_http_response *ret)
{
    sdw_worker *w = sdw_server_worker(r->server);
    sdw_worker_state state;
    sdw_job_id running[SDW_JOB_PICTURES_MAX];
    if (sdw_server_options_of(r->server)->no_slots) {
        sdw_http_error(ret, SDW_FACE_OPS, 501, NULL, "This worker does not show its slots");
        return;
    }
    sdw_worker_state_of(w, &state);
    int count = state.slots > state.running ? state.slots : state.running;
    if (count < 1) count = 1;
    const char *must_be_free = sdw_http_query(r, "fail_on_no_slot");
    if (must_be_free && strcmp(must_be_free, "0") != 0 && state.running >= count) {
        sdw_http_error(ret, SDW_FACE_OPS, 503, NULL, "no slot available");
        return;
    }
    size_t jobs = sdw_worker_jobs(w, 1u << SDW_JOB_RUNNING, NULL, running, SDW_JOB_PICTURES_MAX);
    sdw_buf *out = sdw_answer_json(ret, 200);
    sdw_json_open(out, '[');
    for (int i = 0; i < count; i++) {
        sdw_job_view view;
        bool busy = (size_t)i < jobs && sdw_worker_job(w, &running[i], &view, NULL) == SDW_OK;
        put_slot(out, i, busy ? &view : NULL);
        if (busy) sdw_job_view_finish(&view);
    }
    sdw_json_close(out, ']');
    sdw_answer_check(ret);
}

static void props(const sdw_http_request *r, sdw_http_response *ret)
{
    sdw_worker *w = sdw_server_worker(r->server);
    sdw_worker_state state;
    sdw_worker_model_info *model = NULL;
    sdw_worker_state_of(w, &state);
    const sdw_model_info *m = sdw_worker_model(w, &model) ? sdw_worker_model_info_of(model) : NULL;
    sdw_buf *out = sdw_answer_json(ret, 200);
    sdw_json_open(out, '{');
    sdw_json_key(out, "default_generation_settings");
    sdw_json_open(out, '{');
    if (m) {
        sdw_json_put_int(out, "width", m->default_width);
        sdw_json_put_int(out, "height", m->default_height);
        sdw_json_put_int(out, "steps", m->default_steps);
        sdw_json_put_real(out, "guidance_scale", m->default_guidance);
        sdw_json_put_text(out, "sampler", m->scheduler);
    }
    sdw_json_close(out, '}');
    sdw_json_put_int(out, "total_slots", state.slots > 0 ? state.slots : 1);
    sdw_json_put_text(out, "model_path", state.model_id); /* its name: no path of this machine is told */
    sdw_json_put_text(out, "build_info", "sdw " SDW_VERSION " (" SDW_GIT ")");
    sdw_json_key(out, "modalities");
    sdw_json_raw(out, "{\"vision\":true,\"audio\":false}");
    sdw_json_put_bool(out, "is_sleeping", !m && state.phase != SDW_WORKER_LOADING);
    sdw_json_close(out, '}');
    sdw_worker_model_info_free(model);
    sdw_answer_check(ret);
}

/* ---- metrics ---- */

static void metrics(const sdw_http_request *r, sdw_http_response *ret)
{
    const char *accept = sdw_http_header(r, "Accept");
    if (sdw_server_options_of(r->server)->no_metrics) {
        sdw_http_error(ret, SDW_FACE_OPS, 501, NULL, "This worker does not serve metrics");
        return;
    }
    bool open_metrics = accept && sdw_list_names(accept, "application/openmetrics-text");
    sdw_prom p = { .out = &ret->body, .open_metrics = open_metrics };
    ret->status = 200;
    ret->content_type = open_metrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                     : "text/plain; version=0.0.4; charset=utf-8";
    sdw_ops_write_worker(r->server, SDW_GIT, &p);
    sdw_metrics_write(r->server->metrics, r->server->o.routes, &p);
    sdw_ops_write_process(&p);
    sdw_prom_finish(&p);
    sdw_answer_check(ret);
}

#define OPEN_HEALTH (SDW_ROUTE_OPEN | SDW_ROUTE_HEALTH)
static const sdw_route rows[] = {
    { "GET", "/livez", SDW_FACE_OPS, OPEN_HEALTH, livez, "livez", "200 as long as the process can serve." },
    { "GET", "/readyz", SDW_FACE_OPS, OPEN_HEALTH, readyz, "readyz", "200 when jobs are taken and run, else 503 with the reasons." },
    { "GET", "/startupz", SDW_FACE_OPS, OPEN_HEALTH, readyz, "startupz", "The same, for start-up probes." },
    { "GET", "/v1/health", SDW_FACE_OPS, OPEN_HEALTH, v1_health, "llamaHealth", "Health as llama.cpp tells it." },
    { "GET", "/slots", SDW_FACE_OPS, SDW_ROUTE_HEALTH, slots, "slots", "What runs, one entry per picture that may share a step." },
    { "GET", "/props", SDW_FACE_OPS, SDW_ROUTE_HEALTH, props, "props", "The model and its defaults as llama.cpp tells them." },
    { "GET", "/metrics", SDW_FACE_OPS, SDW_ROUTE_HEALTH, metrics, "metrics", "Numbers in the Prometheus text format." },
};
const sdw_routes sdw_routes_ops = { rows, sizeof rows / sizeof rows[0] };
