/* Masks: threshold, blur against Pillow, regions, paste-back. */
#include "support.h"

#include <math.h>

#include "image/mask.h"
#include "vectors.h"

static sdw_image *black(int width, int height)
{
    sdw_image *mask = NULL;
    assert_int_equal(sdw_image_create(width, height, 1, &mask, NULL), SDW_OK);
    return mask;
}

static void paint(sdw_image *mask, sdw_box b, uint8_t value)
{
    for (int y = b.y; y < b.y + b.height; y++) memset(mask->pixels + y * mask->width + b.x, value, (size_t)b.width);
}

static void half_and_more_is_repainted(void **state)
{
    (void)state;
    sdw_image *mask = black(4, 1);
    memcpy(mask->pixels, ((uint8_t[]){ 0, 127, 128, 255 }), 4);
    sdw_mask_threshold(mask);
    assert_memory_equal(mask->pixels, ((uint8_t[]){ 0, 0, 255, 255 }), 4);
    mask->pixels[0] = 3;
    sdw_mask_invert(mask);
    assert_memory_equal(mask->pixels, ((uint8_t[]){ 252, 255, 0, 0 }), 4);
    sdw_image_free(mask);
}

static void the_blur_gives_the_bytes_of_pillow(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof BLURS / sizeof BLURS[0]; i++) {
        sdw_image *mask = pattern(BLURS[i].width, BLURS[i].height, 1);
        sdw_mask_threshold(mask);
        assert_int_equal(sdw_mask_blur(mask, BLURS[i].radius, NULL), SDW_OK);
        if (fnv(mask->pixels, sdw_image_bytes(mask)) != BLURS[i].hash)
            fail_msg("blur %g of %dx%d differs", (double)BLURS[i].radius, BLURS[i].width, BLURS[i].height);
        sdw_image_free(mask);
    }
}

static void a_blur_of_nothing_changes_nothing_and_a_wrong_one_is_refused(void **state)
{
    (void)state;
    sdw_image *mask = pattern(9, 9, 1), *rgb = pattern(9, 9, 3);
    uint64_t before = fnv(mask->pixels, 81);
    sdw_error err = { 0 };
    assert_int_equal(sdw_mask_blur(mask, 0, &err), SDW_OK);
    static const float WRONG[] = { -1, 1001, NAN };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(sdw_mask_blur(mask, WRONG[i], &err), SDW_INVALID);
        assert_string_equal(err.field, "mask_blur");
    }
    sdw_mem_fail_at(1, true);
    assert_int_equal(sdw_mask_blur(mask, 2, &err), SDW_NO_MEMORY);
    sdw_mem_fail_at(0, false);
    assert_true(fnv(mask->pixels, 81) == before);
    assert_int_equal(sdw_mask_blur(rgb, 2, &err), SDW_INVALID);
    sdw_image_free(mask);
    sdw_image_free(rgb);
}

static void a_mask_of_another_size_is_scaled_if_the_aspect_agrees(void **state)
{
    (void)state;
    sdw_error err = { 0 };
    sdw_image *mask = black(4, 2), *fitted = NULL;
    paint(mask, (sdw_box){ 2, 0, 2, 2 }, 255);
    assert_int_equal(sdw_mask_fit(mask, 8, 4, &fitted, &err), SDW_OK);
    for (int i = 0; i < 32; i++) assert_int_equal(fitted->pixels[i], i % 8 >= 4 ? 255 : 0);
    sdw_image_free(fitted);
    fitted = NULL;
    assert_int_equal(sdw_mask_fit(mask, 8, 5, &fitted, &err), SDW_INVALID);
    assert_string_equal(err.field, "mask");
    assert_non_null(strstr(err.text, "4x2"));
    assert_non_null(strstr(err.text, "8x5"));
    assert_null(fitted);
    sdw_image_free(mask);
}

static void bounds_hold_every_painted_pixel(void **state)
{
    (void)state;
    sdw_box b = { 9, 9, 9, 9 };
    sdw_image *mask = black(20, 10);
    assert_false(sdw_mask_bounds(mask, &b));
    assert_int_equal(b.x, 9);
    mask->pixels[3 * 20 + 7] = 1;
    assert_true(sdw_mask_bounds(mask, &b));
    assert_memory_equal(&b, (&(sdw_box){ 7, 3, 1, 1 }), sizeof b);
    mask->pixels[0] = 255;
    mask->pixels[9 * 20 + 4] = 255;
    assert_true(sdw_mask_bounds(mask, &b));
    assert_memory_equal(&b, (&(sdw_box){ 0, 0, 8, 10 }), sizeof b);
    sdw_image_free(mask);
}

