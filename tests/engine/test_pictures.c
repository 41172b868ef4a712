/* Sizes, samplers, prompts, and pictures that start from pictures: what must hold whatever the weights are. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion/names.h"
#include "engine/tiny.h"

static sdw_engine *plain, *nine, *xl;
static tiny_warnings warnings;
static sdw_picture init, left; /* 64 x 64; white in its left half */

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
    init = tiny_picture(64, 64);
    left = tiny_mask(64, 64, 0, 0, 32, 64);
    return 0;
}

static int close_models(void **state)
{
    (void)state;
    sdw_engine_close(plain);
    sdw_engine_close(nine);
    sdw_engine_close(xl);
    tiny_picture_free(&init);
    tiny_picture_free(&left);
    return 0;
}

static sdw_result *draw(sdw_engine *e, const sdw_params *p)
{
    warnings.count = 0;
    return tiny_generate(e, p);
}

/* Do both requests give the same picture? */
static bool same(sdw_engine *e, const sdw_params *a, const sdw_params *b)
{
    sdw_result *x = draw(e, a), *y = draw(e, b);
    bool equal = tiny_same(&x->images[0], &y->images[0]);
    sdw_result_free(x);
    sdw_result_free(y);
    return equal;
}

static void pictures_have_the_size_asked_for(void **state)
{
    (void)state;
    static const int size[][2] = { { 64, 64 }, { 72, 200 }, { 200, 72 }, { 136, 80 } };
    sdw_engine *const engines[] = { plain, xl };
    for (int e = 0; e < 2; e++)
        for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
            sdw_params p = tiny_params("sizes");
            p.width = size[i][0];
            p.height = size[i][1];
            sdw_result *r = draw(engines[e], &p);
            assert_int_equal(r->images[0].width, size[i][0]);
            assert_int_equal(r->images[0].height, size[i][1]);
            assert_int_equal(r->steps_run, 2);
            assert_true(tiny_has_content(&r->images[0]));
            sdw_result_free(r);
        }
}

/* Values that are not finite would end in an error. */
static void every_sampler_runs_with_one_step_and_with_three(void **state)
{
    (void)state;
    static const int steps[] = { 1, 3 };
    sdw_sampling_name row[SDW_NAMES_MAX];
    size_t n = sdw_sampler_list(row, SDW_NAMES_MAX);
    assert_true(n >= 17);
    for (size_t i = 0; i < n; i++)
        for (int s = 0; s < 2; s++) {
            sdw_params p = tiny_params("samplers");
            p.sampler = row[i].name;
            p.steps = steps[s];
            sdw_result *r = draw(plain, &p);
            assert_string_equal(r->params.sampler, row[i].name);
            assert_int_equal(r->steps_run, steps[s]);
            if (!tiny_has_content(&r->images[0])) fail_msg("%s, %d steps: one colour", row[i].name, steps[s]);
            sdw_result_free(r);
        }
}

static void every_sampler_takes_a_schedule_or_names_the_field(void **state)
{
    (void)state;
    sdw_sampling_name sampler[SDW_NAMES_MAX], schedule[SDW_NAMES_MAX];
    size_t samplers = sdw_sampler_list(sampler, SDW_NAMES_MAX), schedules = sdw_schedule_list(schedule, SDW_NAMES_MAX), ran = 0;
    for (size_t i = 0; i < samplers; i++)
        for (size_t k = 0; k < schedules; k++) {
            sdw_params p = tiny_params("schedules");
            sdw_error err = { 0 };
            sdw_result *r = NULL;
            p.sampler = sampler[i].name;
            p.schedule = schedule[k].name;
            sdw_status status = sdw_generate(plain, &p, NULL, NULL, &r, &err);
            if (status == SDW_OK) {
                assert_string_equal(r->params.schedule, schedule[k].name);
                sdw_result_free(r);
                ran++;
            } else if (status != SDW_INVALID || strcmp(err.field, "schedule") != 0) {
                fail_msg("%s with %s: %s", p.sampler, p.schedule, err.text);
            }
        }
    assert_true(ran > samplers); /* more than the plain schedule of each */
}

