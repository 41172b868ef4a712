/* Which files are chosen: for listings of published repositories the exact set and size, then every rule by itself. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/select.h"

typedef struct repository {
    sdw_hub_listing listing;
    yyjson_doc *index;
} repository;

static void finish(repository *r)
{
    sdw_hub_listing_finish(&r->listing);
    yyjson_doc_free(r->index);
}

/* data/NAME.listing has lines "SIZE HASH PATH". */
static repository published(const char *name)
{
    repository r = { 0 };
    sdw_error err = { 0 };
    char path[512], hash[SDW_HUB_ETAG_SIZE], file[256];
    unsigned long long size;
    snprintf(path, sizeof path, "%s/tests/hub/data/%s.listing", SDW_SOURCE_DIR, name);
    FILE *f = fopen(path, "r");
    if (!f) fail_msg("%s", path);
    while (fscanf(f, "%llu %64s %255s", &size, hash, file) == 3)
        if (sdw_hub_listing_add(&r.listing, file, strlen(file), size, hash, "", &err) != SDW_OK) fail_msg("%s", err.text);
    fclose(f);
    assert_int_equal(sdw_hub_listing_sort(&r.listing, &err), SDW_OK);
    snprintf(path, sizeof path, "%s/tests/hub/data/%s.model_index.json", SDW_SOURCE_DIR, name);
    if (sdw_json_read_file(path, NULL, &r.index, &err) != SDW_OK) fail_msg("%s", err.text);
    return r;
}

/* Each file has 10 bytes. */
static repository made(const char *const *files, const char *index)
{
    repository r = { 0 };
    sdw_error err = { 0 };
    for (; *files; files++)
        if (sdw_hub_listing_add(&r.listing, *files, strlen(*files), 10, "", "", &err) != SDW_OK) fail_msg("%s", err.text);
    assert_int_equal(sdw_hub_listing_sort(&r.listing, &err), SDW_OK);
    if (index && sdw_json_parse(index, strlen(index), "model_index.json", NULL, &r.index, &err) != SDW_OK) fail_msg("%s", err.text);
    return r;
}

static void expect_files(const sdw_hub_selection *s, const char *const *files)
{
    for (size_t i = 0; i < s->count || files[i]; i++) {
        if (i >= s->count) fail_msg("%s is not chosen", files[i]);
        if (!files[i]) fail_msg("%s is chosen", s->files[i]->path);
        assert_string_equal(s->files[i]->path, files[i]);
    }
}

static void choose(repository r, const char *variant, const char *const *files, uint64_t bytes, const char *warning)
{
    sdw_hub_selection s = { 0 };
    sdw_warnings w = { 0 };
    sdw_error err = { 0 };
    const sdw_hub_select_options o = { .variant = variant };
    if (sdw_hub_select(&r.listing, yyjson_doc_get_root(r.index), &o, &s, &w, &err) != SDW_OK) fail_msg("%s", err.text);
    expect_files(&s, files);
    if (s.bytes != bytes) fail_msg("%" PRIu64 " bytes, want %" PRIu64, s.bytes, bytes);
    assert_int_equal(w.count, warning ? 1 : 0);
    if (warning && !strstr(w.text[0], warning)) fail_msg("'%s' does not hold '%s'", w.text[0], warning);
    sdw_warnings_finish(&w);
    sdw_hub_selection_finish(&s);
    finish(&r);
}

static void refuse(repository r, const sdw_hub_select_options *o, sdw_status status, const char *words)
{
    sdw_hub_selection s = { 0 };
    sdw_error err = { 0 };
    if (sdw_hub_select(&r.listing, yyjson_doc_get_root(r.index), o, &s, NULL, &err) == SDW_OK) fail_msg("accepted, want '%s'", words);
    if (!strstr(err.text, words)) fail_msg("'%s' does not hold '%s'", err.text, words);
    assert_int_equal(err.status, status);
    assert_null(s.files);
    finish(&r);
}

#define SMALL "scheduler/scheduler_config.json"
#define TOKENIZER(n) n "/merges.txt", n "/special_tokens_map.json", n "/tokenizer_config.json", n "/vocab.json"

static const char *const fp16_files[] = {
    "model_index.json", SMALL, "text_encoder/config.json", "text_encoder/model.fp16.safetensors", TOKENIZER("tokenizer"),
    "unet/config.json", "unet/diffusion_pytorch_model.fp16.safetensors", "vae/config.json",
    "vae/diffusion_pytorch_model.fp16.safetensors", NULL
};

