/* The API's own description: complete, and without loose ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "server/api_doc.h"
#include "server/router.h"
#include "server/table.h"

static yyjson_doc *write(const sdw_routes *const *tables)
{
    sdw_buf out = { 0 };
    sdw_error err = { 0 };
    if (sdw_openapi_write(tables, &out, &err) != SDW_OK) fail_msg("%s", err.text);
    yyjson_doc *doc = yyjson_read(out.data, out.size, 0);
    assert_non_null(doc);
    sdw_buf_finish(&out);
    return doc;
}

static yyjson_val *operation_of(yyjson_doc *doc, const sdw_route *r)
{
    char path[200], method[16] = "";
    size_t n = strlen(r->path);
    snprintf(path, sizeof path, "%s", r->path);
    if (path[n - 1] == '*') snprintf(path + n - 1, sizeof path - n + 1, "{path}");
    for (size_t i = 0; r->method[i]; i++) method[i] = (char)(r->method[i] | 0x20);
    return yyjson_obj_get(yyjson_obj_get(yyjson_obj_get(yyjson_doc_get_root(doc), "paths"), path), method);
}

static void every_route_is_described(void **state)
{
    (void)state;
    yyjson_doc *doc = write(sdw_server_routes);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "openapi")), "3.1.0");
    const sdw_route *r;
    int count = 0;
    for (; (r = sdw_route_at(sdw_server_routes, count)) != NULL; count++) {
        yyjson_val *o = operation_of(doc, r);
        if (!o) fail_msg("%s %s is missing", r->method, r->path);
        assert_string_equal(yyjson_get_str(yyjson_obj_get(o, "operationId")), r->id);
        assert_true(strlen(yyjson_get_str(yyjson_obj_get(o, "summary"))) > 5);
        assert_int_equal(yyjson_arr_size(yyjson_obj_get(o, "tags")), 1);
        yyjson_val *responses = yyjson_obj_get(o, "responses");
        assert_non_null(yyjson_obj_get(responses, "421"));
        assert_non_null(yyjson_obj_get(responses, "503"));
        assert_true((yyjson_obj_get(responses, "401") == NULL) == ((r->flags & SDW_ROUTE_OPEN) != 0));
        size_t braces = 0;
        for (const char *s = r->path; *s; s++) braces += *s == '{' || *s == '*';
        size_t arguments = 0, i, n;
        yyjson_val *a;
        yyjson_arr_foreach(yyjson_obj_get(o, "parameters"), i, n, a) arguments += strcmp(yyjson_get_str(yyjson_obj_get(a, "in")), "path") == 0;
        assert_int_equal(arguments, braces);
    }
    assert_true(count > 25);
    yyjson_doc_free(doc);
}

static void operation_ids_are_unique_and_documented_ones_exist(void **state)
{
    (void)state;
    const sdw_route *a, *b;
    for (int i = 0; (a = sdw_route_at(sdw_server_routes, i)) != NULL; i++)
        for (int j = i + 1; (b = sdw_route_at(sdw_server_routes, j)) != NULL; j++)
            if (strcmp(a->id, b->id) == 0) fail_msg("%s names %s and %s", a->id, a->path, b->path);
    for (const sdw_api_docs *const *t = sdw_api_doc_tables; *t; t++) {
        for (int i = 0; i < (*t)->row_count; i++) {
            bool found = false;
            for (int j = 0; !found && (a = sdw_route_at(sdw_server_routes, j)) != NULL; j++) found = strcmp(a->id, (*t)->rows[i].id) == 0;
            if (!found) fail_msg("%s is documented, but there is no such route", (*t)->rows[i].id);
        }
    }
}

/* Every "$ref" below v leads somewhere. */
static int check_references(yyjson_doc *doc, yyjson_val *v)
{
    int count = 0;
    size_t i, n;
    yyjson_val *key, *value;
    yyjson_obj_foreach(v, i, n, key, value) {
        if (yyjson_equals_str(key, "$ref")) {
            const char *where = yyjson_get_str(value);
            assert_true(where && where[0] == '#');
            if (!yyjson_doc_ptr_get(doc, &where[1])) fail_msg("%s leads nowhere", where);
            count++;
        }
        count += check_references(doc, value);
    }
    yyjson_arr_foreach(v, i, n, value) count += check_references(doc, value);
    return count;
}

static void references_lead_somewhere(void **state)
{
    (void)state;
    yyjson_doc *doc = write(sdw_server_routes);
    assert_true(check_references(doc, yyjson_doc_get_root(doc)) > 100);
    yyjson_doc_free(doc);
}

