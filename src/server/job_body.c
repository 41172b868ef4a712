/* job_body.c - from JSON to a request: which operation, then row after row of the field table, then what nobody knows.
 * The order of the rows is the order in which violations are told, whatever the order of the keys. */
#include "server/job_body.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "image/resize.h"
#include "server/job_images.h"
#include "server/job_violations.h"

/* What the texts of a body may need beside the document: messages, notes, lists. */
#define ARENA_MAX ((size_t)1 << 20)
#define G0_STEPS 30
#define G0_GUIDANCE 7.5
#define G0_SIZE 512

typedef struct reader {
    const sdw_body_context *context;
    yyjson_val *root;
    sdw_job_kind kind;
    bool tagged;  /* has an operation: null is no value then */
    sdw_job_body *b;
} reader;

/* ---- which operation ---- */

static const char *const unsupported[] = {
    "status", "infer", "rhai_script_save", "rhai_script_test", "rhai_script_get", "rhai_script_list",
    "rhai_script_delete", "worker_catalog_list", "worker_catalog_get", "worker_list_installed", "worker_installed_get",
    "worker_install", "worker_remove", "worker_spawn", "worker_process_list", "worker_process_get",
    "worker_process_delete", "model_download", "model_list", "model_get", "model_delete", "model_load", "model_unload",
    "queen_check", "hive_check",
};

static const struct operation {
    const char *name, *pascal;
    sdw_job_kind kind;
} operations[] = {
    { "image_generation", "ImageGeneration", SDW_JOB_GENERATION },
    { "image_transform", "ImageTransform", SDW_JOB_TRANSFORM },
    { "image_inpaint", "ImageInpaint", SDW_JOB_INPAINT },
};
#define OPERATION_COUNT (sizeof operations / sizeof operations[0])

static sdw_status read_tag(reader *r, yyjson_val *tag, sdw_error *err)
{
    const char *name = yyjson_get_str(tag);
    r->tagged = true;
    for (size_t i = 0; name && i < OPERATION_COUNT; i++) {
        if (strcmp(name, operations[i].name) != 0 && strcmp(name, operations[i].pascal) != 0) continue;
        r->kind = operations[i].kind;
        return SDW_OK;
    }
    for (size_t i = 0; name && i < sizeof unsupported / sizeof unsupported[0]; i++)
        if (!strcmp(name, unsupported[i]))
            return sdw_fail_field(err, SDW_INVALID, "operation", "Unsupported operation for SD worker: %s", name);
    return sdw_fail_field(err, SDW_INVALID, "operation", "Failed to parse operation: `operation`: %s given, want one of"
                          " image_generation, image_transform, image_inpaint", sdw_value_text(r->b, tag));
}

static bool has(const reader *r, const char *const *names)
{
    for (; *names; names++) {
        yyjson_val *v = yyjson_obj_get(r->root, *names);
        if (v && !yyjson_is_null(v)) return true;
    }
    return false;
}

static sdw_status find_operation(reader *r, sdw_error *err)
{
    static const char *const masks[] = { "mask_image", "mask", NULL };
    static const char *const images[] = { "init_image", "input_image", "image", NULL };
    static const sdw_job_kind of_shape[] = { SDW_JOB_GENERATION, SDW_JOB_GENERATION, SDW_JOB_TRANSFORM, SDW_JOB_INPAINT };
    yyjson_val *tag = yyjson_obj_get(r->root, "operation");
    if (tag && r->context->shape == SDW_BODY_NATIVE) return read_tag(r, tag, err);
    r->kind = of_shape[r->context->shape];
    if (r->context->shape == SDW_BODY_NATIVE)
        r->kind = has(r, masks) ? SDW_JOB_INPAINT : has(r, images) ? SDW_JOB_TRANSFORM : SDW_JOB_GENERATION;
    return SDW_OK;
}

/* ---- notes ---- */

static void note(sdw_job_body *b, const char *text)
{
    if (!text) b->no_memory = true;
    else if (b->note_count < SDW_BODY_NOTES_MAX) b->notes[b->note_count++] = text;
}

