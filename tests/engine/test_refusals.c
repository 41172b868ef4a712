/* Every refusal names the field at fault; every field without effect is told; memory is checked before the first step. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/tiny.h"

static sdw_engine *plain, *nine, *xl;
static tiny_warnings warnings;

static int open_models(void **state)
{
    (void)state;
    const sdw_engine_options o = { .threads = 2, .warn = tiny_warn, .warn_ctx = &warnings };
    tiny_write("sd15", &(tiny_options){ .kind = TINY_SD15 });
    tiny_write("inpaint", &(tiny_options){ .kind = TINY_INPAINT });
    tiny_write("sdxl", &(tiny_options){ .kind = TINY_SDXL });
    plain = tiny_open("sd15", &o);
    nine = tiny_open("inpaint", &o);
    xl = tiny_open("sdxl", &o);
    return 0;
}

static int close_models(void **state)
{
    (void)state;
    sdw_engine_close(plain);
    sdw_engine_close(nine);
    sdw_engine_close(xl);
    return 0;
}

static int forget_warnings(void **state)
{
    (void)state;
    warnings.count = 0;
    return 0;
}

static sdw_result *draw(sdw_engine *e, const sdw_params *p)
{
    warnings.count = 0;
    return tiny_generate(e, p);
}

static void a_value_out_of_range_is_refused_by_its_field(void **state)
{
    (void)state;
#define REFUSE(member, value)                                       \
    do {                                                            \
        sdw_params p = tiny_params("x");                            \
        p.member = (value);                                         \
        tiny_refuse(plain, &p, SDW_INVALID, #member, #member);      \
    } while (0)
    REFUSE(width, 56);
    REFUSE(width, 100);
    REFUSE(height, 2056);
    REFUSE(steps, 1001);
    REFUSE(steps, -1);
    REFUSE(guidance, -0.5);
    REFUSE(guidance_rescale, 1.5);
    REFUSE(eta, 2.0);
    REFUSE(strength, 1.5);
    REFUSE(strength, -0.1);
    REFUSE(count, 65);
    REFUSE(clip_skip, 32);
    REFUSE(mask_blur, 65.0);
    REFUSE(inpaint_full_res_padding, 257);
    REFUSE(spacing, "random");
    REFUSE(final_sigma, "max");
    REFUSE(rng, "numpy");
    REFUSE(rng_batch, "none");
    REFUSE(resize, "squash");
    REFUSE(prompt_syntax, "xml");
#undef REFUSE
    sdw_params p = tiny_params("x");
    p.sampler = "brownian";
    tiny_refuse(plain, &p, SDW_INVALID, "sampler", "brownian");
    p.sampler = "DPM++ SDE"; /* another algorithm */
    tiny_refuse(plain, &p, SDW_INVALID, "sampler", "dpmpp");
    p = tiny_params("x");
    p.schedule = "linear-ish";
    tiny_refuse(plain, &p, SDW_INVALID, "schedule", "linear-ish");
}

static void prompts_that_cannot_be_read_are_refused(void **state)
{
    (void)state;
    sdw_params p = tiny_params(NULL);
    tiny_refuse(plain, &p, SDW_INVALID, "prompt", "missing");
    p = tiny_params("a\xff");
    tiny_refuse(plain, &p, SDW_INVALID, "prompt", "prompt");
    p = tiny_params("x");
    p.negative_prompt = "\xc3(";
    tiny_refuse(plain, &p, SDW_INVALID, "negative_prompt", "negative_prompt");
    char *text = malloc((1 << 20) + 2);
    assert_non_null(text);
    memset(text, 'a', (1 << 20) + 1);
    text[(1 << 20) + 1] = '\0';
    p = tiny_params(text);
    tiny_refuse(plain, &p, SDW_LIMIT, "prompt", "prompt");
    free(text);
}