static void the_request_comes_from_the_field_table(void **state)
{
    (void)state;
    yyjson_doc *doc = write(sdw_server_routes);
    yyjson_val *steps = yyjson_doc_ptr_get(doc, "/components/schemas/JobRequest/properties/steps");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(steps, "type")), "integer");
    assert_int_equal(yyjson_get_int(yyjson_obj_get(steps, "maximum")), 150);
    assert_int_equal(yyjson_get_int(yyjson_doc_ptr_get(doc, "/components/schemas/JobRequest/properties/width/multipleOf")), 8);
    assert_true(yyjson_get_uint(yyjson_doc_ptr_get(doc, "/components/schemas/JobRequest/properties/seed/maximum")) == UINT64_MAX);
    assert_true(yyjson_arr_size(yyjson_doc_ptr_get(doc, "/components/schemas/JobRequest/properties/sampler/enum")) > 5);
    /* The example of an error is what is sent. */
    assert_string_equal(yyjson_get_str(yyjson_doc_ptr_get(doc, "/components/responses/native_429/content/application~1json/example/error/code")), "QUEUE_FULL");
    yyjson_doc_free(doc);
}

/* Objects written as rows: api_shape.h. */
static void shapes_become_schemas(void **state)
{
    static const sdw_api_property rows[] = {
        { "id", "string", "who" }, { "kind", "=a,b", NULL }, { "size?", "integer[2]", NULL }, { "sizes", "integer[2][]", NULL },
        { "seed", "seed", NULL }, { "next", "string|null", NULL }, { "parts", "Part[]|null", NULL }, { "rest?", "any", NULL }, { NULL, NULL, NULL },
    };
    (void)state;
    yyjson_mut_doc *made = yyjson_mut_doc_new(NULL);
    yyjson_mut_doc_set_root(made, sdw_api_shape_write(made, rows));
    char *text = yyjson_mut_write(made, 0, NULL);
    assert_string_equal(text, "{\"type\":\"object\",\"properties\":{"
        "\"id\":{\"type\":\"string\",\"description\":\"who\"},\"kind\":{\"type\":\"string\",\"enum\":[\"a\",\"b\"]},"
        "\"size\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"minItems\":2,\"maxItems\":2},"
        "\"sizes\":{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"minItems\":2,\"maxItems\":2}},"
        "\"seed\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":18446744073709551615},"
        "\"next\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]},"
        "\"parts\":{\"anyOf\":[{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Part\"}},{\"type\":\"null\"}]},\"rest\":{}},"
        "\"required\":[\"id\",\"kind\",\"sizes\",\"seed\",\"next\",\"parts\"]}");
    free(text);
    yyjson_mut_doc_free(made);
    assert_true(sdw_api_shape_refers(rows, "Part"));
    assert_false(sdw_api_shape_refers(rows, "Par"));
}

/* What a schema or the data of a stream names is there too, however deep. */
static void schemas_bring_what_they_name(void **state)
{
    static const char *const wanted[] = { "JobEvent", "CompleteEvent", "JobOutput", "JobError", "Violation", "Refusal", "FieldInfo", "Model", "LoadingEvent" };
    (void)state;
    yyjson_doc *doc = write(sdw_server_routes);
    yyjson_val *schemas = yyjson_doc_ptr_get(doc, "/components/schemas");
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (!yyjson_obj_get(schemas, wanted[i])) fail_msg("no schema %s", wanted[i]);
    const char *events = yyjson_get_str(yyjson_doc_ptr_get(doc, "/paths/~1v1~1jobs~1{id}~1stream/get/responses/200/content/text~1event-stream/schema/x-event-data"));
    assert_string_equal(events, "#/components/schemas/JobEvent");
    yyjson_doc_free(doc);
}

static void a_table_without_documents_is_described_too(void **state)
{
    (void)state;
    yyjson_doc *doc = write(test_routes);
    assert_non_null(yyjson_doc_ptr_get(doc, "/paths/~1files~1{path}/get/parameters/0"));
    assert_string_equal(yyjson_get_str(yyjson_doc_ptr_get(doc, "/paths/~1stream/get/parameters/0/name")), "token");
    assert_non_null(yyjson_doc_ptr_get(doc, "/components/securitySchemes/basic"));
    check_references(doc, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_described),
        cmocka_unit_test(operation_ids_are_unique_and_documented_ones_exist),
        cmocka_unit_test(references_lead_somewhere),
        cmocka_unit_test(the_request_comes_from_the_field_table),
        cmocka_unit_test(shapes_become_schemas),
        cmocka_unit_test(schemas_bring_what_they_name),
        cmocka_unit_test(a_table_without_documents_is_described_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
