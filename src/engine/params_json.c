/* params_json.c - requests as JSON, made from the field table: a new field needs nothing here. */
#include "sdw/request.h"

#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/status.h"
#include "sdw/fields.h"

/* The texts beside the fields, in the order in which they are written. */
typedef struct extra {
    const char *key;
    size_t offset;
} extra;

#define EXTRA(member) { #member, offsetof(sdw_request_record, member) }
static const extra extras[] = {
    { "sdw", offsetof(sdw_request_record, version) },
    EXTRA(model), EXTRA(config_dir), EXTRA(variant), EXTRA(prediction), EXTRA(precision), EXTRA(family), EXTRA(backend),
    EXTRA(init_image_sha256), EXTRA(mask_sha256),
};
#define EXTRA_COUNT (sizeof extras / sizeof extras[0])

/* ---- writing ---- */

/* false without memory: a request that lacks a field must never be written. */
static bool add_field(yyjson_mut_doc *doc, yyjson_mut_val *root, const sdw_field *f, const sdw_params *p)
{
    const void *at = (const char *)p + f->offset;
    const char *text;
    double real;
    int whole;
    switch (f->type) {
    case SDW_FIELD_SEED: return yyjson_mut_obj_add_uint(doc, root, f->name, p->seed);
    case SDW_FIELD_INT: memcpy(&whole, at, sizeof whole); return yyjson_mut_obj_add_int(doc, root, f->name, whole);
    case SDW_FIELD_SWITCH: memcpy(&whole, at, sizeof whole); return yyjson_mut_obj_add_bool(doc, root, f->name, whole != 0);
    case SDW_FIELD_REAL: memcpy(&real, at, sizeof real); return yyjson_mut_obj_add_real(doc, root, f->name, real);
    case SDW_FIELD_TEXT:
    case SDW_FIELD_CHOICE: memcpy(&text, at, sizeof text); return yyjson_mut_obj_add_str(doc, root, f->name, text);
    case SDW_FIELD_PICTURE: break;
    }
    return true;
}

static bool fill(yyjson_mut_doc *doc, const sdw_request_record *r)
{
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    bool ok = yyjson_mut_obj_add_str(doc, root, "sdw", r->version ? r->version : SDW_VERSION);
    for (size_t i = 1; i < EXTRA_COUNT; i++) {
        const char *text;
        memcpy(&text, (const char *)r + extras[i].offset, sizeof text);
        if (text) ok = yyjson_mut_obj_add_str(doc, root, extras[i].key, text) && ok;
    }
    size_t count;
    const sdw_field *fields = sdw_fields(&count);
    for (size_t i = 0; i < count; i++)
        if (sdw_field_given(&fields[i], &r->params)) ok = add_field(doc, root, &fields[i], &r->params) && ok;
    return ok;
}

void sdw_text_free(char *text)
{
    sdw_free(text);
}

sdw_status sdw_request_write_json(const sdw_request_record *r, char **ret_text, sdw_error *err)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(&sdw_json_memory);
    if (!doc) return sdw_fail_memory(err, "request as JSON", 0);
    yyjson_write_err why = { .code = YYJSON_WRITE_ERROR_MEMORY_ALLOCATION };
    char *text = fill(doc, r) ? yyjson_mut_write_opts(doc, YYJSON_WRITE_NOFLAG, &sdw_json_memory, NULL, &why) : NULL;
    yyjson_mut_doc_free(doc);
    if (!text && why.code == YYJSON_WRITE_ERROR_MEMORY_ALLOCATION) return sdw_fail_memory(err, "request as JSON", 0);
    if (!text) return sdw_fail(err, SDW_INVALID, "request as JSON: %s", why.msg ? why.msg : "cannot be written");
    *ret_text = text;
    return SDW_OK;
}

/* ---- reading ---- */

static sdw_status wrong_type(const sdw_field *f, yyjson_val *v, const char *what, sdw_error *err)
{
    char want[200];
    sdw_field_describe(f, want, sizeof want);
    return sdw_fail_field(err, SDW_INVALID, f->name, "%s: %s: a JSON %s given, want %s", what, f->name,
                          yyjson_get_type_desc(v), want);
}

static sdw_status read_text(const sdw_field *f, yyjson_val *v, const char *what, sdw_params *p, sdw_error *err)
{
    if (!yyjson_is_str(v)) return wrong_type(f, v, what, err);
    const char *text = yyjson_get_str(v);
    if (strlen(text) != yyjson_get_len(v))
        return sdw_fail_field(err, SDW_INVALID, f->name, "%s: %s: the text holds a NUL character", what, f->name);
    return sdw_field_parse(f, text, p, err);
}

