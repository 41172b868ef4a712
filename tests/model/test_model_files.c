/* Model folders: which files are taken, which are refused, and that a single file gives the same weights.
 * With SDW_ORACLE_DIR the reference models are opened, with SDW_REAL_REPOS published folders of pointer files. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"
#include "io/safetensors_write.h"
#include "model/ldm_file.h"
#include "model/model_files.h"

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* A file with one tensor of one value. */
static void put_tensor(const char *path, const char *name, float value)
{
    const int64_t shape[] = { 1 };
    sdw_safetensors_writer *w = NULL;
    sdw_error err = { 0 };
    if (sdw_safetensors_writer_open(path, true, &w, &err) != SDW_OK) fail_msg("%s", err.text);
    assert_int_equal(sdw_safetensors_writer_declare(w, name, SDW_F32, 1, shape, &err), SDW_OK);
    assert_int_equal(sdw_safetensors_writer_begin(w, &err), SDW_OK);
    assert_int_equal(sdw_safetensors_writer_write(w, &value, sizeof value, &err), SDW_OK);
    assert_int_equal(sdw_safetensors_writer_commit(w, &err), SDW_OK);
    sdw_safetensors_writer_close(w);
}

#define INDEX_HEAD "{\"_class_name\":\"StableDiffusionPipeline\",\"_diffusers_version\":\"0.6.0\",\"requires_safety_checker\":false,"
#define INDEX_PARTS                                                                                                     \
    "\"safety_checker\":[null,null],\"feature_extractor\":[\"transformers\",\"CLIPImageProcessor\"],"                  \
    "\"scheduler\":[\"diffusers\",\"PNDMScheduler\"],\"text_encoder\":[\"transformers\",\"CLIPTextModel\"],"           \
    "\"tokenizer\":[\"transformers\",\"CLIPTokenizer\"],\"unet\":[\"diffusers\",\"UNet2DConditionModel\"],"            \
    "\"vae\":[\"diffusers\",\"AutoencoderKL\"]}"

/* A complete folder with one tensor per part; the working folder of the test is thrown away between tests. */
static int make_folder(void **state)
{
    (void)state;
    static const char *const folders[] = { "m", "m/unet", "m/vae", "m/text_encoder", "m/tokenizer", "m/scheduler" };
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) mkdir(folders[i], 0777);
    put("m/model_index.json", INDEX_HEAD INDEX_PARTS);
    put("m/unet/config.json", "{\"_class_name\":\"UNet2DConditionModel\",\"cross_attention_dim\":768}");
    put("m/vae/config.json", "{\"_class_name\":\"AutoencoderKL\"}");
    put("m/text_encoder/config.json", "{\"architectures\":[\"CLIPTextModel\"]}");
    put("m/scheduler/scheduler_config.json", "{\"_class_name\":\"PNDMScheduler\"}");
    put_tensor("m/unet/diffusion_pytorch_model.safetensors", "conv_in.bias", 1);
    put_tensor("m/vae/diffusion_pytorch_model.safetensors", "decoder.mid_block.attentions.0.query.bias", 2);
    put_tensor("m/text_encoder/model.safetensors", "text_model.final_layer_norm.bias", 3);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return system("rm -rf m");
}

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
    sdw_status s = sdw_model_files_open(path, o, &m, NULL, &err);
    if (s != status) fail_msg("%s: %s, want %s", path, s == SDW_OK ? "accepted" : err.text, sdw_status_name(status));
    assert_null(m);
    if (!strstr(err.text, words)) fail_msg("\"%s\" does not hold \"%s\"", err.text, words);
}

static float value_of(const sdw_model_files *m, sdw_part_id part, const char *name)
{
    float v = -1;
    const sdw_file_tensor *t = sdw_checkpoint_find(m->part[part].weights, name);
    if (!t) fail_msg("no tensor %s", name);
    sdw_file_tensor_read_f32(t, &v);
    return v;
}

