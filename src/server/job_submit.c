/* job_submit.c - see job_submit.h. */
#include "server/job_submit.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "core/sha256.h"
#include "server/answer.h"
#include "server/job_violations.h"
#include "server/json_out.h"
#include "server/server.h"

#define KEY_CHARACTERS_MAX 255

/* ---- what the body is read against ---- */

static bool is_model(void *ctx, const char *name)
{
    return sdw_worker_model_status(ctx, name) != NULL;
}

static void fill_context(const sdw_http_request *r, const sdw_worker_state *state, sdw_body_context *c)
{
    const sdw_server_options *o = sdw_server_options_of(r->server);
    sdw_worker *w = sdw_server_worker(r->server);
    sdw_worker_model_info *model;
    c->model_id = state->model_id;
    c->job_timeout_s = o->job_timeout_s;
    c->image_pixels_max = o->image_pixels_max;
    if (o->model_switch) c->is_model = is_model, c->ctx = w;
    if (!sdw_worker_model(w, &model)) return;
    c->default_width = sdw_worker_model_info_of(model)->default_width;
    c->default_height = sdw_worker_model_info_of(model)->default_height;
    sdw_worker_model_info_free(model);
}

/* ---- Idempotency-Key ---- */

typedef struct idempotency {
    char scope[SDW_SHA256_HEX_SIZE]; /* credential and path, so that no key says anything about another client's */
} idempotency;

static bool unhex(const char *hex, uint8_t *to, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned byte;
        if (sscanf(hex + 2 * i, "%2x", &byte) != 1) return false;
        to[i] = (uint8_t)byte;
    }
    return true;
}

static bool key_is_fine(const char *key)
{
    size_t n = strlen(key);
    for (const char *c = key; *c; c++)
        if (*c < 0x21 || *c > 0x7E) return false;
    return n >= 1 && n <= KEY_CHARACTERS_MAX;
}

static sdw_status name_scope(const sdw_http_request *r, idempotency *i, sdw_error *err)
{
    sdw_buf text;
    sdw_buf_init(&text, 0);
    const char *headers[] = { "authorization", "api-key" };
    for (size_t k = 0; k < 2; k++) {
        const char *v = sdw_http_header(r, headers[k]);
        sdw_buf_printf(&text, "%s\n", v ? v : "");
    }
    sdw_buf_puts(&text, r->path);
    sdw_status s = text.failed ? sdw_fail(err, SDW_NO_MEMORY, "idempotency scope: out of memory")
                               : sdw_sha256_bytes(text.data, text.size, i->scope, err);
    sdw_buf_finish(&text);
    return s;
}

/* False: ret holds the answer. */
static bool read_key(const sdw_http_request *r, idempotency *i, sdw_job_request *job, sdw_http_response *ret)
{
    char hex[SDW_SHA256_HEX_SIZE];
    sdw_error err = { 0 };
    const char *key = sdw_http_header(r, "idempotency-key");
    if (!key) return true;
    if (!key_is_fine(key)) {
        sdw_answer_error(ret, 400, "INVALID_REQUEST", "Invalid input: Idempotency-Key must be 1 to 255 visible ASCII characters");
        return false;
    }
    sdw_status s = name_scope(r, i, &err);
    if (s == SDW_OK) s = sdw_sha256_bytes(r->body, r->body_size, hex, &err);
    if (s != SDW_OK || !unhex(hex, job->body_hash, sizeof job->body_hash)) {
        sdw_answer_error(ret, 500, "INTERNAL", err.text);
        return false;
    }
    job->idempotency_scope = i->scope;
    job->idempotency_key = key;
    return true;
}

/* ---- refusals ---- */

/* The native name of an engine field. */
static const char *native_name(const char *engine, sdw_native_field *store)
{
    for (size_t i = 0; sdw_native_field_at(i, store); i++)
        if (store->engine && !strcmp(store->engine->name, engine)) return store->row.name;
    return engine;
}

static const char *constraint_of(const sdw_error *err, const sdw_native_field *f, char store[64])
{
    if (err->status == SDW_NO_MEMORY) return "memory";
    if (!f->engine) return err->status == SDW_LIMIT ? "max_length" : "type";
    if (f->row.type == SDW_FIELD_PICTURE) return "image";
    if (f->row.type == SDW_FIELD_TEXT) {
        snprintf(store, 64, "max_length(%d)", f->characters_max);
        return store;
    }
    if (f->row.type == SDW_FIELD_CHOICE) return "one_of";
    snprintf(store, 64, "range(%g..=%g)", f->row.min, f->row.max);
    return store;
}

