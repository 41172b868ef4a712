/* sdapi_request.c - see sdapi_request.h. Clients send every key with null or its default, so null is absent everywhere, and
 * what cannot be done is refused only when it asks for something. */
#include "server/sdapi_request.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/mem.h"
#include "core/uuid.h"
#include "server/answer.h"
#include "server/job_images.h"
#include "server/json_out.h"
#include "server/server.h"

#define ARENA_MAX ((size_t)1 << 20)
#define PROMPT_CHARACTERS_MAX 32000
#define BATCH_MAX 8
#define PICTURES_MAX 32

typedef struct source {
    const sdw_http_request *r;
    sdw_sdapi_request *q;
    sdw_sdapi_problem *problem;
} source;

#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
static bool refuse(source *s, int status, const char *field, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(s->problem->message, sizeof s->problem->message, format, args);
    va_end(args);
    s->problem->status = status;
    s->problem->field = field;
    return false;
}

/* NULL: absent or null. */
static yyjson_val *get(const source *s, const char *name)
{
    yyjson_val *v = yyjson_obj_get(s->q->root, name);
    return yyjson_is_null(v) ? NULL : v;
}

static bool read_text(source *s, const char *name, const char **ret)
{
    yyjson_val *v = get(s, name);
    if (!v) return true;
    if (!yyjson_is_str(v)) return refuse(s, 422, name, "%s: a JSON %s given, want a string", name, yyjson_get_type_desc(v));
    *ret = yyjson_get_str(v);
    return true;
}

static bool read_number(source *s, const char *name, double min, double max, double *ret)
{
    yyjson_val *v = get(s, name);
    if (!v) return true;
    if (!yyjson_is_num(v)) return refuse(s, 422, name, "%s: a JSON %s given, want a number from %g to %g", name, yyjson_get_type_desc(v), min, max);
    *ret = yyjson_get_num(v);
    return (*ret >= min && *ret <= max) || refuse(s, 422, name, "%s: %g given, want a number from %g to %g", name, *ret, min, max);
}

static bool read_int(source *s, const char *name, int min, int max, int *ret)
{
    double n = *ret;
    if (!read_number(s, name, min, max, &n)) return false;
    if (n != floor(n)) return refuse(s, 422, name, "%s: %g given, want a whole number from %d to %d", name, n, min, max);
    *ret = (int)n;
    return true;
}

/* true, false, 0, 1 */
static bool read_switch(source *s, const char *name, bool *ret)
{
    yyjson_val *v = get(s, name);
    if (!v) return true;
    if (!yyjson_is_bool(v) && !yyjson_is_num(v)) return refuse(s, 422, name, "%s: a JSON %s given, want true or false", name, yyjson_get_type_desc(v));
    *ret = yyjson_is_bool(v) ? yyjson_get_bool(v) : yyjson_get_num(v) != 0;
    return true;
}

/* ---- what cannot be done ---- */

static bool is_empty(yyjson_val *v)
{
    if (yyjson_is_str(v)) return yyjson_get_len(v) == 0;
    if (yyjson_is_bool(v)) return !yyjson_get_bool(v);
    return (yyjson_is_arr(v) && yyjson_arr_size(v) == 0) || (yyjson_is_obj(v) && yyjson_obj_size(v) == 0);
}

/* A number that changes nothing: the default, 0, or for a multiplier 1. */
static bool is_neutral(const sdw_sdapi_parameter *p, yyjson_val *v)
{
    double n = yyjson_get_num(v);
    if (!yyjson_is_num(v)) return false;
    return n == 0 || (n == -1 && p->standard[0] == '-') || (n == 1 && !strcmp(p->name, "initial_noise_multiplier"));
}

/* {"NAME": {"args": [...]}}: a script without arguments asks for nothing. */
static bool check_scripts(source *s, yyjson_val *scripts)
{
    size_t i, n;
    yyjson_val *key, *script;
    if (!yyjson_is_obj(scripts)) return refuse(s, 422, "alwayson_scripts", "alwayson_scripts: want an object");
    yyjson_obj_foreach(scripts, i, n, key, script) {
        yyjson_val *args = yyjson_obj_get(script, "args");
        if (is_empty(script) || (yyjson_obj_size(script) == 1 && args && is_empty(args))) continue;
        return refuse(s, 422, "alwayson_scripts", "always on script %.60s not found", yyjson_get_str(key));
    }
    return true;
}

