/* Files to pixels and back. */
#include "support.h"

#include <stdlib.h>

#include "vectors.h"

enum { FILE_COUNT = sizeof FILES / sizeof FILES[0] };

static void every_kind_of_file_gives_the_pixels_that_pillow_gives(void **state)
{
    (void)state;
    for (size_t i = 0; i < FILE_COUNT; i++) {
        sdw_buf file;
        read_corpus(FILES[i].file, &file);
        sdw_image *rgb = decode_ok(&file, 3), *grey = decode_ok(&file, 1);
        if (rgb->width != FILES[i].width || rgb->height != FILES[i].height || rgb->channels != 3 ||
            fnv(rgb->pixels, sdw_image_bytes(rgb)) != FILES[i].rgb)
            fail_msg("%s as RGB differs", FILES[i].file);
        if (grey->width != FILES[i].width || grey->height != FILES[i].height || grey->channels != 1 ||
            fnv(grey->pixels, sdw_image_bytes(grey)) != FILES[i].grey)
            fail_msg("%s as grey differs", FILES[i].file);
        sdw_image_free(rgb);
        sdw_image_free(grey);
        sdw_buf_finish(&file);
    }
}

static void alpha_is_kept_when_asked_for(void **state)
{
    (void)state;
    sdw_buf file;
    read_corpus("png/grey_alpha", &file);
    sdw_image *grey = decode_ok(&file, 1), *rgba = decode_ok(&file, 4);
    for (int i = 0; i < rgba->width * rgba->height; i++) {
        const uint8_t *p = rgba->pixels + 4 * i;
        assert_int_equal(p[0], p[2]);
        assert_int_equal((p[0] * p[3] * 2 + 255) / 510, grey->pixels[i]);
    }
    sdw_image_free(grey);
    sdw_image_free(rgba);
    sdw_buf_finish(&file);
    read_corpus("jpeg/grey", &file);
    rgba = decode_ok(&file, 4);
    assert_int_equal(rgba->pixels[3], 255);
    sdw_image_free(rgba);
    sdw_buf_finish(&file);
}

static void orientation_can_be_left_alone(void **state)
{
    (void)state;
    sdw_buf file;
    sdw_image *image = NULL;
    read_corpus("jpeg/orientation6", &file);
    sdw_image_decode_options o = { .keep_orientation = true };
    assert_int_equal(sdw_image_decode(file.data, file.size, &o, &image, NULL), SDW_OK);
    assert_int_equal(image->width, 21);
    sdw_image_free(image);
    sdw_buf_finish(&file);
}

static void png_and_lossless_webp_keep_every_byte(void **state)
{
    (void)state;
    static const struct {
        const char *format;
        int channels;
        sdw_image_encode_options options;
    } CASES[] = {
        { "png", 1, { 0 } },           { "png", 3, { 0 } },
        { "png", 4, { .level = 9 } },  { "webp", 3, { .lossless = true } },
        { "webp", 4, { .lossless = true, .effort = 1 } },
        { "webp", 1, { .lossless = true } },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        sdw_buf file;
        sdw_image *image = pattern(37, 19, CASES[i].channels);
        encode_ok(image, CASES[i].format, &CASES[i].options, &file);
        sdw_image *back = decode_ok(&file, CASES[i].channels);
        assert_int_equal(sdw_image_bytes(back), sdw_image_bytes(image));
        assert_memory_equal(back->pixels, image->pixels, sdw_image_bytes(image));
        sdw_image_free(back);
        sdw_image_free(image);
        sdw_buf_finish(&file);
    }
}

/* A ramp, which lossy codecs must keep closely, other than the pattern. */
static sdw_image *ramp(int width, int height, int channels)
{
    sdw_image *image = pattern(width, height, channels);
    uint8_t *p = image->pixels;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < channels; c++) *p++ = (uint8_t)(40 + 2 * x + y + 20 * c);
    return image;
}