#define DDIM "{\"_class_name\":\"DDIMScheduler\",\"beta_schedule\":\"scaled_linear\",\"beta_start\":0.00085,\"beta_end\":0.012"

/* As the reference's pipelines do it: SD 1 and 2 mend what their scheduler file lacks, SDXL takes it as it is. */
static void a_scheduler_file_without_clip_sample_and_offset_is_mended_where_the_reference_does(void **state)
{
    (void)state;
    static const struct {
        const char *folder;
        tiny_kind kind;
        bool mended;
    } rows[] = { { "mend_sd15", TINY_SD15, true }, { "mend_sdxl", TINY_SDXL, false } };
    for (int i = 0; i < 2; i++) {
        char full[40];
        snprintf(full, sizeof full, "%s_full", rows[i].folder);
        tiny_write(rows[i].folder, &(tiny_options){ .kind = rows[i].kind, .scheduler = DDIM "}" });
        tiny_write(full, &(tiny_options){ .kind = rows[i].kind, .scheduler = DDIM ",\"steps_offset\":1,\"clip_sample\":false}" });
        sdw_engine *a = tiny_open(rows[i].folder, NULL), *b = tiny_open(full, NULL);
        sdw_params p = tiny_params("mended");
        p.sampler = NULL;
        sdw_result *with = tiny_generate(a, &p), *without = tiny_generate(b, &p);
        assert_int_equal(tiny_same(&with->images[0], &without->images[0]), rows[i].mended);
        sdw_result_free(with);
        sdw_result_free(without);
        sdw_engine_close(a);
        sdw_engine_close(b);
    }
}

static void guidance_and_its_rescale_change_the_result(void **state)
{
    (void)state;
    sdw_params a = tiny_params("guided"), b = a;
    b.guidance = 6;
    assert_false(same(plain, &a, &b));
    b = a;
    b.guidance_rescale = 0.7;
    assert_false(same(plain, &a, &b));
    b = a;
    b.negative_prompt = "grey";
    assert_false(same(plain, &a, &b));
    a.guidance = 1; /* one row: a rescale has nothing to work on */
    b = a;
    b.guidance_rescale = 0.7;
    assert_true(same(plain, &a, &b));
}

static void absent_and_empty_negative_prompts_differ_for_sdxl_alone(void **state)
{
    (void)state;
    sdw_params absent = tiny_params("a boat"), empty = absent;
    empty.negative_prompt = "";
    assert_false(same(xl, &absent, &empty));
    assert_true(same(plain, &absent, &empty));
}

/* Every letter is a token here: 75 of them fill a chunk. */
static void long_prompts_go_on_in_a_second_chunk_or_are_cut_with_a_warning(void **state)
{
    (void)state;
    static const char seventyfive[] = "abcdefghijklmnopqrstuvwxyabcdefghijklmnopqrstuvwxyabcdefghijklmnopqrstuvwxy";
    char more[80];
    sdw_cost one, two;
    sdw_error err = { 0 };
    assert_int_equal(strlen(seventyfive), 75);
    sdw_params full = tiny_params(seventyfive), over = tiny_params(more), other;
    memcpy(more, seventyfive, 74); /* the last one of a word is another token than the same letter inside */
    memcpy(more + 74, " yq", 4);
    assert_int_equal(sdw_estimate(plain, &full, &one, &err), SDW_OK);
    assert_int_equal(sdw_estimate(plain, &over, &two, &err), SDW_OK);
    assert_true(two.gflop_text > 1.9 * one.gflop_text && two.gflop_text < 2.1 * one.gflop_text);
    char changed[80];
    memcpy(changed, more, sizeof more);
    changed[76] = 'z';
    other = tiny_params(changed);
    assert_false(same(plain, &over, &other));
    assert_int_equal(warnings.count, 0);
    over.truncate = other.truncate = 1;
    assert_true(same(plain, &over, &other));
    assert_true(tiny_warned(&warnings, "are cut: \"z\""));
    assert_int_equal(sdw_estimate(plain, &over, &two, &err), SDW_OK);
    assert_true(two.gflop_text == one.gflop_text);
}