static bool check_refused(source *s)
{
    for (const sdw_sdapi_parameter *p = sdw_sdapi_parameters; p->name; p++) {
        yyjson_val *v = p->verdict == SDW_SDAPI_REFUSED && (s->q->image_call ? p->image_call : p->text_call) ? get(s, p->name) : NULL;
        if (!v || is_empty(v) || is_neutral(p, v)) continue;
        if (!strcmp(p->name, "alwayson_scripts")) {
            if (!check_scripts(s, v)) return false;
        } else if (!strcmp(p->name, "script_name")) {
            return refuse(s, 422, p->name, "Script '%.60s' not found", yyjson_is_str(v) ? yyjson_get_str(v) : "");
        } else {
            return refuse(s, 422, p->name, "%s: this worker cannot do it yet; leave it out", p->name);
        }
    }
    return true;
}

/* ---- fields of both calls ---- */

static size_t characters(const char *text)
{
    size_t n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static bool read_prompts(source *s)
{
    sdw_params *p = &s->q->job.params;
    p->prompt = p->negative_prompt = "";
    if (!read_text(s, "prompt", &p->prompt) || !read_text(s, "negative_prompt", &p->negative_prompt)) return false;
    const char *texts[] = { p->prompt, p->negative_prompt }, *names[] = { "prompt", "negative_prompt" };
    for (int i = 0; i < 2; i++) {
        if (characters(texts[i]) > PROMPT_CHARACTERS_MAX)
            return refuse(s, 422, names[i], "%s: %zu characters given, want at most %d", names[i], characters(texts[i]), PROMPT_CHARACTERS_MAX);
        if (strstr(texts[i], "<lora:") || strstr(texts[i], "<lyco:") || strstr(texts[i], "<hypernet:"))
            return refuse(s, 422, names[i], "%s: <lora:...> given, this worker has no LoRA support yet", names[i]);
    }
    if (!p->negative_prompt[0]) p->negative_prompt = ""; /* empty, not absent: upstream encodes it */
    p->prompt_syntax = "weighted";
    return true;
}

static bool read_counts(source *s)
{
    sdw_sdapi_request *q = s->q;
    q->batch_size = q->n_iter = 1;
    if (!read_int(s, "batch_size", 1, BATCH_MAX, &q->batch_size) || !read_int(s, "n_iter", 1, PICTURES_MAX, &q->n_iter)) return false;
    q->job.params.count = q->batch_size * q->n_iter;
    return q->job.params.count <= PICTURES_MAX
           || refuse(s, 422, "n_iter", "n_iter: %d x %d pictures given, want at most %d", q->n_iter, q->batch_size, PICTURES_MAX);
}

/* As upstream draws it: its clients keep seeds in 32 bits. */
static bool draw_seed(source *s)
{
    uint32_t seed;
    if (sdw_random_bytes(&seed, sizeof seed, NULL) != SDW_OK) return true; /* the worker will try */
    s->q->job.params.seed = seed % 4294967294u;
    s->q->job.params.has_seed = 1;
    return true;
}

static bool read_seed(source *s)
{
    yyjson_val *v = get(s, "seed");
    sdw_params *p = &s->q->job.params;
    if (!v || (yyjson_is_int(v) && !yyjson_is_uint(v) && yyjson_get_sint(v) == -1)) return draw_seed(s);
    if (!yyjson_is_uint(v)) return refuse(s, 422, "seed", "seed: want -1 or a whole number from 0 to 18446744073709551615");
    p->seed = yyjson_get_uint(v);
    p->has_seed = 1;
    return true;
}

static bool read_sampler(source *s)
{
    sdw_params *p = &s->q->job.params;
    const char *scheduler = NULL;
    p->sampler = "Euler";
    if (!read_text(s, "sampler_index", &p->sampler) || !read_text(s, "sampler_name", &p->sampler) || !read_text(s, "scheduler", &scheduler)) return false;
    if (!p->sampler[0]) p->sampler = "Euler";
    if (scheduler && scheduler[0] && strcasecmp(scheduler, "automatic") && strcasecmp(scheduler, "uniform")) p->schedule = scheduler;
    return true;
}

static bool read_sizes(source *s)
{
    sdw_params *p = &s->q->job.params;
    p->width = p->height = 512;
    if (!read_int(s, "width", 64, 2048, &p->width) || !read_int(s, "height", 64, 2048, &p->height)) return false;
    if (p->width % 8) return refuse(s, 422, "width", "width: %d given, want a multiple of 8", p->width);
    if (p->height % 8) return refuse(s, 422, "height", "height: %d given, want a multiple of 8", p->height);
    return true;
}

/* CLIP layers counted from the end, 1 = the last. */
static bool set_clip_stop(source *s, const char *field, double layers)
{
    if (!(layers >= 1 && layers <= 12) || layers != floor(layers)) return refuse(s, 422, field, "%s: %g given, want a whole number from 1 to 12", field, layers);
    s->q->job.params.clip_skip = layers > 1 ? (int)layers - 1 : 0;
    return true;
}

static bool set_format(source *s, const char *format)
{
    static const struct { const char *theirs, *ours; } names[] = { { "png", "png" }, { "jpg", "jpeg" }, { "jpeg", "jpeg" }, { "webp", "webp" } };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(format, names[i].theirs)) {
            s->q->job.format = names[i].ours;
            return true;
        }
    return refuse(s, 422, "samples_format", "samples_format: %.20s given, want png, jpg or webp", format);
}