/* ---- one field ---- */

/* The value under the field's name or a synonym; *ret_key is what the client called it, or the proper name. */
static yyjson_val *lookup(reader *r, const sdw_native_field *f, const char **ret_key)
{
    yyjson_val *found = NULL;
    *ret_key = f->row.name;
    for (int i = -1; i < SDW_NATIVE_SYNONYMS_MAX; i++) {
        const char *name = i < 0 ? f->row.name : f->synonyms[i];
        yyjson_val *v = name ? yyjson_obj_get(r->root, name) : NULL;
        if (!v || (!r->tagged && yyjson_is_null(v))) continue;
        if (found) {
            char both[80];
            snprintf(both, sizeof both, "one_of(%.30s,%.30s)", *ret_key, name);
            sdw_violate(r->b, name, both, NULL, "`%s` and `%s` are the same field, want one of them", *ret_key, name);
            continue;
        }
        found = v;
        *ret_key = name;
    }
    if (found && f->nullable && yyjson_is_null(found)) return NULL;
    return found;
}

static void wrong_type(reader *r, const sdw_native_field *f, const char *key, yyjson_val *v)
{
    char want[256];
    sdw_native_describe(f, want, sizeof want);
    sdw_violate_type(r->b, key, want, v);
}

static void *place(reader *r, const sdw_native_field *f)
{
    char *base = f->engine ? (char *)&r->b->request.params : (char *)&r->b->request;
    return base + f->row.offset;
}

static void read_whole(reader *r, const sdw_native_field *f, const char *key, yyjson_val *v)
{
    if (!yyjson_is_uint(v)) {
        wrong_type(r, f, key, v);
        return;
    }
    double number = (double)yyjson_get_uint(v);
    if (number < f->row.min || number > f->row.max) {
        sdw_violate_range(r->b, f, v);
        return;
    }
    int narrow = (int)number;
    memcpy(place(r, f), &narrow, sizeof narrow);
}

static void read_real(reader *r, const sdw_native_field *f, const char *key, yyjson_val *v)
{
    sdw_native_field limited = *f;
    if (!strcmp(f->row.name, "timeout_s") && r->context->job_timeout_s > 0) limited.row.max = r->context->job_timeout_s;
    if (!yyjson_is_num(v)) {
        wrong_type(r, f, key, v);
        return;
    }
    double number = yyjson_get_num(v);
    if (!(number >= limited.row.min && number <= limited.row.max)) {
        sdw_violate_range(r->b, &limited, v);
        return;
    }
    memcpy(place(r, f), &number, sizeof number);
}