void sdw_submit_refused(const sdw_error *err, sdw_job_body *b, sdw_http_response *ret)
{
    char message[SDW_ERROR_TEXT_MAX + 32], constraint[64];
    sdw_native_field f = { 0 };
    bool memory = err->status == SDW_NO_MEMORY;
    const char *field = memory && !err->field[0] ? "width" : native_name(err->field, &f);
    snprintf(message, sizeof message, "Invalid input: %s", err->text);
    if (field[0]) sdw_violate(b, field, constraint_of(err, &f, constraint), NULL, "%s", err->text);
    sdw_job_body_write_error(b, "INVALID_REQUEST", message, sdw_answer_json(ret, 400));
    sdw_answer_check(ret);
}

static void refuse(const sdw_http_request *r, const sdw_error *err, sdw_job_body *b, sdw_http_response *ret)
{
    (void)r;
    bool keyed = b->request.idempotency_key != NULL;
    switch (err->status) {
    case SDW_BUSY: sdw_answer_later(ret, 429, "QUEUE_FULL", err->text); break;
    case SDW_CANCELLED: sdw_answer_later(ret, 503, "SHUTTING_DOWN", "The worker is shutting down"); break;
    case SDW_IO: sdw_answer_later(ret, 503, "STORAGE_FULL", err->text); break;
    case SDW_EXISTS: sdw_answer_error(ret, 422, "IDEMPOTENCY_MISMATCH", "This Idempotency-Key was used with another body"); break;
    case SDW_LIMIT:
        if (keyed && !err->field[0])
            sdw_answer_error(ret, 409, "CONFLICT", "The first request with this Idempotency-Key is still being accepted");
        else sdw_submit_refused(err, b, ret);
        break;
    case SDW_INTERNAL: sdw_answer_error(ret, 500, "INTERNAL", err->text); break;
    case SDW_NOT_FOUND: sdw_answer_error(ret, 503, "NOT_READY", err->text); break;
    default: sdw_submit_refused(err, b, ret); break;
    }
}

/* ---- the way in ---- */

static bool submit(const sdw_http_request *r, sdw_job_body *b, sdw_job_id *ret_id, bool *ret_replayed, sdw_http_response *ret)
{
    sdw_error err = { 0 };
    sdw_submit_answer answer = SDW_SUBMIT_ACCEPTED;
    idempotency key;
    if (!read_key(r, &key, &b->request, ret)) return false;
    sdw_status s = sdw_worker_submit(sdw_server_worker(r->server), &b->request, ret_id, &answer, &err);
    if (s != SDW_OK) {
        err.status = s;
        refuse(r, &err, b, ret);
        return false;
    }
    sdw_http_note_job(r, ret_id);
    *ret_replayed = answer == SDW_SUBMIT_REPLAYED;
    return true;
}

bool sdw_submit_body(const sdw_http_request *r, sdw_body_shape shape, sdw_job_id *ret_id, bool *ret_replayed,
                     sdw_http_response *ret)
{
    sdw_worker_state state;
    sdw_error err = { 0 };
    sdw_body_context context = { .shape = shape };
    sdw_worker_state_of(sdw_server_worker(r->server), &state);
    if (!sdw_is_json_type(r->content_type)) {
        sdw_answer_error(ret, 415, "UNSUPPORTED_MEDIA_TYPE", "Expected request with `Content-Type: application/json`");
        return false;
    }
    if (state.phase == SDW_WORKER_STOPPING) {
        sdw_answer_later(ret, 503, "SHUTTING_DOWN", "The worker is shutting down");
        return false;
    }
    fill_context(r, &state, &context);
    sdw_job_body *b = sdw_calloc(1, sizeof *b);
    if (!b) {
        sdw_answer_later(ret, 503, "OVERLOADED", "No memory to read the request");
        return false;
    }
    bool ok = false;
    sdw_status s = sdw_job_body_read(r->body, r->body_size, &context, b, &err);
    if (s == SDW_OK) {
        ok = submit(r, b, ret_id, ret_replayed, ret);
    } else if (s == SDW_NO_MEMORY) {
        sdw_answer_later(ret, 503, "OVERLOADED", err.text);
    } else {
        sdw_job_body_write_error(b, "INVALID_REQUEST", err.text, sdw_answer_json(ret, 400));
        sdw_answer_check(ret);
    }
    sdw_job_body_finish(b);
    sdw_free(b);
    return ok;
}
