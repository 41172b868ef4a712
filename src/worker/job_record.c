/* job_record.c - a job's journal texts. Written with every member that is set; read with every member optional but the
 * id, so that older and newer programs understand each other. */
#include "worker/job_record.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/hex.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"
#include "sdw/request.h"
#include "worker/names.h"

/* ---- writing ---- */

/* An object being written; a member that found no memory sticks, since a record that lacks one must not be written. */
typedef struct writer { yyjson_mut_doc *doc; yyjson_mut_val *object; bool failed; } writer;

static writer begin_object(void)
{
    writer w = { .doc = yyjson_mut_doc_new(&sdw_json_memory) };
    if (w.doc) w.object = yyjson_mut_obj(w.doc);
    w.failed = !w.object;
    if (w.object) yyjson_mut_doc_set_root(w.doc, w.object);
    return w;
}

static void add(writer *w, const char *key, yyjson_mut_val *value)
{
    if (w->failed || !value || !yyjson_mut_obj_add(w->object, yyjson_mut_str(w->doc, key), value)) w->failed = true;
}

/* NULL and "" are left out. */
static void add_text(writer *w, const char *key, const char *text)
{
    if (text && *text) add(w, key, yyjson_mut_str(w->doc, text));
}

static void add_copy(writer *w, const char *key, const char *text)
{
    add(w, key, yyjson_mut_strcpy(w->doc, text));
}

static void add_int(writer *w, const char *key, int64_t n)
{
    add(w, key, yyjson_mut_sint(w->doc, n));
}

static void add_uint(writer *w, const char *key, uint64_t n)
{
    add(w, key, yyjson_mut_uint(w->doc, n));
}

static void add_real(writer *w, const char *key, double x)
{
    add(w, key, yyjson_mut_real(w->doc, x));
}

static writer add_object(writer *w, const char *key)
{
    writer inner = { .doc = w->doc, .object = w->failed ? NULL : yyjson_mut_obj(w->doc) };
    add(w, key, inner.object);
    inner.failed = w->failed;
    return inner;
}

/* Frees the document. */
static sdw_status end_object(writer *w, const char *what, sdw_buf *out, sdw_error *err)
{
    yyjson_write_err why = { .code = YYJSON_WRITE_ERROR_MEMORY_ALLOCATION };
    size_t size = 0;
    char *text = w->failed ? NULL : yyjson_mut_write_opts(w->doc, YYJSON_WRITE_NOFLAG, &sdw_json_memory, &size, &why);
    yyjson_mut_doc_free(w->doc); /* accepts NULL */
    if (!text && why.code == YYJSON_WRITE_ERROR_MEMORY_ALLOCATION) return sdw_fail_memory(err, what, 0);
    if (!text) return sdw_fail(err, SDW_INVALID, "%s: cannot be written as JSON: %s, want UTF-8 and finite numbers", what, why.msg);
    bool fits = !out->max || size <= out->max - out->size, ok = sdw_buf_append(out, text, size);
    sdw_free(text);
    if (ok) return SDW_OK;
    return fits ? sdw_fail_memory(err, what, size) : sdw_fail(err, SDW_LIMIT, "%s: %zu bytes, want at most %zu", what, size, out->max);
}

static void add_idempotency(writer *w, const sdw_job_record *r)
{
    char key[65], body[65];
    if (!r->is_idempotent) return;
    sdw_hex_from_bytes(r->idempotency_key, sizeof r->idempotency_key, key);
    sdw_hex_from_bytes(r->body_hash, sizeof r->body_hash, body);
    writer o = add_object(w, "idempotency");
    add_copy(&o, "key", key);
    add_copy(&o, "body", body);
    w->failed = w->failed || o.failed;
}