static size_t characters(const char *text)
{
    size_t n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static void read_text(reader *r, const sdw_native_field *f, const char *key, yyjson_val *v)
{
    const char *text = yyjson_get_str(v);
    if (!text || strlen(text) != yyjson_get_len(v)) { /* a NUL inside a text ends it for everybody after us */
        if (!text) wrong_type(r, f, key, v);
        else sdw_violate_type(r->b, key, "a text without NUL characters", v);
        return;
    }
    char constraint[40];
    snprintf(constraint, sizeof constraint, "max_length(%d)", f->characters_max);
    if (f->characters_max && characters(text) > (size_t)f->characters_max)
        sdw_violate(r->b, key, constraint, NULL, "%s must be at most %d characters, got %zu", f->title,
                    f->characters_max, characters(text));
    memcpy(place(r, f), &text, sizeof text);
}

/* An engine field is checked by its own rules, since registries know more names than their lists. */
static void read_choice(reader *r, const sdw_native_field *f, const char *key, yyjson_val *v)
{
    const char *text = yyjson_get_str(v);
    if (!text || strlen(text) != yyjson_get_len(v)) {
        wrong_type(r, f, key, v);
        return;
    }
    sdw_error err = { 0 };
    if (f->engine) {
        if (sdw_field_parse(f->engine, text, &r->b->request.params, &err) != SDW_OK)
            sdw_violate_choice(r->b, key, &f->row, text, err.text);
        return;
    }
    for (int i = 0; f->row.choices[i]; i++) {
        if (strcmp(f->row.choices[i], text) != 0) continue;
        if (!strcmp(f->row.name, "preview")) r->b->request.preview = (sdw_preview_kind)i;
        else memcpy(place(r, f), &f->row.choices[i], sizeof f->row.choices[i]);
        return;
    }
    sdw_violate_choice(r->b, key, &f->row, text, NULL);
}

static void read_seed(reader *r, const sdw_native_field *f, const char *key, yyjson_val *v)
{
    if (!yyjson_is_uint(v)) {
        wrong_type(r, f, key, v);
        return;
    }
    r->b->request.params.seed = yyjson_get_uint(v);
    r->b->request.params.has_seed = 1;
}

static void read_switch(reader *r, const sdw_native_field *f, const char *key, yyjson_val *v)
{
    int on = yyjson_get_bool(v);
    if (yyjson_is_bool(v)) memcpy(place(r, f), &on, sizeof on);
    else wrong_type(r, f, key, v);
}

/* ---- pictures ---- */

static bool uses(const reader *r, const sdw_native_field *f)
{
    if (f->row.type != SDW_FIELD_PICTURE) return true;
    bool mask = !strcmp(f->engine->name, "mask");
    return r->kind == SDW_JOB_INPAINT || (r->kind == SDW_JOB_TRANSFORM && !mask);
}

static void read_picture(reader *r, const sdw_native_field *f, const char *key, yyjson_val *v)
{
    bool mask = !strcmp(f->engine->name, "mask");
    const char *what = mask ? "mask image" : r->kind == SDW_JOB_TRANSFORM ? "base64 input image" : "input image";
    const char *text = yyjson_get_str(v);
    sdw_error err = { 0 };
    if (!text) {
        wrong_type(r, f, key, v);
        return;
    }
    const sdw_picture_rules rules = { .what = mask ? "mask" : "picture", .channels = mask ? 1 : 3,
                                      .pixels_max = r->context->image_pixels_max };
    sdw_image **to = mask ? &r->b->mask : &r->b->init;
    sdw_status s = sdw_picture_from_base64(text, yyjson_get_len(v), &rules, to, &err);
    if (s != SDW_OK)
        sdw_violate(r->b, key, s == SDW_INVALID ? "base64" : "image", NULL, "Failed to decode %s: %s", what, err.text);
}

/* The proper name of a missing picture differs between the operations. */
static const char *missing_name(const reader *r, const sdw_native_field *f)
{
    if (f->row.type != SDW_FIELD_PICTURE) return f->row.name;
    bool mask = !strcmp(f->engine->name, "mask"), g0 = r->context->shape != SDW_BODY_NATIVE;
    if (mask) return g0 ? "mask" : "mask_image";
    return g0 ? "image" : r->kind == SDW_JOB_TRANSFORM ? "input_image" : "init_image";
}

static bool required(const reader *r, const sdw_native_field *f)
{
    (void)r;
    return f->row.type == SDW_FIELD_PICTURE || !strcmp(f->row.name, "prompt");
}

static void read_row(reader *r, const sdw_native_field *f)
{
    const char *key;
    if (!uses(r, f)) return;
    yyjson_val *v = lookup(r, f, &key);
    if (!v) {
        if (required(r, f)) sdw_violate_required(r->b, missing_name(r, f));
        return;
    }
    switch (f->row.type) {
    case SDW_FIELD_TEXT: read_text(r, f, key, v); break;
    case SDW_FIELD_INT: read_whole(r, f, key, v); break;
    case SDW_FIELD_REAL: read_real(r, f, key, v); break;
    case SDW_FIELD_SEED: read_seed(r, f, key, v); break;
    case SDW_FIELD_SWITCH: read_switch(r, f, key, v); break;
    case SDW_FIELD_CHOICE: read_choice(r, f, key, v); break;
    case SDW_FIELD_PICTURE: read_picture(r, f, key, v); break;
    }
    const char *prompt = r->b->request.params.prompt;
    if (!strcmp(f->row.name, "prompt") && prompt && !*prompt)
        sdw_violate(r->b, key, "non_empty", NULL, "Prompt cannot be empty");
}

/* ---- width and height together: their messages name both ---- */

static bool is_side(const sdw_native_field *f)
{
    return !strcmp(f->row.name, "width") || !strcmp(f->row.name, "height");
}

static uint64_t side_or(yyjson_val *v, int fallback)
{
    return yyjson_is_uint(v) ? yyjson_get_uint(v) : (uint64_t)(fallback ? fallback : G0_SIZE);
}

static void read_sides(reader *r, const sdw_native_field *width, const sdw_native_field *height)
{
    const sdw_native_field *sides[2] = { width, height };
    const char *key;
    yyjson_val *v[2] = { lookup(r, width, &key), lookup(r, height, &key) };
    uint64_t w = side_or(v[0], r->context->default_width), h = side_or(v[1], r->context->default_height);
    for (int i = 0; i < 2; i++) {
        uint64_t side = i ? h : w;
        if (!yyjson_is_uint(v[i]) || side % (unsigned)sides[i]->row.multiple == 0) continue;
        char constraint[40];
        snprintf(constraint, sizeof constraint, "multiple_of(%d)", sides[i]->row.multiple);
        sdw_violate(r->b, sides[i]->row.name, constraint, sdw_value_text(r->b, v[i]),
                    "Width and height must be multiples of %d, got %llux%llu", sides[i]->row.multiple,
                    (unsigned long long)w, (unsigned long long)h);
        v[i] = NULL;
    }
    for (int i = 0; i < 2; i++)
        if (v[i]) read_whole(r, sides[i], sides[i]->row.name, v[i]);
}

/* ---- loras ---- */

static void read_lora(reader *r, yyjson_val *entry)
{
    yyjson_val *path = yyjson_obj_get(entry, "path"), *strength = yyjson_obj_get(entry, "strength");
    if (!yyjson_is_str(path)) {
        sdw_violate_type(r->b, "loras", "objects with a text `path` and a number `strength`", entry);
        return;
    }
    if (strength && !yyjson_is_num(strength)) {
        sdw_violate_type(r->b, "loras", "a number as `strength`", strength);
        return;
    }
    double s = strength ? yyjson_get_num(strength) : 1.0;
    const char *shown = sdw_value_text(r->b, path);
    if (!(s >= -10.0 && s <= 10.0))
        sdw_violate(r->b, "loras", "range(-10.0..=10.0)", sdw_value_text(r->b, strength),
                    "LoRA strength must be between -10.0 and 10.0, got %s", sdw_value_text(r->b, strength));
    else
        sdw_violate(r->b, "loras", "lora", shown, "LoRA '%s' cannot be used: this build applies none", shown);
}

static void read_loras(reader *r)
{
    yyjson_val *list = yyjson_obj_get(r->root, "loras");
    if (!list || (!r->tagged && yyjson_is_null(list))) return;
    if (!yyjson_is_arr(list)) {
        sdw_violate_type(r->b, "loras", "an array of {\"path\",\"strength\"}", list);
        return;
    }
    if (yyjson_arr_size(list) > SDW_NATIVE_LORAS_MAX) {
        sdw_violate(r->b, "loras", "max_length(16)", NULL, "At most %d LoRAs can be used, got %zu", SDW_NATIVE_LORAS_MAX,
                    yyjson_arr_size(list));
        return;
    }
    size_t i, count;
    yyjson_val *entry;
    yyjson_arr_foreach(list, i, count, entry) read_lora(r, entry);
}

/* ---- fields that only name things ---- */

static const struct label {
    const char *name;
    bool nullable;
} labels[] = { { "hive_id", false }, { "model", false }, { "worker_id", true } };
#define LABEL_COUNT (sizeof labels / sizeof labels[0])

static void read_labels(reader *r)
{
    for (size_t i = 0; i < LABEL_COUNT; i++) {
        yyjson_val *v = yyjson_obj_get(r->root, labels[i].name);
        if (!v || yyjson_is_str(v)) continue;
        if (yyjson_is_null(v) && (labels[i].nullable || !r->tagged)) continue;
        sdw_violate_type(r->b, labels[i].name, "a text", v);
    }
    const char *model = yyjson_get_str(yyjson_obj_get(r->root, "model"));
    const sdw_body_context *c = r->context;
    if (!model || !*model || !strcmp(model, c->model_id)) return;
    if (c->is_model && c->is_model(c->ctx, model)) r->b->request.model = model;
    else if (c->model_id[0])
        note(r->b, sdw_arena_printf(&r->b->arena, "The request names the model '%.100s'; this worker has loaded '%.100s'"
                                    " and uses it", model, c->model_id));
}

/* ---- what nobody knows ---- */

static bool is_known(const reader *r, const char *key)
{
    sdw_native_field f;
    for (size_t i = 0; i < LABEL_COUNT; i++)
        if (!strcmp(labels[i].name, key)) return true;
    if (!strcmp(key, "operation")) return r->context->shape == SDW_BODY_NATIVE;
    if (!strcmp(key, "loras")) return true;
    for (size_t i = 0; sdw_native_field_at(i, &f); i++) {
        if (!uses(r, &f)) continue;
        if (!strcmp(f.row.name, key)) return true;
        for (int k = 0; k < SDW_NATIVE_SYNONYMS_MAX && f.synonyms[k]; k++)
            if (!strcmp(f.synonyms[k], key)) return true;
    }
    return false;
}

static void note_unknown(reader *r)
{
    sdw_buf list;
    sdw_buf_init(&list, 400);
    int left_out = 0;
    yyjson_obj_iter it = yyjson_obj_iter_with(r->root);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&it));) {
        if (is_known(r, yyjson_get_str(key))) continue;
        if (list.size > 280) left_out++; /* a name takes at most some 64 bytes more */
        else sdw_buf_printf(&list, "%s%s", list.size ? ", " : "", sdw_value_text(r->b, key));
    }
    if (list.size)
        note(r->b, left_out ? sdw_arena_printf(&r->b->arena, "Unknown fields were ignored: %s and %d more", list.data, left_out)
                            : sdw_arena_printf(&r->b->arena, "Unknown fields were ignored: %s", list.data));
    if (list.failed) r->b->no_memory = true;
    sdw_buf_finish(&list);
}

