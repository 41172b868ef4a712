/* A converted model draws what the original draws, in either naming, there and back; what cannot be converted leaves
 * nothing behind. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "engine/tiny.h"
#include "io/checkpoint.h"
#include "model/convert.h"

static int write_models(void **state)
{
    (void)state;
    tiny_write("sd15", &(tiny_options){ .kind = TINY_SD15 });
    tiny_write("sdxl", &(tiny_options){ .kind = TINY_SDXL });
    return system("rm -f *.safetensors*");
}

static sdw_convert_result convert(const sdw_convert_options *o, sdw_warnings *warnings)
{
    sdw_convert_result r = { 0 };
    sdw_error err = { 0 };
    if (sdw_convert(o, &r, warnings, &err) != SDW_OK) fail_msg("%s", err.text);
    return r;
}

static void refuse(const sdw_convert_options *o, sdw_status status, const char *words)
{
    sdw_convert_result r = { 0 };
    sdw_error err = { 0 };
    sdw_status s = sdw_convert(o, &r, NULL, &err);
    if (s != status) fail_msg("%s, want %s", s == SDW_OK ? "converted" : err.text, sdw_status_name(status));
    if (!strstr(err.text, words)) fail_msg("\"%s\" does not hold \"%s\"", err.text, words);
}

static sdw_result *draw(const char *model, const char *config_dir)
{
    sdw_engine *e = tiny_open(model, &(sdw_engine_options){ .threads = 2, .config_dir = config_dir });
    sdw_params p = tiny_params("a lighthouse");
    sdw_result *r = tiny_generate(e, &p);
    sdw_engine_close(e);
    return r;
}

/* config_dir: where the tokenizer of a model lies that has one of its own. */
static void check_round_trip(const char *model, const char *config_dir)
{
    static const struct {
        sdw_naming naming;
        const char *first, *second;
    } ways[] = { { SDW_NAMING_LDM, "ldm.safetensors", "ldm_ldm.safetensors" },
                 { SDW_NAMING_DIFFUSERS, "diffusers.safetensors", "diffusers_ldm.safetensors" } };
    sdw_result *original = draw(model, NULL);
    for (int i = 0; i < 2; i++) {
        convert(&(sdw_convert_options){ .model = model, .output = ways[i].first, .naming = ways[i].naming, .keep_dtype = true, .replace = true }, NULL);
        convert(&(sdw_convert_options){ .model = ways[i].first, .output = ways[i].second, .naming = SDW_NAMING_LDM, .keep_dtype = true, .replace = true }, NULL);
        sdw_result *first = draw(ways[i].first, config_dir), *second = draw(ways[i].second, config_dir);
        assert_true(tiny_same(&original->images[0], &first->images[0]));
        assert_true(tiny_same(&original->images[0], &second->images[0]));
        sdw_result_free(first);
        sdw_result_free(second);
    }
    assert_int_equal(system("cmp -s ldm.safetensors ldm_ldm.safetensors && cmp -s ldm.safetensors diffusers_ldm.safetensors"), 0);
    sdw_result_free(original);
}

static void either_naming_draws_the_same_picture_there_and_back(void **state)
{
    (void)state;
    check_round_trip("sd15", "sd15");
    check_round_trip("sdxl", NULL); /* fused and transposed matrices; the file says all about itself */
}

static void a_wider_type_changes_nothing_and_a_narrower_one_a_little(void **state)
{
    (void)state;
    static const struct {
        sdw_dtype dtype;
        bool same;
    } rows[] = { { SDW_F32, true }, { SDW_F16, true }, { SDW_BF16, false }, { SDW_F8_E4M3, false } };
    sdw_result *original = draw("sdxl", NULL); /* F16 */
    uint64_t bytes = 0;
    for (int i = 0; i < 4; i++) {
        sdw_convert_result r = convert(&(sdw_convert_options){ .model = "sdxl", .output = "typed.safetensors", .naming = SDW_NAMING_DIFFUSERS,
                                                               .dtype = rows[i].dtype, .replace = true }, NULL);
        sdw_result *typed = draw("typed.safetensors", NULL);
        assert_int_equal(tiny_same(&original->images[0], &typed->images[0]), rows[i].same);
        assert_true(tiny_has_content(&typed->images[0]));
        assert_true(i == 0 || r.bytes <= bytes);
        bytes = r.bytes;
        sdw_result_free(typed);
    }
    sdw_checkpoint *c = NULL;
    assert_int_equal(sdw_checkpoint_open("typed.safetensors", &c, NULL), SDW_OK);
    assert_int_equal(sdw_checkpoint_find(c, "unet.conv_in.weight")->dtype, SDW_F8_E4M3);
    assert_int_equal(sdw_checkpoint_find(c, "unet.conv_in.bias")->dtype, SDW_F16);
    sdw_checkpoint_close(c);
    sdw_result_free(original);
}