static void add_record(writer *w, const sdw_job_record *r, const char *request)
{
    add_text(w, "id", r->id.text);
    add_text(w, "kind", sdw_kind_word(r->kind));
    add_real(w, "created_at", r->created_at);
    add(w, "request", yyjson_mut_raw(w->doc, request));
    add_text(w, "init_image", r->init_image);
    add_text(w, "mask", r->mask);
    add_text(w, "model", r->model);
    add_text(w, "model_hash", r->model_hash);
    add_text(w, "format", r->format);
    add_int(w, "quality", r->quality);
    add_int(w, "preview_every", r->preview_every);
    add_text(w, "preview", sdw_preview_word(r->preview));
    add_real(w, "timeout_s", r->timeout_s);
    add_text(w, "face", r->face);
    add_text(w, "tag", r->tag);
    add_text(w, "echo", r->echo);
    add_idempotency(w, r);
}

sdw_status sdw_job_record_write(const sdw_job_record *r, sdw_buf *out, sdw_error *err)
{
    const sdw_request_record request = { .params = r->params };
    char *text = NULL;
    sdw_status s = sdw_request_write_json(&request, &text, err);
    if (s != SDW_OK) return s;
    writer w = begin_object();
    if (!w.failed) add_record(&w, r, text);
    s = end_object(&w, "record of a job", out, err);
    sdw_text_free(text);
    return s;
}

static void add_output(writer *w, yyjson_mut_val *list, const sdw_stored_output *s)
{
    writer o = { .doc = w->doc, .object = yyjson_mut_obj(w->doc) };
    o.failed = !o.object || !yyjson_mut_arr_append(list, o.object);
    add_text(&o, "id", s->output.id.text);
    add_uint(&o, "seed", s->output.seed);
    add_int(&o, "width", s->output.width);
    add_int(&o, "height", s->output.height);
    add_uint(&o, "bytes", s->output.bytes);
    add_text(&o, "sha256", s->sha256);
    if (s->deleted) add(&o, "deleted", yyjson_mut_bool(w->doc, true));
    w->failed = w->failed || o.failed;
}

static void add_outputs(writer *w, const sdw_job_end *e)
{
    if (e->output_count <= 0 || w->failed) return;
    yyjson_mut_val *list = yyjson_mut_arr(w->doc);
    add(w, "outputs", list);
    for (int i = 0; i < e->output_count && !w->failed; i++) add_output(w, list, &e->outputs[i]);
}

sdw_status sdw_job_end_write(const sdw_job_id *id, const sdw_job_end *e, sdw_buf *out, sdw_error *err)
{
    writer w = begin_object();
    if (!w.failed) {
        add_text(&w, "id", id->text);
        add_text(&w, "status", sdw_job_status_name(e->status));
        add_real(&w, "started_at", e->started_at);
        add_real(&w, "finished_at", e->finished_at);
        if (e->status == SDW_JOB_FAILED) {
            writer o = add_object(&w, "error");
            add_text(&o, "code", e->error.code);
            add_text(&o, "message", e->error.message);
            w.failed = w.failed || o.failed;
        }
        add_outputs(&w, e);
        add_text(&w, "resolved", e->resolved);
        add_uint(&w, "last_event", e->last_event);
        add_int(&w, "step", e->step);
        add_int(&w, "total", e->total);
    }
    return end_object(&w, "record of a job's end", out, err);
}

/* ---- reading ---- */

/* Members are read one after the other; the first wrong one sticks. */
typedef struct reader { yyjson_val *object; sdw_status status; sdw_error *err; } reader;

static void wrong(reader *r, const char *key, const char *want)
{
    if (r->status == SDW_OK) r->status = sdw_fail(r->err, SDW_FORMAT, "record of a job: \"%s\" is not %s", key, want);
}

static yyjson_val *member(const reader *r, const char *key)
{
    yyjson_val *v = yyjson_obj_get(r->object, key);
    return yyjson_is_null(v) ? NULL : v;
}

static const char *text_of(reader *r, const char *key)
{
    yyjson_val *v = member(r, key);
    if (!v) return NULL;
    const char *text = yyjson_get_str(v);
    if (!text || strlen(text) != yyjson_get_len(v)) {
        wrong(r, key, "a text");
        return NULL;
    }
    return text;
}