/* ---- what follows from the pictures ---- */

static void check_picture_size(reader *r)
{
    const sdw_image *init = r->b->init;
    const sdw_params *p = &r->b->request.params;
    if (!init || p->width || p->height || p->inpaint_full_res > 0) return;
    int side[2] = { init->width / 8 * 8, init->height / 8 * 8 };
    for (int i = 0; i < 2; i++) {
        if (side[i] >= 64 && side[i] <= 2048) continue;
        const char *value = sdw_arena_printf(&r->b->arena, "%d", side[i]);
        sdw_violate(r->b, i ? "height" : "width", "range(64..=2048)", value, "%s must be between 64 and 2048, got %d",
                    i ? "Height" : "Width", side[i]);
    }
    if (side[0] != init->width || side[1] != init->height)
        note(r->b, sdw_arena_printf(&r->b->arena, "The input picture has %dx%d pixels; the result has %dx%d, multiples of 8",
                                    init->width, init->height, side[0], side[1]));
}

/* A mask of another size is scaled to the picture that it belongs to. */
static sdw_status fit_mask(sdw_job_body *b, sdw_error *err)
{
    sdw_image *fitted;
    if (!b->init || !b->mask || (b->init->width == b->mask->width && b->init->height == b->mask->height)) return SDW_OK;
    sdw_status s = sdw_image_resize(b->mask, b->init->width, b->init->height, SDW_FILTER_BILINEAR, &fitted, err);
    if (s != SDW_OK) return s;
    sdw_image_free(b->mask);
    b->mask = fitted;
    return SDW_OK;
}

