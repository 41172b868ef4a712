/* Which models are the same. */
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

#include "bed.h"
#include "worker/fingerprint.h"

static void write_file(const char *path, const char *head, size_t middle, const char *tail)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(head, f);
    for (size_t i = 0; i < middle; i++) fputc('m', f);
    fputs(tail, f);
    assert_int_equal(fclose(f), 0);
}

static int make_models(void **state)
{
    (void)state;
    static const char *const folders[] = { "model-a", "model-b" };
    for (int i = 0; i < 2; i++) {
        char path[64];
        bed_wipe(folders[i]);
        assert_int_equal(mkdir(folders[i], 0700), 0);
        snprintf(path, sizeof path, "%s/unet", folders[i]);
        assert_int_equal(mkdir(path, 0700), 0);
        snprintf(path, sizeof path, "%s/model_index.json", folders[i]);
        write_file(path, "{}", 0, "");
        snprintf(path, sizeof path, "%s/unet/weights.safetensors", folders[i]);
        write_file(path, "head", 300000, "tail");
    }
    return 0;
}

static void get(const char *model, const char *variant, char ret[SDW_DIGEST_HEX_SIZE])
{
    const sdw_engine_options o = { .model = model, .variant = variant };
    sdw_error err = { 0 };
    if (sdw_model_fingerprint(&o, ret, &err) != SDW_OK) fail_msg("%s", err.text);
}

static void the_same_files_elsewhere_are_the_same_model(void **state)
{
    (void)state;
    char a[SDW_DIGEST_HEX_SIZE], b[SDW_DIGEST_HEX_SIZE];
    get("model-a", NULL, a);
    get("model-b", NULL, b);
    assert_int_equal(strlen(a), 64);
    assert_string_equal(a, b);
    /* Also when the files are links, as in a cache. */
    assert_int_equal(rename("model-b/unet/weights.safetensors", "weights-blob"), 0);
    assert_int_equal(symlink("../../weights-blob", "model-b/unet/weights.safetensors"), 0);
    get("model-b", NULL, b);
    assert_string_equal(a, b);
}

static void any_other_file_is_another_model(void **state)
{
    (void)state;
    char a[SDW_DIGEST_HEX_SIZE], b[SDW_DIGEST_HEX_SIZE];
    static const struct { const char *head; size_t middle; const char *tail; } changes[] = {
        { "Head", 300000, "tail" }, { "head", 300000, "tale" }, { "head", 300001, "tail" }, { "head", 0, "" },
    };
    get("model-a", NULL, a);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        write_file("model-b/unet/weights.safetensors", changes[i].head, changes[i].middle, changes[i].tail);
        get("model-b", NULL, b);
        assert_string_not_equal(a, b);
    }
    write_file("model-b/unet/weights.safetensors", "head", 300000, "tail");
    assert_int_equal(rename("model-b/model_index.json", "model-b/other.json"), 0);
    get("model-b", NULL, b);
    assert_string_not_equal(a, b);
    get("model-a", "fp16", b);
    assert_string_not_equal(a, b);
    get("model-a/unet/weights.safetensors", NULL, b);
    assert_int_equal(strlen(b), 64);
    assert_string_not_equal(a, b);
    get("no such model", NULL, b);
    assert_string_equal(b, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_same_files_elsewhere_are_the_same_model, make_models),
        cmocka_unit_test_setup(any_other_file_is_another_model, make_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
