/* One file from a server that is no hub. */
#include "bed.h"

#include <unistd.h>

#include "hub/url_file.h"

#define UNET BED_UNET_PATH
#define TARGET "/.cache/rbee/models/diffusion_pytorch_model.safetensors"

static char url[512], target[512], hash[SDW_DIGEST_HEX_SIZE];

static void open_bed(bed *b)
{
    bed_open(b, NULL);
    bed_set(b, "HF_TOKEN=hf_good");
    snprintf(url, sizeof url, "%s/plain/org/model/" UNET "?key=1", fake_hub_files(b->hub));
    snprintf(target, sizeof target, "%s" TARGET, b->folder);
}

static sdw_status pull(bed *b, const char *sha256)
{
    const sdw_hub_url_wish w = { .url = url, .sha256 = sha256 };
    memset(&b->err, 0, sizeof b->err);
    return sdw_hub_pull_url(&b->settings, &w, &b->hooks, b->path, hash, &b->err);
}

static void pull_well(bed *b, const char *sha256)
{
    if (pull(b, sha256) != SDW_OK) fail_msg("%s", b->err.text);
    assert_string_equal(b->path, target);
    assert_string_equal(hash, fake_repo_hash(b->repo, UNET));
    assert_int_equal(bed_size(target), BED_UNET);
    static const char *const leftovers[] = { "incomplete", "json", "lock" };
    char path[600];
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s.sdw.%s", target, leftovers[i]);
        if (bed_exists(path)) fail_msg("%s is left", path);
    }
}

static void refuse(bed *b, const char *sha256, sdw_status status, const char *words)
{
    if (pull(b, sha256) == SDW_OK) fail_msg("accepted, want '%s'", words);
    if (!strstr(b->err.text, words)) fail_msg("'%s' does not hold '%s'", b->err.text, words);
    assert_int_equal(b->err.status, status);
}

static void a_file_gets_the_name_of_its_address(void **state)
{
    (void)state;
    bed b;
    fake_request r;
    open_bed(&b);
    pull_well(&b, NULL);
    assert_int_equal(fake_hub_count(b.hub, FAKE_HUB, NULL, NULL), 0);
    assert_true(fake_hub_request(b.hub, FAKE_FILES, NULL, 0, &r));
    assert_string_equal(r.authorization, ""); /* it is no hub */
    assert_int_equal(b.progress.bytes_done, BED_UNET);
    assert_int_equal(b.progress.files_done, 1);
    bed_close(&b);
}

static void a_given_hash_is_checked(void **state)
{
    (void)state;
    bed b;
    char wrong[65];
    open_bed(&b);
    memset(wrong, 'a', 64);
    wrong[64] = '\0';
    refuse(&b, wrong, SDW_FORMAT, "the hash of what came is");
    assert_false(bed_exists(target));
    refuse(&b, "abc", SDW_INVALID, "want 64 lower-case hex digits");
    assert_string_equal(b.err.field, "sha256");
    pull_well(&b, fake_repo_hash(b.repo, UNET));
    bed_close(&b);
}

static void an_existing_file_is_never_overwritten(void **state)
{
    (void)state;
    bed b;
    char wrong[65];
    open_bed(&b);
    pull_well(&b, NULL);
    fake_hub_forget(b.hub);
    pull_well(&b, fake_repo_hash(b.repo, UNET)); /* it is the wanted one */
    refuse(&b, NULL, SDW_EXISTS, "is there already; give --sha256");
    memset(wrong, 'a', 64);
    wrong[64] = '\0';
    refuse(&b, wrong, SDW_EXISTS, "it is not overwritten");
    assert_int_equal(fake_hub_count(b.hub, FAKE_ANY, NULL, NULL), 0);
    assert_int_equal(bed_size(target), BED_UNET);
    bed_close(&b);
}

/* A run that ends in the middle. */
static void stop_after(bed *b, size_t bytes)
{
    fake_hub_rule(b->hub, &(fake_rule){ .host = FAKE_FILES, .times = 1, .cut_after = bytes });
    fake_hub_rule(b->hub, &(fake_rule){ .host = FAKE_FILES, .times = 6, .status = 500 });
    refuse(b, NULL, SDW_IO, "fault (500)");
    fake_hub_no_rules(b->hub);
    fake_hub_forget(b->hub);
}

