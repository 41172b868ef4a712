/* From the name of a model to where it lies. */
#include "bed.h"

#include <sys/stat.h>
#include <unistd.h>

#include "hub/aliases.h"
#include "hub/folders.h"
#include "hub/resolve.h"

static sdw_status resolve(bed *b, const char *name)
{
    const sdw_hub_model m = { .name = name };
    memset(&b->err, 0, sizeof b->err);
    return sdw_hub_resolve(&b->settings, &m, &b->hooks, b->path, &b->err);
}

static void expect_path(bed *b, const char *name, const char *path)
{
    if (resolve(b, name) != SDW_OK) fail_msg("%s: %s", name, b->err.text);
    if (!strstr(b->path, path)) fail_msg("%s: '%s' does not hold '%s'", name, b->path, path);
}

static void refuse(bed *b, const char *name, const char *words)
{
    if (resolve(b, name) == SDW_OK) fail_msg("%s: accepted, want '%s'", name, words);
    if (!strstr(b->err.text, words)) fail_msg("'%s' does not hold '%s'", b->err.text, words);
}

static void put_file(const bed *b, const char *path)
{
    char whole[600];
    snprintf(whole, sizeof whole, "%s/%s", b->folder, path);
    if (sdw_hub_write_file(whole, "{}", 2, NULL) != SDW_OK) fail_msg("%s", whole);
}

static void a_complete_model_is_found_without_a_request(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    expect_path(&b, "org/model", fake_repo_commit(b.repo)); /* fetched */
    fake_hub_forget(b.hub);
    int connections = fake_hub_connections(b.hub);
    char name[80], address[160];
    expect_path(&b, "org/model", fake_repo_commit(b.repo));
    expect_path(&b, "org/model@main", fake_repo_commit(b.repo));
    snprintf(name, sizeof name, "org/model@%s", fake_repo_commit(b.repo));
    expect_path(&b, name, fake_repo_commit(b.repo));
    snprintf(address, sizeof address, "%s/org/model/blob/main/" BED_UNET_PATH, fake_hub_url(b.hub));
    expect_path(&b, address, BED_UNET_PATH);
    assert_int_equal(fake_hub_count(b.hub, FAKE_ANY, NULL, NULL), 0);
    assert_int_equal(fake_hub_connections(b.hub), connections);
    bed_close(&b);
}

static void a_path_that_exists_comes_first(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    assert_int_equal(mkdir("org", 0700), 0);
    assert_int_equal(mkdir("org/model", 0700), 0);
    expect_path(&b, "org/model", "org/model");
    assert_string_equal(b.path, "org/model");
    rmdir("org/model");
    rmdir("org");
    assert_int_equal(fake_hub_connections(b.hub), 0);
    bed_close(&b);
}

static void paths_are_never_asked_for(void **state)
{
    (void)state;
    static const char *const paths[] = { "/no/such", "./none", "../none", "none.safetensors", "a/b/c", "org/", "model.ckpt", "~/x" };
    bed b;
    bed_open(&b, NULL);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        assert_true(sdw_hub_is_path(paths[i]));
        expect_path(&b, paths[i], paths[i]);
    }
    assert_false(sdw_hub_is_path("org/model"));
    assert_false(sdw_hub_is_path("org/model@refs/pr/4"));
    assert_false(sdw_hub_is_path("https://hf.co/a/b/blob/main/x.safetensors"));
    refuse(&b, "nowhere", "a repository of the hub is named ORG/NAME");
    refuse(&b, "a b/c", "is no repository id");
    refuse(&b, "https://example.org/x.safetensors", "another server");
    assert_int_equal(fake_hub_connections(b.hub), 0);
    bed_close(&b);
}

static void models_of_other_programs_are_found(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    put_file(&b, ".cache/rbee/models/org-one/model_index.json");
    put_file(&b, ".cache/rbee/models/org/two/model_index.json");
    put_file(&b, ".cache/rbee/models/three/three.safetensors");
    put_file(&b, ".cache/rbee/models/sdxl-turbo/model_index.json");
    expect_path(&b, "org/one", "/models/org-one");
    expect_path(&b, "org/two", "/models/org/two");
    expect_path(&b, "org/three", "/models/three/three.safetensors");
    expect_path(&b, "three", "/models/three/three.safetensors");
    expect_path(&b, "Turbo", "/models/sdxl-turbo");
    assert_int_equal(fake_hub_connections(b.hub), 0);
    bed_close(&b);
}