static void a_folder_gives_its_parts_under_canonical_names(void **state)
{
    (void)state;
    sdw_warnings warnings = { 0 };
    sdw_model_files *m = open_model("m/", NULL, &warnings);
    assert_string_equal(m->family->name, "sd15");
    assert_string_equal(m->class_name, "StableDiffusionPipeline");
    assert_false(m->single_file);
    assert_false(m->part[SDW_PART_TEXT_ENCODER_2].present);
    assert_true(value_of(m, SDW_PART_UNET, "conv_in.bias") == 1);
    assert_true(value_of(m, SDW_PART_VAE, "decoder.mid_block.attentions.0.to_q.bias") == 2);
    assert_true(value_of(m, SDW_PART_TEXT_ENCODER, "final_layer_norm.bias") == 3);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(m->scheduler, "_class_name")), "PNDMScheduler");
    assert_string_equal(m->tokenizer_dir[0], "m/tokenizer");
    assert_null(m->tokenizer_dir[1]);
    assert_int_equal(warnings.count, 0);
    sdw_checkpoint_find(m->part[SDW_PART_UNET].weights, "conv_in.bias")->used = true;
    sdw_model_files_warn_unused(m, &warnings);
    assert_int_equal(warnings.count, 2); /* the vae's and the text encoder's, by their names in the file */
    assert_non_null(strstr(warnings.text[0], "text_model.final_layer_norm.bias"));
    assert_non_null(strstr(warnings.text[1], "attentions.0.query.bias"));
    sdw_warnings_finish(&warnings);
    sdw_model_files_close(m);
}

static void the_plain_file_is_preferred_and_fp16_is_second(void **state)
{
    (void)state;
    const sdw_model_files_options fp16 = { .variant = "fp16" }, ema = { .variant = "non_ema" }, bf16 = { .variant = "bf16" };
    sdw_warnings warnings = { 0 };
    put_tensor("m/unet/diffusion_pytorch_model.fp16.safetensors", "conv_in.bias", 16);
    put_tensor("m/unet/diffusion_pytorch_model.non_ema.safetensors", "conv_in.bias", 17);
    sdw_model_files *m = open_model("m", NULL, NULL);
    assert_true(value_of(m, SDW_PART_UNET, "conv_in.bias") == 1);
    sdw_model_files_close(m);
    unlink("m/unet/diffusion_pytorch_model.safetensors");
    m = open_model("m", NULL, NULL);
    assert_true(value_of(m, SDW_PART_UNET, "conv_in.bias") == 16);
    sdw_model_files_close(m);
    refuse("m", &bf16, SDW_NOT_FOUND, "m/text_encoder: no weights of variant bf16");
    m = open_model("m", &ema, &warnings); /* of one part only: the others are plain, and that is told */
    assert_true(value_of(m, SDW_PART_UNET, "conv_in.bias") == 17);
    assert_true(value_of(m, SDW_PART_TEXT_ENCODER, "final_layer_norm.bias") == 3);
    sdw_model_files_close(m);
    assert_int_equal(warnings.count, 2);
    assert_non_null(strstr(warnings.text[0], "m/text_encoder: no weights of variant non_ema; its plain ones"));
    sdw_warnings_finish(&warnings);
    put_tensor("m/text_encoder/model.fp16.safetensors", "final_layer_norm.bias", 18);
    put_tensor("m/vae/diffusion_pytorch_model.fp16.safetensors", "conv_in.bias", 19);
    m = open_model("m", &fp16, NULL);
    assert_true(value_of(m, SDW_PART_TEXT_ENCODER, "final_layer_norm.bias") == 18);
    assert_true(value_of(m, SDW_PART_VAE, "conv_in.bias") == 19);
    sdw_model_files_close(m);
}

static void a_variant_is_no_path(void **state)
{
    (void)state;
    static const char *const bad[] = { "../x", "", "fp16.x", "a/b", "0123456789012345678901234567890123" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const sdw_model_files_options o = { .variant = bad[i] };
        refuse("m", &o, SDW_INVALID, "letters, digits");
    }
}

