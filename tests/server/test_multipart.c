/* Bodies of multipart/form-data as browsers and client libraries write them, and damaged ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/multipart.h"

static sdw_multipart m;

static sdw_status parse(const char *type, const char *body, sdw_error *err)
{
    return sdw_multipart_parse(type, body, strlen(body), &m, err);
}

static void check_part(int i, const char *name, bool is_file, const char *content)
{
    assert_string_equal(m.parts[i].name, name);
    assert_int_equal(m.parts[i].is_file, is_file);
    assert_int_equal(m.parts[i].size, strlen(content));
    assert_memory_equal(m.parts[i].bytes, content, strlen(content));
}

static void parts_come_in_order_with_their_bytes(void **state)
{
    (void)state;
    sdw_error err = { 0 };
    const char *body = "--b1\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\na \"cat\"\r\n"
                       "--b1\r\ncontent-type: application/octet-stream\r\nCONTENT-DISPOSITION: form-data; filename=\"a;b.png\"; name=\"image[]\"\r\n\r\n"
                       "\r\n--b\r\n--b2 almost\r\n"
                       "--b1 \t\r\nContent-Disposition: form-data; name=empty\r\n\r\n\r\n"
                       "--b1--\r\nepilogue";
    assert_int_equal(parse("multipart/form-data; boundary=b1", body, &err), SDW_OK);
    assert_int_equal(m.count, 3);
    check_part(0, "prompt", false, "a \"cat\"");
    check_part(1, "image[]", true, "\r\n--b\r\n--b2 almost");
    check_part(2, "empty", false, "");
    assert_ptr_equal(sdw_multipart_find(&m, "empty"), &m.parts[2]);
    assert_null(sdw_multipart_find(&m, "image"));
}

static void boundaries_may_be_quoted_and_a_preamble_is_skipped(void **state)
{
    (void)state;
    sdw_error err = { 0 };
    const char *body = "preamble\r\n--a b;c\r\nContent-Disposition: form-data; name=\"a\\\"b\"\r\n\r\nx\r\n--a b;c--";
    assert_int_equal(parse("Multipart/Form-Data ; charset=x; Boundary=\"a b;c\"", body, &err), SDW_OK);
    check_part(0, "a\"b", false, "x");
    assert_true(sdw_is_multipart("Multipart/Form-Data ; x"));
    assert_true(sdw_is_multipart("multipart/form-data"));
    assert_false(sdw_is_multipart("multipart/form-datax"));
    assert_false(sdw_is_multipart("application/json"));
}

static void every_damage_is_told(void **state)
{
    (void)state;
    static const struct { const char *type, *body, *words; } cases[] = {
        { "multipart/form-data", "--b--", "no boundary" },
        { "multipart/form-data; boundary=", "--b--", "no boundary" },
        { "multipart/form-data; boundary=1234567890123456789012345678901234567890123456789012345678901234567890x", "", "no boundary" },
        { "multipart/form-data; boundary=\"b", "--b--", "no boundary" },
        { "multipart/form-data; boundary=b", "nothing", "nowhere" },
        { "multipart/form-data; boundary=b", "", "nowhere" },
        { "multipart/form-data; boundary=b", "--bx", "neither" },
        { "multipart/form-data; boundary=b", "--b", "neither" },
        { "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n", "empty line" },
        { "multipart/form-data; boundary=b", "--b\r\n\r\nx\r\n--b--", "has no name" },
        { "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"\"\r\n\r\nx\r\n--b--", "has no name" },
        { "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; filename=x\r\n\r\nx\r\n--b--", "missing" },
        { "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"x\r\n\r\nx\r\n--b--", "not closed" },
        { "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=x\r\n\r\nx", "\"x\" is not closed" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sdw_error err = { 0 };
        assert_int_equal(parse(cases[i].type, cases[i].body, &err), SDW_INVALID);
        if (!strstr(err.text, cases[i].words)) fail_msg("case %zu: '%s' lacks '%s'", i, err.text, cases[i].words);
    }
}

static void limits_hold_at_and_past_their_numbers(void **state)
{
    (void)state;
    char body[64 * 1024];
    for (int parts = SDW_MULTIPART_PARTS_MAX; parts <= SDW_MULTIPART_PARTS_MAX + 1; parts++) {
        size_t n = 0;
        for (int i = 0; i < parts; i++)
            n += (size_t)snprintf(body + n, sizeof body - n, "--b\r\nContent-Disposition: form-data; name=p%d\r\n\r\nv\r\n", i);
        snprintf(body + n, sizeof body - n, "--b--");
        assert_int_equal(parse("multipart/form-data; boundary=b", body, NULL), parts == SDW_MULTIPART_PARTS_MAX ? SDW_OK : SDW_INVALID);
    }
    for (int length = SDW_MULTIPART_NAME_MAX - 1; length <= SDW_MULTIPART_NAME_MAX; length++) {
        char name[SDW_MULTIPART_NAME_MAX + 1];
        memset(name, 'n', sizeof name);
        snprintf(body, sizeof body, "--b\r\nContent-Disposition: form-data; name=\"%.*s\"\r\n\r\nv\r\n--b--", length, name);
        assert_int_equal(parse("multipart/form-data; boundary=b", body, NULL), length < SDW_MULTIPART_NAME_MAX ? SDW_OK : SDW_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_come_in_order_with_their_bytes),
        cmocka_unit_test(boundaries_may_be_quoted_and_a_preamble_is_skipped),
        cmocka_unit_test(every_damage_is_told),
        cmocka_unit_test(limits_hold_at_and_past_their_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