static void published_repositories_give_exact_sets(void **state)
{
    (void)state;
    static const char *const plain[] = {
        "model_index.json", SMALL, "text_encoder/config.json", "text_encoder/model.safetensors", TOKENIZER("tokenizer"),
        "unet/config.json", "unet/diffusion_pytorch_model.safetensors", "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors", NULL
    };
    static const char *const xl[] = {
        "model_index.json", SMALL, "text_encoder/config.json", "text_encoder/model.fp16.safetensors",
        "text_encoder_2/config.json", "text_encoder_2/model.fp16.safetensors", TOKENIZER("tokenizer"),
        TOKENIZER("tokenizer_2"), "unet/config.json", "unet/diffusion_pytorch_model.fp16.safetensors", "vae/config.json",
        "vae/diffusion_pytorch_model.fp16.safetensors", NULL
    };
    static const char *const flux[] = {
        "model_index.json", SMALL, "text_encoder/config.json", "text_encoder/model.safetensors", "text_encoder_2/config.json",
        "text_encoder_2/model-00001-of-00002.safetensors", "text_encoder_2/model-00002-of-00002.safetensors",
        "text_encoder_2/model.safetensors.index.json", TOKENIZER("tokenizer"), "tokenizer_2/special_tokens_map.json",
        "tokenizer_2/spiece.model", "tokenizer_2/tokenizer.json", "tokenizer_2/tokenizer_config.json",
        "transformer/config.json", "transformer/diffusion_pytorch_model.safetensors", "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors", NULL
    };
    choose(published("sd-v1-5"), NULL, fp16_files, UINT64_C(2134194403), NULL);
    choose(published("sd-v1-5"), "fp16", fp16_files, UINT64_C(2134194403), NULL);
    choose(published("sd-2-1"), NULL, plain, UINT64_C(5161555724), NULL);
    choose(published("sd-2-inpainting"), NULL, fp16_files, UINT64_C(2581678864), NULL);
    choose(published("sdxl-base-1.0"), NULL, xl, UINT64_C(6941187536), NULL);
    choose(published("flux"), NULL, flux, UINT64_C(13440991049), NULL);
}

static void a_variant_of_one_component_is_a_mix(void **state)
{
    (void)state;
    static const char *const files[] = {
        "model_index.json", SMALL, "text_encoder/config.json", "text_encoder/model.safetensors", TOKENIZER("tokenizer"),
        "unet/config.json", "unet/diffusion_pytorch_model.non_ema.safetensors", "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors", NULL
    };
    choose(published("sd-v1-5"), "non_ema", files, UINT64_C(4266665579), "no non_ema weights");
}

static void published_repositories_that_are_refused(void **state)
{
    (void)state;
    refuse(published("sd-v1-5-inpainting"), NULL, SDW_UNSUPPORTED, "text_encoder has weights only as text_encoder/pytorch_model.bin");
    refuse(published("sd3.5-large"), NULL, SDW_NOT_FOUND, "scheduler/scheduler_config.json is missing");
    refuse(published("sd-2-1"), &(sdw_hub_select_options){ .variant = "fp16" }, SDW_NOT_FOUND, "no component has weights of variant fp16");
    refuse(published("sd-2-1"), &(sdw_hub_select_options){ .variant = "../x" }, SDW_INVALID, "want 1..32 letters");
}

static void the_safety_checker_comes_only_when_asked_for(void **state)
{
    (void)state;
    repository r = published("sd-v1-5");
    sdw_hub_selection s = { 0 };
    sdw_error err = { 0 };
    const sdw_hub_select_options o = { .safety_checker = true };
    if (sdw_hub_select(&r.listing, yyjson_doc_get_root(r.index), &o, &s, NULL, &err) != SDW_OK) fail_msg("%s", err.text);
    assert_int_equal(s.count, 15);
    assert_string_equal(s.files[0]->path, "feature_extractor/preprocessor_config.json");
    assert_string_equal(s.files[2]->path, "safety_checker/config.json");
    assert_string_equal(s.files[3]->path, "safety_checker/model.fp16.safetensors");
    sdw_hub_selection_finish(&s);
    finish(&r);
}

/* ---- rules by themselves: a pipeline of a scheduler and one model ---- */

#define INDEX(more) "{\"_class_name\":\"FluxPipeline\"" more ",\"scheduler\":[\"diffusers\",\"XScheduler\"],\"transformer\":[\"diffusers\",\"T\"]}"
#define T "transformer/diffusion_pytorch_model"