static void shards_are_found_by_their_index(void **state)
{
    (void)state;
    unlink("m/unet/diffusion_pytorch_model.safetensors");
    put_tensor("m/unet/diffusion_pytorch_model-00001-of-00002.safetensors", "conv_in.bias", 5);
    put_tensor("m/unet/diffusion_pytorch_model-00002-of-00002.safetensors", "conv_out.bias", 6);
    refuse("m", NULL, SDW_NOT_FOUND, "diffusion_pytorch_model.safetensors.index.json");
    put("m/unet/diffusion_pytorch_model.safetensors.index.json",
        "{\"weight_map\":{\"conv_in.bias\":\"diffusion_pytorch_model-00001-of-00002.safetensors\","
        "\"conv_out.bias\":\"diffusion_pytorch_model-00002-of-00002.safetensors\"}}");
    sdw_model_files *m = open_model("m", NULL, NULL);
    assert_true(value_of(m, SDW_PART_UNET, "conv_in.bias") == 5);
    assert_true(value_of(m, SDW_PART_UNET, "conv_out.bias") == 6);
    sdw_model_files_close(m);
    /* of a variant, under the name that older writers gave it */
    const sdw_model_files_options fp16 = { .variant = "fp16" };
    put_tensor("m/unet/diffusion_pytorch_model-00001-of-00001.fp16.safetensors", "conv_in.bias", 7);
    put("m/unet/diffusion_pytorch_model.safetensors.fp16.index.json",
        "{\"weight_map\":{\"conv_in.bias\":\"diffusion_pytorch_model-00001-of-00001.fp16.safetensors\"}}");
    m = open_model("m", &fp16, NULL);
    assert_true(value_of(m, SDW_PART_UNET, "conv_in.bias") == 7);
    sdw_model_files_close(m);
    put("m/unet/diffusion_pytorch_model.safetensors.index.json", "{\"weight_map\":{\"conv_in.bias\":\"../vae/diffusion_pytorch_model.safetensors\"}}");
    refuse("m", NULL, SDW_FORMAT, "same folder");
}

static void pickles_and_pointers_are_refused_with_advice(void **state)
{
    (void)state;
    unlink("m/unet/diffusion_pytorch_model.safetensors");
    refuse("m", NULL, SDW_NOT_FOUND, "m/unet: no weights");
    put("m/unet/diffusion_pytorch_model.bin", "PK");
    refuse("m", NULL, SDW_UNSUPPORTED, "m/unet/diffusion_pytorch_model.bin: is a PyTorch pickle");
    put_tensor("m/unet/diffusion_pytorch_model.safetensors", "conv_in.bias", 1);
    unlink("m/text_encoder/model.safetensors");
    put("m/text_encoder/pytorch_model.bin", "PK");
    refuse("m", NULL, SDW_UNSUPPORTED, "m/text_encoder/pytorch_model.bin: is a PyTorch pickle");
    put_tensor("m/text_encoder/model.safetensors", "final_layer_norm.bias", 1);
    put("m/unet/diffusion_pytorch_model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n");
    refuse("m", NULL, SDW_FORMAT, "m/unet/diffusion_pytorch_model.safetensors: is a Git LFS pointer");
}

#define POINTER "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n"

static void a_pointer_gives_way_to_what_was_fetched(void **state)
{
    (void)state;
    const sdw_model_files_options fp16 = { .variant = "fp16" };
    sdw_warnings warnings = { 0 };
    put("m/unet/diffusion_pytorch_model.safetensors", POINTER);
    put_tensor("m/unet/diffusion_pytorch_model.fp16.safetensors", "conv_in.bias", 16);
    sdw_model_files *m = open_model("m", NULL, &warnings);
    assert_true(value_of(m, SDW_PART_UNET, "conv_in.bias") == 16);
    sdw_model_files_close(m);
    assert_int_equal(warnings.count, 1);
    assert_non_null(strstr(warnings.text[0], "m/unet/diffusion_pytorch_model.safetensors: is or names a Git LFS pointer"));
    assert_non_null(strstr(warnings.text[0], "m/unet/diffusion_pytorch_model.fp16.safetensors is used"));
    sdw_warnings_finish(&warnings);
    put("m/unet/diffusion_pytorch_model.fp16.safetensors", POINTER); /* both: the plain one is named */
    refuse("m", NULL, SDW_FORMAT, "m/unet/diffusion_pytorch_model.safetensors: is a Git LFS pointer");
    put_tensor("m/unet/diffusion_pytorch_model.safetensors", "conv_in.bias", 1); /* what is insisted on is not passed over */
    put_tensor("m/text_encoder/model.fp16.safetensors", "final_layer_norm.bias", 18);
    put_tensor("m/vae/diffusion_pytorch_model.fp16.safetensors", "conv_in.bias", 19);
    refuse("m", &fp16, SDW_FORMAT, "m/unet/diffusion_pytorch_model.fp16.safetensors: is a Git LFS pointer");
}

