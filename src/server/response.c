/* response.c - building and freeing answers; the error bodies of every face. Any thread, one at a time per answer. */
#include <stdio.h>
#include <string.h>
#include <yyjson.h>

#include "core/mem.h"
#include "server/http.h"

sdw_status sdw_http_add_header(sdw_http_response *r, const char *name, const char *value, sdw_error *err)
{
    if (r->header_count == SDW_HTTP_HEADERS_MAX)
        return sdw_fail(err, SDW_INTERNAL, "answer: more than %d headers", SDW_HTTP_HEADERS_MAX);
    for (const char *s = value; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return sdw_fail(err, SDW_INTERNAL, "answer: header %s: control byte %u in its value", name, (unsigned char)*s);
    char *own_name = sdw_strdup(name), *own_value = sdw_strdup(value);
    if (!own_name || !own_value) {
        sdw_free(own_name);
        sdw_free(own_value);
        return sdw_fail_memory(err, "answer: header", strlen(name) + strlen(value));
    }
    r->headers[r->header_count][0] = own_name;
    r->headers[r->header_count++][1] = own_value;
    return SDW_OK;
}

void sdw_http_response_finish(sdw_http_response *ret)
{
    if (ret->stream.pull && ret->stream.close) ret->stream.close(ret->stream.ctx, true);
    if (ret->later.poll && ret->later.close) ret->later.close(ret->later.ctx, true);
    for (int i = 0; i < ret->header_count; i++) {
        sdw_free(ret->headers[i][0]);
        sdw_free(ret->headers[i][1]);
    }
    sdw_buf_finish(&ret->body);
    sdw_blob_unref(ret->blob);
    memset(ret, 0, sizeof *ret);
}

/* ---- errors ---- */

/* X(status, native code, OpenAI type, OpenAI code, llama.cpp type): what an error is called where the caller names it otherwise. */
#define ERROR_LIST(X)                                                                                        \
    X(400, "INVALID_REQUEST", "invalid_request_error", NULL, "invalid_request_error")                       \
    X(401, "INVALID_API_KEY", "authentication_error", "invalid_api_key", "authentication_error")            \
    X(403, "FORBIDDEN", "permission_error", NULL, "permission_error")                                       \
    X(404, "NOT_FOUND", "not_found_error", NULL, "not_found_error")                                         \
    X(409, "CONFLICT", "invalid_request_error", NULL, "invalid_request_error")                              \
    X(413, "PAYLOAD_TOO_LARGE", "invalid_request_error", NULL, "invalid_request_error")                     \
    X(415, "UNSUPPORTED_MEDIA_TYPE", "invalid_request_error", NULL, "invalid_request_error")                \
    X(421, "MISDIRECTED", "invalid_request_error", NULL, "invalid_request_error")                           \
    X(422, "IDEMPOTENCY_MISMATCH", "invalid_request_error", NULL, "invalid_request_error")                  \
    X(429, "QUEUE_FULL", "rate_limit_error", "queue_full", "rate_limit_error")                              \
    X(500, "INTERNAL", "server_error", NULL, "server_error")                                        \
    X(501, "NOT_SUPPORTED", "server_error", NULL, "not_supported_error")                                    \
    X(503, "OVERLOADED", "server_error", NULL, "unavailable_error")

struct error_words {
    int status;
    const char *code, *openai_type, *openai_code, *ops_type;
};

static const struct error_words error_table[] = {
#define ERROR_ROW(status, code, openai_type, openai_code, ops_type) { status, code, openai_type, openai_code, ops_type },
    ERROR_LIST(ERROR_ROW)
#undef ERROR_ROW
};

static const struct error_words *words_of(int status)
{
    static const struct error_words other = { 0, "INTERNAL", "server_error", NULL, "server_error" };
    for (size_t i = 0; i < sizeof error_table / sizeof error_table[0]; i++)
        if (error_table[i].status == status) return &error_table[i];
    return &other;
}

static const char *openai_code(const struct error_words *w, const char *code)
{
    if (!code) return w->openai_code;
    if (strcmp(code, "NOT_READY") == 0) return "model_loading";
    if (strcmp(code, "QUEUE_FULL") == 0) return "queue_full";
    return w->openai_code;
}

static void write_native(yyjson_mut_doc *doc, yyjson_mut_val *root, const char *code, const char *message)
{
    yyjson_mut_val *error = yyjson_mut_obj_add_obj(doc, root, "error");
    yyjson_mut_obj_add_str(doc, error, "code", code);
    yyjson_mut_obj_add_str(doc, error, "message", message);
}

static void write_openai(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct error_words *w, const char *code, const char *message)
{
    yyjson_mut_val *error = yyjson_mut_obj_add_obj(doc, root, "error");
    const char *word = openai_code(w, code);
    yyjson_mut_obj_add_str(doc, error, "message", message);
    yyjson_mut_obj_add_str(doc, error, "type", w->openai_type);
    yyjson_mut_obj_add_null(doc, error, "param");
    if (word) yyjson_mut_obj_add_str(doc, error, "code", word);
    else yyjson_mut_obj_add_null(doc, error, "code");
}

static void write_ops(yyjson_mut_doc *doc, yyjson_mut_val *root, const struct error_words *w, int status, const char *message)
{
    yyjson_mut_val *error = yyjson_mut_obj_add_obj(doc, root, "error");
    yyjson_mut_obj_add_int(doc, error, "code", status);
    yyjson_mut_obj_add_str(doc, error, "message", message);
    yyjson_mut_obj_add_str(doc, error, "type", w->ops_type);
}

void sdw_http_error(sdw_http_response *ret, sdw_face face, int status, const char *code, const char *message)
{
    sdw_http_response_finish(ret);
    ret->status = status;
    ret->content_type = "application/json";
    if (status == 429 || status == 503) (void)sdw_http_add_header(ret, "Retry-After", "5", NULL);
    if (status == 401 && face == SDW_FACE_SDAPI) (void)sdw_http_add_header(ret, "WWW-Authenticate", "Basic", NULL);
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = doc ? yyjson_mut_obj(doc) : NULL;
    if (!root) {
        yyjson_mut_doc_free(doc);
        return; /* the status alone has to do */
    }
    yyjson_mut_doc_set_root(doc, root);
    const struct error_words *w = words_of(status);
    switch (face) {
    case SDW_FACE_NATIVE: write_native(doc, root, code ? code : w->code, message); break;
    case SDW_FACE_OPENAI: write_openai(doc, root, w, code, message); break;
    case SDW_FACE_SDAPI: yyjson_mut_obj_add_str(doc, root, "detail", message); break;
    case SDW_FACE_OPS: write_ops(doc, root, w, status, message); break;
    }
    size_t size = 0;
    char *text = yyjson_mut_write(doc, YYJSON_WRITE_ALLOW_INVALID_UNICODE, &size);
    if (text) sdw_buf_append(&ret->body, text, size);
    sdw_free(text); /* yyjson's default allocator is the heap that sdw_free gives back to */
    yyjson_mut_doc_free(doc);
}

/* X(status of the library, HTTP status, code; NULL = that of the HTTP status) */
#define FAIL_LIST(X)                          \
    X(SDW_INVALID, 400, NULL)                 \
    X(SDW_NOT_FOUND, 404, NULL)               \
    X(SDW_FORMAT, 400, NULL)                  \
    X(SDW_UNSUPPORTED, 400, NULL)             \
    X(SDW_NO_MEMORY, 400, NULL)               \
    X(SDW_LIMIT, 400, NULL)                   \
    X(SDW_IO, 503, "STORAGE_FULL")            \
    X(SDW_CANCELLED, 503, "SHUTTING_DOWN")    \
    X(SDW_NUMERIC, 500, "NON_FINITE")         \
    X(SDW_BUSY, 429, NULL)                    \
    X(SDW_EXISTS, 422, NULL)                  \
    X(SDW_INTERNAL, 500, "INTERNAL")

void sdw_http_fail(sdw_http_response *ret, sdw_face face, const sdw_error *err)
{
    static const struct { sdw_status from; int status; const char *code; } table[] = {
#define FAIL_ROW(from, status, code) { from, status, code },
        FAIL_LIST(FAIL_ROW)
#undef FAIL_ROW
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].from != err->status) continue;
        sdw_http_error(ret, face, table[i].status, table[i].code, err->text);
        return;
    }
    sdw_http_error(ret, face, 500, "INTERNAL", err->text);
}