static void lossy_formats_stay_close_and_quality_costs_bytes(void **state)
{
    (void)state;
    static const char *const FORMATS[] = { "jpeg", "webp" };
    for (size_t f = 0; f < 2; f++) {
        for (int channels = 1; channels <= 3; channels += 2) {
            sdw_buf good, bad;
            sdw_image *image = ramp(64, 48, channels);
            encode_ok(image, FORMATS[f], NULL, &good);
            encode_ok(image, FORMATS[f], &(sdw_image_encode_options){ .quality = 5 }, &bad);
            assert_true(bad.size < good.size);
            sdw_image *back = decode_ok(&good, channels);
            for (size_t i = 0; i < sdw_image_bytes(image); i++)
                if (abs(back->pixels[i] - image->pixels[i]) > 6)
                    fail_msg("%s: byte %zu was %d, is %d", FORMATS[f], i, image->pixels[i], back->pixels[i]);
            sdw_image_free(back);
            sdw_image_free(image);
            sdw_buf_finish(&good);
            sdw_buf_finish(&bad);
        }
    }
}

static void encoding_appends_and_cuts_back_on_failure(void **state)
{
    (void)state;
    sdw_buf out;
    sdw_error err = { 0 };
    sdw_buf_init(&out, 0);
    sdw_buf_puts(&out, "head");
    sdw_image *image = pattern(8, 8, 4);
    assert_int_equal(sdw_image_encode(image, "jpeg", NULL, &out, &err), SDW_UNSUPPORTED);
    assert_int_equal(out.size, 4);
    assert_int_equal(sdw_image_encode(image, "png", NULL, &out, &err), SDW_OK);
    assert_memory_equal(out.data, "head\x89PNG", 8);
    sdw_image_free(image);
    sdw_buf_finish(&out);
}

static void wrong_options_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *format;
        sdw_image_encode_options options;
        const char *word;
    } CASES[] = {
        { "gif", { 0 }, "'gif'" },
        { "png", { .level = 10 }, "level 10" },
        { "jpeg", { .quality = 101 }, "quality 101" },
        { "webp", { .effort = 7 }, "effort 7" },
    };
    sdw_image *image = pattern(8, 8, 3);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        sdw_buf out;
        sdw_error err = { 0 };
        sdw_buf_init(&out, 0);
        assert_int_equal(sdw_image_encode(image, CASES[i].format, &CASES[i].options, &out, &err), SDW_INVALID);
        assert_non_null(strstr(err.text, CASES[i].word));
        assert_int_equal(out.size, 0);
        sdw_buf_finish(&out);
    }
    sdw_image_free(image);
}

static void a_file_cut_anywhere_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < FILE_COUNT; i++) {
        sdw_buf file;
        read_corpus(FILES[i].file, &file);
        for (size_t n = 0; n < file.size; n++) {
            /* A block of exactly n bytes, so that a sanitizer sees a read behind it. */
            uint8_t *cut = sdw_malloc(n ? n : 1);
            sdw_image *image = NULL;
            sdw_error err = { 0 };
            memcpy(cut, file.data, n);
            sdw_status status = sdw_image_decode(cut, n, NULL, &image, &err);
            if (status != SDW_FORMAT || image)
                fail_msg("%s cut to %zu of %zu bytes: %s %s", FILES[i].file, n, file.size, sdw_status_name(status),
                         err.text);
            sdw_free(cut);
        }
        sdw_buf_finish(&file);
    }
}

static void what_is_no_picture_of_ours_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        sdw_status status;
        const char *word;
    } CASES[] = {
        { "", 0, SDW_FORMAT, "empty" },
        { "GIF89a......", 12, SDW_UNSUPPORTED, "a GIF" },
        { "\0\0\0\x1c" "ftypavif", 12, SDW_UNSUPPORTED, "an AVIF" },
        { "version https://git-lfs", 23, SDW_UNSUPPORTED, "LFS pointer" },
        { "hello, world", 12, SDW_FORMAT, "no known picture format" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        sdw_image *image = NULL;
        sdw_error err = { 0 };
        sdw_image_decode_options o = { .what = "a.bin" };
        assert_int_equal(sdw_image_decode(CASES[i].bytes, CASES[i].size, &o, &image, &err), CASES[i].status);
        assert_non_null(strstr(err.text, CASES[i].word));
        assert_ptr_equal(strstr(err.text, "a.bin: "), err.text);
        assert_null(image);
    }
}