static void another_run_continues_the_same_file(void **state)
{
    (void)state;
    bed b;
    fake_request r;
    char tag[128];
    open_bed(&b);
    stop_after(&b, 120000);
    pull_well(&b, NULL);
    assert_true(fake_hub_request(b.hub, FAKE_FILES, NULL, 0, &r));
    assert_string_equal(r.range, "bytes=120000-");
    snprintf(tag, sizeof tag, "\"%s\"", fake_repo_hash(b.repo, UNET));
    assert_string_equal(r.if_range, tag);
    assert_int_equal(fake_hub_sent(b.hub, FAKE_FILES, NULL), BED_UNET - 120000);
    bed_close(&b);
}

static void a_file_that_changed_meanwhile_is_begun_anew(void **state)
{
    (void)state;
    bed b;
    open_bed(&b);
    stop_after(&b, 120000);
    fake_repo_add_weights(b.repo, UNET, BED_UNET - 1000);
    if (pull(&b, NULL) != SDW_OK) fail_msg("%s", b.err.text);
    assert_string_equal(hash, fake_repo_hash(b.repo, UNET));
    assert_int_equal(bed_size(target), BED_UNET - 1000);
    bed_close(&b);
}

static void a_file_that_was_whole_but_unnamed_needs_no_byte(void **state)
{
    (void)state;
    bed b;
    char partial[600];
    open_bed(&b);
    stop_after(&b, 120000); /* leaves the file beside */
    size_t size;
    const unsigned char *data = fake_repo_data(b.repo, UNET, &size);
    snprintf(partial, sizeof partial, "%s.sdw.incomplete", target);
    FILE *f = fopen(partial, "wb");
    assert_int_equal(fwrite(data, 1, size, f), size);
    fclose(f);
    pull_well(&b, NULL);
    assert_int_equal(fake_hub_count(b.hub, FAKE_ANY, NULL, NULL), 0);
    bed_close(&b);
}

static void a_partial_file_of_another_address_is_not_used(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) { /* without a hash, and with one, which would allow to go on without an entity tag */
        bed b;
        fake_request r;
        open_bed(&b);
        stop_after(&b, 120000);
        snprintf(url, sizeof url, "%s/plain/org/model/" UNET "?key=2", fake_hub_files(b.hub));
        pull_well(&b, i ? fake_repo_hash(b.repo, UNET) : NULL);
        assert_true(fake_hub_request(b.hub, FAKE_FILES, NULL, 0, &r));
        assert_string_equal(r.range, "");
        bed_close(&b);
    }
}

static void what_is_no_weights_file_is_refused(void **state)
{
    (void)state;
    bed b;
    open_bed(&b);
    fake_repo_add(b.repo, "model.safetensors", "hello", 5, true);
    snprintf(url, sizeof url, "%s/plain/org/model/model.safetensors", fake_hub_files(b.hub));
    refuse(&b, NULL, SDW_FORMAT, "model.safetensors");
    snprintf(url, sizeof url, "%s/plain/org/model/unet/diffusion_pytorch_model.bin", fake_hub_files(b.hub));
    refuse(&b, NULL, SDW_INVALID, "want a name that ends in .safetensors");
    snprintf(url, sizeof url, "%s/plain/org/model/none.safetensors", fake_hub_files(b.hub));
    refuse(&b, NULL, SDW_NOT_FOUND, "answers 404");
    snprintf(url, sizeof url, "ftp://x/y.safetensors");
    refuse(&b, NULL, SDW_INVALID, "is no address");
    char path[600];
    snprintf(path, sizeof path, "%s/.cache/rbee/models/model.safetensors", b.folder);
    assert_false(bed_exists(path));
    bed_close(&b);
}

static void the_output_may_be_named(void **state)
{
    (void)state;
    bed b;
    char output[300];
    open_bed(&b);
    snprintf(output, sizeof output, "%s/mine.safetensors", b.folder);
    const sdw_hub_url_wish w = { .url = url, .output = output };
    if (sdw_hub_pull_url(&b.settings, &w, &b.hooks, b.path, hash, &b.err) != SDW_OK) fail_msg("%s", b.err.text);
    assert_string_equal(b.path, output);
    assert_int_equal(bed_size(output), BED_UNET);
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_gets_the_name_of_its_address),
        cmocka_unit_test(a_given_hash_is_checked),
        cmocka_unit_test(an_existing_file_is_never_overwritten),
        cmocka_unit_test(another_run_continues_the_same_file),
        cmocka_unit_test(a_file_that_changed_meanwhile_is_begun_anew),
        cmocka_unit_test(a_file_that_was_whole_but_unnamed_needs_no_byte),
        cmocka_unit_test(a_partial_file_of_another_address_is_not_used),
        cmocka_unit_test(what_is_no_weights_file_is_refused),
        cmocka_unit_test(the_output_may_be_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