static void pictures_that_do_not_go_together_are_refused(void **state)
{
    (void)state;
    sdw_picture init = tiny_picture(64, 64), mask = tiny_mask(64, 64, 0, 0, 32, 64), wide = tiny_mask(96, 64, 0, 0, 32, 64);
    sdw_params p = tiny_params("x");
    p.mask = &mask;
    tiny_refuse(plain, &p, SDW_INVALID, "mask", "without init_image");
    p.init_image = &init;
    p.mask = &wide;
    tiny_refuse(plain, &p, SDW_INVALID, "mask", "96 x 64");
    p = tiny_params("x");
    tiny_refuse(nine, &p, SDW_INVALID, "init_image", "init_image is missing");
    p.init_image = &init;
    tiny_refuse(nine, &p, SDW_INVALID, "mask", "mask is missing");
    sdw_picture black = tiny_mask(64, 64, 0, 0, 0, 0);
    p.mask = &black;
    p.inpaint_full_res = 1;
    tiny_refuse(plain, &p, SDW_INVALID, "mask", "black");
    sdw_picture odd = init;
    odd.channels = 2;
    p = tiny_params("x");
    p.init_image = &odd;
    tiny_refuse(plain, &p, SDW_INVALID, "init_image", "2 channels");
    sdw_picture small = tiny_picture(40, 200), tall = tiny_picture(64, 2100);
    p.init_image = &small;
    p.width = p.height = 0;
    tiny_refuse(plain, &p, SDW_INVALID, "width", "40");
    p.init_image = &tall;
    tiny_refuse(plain, &p, SDW_INVALID, "height", "2096");
    tiny_picture_free(&small);
    tiny_picture_free(&tall);
    tiny_picture_free(&init);
    tiny_picture_free(&mask);
    tiny_picture_free(&wide);
    tiny_picture_free(&black);
}

/* Three layers; SDXL reads the last but one, and its first encoder is the shorter. */
static void clip_skip_beyond_the_layers_is_refused(void **state)
{
    (void)state;
    sdw_params p = tiny_params("x");
    sdw_result *none = draw(plain, &p);
    p.clip_skip = 2;
    sdw_result *two = draw(plain, &p);
    assert_false(tiny_same(&none->images[0], &two->images[0]));
    sdw_result_free(none);
    sdw_result_free(two);
    p.clip_skip = 3;
    tiny_refuse(plain, &p, SDW_INVALID, "clip_skip", "has 3");
    p.clip_skip = 2;
    tiny_refuse(xl, &p, SDW_INVALID, "clip_skip", "has 3");
}

static void fields_without_effect_are_told(void **state)
{
    (void)state;
    sdw_params p = tiny_params("x");
    sdw_result_free(draw(plain, &p));
    assert_int_equal(warnings.count, 0);
    p.strength = 0.5;
    sdw_result_free(draw(plain, &p));
    assert_int_equal(warnings.count, 1);
    assert_true(tiny_warned(&warnings, "strength has no effect without init_image"));
    p = tiny_params("x");
    p.negative_prompt = "grey";
    p.guidance = 1;
    sdw_result *with = draw(plain, &p);
    assert_int_equal(warnings.count, 1);
    assert_true(tiny_warned(&warnings, "negative_prompt has no effect"));
    p.negative_prompt = NULL;
    sdw_result *without = draw(plain, &p);
    assert_int_equal(warnings.count, 0);
    assert_true(tiny_same(&with->images[0], &without->images[0]));
    sdw_result_free(with);
    sdw_result_free(without);
    p.invert_mask = 1;
    sdw_result_free(draw(plain, &p));
    assert_true(tiny_warned(&warnings, "without mask"));
}

/* A program that wants to show what will run resolves first; the user reads each warning once. */
static void resolving_before_generating_warns_once(void **state)
{
    (void)state;
    sdw_error err = { 0 };
    sdw_cost cost;
    sdw_params p = tiny_params("x"), resolved;
    p.strength = 0.5;
    p.negative_prompt = "grey";
    p.guidance = 1;
    p.invert_mask = 1;
    p.mask_blur = 3;
    assert_int_equal(sdw_estimate(plain, &p, &cost, &err), SDW_OK);
    assert_int_equal(warnings.count, 0);
    assert_int_equal(sdw_params_resolve(plain, &p, &resolved, &err), SDW_OK);
    assert_int_equal(warnings.count, 3);
    sdw_result *twice = draw(plain, &resolved);
    assert_int_equal(warnings.count, 0);
    sdw_result *once = draw(plain, &p);
    assert_int_equal(warnings.count, 3);
    assert_true(tiny_same(&once->images[0], &twice->images[0]));
    sdw_result_free(once);
    sdw_result_free(twice);
}