static void an_animation_is_refused(void **state)
{
    (void)state;
    sdw_buf file;
    sdw_image *image = NULL;
    sdw_error err = { 0 };
    read_corpus("webp/animated", &file);
    assert_int_equal(sdw_image_decode(file.data, file.size, NULL, &image, &err), SDW_UNSUPPORTED);
    assert_non_null(strstr(err.text, "animated"));
    sdw_buf_finish(&file);
}

static void a_failed_allocation_is_no_memory_and_leaks_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < FILE_COUNT; i++) {
        sdw_buf file;
        read_corpus(FILES[i].file, &file);
        sdw_status status = SDW_NO_MEMORY;
        for (size_t nth = 1; status != SDW_OK; nth++) {
            sdw_image *image = NULL;
            sdw_error err = { 0 };
            sdw_mem_fail_at(nth, true);
            status = sdw_image_decode(file.data, file.size, NULL, &image, &err);
            sdw_mem_fail_at(0, false);
            if (status != SDW_OK && (status != SDW_NO_MEMORY || image))
                fail_msg("%s, allocation %zu: %s %s", FILES[i].file, nth, sdw_status_name(status), err.text);
            sdw_image_free(image);
        }
        sdw_buf_finish(&file);
    }
}

static void encoding_without_memory_is_no_memory(void **state)
{
    (void)state;
    static const char *const FORMATS[] = { "png", "jpeg", "webp" };
    static const sdw_image_text TEXTS[] = { { "parameters", "a c\xc3\xa4t \xf0\x9f\x90\x88" }, { "sdw", "{}" } };
    sdw_image *image = pattern(8, 8, 3);
    for (size_t f = 0; f < 3; f++) {
        sdw_status status = SDW_NO_MEMORY;
        size_t nth = 1;
        for (; status != SDW_OK; nth++) {
            sdw_buf out;
            sdw_error err = { 0 };
            sdw_image_encode_options o = { .texts = TEXTS, .text_count = 2 };
            sdw_buf_init(&out, 0);
            sdw_mem_fail_at(nth, true);
            status = sdw_image_encode(image, FORMATS[f], &o, &out, &err);
            sdw_mem_fail_at(0, false);
            if (status != SDW_OK && status != SDW_NO_MEMORY)
                fail_msg("%s, allocation %zu: %s %s", FORMATS[f], nth, sdw_status_name(status), err.text);
            sdw_buf_finish(&out);
        }
        assert_true(nth > 2);
    }
    sdw_image_free(image);
}

static void formats_are_found_by_extension_and_listed(void **state)
{
    (void)state;
    assert_string_equal(sdw_image_format_of_path("a/b.PNG"), "png");
    assert_string_equal(sdw_image_format_of_path("b.jpeg"), "jpeg");
    assert_string_equal(sdw_image_format_of_path("b.c.jpg"), "jpeg");
    assert_string_equal(sdw_image_format_of_path("x.webp"), "webp");
    assert_null(sdw_image_format_of_path(".png"));
    assert_null(sdw_image_format_of_path("png"));
    assert_null(sdw_image_format_of_path("x.gif"));
    const char *summary = NULL, *mime = NULL;
    assert_string_equal(sdw_image_format_at(0, &summary, &mime), "jpeg");
    assert_string_equal(mime, "image/jpeg");
    assert_true(strlen(summary) > 0);
    assert_string_equal(sdw_image_format_at(2, NULL, NULL), "webp");
    assert_null(sdw_image_format_at(3, NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_file_gives_the_pixels_that_pillow_gives),
        cmocka_unit_test(alpha_is_kept_when_asked_for),
        cmocka_unit_test(orientation_can_be_left_alone),
        cmocka_unit_test(png_and_lossless_webp_keep_every_byte),
        cmocka_unit_test(lossy_formats_stay_close_and_quality_costs_bytes),
        cmocka_unit_test(encoding_appends_and_cuts_back_on_failure),
        cmocka_unit_test(wrong_options_are_named),
        cmocka_unit_test(a_file_cut_anywhere_is_refused),
        cmocka_unit_test(what_is_no_picture_of_ours_is_named),
        cmocka_unit_test(an_animation_is_refused),
        cmocka_unit_test(a_failed_allocation_is_no_memory_and_leaks_nothing),
        cmocka_unit_test(encoding_without_memory_is_no_memory),
        cmocka_unit_test(formats_are_found_by_extension_and_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