/* The index of shards is a small file, which a clone has even without the shards. */
static void shards_that_are_pointers_give_way_too(void **state)
{
    (void)state;
    sdw_warnings warnings = { 0 };
    unlink("m/unet/diffusion_pytorch_model.safetensors");
    put_tensor("m/unet/diffusion_pytorch_model-00001-of-00002.safetensors", "conv_in.bias", 5);
    put("m/unet/diffusion_pytorch_model-00002-of-00002.safetensors", POINTER);
    put("m/unet/diffusion_pytorch_model.safetensors.index.json",
        "{\"weight_map\":{\"conv_in.bias\":\"diffusion_pytorch_model-00001-of-00002.safetensors\","
        "\"conv_out.bias\":\"diffusion_pytorch_model-00002-of-00002.safetensors\"}}");
    refuse("m", NULL, SDW_FORMAT, "m/unet/diffusion_pytorch_model-00002-of-00002.safetensors: is a Git LFS pointer");
    put_tensor("m/unet/diffusion_pytorch_model.fp16.safetensors", "conv_in.bias", 16);
    sdw_model_files *m = open_model("m", NULL, &warnings);
    assert_true(value_of(m, SDW_PART_UNET, "conv_in.bias") == 16);
    sdw_model_files_close(m);
    assert_int_equal(warnings.count, 1);
    sdw_warnings_finish(&warnings);
}

static void what_the_index_says_decides(void **state)
{
    (void)state;
    static const struct {
        const char *index, *words;
        sdw_status status;
    } rows[] = {
        { "{\"_class_name\":\"FluxPipeline\"}", "_class_name \"FluxPipeline\"; want StableDiffusionPipeline", SDW_UNSUPPORTED },
        { "{}", "(absent)", SDW_UNSUPPORTED },
        { "[]", "want object", SDW_FORMAT },
        { INDEX_HEAD "\"unet\":[\"diffusers\",\"UNet3DConditionModel\"]}", "unet is a UNet3DConditionModel; want UNet2DConditionModel", SDW_UNSUPPORTED },
        { INDEX_HEAD "\"vae\":[\"diffusers\",\"AutoencoderTiny\"]}", "want AutoencoderKL", SDW_UNSUPPORTED },
        { INDEX_HEAD "\"text_encoder_3\":[\"transformers\",\"T5EncoderModel\"]}", "component text_encoder_3 (T5EncoderModel)", SDW_UNSUPPORTED },
        { INDEX_HEAD "\"../x\":[\"diffusers\",\"UNet2DConditionModel\"]}", "component ../x", SDW_UNSUPPORTED },
        { INDEX_HEAD "\"unet\":[\"diffusers\"]}", "want a list of library and class", SDW_FORMAT },
        { INDEX_HEAD "\"unet\":[\"diffusers\",7]}", "want a list of library and class", SDW_FORMAT },
        { INDEX_HEAD "\"unet\":[null,null]}", "no text_encoder", SDW_UNSUPPORTED },
        { INDEX_HEAD "\"unet\":1,\"unet\":2}", "stands twice", SDW_FORMAT },
        { "{\"_class_name\":\"StableDiffusionXLPipeline\",\"text_encoder\":[null,null],\"text_encoder_2\":[\"transformers\",\"CLIPTextModelWithProjection\"]}",
          "m/text_encoder_2/config.json", SDW_NOT_FOUND },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put("m/model_index.json", rows[i].index);
        refuse("m", NULL, rows[i].status, rows[i].words);
    }
    mkdir("m/text_encoder_2", 0777);
    put("m/text_encoder_2/config.json", "{}");
    put("m/model_index.json", rows[11].index);
    refuse("m", NULL, SDW_UNSUPPORTED, "SDXL refiner");
    unlink("m/model_index.json");
    refuse("m", NULL, SDW_NOT_FOUND, "no model_index.json");
    refuse("no-such-model", NULL, SDW_NOT_FOUND, "no-such-model");
}