/* Whose random numbers a seed means: those of a CUDA device, upstream's default, or of the CPU. */
static bool set_randn(source *s, const char *name)
{
    if (!strcmp(name, "CPU")) s->q->job.params.rng = "torch-cpu";
    else if (!strcmp(name, "GPU") || !strcmp(name, "NV")) s->q->job.params.rng = "torch-cuda";
    else return refuse(s, 422, "randn_source", "randn_source: %.20s given, want GPU, NV or CPU", name);
    return true;
}

static bool read_settings(source *s, const sdw_sdapi_defaults *standing)
{
    yyjson_val *o = get(s, "override_settings"), *v;
    if (!set_format(s, standing->format) || !set_clip_stop(s, "CLIP_stop_at_last_layers", standing->clip_stop) || !set_randn(s, standing->randn_source)) return false;
    if (!o) return true;
    if (!yyjson_is_obj(o)) return refuse(s, 422, "override_settings", "override_settings: want an object");
    if (yyjson_is_str(v = yyjson_obj_get(o, "sd_model_checkpoint"))) s->q->checkpoint = yyjson_get_str(v);
    if (yyjson_is_num(v = yyjson_obj_get(o, "CLIP_stop_at_last_layers")) && !set_clip_stop(s, "CLIP_stop_at_last_layers", yyjson_get_num(v))) return false;
    if (yyjson_is_str(v = yyjson_obj_get(o, "samples_format")) && !set_format(s, yyjson_get_str(v))) return false;
    if (yyjson_is_num(v = yyjson_obj_get(o, "eta_noise_seed_delta")) && yyjson_get_num(v) != 0)
        return refuse(s, 422, "eta_noise_seed_delta", "eta_noise_seed_delta: this worker cannot do it yet; leave it out");
    return !yyjson_is_str(v = yyjson_obj_get(o, "randn_source")) || set_randn(s, yyjson_get_str(v));
}

static bool read_common(source *s, const sdw_sdapi_defaults *standing)
{
    sdw_sdapi_request *q = s->q;
    sdw_params *p = &q->job.params;
    double clip_skip = 0;
    p->steps = 50;
    p->guidance = 7.0;
    q->send_images = true;
    if (!check_refused(s) || !read_prompts(s) || !read_counts(s) || !read_seed(s) || !read_sampler(s) || !read_sizes(s)
        || !read_int(s, "steps", 1, 150, &p->steps) || !read_number(s, "cfg_scale", 0, 20, &p->guidance) || !read_settings(s, standing)
        || !read_number(s, "clip_skip", 0, 12, &clip_skip) || !read_switch(s, "send_images", &q->send_images) || !read_text(s, "force_task_id", &q->job.tag))
        return false;
    if (clip_skip >= 1 && !set_clip_stop(s, "clip_skip", clip_skip)) return false;
    double eta = NAN;
    if (!read_number(s, "eta", 0, 1, &eta)) return false;
    if (!strncasecmp(p->sampler, "ddim", 4)) p->eta = eta;
    return true;
}

