/* Base64: RFC 4648's vectors, every length, everything that strict means, data: URLs. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "core/base64.h"
#include "core/mem.h"

static const struct { const char *plain, *coded; } vectors[] = {
    { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
};

static void the_vectors_of_the_standard_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        sdw_buf coded = { 0 }, plain = { 0 };
        size_t n = strlen(vectors[i].coded);
        assert_true(sdw_base64_encode(vectors[i].plain, strlen(vectors[i].plain), &coded));
        assert_int_equal(coded.size, n);
        if (n) assert_string_equal(coded.data, vectors[i].coded);
        assert_int_equal(sdw_base64_decode(vectors[i].coded, n, "v", 0, &plain, NULL), SDW_OK);
        assert_int_equal(plain.size, strlen(vectors[i].plain));
        if (plain.size) assert_string_equal(plain.data, vectors[i].plain);
        sdw_buf_finish(&coded);
        sdw_buf_finish(&plain);
    }
}

static void every_length_survives_padded_and_unpadded(void **state)
{
    (void)state;
    unsigned char data[300];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)(i * 167 + 13);
    for (size_t n = 0; n <= sizeof data; n++) {
        sdw_buf coded = { 0 }, plain = { 0 };
        sdw_buf_puts(&plain, "head");
        assert_true(sdw_base64_encode(data, n, &coded));
        size_t letters = coded.size;
        for (int round = 0; round < 2; round++) {
            plain.size = 4;
            assert_int_equal(sdw_base64_decode(coded.data, letters, "x", n, &plain, NULL), SDW_OK);
            assert_int_equal(plain.size, 4 + n);
            assert_memory_equal(plain.data, "head", 4);
            assert_memory_equal(plain.data + 4, data, n);
            while (letters && coded.data[letters - 1] == '=') letters--;
        }
        sdw_buf_finish(&coded);
        sdw_buf_finish(&plain);
    }
}

static void anything_not_strict_is_refused_and_leaves_no_trace(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "!!", "Z", "Zg=", "Zg===", "Zm9vZ", "Zm 9", "Zm9v\n", "Zm9v====", "=", "====", "Zm=v", "Zg==Zg==", "Zm9-", "Zm9_", "Zh==", "Zm9=", "Zh", "Zm\xc3\xa9",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sdw_buf out = { 0 };
        sdw_error err = { 0 };
        sdw_buf_puts(&out, "kept");
        assert_int_equal(sdw_base64_decode(bad[i], strlen(bad[i]), "input_image", 0, &out, &err), SDW_FORMAT);
        assert_memory_equal(err.text, "input_image: ", 13);
        assert_int_equal(out.size, 4);
        assert_string_equal(out.data, "kept");
        sdw_buf_finish(&out);
    }
    sdw_error err = { 0 };
    sdw_buf out = { 0 };
    assert_int_equal(sdw_base64_decode("Zm9vYm?y", 8, "x", 0, &out, &err), SDW_FORMAT);
    assert_non_null(strstr(err.text, "0x3f at place 6"));
    sdw_buf_finish(&out);
}

static void sizes_are_limited_at_the_byte(void **state)
{
    (void)state;
    sdw_buf out = { 0 };
    sdw_error err = { 0 };
    assert_int_equal(sdw_base64_decode("Zm9vYg==", 8, "x", 4, &out, NULL), SDW_OK);
    assert_int_equal(sdw_base64_decode("Zm9vYg==", 8, "x", 3, &out, &err), SDW_LIMIT);
    sdw_buf_finish(&out);
    sdw_buf_init(&out, 4);
    assert_int_equal(sdw_base64_decode("Zm9vYmE=", 8, "x", 0, &out, &err), SDW_LIMIT);
    assert_false(out.failed);
    sdw_buf_finish(&out);
    sdw_buf_init(&out, 7);
    assert_false(sdw_base64_encode("foob", 4, &out));
    assert_true(out.failed);
    sdw_buf_finish(&out);
    sdw_mem_fail_at(1, false);
    sdw_buf_init(&out, 0);
    assert_int_equal(sdw_base64_decode("Zm9v", 4, "x", 0, &out, &err), SDW_NO_MEMORY);
    sdw_mem_fail_at(0, false);
    sdw_buf_finish(&out);
}

static void data_urls_of_images_are_recognised(void **state)
{
    (void)state;
    static const struct { const char *text; sdw_status status; size_t prefix; } cases[] = {
        { "iVBORw0", SDW_OK, 0 }, { "", SDW_OK, 0 }, { "data:image/png;base64,iVBO", SDW_OK, 22 }, { "DATA:Image/PNG;BASE64,iV", SDW_OK, 22 },
        { "data:image/png;charset=x;base64,iV", SDW_OK, 32 }, { "data:;base64,iV", SDW_OK, 13 }, { "data:text/plain;base64,iV", SDW_FORMAT, 0 },
        { "data:image/png,iV", SDW_FORMAT, 0 }, { "data:image/png;base64", SDW_FORMAT, 0 }, { "data:,", SDW_FORMAT, 0 }, { "data:", SDW_FORMAT, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t prefix = 99;
        assert_int_equal(sdw_data_url_prefix(cases[i].text, strlen(cases[i].text), "x", &prefix, NULL), cases[i].status);
        assert_int_equal(prefix, cases[i].status == SDW_OK ? cases[i].prefix : 99);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_the_standard_hold),
        cmocka_unit_test(every_length_survives_padded_and_unpadded),
        cmocka_unit_test(anything_not_strict_is_refused_and_leaves_no_trace),
        cmocka_unit_test(sizes_are_limited_at_the_byte),
        cmocka_unit_test(data_urls_of_images_are_recognised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
