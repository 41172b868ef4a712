/* Texts stored in pictures, and EXIF. */
#include "support.h"

#include "core/limits.h"
#include "image/exif.h"

static const char *const FORMATS[] = { "png", "jpeg", "webp" };
#define HARD "caf\xc3\xa9 <b>&amp;&#65;</b> \xe7\x8c\xab \xf0\x9f\x90\x88\nline\ttab\rcr \x01 end"

static char *read_ok(const sdw_buf *file, const char *key)
{
    char *text = NULL;
    sdw_error err = { 0 };
    if (sdw_image_read_text(file->data, file->size, NULL, key, &text, &err) != SDW_OK) fail_msg("%s", err.text);
    return text;
}

static void assert_text(const sdw_buf *file, const char *key, const char *want)
{
    char *text = read_ok(file, key);
    assert_string_equal(text, want);
    sdw_free(text);
}

static void texts_come_back_from_every_format(void **state)
{
    (void)state;
    static const sdw_image_text TEXTS[] = {
        { "parameters", "a cat\nSteps: 20, Seed: 1" }, { "sdw", HARD }, { "Latin", "na\xc3\xafve" }, { "empty", "" },
    };
    for (int channels = 1; channels <= 4; channels += channels == 1 ? 2 : 1) {
        for (size_t f = 0; f < 3; f++) {
            if (channels == 4 && f == 1) continue; /* JPEG has no alpha */
            sdw_buf file;
            sdw_image *image = pattern(10, 7, channels);
            sdw_image_encode_options o = { .lossless = true, .texts = TEXTS, .text_count = 4 };
            encode_ok(image, FORMATS[f], &o, &file);
            for (size_t i = 0; i < 4; i++) assert_text(&file, TEXTS[i].key, TEXTS[i].text);
            sdw_image *back = decode_ok(&file, channels);
            if (f != 1) assert_memory_equal(back->pixels, image->pixels, sdw_image_bytes(image));
            sdw_image_free(back);
            sdw_image_free(image);
            sdw_buf_finish(&file);
        }
    }
}

static void long_texts_come_back_whole(void **state)
{
    (void)state;
    sdw_image *image = pattern(4, 4, 3);
    char *text = sdw_malloc(SDW_LIMIT_IMAGE_TEXT_BYTES + 2);
    for (size_t i = 0; i <= SDW_LIMIT_IMAGE_TEXT_BYTES; i++) text[i] = (char)('a' + i % 23);
    text[SDW_LIMIT_IMAGE_TEXT_BYTES + 1] = '\0';
    for (size_t f = 0; f < 3; f++) {
        sdw_buf file;
        sdw_error err = { 0 };
        sdw_image_encode_options o = { .texts = &(sdw_image_text){ "parameters", text }, .text_count = 1 };
        sdw_buf_init(&file, 0);
        text[SDW_LIMIT_IMAGE_TEXT_BYTES] = 'x';
        assert_int_equal(sdw_image_encode(image, FORMATS[f], &o, &file, &err), SDW_LIMIT);
        text[SDW_LIMIT_IMAGE_TEXT_BYTES] = '\0';
        encode_ok(image, FORMATS[f], &o, &file);
        assert_text(&file, "parameters", text);
        sdw_image_free(decode_ok(&file, 3));
        sdw_buf_finish(&file);
    }
    sdw_free(text);
    sdw_image_free(image);
}

static void texts_of_other_programs_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *file, *key, *want;
    } CASES[] = {
        { "png/texts", "parameters", "caf\xc3\xa9, Steps: 20" },
        { "png/texts", "sdw", "{\"prompt\":\"\xe7\x8c\xab \xf0\x9f\x90\x88\"}" },
        { "jpeg/comment", "parameters", "a cat, \xc3\xbc \xf0\x9f\x90\x88\nSteps: 20" },
        { "jpeg/comment", "sdw", "{\"seed\":1}" },
        { "webp/comment", "parameters", "a dog" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        sdw_buf file;
        read_corpus(CASES[i].file, &file);
        assert_text(&file, CASES[i].key, CASES[i].want);
        sdw_buf_finish(&file);
    }
    sdw_buf file;
    read_corpus("png/texts", &file);
    char *text = read_ok(&file, "Comment"); /* compressed */
    assert_int_equal(strlen(text), 180);
    sdw_free(text);
    sdw_buf_finish(&file);
}