/* ---- pictures ---- */

static bool decode(source *s, const char *field, yyjson_val *v, int channels, sdw_image **ret)
{
    const sdw_picture_rules rules = { .what = field, .channels = channels, .pixels_max = sdw_server_options_of(s->r->server)->image_pixels_max };
    sdw_error err = { 0 };
    if (!yyjson_is_str(v)) return refuse(s, 422, field, "%s: a JSON %s given, want base64 text", field, yyjson_get_type_desc(v));
    if (!strncmp(yyjson_get_str(v), "http://", 7) || !strncmp(yyjson_get_str(v), "https://", 8)) return refuse(s, 400, NULL, "Requests not allowed");
    sdw_status status = sdw_picture_from_base64(yyjson_get_str(v), yyjson_get_len(v), &rules, ret, &err);
    return status == SDW_OK || refuse(s, 400, NULL, "Invalid encoded image: %.300s", err.text);
}

/* By alpha where it varies, else by brightness; either way white is repainted. */
static bool read_mask(source *s)
{
    yyjson_val *v = get(s, "mask");
    sdw_image *rgba = NULL, *mask;
    sdw_error err = { 0 };
    if (!v || (yyjson_is_str(v) && !yyjson_get_len(v))) return true;
    if (!decode(s, "mask", v, 4, &rgba)) return false;
    size_t n = (size_t)rgba->width * (size_t)rgba->height;
    bool varies = false;
    for (size_t i = 1; i < n && !varies; i++) varies = rgba->pixels[4 * i + 3] != rgba->pixels[3];
    sdw_image_free(varies ? NULL : rgba);
    if (!varies) return decode(s, "mask", v, 1, &s->q->mask);
    bool ok = sdw_image_create(rgba->width, rgba->height, 1, &mask, &err) == SDW_OK || refuse(s, 503, NULL, "%s", err.text);
    for (size_t i = 0; ok && i < n; i++) mask->pixels[i] = rgba->pixels[4 * i + 3] > 128 ? 255 : 0;
    if (ok) s->q->mask = mask;
    sdw_image_free(rgba);
    return ok;
}

static bool read_blur(source *s)
{
    double x = 4, y = 4, both = NAN;
    if (!read_number(s, "mask_blur_x", 0, 64, &x) || !read_number(s, "mask_blur_y", 0, 64, &y) || !read_number(s, "mask_blur", 0, 64, &both)) return false;
    s->q->job.params.mask_blur = isnan(both) ? (x > y ? x : y) : both;
    return true;
}

static bool read_paint(source *s)
{
    sdw_params *p = &s->q->job.params;
    int fill = 0;
    bool full = true, invert = false;
    p->inpaint_full_res_padding = 0;
    if (!read_int(s, "inpainting_fill", 0, 3, &fill) || !read_switch(s, "inpaint_full_res", &full) || !read_switch(s, "inpainting_mask_invert", &invert)
        || !read_int(s, "inpaint_full_res_padding", 0, 256, &p->inpaint_full_res_padding) || !read_blur(s))
        return false;
    if (fill > 1) return refuse(s, 422, "inpainting_fill", "inpainting_fill: %d given, want 0 or 1; the others cannot be done yet", fill);
    p->inpaint_full_res = full;
    p->invert_mask = invert;
    return true;
}

static void attach(const sdw_image *image, sdw_picture *store, const sdw_picture **at)
{
    *store = (sdw_picture){ image->width, image->height, image->channels, image->pixels };
    *at = store;
}

