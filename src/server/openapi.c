/* openapi.c - /openapi.json from the route tables: paths, methods, summaries, keys and error answers follow from the
 * rows; bodies and examples from apidocs/. There is no second list of routes. */
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "server/api_doc.h"
#include "server/router.h"

typedef struct writer {
    yyjson_mut_doc *doc;
    yyjson_mut_val *schemas;
    sdw_error *err;
    bool failed;
} writer;

static const char *tag_of(sdw_face face)
{
    static const char *const tags[] = { "native", "openai", "sdapi", "ops" };
    return tags[face];
}

/* The key is copied; `in` may be NULL after a failed allocation, and so may what comes back. */
static yyjson_mut_val *object(writer *w, yyjson_mut_val *in, const char *key)
{
    yyjson_mut_val *value = yyjson_mut_obj(w->doc);
    return yyjson_mut_obj_add(in, yyjson_mut_strcpy(w->doc, key), value) ? value : NULL;
}

static void text(writer *w, yyjson_mut_val *in, const char *key, const char *value)
{
    yyjson_mut_obj_add_strcpy(w->doc, in, key, value);
}

/* Adds a copy of JSON text; `what` names it in the error. */
static void json(writer *w, yyjson_mut_val *in, const char *key, const char *source, const char *what)
{
    yyjson_doc *read = yyjson_read(source, strlen(source), 0);
    if (read) {
        yyjson_mut_obj_add(in, yyjson_mut_strcpy(w->doc, key), yyjson_val_mut_copy(w->doc, yyjson_doc_get_root(read)));
    } else if (!w->failed) {
        w->failed = true;
        sdw_fail(w->err, SDW_INTERNAL, "openapi: %s of %s is no JSON", key, what);
    }
    yyjson_doc_free(read);
}

static void reference(writer *w, yyjson_mut_val *in, const char *kind, const char *name)
{
    char where[160];
    snprintf(where, sizeof where, "#/components/%s/%s", kind, name);
    text(w, in, "$ref", where);
}

/* ---- arguments ---- */

static yyjson_mut_val *argument(writer *w, yyjson_mut_val *list, const char *name, const char *in, const char *type, const char *help)
{
    yyjson_mut_val *a = yyjson_mut_arr_add_obj(w->doc, list);
    text(w, a, "name", name);
    text(w, a, "in", in);
    if (help) text(w, a, "description", help);
    text(w, object(w, a, "schema"), "type", type);
    return a;
}

/* "/v1/jobs/{id}" stays, a star at the end becomes "{path}"; the names in braces become arguments. */
static void path_arguments(writer *w, const char *pattern, char *path, size_t size, yyjson_mut_val *list)
{
    char name[64];
    size_t used = strlen(pattern);
    snprintf(path, size, used && pattern[used - 1] == '*' ? "%.*s{path}" : "%.*s", (int)(pattern[used - 1] == '*' ? used - 1 : used), pattern);
    for (const char *s = path; (s = strchr(s, '{')) != NULL; s++) {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(s + 1, "}"), s + 1);
        yyjson_mut_obj_add_bool(w->doc, argument(w, list, name, "path", "string", NULL), "required", true);
    }
}

static void other_arguments(writer *w, const sdw_route *r, const sdw_api_doc *d, yyjson_mut_val *list)
{
    for (int i = 0; d && i < SDW_API_ARGUMENTS_MAX && d->argument[i].name; i++) {
        const sdw_api_argument *a = &d->argument[i];
        argument(w, list, a->name, a->header ? "header" : "query", a->type, a->help);
    }
    if (r->flags & SDW_ROUTE_TOKEN_QUERY) argument(w, list, "token", "query", "string", "The key, for clients that cannot set headers.");
}

/* ---- bodies and answers ---- */

static void content(writer *w, yyjson_mut_val *in, const char *type, const char *schema, const char *example, const char *what)
{
    yyjson_mut_val *media = object(w, object(w, in, "content"), type);
    bool is_json = strcmp(type, "application/json") == 0;
    yyjson_mut_val *s = object(w, media, "schema");
    if (schema) reference(w, s, "schemas", schema);
    else text(w, s, "type", is_json ? "object" : "string");
    if (!example) return;
    if (is_json) json(w, media, "example", example, what);
    else text(w, media, "example", example);
}