static void a_tokenizer_of_its_own_is_warned_of(void **state)
{
    (void)state;
    sdw_warnings warnings = { 0 };
    convert(&(sdw_convert_options){ .model = "sd15", .output = "w.safetensors", .naming = SDW_NAMING_LDM, .keep_dtype = true, .replace = true }, &warnings);
    bool found = false;
    for (size_t i = 0; i < warnings.count; i++) found = found || strstr(warnings.text[i], "sd15/tokenizer: this tokenizer is no part of the file");
    assert_true(found);
    sdw_warnings_finish(&warnings);
}

/* A file of 4-byte floats whose last value is x. */
static void write_with_last(const char *path, float x)
{
    convert(&(sdw_convert_options){ .model = "sdxl", .output = path, .naming = SDW_NAMING_DIFFUSERS, .dtype = SDW_F32, .replace = true }, NULL);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, -4, SEEK_END), 0);
    assert_int_equal(fwrite(&x, sizeof x, 1, f), 1);
    assert_int_equal(fclose(f), 0);
}

static int files_named(const char *part)
{
    int count = 0;
    DIR *d = opendir(".");
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) count += strstr(e->d_name, part) != NULL;
    closedir(d);
    return count;
}

static void a_value_that_the_type_cannot_hold_is_refused(void **state)
{
    (void)state;
    sdw_convert_options o = { .model = "large.safetensors", .output = "refused.safetensors", .naming = SDW_NAMING_LDM, .dtype = SDW_F16 };
    write_with_last("large.safetensors", 1e6f);
    refuse(&o, SDW_NUMERIC, "1e+06, which F16 cannot hold");
    assert_int_equal(files_named("refused"), 0);
    o.dtype = SDW_BF16;
    convert(&o, NULL);
    assert_int_equal(files_named("refused"), 1);
    unlink("refused.safetensors");
}

static bool stop_after(void *left)
{
    return --*(int *)left < 0;
}

static void what_goes_wrong_leaves_nothing_behind(void **state)
{
    (void)state;
    int left = 40;
    sdw_convert_options o = { .model = "sd15", .output = "nothing.safetensors", .naming = SDW_NAMING_LDM, .keep_dtype = true,
                              .cancelled = stop_after, .ctx = &left };
    refuse(&o, SDW_CANCELLED, "cancelled");
    assert_int_equal(files_named("nothing"), 0);
    o.cancelled = NULL;
    o.model = "nowhere";
    refuse(&o, SDW_NOT_FOUND, "nowhere");
    o.model = "sd15";
    o.output = "ldm.safetensors"; /* there already */
    refuse(&o, SDW_EXISTS, "ldm.safetensors");
    o.output = "no-folder/x.safetensors";
    refuse(&o, SDW_IO, "no-folder");
    o.output = "nothing.safetensors";
    for (size_t nth = 1;; nth += 1 + nth / 8) { /* every allocation of the first ones, then fewer */
        sdw_convert_result r;
        sdw_error err = { 0 };
        sdw_mem_fail_at(nth, false);
        sdw_status s = sdw_convert(&o, &r, NULL, &err);
        size_t made = sdw_mem_count();
        sdw_mem_fail_at(0, false);
        if (s == SDW_OK && made < nth) break;
        if (s == SDW_OK) unlink("nothing.safetensors"); /* a warning was dropped, no more */
        else assert_int_equal(s, SDW_NO_MEMORY);
        assert_int_equal(files_named("nothing"), 0);
    }
}

static char *find(char *text, size_t size, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= size; i++)
        if (memcmp(text + i, word, n) == 0) return text + i;
    return NULL;
}

