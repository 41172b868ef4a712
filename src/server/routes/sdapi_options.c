/* sdapi_options.c - options, cmd-flags, memory and the calls that reload lists (http-apis 4.4). POST /options takes any subset or the whole
 * object back; unknown keys are ignored. */
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "core/meminfo.h"
#include "server/answer.h"
#include "server/json_out.h"
#include "server/models.h"
#include "server/sdapi_settings.h"
#include "server/server.h"

static void options(const sdw_http_request *r, sdw_http_response *ret)
{
    sdw_sdapi_defaults now = sdw_sdapi_settings_get(sdw_server_options_of(r->server)->sdapi);
    sdw_worker_state state;
    sdw_worker_state_of(sdw_server_worker(r->server), &state);
    sdw_models *all = sdw_server_options_of(r->server)->models;
    char title[SDW_MODEL_NAME_MAX + 16], hex[SDW_DIGEST_HEX_SIZE];
    sdw_models_title(all, state.model_id, title);
    sdw_buf *out = sdw_answer_json(ret, 200);
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "sd_model_checkpoint", title);
    sdw_json_put_text(out, "sd_checkpoint_hash", sdw_models_hash(all, state.model_id, hex) ? hex : "");
    sdw_json_put_text(out, "sd_vae", "Automatic");
    sdw_json_put_text(out, "samples_format", now.format);
    sdw_json_put_int(out, "CLIP_stop_at_last_layers", now.clip_stop);
    sdw_json_put_int(out, "eta_noise_seed_delta", 0);
    sdw_json_put_bool(out, "enable_pnginfo", true);
    sdw_json_put_text(out, "randn_source", now.randn_source);
    sdw_json_put_int(out, "show_progress_every_n_steps", 5);
    sdw_json_put_bool(out, "live_previews_enable", true);
    sdw_json_put_bool(out, "return_grid", false);
    sdw_json_put_bool(out, "img2img_fix_steps", false);
    sdw_json_close(out, '}');
    sdw_answer_check(ret);
}

/* The loaded one, by title or name. Others are chosen where models can be switched. */
static bool is_current(const sdw_http_request *r, const char *checkpoint)
{
    sdw_worker_state state;
    size_t n = sdw_models_title_id(checkpoint);
    sdw_worker_state_of(sdw_server_worker(r->server), &state);
    return strlen(state.model_id) == n && !strncmp(state.model_id, checkpoint, n);
}

static bool apply(const sdw_http_request *r, yyjson_val *root, sdw_http_response *ret)
{
    sdw_sdapi_settings *s = sdw_server_options_of(r->server)->sdapi;
    yyjson_val *v = yyjson_obj_get(root, "sd_model_checkpoint");
    if (yyjson_is_str(v) && yyjson_get_len(v) && !is_current(r, yyjson_get_str(v))) {
        char name[SDW_MODEL_NAME_MAX];
        sdw_error err = { 0 };
        snprintf(name, sizeof name, "%.*s", (int)sdw_models_title_id(yyjson_get_str(v)), yyjson_get_str(v));
        if (!sdw_server_options_of(r->server)->models || sdw_models_load(sdw_server_options_of(r->server)->models, name, &err) != SDW_OK) {
            sdw_sdapi_error(ret, 404, "Checkpoint not found");
            return false;
        }
    }
    bool ok = true;
    if (yyjson_is_str(v = yyjson_obj_get(root, "samples_format"))) ok = sdw_sdapi_set_format(s, yyjson_get_str(v));
    if (ok && yyjson_is_num(v = yyjson_obj_get(root, "CLIP_stop_at_last_layers"))) ok = sdw_sdapi_set_clip_stop(s, yyjson_get_num(v));
    if (ok && yyjson_is_str(v = yyjson_obj_get(root, "randn_source"))) ok = sdw_sdapi_set_randn(s, yyjson_get_str(v));
    if (!ok) sdw_sdapi_error(ret, 422, "options: samples_format is png, jpg or webp, CLIP_stop_at_last_layers 1 to 12, randn_source GPU, NV or CPU");
    return ok;
}

static void set_options(const sdw_http_request *r, sdw_http_response *ret)
{
    const sdw_json_limits limits = { .bytes_max = r->body_size ? r->body_size : 1, .top = SDW_JSON_OBJECT };
    sdw_error err = { 0 };
    yyjson_doc *doc = NULL;
    if (sdw_json_parse(r->body, r->body_size, "body", &limits, &doc, &err) != SDW_OK) {
        sdw_sdapi_error(ret, 422, err.text);
        return;
    }
    if (apply(r, yyjson_doc_get_root(doc), ret)) sdw_buf_puts(sdw_answer_json(ret, 200), "null");
    yyjson_doc_free(doc);
}

