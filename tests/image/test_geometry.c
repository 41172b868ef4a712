/* Orientation, crop, pad, fit, sizes. */
#include "support.h"

#include "image/geometry.h"

/* A picture of one channel from digits; rows are separated by '/'. */
static sdw_image *digits(int width, int height, const char *text)
{
    sdw_image *image = NULL;
    assert_int_equal(sdw_image_create(width, height, 1, &image, NULL), SDW_OK);
    uint8_t *p = image->pixels;
    for (; *text; text++)
        if (*text != '/') *p++ = (uint8_t)(*text - '0');
    return image;
}

static void assert_digits(sdw_image *image, int width, int height, const char *text)
{
    sdw_image *want = digits(width, height, text);
    assert_int_equal(image->width, width);
    assert_int_equal(image->height, height);
    assert_memory_equal(image->pixels, want->pixels, sdw_image_bytes(want));
    sdw_image_free(want);
    sdw_image_free(image);
}

static void each_orientation_is_turned_upright(void **state)
{
    (void)state;
    /* What a camera stored for the upright picture 123/456 under each value, EXIF 2.32 4.6.4. */
    static const struct {
        const char *stored;
        int width, height;
    } CASES[] = {
        { "123/456", 3, 2 }, { "123/456", 3, 2 }, { "321/654", 3, 2 }, { "654/321", 3, 2 }, { "456/123", 3, 2 },
        { "14/25/36", 2, 3 }, { "36/25/14", 2, 3 }, { "63/52/41", 2, 3 }, { "41/52/63", 2, 3 }, { "123/456", 3, 2 },
    };
    for (int i = 0; i < 10; i++) {
        sdw_image *image = digits(CASES[i].width, CASES[i].height, CASES[i].stored);
        assert_int_equal(sdw_image_orient(&image, i, NULL), SDW_OK);
        assert_digits(image, 3, 2, "123/456");
    }
}

static void orientation_moves_whole_pixels(void **state)
{
    (void)state;
    sdw_image *image = pattern(5, 4, 3), *turned = NULL;
    assert_int_equal(sdw_image_clone(image, &turned, NULL), SDW_OK);
    assert_int_equal(sdw_image_orient(&turned, 6, NULL), SDW_OK);
    assert_memory_equal(turned->pixels, image->pixels + 3 * 5 * 3, 3);
    assert_int_equal(sdw_image_orient(&turned, 8, NULL), SDW_OK);
    assert_memory_equal(turned->pixels, image->pixels, sdw_image_bytes(image));
    sdw_image_free(image);
    sdw_image_free(turned);
}

static void a_failed_turn_keeps_the_picture(void **state)
{
    (void)state;
    sdw_image *image = digits(2, 1, "12"), *before = image;
    sdw_mem_fail_at(1, true);
    assert_int_equal(sdw_image_orient(&image, 6, NULL), SDW_NO_MEMORY);
    sdw_mem_fail_at(0, false);
    assert_ptr_equal(image, before);
    assert_digits(image, 2, 1, "12");
}

static void a_crop_lies_inside(void **state)
{
    (void)state;
    sdw_image *image = digits(3, 3, "123/456/789"), *part = NULL;
    assert_int_equal(sdw_image_crop(image, (sdw_box){ 1, 1, 2, 2 }, &part, NULL), SDW_OK);
    assert_digits(part, 2, 2, "56/89");
    static const sdw_box OUTSIDE[] = { { 2, 0, 2, 1 }, { 0, -1, 1, 1 }, { 0, 0, 0, 1 }, { 0, 3, 1, 1 },
                                       { 1, 0, INT32_MAX, 1 } };
    for (size_t i = 0; i < sizeof OUTSIDE / sizeof OUTSIDE[0]; i++)
        assert_int_equal(sdw_image_crop(image, OUTSIDE[i], &part, NULL), SDW_INVALID);
    sdw_image_free(image);
}

static void a_canvas_repeats_the_edges(void **state)
{
    (void)state;
    static const struct {
        int x, y, width, height;
        const char *want;
    } CASES[] = {
        { 1, 1, 4, 4, "1122/1122/3344/3344" }, { 0, 0, 2, 2, "12/34" }, { -1, 0, 2, 1, "22" },
        { 5, 0, 2, 1, "11" },                  { -9, -9, 1, 2, "4/4" }, { INT32_MAX, INT32_MIN, 1, 1, "3" },
    };
    sdw_image *image = digits(2, 2, "12/34");
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        sdw_image *canvas = NULL;
        assert_int_equal(sdw_image_place(image, CASES[i].x, CASES[i].y, CASES[i].width, CASES[i].height, &canvas, NULL),
                         SDW_OK);
        assert_digits(canvas, CASES[i].width, CASES[i].height, CASES[i].want);
    }
    sdw_image_free(image);
}