/* Copies a text of exactly size - 1 hexadecimal digits; "" if absent. */
static void hex_text(reader *r, const char *key, char *to, size_t size)
{
    const char *text = text_of(r, key);
    if (text && !sdw_is_hex(text, size - 1)) wrong(r, key, "a hash");
    else if (text) memcpy(to, text, size);
}

static void hash_of(reader *r, const char *key, uint8_t to[32])
{
    if (!sdw_hex_to_bytes(text_of(r, key), to, 32)) wrong(r, key, "a hash");
}

static double real_of(reader *r, const char *key)
{
    yyjson_val *v = member(r, key);
    if (v && !yyjson_is_num(v)) wrong(r, key, "a number");
    return v && yyjson_is_num(v) ? yyjson_get_num(v) : 0;
}

static int int_of(reader *r, const char *key, int least, int most)
{
    yyjson_val *v = member(r, key);
    if (!v) return 0;
    int64_t n = yyjson_get_sint(v);
    if (!yyjson_is_int(v) || (yyjson_is_uint(v) && yyjson_get_uint(v) > INT_MAX) || n < least || n > most) {
        wrong(r, key, "a whole number within its range");
        return 0;
    }
    return (int)n;
}

static uint64_t uint_of(reader *r, const char *key)
{
    yyjson_val *v = member(r, key);
    if (v && !yyjson_is_uint(v)) wrong(r, key, "a whole number");
    return v && yyjson_is_uint(v) ? yyjson_get_uint(v) : 0;
}

static void job_id_of(reader *r, sdw_job_id *ret)
{
    const char *text = text_of(r, "id");
    if (!text || !sdw_is_job_id(text)) wrong(r, "id", "a job's id");
    else memcpy(ret->text, text, sizeof ret->text);
}

/* What the texts of a record live in. */
typedef struct owner { yyjson_doc *doc; sdw_request_record request; } owner;

static void free_owner(owner *o)
{
    if (!o) return;
    sdw_request_finish(&o->request);
    yyjson_doc_free(o->doc);
    sdw_free(o);
}

static sdw_status read_request(reader *r, owner *o, sdw_error *err)
{
    yyjson_val *v = member(r, "request");
    size_t size = 0;
    yyjson_write_err why = { 0 };
    if (!yyjson_is_obj(v)) return sdw_fail(err, SDW_FORMAT, "record of a job: \"request\" is not an object");
    char *text = yyjson_val_write_opts(v, YYJSON_WRITE_NOFLAG, &sdw_json_memory, &size, &why);
    if (!text) return sdw_fail_memory(err, "request of a job", 0);
    sdw_status s = sdw_request_read_json(text, size, "request of a job", &o->request, NULL, NULL, err);
    sdw_free(text);
    return s;
}

static void read_members(reader *r, sdw_job_record *ret)
{
    job_id_of(r, &ret->id);
    if (!sdw_kind_of_word(text_of(r, "kind"), &ret->kind)) wrong(r, "kind", "generation, transform or inpaint");
    ret->created_at = real_of(r, "created_at");
    hex_text(r, "init_image", ret->init_image, sizeof ret->init_image);
    hex_text(r, "mask", ret->mask, sizeof ret->mask);
    ret->model = text_of(r, "model");
    ret->model_hash = text_of(r, "model_hash");
    ret->format = text_of(r, "format");
    ret->quality = int_of(r, "quality", 0, 100);
    ret->preview_every = int_of(r, "preview_every", -1, INT_MAX);
    const char *preview = text_of(r, "preview");
    if (preview && !sdw_preview_of_word(preview, &ret->preview)) wrong(r, "preview", "latent, vae or none");
    ret->timeout_s = real_of(r, "timeout_s");
    ret->face = text_of(r, "face");
    ret->tag = text_of(r, "tag");
    ret->echo = text_of(r, "echo");
    reader keys = { member(r, "idempotency"), SDW_OK, r->err };
    if (!yyjson_is_obj(keys.object)) return;
    hash_of(&keys, "key", ret->idempotency_key);
    hash_of(&keys, "body", ret->body_hash);
    ret->is_idempotent = keys.status == SDW_OK;
    if (r->status == SDW_OK) r->status = keys.status;
}