static bool count_call(void *calls, const sdw_progress *p)
{
    (void)p;
    ++*(int *)calls;
    return true;
}

static void memory_is_refused_before_the_first_step_with_the_number_of_bytes(void **state)
{
    (void)state;
    sdw_params p = tiny_params("x");
    sdw_cost cost, larger;
    sdw_error err = { 0 };
    sdw_result *r = NULL;
    char number[32];
    int calls = 0;
    assert_int_equal(sdw_estimate(plain, &p, &cost, &err), SDW_OK);
    snprintf(number, sizeof number, "needs %llu bytes", (unsigned long long)cost.total);
    sdw_engine *e = tiny_open("sd15", &(sdw_engine_options){ .threads = 2, .memory_limit = cost.total });
    assert_int_equal(sdw_generate(e, &p, count_call, &calls, &r, &err), SDW_OK);
    assert_true(calls > 0);
    sdw_result_free(r);
    p.width = 512;
    assert_int_equal(sdw_estimate(plain, &p, &larger, &err), SDW_OK);
    assert_true(larger.total > cost.total && larger.weights == cost.weights);
    calls = 0;
    r = NULL;
    assert_int_equal(sdw_generate(e, &p, count_call, &calls, &r, &err), SDW_NO_MEMORY);
    assert_int_equal(calls, 0);
    assert_null(r);
    sdw_engine_close(e);
    p.width = 64;
    e = tiny_open("sd15", &(sdw_engine_options){ .threads = 2, .memory_limit = cost.total - 1 });
    assert_int_equal(sdw_generate(e, &p, count_call, &calls, &r, &err), SDW_NO_MEMORY);
    assert_int_equal(calls, 0);
    if (!strstr(err.text, number)) fail_msg("\"%s\" does not hold \"%s\"", err.text, number);
    sdw_engine_close(e);
}

static void weights_that_are_not_numbers_end_in_an_error(void **state)
{
    (void)state;
    static const char *const tensor[] = { "conv_out.bias", "decoder.conv_out.bias", "final_layer_norm.bias" };
    static const char *const folder[] = { "nan_unet", "nan_vae", "nan_text" };
    for (int i = 0; i < 3; i++) {
        tiny_write(folder[i], &(tiny_options){ .kind = TINY_SD15, .nan_tensor = tensor[i] });
        sdw_engine *e = tiny_open(folder[i], NULL);
        sdw_params p = tiny_params("x");
        tiny_refuse(e, &p, SDW_NUMERIC, "", "finite");
        sdw_engine_close(e);
    }
}

static void an_unknown_seed_is_drawn_and_told(void **state)
{
    (void)state;
    sdw_params p = tiny_params("x");
    p.has_seed = 0;
    sdw_result *a = draw(plain, &p), *b = draw(plain, &p);
    assert_true(a->params.has_seed);
    assert_int_equal(a->params.seed, a->seeds[0]);
    assert_true(a->seeds[0] != b->seeds[0] || a->seeds[0] != p.seed);
    p.has_seed = 1;
    p.seed = a->seeds[0];
    sdw_result *again = draw(plain, &p);
    assert_true(tiny_same(&a->images[0], &again->images[0]));
    sdw_result_free(a);
    sdw_result_free(b);
    sdw_result_free(again);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, forget_warnings)
    const struct CMUnitTest tests[] = {
        TEST(a_value_out_of_range_is_refused_by_its_field),
        TEST(prompts_that_cannot_be_read_are_refused),
        TEST(pictures_that_do_not_go_together_are_refused),
        TEST(clip_skip_beyond_the_layers_is_refused),
        TEST(fields_without_effect_are_told),
        TEST(resolving_before_generating_warns_once),
        TEST(memory_is_refused_before_the_first_step_with_the_number_of_bytes),
        TEST(weights_that_are_not_numbers_end_in_an_error),
        TEST(an_unknown_seed_is_drawn_and_told),
    };
    return cmocka_run_group_tests(tests, open_models, close_models);
}
