/* Families: single files of the published layouts are detected and give every weight its canonical name. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "model/ldm_file.h"
#include "model/model_files.h"
#include "model/walk.h"

#define FILE_NAME "family.safetensors"

static const char *const detected[] = { "sd15", "sd15-inpaint", "sd21", "sd21-inpaint", "sdxl", "sdxl-inpaint" };

static sdw_model_files *open_model(const char *path, const sdw_model_files_options *o, sdw_warnings *w)
{
    sdw_model_files *m = NULL;
    sdw_error err = { 0 };
    if (sdw_model_files_open(path, o, &m, w, &err) != SDW_OK) fail_msg("%s", err.text);
    return m;
}

static void refuse(const char *path, const sdw_model_files_options *o, sdw_status status, const char *words)
{
    sdw_model_files *m = NULL;
    sdw_error err = { 0 };
    assert_int_equal(sdw_model_files_open(path, o, &m, NULL, &err), status);
    assert_null(m);
    assert_non_null(strstr(err.text, path));
    if (!strstr(err.text, words)) fail_msg("\"%s\" does not hold \"%s\"", err.text, words);
}

/* Finds a listed weight in the part's view, compares its shape and marks it. */
static void need(void *ctx, const char *name, int rank, const int64_t *shape)
{
    sdw_file_tensor *t = sdw_checkpoint_find(ctx, name);
    if (!t) fail_msg("no tensor %s", name);
    for (int i = 0; i < t->rank || i < rank; i++)
        if ((i < t->rank ? t->shape[i] : 1) != (i < rank ? shape[i] : 1)) fail_msg("%s: dimension %d differs", name, i);
    t->used = true;
}

/* Every weight that the parts need is there in its shape, and nothing is left over. */
static void check_coverage(const sdw_model_files *m)
{
    sdw_warnings warnings = { 0 };
    for (int i = 0; i < SDW_PART_COUNT; i++) {
        sdw_error err = { 0 };
        if (!m->part[i].present) continue;
        if (sdw_model_walk((sdw_part_id)i, m->part[i].config, m->part[i].name, need, m->part[i].weights, NULL, &err) != SDW_OK)
            fail_msg("%s", err.text);
    }
    sdw_model_files_warn_unused(m, &warnings);
    if (warnings.count) fail_msg("%s", warnings.text[0]);
}

static void every_published_layout_is_detected_and_complete(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof detected / sizeof detected[0]; i++) {
        const sdw_family *f = sdw_family_by_name(detected[i]);
        assert_non_null(f);
        for (int variant = 0; variant < 2; variant++) {
            const ldm_options o = { .training_extras = variant == 0, .no_text_model = variant == 1 };
            ldm_file_write(FILE_NAME, f, &o);
            sdw_model_files *m = open_model(FILE_NAME, NULL, NULL);
            assert_string_equal(m->family->name, detected[i]);
            assert_true(m->single_file);
            assert_string_equal(m->class_name, f->class_name);
            assert_int_equal(m->part[SDW_PART_TEXT_ENCODER_2].present, strncmp(detected[i], "sdxl", 4) == 0);
            assert_int_equal(m->prediction_is_a_guess, strcmp(detected[i], "sd21") == 0);
            check_coverage(m);
            sdw_model_files_close(m);
        }
    }
    unlink(FILE_NAME);
}

static void a_tensor_that_nobody_knows_is_named(void **state)
{
    (void)state;
    const ldm_options o = { .extra = "model.diffusion_model.input_blocks.1.0.mystery.weight" };
    sdw_warnings warnings = { 0 };
    ldm_file_write(FILE_NAME, sdw_family_by_name("sd15"), &o);
    sdw_model_files *m = open_model(FILE_NAME, NULL, &warnings);
    for (int i = 0; i < SDW_PART_COUNT; i++)
        if (m->part[i].present) sdw_model_walk((sdw_part_id)i, m->part[i].config, "part", need, m->part[i].weights, NULL, NULL);
    sdw_model_files_warn_unused(m, &warnings);
    assert_int_equal(warnings.count, 1);
    assert_non_null(strstr(warnings.text[0], "1 tensor is not used: model.diffusion_model.input_blocks.1.0.mystery.weight"));
    sdw_warnings_finish(&warnings);
    sdw_model_files_close(m);
    unlink(FILE_NAME);
}

static void weights_that_nobody_binds_are_counted_by_their_names_in_the_file(void **state)
{
    (void)state;
    sdw_warnings warnings = { 0 };
    ldm_file_write(FILE_NAME, sdw_family_by_name("sd21"), NULL);
    sdw_model_files *m = open_model(FILE_NAME, NULL, NULL);
    sdw_model_files_warn_unused(m, &warnings);
    assert_int_equal(warnings.count, 1);
    /* 686 of the UNet, 248 of the VAE, 280 of the text encoder: 12 per layer where Hugging Face has 16. */
    char want[64];
    snprintf(want, sizeof want, "%d tensors are not used", 686 + 248 + 23 * 12 + 4);
    if (!strstr(warnings.text[0], want)) fail_msg("\"%s\" does not hold \"%s\"", warnings.text[0], want);
    sdw_warnings_finish(&warnings);
    sdw_model_files_close(m);
    unlink(FILE_NAME);
}

