/* JSON behind guards: what is refused, and with which words. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/json.h"
#include "core/mem.h"

/* Parses and expects a failure whose text holds `words` and the name of the text. */
static void refuse(const char *text, size_t size, const sdw_json_limits *limits, sdw_status want, const char *words)
{
    yyjson_doc *doc = NULL;
    sdw_error err = { 0 };
    assert_int_equal(sdw_json_parse(text, size, "a.json", limits, &doc, &err), want);
    assert_null(doc);
    assert_non_null(strstr(err.text, "a.json"));
    if (!strstr(err.text, words)) fail_msg("\"%s\" does not hold \"%s\"", err.text, words);
}

static void refuse_text(const char *text, sdw_status want, const char *words)
{
    refuse(text, strlen(text), NULL, want, words);
}

static yyjson_doc *accept(const char *text, const sdw_json_limits *limits)
{
    yyjson_doc *doc = NULL;
    sdw_error err = { 0 };
    if (sdw_json_parse(text, strlen(text), "a.json", limits, &doc, &err) != SDW_OK) fail_msg("%s", err.text);
    return doc;
}

static void good_text_is_parsed_and_copied(void **state)
{
    (void)state;
    char text[] = "{\"a\":[1,2.5,\"x\"],\"b\":{\"a\":null}}";
    yyjson_doc *doc = accept(text, NULL);
    memset(text, '?', sizeof text - 1);
    yyjson_val *a = yyjson_obj_get(yyjson_doc_get_root(doc), "a");
    assert_int_equal(yyjson_get_int(yyjson_arr_get(a, 0)), 1);
    assert_string_equal(yyjson_get_str(yyjson_arr_get(a, 2)), "x");
    yyjson_doc_free(doc);
}

static void a_key_that_stands_twice_is_refused_at_any_depth(void **state)
{
    (void)state;
    refuse_text("{\"a\":1,\"b\":2,\"a\":3}", SDW_FORMAT, "\"a\" stands twice");
    refuse_text("[1,{\"x\":[{\"deep\":1,\"deep\":1}]}]", SDW_FORMAT, "\"deep\" stands twice");
    refuse_text("{\"q\":1,\"\\u0071\":2}", SDW_FORMAT, "stands twice"); /* the same key, written differently */
    yyjson_doc_free(accept("{\"a\":{\"a\":1},\"b\":{\"a\":1}}", NULL));
    yyjson_doc_free(accept("{\"a\":1,\"a\\u0000\":2}", NULL)); /* a NUL does not end a key */
}

static void a_key_that_stands_twice_in_a_large_object_is_refused(void **state)
{
    (void)state;
    enum { KEYS = 3000 };
    size_t room = KEYS * 16 + 16, n = 0;
    char *text = malloc(room);
    assert_non_null(text);
    for (int i = 0; i < KEYS; i++) n += (size_t)snprintf(text + n, room - n, "%s\"k%d\":0", i ? "," : "{", i);
    snprintf(text + n, room - n, "}");
    yyjson_doc_free(accept(text, NULL));
    snprintf(text + n, room - n, ",\"k17\":0}");
    refuse_text(text, SDW_FORMAT, "\"k17\" stands twice");
    snprintf(text + n, room - n, ",\"k2999\":0}"); /* the last one in order */
    refuse_text(text, SDW_FORMAT, "\"k2999\" stands twice");
    free(text);
}

static void depth_is_limited_before_parsing(void **state)
{
    (void)state;
    const sdw_json_limits three = { .depth_max = 3 };
    yyjson_doc_free(accept("[[[1]]]", &three));
    yyjson_doc_free(accept("[\"[[[[\\\"[[\"]", &three)); /* brackets in texts do not count */
    refuse("[[[[1]]]]", 9, &three, SDW_LIMIT, "4 levels deep, want at most 3");
    char deep[200];
    memset(deep, '[', sizeof deep);
    refuse(deep, sizeof deep, NULL, SDW_LIMIT, "200 levels deep");
}

static void size_top_level_and_syntax_are_checked(void **state)
{
    (void)state;
    const sdw_json_limits tiny = { .bytes_max = 4 }, object = { .top = SDW_JSON_OBJECT }, array = { .top = SDW_JSON_ARRAY };
    refuse("[1,2]", 5, &tiny, SDW_LIMIT, "5 bytes of JSON, want at most 4");
    refuse("[1]", 3, &object, SDW_FORMAT, "want object");
    refuse("{}", 2, &array, SDW_FORMAT, "want array");
    refuse_text("", SDW_FORMAT, "is empty");
    refuse_text("{\"a\":}", SDW_FORMAT, "at byte 5");
    refuse_text("{\"a\":1} x", SDW_FORMAT, "not valid JSON");
    refuse_text("{\"a\":NaN}", SDW_FORMAT, "not valid JSON");
    refuse_text("\"\xff\"", SDW_FORMAT, "not valid JSON");
    refuse("{\"a\":1}", 6, NULL, SDW_FORMAT, "not valid JSON"); /* the last brace lies beyond the size */
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void files_are_read_or_refused_by_name(void **state)
{
    (void)state;
    yyjson_doc *doc = NULL;
    sdw_error err = { 0 };
    const sdw_json_limits tiny = { .bytes_max = 4 };
    const char *path = "test_json.tmp";
    write_file(path, "{\"n\":7}");
    assert_int_equal(sdw_json_read_file(path, NULL, &doc, &err), SDW_OK);
    assert_int_equal(yyjson_get_int(yyjson_obj_get(yyjson_doc_get_root(doc), "n")), 7);
    yyjson_doc_free(doc);
    assert_int_equal(sdw_json_read_file(path, &tiny, &doc, &err), SDW_LIMIT);
    write_file(path, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n");
    assert_int_equal(sdw_json_read_file(path, NULL, &doc, &err), SDW_FORMAT);
    assert_non_null(strstr(err.text, "LFS pointer"));
    assert_non_null(strstr(err.text, path));
    unlink(path);
    assert_int_equal(sdw_json_read_file(path, NULL, &doc, &err), SDW_NOT_FOUND);
    assert_int_equal(sdw_json_read_file(".", NULL, &doc, &err), SDW_FORMAT);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    const char *text = "{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"j\":1,\"k\":1,\"l\":1,\"m\":1}";
    size_t failures = 0;
    for (size_t nth = 1;; nth++, failures++) {
        yyjson_doc *doc = NULL;
        sdw_error err = { 0 };
        sdw_mem_fail_at(nth, false);
        sdw_status s = sdw_json_parse(text, strlen(text), "a.json", NULL, &doc, &err);
        sdw_mem_fail_at(0, false);
        yyjson_doc_free(doc);
        if (s == SDW_OK) break;
        assert_int_equal(s, SDW_NO_MEMORY);
    }
    assert_true(failures >= 2); /* the document and the sorted keys at least */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_text_is_parsed_and_copied),
        cmocka_unit_test(a_key_that_stands_twice_is_refused_at_any_depth),
        cmocka_unit_test(a_key_that_stands_twice_in_a_large_object_is_refused),
        cmocka_unit_test(depth_is_limited_before_parsing),
        cmocka_unit_test(size_top_level_and_syntax_are_checked),
        cmocka_unit_test(files_are_read_or_refused_by_name),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
