/* Scaling against Pillow's bytes, and what does not need Pillow to be known. */
#include "support.h"

#include "image/resize.h"
#include "vectors.h"

static sdw_image *resized(const sdw_image *image, int width, int height, sdw_filter filter)
{
    sdw_error err = { 0 };
    sdw_image *to = NULL;
    if (sdw_image_resize(image, width, height, filter, &to, &err) != SDW_OK) fail_msg("%s", err.text);
    assert_int_equal(to->width, width);
    assert_int_equal(to->height, height);
    assert_int_equal(to->channels, image->channels);
    return to;
}

static void every_filter_gives_the_bytes_of_pillow(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof RESIZES / sizeof RESIZES[0]; i++) {
        sdw_image *from = pattern(RESIZES[i].width, RESIZES[i].height, RESIZES[i].channels);
        sdw_image *to = resized(from, RESIZES[i].to_width, RESIZES[i].to_height, RESIZES[i].filter);
        if (fnv(to->pixels, sdw_image_bytes(to)) != RESIZES[i].hash)
            fail_msg("%s %dx%dx%d to %dx%d differs", sdw_filter_name(RESIZES[i].filter), from->width, from->height,
                     from->channels, to->width, to->height);
        sdw_image_free(from);
        sdw_image_free(to);
    }
}

static void a_small_lanczos_is_known_in_full(void **state)
{
    (void)state;
    sdw_image *from = pattern(9, 3, 1), *to = resized(from, 5, 4, SDW_FILTER_LANCZOS);
    assert_memory_equal(to->pixels, LANCZOS_5X4, sizeof LANCZOS_5X4);
    sdw_image_free(from);
    sdw_image_free(to);
}

static void a_flat_picture_stays_flat_in_every_filter(void **state)
{
    (void)state;
    sdw_image *from = pattern(33, 21, 3);
    memset(from->pixels, 201, sdw_image_bytes(from));
    for (int f = 0; f < SDW_FILTER_COUNT; f++) {
        sdw_image *to = resized(from, 50, 7, (sdw_filter)f);
        for (size_t i = 0; i < sdw_image_bytes(to); i++) assert_int_equal(to->pixels[i], 201);
        sdw_image_free(to);
    }
    sdw_image_free(from);
}

static void each_channel_is_scaled_by_itself(void **state)
{
    (void)state;
    sdw_image *one = pattern(20, 15, 1), *four = pattern(20, 15, 4);
    for (int i = 0; i < 20 * 15; i++) four->pixels[4 * i + 3] = one->pixels[i];
    sdw_image *small_one = resized(one, 9, 11, SDW_FILTER_BICUBIC);
    sdw_image *small_four = resized(four, 9, 11, SDW_FILTER_BICUBIC);
    for (int i = 0; i < 9 * 11; i++) assert_int_equal(small_four->pixels[4 * i + 3], small_one->pixels[i]);
    sdw_image_free(one);
    sdw_image_free(four);
    sdw_image_free(small_one);
    sdw_image_free(small_four);
}

static void the_two_nearest_differ_where_they_should(void **state)
{
    (void)state;
    sdw_image *from = pattern(6, 1, 1);
    for (int i = 0; i < 6; i++) from->pixels[i] = (uint8_t)i;
    sdw_image *centre = resized(from, 2, 1, SDW_FILTER_NEAREST), *floor = resized(from, 2, 1, SDW_FILTER_NEAREST_FLOOR);
    assert_memory_equal(centre->pixels, ((uint8_t[]){ 1, 4 }), 2);
    assert_memory_equal(floor->pixels, ((uint8_t[]){ 0, 3 }), 2);
    sdw_image *large = resized(from, 9, 1, SDW_FILTER_NEAREST_FLOOR);
    assert_memory_equal(large->pixels, ((uint8_t[]){ 0, 0, 1, 2, 2, 3, 4, 4, 5 }), 9);
    sdw_image_free(from);
    sdw_image_free(centre);
    sdw_image_free(floor);
    sdw_image_free(large);
}

static void the_largest_overshoot_is_clipped_not_wrapped(void **state)
{
    (void)state;
    sdw_image *from = pattern(16, 1, 1);
    for (int i = 0; i < 16; i++) from->pixels[i] = i % 4 < 2 ? 255 : 0;
    sdw_image *to = resized(from, 160, 1, SDW_FILTER_LANCZOS);
    assert_int_equal(to->pixels[5], 255);
    assert_int_equal(to->pixels[10], 255);
    assert_int_equal(to->pixels[30], 0);
    sdw_image_free(from);
    sdw_image_free(to);
}

static void wrong_sizes_and_filters_are_refused(void **state)
{
    (void)state;
    sdw_image *from = pattern(4, 4, 3), *to = NULL;
    assert_int_equal(sdw_image_resize(from, 0, 4, SDW_FILTER_BOX, &to, NULL), SDW_INVALID);
    assert_int_equal(sdw_image_resize(from, 4, 2, SDW_FILTER_COUNT, &to, NULL), SDW_INVALID);
    assert_int_equal(sdw_image_resize(from, 20000, 4, SDW_FILTER_BOX, &to, NULL), SDW_LIMIT);
    assert_null(to);
    sdw_image_free(from);
}

static void without_memory_nothing_is_left_behind(void **state)
{
    (void)state;
    sdw_image *from = pattern(8, 8, 3);
    for (int f = 0; f < SDW_FILTER_COUNT; f++) {
        sdw_status status = SDW_NO_MEMORY;
        for (size_t nth = 1; status != SDW_OK; nth++) {
            sdw_image *to = NULL;
            sdw_mem_fail_at(nth, false);
            status = sdw_image_resize(from, 5, 5, (sdw_filter)f, &to, NULL);
            sdw_mem_fail_at(0, false);
            assert_true(status == SDW_OK ? to != NULL : status == SDW_NO_MEMORY && !to);
            sdw_image_free(to);
        }
    }
    sdw_image_free(from);
}

static void filters_have_names(void **state)
{
    (void)state;
    for (int f = 0; f < SDW_FILTER_COUNT; f++) assert_int_equal(sdw_filter_from_name(sdw_filter_name((sdw_filter)f)), f);
    assert_int_equal(sdw_filter_from_name("hamming"), -1);
    assert_string_equal(sdw_filter_name(SDW_FILTER_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_filter_gives_the_bytes_of_pillow),
        cmocka_unit_test(a_small_lanczos_is_known_in_full),
        cmocka_unit_test(a_flat_picture_stays_flat_in_every_filter),
        cmocka_unit_test(each_channel_is_scaled_by_itself),
        cmocka_unit_test(the_two_nearest_differ_where_they_should),
        cmocka_unit_test(the_largest_overshoot_is_clipped_not_wrapped),
        cmocka_unit_test(wrong_sizes_and_filters_are_refused),
        cmocka_unit_test(without_memory_nothing_is_left_behind),
        cmocka_unit_test(filters_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