static void a_null_part_is_absent_and_a_missing_one_an_error(void **state)
{
    (void)state;
    unlink("m/vae/config.json");
    refuse("m", NULL, SDW_NOT_FOUND, "m/vae/config.json");
    put("m/vae/config.json", "{\"_class_name\":\"AutoencoderTiny\"}");
    refuse("m", NULL, SDW_UNSUPPORTED, "m/vae/config.json: vae is a AutoencoderTiny");
    put("m/vae/config.json", "{}");
    put("m/unet/config.json", "{\"in_channels\":8}");
    refuse("m", NULL, SDW_UNSUPPORTED, "8 input channels (InstructPix2Pix)");
    put("m/unet/config.json", "{}");
    rmdir("m/tokenizer");
    sdw_warnings warnings = { 0 };
    sdw_model_files *m = open_model("m", NULL, &warnings);
    assert_null(m->tokenizer_dir[0]);
    assert_int_equal(warnings.count, 1);
    assert_non_null(strstr(warnings.text[0], "m/tokenizer"));
    sdw_warnings_finish(&warnings);
    sdw_model_files_close(m);
}

static void a_single_file_takes_the_configuration_it_is_given(void **state)
{
    (void)state;
    const sdw_model_files_options o = { .config_dir = "m" };
    put("m/scheduler/scheduler_config.json", "{\"_class_name\":\"EulerDiscreteScheduler\",\"prediction_type\":\"epsilon\"}");
    put("m/unet/config.json", "{\"cross_attention_dim\":1024}");
    put("m/text_encoder/config.json", "{\"hidden_act\":\"gelu\",\"num_hidden_layers\":23}");
    ldm_file_write("m/file.safetensors", sdw_family_by_name("sd21"), NULL);
    sdw_model_files *m = open_model("m/file.safetensors", &o, NULL);
    assert_string_equal(m->family->name, "sd21");
    assert_false(m->prediction_is_a_guess);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(m->scheduler, "_class_name")), "EulerDiscreteScheduler");
    assert_string_equal(m->tokenizer_dir[0], "m/tokenizer");
    assert_non_null(sdw_checkpoint_find(m->part[SDW_PART_TEXT_ENCODER].weights, "encoder.layers.22.self_attn.v_proj.weight"));
    sdw_model_files_close(m);
    refuse("m", &o, SDW_INVALID, "--config is for a single file");
    const sdw_model_files_options absent = { .config_dir = "no-such-folder" };
    refuse("m/file.safetensors", &absent, SDW_NOT_FOUND, "no-such-folder");
    put_tensor("m/file.safetensors", "first_stage_model.decoder.conv_in.bias", 1);
    refuse("m/file.safetensors", &o, SDW_FORMAT, "no unet, want tensors named model.diffusion_model.");
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    size_t failures = 0;
    for (size_t nth = 1;; nth++, failures++) {
        sdw_model_files *m = NULL;
        sdw_mem_fail_at(nth, false);
        sdw_status s = sdw_model_files_open("m", NULL, &m, NULL, NULL);
        sdw_mem_fail_at(0, false);
        sdw_model_files_close(m);
        if (s == SDW_OK) break;
        assert_int_equal(s, SDW_NO_MEMORY);
    }
    assert_true(failures > 30);
}

/* Two views of one model: the same names, and the same values in the model's orientation. */
static void compare_parts(const sdw_part_files *a, const sdw_part_files *b)
{
    assert_int_equal(a->present, b->present);
    if (!a->present) return;
    assert_int_equal(sdw_checkpoint_count(a->weights), sdw_checkpoint_count(b->weights));
    for (size_t i = 0; i < sdw_checkpoint_count(a->weights); i++) {
        const sdw_file_tensor *x = sdw_checkpoint_at(a->weights, i), *y = sdw_checkpoint_at(b->weights, i);
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->bytes, y->bytes);
        for (int k = 0; k < x->rank || k < y->rank; k++)
            assert_int_equal(k < x->rank ? x->shape[k] : 1, k < y->rank ? y->shape[k] : 1);
        size_t n = x->bytes / sdw_dtype_size(x->dtype) * sizeof(float);
        float *u = malloc(n), *v = malloc(n);
        assert_true(u && v);
        sdw_file_tensor_read_f32(x, u);
        sdw_file_tensor_read_f32(y, v);
        assert_memory_equal(u, v, n);
        free(u);
        free(v);
    }
}

