/* Every limit, at it and one past it, before pixels are allocated. */
#include "support.h"

#include <sys/resource.h>

#include "core/limits.h"
#include "image/budget.h"

static const char *const FORMATS[] = { "png", "jpeg", "webp" };

static void limits_hold_at_and_past_for_each_format(void **state)
{
    (void)state;
    sdw_image *image = pattern(30, 20, 3);
    for (size_t f = 0; f < 3; f++) {
        sdw_buf file;
        encode_ok(image, FORMATS[f], NULL, &file);
        const struct {
            sdw_image_limits limits;
            sdw_status status;
        } CASES[] = {
            { { .bytes_max = file.size }, SDW_OK },  { { .bytes_max = file.size - 1 }, SDW_LIMIT },
            { { .side_max = 30 }, SDW_OK },          { { .side_max = 29 }, SDW_LIMIT },
            { { .pixels_max = 600 }, SDW_OK },       { { .pixels_max = 599 }, SDW_LIMIT },
        };
        for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
            sdw_image *back = NULL;
            sdw_image_info info = { 0 };
            sdw_error err = { 0 };
            sdw_image_decode_options o = { .what = "x", .limits = CASES[i].limits };
            if (sdw_image_decode(file.data, file.size, &o, &back, &err) != CASES[i].status)
                fail_msg("%s, case %zu: %s", FORMATS[f], i, err.text);
            assert_int_equal(sdw_image_probe(file.data, file.size, &o, &info, NULL), CASES[i].status);
            assert_int_equal(info.width, CASES[i].status == SDW_OK ? 30 : 0);
            assert_true((back != NULL) == (CASES[i].status == SDW_OK));
            sdw_image_free(back);
        }
        sdw_buf_finish(&file);
    }
    sdw_image_free(image);
}

/* Headers alone: a decoder that believed them would allocate gigabytes. */
static void put_png_bomb(sdw_buf *out, unsigned width, unsigned height)
{
    const uint8_t header[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13, 'I', 'H', 'D', 'R',
                               (uint8_t)(width >> 24), (uint8_t)(width >> 16), (uint8_t)(width >> 8), (uint8_t)width,
                               (uint8_t)(height >> 24), (uint8_t)(height >> 16), (uint8_t)(height >> 8),
                               (uint8_t)height, 8, 2, 0, 0, 0, 0, 0, 0, 0 };
    sdw_buf_append(out, header, sizeof header);
}

static void put_jpeg_bomb(sdw_buf *out, unsigned width, unsigned height)
{
    const uint8_t header[] = { 0xFF, 0xD8, 0xFF, 0xC2, 0, 17, 8, (uint8_t)(height >> 8), (uint8_t)height,
                               (uint8_t)(width >> 8), (uint8_t)width, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0,
                               0xFF, 0xDA, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 63, 0, 0xFF, 0xD9 };
    sdw_buf_append(out, header, sizeof header);
}

/* Lossless: signature 0x2F, then 14 bits each of width - 1 and height - 1. */
static void put_webp_bomb(sdw_buf *out, unsigned width, unsigned height)
{
    uint32_t bits = (width - 1) | (height - 1) << 14;
    const uint8_t file[] = { 'R', 'I', 'F', 'F', 18, 0, 0, 0, 'W', 'E', 'B', 'P', 'V', 'P', '8', 'L', 5, 0, 0, 0, 0x2F,
                             (uint8_t)bits, (uint8_t)(bits >> 8), (uint8_t)(bits >> 16), (uint8_t)(bits >> 24), 0 };
    sdw_buf_append(out, file, sizeof file);
}

static void a_bomb_is_refused_before_anything_is_allocated(void **state)
{
    (void)state;
    static const struct {
        void (*put)(sdw_buf *out, unsigned width, unsigned height);
        unsigned width, height;
        const char *says;
    } BOMBS[] = {
        { put_png_bomb, 30000, 30000, "30000x30000" },  { put_png_bomb, 16384, 16384, "268435456 pixels" },
        { put_png_bomb, 16385, 1, "16385x1" },          { put_jpeg_bomb, 65000, 65000, "65000x65000" },
        { put_jpeg_bomb, 16384, 16384, "268435456" },   { put_webp_bomb, 16383, 16383, "268402689" },
    };
    for (size_t i = 0; i < sizeof BOMBS / sizeof BOMBS[0]; i++) {
        sdw_buf file;
        sdw_error err = { 0 };
        sdw_image *image = NULL;
        sdw_buf_init(&file, 0);
        BOMBS[i].put(&file, BOMBS[i].width, BOMBS[i].height);
        sdw_mem_fail_at(0, false);
        sdw_status status = sdw_image_decode(file.data, file.size, NULL, &image, &err);
        assert_int_equal(sdw_mem_count(), 0);
        if (status != SDW_LIMIT || !strstr(err.text, BOMBS[i].says))
            fail_msg("bomb %zu: %s %s", i, sdw_status_name(status), err.text);
        sdw_buf_finish(&file);
    }
}

