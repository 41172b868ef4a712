/* openai_request.c - see openai_request.h. Every value is brought to text first, whether it came as JSON or as a part of a
 * form, and then read by the row of its name: so "n" may be 2 or "2", and both bodies have one table. */
#include "server/openai_request.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "server/answer.h"
#include "server/job_images.h"
#include "server/multipart.h"

#define ARENA_MAX ((size_t)2 << 20)
#define PROMPT_CHARACTERS_MAX 32000
#define STEPS_MAX 150
#define IMAGES_MAX 16

typedef struct source {
    const sdw_http_request *r;
    sdw_openai_request *q;
    sdw_openai_problem *problem;
    yyjson_val *root;           /* JSON, else NULL */
    const sdw_multipart *form;  /* multipart, else NULL */
    size_t pixels_max;
} source;

#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
static bool refuse(source *s, const char *code, const char *param, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(s->problem->message, sizeof s->problem->message, format, args);
    va_end(args);
    s->problem->status = 400;
    s->problem->code = code;
    s->problem->param = param;
    return false;
}

static bool no_memory(source *s)
{
    refuse(s, NULL, NULL, "No memory to read the request");
    s->problem->status = 503;
    return false;
}

/* ---- one value as text ---- */

/* *ret NULL: absent (null counts as absent). False: an object or a list, or no memory. */
static bool text_of(source *s, const char *name, const char **ret)
{
    char number[40];
    *ret = NULL;
    if (s->form) {
        const sdw_part *part = sdw_multipart_find(s->form, name);
        if (!part) return true;
        if (memchr(part->bytes, 0, part->size)) return refuse(s, NULL, name, "%s: holds a NUL byte", name);
        *ret = sdw_arena_printf(&s->q->arena, "%.*s", (int)(part->size < 1 << 20 ? part->size : 1 << 20), part->bytes);
        return *ret || no_memory(s);
    }
    yyjson_val *v = yyjson_obj_get(s->root, name);
    if (!v || yyjson_is_null(v)) return true;
    if (yyjson_is_str(v)) *ret = yyjson_get_str(v);
    else if (yyjson_is_bool(v)) *ret = yyjson_get_bool(v) ? "true" : "false";
    else if (yyjson_is_uint(v)) snprintf(number, sizeof number, "%llu", (unsigned long long)yyjson_get_uint(v));
    else if (yyjson_is_sint(v)) snprintf(number, sizeof number, "%lld", (long long)yyjson_get_sint(v));
    else if (yyjson_is_real(v)) snprintf(number, sizeof number, "%.17g", yyjson_get_real(v));
    else return refuse(s, NULL, name, "%s: a JSON %s given, want a text or a number", name, yyjson_get_type_desc(v));
    if (!*ret) *ret = sdw_arena_strdup(&s->q->arena, number);
    return *ret || no_memory(s);
}

static bool read_int(source *s, const char *name, int min, int max, int *ret)
{
    const char *text;
    char *end;
    if (!text_of(s, name, &text)) return false;
    if (!text || !*text) return true;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (errno || *end || strspn(text, " \t") || n < min || n > max)
        return refuse(s, NULL, name, "%s: %.40s given, want a whole number from %d to %d", name, text, min, max);
    *ret = (int)n;
    return true;
}

static bool read_real(source *s, const char *name, double min, double max, double *ret)
{
    const char *text;
    char *end;
    if (!text_of(s, name, &text)) return false;
    if (!text || !*text) return true;
    double n = strtod(text, &end);
    if (*end || strspn(text, " \t") || !(n >= min && n <= max))
        return refuse(s, NULL, name, "%s: %.40s given, want a number from %g to %g", name, text, min, max);
    *ret = n;
    return true;
}

static bool read_switch(source *s, const char *name, bool *ret)
{
    const char *text;
    if (!text_of(s, name, &text)) return false;
    if (!text || !*text) return true;
    *ret = !strcmp(text, "true") || !strcmp(text, "1");
    if (*ret || !strcmp(text, "false") || !strcmp(text, "0")) return true;
    return refuse(s, NULL, name, "%s: %.40s given, want true or false", name, text);
}

/* Index in a list that NULL ends; -1 absent. False: another word. */
static bool read_word(source *s, const char *name, const char *const *words, int *ret)
{
    const char *text;
    char list[160] = "";
    *ret = -1;
    if (!text_of(s, name, &text)) return false;
    if (!text || !*text) return true;
    for (int i = 0; words[i]; i++) {
        if (!strcmp(words[i], text)) {
            *ret = i;
            return true;
        }
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", words[i]);
    }
    return refuse(s, NULL, name, "%s: %.40s given, want one of %s", name, text, list);
}