static void one_component(const char *const *weights, const char *const *chosen, const char *warning)
{
    const char *files[24] = { "model_index.json", SMALL, "transformer/config.json" };
    const char *want[24] = { "model_index.json", SMALL, "transformer/config.json" };
    size_t n = 3, k = 3;
    while (*weights) files[n++] = *weights++;
    while (*chosen) want[k++] = *chosen++;
    choose(made(files, INDEX("")), NULL, want, 10 * k, warning);
}

#define LIST(...) (const char *const[]){ __VA_ARGS__, NULL }

static void shards_are_found_by_current_and_by_legacy_names(void **state)
{
    (void)state;
    const char *const *current = LIST(T ".fp16-00001-of-00002.safetensors", T ".fp16-00002-of-00002.safetensors", T ".safetensors.index.fp16.json");
    const char *const *legacy = LIST(T "-00001-of-00002.fp16.safetensors", T "-00002-of-00002.fp16.safetensors", T ".safetensors.fp16.index.json");
    const char *const *plain = LIST(T "-00001-of-00002.safetensors", T "-00002-of-00002.safetensors", T ".safetensors.index.json");
    one_component(current, current, NULL);
    one_component(legacy, legacy, NULL);
    one_component(plain, plain, NULL);
    const char *const *both = LIST(current[0], current[1], current[2], legacy[0], legacy[1], legacy[2], plain[0], plain[1], plain[2]);
    one_component(both, current, NULL);
    const char *const *old = LIST(legacy[0], legacy[1], legacy[2], plain[0], plain[1], plain[2]);
    one_component(old, legacy, NULL);
    const char *const *single = LIST(T ".fp16.safetensors", current[0], current[1], current[2], T ".safetensors");
    one_component(single, LIST(T ".fp16.safetensors"), NULL);
}

static void refuse_component(const char *const *weights, sdw_status status, const char *words)
{
    const char *files[24] = { "model_index.json", SMALL, "transformer/config.json" };
    size_t n = 3;
    while (*weights) files[n++] = *weights++;
    refuse(made(files, INDEX("")), NULL, status, words);
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    refuse_component(LIST(T "-00001-of-00003.safetensors", T "-00003-of-00003.safetensors", T ".safetensors.index.json"), SDW_NOT_FOUND,
                     T "-00002-of-00003.safetensors is missing");
    refuse_component(LIST(T "-00001-of-00001.safetensors"), SDW_NOT_FOUND, T ".safetensors.index.json is missing");
    refuse_component(LIST(T ".safetensors.index.json"), SDW_NOT_FOUND, "its shards are missing");
    refuse_component(LIST(T ".bin"), SDW_UNSUPPORTED, "only as " T ".bin");
    refuse_component(LIST("transformer/other.safetensors", "transformer/deep/diffusion_pytorch_model.safetensors"), SDW_NOT_FOUND,
                     T ".safetensors is missing");
    refuse(made(LIST("model_index.json", SMALL), INDEX("")), NULL, SDW_NOT_FOUND, "transformer/config.json is missing");
    refuse(made(LIST("model_index.json"), INDEX("")), NULL, SDW_NOT_FOUND, SMALL " is missing");
    refuse(made(LIST("model_index.json", SMALL, "tokenizer/vocab.json"), INDEX(",\"tokenizer\":[\"transformers\",\"CLIPTokenizer\"]")), NULL,
           SDW_NOT_FOUND, "tokenizer/merges.txt");
}

static void only_configs_come_with_tokenizers_and_ignored_files_do_not(void **state)
{
    (void)state;
    choose(made(LIST("model_index.json", SMALL, "scheduler/code.py", "scheduler/x.bin", "scheduler/deep/x.json", "scheduler/notes.json",
                     "transformer/config.json", "transformer/code.py", T ".safetensors"),
                INDEX(",\"_ignore_files\":[\"scheduler/notes.json\"],\"image_encoder\":[null,null],\"requires_safety_checker\":true")),
           NULL, LIST("model_index.json", SMALL, "transformer/config.json", T ".safetensors"), 40, NULL);
}