/* Behind a good header a text chunk that claims 970 MB; both paths must give up without asking for them. */
static void a_chunk_that_claims_gigabytes_is_not_believed(void **state)
{
    (void)state;
    sdw_buf file;
    char *text = NULL;
    sdw_image *image = NULL;
    read_corpus("png/texts", &file);
    static const char *const NAMES[] = { "tEXt", "iTXt", "zTXt" };
    for (size_t i = 0; i < 3; i++) {
        size_t at = 0;
        while (memcmp(file.data + at, NAMES[i], 4) != 0) at++;
        file.data[at - 4] = 0x3a;
        assert_int_equal(sdw_image_read_text(file.data, file.size, NULL, "none", &text, NULL), SDW_FORMAT);
        assert_int_equal(sdw_image_decode(file.data, file.size, NULL, &image, NULL), SDW_FORMAT);
        file.data[at - 4] = 0;
    }
    struct rusage use;
    assert_int_equal(getrusage(RUSAGE_SELF, &use), 0);
    assert_true(use.ru_maxrss < 900 * 1024); /* KiB; under a sanitizer an allocation is touched */
    assert_int_equal(sdw_image_decode(file.data, file.size, NULL, &image, NULL), SDW_OK);
    sdw_image_free(image);
    sdw_buf_finish(&file);
}

static void a_png_that_claims_no_pixels_or_too_many_bits_is_damaged(void **state)
{
    (void)state;
    static const unsigned WIDTHS[] = { 0, 0x80000000u };
    for (size_t i = 0; i < 2; i++) {
        sdw_buf file;
        sdw_image *image = NULL;
        sdw_buf_init(&file, 0);
        put_png_bomb(&file, WIDTHS[i], 4);
        assert_int_equal(sdw_image_decode(file.data, file.size, NULL, &image, NULL), SDW_FORMAT);
        sdw_buf_finish(&file);
    }
}

static void pixels_being_decoded_elsewhere_count(void **state)
{
    (void)state;
    sdw_buf file;
    sdw_error err = { 0 };
    sdw_image *image = pattern(10, 10, 3), *back = NULL;
    encode_ok(image, "png", NULL, &file);
    assert_int_equal(sdw_image_budget_enter(SDW_LIMIT_IMAGE_PIXELS_DECODING - 99, "other", &err), SDW_OK);
    assert_int_equal(sdw_image_decode(file.data, file.size, NULL, &back, &err), SDW_BUSY);
    sdw_image_budget_leave(SDW_LIMIT_IMAGE_PIXELS_DECODING - 99);
    assert_int_equal(sdw_image_budget_enter(SDW_LIMIT_IMAGE_PIXELS_DECODING - 100, "other", &err), SDW_OK);
    assert_int_equal(sdw_image_decode(file.data, file.size, NULL, &back, &err), SDW_OK);
    sdw_image_free(back);
    back = NULL;
    /* A failed decode gives its share back. */
    assert_int_equal(sdw_image_decode(file.data, file.size - 20, NULL, &back, &err), SDW_FORMAT);
    assert_int_equal(sdw_image_decode(file.data, file.size, NULL, &back, &err), SDW_OK);
    sdw_image_budget_leave(SDW_LIMIT_IMAGE_PIXELS_DECODING - 100);
    sdw_image_free(back);
    sdw_image_free(image);
    sdw_buf_finish(&file);
}

static void pictures_have_sides_channels_and_a_maximum(void **state)
{
    (void)state;
    static const struct {
        int width, height, channels;
        sdw_status status;
    } CASES[] = {
        { 0, 1, 3, SDW_INVALID }, { 1, -1, 3, SDW_INVALID },      { 1, 1, 0, SDW_INVALID },
        { 1, 1, 5, SDW_INVALID }, { 16384, 1, 1, SDW_OK },        { 16385, 1, 1, SDW_LIMIT },
        { 1, 16385, 1, SDW_LIMIT }, { 16384, 4097, 1, SDW_LIMIT },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        sdw_image *image = NULL;
        assert_int_equal(sdw_image_create(CASES[i].width, CASES[i].height, CASES[i].channels, &image, NULL),
                         CASES[i].status);
        assert_true((image != NULL) == (CASES[i].status == SDW_OK));
        sdw_image_free(image);
    }
    sdw_image_free(NULL);
}

static void a_side_the_format_cannot_hold_is_refused(void **state)
{
    (void)state;
    sdw_buf out;
    sdw_error err = { 0 };
    sdw_buf_init(&out, 0);
    sdw_image *image = pattern(16384, 1, 1);
    assert_int_equal(sdw_image_encode(image, "webp", NULL, &out, &err), SDW_UNSUPPORTED);
    assert_non_null(strstr(err.text, "16383"));
    assert_int_equal(sdw_image_encode(image, "png", NULL, &out, &err), SDW_OK);
    sdw_image_free(image);
    sdw_buf_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_hold_at_and_past_for_each_format),
        cmocka_unit_test(a_bomb_is_refused_before_anything_is_allocated),
        cmocka_unit_test(a_chunk_that_claims_gigabytes_is_not_believed),
        cmocka_unit_test(a_png_that_claims_no_pixels_or_too_many_bits_is_damaged),
        cmocka_unit_test(pixels_being_decoded_elsewhere_count),
        cmocka_unit_test(pictures_have_sides_channels_and_a_maximum),
        cmocka_unit_test(a_side_the_format_cannot_hold_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