static void request_body(writer *w, yyjson_mut_val *operation, const sdw_api_doc *d)
{
    if (!d || !d->schema) return;
    yyjson_mut_val *body = object(w, operation, "requestBody");
    yyjson_mut_obj_add_bool(w->doc, body, "required", true);
    content(w, body, d->type ? d->type : "application/json", d->schema, d->example, d->id);
    if (!d->type2) return;
    yyjson_mut_val *second = object(w, yyjson_mut_obj_get(body, "content"), d->type2);
    reference(w, object(w, second, "schema"), "schemas", d->schema);
}

static void success(writer *w, yyjson_mut_val *responses, const sdw_route *r, const sdw_api_doc *d)
{
    char status[8];
    snprintf(status, sizeof status, "%d", d && d->status ? d->status : 200);
    yyjson_mut_val *answer = object(w, responses, status);
    text(w, answer, "description", r->summary);
    const char *type = d && d->answer_type ? d->answer_type : "application/json";
    if (*type) content(w, answer, type, d ? d->answer_schema : NULL, d ? d->answer_example : NULL, r->id);
    if (d && d->event_schema) {
        /* OpenAPI 3.1 has no word for the items of a stream. */
        yyjson_mut_val *schema = yyjson_mut_obj_get(yyjson_mut_obj_get(yyjson_mut_obj_get(answer, "content"), type), "schema");
        char where[160];
        snprintf(where, sizeof where, "#/components/schemas/%s", d->event_schema);
        text(w, schema, "description", "Server-sent events; the data of each is JSON of the schema that x-event-data names, but for the end marker.");
        text(w, schema, "x-event-data", where);
    }
}

static void error_answer(writer *w, yyjson_mut_val *responses, int status, sdw_face face)
{
    char key[8], name[32];
    snprintf(key, sizeof key, "%d", status);
    snprintf(name, sizeof name, "%s_%d", tag_of(face), status);
    reference(w, object(w, responses, key), "responses", name);
}

/* X(status, what): the refusals that routes may give, for the components and in ascending order. */
#define REFUSALS(X)                                            \
    X(400, "The request or one of its values is not allowed.") \
    X(401, "The key is missing or wrong.")                     \
    X(403, "A page of another origin may not do this.")        \
    X(404, "There is no such thing.")                          \
    X(413, "The body is too large.")                           \
    X(415, "The body is of another type.")                     \
    X(421, "The Host header names another service.")           \
    X(429, "The queue is full; try again later.")              \
    X(503, "Not now: loading, stopping or overloaded.")

static bool may_answer(const sdw_route *r, const sdw_api_doc *d, int status)
{
    bool changes = strcmp(r->method, "GET") != 0, has_body = d && d->schema;
    switch (status) {
    case 400: return has_body || strchr(r->path, '{') || (d && d->argument[0].name);
    case 401: return !(r->flags & SDW_ROUTE_OPEN);
    case 403: return changes;
    case 404: return strchr(r->path, '{') || strchr(r->path, '*');
    case 413: return has_body;
    case 415: return has_body && r->face == SDW_FACE_NATIVE;
    case 429: return d && d->queues;
    default: return true;
    }
}

static void errors(writer *w, yyjson_mut_val *responses, const sdw_route *r, const sdw_api_doc *d)
{
#define REFUSAL(status, what) if (may_answer(r, d, status)) error_answer(w, responses, status, r->face);
    REFUSALS(REFUSAL)
#undef REFUSAL
}

/* ---- paths ---- */

static void security(writer *w, yyjson_mut_val *operation, const sdw_route *r)
{
    static const char *const ways[] = { "bearer", "api_key", "basic" };
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(w->doc, operation, "security");
    int count = r->face == SDW_FACE_SDAPI ? 3 : 2;
    yyjson_mut_arr_add_obj(w->doc, list); /* a worker without a key asks for none */
    for (int i = 0; i < count && !(r->flags & SDW_ROUTE_OPEN); i++)
        yyjson_mut_obj_add_arr(w->doc, yyjson_mut_arr_add_obj(w->doc, list), ways[i]);
}

