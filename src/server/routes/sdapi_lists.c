/* sdapi_lists.c - the lists that AUTOMATIC1111's clients ask for before they draw (http-apis 4.4). */
#include <string.h>

#include "core/mem.h"
#include "sdw/fields.h"
#include "server/answer.h"
#include "server/json_out.h"
#include "server/models.h"

/* ---- from the registries ---- */

static void samplers(const sdw_http_request *r, sdw_http_response *ret)
{
    (void)r;
    const sdw_field *f = sdw_field_find("sampler");
    sdw_buf *out = sdw_answer_json(ret, 200);
    sdw_choice c;
    sdw_json_open(out, '[');
    for (size_t i = 0; sdw_field_choice(f, i, &c); i++) {
        sdw_json_open(out, '{');
        sdw_json_put_text(out, "name", c.label ? c.label : c.name);
        sdw_json_key(out, "aliases");
        sdw_json_open(out, '[');
        sdw_json_text(out, c.name);
        sdw_json_close(out, ']');
        sdw_json_key(out, "options");
        sdw_json_raw(out, "{}");
        sdw_json_close(out, '}');
    }
    sdw_json_close(out, ']');
    sdw_answer_check(ret);
}

static void schedulers(const sdw_http_request *r, sdw_http_response *ret)
{
    (void)r;
    const sdw_field *f = sdw_field_find("schedule");
    sdw_buf *out = sdw_answer_json(ret, 200);
    sdw_choice c;
    sdw_json_open(out, '[');
    for (size_t i = 0; sdw_field_choice(f, i, &c); i++) {
        bool automatic = c.label && !strcmp(c.label, "Automatic"), karras = !strcmp(c.name, "karras");
        sdw_json_open(out, '{');
        sdw_json_put_text(out, "name", automatic ? "automatic" : c.name);
        sdw_json_put_text(out, "label", c.label ? c.label : c.name);
        sdw_json_put_text(out, "aliases", NULL);
        sdw_json_put_real(out, "default_rho", karras ? 7.0 : -1.0);
        sdw_json_put_bool(out, "need_inner_model", false);
        sdw_json_close(out, '}');
    }
    sdw_json_close(out, ']');
    sdw_answer_check(ret);
}

static void put_model(sdw_models *all, const char *id, sdw_buf *out)
{
    char hex[SDW_DIGEST_HEX_SIZE], title[SDW_MODEL_NAME_MAX + 16];
    bool known = sdw_models_hash(all, id, hex);
    sdw_models_title(all, id, title);
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "title", title);
    sdw_json_put_text(out, "model_name", id);
    sdw_json_key(out, "hash");
    if (known) sdw_json_text_n(out, hex, 10);
    else sdw_json_null(out);
    sdw_json_put_text(out, "sha256", known ? hex : NULL);
    const char *last = id[0] == '/' ? strrchr(id, '/') : NULL; /* an id may be the path that --model was given; a file is not */
    sdw_json_put_text(out, "filename", last ? last + 1 : id);
    sdw_json_put_text(out, "config", NULL);
    sdw_json_close(out, '}');
}

static void models(const sdw_http_request *r, sdw_http_response *ret)
{
    enum { ROWS = 512 };
    sdw_models *all = sdw_server_options_of(r->server)->models;
    sdw_model_row *rows = all ? sdw_calloc(ROWS, sizeof *rows) : NULL;
    size_t count = rows ? sdw_models_list(all, rows, ROWS) : 0;
    sdw_worker_state state;
    if (all) sdw_models_want_hashes(all);
    sdw_worker_state_of(sdw_server_worker(r->server), &state);
    sdw_buf *out = sdw_answer_json(ret, 200);
    sdw_json_open(out, '[');
    if (!all && state.model_id[0]) put_model(NULL, state.model_id, out);
    for (size_t i = 0; i < count; i++)
        if (sdw_model_is_here(&rows[i])) put_model(all, rows[i].id, out);
    sdw_json_close(out, ']');
    sdw_free(rows);
    sdw_answer_check(ret);
}

/* ---- fixed ---- */

#define NO_MODEL "\"model_name\":null,\"model_path\":null,\"model_url\":null,\"scale\":4"
static const struct { const char *path, *json; } fixed[] = {
    { "/sdapi/v1/upscalers", "[{\"name\":\"None\"," NO_MODEL "},{\"name\":\"Lanczos\"," NO_MODEL "},{\"name\":\"Nearest\"," NO_MODEL "}]" },
    { "/sdapi/v1/latent-upscale-modes", "[{\"name\":\"Latent\"},{\"name\":\"Latent (antialiased)\"},{\"name\":\"Latent (bicubic)\"},"
                                        "{\"name\":\"Latent (bicubic antialiased)\"},{\"name\":\"Latent (nearest)\"},{\"name\":\"Latent (nearest-exact)\"}]" },
    { "/sdapi/v1/embeddings", "{\"loaded\":{},\"skipped\":{}}" },
    { "/sdapi/v1/scripts", "{\"txt2img\":[],\"img2img\":[]}" },
};

static void list(const sdw_http_request *r, sdw_http_response *ret)
{
    const char *json = "[]"; /* there are none of the rest */
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        if (!strcmp(fixed[i].path, r->path)) json = fixed[i].json;
    sdw_buf_puts(sdw_answer_json(ret, 200), json);
}

#define LIST(name, id, what) { "GET", "/sdapi/v1/" name, SDW_FACE_SDAPI, 0, list, id, "AUTOMATIC1111: " what }
static const sdw_route rows[] = {
    { "GET", "/sdapi/v1/samplers", SDW_FACE_SDAPI, 0, samplers, "sdapiSamplers", "AUTOMATIC1111: samplers by their names there." },
    { "GET", "/sdapi/v1/schedulers", SDW_FACE_SDAPI, 0, schedulers, "sdapiSchedulers", "AUTOMATIC1111: schedules by name and label." },
    { "GET", "/sdapi/v1/sd-models", SDW_FACE_SDAPI, SDW_ROUTE_DESK, models, "sdapiModels", "AUTOMATIC1111: models." },
    LIST("upscalers", "sdapiUpscalers", "resizing filters."),
    LIST("latent-upscale-modes", "sdapiLatentUpscaleModes", "names only; there is no second pass yet."),
    LIST("sd-vae", "sdapiVae", "none: a model brings its own."),
    LIST("sd-modules", "sdapiModules", "none: a model brings its own."),
    LIST("loras", "sdapiLoras", "none until LoRA is supported."),
    LIST("hypernetworks", "sdapiHypernetworks", "none."),
    LIST("face-restorers", "sdapiFaceRestorers", "none."),
    LIST("realesrgan-models", "sdapiRealesrgan", "none."),
    LIST("prompt-styles", "sdapiStyles", "none."),
    LIST("embeddings", "sdapiEmbeddings", "none."),
    LIST("scripts", "sdapiScripts", "none."),
    LIST("script-info", "sdapiScriptInfo", "none."),
    LIST("extensions", "sdapiExtensions", "none."),
};
const sdw_routes sdw_routes_sdapi_lists = { rows, sizeof rows / sizeof rows[0] };