static void a_missing_text_is_not_found(void **state)
{
    (void)state;
    static const char *const FILES[] = { "png/rgb8", "jpeg/grey", "webp/lossy", "png/texts" };
    for (size_t i = 0; i < 4; i++) {
        sdw_buf file;
        char *text = NULL;
        sdw_error err = { 0 };
        read_corpus(FILES[i], &file);
        assert_int_equal(sdw_image_read_text(file.data, file.size, "a.png", "param", &text, &err), SDW_NOT_FOUND);
        assert_non_null(strstr(err.text, "a.png: "));
        assert_non_null(strstr(err.text, "'param'"));
        assert_null(text);
        sdw_buf_finish(&file);
    }
}

static void keys_and_texts_are_checked(void **state)
{
    (void)state;
    static const sdw_image_text WRONG[] = { { "", "x" },        { "1a", "x" },
                                            { "a b", "x" },     { "a<", "x" },
                                            { "a", "\xff" },    { "a", "\xed\xa0\x80" } };
    sdw_image *image = pattern(2, 2, 3);
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++) {
        sdw_buf out;
        sdw_buf_init(&out, 0);
        sdw_image_encode_options o = { .texts = &WRONG[i], .text_count = 1 };
        assert_int_equal(sdw_image_encode(image, "png", &o, &out, NULL), SDW_INVALID);
        sdw_buf_finish(&out);
    }
    char key[81];
    memset(key, 'k', 80);
    for (int length = 79; length <= 80; length++) {
        sdw_buf out;
        sdw_buf_init(&out, 0);
        key[length] = '\0';
        sdw_image_encode_options o = { .texts = &(sdw_image_text){ key, "t" }, .text_count = 1 };
        assert_int_equal(sdw_image_encode(image, "webp", &o, &out, NULL), length == 79 ? SDW_OK : SDW_INVALID);
        if (length == 79) assert_text(&out, key, "t");
        sdw_buf_finish(&out);
        key[79] = 'k';
    }
    sdw_image_free(image);
}

static void orientation_is_read_and_doubtful_ones_count_as_upright(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        int want;
    } CASES[] = { { "exif/orientation0", 1 }, { "exif/orientation1", 1 }, { "exif/orientation8", 8 },
                  { "exif/orientation9", 1 }, { "exif/prefixed", 6 },     { "exif/loop", 1 },
                  { "exif/comment_be", 1 },   { "exif/many", 1 } };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        sdw_buf file;
        read_corpus(CASES[i].file, &file);
        assert_int_equal(sdw_exif_orientation((uint8_t *)file.data, file.size), CASES[i].want);
        for (size_t n = 0; n < file.size; n++) {
            uint8_t *cut = sdw_malloc(n ? n : 1);
            memcpy(cut, file.data, n);
            int cut_orientation = sdw_exif_orientation(cut, n);
            assert_true(cut_orientation == 1 || cut_orientation == CASES[i].want);
            sdw_free(cut);
        }
        sdw_buf_finish(&file);
    }
}

static void user_comments_are_read_in_both_byte_orders(void **state)
{
    (void)state;
    static const struct {
        const char *file, *want;
    } CASES[] = { { "exif/comment_be", "prompt \xc3\xbc \xf0\x9f\x90\x88" },
                  { "exif/comment_le", "prompt \xc3\xbc \xf0\x9f\x90\x88" },
                  { "exif/ascii", "hello" },
                  { "exif/loop", NULL } };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        sdw_buf file, text;
        read_corpus(CASES[i].file, &file);
        sdw_buf_init(&text, 0);
        bool found = sdw_exif_user_comment((uint8_t *)file.data, file.size, &text);
        assert_true(found == (CASES[i].want != NULL));
        if (found) assert_string_equal(text.data, CASES[i].want);
        sdw_buf_finish(&file);
        sdw_buf_finish(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_come_back_from_every_format),
        cmocka_unit_test(long_texts_come_back_whole),
        cmocka_unit_test(texts_of_other_programs_are_read),
        cmocka_unit_test(a_missing_text_is_not_found),
        cmocka_unit_test(keys_and_texts_are_checked),
        cmocka_unit_test(orientation_is_read_and_doubtful_ones_count_as_upright),
        cmocka_unit_test(user_comments_are_read_in_both_byte_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
