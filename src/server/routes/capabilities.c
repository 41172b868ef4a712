/* capabilities.c - /v1/capabilities: what this worker can do, written from the registries and the field table
 * (worker-protocol 7.3). Controls of a user interface come from here. */
#include <string.h>

#include "core/limits.h"
#include "core/meminfo.h"
#include "image/image.h"
#include "server/answer.h"
#include "server/json_out.h"
#include "server/model_names.h"
#include "server/native_fields.h"
#include "server/server.h"

static void put_size(sdw_buf *out, int width, int height)
{
    sdw_json_open(out, '[');
    sdw_json_int(out, width);
    sdw_json_int(out, height);
    sdw_json_close(out, ']');
}

/* The model's own size first, then what is usual below and above it. */
static void put_sizes(sdw_buf *out, int width, int height)
{
    static const int sides[] = { 256, 512, 768, 1024 };
    sdw_json_key(out, "supported_sizes");
    sdw_json_open(out, '[');
    put_size(out, width, height);
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++)
        if (sides[i] != width || sides[i] != height) put_size(out, sides[i], sides[i]);
    sdw_json_close(out, ']');
}

static void put_choices(sdw_buf *out, const char *key, const sdw_field *f)
{
    sdw_choice c;
    sdw_json_key(out, key);
    sdw_json_open(out, '[');
    for (size_t i = 0; sdw_field_choice(f, i, &c); i++) sdw_json_text(out, c.name);
    sdw_json_close(out, ']');
}

/* ---- the model ---- */

static void put_model(sdw_buf *out, const sdw_model_info *m)
{
    sdw_json_put_text(out, "model_type", "stable-diffusion");
    sdw_json_put_text(out, "variant", m ? sdw_family_variant(m->family) : NULL);
    sdw_json_put_bool(out, "img2img", true);
    sdw_json_put_bool(out, "inpainting", true);
    sdw_json_put_bool(out, "needs_mask", m && m->inpaint);
    sdw_json_put_bool(out, "lora", false);
    sdw_json_put_bool(out, "controlnet", false);
    int width = m ? m->default_width : 512, height = m ? m->default_height : 512;
    sdw_json_key(out, "default_size");
    put_size(out, width, height);
    put_sizes(out, width, height);
    sdw_json_put_int(out, "default_steps", m ? m->default_steps : 20);
    sdw_json_put_real(out, "default_guidance", m ? m->default_guidance : 7.5);
    sdw_json_put_bool(out, "supports_guidance", true);
    sdw_json_put_text(out, "precision", m ? m->precision : NULL);
}

/* ---- the fields ---- */

static const char *type_name(sdw_field_type t)
{
    static const char *const names[] = { "text", "int", "real", "seed", "switch", "choice", "picture" };
    return names[t];
}

/* A default as JSON: the loaded model's where it has one, else what the row says in words. */
static void put_default(sdw_buf *out, const sdw_native_field *f, const sdw_model_info *m)
{
    const char *engine = f->engine ? f->engine->name : "", *text = f->row.default_text;
    sdw_json_key(out, "default");
    if (m && !strcmp(engine, "width")) sdw_json_int(out, m->default_width);
    else if (m && !strcmp(engine, "height")) sdw_json_int(out, m->default_height);
    else if (m && !strcmp(engine, "steps")) sdw_json_int(out, m->default_steps);
    else if (m && !strcmp(engine, "guidance")) sdw_json_real(out, m->default_guidance);
    else if (m && !strcmp(engine, "sampler")) sdw_json_text(out, m->scheduler);
    else if (!text || !*text || *text == '-' || f->row.type == SDW_FIELD_SEED) sdw_json_null(out);
    else if (f->row.type == SDW_FIELD_SWITCH) sdw_json_bool(out, !strcmp(text, "on"));
    else if (f->row.type == SDW_FIELD_INT || f->row.type == SDW_FIELD_REAL) sdw_json_raw(out, text);
    else sdw_json_text(out, text);
}