static void weights_count_in_the_weighted_syntax_alone(void **state)
{
    (void)state;
    sdw_params a = tiny_params("a (boat:1.3)"), b = tiny_params("a boat");
    assert_false(same(plain, &a, &b));
    a.prompt_syntax = b.prompt_syntax = "weighted";
    assert_false(same(plain, &a, &b));
    a.prompt = "a (boat:1.0)";
    assert_true(same(plain, &a, &b));
}

/* ---- pictures from pictures ---- */

static void no_strength_gives_the_picture_back_through_the_autoencoder(void **state)
{
    (void)state;
    sdw_params p = tiny_params("unused"), q;
    p.init_image = &init;
    p.strength = 0;
    sdw_result *r = draw(plain, &p);
    assert_int_equal(r->steps_run, 0);
    assert_true(tiny_warned(&warnings, "re-encoded"));
    sdw_result_free(r);
    q = p;
    q.prompt = "something else";
    assert_true(same(plain, &p, &q));
    q.strength = 0.5; /* one of two steps */
    assert_false(same(plain, &p, &q));
    r = draw(plain, &q);
    assert_int_equal(r->steps_run, 1);
    assert_int_equal(warnings.count, 0);
    sdw_result_free(r);
}

static void the_init_picture_decides_size_and_content(void **state)
{
    (void)state;
    sdw_picture wide = tiny_picture(131, 70);
    sdw_params p = tiny_params("from a picture"), q;
    p.width = p.height = 0;
    p.init_image = &wide;
    p.strength = 0.5;
    sdw_result *r = draw(plain, &p);
    assert_int_equal(r->images[0].width, 128);
    assert_int_equal(r->images[0].height, 64);
    sdw_result_free(r);
    p.width = p.height = 64;
    static const char *const modes[] = { "stretch", "crop", "pad" };
    for (int i = 0; i < 3; i++) {
        p.resize = modes[i];
        q = p;
        q.resize = modes[(i + 1) % 3];
        assert_false(same(plain, &p, &q));
    }
    p.init_image = &init; /* the size is right: nothing to fit */
    q = p;
    p.resize = "crop";
    q.resize = "pad";
    assert_true(same(plain, &p, &q));
    tiny_picture_free(&wide);
}

/* Pixels of a and b that differ where the mask (of their size) is black, and where it is white. */
static void count_by_mask(const sdw_picture *a, const sdw_picture *b, const sdw_picture *mask, int *black, int *white)
{
    *black = *white = 0;
    for (int i = 0; i < a->width * a->height; i++)
        if (memcmp(a->pixels + 3 * i, b->pixels + 3 * i, 3) != 0) ++*(mask->pixels[i] ? white : black);
}

static void untouched_pixels_keep_their_values(void **state)
{
    (void)state;
    sdw_engine *const engines[] = { plain, nine };
    for (int e = 0; e < 2; e++) {
        int black, white;
        sdw_params p = tiny_params("repaint");
        p.init_image = &init;
        p.mask = &left;
        sdw_result *r = draw(engines[e], &p);
        count_by_mask(&r->images[0], &init, &left, &black, &white);
        assert_int_equal(black, 0);
        assert_true(white > 1900); /* of 2048 */
        sdw_result_free(r);
        p.invert_mask = 1;
        r = draw(engines[e], &p);
        count_by_mask(&r->images[0], &init, &left, &black, &white);
        assert_int_equal(white, 0);
        assert_true(black > 1900);
        sdw_result_free(r);
        p.paste_back = 0;
        r = draw(engines[e], &p);
        count_by_mask(&r->images[0], &init, &left, &black, &white);
        assert_true(white > 0);
        sdw_result_free(r);
    }
}

