/* Unicode helpers: validity, classes, normal form C and lower case. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utf8proc.h>

#include "core/limits.h"
#include "core/mem.h"
#include "text/unicode.h"

static void assert_normal(const char *text, const char *want)
{
    sdw_buf out;
    sdw_buf_init(&out, 0);
    assert_int_equal(sdw_text_normalize(text, strlen(text), &out, NULL), SDW_OK);
    assert_string_equal(out.data, want);
    sdw_buf_finish(&out);
}

static void text_is_composed_and_lowered(void **state)
{
    (void)state;
    assert_normal("HELLO World", "hello world");
    assert_normal("e\xcc\x81", "\xc3\xa9");                      /* e + acute -> e acute */
    assert_normal("\xe2\x84\xab", "\xc3\xa5");                   /* Angstrom sign -> a with ring */
    assert_normal("\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "\xed\x95\x9c"); /* three jamo -> one syllable */
    assert_normal("\xe0\xa5\x98", "\xe0\xa4\x95\xe0\xa4\xbc");   /* U+0958 is excluded from composition */
    assert_normal("\xef\xac\x81", "\xef\xac\x81");               /* the fi ligature stays: C, not KC */
    assert_normal("\xc4\xb0", "i\xcc\x87");                      /* I with dot becomes two code points */
    assert_normal("\xce\x91\xce\xa3", "\xce\xb1\xcf\x83");       /* a final sigma like any other */
}

/* The library's own slow way, lower-cased here. */
static void assert_as_library(const char *text, size_t size)
{
    utf8proc_uint8_t *composed = NULL;
    sdw_buf mine, want;
    sdw_buf_init(&mine, 0);
    sdw_buf_init(&want, 0);
    utf8proc_ssize_t n = utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)size, &composed,
                                      UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    assert_true(n > 0);
    for (size_t at = 0; at < (size_t)n;) {
        char utf8[4];
        int32_t code = sdw_utf8_next((char *)composed, (size_t)n, &at);
        sdw_buf_append(&want, utf8, (size_t)sdw_utf8_put(code == 0x130 ? 'i' : utf8proc_tolower(code), utf8));
        if (code == 0x130) sdw_buf_puts(&want, "\xcc\x87");
    }
    assert_int_equal(sdw_text_normalize(text, size, &mine, NULL), SDW_OK);
    assert_string_equal(mine.data, want.data);
    sdw_buf_finish(&mine);
    sdw_buf_finish(&want);
    free(composed);
}

/* Acute (class 230), dot below (220), ogonek (202) in the wrong order, in a short and in a long run. */
static void marks_are_put_in_canonical_order(void **state)
{
    (void)state;
    assert_normal("q\xcc\x81\xcc\xa3\xcc\xa8", "q\xcc\xa8\xcc\xa3\xcc\x81");
    char text[1 + 60 * 4 + 1] = "q", want[1 + 60 * 4 + 1] = "q";
    for (int i = 0; i < 60; i++) {
        memcpy(text + 1 + 4 * i, "\xcc\x81\xcc\xa3", 4);
        memcpy(want + 1 + 2 * i, "\xcc\xa3", 2);
        memcpy(want + 121 + 2 * i, "\xcc\x81", 2);
    }
    assert_normal(text, want);
    for (int i = 0; i < 30; i++) memcpy(text + 1 + 6 * i, "\xcc\x81\xcc\x80\xcc\xa3", 6); /* two of one class keep their order */
    assert_as_library(text, 1 + 30 * 6);
}

/* Every code point of the common planes behind a mark above and before one below, others now and then. */
static void normal_form_agrees_with_the_library(void **state)
{
    (void)state;
    for (int32_t code = 1; code < 0x110000; code += code < 0x3000 ? 1 : 7) {
        if (code >= 0xd800 && code < 0xe000) continue;
        char text[16] = "e\xcc\x81";
        int n = 3 + sdw_utf8_put(code, text + 3);
        memcpy(text + n, "\xcc\xa3", 2);
        assert_as_library(text, (size_t)n + 2);
    }
}