static sdw_status parse(const char *json, size_t size, yyjson_doc **ret, sdw_error *err)
{
    const sdw_json_limits limits = { .bytes_max = SDW_LIMIT_JOURNAL_RECORD, .depth_max = 8, .top = SDW_JSON_OBJECT };
    return sdw_json_parse(json, size, "record of a job", &limits, ret, err);
}

sdw_status sdw_job_record_read(const char *json, size_t size, sdw_job_record *ret, sdw_error *err)
{
    owner *o = sdw_calloc(1, sizeof *o);
    if (!o) return sdw_fail_memory(err, "record of a job", sizeof *o);
    sdw_job_record record = { .owner = o };
    sdw_status s = parse(json, size, &o->doc, err);
    reader r = { s == SDW_OK ? yyjson_doc_get_root(o->doc) : NULL, s, err };
    if (s == SDW_OK) read_members(&r, &record);
    s = r.status;
    if (s == SDW_OK) s = read_request(&r, o, err);
    if (s != SDW_OK) {
        free_owner(o);
        return s;
    }
    record.params = o->request.params;
    *ret = record;
    return SDW_OK;
}

void sdw_job_record_finish(sdw_job_record *r)
{
    free_owner(r->owner);
    *r = (sdw_job_record){ 0 };
}

static void read_output(reader *r, sdw_stored_output *ret)
{
    hex_text(r, "id", ret->output.id.text, sizeof ret->output.id.text);
    hex_text(r, "sha256", ret->sha256, sizeof ret->sha256);
    ret->output.seed = uint_of(r, "seed");
    ret->output.width = int_of(r, "width", 0, INT_MAX);
    ret->output.height = int_of(r, "height", 0, INT_MAX);
    ret->output.bytes = (size_t)uint_of(r, "bytes");
    ret->deleted = yyjson_is_true(member(r, "deleted"));
    if (!ret->output.id.text[0]) wrong(r, "id", "an output's id");
}

static void read_outputs(reader *r, sdw_job_end *ret)
{
    yyjson_val *list = member(r, "outputs"), *v;
    if (!list) return;
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) > SDW_JOB_PICTURES_MAX) {
        wrong(r, "outputs", "a list of at most 32");
        return;
    }
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((v = yyjson_arr_iter_next(&it))) {
        reader one = { v, r->status, r->err };
        read_output(&one, &ret->outputs[ret->output_count++]);
        r->status = one.status;
    }
}

static void copy_cut(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text ? text : "");
}

sdw_status sdw_job_end_read(const char *json, size_t size, sdw_job_end *ret, void **ret_owner, sdw_error *err)
{
    yyjson_doc *doc = NULL;
    sdw_status s = parse(json, size, &doc, err);
    if (s != SDW_OK) return s;
    sdw_job_end e = { 0 };
    reader r = { yyjson_doc_get_root(doc), SDW_OK, err };
    if (!sdw_status_of_word(text_of(&r, "status"), &e.status) || e.status < SDW_JOB_COMPLETED)
        wrong(&r, "status", "completed, failed or cancelled");
    e.started_at = real_of(&r, "started_at");
    e.finished_at = real_of(&r, "finished_at");
    reader error = { member(&r, "error"), SDW_OK, err };
    copy_cut(e.error.code, sizeof e.error.code, text_of(&error, "code"));
    copy_cut(e.error.message, sizeof e.error.message, text_of(&error, "message"));
    if (r.status == SDW_OK) r.status = error.status;
    read_outputs(&r, &e);
    e.resolved = text_of(&r, "resolved");
    e.last_event = uint_of(&r, "last_event");
    e.step = int_of(&r, "step", 0, INT_MAX);
    e.total = int_of(&r, "total", 0, INT_MAX);
    if (r.status != SDW_OK) {
        yyjson_doc_free(doc);
        return r.status;
    }
    *ret = e;
    *ret_owner = doc;
    return SDW_OK;
}

void sdw_job_end_free(void *owned)
{
    yyjson_doc_free(owned); /* accepts NULL */
}