static void what_a_file_says_about_itself_is_checked(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *words;
    } rows[] = { { "\\\"model_index\\\":", "\\\"model_inde_\\\":", "no model_index" },
                 { "StableDiffusionXLPipeline", "StableDiffusionXLPipelinf", "StableDiffusionXLPipelinf" },
                 { ",\\\"scheduler\\\":{", ",\\\"schedulex\\\":{", "no configuration of scheduler" } };
    sdw_convert_options o = { .model = "sdxl", .output = "said.safetensors", .naming = SDW_NAMING_LDM, .keep_dtype = true, .replace = true };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char head[20000];
        convert(&o, NULL);
        FILE *f = fopen("said.safetensors", "r+b");
        assert_non_null(f);
        size_t n = fread(head, 1, sizeof head, f);
        char *at = find(head, n, rows[i].from);
        if (!at) fail_msg("%s is not in the first %zu bytes", rows[i].from, n);
        memcpy(at, rows[i].to, strlen(rows[i].to));
        rewind(f);
        assert_int_equal(fwrite(head, 1, n, f), n);
        assert_int_equal(fclose(f), 0);
        sdw_engine *e = NULL;
        sdw_error err = { 0 };
        assert_int_not_equal(sdw_engine_open(&(sdw_engine_options){ .model = "said.safetensors" }, &e, &err), SDW_OK);
        if (!strstr(err.text, rows[i].words)) fail_msg("\"%s\" does not hold \"%s\"", err.text, rows[i].words);
    }
}

/* The reference's own single files, tensor by tensor; published ones have "text_model." in the names of the first text
 * encoder, as ours do, and the reference's do not. */
static void the_original_layout_is_that_of_the_reference(void **state)
{
    (void)state;
    static const char *const models[] = { "sd15", "sd21", "sdxl" };
    static const char inner[] = ".transformer.text_model.";
    const char *root = getenv("SDW_ORACLE_DIR");
    if (!root) skip();
    for (int m = 0; m < 3; m++) {
        char path[600], name[600];
        sdw_checkpoint *ours = NULL, *theirs = NULL;
        snprintf(path, sizeof path, "%s/%s", root, models[m]);
        convert(&(sdw_convert_options){ .model = path, .output = "ours.safetensors", .naming = SDW_NAMING_LDM, .keep_dtype = true, .replace = true }, NULL);
        snprintf(path, sizeof path, "%s/%s/single_file.safetensors", root, models[m]);
        assert_int_equal(sdw_checkpoint_open("ours.safetensors", &ours, NULL), SDW_OK);
        assert_int_equal(sdw_checkpoint_open(path, &theirs, NULL), SDW_OK);
        assert_int_equal(sdw_checkpoint_count(ours), sdw_checkpoint_count(theirs));
        for (size_t i = 0; i < sdw_checkpoint_count(ours); i++) {
            const sdw_file_tensor *a = sdw_checkpoint_at(ours, i), *b;
            const char *at = strstr(a->name, inner);
            if (at) snprintf(name, sizeof name, "%.*s.transformer.%s", (int)(at - a->name), a->name, at + sizeof inner - 1);
            else snprintf(name, sizeof name, "%s", a->name);
            b = sdw_checkpoint_find(theirs, name);
            if (!b) fail_msg("%s: the reference has no %s", models[m], name);
            bool same = a->dtype == b->dtype && a->rank == b->rank && a->bytes == b->bytes &&
                        !memcmp(a->shape, b->shape, (size_t)a->rank * sizeof *a->shape) && !memcmp(a->data, b->data, a->bytes);
            if (!same) fail_msg("%s: %s differs", models[m], name);
        }
        sdw_checkpoint_close(ours);
        sdw_checkpoint_close(theirs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(either_naming_draws_the_same_picture_there_and_back),
        cmocka_unit_test(a_wider_type_changes_nothing_and_a_narrower_one_a_little),
        cmocka_unit_test(a_tokenizer_of_its_own_is_warned_of),
        cmocka_unit_test(a_value_that_the_type_cannot_hold_is_refused),
        cmocka_unit_test(what_goes_wrong_leaves_nothing_behind),
        cmocka_unit_test(what_a_file_says_about_itself_is_checked),
        cmocka_unit_test(the_original_layout_is_that_of_the_reference),
    };
    return cmocka_run_group_tests(tests, write_models, NULL);
}