static void what_is_no_model_of_ours_is_named(void **state)
{
    (void)state;
    static const struct {
        ldm_options options;
        const char *words;
    } files[] = {
        { { .conv_in_channels = 8 }, "InstructPix2Pix" },
        { { .conv_in_channels = 5 }, "depth-to-image" },
        { { .conv_in_channels = 7 }, "upscaler" },
        { { .conv_in_channels = 6 }, "320x6x3x3, want 4 or 9 inputs" },
        { { .drop = SDW_KEY_CONTEXT }, SDW_KEY_CONTEXT },
        { { .drop = SDW_KEY_CONV_IN }, SDW_KEY_CONV_IN " (absent" },
        { { .extra = "conditioner.embedders.0.model.transformer.resblocks.9.mlp.c_proj.bias" }, "SDXL refiner" },
        { { .extra = "edm_mean" }, "EDM" },
        { { .extra = "v_pred" }, "--config" },
        { { .extra = "control_model.time_embed.0.weight" }, "ControlNet" },
        { { .extra = "model.diffusion_model.joint_blocks.0.context_block.adaLN_modulation.1.bias" }, "Stable Diffusion 3" },
        { { .extra = "double_blocks.0.img_attn.norm.key_norm.scale" }, "FLUX.1" },
        { { .extra = "time_embedding.linear_1.weight" }, "name the folder" },
        { { .extra = "lora_unet_down_blocks_0.alpha", .drop = SDW_KEY_CONV_IN }, "LoRA" },
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        ldm_file_write(FILE_NAME, sdw_family_by_name("sd15"), &files[i].options);
        refuse(FILE_NAME, NULL, SDW_UNSUPPORTED, files[i].words);
    }
    unlink(FILE_NAME);
}

static void a_single_file_has_no_variants(void **state)
{
    (void)state;
    const sdw_model_files_options o = { .variant = "fp16" };
    ldm_file_write(FILE_NAME, sdw_family_by_name("sd15"), NULL);
    refuse(FILE_NAME, &o, SDW_INVALID, "no variants");
    unlink(FILE_NAME);
}

static void names_ranks_and_defaults_are_consistent(void **state)
{
    (void)state;
    int count = 0;
    const sdw_family *const *all = sdw_families(&count);
    assert_int_equal(count, 8);
    for (int i = 0; i < count; i++) {
        assert_ptr_equal(sdw_family_by_name(all[i]->name), all[i]);
        for (int k = 0; k < i; k++) assert_int_not_equal(all[i]->rank, all[k]->rank);
        assert_true(all[i]->defaults.steps > 0 && all[i]->defaults.inpaint_strength > 0.99);
        bool turbo = strstr(all[i]->name, "turbo") != NULL;
        assert_int_equal(all[i]->defaults.guidance == 0.0, turbo);
        assert_int_equal(all[i]->detect == NULL, turbo);
    }
    assert_null(sdw_family_by_name("sd3"));
}

static void folders_are_told_apart_by_their_traits(void **state)
{
    (void)state;
    static const struct {
        sdw_family_traits traits;
        const char *name;
    } rows[] = {
        { { .in_channels = 4, .context_width = 768 }, "sd15" },
        { { .in_channels = 4, .context_width = 768, .trailing = true, .euler = true }, "sd15" },
        { { .in_channels = 9, .context_width = 768 }, "sd15-inpaint" },
        { { .in_channels = 4, .context_width = 1024, .openclip = true, .v_prediction = true }, "sd21" },
        { { .in_channels = 4, .context_width = 1024, .openclip = true }, "sd21" },
        { { .in_channels = 4, .context_width = 1024, .openclip = true, .trailing = true, .euler = true }, "sd-turbo" },
        { { .in_channels = 4, .context_width = 1024, .trailing = true, .euler = true, .v_prediction = true }, "sd21" },
        { { .in_channels = 9, .context_width = 1024, .openclip = true }, "sd21-inpaint" },
        { { .in_channels = 4, .context_width = 2048, .second_text_encoder = true, .euler = true }, "sdxl" },
        { { .in_channels = 4, .second_text_encoder = true, .trailing = true, .euler = true }, "sdxl" },
        { { .in_channels = 4, .second_text_encoder = true, .trailing = true, .ancestral = true }, "sdxl-turbo" },
        { { .in_channels = 4, .second_text_encoder = true, .ancestral = true }, "sdxl" },
        { { .in_channels = 9, .second_text_encoder = true }, "sdxl-inpaint" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const sdw_family *f = sdw_family_of_traits(&rows[i].traits);
        assert_non_null(f);
        assert_string_equal(f->name, rows[i].name);
    }
    const sdw_family_traits eight = { .in_channels = 8, .context_width = 768 };
    assert_null(sdw_family_of_traits(&eight));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_published_layout_is_detected_and_complete),
        cmocka_unit_test(a_tensor_that_nobody_knows_is_named),
        cmocka_unit_test(weights_that_nobody_binds_are_counted_by_their_names_in_the_file),
        cmocka_unit_test(what_is_no_model_of_ours_is_named),
        cmocka_unit_test(a_single_file_has_no_variants),
        cmocka_unit_test(names_ranks_and_defaults_are_consistent),
        cmocka_unit_test(folders_are_told_apart_by_their_traits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