static void operation(writer *w, yyjson_mut_val *paths, const sdw_route *r)
{
    char path[160], method[16];
    const sdw_api_doc *d = sdw_api_doc_of(r->id);
    yyjson_mut_val *arguments = yyjson_mut_arr(w->doc);
    path_arguments(w, r->path, path, sizeof path, arguments);
    other_arguments(w, r, d, arguments);
    yyjson_mut_val *item = yyjson_mut_obj_get(paths, path);
    if (!item) item = object(w, paths, path);
    for (size_t i = 0; i <= strlen(r->method) && i < sizeof method; i++) method[i] = r->method[i] ? (char)(r->method[i] | 0x20) : '\0';
    yyjson_mut_val *o = object(w, item, method);
    text(w, o, "operationId", r->id);
    text(w, o, "summary", r->summary);
    yyjson_mut_arr_add_str(w->doc, yyjson_mut_obj_add_arr(w->doc, o, "tags"), tag_of(r->face));
    security(w, o, r);
    if (yyjson_mut_arr_size(arguments)) yyjson_mut_obj_add_val(w->doc, o, "parameters", arguments);
    request_body(w, o, d);
    yyjson_mut_val *responses = object(w, o, "responses");
    success(w, responses, r, d);
    errors(w, responses, r, d);
}

/* ---- components ---- */

/* Which of these a document uses: a component that nobody refers to is left out. */
static bool used(const sdw_routes *const *tables, sdw_face face, int status)
{
    const sdw_route *r;
    for (int i = 0; (r = sdw_route_at(tables, i)) != NULL; i++)
        if (r->face == face && may_answer(r, sdw_api_doc_of(r->id), status)) return true;
    return false;
}

/* NULL if no table has it. */
static const sdw_api_schema *schema_of(const char *name)
{
    for (const sdw_api_docs *const *t = sdw_api_doc_tables; *t; t++)
        for (int i = 0; i < (*t)->schema_count; i++)
            if (!strcmp((*t)->schemas[i].name, name)) return &(*t)->schemas[i];
    return NULL;
}

/* The example is what the server would send. */
static void refusal(writer *w, yyjson_mut_val *responses, sdw_face face, int status, const char *what)
{
    char name[32];
    sdw_http_response sent = { 0 };
    snprintf(name, sizeof name, "%s_%d", tag_of(face), status);
    yyjson_mut_val *r = object(w, responses, name);
    text(w, r, "description", what);
    sdw_http_error(&sent, face, status, NULL, what);
    const char *schema = face == SDW_FACE_NATIVE && schema_of("Refusal") ? "Refusal" : NULL;
    if (sent.body.data) content(w, r, "application/json", schema, sent.body.data, name);
    else w->failed = true;
    sdw_http_response_finish(&sent);
}

static bool same(const char *a, const char *b)
{
    return a && strcmp(a, b) == 0;
}

static bool schema_refers(const sdw_api_schema *s, const char *name)
{
    char where[160];
    snprintf(where, sizeof where, "\"#/components/schemas/%s\"", name);
    return sdw_api_shape_refers(s->shape, name) || (s->json && strstr(s->json, where));
}

/* Whether a route's row, a refusal or another schema in use names it. No schema holds itself. */
static bool schema_used(const sdw_routes *const *tables, const char *name)
{
    const sdw_route *r;
    for (int i = 0; (r = sdw_route_at(tables, i)) != NULL; i++) {
        const sdw_api_doc *d = sdw_api_doc_of(r->id);
        if (d && (same(d->schema, name) || same(d->answer_schema, name) || same(d->event_schema, name))) return true;
        if (r->face == SDW_FACE_NATIVE && same("Refusal", name)) return true;
    }
    for (const sdw_api_docs *const *t = sdw_api_doc_tables; *t; t++)
        for (int i = 0; i < (*t)->schema_count; i++)
            if (schema_refers(&(*t)->schemas[i], name) && schema_used(tables, (*t)->schemas[i].name)) return true;
    return false;
}