static void cmd_flags(const sdw_http_request *r, sdw_http_response *ret)
{
    (void)r;
    sdw_buf_puts(sdw_answer_json(ret, 200), "{\"api\":true,\"nowebui\":true}");
}

static void memory(const sdw_http_request *r, sdw_http_response *ret)
{
    (void)r;
    sdw_buf *out = sdw_answer_json(ret, 200);
    uint64_t total = sdw_memory_total(), available = sdw_memory_available();
    sdw_json_open(out, '{');
    sdw_json_key(out, "ram");
    sdw_json_open(out, '{');
    sdw_json_key(out, "free");
    sdw_json_uint(out, available);
    sdw_json_key(out, "used");
    sdw_json_uint(out, total > available ? total - available : 0);
    sdw_json_key(out, "total");
    sdw_json_uint(out, total);
    sdw_json_close(out, '}');
    sdw_json_key(out, "cuda");
    sdw_json_raw(out, "{\"error\":\"unavailable\"}");
    sdw_json_close(out, '}');
    sdw_answer_check(ret);
}

/* Lists are read when they are asked for: there is nothing to refresh. */
static void nothing(const sdw_http_request *r, sdw_http_response *ret)
{
    (void)r;
    sdw_buf_puts(sdw_answer_json(ret, 200), "null");
}

static void unload(const sdw_http_request *r, sdw_http_response *ret)
{
    sdw_worker_state state;
    sdw_worker_state_of(sdw_server_worker(r->server), &state);
    sdw_worker_unload(sdw_server_worker(r->server), state.model_id, NULL); /* NOT_FOUND: nothing is loaded */
    sdw_buf_puts(sdw_answer_json(ret, 200), "{}");
}

static void ping(const sdw_http_request *r, sdw_http_response *ret)
{
    (void)r;
    sdw_buf_puts(sdw_answer_json(ret, 200), "{}");
}

#define SMALL SDW_ROUTE_SMALL_BODY
static const sdw_route rows[] = {
    { "GET", "/sdapi/v1/options", SDW_FACE_SDAPI, 0, options, "sdapiOptions", "AUTOMATIC1111: standing options." },
    { "POST", "/sdapi/v1/options", SDW_FACE_SDAPI, SDW_ROUTE_DESK, set_options, "sdapiSetOptions",
      "AUTOMATIC1111: sets samples_format, CLIP_stop_at_last_layers, randn_source, sd_model_checkpoint; other keys are ignored." },
    { "GET", "/sdapi/v1/cmd-flags", SDW_FACE_SDAPI, 0, cmd_flags, "sdapiCmdFlags", "AUTOMATIC1111: flags of the program." },
    { "GET", "/sdapi/v1/memory", SDW_FACE_SDAPI, SDW_ROUTE_DESK, memory, "sdapiMemory", "AUTOMATIC1111: memory of the machine." },
    { "POST", "/sdapi/v1/refresh-checkpoints", SDW_FACE_SDAPI, SMALL, nothing, "sdapiRefreshCheckpoints", "AUTOMATIC1111: nothing to do, lists are always fresh." },
    { "POST", "/sdapi/v1/refresh-vae", SDW_FACE_SDAPI, SMALL, nothing, "sdapiRefreshVae", "AUTOMATIC1111: nothing to do, lists are always fresh." },
    { "POST", "/sdapi/v1/refresh-loras", SDW_FACE_SDAPI, SMALL, nothing, "sdapiRefreshLoras", "AUTOMATIC1111: nothing to do, lists are always fresh." },
    { "POST", "/sdapi/v1/refresh-embeddings", SDW_FACE_SDAPI, SMALL, nothing, "sdapiRefreshEmbeddings", "AUTOMATIC1111: nothing to do, lists are always fresh." },
    { "POST", "/sdapi/v1/unload-checkpoint", SDW_FACE_SDAPI, SMALL, unload, "sdapiUnload", "AUTOMATIC1111: frees the model's weights after the running jobs." },
    { "POST", "/sdapi/v1/reload-checkpoint", SDW_FACE_SDAPI, SMALL, nothing, "sdapiReload", "AUTOMATIC1111: nothing to do, the next job loads the model." },
    { "GET", "/internal/ping", SDW_FACE_SDAPI, 0, ping, "sdapiPing", "AUTOMATIC1111: the service is there." },
};
const sdw_routes sdw_routes_sdapi_options = { rows, sizeof rows / sizeof rows[0] };