static void the_region_is_padded_widened_and_pushed_inside(void **state)
{
    (void)state;
    static const struct {
        sdw_box painted;
        int padding, work_width, work_height;
        sdw_box want;
    } CASES[] = {
        /* picture 200x100 */
        { { 90, 40, 20, 20 }, 0, 512, 512, { 90, 40, 20, 20 } },
        { { 90, 40, 20, 20 }, 8, 512, 512, { 82, 32, 36, 36 } },
        { { 90, 40, 20, 10 }, 0, 512, 512, { 90, 35, 20, 20 } },
        { { 90, 40, 11, 20 }, 0, 512, 512, { 86, 40, 20, 20 } },
        { { 0, 40, 10, 20 }, 0, 512, 512, { 0, 40, 20, 20 } },
        { { 190, 0, 10, 20 }, 0, 512, 512, { 180, 0, 20, 20 } },
        { { 50, 95, 40, 5 }, 4, 512, 512, { 46, 52, 48, 48 } },
        { { 10, 0, 150, 100 }, 0, 512, 512, { 10, 0, 150, 100 } },
        { { 0, 0, 200, 100 }, 32, 64, 2048, { 0, 0, 200, 100 } },
        { { 5, 5, 2, 2 }, 2147483647, 512, 512, { 0, 0, 200, 100 } },
        { { 90, 40, 20, 20 }, 0, 768, 512, { 85, 40, 30, 20 } },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        sdw_image *mask = black(200, 100);
        sdw_box b = { 0 };
        paint(mask, CASES[i].painted, 255);
        assert_true(sdw_mask_region(mask, CASES[i].padding, CASES[i].work_width, CASES[i].work_height, &b));
        if (memcmp(&b, &CASES[i].want, sizeof b) != 0)
            fail_msg("case %zu: %dx%d at (%d, %d)", i, b.width, b.height, b.x, b.y);
        sdw_image_free(mask);
    }
    sdw_image *mask = black(4, 4);
    sdw_box b;
    assert_false(sdw_mask_region(mask, 8, 512, 512, &b));
    sdw_image_free(mask);
}

static void paste_back_keeps_what_the_mask_keeps(void **state)
{
    (void)state;
    sdw_image *base = pattern(6, 4, 3), *before = NULL, *top = pattern(3, 2, 3), *mask = black(3, 2);
    assert_int_equal(sdw_image_clone(base, &before, NULL), SDW_OK);
    for (int i = 0; i < 18; i++) top->pixels[i] = (uint8_t)(255 - i);
    memcpy(mask->pixels, ((uint8_t[]){ 0, 255, 128, 0, 1, 254 }), 6);
    assert_int_equal(sdw_image_composite(base, top, mask, 2, 1, NULL), SDW_OK);
    for (int y = 0; y < 4; y++) {
        for (int x = 0; x < 6; x++) {
            bool inside = x >= 2 && x < 5 && y >= 1 && y < 3;
            int at = inside ? (y - 1) * 3 + x - 2 : 0, m = inside ? mask->pixels[at] : 0;
            for (int c = 0; c < 3; c++) {
                int was = before->pixels[(y * 6 + x) * 3 + c], over = top->pixels[at * 3 + c];
                /* Rounded to nearest: (n + 255 / 2) / 255. */
                assert_int_equal(base->pixels[(y * 6 + x) * 3 + c], (was * (255 - m) + over * m + 127) / 255);
            }
        }
    }
    assert_int_equal(sdw_image_composite(base, top, mask, 4, 1, NULL), SDW_INVALID);
    assert_int_equal(sdw_image_composite(base, top, mask, -1, 0, NULL), SDW_INVALID);
    assert_int_equal(sdw_image_composite(base, mask, mask, 0, 0, NULL), SDW_INVALID);
    assert_int_equal(sdw_image_composite(base, top, top, 0, 0, NULL), SDW_INVALID);
    sdw_image_free(base);
    sdw_image_free(before);
    sdw_image_free(top);
    sdw_image_free(mask);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_and_more_is_repainted),
        cmocka_unit_test(the_blur_gives_the_bytes_of_pillow),
        cmocka_unit_test(a_blur_of_nothing_changes_nothing_and_a_wrong_one_is_refused),
        cmocka_unit_test(a_mask_of_another_size_is_scaled_if_the_aspect_agrees),
        cmocka_unit_test(bounds_hold_every_painted_pixel),
        cmocka_unit_test(the_region_is_padded_widened_and_pushed_inside),
        cmocka_unit_test(paste_back_keeps_what_the_mask_keeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
