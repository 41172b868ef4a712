/* The demo model draws what diffusers draws with it, in each mode, and the same bytes each time. The pictures in
 * data/ come from make_demo_pictures.py, which makes these requests of diffusers. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/tiny.h"
#include "image/file.h"

enum { SIDE = 256, STEPS = 6, LEVELS = 2 }; /* levels of 255 that 99 % of the values may lie apart */

static sdw_image *read_picture(const char *folder, const char *name, int channels)
{
    char path[4096];
    sdw_error err = { 0 };
    sdw_image *image = NULL;
    const sdw_image_decode_options how = { .channels = channels };
    snprintf(path, sizeof path, "%s/%s/%s", getenv("SDW_SOURCE_DIR"), folder, name);
    if (sdw_image_decode_file(path, &how, &image, &err) != SDW_OK) fail_msg("%s", err.text);
    assert_int_equal(image->width, SIDE);
    assert_int_equal(image->height, SIDE);
    return image;
}

static sdw_picture picture_of(const sdw_image *image)
{
    return (sdw_picture){ .width = image->width, .height = image->height, .channels = image->channels, .pixels = image->pixels };
}

/* At least 99 % of the values within LEVELS, as between any two implementations. */
static void assert_near(const sdw_picture *have, const char *name)
{
    sdw_image *want = read_picture("tests/engine/data", name, 3);
    size_t far = 0, count = sdw_image_bytes(want);
    int worst = 0;
    assert_int_equal(have->width, SIDE);
    assert_int_equal(have->height, SIDE);
    assert_int_equal(have->channels, 3);
    for (size_t i = 0; i < count; i++) {
        int apart = abs(have->pixels[i] - want->pixels[i]);
        far += apart > LEVELS;
        if (apart > worst) worst = apart;
    }
    if (far * 100 > count) fail_msg("%s: %zu of %zu values are more than %d levels apart, the worst %d", name, far, count, LEVELS, worst);
    sdw_image_free(want);
}

static sdw_params request(const char *prompt)
{
    sdw_params p;
    sdw_params_init(&p);
    p.prompt = prompt;
    p.negative_prompt = "";
    p.steps = STEPS;
    p.guidance = 4.0;
    p.seed = 7;
    p.has_seed = 1;
    return p;
}

static int open_demo(void **state)
{
    const char *model = getenv("SDW_DEMO_MODEL");
    assert_non_null(model);
    *state = tiny_open(model, NULL);
    return 0;
}

static int close_demo(void **state)
{
    sdw_engine_close(*state);
    return 0;
}

static void text_to_picture(void **state)
{
    sdw_params p = request("3d red apple on a teal background");
    sdw_result *r = tiny_generate(*state, &p);
    assert_near(&r->images[0], "demo-text.png");
    sdw_result_free(r);
}

static void picture_to_picture(void **state)
{
    sdw_params p = request("3d green apple on a teal background");
    sdw_image *start = read_picture("tests/engine/data", "demo-text.png", 3);
    sdw_picture init = picture_of(start);
    p.init_image = &init;
    p.strength = 0.7;
    sdw_result *r = tiny_generate(*state, &p);
    assert_near(&r->images[0], "demo-image.png");
    sdw_result_free(r);
    sdw_image_free(start);
}

static void inpainting(void **state)
{
    sdw_params p = request("flat smiling face on a teal background");
    sdw_image *start = read_picture("tests/engine/data", "demo-text.png", 3), *white = read_picture("demo/photos", "coffee-mask.png", 1);
    sdw_picture init = picture_of(start), mask = picture_of(white);
    p.init_image = &init;
    p.mask = &mask;
    p.strength = 0.9;
    p.paste_back = 0; /* as diffusers: the rest goes through the VAE too */
    sdw_result *r = tiny_generate(*state, &p);
    assert_near(&r->images[0], "demo-inpaint.png");
    sdw_result_free(r);
    sdw_image_free(start);
    sdw_image_free(white);
}

static void the_same_seed_gives_the_same_bytes(void **state)
{
    sdw_params p = request("classic rocket on a blue background");
    p.steps = 2;
    sdw_engine *other = tiny_open(getenv("SDW_DEMO_MODEL"), &(sdw_engine_options){ .threads = 1 });
    sdw_result *first = tiny_generate(*state, &p), *again = tiny_generate(other, &p);
    assert_true(tiny_same(&first->images[0], &again->images[0]));
    p.seed = 8;
    sdw_result *another = tiny_generate(*state, &p);
    assert_false(tiny_same(&first->images[0], &another->images[0]));
    sdw_result_free(first);
    sdw_result_free(again);
    sdw_result_free(another);
    sdw_engine_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_to_picture),
        cmocka_unit_test(picture_to_picture),
        cmocka_unit_test(inpainting),
        cmocka_unit_test(the_same_seed_gives_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, open_demo, close_demo);
}