/* ---- fields that are more than a number ---- */

static size_t characters(const char *text)
{
    size_t n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static bool read_prompts(source *s)
{
    sdw_openai_request *q = s->q;
    if (!text_of(s, "prompt", &q->prompt) || !text_of(s, "negative_prompt", &q->negative_prompt)) return false;
    if (q->call == SDW_OPENAI_VARIATION) q->prompt = "";
    else if (!q->prompt || !*q->prompt) return refuse(s, NULL, "prompt", "prompt: nothing given, want a text");
    if (characters(q->prompt) > PROMPT_CHARACTERS_MAX)
        return refuse(s, NULL, "prompt", "prompt: %zu characters given, want at most %d", characters(q->prompt), PROMPT_CHARACTERS_MAX);
    return true;
}

static bool read_size(source *s)
{
    const char *text;
    int width, height, used = 0;
    if (!text_of(s, "size", &text)) return false;
    if (!text || !*text || !strcmp(text, "auto")) return true;
    if (sscanf(text, "%5dx%5d%n", &width, &height, &used) != 2 || text[used])
        return refuse(s, "invalid_size", "size", "size: %.40s given, want auto or WIDTHxHEIGHT such as 512x768", text);
    if (width % 8 || height % 8 || width < 64 || height < 64 || width > 2048 || height > 2048)
        return refuse(s, "invalid_size", "size", "size: %.40s given, want two multiples of 8 from 64 to 2048", text);
    s->q->width = width;
    s->q->height = height;
    return true;
}

static bool read_quality(source *s)
{
    static const struct { const char *name; double factor; } levels[] = {
        { "auto", 1 }, { "low", 0.5 }, { "medium", 1 }, { "standard", 1 }, { "high", 1.5 }, { "hd", 1.5 }, { "xhigh", 2 }, { "max", 2.5 },
    };
    static const char *const names[] = { "auto", "low", "medium", "standard", "high", "hd", "xhigh", "max", NULL };
    int level;
    if (!read_word(s, "quality", names, &level)) return false;
    s->q->quality = level < 0 ? "auto" : levels[level].name;
    s->q->step_factor = level < 0 ? 1 : levels[level].factor;
    return read_int(s, "steps", 1, STEPS_MAX, &s->q->steps);
}

static bool read_output(source *s)
{
    static const char *const formats[] = { "png", "jpeg", "webp", NULL }, *const answers[] = { "b64_json", "url", NULL };
    static const char *const backgrounds[] = { "auto", "opaque", NULL };
    int format, answer, background;
    if (!read_word(s, "output_format", formats, &format) || !read_word(s, "response_format", answers, &answer)
        || !read_word(s, "background", backgrounds, &background))
        return false;
    s->q->output_format = formats[format < 0 ? 0 : format];
    s->q->url = answer == 1;
    s->q->output_compression = -1;
    return read_int(s, "output_compression", 0, 100, &s->q->output_compression);
}

static bool read_seed(source *s)
{
    const char *text;
    char *end;
    if (!text_of(s, "seed", &text)) return false;
    if (!text || !*text || !strcmp(text, "-1")) return true;
    errno = 0;
    s->q->seed = strtoull(text, &end, 10);
    if (errno || *end || strspn(text, " \t+-"))
        return refuse(s, NULL, "seed", "seed: %.40s given, want a whole number from 0 to 18446744073709551615", text);
    s->q->has_seed = true;
    return true;
}

/* high stays nearer to the picture. */
static bool read_strength(source *s)
{
    static const char *const words[] = { "low", "high", NULL };
    int fidelity;
    if (!read_word(s, "input_fidelity", words, &fidelity)) return false;
    s->q->strength = s->q->call == SDW_OPENAI_VARIATION ? 0.7 : fidelity == 1 ? 0.5 : 0.8;
    return read_real(s, "strength", 0, 1, &s->q->strength);
}

/* What the engine cannot do yet is refused, never dropped in silence. */
static bool refuse_others(source *s)
{
    static const char *const names[] = { "svg", "frame_count", "frame_duration_ms", NULL };
    for (int i = 0; names[i]; i++) {
        bool there = s->form ? sdw_multipart_find(s->form, names[i]) != NULL : yyjson_obj_get(s->root, names[i]) && !yyjson_is_null(yyjson_obj_get(s->root, names[i]));
        if (there) return refuse(s, NULL, names[i], "%s: belongs to animations and drawings, which this worker does not make", names[i]);
    }
    yyjson_val *loras = s->root ? yyjson_obj_get(s->root, "loras") : NULL;
    if (loras && !yyjson_is_null(loras) && !(yyjson_is_arr(loras) && yyjson_arr_size(loras) == 0))
        return refuse(s, NULL, "loras", "loras: this worker has no LoRA support yet");
    return true;
}

static bool read_scalars(source *s)
{
    sdw_openai_request *q = s->q;
    q->n = 1;
    q->cfg_scale = NAN;
    return read_prompts(s) && text_of(s, "model", &q->model) && read_int(s, "n", 1, SDW_OPENAI_PICTURES_MAX, &q->n) && read_size(s)
           && read_quality(s) && read_output(s) && read_switch(s, "stream", &q->stream) && read_int(s, "partial_images", 0, 3, &q->partial_images)
           && read_seed(s) && read_real(s, "cfg_scale", 0, 20, &q->cfg_scale) && text_of(s, "sampler", &q->sampler)
           && text_of(s, "scheduler", &q->scheduler) && read_strength(s) && refuse_others(s);
}

/* ---- pictures ---- */

static bool told(source *s, const char *param, const sdw_error *err)
{
    return refuse(s, "invalid_image", param, "%s", err->text);
}

static bool decode(source *s, const char *param, const void *bytes, size_t size, bool base64, int channels, sdw_image **ret)
{
    const sdw_picture_rules rules = { .what = param, .channels = channels, .pixels_max = s->pixels_max };
    sdw_error err = { 0 };
    sdw_status status = base64 ? sdw_picture_from_base64(bytes, size, &rules, ret, &err) : sdw_picture_from_bytes(bytes, size, &rules, ret, &err);
    return status == SDW_OK || told(s, param, &err);
}

/* {"image_url": "data:..."}: the JSON form of a picture. */
static bool decode_reference(source *s, const char *param, yyjson_val *v, int channels, sdw_image **ret)
{
    yyjson_val *url = yyjson_obj_get(v, "image_url");
    if (yyjson_obj_get(v, "file_id")) return refuse(s, NULL, param, "%s: file_id given, this worker keeps no files; want image_url with a data: URL", param);
    if (!yyjson_is_str(url)) return refuse(s, NULL, param, "%s: want an object with image_url", param);
    if (strncmp(yyjson_get_str(url), "data:", 5))
        return refuse(s, NULL, param, "%s: pictures are not fetched from other addresses, want a data: URL", param);
    return decode(s, param, yyjson_get_str(url), yyjson_get_len(url), true, channels, ret);
}

static bool one_only(source *s, size_t count)
{
    if (count == 0) return refuse(s, NULL, "image", "image: nothing given, want a PNG, JPEG or WebP picture");
    if (count > IMAGES_MAX) return refuse(s, NULL, "image", "image: %zu pictures given, want at most %d", count, IMAGES_MAX);
    if (count > 1) return refuse(s, NULL, "image", "image: %zu pictures given, this worker takes one", count);
    return true;
}

static bool form_image(source *s)
{
    const sdw_part *first = NULL;
    size_t count = 0;
    for (int i = 0; i < s->form->count; i++) {
        const sdw_part *p = &s->form->parts[i];
        if (strcmp(p->name, "image") && strcmp(p->name, "image[]")) continue;
        if (!count++) first = p;
    }
    return one_only(s, count) && decode(s, "image", first->bytes, first->size, false, 3, &s->q->image);
}

static bool json_image(source *s)
{
    yyjson_val *list = yyjson_obj_get(s->root, "images");
    if (list && !yyjson_is_null(list) && !yyjson_is_arr(list)) return refuse(s, NULL, "images", "images: want a list");
    return one_only(s, yyjson_arr_size(list)) && decode_reference(s, "images", yyjson_arr_get_first(list), 3, &s->q->image);
}

/* OpenAI's mask says by full transparency where to paint; ours is white there. */
static bool mask_of_alpha(source *s, sdw_image *rgba)
{
    sdw_error err = { 0 };
    const sdw_image *image = s->q->image;
    size_t n = (size_t)rgba->width * (size_t)rgba->height, clear = 0, solid = 0;
    if (rgba->width != image->width || rgba->height != image->height)
        return refuse(s, "invalid_image", "mask", "mask: %d x %d pixels, want %d x %d as the picture", rgba->width, rgba->height, image->width, image->height);
    for (size_t i = 0; i < n; i++) {
        clear += rgba->pixels[4 * i + 3] == 0;
        solid += rgba->pixels[4 * i + 3] == 255;
    }
    if (solid == n) return refuse(s, "invalid_image", "mask", "mask: has no transparent pixel, want transparency where the picture is to be edited");
    if (!clear) return refuse(s, "invalid_image", "mask", "mask: no pixel is fully transparent, want some where the picture is to be edited");
    if (sdw_image_create(rgba->width, rgba->height, 1, &s->q->mask, &err) != SDW_OK) return told(s, "mask", &err);
    for (size_t i = 0; i < n; i++) s->q->mask->pixels[i] = rgba->pixels[4 * i + 3] == 0 ? 255 : 0;
    return true;
}

static bool read_mask(source *s)
{
    sdw_image *rgba = NULL;
    bool ok = true;
    if (s->form) {
        const sdw_part *part = sdw_multipart_find(s->form, "mask");
        if (part && part->size) ok = decode(s, "mask", part->bytes, part->size, false, 4, &rgba);
    } else {
        yyjson_val *v = yyjson_obj_get(s->root, "mask");
        if (v && !yyjson_is_null(v)) ok = decode_reference(s, "mask", v, 4, &rgba);
    }
    if (ok && rgba) ok = mask_of_alpha(s, rgba);
    sdw_image_free(rgba);
    return ok;
}

static bool read_pictures(source *s)
{
    if (s->q->call == SDW_OPENAI_GENERATION) return true;
    if (!(s->form ? form_image(s) : json_image(s))) return false;
    return s->q->call == SDW_OPENAI_VARIATION || read_mask(s);
}

/* ---- the whole ---- */

static bool read_form(source *s)
{
    static _Thread_local sdw_multipart form; /* 17 KiB; used by one call at a time on a thread */
    sdw_error err = { 0 };
    if (sdw_multipart_parse(s->r->content_type, s->r->body, s->r->body_size, &form, &err) != SDW_OK) return refuse(s, NULL, NULL, "%s", err.text);
    s->form = &form;
    return read_scalars(s) && read_pictures(s);
}

static bool read_json(source *s)
{
    const sdw_json_limits limits = { .bytes_max = s->r->body_size ? s->r->body_size : 1, .top = SDW_JSON_OBJECT };
    sdw_error err = { 0 };
    yyjson_doc *doc = NULL;
    if (sdw_json_parse(s->r->body, s->r->body_size, "body", &limits, &doc, &err) != SDW_OK) return refuse(s, NULL, NULL, "%s", err.text);
    s->root = yyjson_doc_get_root(doc);
    bool ok = read_scalars(s) && read_pictures(s);
    /* Texts of the document are used after it is gone. */
    const char **texts[] = { &s->q->prompt, &s->q->negative_prompt, &s->q->model, &s->q->sampler, &s->q->scheduler };
    for (size_t i = 0; ok && i < sizeof texts / sizeof texts[0]; i++)
        if (*texts[i] && !(*texts[i] = sdw_arena_strdup(&s->q->arena, *texts[i]))) ok = no_memory(s);
    yyjson_doc_free(doc);
    return ok;
}

bool sdw_openai_read(const sdw_http_request *r, sdw_openai_call call, size_t image_pixels_max, sdw_openai_request *ret,
                     sdw_openai_problem *ret_problem)
{
    source s = { .r = r, .q = ret, .problem = ret_problem, .pixels_max = image_pixels_max };
    *ret = (sdw_openai_request){ .call = call };
    *ret_problem = (sdw_openai_problem){ .status = 400 };
    sdw_arena_init(&ret->arena, ARENA_MAX);
    if (call != SDW_OPENAI_GENERATION && sdw_is_multipart(r->content_type)) return read_form(&s);
    if (sdw_is_json_type(r->content_type) && call != SDW_OPENAI_VARIATION) return read_json(&s);
    refuse(&s, NULL, NULL, "Content-Type: %.60s given, want %s", r->content_type[0] ? r->content_type : "nothing",
           call == SDW_OPENAI_GENERATION ? "application/json" : call == SDW_OPENAI_EDIT ? "multipart/form-data or application/json" : "multipart/form-data");
    ret_problem->status = 415;
    return false;
}

void sdw_openai_finish(sdw_openai_request *q)
{
    sdw_image_free(q->image);
    sdw_image_free(q->mask);
    sdw_arena_finish(&q->arena);
    q->image = q->mask = NULL;
}