static void fits_are_placed_as_a1111_places_them(void **state)
{
    (void)state;
    static const struct {
        int from_width, from_height, to_width, to_height;
        sdw_fit fit;
        sdw_box want;
    } CASES[] = {
        { 100, 50, 64, 64, SDW_FIT_STRETCH, { 0, 0, 64, 64 } },
        { 100, 50, 64, 64, SDW_FIT_CROP, { -32, 0, 128, 64 } },
        { 100, 50, 64, 64, SDW_FIT_PAD, { 0, 16, 64, 32 } },
        { 50, 100, 64, 64, SDW_FIT_CROP, { 0, -32, 64, 128 } },
        { 50, 100, 64, 64, SDW_FIT_PAD, { 16, 0, 32, 64 } },
        { 300, 200, 96, 64, SDW_FIT_CROP, { 0, 0, 96, 64 } },
        { 101, 57, 64, 48, SDW_FIT_CROP, { -10, 0, 85, 48 } },
        { 10000, 1, 64, 64, SDW_FIT_PAD, { 0, 32, 64, 1 } },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        sdw_box box = sdw_fit_box(CASES[i].from_width, CASES[i].from_height, CASES[i].to_width, CASES[i].to_height,
                                  CASES[i].fit);
        if (memcmp(&box, &CASES[i].want, sizeof box) != 0)
            fail_msg("case %zu: %dx%d at (%d, %d)", i, box.width, box.height, box.x, box.y);
    }
}

static void a_fitted_picture_has_the_size_asked_for(void **state)
{
    (void)state;
    sdw_image *image = pattern(30, 10, 3);
    for (int fit = 0; fit < SDW_FIT_COUNT; fit++) {
        sdw_image *to = NULL;
        assert_int_equal(sdw_image_fit(image, 16, 16, (sdw_fit)fit, SDW_FILTER_NEAREST, &to, NULL), SDW_OK);
        assert_int_equal(to->width, 16);
        assert_int_equal(to->height, 16);
        /* Cropped from 48x16 at column 16, which is column 10; padded from 16x5, whose first row is row 1. */
        const uint8_t *edge = image->pixels + 3 * (fit == SDW_FIT_CROP ? 10 : 30);
        if (fit != SDW_FIT_STRETCH) assert_memory_equal(to->pixels, edge, 3);
        sdw_image_free(to);
        assert_int_equal(sdw_fit_from_name(sdw_fit_name((sdw_fit)fit)), fit);
    }
    sdw_image *none = NULL;
    assert_int_equal(sdw_image_fit(image, 0, 16, SDW_FIT_CROP, SDW_FILTER_BOX, &none, NULL), SDW_INVALID);
    assert_int_equal(sdw_fit_from_name("fill"), -1);
    sdw_image_free(image);
}

static void open_sides_are_floored_to_eight_and_keep_the_aspect(void **state)
{
    (void)state;
    static const int CASES[][6] = {
        /* from, wanted, given */
        { 513, 519, 0, 0, 512, 512 },     { 512, 768, 0, 0, 512, 768 }, { 1000, 500, 512, 0, 512, 256 },
        { 1000, 503, 512, 0, 512, 256 },  { 500, 1000, 0, 512, 256, 512 }, { 640, 480, 100, 0, 100, 72 },
        { 640, 480, 64, 960, 64, 960 },   { 3, 5, 0, 0, 8, 8 },         { 16384, 1, 0, 2048, 33554432, 2048 },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const int *c = CASES[i];
        int width = 0, height = 0;
        sdw_fit_size(c[0], c[1], c[2], c[3], &width, &height);
        if (width != c[4] || height != c[5]) fail_msg("case %zu: %dx%d", i, width, height);
    }
}

static void aspects_differ_beyond_one_percent(void **state)
{
    (void)state;
    assert_false(sdw_aspect_differs(512, 512, 1024, 1024));
    assert_false(sdw_aspect_differs(100, 100, 101, 100));
    assert_true(sdw_aspect_differs(1000, 1000, 1011, 1000));
    assert_true(sdw_aspect_differs(1000, 1000, 1000, 1011));
    assert_true(sdw_aspect_differs(512, 768, 768, 512));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_orientation_is_turned_upright),
        cmocka_unit_test(orientation_moves_whole_pixels),
        cmocka_unit_test(a_failed_turn_keeps_the_picture),
        cmocka_unit_test(a_crop_lies_inside),
        cmocka_unit_test(a_canvas_repeats_the_edges),
        cmocka_unit_test(fits_are_placed_as_a1111_places_them),
        cmocka_unit_test(a_fitted_picture_has_the_size_asked_for),
        cmocka_unit_test(open_sides_are_floored_to_eight_and_keep_the_aspect),
        cmocka_unit_test(aspects_differ_beyond_one_percent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