static bool read_image_call(source *s)
{
    static const char *const resizes[] = { "stretch", "crop", "pad" };
    sdw_sdapi_request *q = s->q;
    yyjson_val *list = get(s, "init_images");
    int mode = 0;
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) == 0) return refuse(s, 404, NULL, "Init image not found");
    if (yyjson_arr_size(list) > 1) return refuse(s, 422, "init_images", "init_images: %zu pictures given, this worker takes one", yyjson_arr_size(list));
    q->job.params.strength = 0.75;
    if (!read_number(s, "denoising_strength", 0, 1, &q->job.params.strength) || !read_int(s, "resize_mode", 0, 3, &mode)
        || !read_switch(s, "include_init_images", &q->include_init_images))
        return false;
    if (mode == 3) return refuse(s, 422, "resize_mode", "resize_mode: 3 (latent) cannot be done yet, want 0, 1 or 2");
    q->job.params.resize = resizes[mode];
    if (!decode(s, "init_images", yyjson_arr_get_first(list), 3, &q->init) || !read_mask(s)) return false;
    attach(q->init, &q->pictures[0], &q->job.params.init_image);
    if (!q->mask) return true;
    attach(q->mask, &q->pictures[1], &q->job.params.mask);
    return read_paint(s);
}

/* ---- the whole ---- */

bool sdw_sdapi_read(const sdw_http_request *r, bool image_call, const sdw_sdapi_defaults *standing, sdw_sdapi_request *ret, sdw_sdapi_problem *ret_problem)
{
    source s = { .r = r, .q = ret, .problem = ret_problem };
    const sdw_json_limits limits = { .bytes_max = r->body_size ? r->body_size : 1, .top = SDW_JSON_OBJECT };
    sdw_error err = { 0 };
    *ret = (sdw_sdapi_request){ .image_call = image_call, .job = { .face = "sdapi", .preview = SDW_PREVIEW_LATENT, .preview_every = -1 } };
    *ret_problem = (sdw_sdapi_problem){ .status = 422 };
    sdw_params_init(&ret->job.params);
    sdw_arena_init(&ret->arena, ARENA_MAX);
    if (sdw_json_parse(r->body_size ? r->body : "{}", r->body_size ? r->body_size : 2, "body", &limits, &ret->doc, &err) != SDW_OK)
        return refuse(&s, 422, "body", "%s", err.text);
    ret->root = yyjson_doc_get_root(ret->doc);
    return read_common(&s, standing) && (!image_call || read_image_call(&s));
}

void sdw_sdapi_finish(sdw_sdapi_request *q)
{
    yyjson_doc_free(q->doc); /* accepts NULL */
    sdw_image_free(q->init);
    sdw_image_free(q->mask);
    sdw_arena_finish(&q->arena);
    q->doc = NULL;
    q->init = q->mask = NULL;
}

/* ---- answers ---- */

void sdw_sdapi_write_echo(const sdw_sdapi_request *q, sdw_buf *out)
{
    sdw_json_open(out, '{');
    for (const sdw_sdapi_parameter *p = sdw_sdapi_parameters; p->name; p++) {
        if (!(q->image_call ? p->image_call : p->text_call)) continue;
        yyjson_val *v = yyjson_obj_get(q->root, p->name);
        bool picture = !strcmp(p->name, "init_images") || !strcmp(p->name, "mask");
        char *text = v && !yyjson_is_null(v) && (!picture || q->include_init_images) ? yyjson_val_write(v, 0, NULL) : NULL;
        sdw_json_key(out, p->name);
        sdw_json_raw(out, text ? text : picture ? "null" : p->standard);
        sdw_free(text); /* yyjson's allocator is the heap */
    }
    sdw_json_close(out, '}');
}

void sdw_sdapi_error(sdw_http_response *ret, int status, const char *detail)
{
    sdw_http_error(ret, SDW_FACE_SDAPI, status, NULL, detail);
}

void sdw_sdapi_refuse(const sdw_sdapi_problem *p, sdw_http_response *ret)
{
    if (p->status != 422) {
        sdw_sdapi_error(ret, p->status, p->message);
        return;
    }
    sdw_buf *out = sdw_answer_json(ret, 422);
    sdw_json_open(out, '{');
    sdw_json_key(out, "detail");
    sdw_json_open(out, '[');
    sdw_json_open(out, '{');
    sdw_json_key(out, "loc");
    sdw_json_open(out, '[');
    sdw_json_text(out, "body");
    if (p->field && strcmp(p->field, "body")) sdw_json_text(out, p->field);
    sdw_json_close(out, ']');
    sdw_json_put_text(out, "msg", p->message);
    sdw_json_put_text(out, "type", "value_error");
    sdw_json_close(out, '}');
    sdw_json_close(out, ']');
    sdw_json_close(out, '}');
    sdw_answer_check(ret);
}