static void schemas(writer *w, yyjson_mut_val *into, const sdw_routes *const *tables)
{
    for (const sdw_api_docs *const *t = sdw_api_doc_tables; *t; t++) {
        for (int i = 0; i < (*t)->schema_count; i++) {
            const sdw_api_schema *s = &(*t)->schemas[i];
            if (!schema_used(tables, s->name)) continue;
            if (s->json) json(w, into, s->name, s->json, s->name);
            else if (!yyjson_mut_obj_add_val(w->doc, into, s->name, s->shape ? sdw_api_shape_write(w->doc, s->shape) : s->write(w->doc))) w->failed = true;
        }
    }
}

static void components(writer *w, yyjson_mut_val *root, const sdw_routes *const *tables)
{
    yyjson_mut_val *c = object(w, root, "components");
    schemas(w, object(w, c, "schemas"), tables);
    yyjson_mut_val *responses = object(w, c, "responses");
    for (int face = SDW_FACE_NATIVE; face <= SDW_FACE_OPS; face++) {
#define REFUSAL(status, what) if (used(tables, (sdw_face)face, status)) refusal(w, responses, (sdw_face)face, status, what);
        REFUSALS(REFUSAL)
#undef REFUSAL
    }
    yyjson_mut_val *ways = object(w, c, "securitySchemes");
    json(w, ways, "bearer", "{\"type\":\"http\",\"scheme\":\"bearer\"}", "components");
    json(w, ways, "api_key", "{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"api-key\"}", "components");
    if (used(tables, SDW_FACE_SDAPI, 401))
        json(w, ways, "basic", "{\"type\":\"http\",\"scheme\":\"basic\",\"description\":\"Any user name, the key as password.\"}", "components");
}

static void head(writer *w, yyjson_mut_val *root)
{
    text(w, root, "openapi", "3.1.0");
    json(w, root, "info",
         "{\"title\":\"sd-worker\",\"version\":\"" SDW_VERSION "\","
         "\"description\":\"Pictures from prompts: jobs with streamed progress, and the faces that clients of OpenAI Images and "
         "AUTOMATIC1111 know. Errors of each face have the shape that its clients read.\","
         "\"license\":{\"name\":\"Apache-2.0\",\"identifier\":\"Apache-2.0\"}}", "the head");
    json(w, root, "servers", "[{\"url\":\"/\",\"description\":\"this worker\"}]", "the head");
    json(w, root, "tags",
         "[{\"name\":\"native\",\"description\":\"Jobs, their events and results.\"},"
         "{\"name\":\"openai\",\"description\":\"The Images API of OpenAI.\"},"
         "{\"name\":\"sdapi\",\"description\":\"The API of AUTOMATIC1111's web UI.\"},"
         "{\"name\":\"ops\",\"description\":\"Probes and numbers for those who run the worker.\"}]", "the head");
}

sdw_status sdw_openapi_write(const sdw_routes *const *tables, sdw_buf *out, sdw_error *err)
{
    writer w = { .doc = yyjson_mut_doc_new(NULL), .err = err };
    yyjson_mut_val *root = w.doc ? yyjson_mut_obj(w.doc) : NULL;
    size_t size = 0;
    char *written = NULL;
    if (root) {
        yyjson_mut_doc_set_root(w.doc, root);
        head(&w, root);
        yyjson_mut_val *paths = object(&w, root, "paths");
        const sdw_route *r;
        for (int i = 0; (r = sdw_route_at(tables, i)) != NULL; i++) operation(&w, paths, r);
        components(&w, root, tables);
        if (!w.failed) written = yyjson_mut_write(w.doc, 0, &size);
    }
    yyjson_mut_doc_free(w.doc);
    sdw_status status = SDW_OK;
    if (w.failed) status = err && err->status != SDW_OK ? err->status : SDW_INTERNAL;
    else if (!written || !sdw_buf_append(out, written, size)) status = sdw_fail_memory(err, "openapi", size);
    sdw_free(written); /* yyjson's default allocator is the heap that sdw_free gives back to */
    return status;
}