static void put_field(sdw_buf *out, const sdw_native_field *f, const sdw_model_info *m)
{
    const sdw_field *r = &f->row;
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "name", r->name);
    sdw_json_put_text(out, "type", type_name(r->type));
    put_default(out, f, m);
    if (r->type == SDW_FIELD_INT || r->type == SDW_FIELD_REAL) {
        sdw_json_put_real(out, "min", r->min);
        sdw_json_put_real(out, "max", r->max);
    }
    if (f->characters_max) sdw_json_put_int(out, "max", f->characters_max);
    if (r->multiple > 1) sdw_json_put_int(out, "multiple", r->multiple);
    if (r->type == SDW_FIELD_CHOICE) put_choices(out, "choices", r);
    if (r->unit) sdw_json_put_text(out, "unit", f->characters_max ? "characters" : r->unit);
    sdw_json_put_text(out, "group", r->group);
    sdw_json_put_text(out, "help", r->help);
    sdw_json_close(out, '}');
}

static void put_fields(sdw_buf *out, const sdw_model_info *m)
{
    sdw_native_field f;
    sdw_json_key(out, "fields");
    sdw_json_open(out, '[');
    for (size_t i = 0; sdw_native_field_at(i, &f); i++) put_field(out, &f, m);
    sdw_json_close(out, ']');
}

/* ---- limits, devices ---- */

static void put_limits(sdw_buf *out, const sdw_server_options *o, const sdw_worker_state *s)
{
    sdw_json_key(out, "limits");
    sdw_json_open(out, '{');
    sdw_json_put_int(out, "max_body_bytes", (int64_t)(o->limits.body_max ? o->limits.body_max : (size_t)64 << 20));
    sdw_json_put_int(out, "max_image_pixels", (int64_t)(o->image_pixels_max ? o->image_pixels_max : SDW_LIMIT_IMAGE_PIXELS));
    sdw_json_put_int(out, "max_image_side", SDW_LIMIT_IMAGE_SIDE);
    sdw_json_put_int(out, "max_queue", s->queue_max);
    sdw_json_put_int(out, "max_pictures", SDW_NATIVE_PICTURES_MAX);
    sdw_json_put_int(out, "max_loras", SDW_NATIVE_LORAS_MAX);
    sdw_json_put_real(out, "job_timeout_s", o->job_timeout_s);
    sdw_json_close(out, '}');
}

static void put_devices(sdw_buf *out)
{
    sdw_json_key(out, "devices");
    sdw_json_open(out, '[');
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "id", "CPU-0");
    sdw_json_put_text(out, "name", "CPU");
    sdw_json_put_text(out, "device_type", "cpu");
    sdw_json_put_int(out, "vram_gb", (int64_t)(sdw_memory_total() >> 30));
    sdw_json_put_text(out, "compute_capability", NULL);
    sdw_json_close(out, '}');
    sdw_json_close(out, ']');
}

static void capabilities(const sdw_http_request *r, sdw_http_response *ret)
{
    const sdw_server_options *o = sdw_server_options_of(r->server);
    sdw_worker *w = sdw_server_worker(r->server);
    sdw_worker_model_info *model = NULL;
    sdw_worker_state state;
    sdw_worker_state_of(w, &state);
    if (!sdw_worker_model(w, &model)) model = NULL;
    const sdw_model_info *m = model ? sdw_worker_model_info_of(model) : NULL;
    sdw_buf *out = sdw_answer_json(ret, 200);
    sdw_json_open(out, '{');
    put_model(out, m);
    put_choices(out, "samplers", sdw_field_find("sampler"));
    put_choices(out, "schedules", sdw_field_find("schedule"));
    sdw_json_key(out, "formats");
    sdw_json_open(out, '[');
    const char *format;
    for (size_t i = 0; (format = sdw_image_format_at(i, NULL, NULL)); i++) sdw_json_text(out, format);
    sdw_json_close(out, ']');
    sdw_json_key(out, "loras");
    sdw_json_open(out, '[');
    sdw_json_close(out, ']');
    put_fields(out, m);
    put_limits(out, o, &state);
    put_devices(out);
    bool trusted = sdw_is_trusted(r);
    sdw_json_put_bool(out, "model_pull", trusted);
    sdw_json_put_bool(out, "model_delete", trusted);
    sdw_json_put_bool(out, "shutdown", trusted);
    sdw_json_close(out, '}');
    if (model) sdw_worker_model_info_free(model);
    sdw_answer_check(ret);
}

static const sdw_route rows[] = {
    { "GET", "/v1/capabilities", SDW_FACE_NATIVE, 0, capabilities, "capabilities",
      "What the worker can do: the loaded model, every request field with its range, samplers, limits, devices." },
};
const sdw_routes sdw_routes_capabilities = { rows, sizeof rows / sizeof rows[0] };