static void attach(const sdw_image *image, sdw_picture *store, const sdw_picture **at)
{
    if (!image) return;
    *store = (sdw_picture){ .width = image->width, .height = image->height, .channels = image->channels,
                            .pixels = image->pixels };
    *at = store;
}

/* ---- the whole ---- */

static void g0_defaults(reader *r)
{
    sdw_params *p = &r->b->request.params;
    if (r->context->shape == SDW_BODY_NATIVE) return;
    if (!p->steps) p->steps = G0_STEPS;
    if (isnan(p->guidance)) p->guidance = G0_GUIDANCE;
    if (r->kind == SDW_JOB_GENERATION && !p->width) p->width = G0_SIZE;
    if (r->kind == SDW_JOB_GENERATION && !p->height) p->height = G0_SIZE;
    if (r->kind == SDW_JOB_TRANSFORM && isnan(p->strength)) p->strength = 0.8;
}

static void read_fields(reader *r)
{
    sdw_native_field f, height;
    for (size_t i = 0; sdw_native_field_at(i, &f); i++) {
        if (!is_side(&f)) {
            read_row(r, &f);
            continue;
        }
        if (!sdw_native_field_at(++i, &height)) return;
        read_sides(r, &f, &height);
        read_loras(r); /* where the protocol's table has them */
    }
    read_labels(r);
    check_picture_size(r);
}