static void foreign_pipelines_are_refused(void **state)
{
    (void)state;
    const char *const *files = LIST("model_index.json");
    refuse(made(files, "{\"_class_name\":[\"x\",\"MyPipeline\"]}"), NULL, SDW_UNSUPPORTED, "code of the repository");
    refuse(made(files, "{\"_class_name\":\"WanPipeline\"}"), NULL, SDW_UNSUPPORTED, "_class_name \"WanPipeline\"");
    refuse(made(files, "{}"), NULL, SDW_UNSUPPORTED, "(absent)");
    refuse(made(files, "{\"_class_name\":\"FluxPipeline\",\"unet\":[\"my_unet\",\"X\"]}"), NULL, SDW_UNSUPPORTED, "unet comes from 'my_unet'");
    refuse(made(files, "{\"_class_name\":\"FluxPipeline\",\"../x\":[\"diffusers\",\"X\"]}"), NULL, SDW_FORMAT, "it has a part '..'");
    refuse(made(files, "{\"_class_name\":\"FluxPipeline\",\"unet\":[\"diffusers\"]}"), NULL, SDW_FORMAT, "unet: want a list");
    refuse(made(LIST("modular_model_index.json"), NULL), NULL, SDW_UNSUPPORTED, "modular pipelines");
}

static void an_add_on_is_its_one_file(void **state)
{
    (void)state;
    choose(made(LIST("README.md", "a.safetensors", "b.safetensors", "pytorch_lora_weights.safetensors"), NULL), NULL,
           LIST("pytorch_lora_weights.safetensors"), 10, NULL);
    choose(made(LIST("README.md", "x.bin", "detail.safetensors"), NULL), NULL, LIST("detail.safetensors"), 10, NULL);
    refuse(made(LIST("a.safetensors", "b.safetensors"), NULL), NULL, SDW_INVALID, "name one (a.safetensors, b.safetensors)");
    refuse(made(LIST("x.ckpt"), NULL), NULL, SDW_UNSUPPORTED, "x.ckpt: is a PyTorch pickle");
    refuse(made(LIST("README.md"), NULL), NULL, SDW_NOT_FOUND, "no .safetensors file");
}

static void shards_named_by_an_index_are_checked(void **state)
{
    (void)state;
    repository r = made(LIST("u/m.safetensors", "x.safetensors"), NULL);
    const sdw_hub_entry *files[] = { &r.listing.entries[0], &r.listing.entries[1] };
    const sdw_hub_selection s = { .files = files, .count = 2 };
    static const struct {
        const char *map, *words;
    } cases[] = {
        { "{\"weight_map\":{\"t\":\"m.safetensors\",\"v\":\"m.safetensors\"}}", NULL },
        { "{\"weight_map\":{\"t\":\"x.safetensors\"}}", "names the shard x.safetensors, which is missing" },
        { "{\"weight_map\":{\"t\":\"../x.safetensors\"}}", "refused" },
        { "{\"weight_map\":{\"t\":\"a/m.safetensors\"}}", "it has folders" },
        { "{\"weight_map\":{\"t\":\"a\\\\..\\\\m\"}}", "refused" },
        { "{\"weight_map\":{\"t\":\"/etc/passwd\"}}", "absolute" },
        { "{\"weight_map\":{\"t\":\"m.safetensors\\u0000\"}}", "control character" },
        { "{\"weight_map\":{\"t\":1}}", "no file name" },
        { "{\"weight_map\":[]}", "no object" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        yyjson_doc *doc = NULL;
        sdw_error err = { 0 };
        assert_int_equal(sdw_json_parse(cases[i].map, strlen(cases[i].map), "index", NULL, &doc, &err), SDW_OK);
        sdw_status status = sdw_hub_check_shards(&s, "u/m.safetensors.index.json", yyjson_doc_get_root(doc), &err);
        if ((status == SDW_OK) != !cases[i].words) fail_msg("%s: %s", cases[i].map, err.text);
        if (cases[i].words && !strstr(err.text, cases[i].words)) fail_msg("'%s' does not hold '%s'", err.text, cases[i].words);
        yyjson_doc_free(doc);
    }
    finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_repositories_give_exact_sets),
        cmocka_unit_test(a_variant_of_one_component_is_a_mix),
        cmocka_unit_test(published_repositories_that_are_refused),
        cmocka_unit_test(the_safety_checker_comes_only_when_asked_for),
        cmocka_unit_test(shards_are_found_by_current_and_by_legacy_names),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(only_configs_come_with_tokenizers_and_ignored_files_do_not),
        cmocka_unit_test(foreign_pipelines_are_refused),
        cmocka_unit_test(an_add_on_is_its_one_file),
        cmocka_unit_test(shards_named_by_an_index_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