static void a_variable_names_the_model_of_an_alias(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    setenv("SD_MODEL_TURBO", b.folder, 1);
    expect_path(&b, "turbo", b.folder);
    expect_path(&b, "SDXL-turbo", b.folder);
    setenv("SD_MODEL_TURBO", "/no/such/place", 1);
    refuse(&b, "turbo", "SD_MODEL_TURBO: '/no/such/place' does not exist");
    unsetenv("SD_MODEL_TURBO");
    bed_close(&b);
}

static void an_alias_tries_its_repositories_in_order(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    refuse(&b, "v1-5", "stable-diffusion-v1-5/stable-diffusion-v1-5: this repository is missing");
    assert_int_equal(fake_hub_count(b.hub, FAKE_HUB, NULL, "/runwayml/stable-diffusion-v1-5/"), 1);
    bed_add_model(fake_hub_repo(b.hub, "stable-diffusion-v1-5/stable-diffusion-v1-5"), 5000);
    expect_path(&b, "v1.5", "models--stable-diffusion-v1-5--stable-diffusion-v1-5");
    bed_add_model(fake_hub_repo(b.hub, "runwayml/stable-diffusion-v1-5"), 5000);
    fake_hub_forget(b.hub);
    expect_path(&b, "1.5", "models--stable-diffusion-v1-5--stable-diffusion-v1-5"); /* what is here wins */
    assert_int_equal(fake_hub_count(b.hub, FAKE_ANY, NULL, NULL), 0);
    bed_close(&b);
}

static void a_fault_of_the_first_repository_ends_the_search(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    bed_add_model(fake_hub_repo(b.hub, "stable-diffusion-v1-5/stable-diffusion-v1-5"), 5000);
    fake_repo *r = fake_hub_repo(b.hub, "runwayml/stable-diffusion-v1-5");
    fake_repo_set_gated(r, true);
    refuse(&b, "v1-5", "runwayml/stable-diffusion-v1-5 is gated");
    bed_close(&b);
}

static void offline_says_what_is_missing_and_where_it_looked(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    bed_set(&b, "HF_HUB_OFFLINE=1");
    refuse(&b, "org/model", "is not on this machine");
    assert_non_null(strstr(b.err.text, b.cache));
    assert_non_null(strstr(b.err.text, ".cache/rbee/models"));
    assert_non_null(strstr(b.err.text, "HF_HUB_OFFLINE"));
    assert_int_equal(fake_hub_connections(b.hub), 0);
    bed_close(&b);
}

static void aliases_are_unique_and_well_formed(void **state)
{
    (void)state;
    size_t count;
    const sdw_hub_alias *a = sdw_hub_aliases(&count);
    assert_int_equal(count, 9);
    for (size_t i = 0; i < count; i++) {
        for (const char *const *s = a[i].spellings; *s; s++) {
            assert_ptr_equal(sdw_hub_alias_find(*s), &a[i]);
            assert_false(sdw_hub_is_path(*s));
        }
        for (const char *const *r = a[i].repositories; *r; r++) assert_true(sdw_hub_is_id(*r));
        assert_non_null(a[i].repositories[0]);
    }
    assert_null(sdw_hub_alias_find("3-medium"));
    assert_null(sdw_hub_alias_find(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_complete_model_is_found_without_a_request),
        cmocka_unit_test(a_path_that_exists_comes_first),
        cmocka_unit_test(paths_are_never_asked_for),
        cmocka_unit_test(models_of_other_programs_are_found),
        cmocka_unit_test(a_variable_names_the_model_of_an_alias),
        cmocka_unit_test(an_alias_tries_its_repositories_in_order),
        cmocka_unit_test(a_fault_of_the_first_repository_ends_the_search),
        cmocka_unit_test(offline_says_what_is_missing_and_where_it_looked),
        cmocka_unit_test(aliases_are_unique_and_well_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