static void reference_folders_and_single_files_agree(void **state)
{
    (void)state;
    static const char *const both[] = { "sd15", "sd21", "sdxl" };
    static const char *const folders[] = { "sd15", "sd15-inpaint", "sd21", "sd21-inpaint", "sd-turbo", "sdxl", "sdxl-inpaint", "sdxl-turbo" };
    const char *root = getenv("SDW_ORACLE_DIR");
    char path[600], file[600];
    if (!root) skip();
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", root, folders[i]);
        sdw_model_files *m = open_model(path, NULL, NULL);
        assert_string_equal(m->family->name, folders[i]);
        sdw_model_files_close(m);
    }
    for (size_t i = 0; i < sizeof both / sizeof both[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", root, both[i]);
        snprintf(file, sizeof file, "%s/%s/single_file.safetensors", root, both[i]);
        const sdw_model_files_options o = { .config_dir = path };
        sdw_model_files *a = open_model(path, NULL, NULL), *b = open_model(file, &o, NULL);
        for (int p = 0; p < SDW_PART_COUNT; p++) compare_parts(&a->part[p], &b->part[p]);
        assert_ptr_equal(a->family, b->family);
        refuse(file, NULL, SDW_UNSUPPORTED, "not recognised"); /* its widths are nobody's */
        sdw_model_files_close(a);
        sdw_model_files_close(b);
    }
}

static void published_folders_of_pointers_are_refused_as_such(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        sdw_status status;
        const char *words;
    } rows[] = {
        { "sd-v1-5", SDW_FORMAT, "text_encoder/model.safetensors: is a Git LFS pointer" },
        { "sd-2-1", SDW_FORMAT, "text_encoder/model.safetensors: is a Git LFS pointer" },
        { "sd-2-inpainting", SDW_FORMAT, "text_encoder/model.safetensors: is a Git LFS pointer" },
        { "sdxl-base-1.0", SDW_FORMAT, "text_encoder/model.safetensors: is a Git LFS pointer" },
        { "sd-v1-5-inpainting", SDW_UNSUPPORTED, "text_encoder/pytorch_model.bin: is a PyTorch pickle" },
        { "sd-v1-5/v1-5-pruned.safetensors", SDW_FORMAT, "v1-5-pruned.safetensors: is a Git LFS pointer" },
        { "flux", SDW_UNSUPPORTED, "FluxPipeline" },
        { "sd3.5-large", SDW_UNSUPPORTED, "StableDiffusion3Pipeline" },
    };
    static const char *const configs[][2] = {
        { "sd-v1-5", "sd15" }, { "sd-v1-5-inpainting", "sd15-inpaint" }, { "sd-2-1", "sd21" },
        { "sd-2-inpainting", "sd21-inpaint" }, { "sdxl-base-1.0", "sdxl" },
    };
    const char *root = getenv("SDW_REAL_REPOS");
    char path[600];
    if (!root) skip();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", root, rows[i].path);
        refuse(path, NULL, rows[i].status, rows[i].words);
    }
    for (size_t i = 0; i < sizeof configs / sizeof configs[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", root, configs[i][0]);
        const sdw_model_files_options o = { .config_dir = path };
        ldm_file_write("m/file.safetensors", sdw_family_by_name(configs[i][1]), NULL);
        sdw_model_files *m = open_model("m/file.safetensors", &o, NULL);
        assert_string_equal(m->family->name, configs[i][1]);
        sdw_model_files_close(m);
    }
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_folder_gives_its_parts_under_canonical_names),
        IN_FOLDER(the_plain_file_is_preferred_and_fp16_is_second),
        IN_FOLDER(a_variant_is_no_path),
        IN_FOLDER(shards_are_found_by_their_index),
        IN_FOLDER(pickles_and_pointers_are_refused_with_advice),
        IN_FOLDER(a_pointer_gives_way_to_what_was_fetched),
        IN_FOLDER(shards_that_are_pointers_give_way_too),
        IN_FOLDER(what_the_index_says_decides),
        IN_FOLDER(a_null_part_is_absent_and_a_missing_one_an_error),
        IN_FOLDER(a_single_file_takes_the_configuration_it_is_given),
        IN_FOLDER(every_allocation_may_fail),
        cmocka_unit_test(reference_folders_and_single_files_agree),
        IN_FOLDER(published_folders_of_pointers_are_refused_as_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