static sdw_status told(const sdw_job_body *b, sdw_error *err)
{
    const sdw_violation *v = &b->violations[0];
    return sdw_fail_field(err, SDW_INVALID, v->field, "%s: %s", v->unparsed ? "Failed to parse operation" : "Invalid input",
                          v->message);
}

static sdw_status read_object(reader *r, sdw_error *err)
{
    sdw_job_body *b = r->b;
    sdw_status s = find_operation(r, err);
    if (s != SDW_OK) return s;
    read_fields(r);
    if (b->violation_count) return told(b, err);
    g0_defaults(r);
    note_unknown(r);
    if (b->no_memory) return sdw_fail(err, SDW_NO_MEMORY, "no memory to read the request");
    s = fit_mask(b, err);
    if (s != SDW_OK) return s;
    attach(b->init, &b->init_picture, &b->request.params.init_image);
    attach(b->mask, &b->mask_picture, &b->request.params.mask);
    b->request.notes = b->notes;
    return SDW_OK;
}

sdw_status sdw_job_body_read(const char *text, size_t size, const sdw_body_context *context, sdw_job_body *ret,
                             sdw_error *err)
{
    *ret = (sdw_job_body){ .request = { .preview_every = -1, .face = context->shape == SDW_BODY_NATIVE ? "native" : "g0" } };
    sdw_params_init(&ret->request.params);
    sdw_arena_init(&ret->arena, ARENA_MAX);
    const sdw_json_limits limits = { .bytes_max = size ? size : 1, .top = SDW_JSON_ANY };
    sdw_error why = { 0 };
    sdw_status s = sdw_json_parse(text, size, "body", &limits, &ret->doc, &why);
    if (s == SDW_NO_MEMORY) return sdw_fail(err, s, "%s", why.text);
    if (s != SDW_OK) return sdw_fail(err, SDW_INVALID, "Failed to parse the request body as JSON: %s", why.text);
    reader r = { .context = context, .root = yyjson_doc_get_root(ret->doc), .b = ret };
    if (!yyjson_is_obj(r.root))
        return sdw_fail(err, SDW_INVALID, "Failed to parse operation: the body is a JSON %s, want an object",
                        yyjson_get_type_desc(r.root));
    return read_object(&r, err);
}

void sdw_job_body_finish(sdw_job_body *b)
{
    yyjson_doc_free(b->doc); /* accepts NULL */
    sdw_arena_finish(&b->arena);
    sdw_image_free(b->init);
    sdw_image_free(b->mask);
    *b = (sdw_job_body){ 0 };
}