static void a_blurred_mask_blends_its_edge_and_keeps_what_is_far(void **state)
{
    (void)state;
    sdw_params hard = tiny_params("soft edge"), soft;
    hard.init_image = &init;
    hard.mask = &left;
    soft = hard;
    soft.mask_blur = 2;
    sdw_result *r = draw(plain, &soft);
    int near = 0, far = 0;
    for (int y = 0; y < 64; y++)
        for (int x = 32; x < 64; x++) {
            int at = 3 * (y * 64 + x);
            int differs = memcmp(r->images[0].pixels + at, init.pixels + at, 3) != 0;
            if (x < 35) near += differs;
            else if (x >= 48) far += differs;
        }
    assert_true(near > 0); /* the edge reaches beyond the mask */
    assert_int_equal(far, 0);
    sdw_result_free(r);
}

static void a_mask_of_another_size_is_scaled(void **state)
{
    (void)state;
    sdw_picture half = tiny_mask(32, 32, 0, 0, 16, 32);
    sdw_params a = tiny_params("masks"), b;
    a.init_image = &init;
    a.mask = &left;
    b = a;
    b.mask = &half;
    assert_true(same(plain, &a, &b));
    tiny_picture_free(&half);
}

/* At full strength a 9-channel model sees the picture outside the mask alone. */
static void nine_channels_do_not_see_what_is_masked(void **state)
{
    (void)state;
    sdw_picture changed = tiny_picture(64, 64);
    sdw_params a = tiny_params("hidden"), b;
    a.init_image = &init;
    a.mask = &left;
    a.strength = 1;
    a.paste_back = 0;
    b = a;
    b.init_image = &changed;
    for (int y = 0; y < 64; y++) memset(changed.pixels + 3 * 64 * y, 200, 3 * 32);
    assert_true(same(nine, &a, &b));
    for (int y = 0; y < 64; y++) memset(changed.pixels + 3 * (64 * y + 32), 10, 3 * 32);
    assert_false(same(nine, &a, &b));
    tiny_picture_free(&changed);
}

static void full_resolution_inpainting_touches_its_region_alone(void **state)
{
    (void)state;
    sdw_picture large = tiny_picture(200, 150), mask = tiny_mask(200, 150, 90, 60, 110, 80);
    int black, white;
    sdw_params p = tiny_params("only masked");
    p.init_image = &large;
    p.mask = &mask;
    p.inpaint_full_res = 1;
    p.inpaint_full_res_padding = 8;
    sdw_result *r = draw(plain, &p);
    assert_int_equal(r->images[0].width, 200);
    assert_int_equal(r->images[0].height, 150);
    count_by_mask(&r->images[0], &large, &mask, &black, &white);
    assert_int_equal(black, 0);
    assert_true(white > 350); /* of 400 */
    sdw_result_free(r);
    tiny_picture_free(&large);
    tiny_picture_free(&mask);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_have_the_size_asked_for),
        cmocka_unit_test(every_sampler_runs_with_one_step_and_with_three),
        cmocka_unit_test(every_sampler_takes_a_schedule_or_names_the_field),
        cmocka_unit_test(a_scheduler_file_without_clip_sample_and_offset_is_mended_where_the_reference_does),
        cmocka_unit_test(guidance_and_its_rescale_change_the_result),
        cmocka_unit_test(absent_and_empty_negative_prompts_differ_for_sdxl_alone),
        cmocka_unit_test(long_prompts_go_on_in_a_second_chunk_or_are_cut_with_a_warning),
        cmocka_unit_test(weights_count_in_the_weighted_syntax_alone),
        cmocka_unit_test(no_strength_gives_the_picture_back_through_the_autoencoder),
        cmocka_unit_test(the_init_picture_decides_size_and_content),
        cmocka_unit_test(untouched_pixels_keep_their_values),
        cmocka_unit_test(a_blurred_mask_blends_its_edge_and_keeps_what_is_far),
        cmocka_unit_test(a_mask_of_another_size_is_scaled),
        cmocka_unit_test(nine_channels_do_not_see_what_is_masked),
        cmocka_unit_test(full_resolution_inpainting_touches_its_region_alone),
    };
    return cmocka_run_group_tests(tests, open_models, close_models);
}