static sdw_status read_field(const sdw_field *f, yyjson_val *v, const char *what, sdw_params *p, sdw_error *err)
{
    if (yyjson_is_null(v)) return SDW_OK; /* as absent */
    switch (f->type) {
    case SDW_FIELD_SEED:
        if (!yyjson_is_uint(v)) return wrong_type(f, v, what, err);
        p->seed = yyjson_get_uint(v);
        p->has_seed = 1;
        return SDW_OK;
    case SDW_FIELD_INT:
    case SDW_FIELD_REAL:
        if (!yyjson_is_num(v)) return wrong_type(f, v, what, err);
        return sdw_field_set_number(f, yyjson_get_num(v), p, err);
    case SDW_FIELD_SWITCH:
        if (!yyjson_is_bool(v)) return wrong_type(f, v, what, err);
        return sdw_field_set_number(f, yyjson_get_bool(v), p, err);
    case SDW_FIELD_TEXT:
    case SDW_FIELD_CHOICE: return read_text(f, v, what, p, err);
    case SDW_FIELD_PICTURE: break;
    }
    return sdw_fail_field(err, SDW_INVALID, f->name, "%s: %s: a picture is named by its SHA-256", what, f->name);
}

static sdw_status read_extra(const extra *e, yyjson_val *v, const char *what, sdw_request_record *r, sdw_error *err)
{
    if (yyjson_is_null(v)) return SDW_OK;
    const char *text = yyjson_get_str(v);
    if (!text || strlen(text) != yyjson_get_len(v))
        return sdw_fail(err, SDW_FORMAT, "%s: %s: a JSON %s given, want a text", what, e->key,
                        yyjson_get_type_desc(v));
    bool hash = strstr(e->key, "_sha256") != NULL;
    if (hash && (strlen(text) != 64 || text[strspn(text, "0123456789abcdef")]))
        return sdw_fail(err, SDW_FORMAT, "%s: %s: want 64 lower-case hex digits", what, e->key);
    memcpy((char *)r + e->offset, &text, sizeof text);
    return SDW_OK;
}

static const extra *find_extra(const char *key)
{
    for (size_t i = 0; i < EXTRA_COUNT; i++)
        if (!strcmp(extras[i].key, key)) return &extras[i];
    return NULL;
}

/* Who hears of unknown keys. */
typedef struct listener {
    sdw_warn_fn *warn;
    void *ctx;
} listener;

static void tell_unknown(listener to, const char *what, const char *key)
{
    char text[200];
    snprintf(text, sizeof text, "%.100s: '%.60s' is not known here and was left out", what, key);
    if (to.warn) to.warn(to.ctx, text);
}

static sdw_status read_object(yyjson_val *root, const char *what, sdw_request_record *r, listener to, sdw_error *err)
{
    yyjson_obj_iter it;
    yyjson_obj_iter_init(root, &it);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&it));) {
        yyjson_val *value = yyjson_obj_iter_get_val(key);
        const char *name = yyjson_get_str(key);
        const sdw_field *f = sdw_field_find(name);
        const extra *e = find_extra(name);
        sdw_status s = SDW_OK;
        if (f) s = read_field(f, value, what, &r->params, err);
        else if (e) s = read_extra(e, value, what, r, err);
        else tell_unknown(to, what, name);
        if (s != SDW_OK) return s;
    }
    return SDW_OK;
}

sdw_status sdw_request_read_json(const char *text, size_t size, const char *what, sdw_request_record *ret,
                                 sdw_warn_fn *warn, void *warn_ctx, sdw_error *err)
{
    const sdw_json_limits limits = { .bytes_max = SDW_LIMIT_IMAGE_TEXT_BYTES, .depth_max = 4, .top = SDW_JSON_OBJECT };
    yyjson_doc *doc = NULL;
    sdw_status s = sdw_json_parse(text, size, what, &limits, &doc, err);
    if (s != SDW_OK) return s;
    sdw_request_record r = { .owner = doc };
    sdw_params_init(&r.params);
    s = read_object(yyjson_doc_get_root(doc), what, &r, (listener){ warn, warn_ctx }, err);
    if (s != SDW_OK) {
        yyjson_doc_free(doc);
        return s;
    }
    *ret = r;
    return SDW_OK;
}

void sdw_request_finish(sdw_request_record *r)
{
    yyjson_doc_free(r->owner); /* accepts NULL */
    *r = (sdw_request_record){ 0 };
}
