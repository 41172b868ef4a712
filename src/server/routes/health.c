/* health.c - is it there, is it ready, what is it (worker-protocol 3.2, 3.3, 3.5). None of these touches the model. */
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "server/answer.h"
#include "server/json_out.h"
#include "server/model_names.h"
#include "server/server.h"

static void put_now(sdw_buf *out)
{
    char text[SDW_RFC3339_SIZE];
    sdw_rfc3339(sdw_clock_wall_ns(), SDW_ZONE_OFFSET, text);
    sdw_json_put_text(out, "timestamp", text);
}

static void health(const sdw_http_request *r, sdw_http_response *ret)
{
    const sdw_server_options *o = sdw_server_options_of(r->server);
    sdw_worker *w = sdw_server_worker(r->server);
    sdw_worker_state state;
    char id[64];
    sdw_worker_state_of(w, &state);
    sdw_buf *out = sdw_answer_json(ret, 200);
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "status", state.phase == SDW_WORKER_LOAD_FAILED ? "unhealthy" : "healthy");
    put_now(out);
    sdw_json_put_text(out, "worker_id", sdw_server_worker_id(r->server, id));
    sdw_json_put_text(out, "model_version", sdw_model_version(w));
    sdw_json_put_text(out, "device", o->device ? o->device : "cpu:0");
    sdw_json_put_int(out, "uptime_seconds", (int64_t)(sdw_clock_monotonic_s() - o->started_at));
    sdw_json_put_int(out, "vram_bytes", 0); /* the memory of a GPU; ours is the machine's */
    sdw_json_put_text(out, "version", SDW_VERSION);
    sdw_json_close(out, '}');
    sdw_answer_check(ret);
}

static const char *reason_of(sdw_worker_phase phase)
{
    switch (phase) {
    case SDW_WORKER_LOADING: return "model loading";
    case SDW_WORKER_STOPPING: return "shutting down";
    default: return "no model loaded";
    }
}

static void ready(const sdw_http_request *r, sdw_http_response *ret)
{
    sdw_worker_state state;
    sdw_worker_state_of(sdw_server_worker(r->server), &state);
    if (sdw_server_draining(r->server)) state.phase = SDW_WORKER_STOPPING;
    bool is_ready = sdw_phase_is_ready(state.phase);
    sdw_buf *out = sdw_answer_json(ret, is_ready ? 200 : 503);
    sdw_json_open(out, '{');
    sdw_json_put_bool(out, "ready", is_ready);
    if (!is_ready) sdw_json_put_text(out, "reason", reason_of(state.phase));
    put_now(out);
    sdw_json_put_text(out, "state", sdw_phase_state(state.phase));
    sdw_json_put_bool(out, "model_loaded", is_ready);
    sdw_json_close(out, '}');
    sdw_answer_check(ret);
}

static void v1_ready(const sdw_http_request *r, sdw_http_response *ret)
{
    sdw_worker_state state;
    sdw_worker_state_of(sdw_server_worker(r->server), &state);
    if (sdw_server_draining(r->server)) state.phase = SDW_WORKER_STOPPING;
    bool is_ready = sdw_phase_is_ready(state.phase);
    sdw_buf *out = sdw_answer_json(ret, 200);
    sdw_json_open(out, '{');
    sdw_json_put_bool(out, "ready", is_ready);
    sdw_json_put_text(out, "state", sdw_phase_state(state.phase));
    if (is_ready) sdw_json_put_bool(out, "model_loaded", true);
    else sdw_json_put_text(out, "progress_url", "/v1/loading/progress");
    sdw_json_close(out, '}');
    sdw_answer_check(ret);
}

static void info(const sdw_http_request *r, sdw_http_response *ret)
{
    sdw_worker_state state;
    sdw_worker_state_of(sdw_server_worker(r->server), &state);
    sdw_write_worker_info(r->server, &state, sdw_answer_json(ret, 200));
    sdw_answer_check(ret);
}

#define OPEN_HEALTH (SDW_ROUTE_OPEN | SDW_ROUTE_HEALTH)
static const sdw_route rows[] = {
    { "GET", "/health", SDW_FACE_NATIVE, OPEN_HEALTH, health, "health", "200 as long as the process serves; who it is." },
    { "GET", "/ready", SDW_FACE_NATIVE, OPEN_HEALTH, ready, "ready", "200 when the model is loaded, else 503 with the reason." },
    { "GET", "/v1/ready", SDW_FACE_NATIVE, 0, v1_ready, "readyState", "The same as a 200 in every state." },
    { "GET", "/info", SDW_FACE_NATIVE, 0, info, "info", "The worker as an orchestrator lists it." },
};
const sdw_routes sdw_routes_health = { rows, sizeof rows / sizeof rows[0] };