static void classes_are_those_of_unicode(void **state)
{
    (void)state;
    static const struct {
        int32_t code;
        sdw_char_class want;
    } rows[] = {
        { ' ', SDW_CHAR_SPACE }, { '\t', SDW_CHAR_SPACE }, { 0x0b, SDW_CHAR_SPACE }, { 0x85, SDW_CHAR_SPACE },
        { 0xa0, SDW_CHAR_SPACE }, { 0x3000, SDW_CHAR_SPACE }, { 0x2028, SDW_CHAR_SPACE }, { 0x200b, SDW_CHAR_OTHER },
        { 0x1c, SDW_CHAR_OTHER }, { 0, SDW_CHAR_OTHER }, { 'a', SDW_CHAR_LETTER }, { 0x6771, SDW_CHAR_LETTER },
        { 0x2b0, SDW_CHAR_LETTER }, { '7', SDW_CHAR_NUMBER }, { 0xbd, SDW_CHAR_NUMBER }, { 0x2167, SDW_CHAR_NUMBER },
        { 0x301, SDW_CHAR_OTHER }, { '_', SDW_CHAR_OTHER }, { 0x1f600, SDW_CHAR_OTHER },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(sdw_char_class_of(rows[i].code), rows[i].want);
}

static void bad_utf8_is_named_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {
        { "ab\xff", "prompt: byte 2 is 0xff, want well-formed UTF-8" },
        { "\xc0\x80", "prompt: byte 0 is 0xc0, want well-formed UTF-8" },         /* overlong */
        { "x\xed\xa0\x80", "prompt: byte 1 is 0xed, want well-formed UTF-8" },    /* surrogate */
        { "\xf4\x90\x80\x80", "prompt: byte 0 is 0xf4, want well-formed UTF-8" }, /* beyond the last code point */
        { "caf\xc3", "prompt: byte 3 is 0xc3, want well-formed UTF-8" },          /* cut */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sdw_error err = { 0 };
        assert_int_equal(sdw_utf8_check(rows[i].text, strlen(rows[i].text), "prompt", &err), SDW_INVALID);
        assert_string_equal(err.text, rows[i].want);
    }
    assert_int_equal(sdw_utf8_check("\xf0\x9f\x98\x80 ok", 7, "prompt", NULL), SDW_OK);
}

/* Sorted by exchanging neighbours, this text takes 1.6 seconds; counted, a thousandth of one. */
static void a_text_of_marks_alone_takes_linear_time(void **state)
{
    (void)state;
    char *text = malloc(SDW_LIMIT_PROMPT_BYTES);
    assert_non_null(text);
    for (size_t i = 0; i < SDW_LIMIT_PROMPT_BYTES; i += 4) memcpy(text + i, "\xcc\x81\xcc\xa3", 4);
    double best = 1e9;
    for (int run = 0; run < 3; run++) { /* the first one pays for fresh memory */
        sdw_buf out;
        sdw_buf_init(&out, 0);
        clock_t start = clock();
        assert_int_equal(sdw_text_normalize(text, SDW_LIMIT_PROMPT_BYTES, &out, NULL), SDW_OK);
        double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        if (seconds < best) best = seconds;
        assert_int_equal(out.size, SDW_LIMIT_PROMPT_BYTES);
        sdw_buf_finish(&out);
    }
    assert_true(best < 0.4);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_composed_and_lowered),
        cmocka_unit_test(marks_are_put_in_canonical_order),
        cmocka_unit_test(normal_form_agrees_with_the_library),
        cmocka_unit_test(classes_are_those_of_unicode),
        cmocka_unit_test(bad_utf8_is_named_with_its_place),
        cmocka_unit_test(a_text_of_marks_alone_takes_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
