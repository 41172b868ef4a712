/* Pulling from a hub that behaves like the real one: requests, redirects, token, cache layout, refusals. */
#include "bed.h"

#include <unistd.h>

#include "hub/aliases.h"

#define UNET BED_UNET_PATH
#define FILES 11 /* of org/model that a picture needs */

static void a_model_comes_with_exactly_its_files(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    bed_pull_well(&b);
    assert_int_equal(bed_check_blobs(&b), FILES);
    assert_false(bed_exists(bed_place(&b, SDW_HUB_BLOB, fake_repo_hash(b.repo, "README.md"))));
    assert_false(bed_exists(bed_place(&b, SDW_HUB_BLOB, fake_repo_hash(b.repo, "unet/diffusion_pytorch_model.bin"))));
    assert_string_equal(b.path, bed_place(&b, SDW_HUB_SNAPSHOT, fake_repo_commit(b.repo)));
    assert_int_equal(b.progress.files, FILES);
    assert_int_equal(b.progress.files_done, FILES);
    assert_int_equal(b.progress.bytes_done, b.progress.bytes);
    assert_int_equal(b.progress.bytes_fetched, b.progress.bytes);
    bed_close(&b);
}

static void the_cache_is_laid_out_as_by_python(void **state)
{
    (void)state;
    bed b;
    char text[600], target[256];
    bed_open(&b, NULL);
    bed_pull_well(&b);
    FILE *f = fopen(bed_place(&b, SDW_HUB_REF, "main"), "r");
    assert_non_null(f);
    assert_int_equal(fread(text, 1, sizeof text, f), 40); /* no line end */
    assert_memory_equal(text, fake_repo_commit(b.repo), 40);
    fclose(f);
    snprintf(text, sizeof text, "%s/" UNET, fake_repo_commit(b.repo));
    ssize_t n = readlink(bed_place(&b, SDW_HUB_SNAPSHOT, text), target, sizeof target - 1);
    assert_true(n > 0);
    target[n] = '\0';
    snprintf(text, sizeof text, "../../../blobs/%s", fake_repo_hash(b.repo, UNET));
    assert_string_equal(target, text);
    snprintf(text, sizeof text, "%s/model_index.json", fake_repo_commit(b.repo));
    n = readlink(bed_place(&b, SDW_HUB_SNAPSHOT, text), target, sizeof target - 1);
    target[n > 0 ? n : 0] = '\0';
    snprintf(text, sizeof text, "../../blobs/%s", fake_repo_hash(b.repo, "model_index.json"));
    assert_string_equal(target, text);
    snprintf(text, sizeof text, "%s/CACHEDIR.TAG", b.cache);
    f = fopen(text, "r");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof text, f));
    fclose(f);
    assert_string_equal(text, "Signature: 8a477f597d28d172789f06886806bc55\n");
    assert_true(bed_exists(bed_place(&b, SDW_HUB_LOCK, fake_repo_hash(b.repo, UNET))));
    sdw_hub_listing tree = { 0 };
    assert_int_equal(sdw_hub_listing_read_file(&tree, bed_place(&b, SDW_HUB_TREE, fake_repo_commit(b.repo)), NULL), SDW_OK);
    assert_int_equal(tree.count, FILES + 2);
    assert_string_equal(sdw_hub_listing_find(&tree, UNET)->hash, fake_repo_hash(b.repo, UNET));
    assert_int_equal(sdw_hub_listing_find(&tree, UNET)->size, BED_UNET);
    assert_string_equal(sdw_hub_listing_find(&tree, UNET)->xet_hash, fake_repo_hash(b.repo, UNET)); /* the fake hub's choice */
    assert_string_equal(sdw_hub_listing_find(&tree, "vae/config.json")->xet_hash, "");
    sdw_hub_listing_finish(&tree);
    bed_close(&b);
}

/* Trap 1: the relative 307 of small files; trap 2: metadata of large files stand on the 302 only; trap 4: the token;
 * trap 25: identity. */
static void redirects_keep_the_token_at_home(void **state)
{
    (void)state;
    bed b;
    fake_request r;
    bed_open(&b, NULL);
    bed_set(&b, "HF_TOKEN=hf_good");
    bed_pull_well(&b);
    assert_true(fake_hub_count(b.hub, FAKE_HUB, "HEAD", "/api/resolve-cache/") > 0);
    assert_int_equal(fake_hub_count(b.hub, FAKE_FILES, "HEAD", NULL), 0);
    assert_int_equal(fake_hub_count(b.hub, FAKE_FILES, "GET", NULL), 3);
    for (int i = 0; fake_hub_request(b.hub, FAKE_ANY, NULL, i, &r); i++) {
        assert_string_equal(r.authorization, r.host == FAKE_HUB ? "Bearer hf_good" : "");
        assert_string_equal(r.accept_encoding, "identity");
    }
    bed_close(&b);
}

/* Trap 4: same host, another port. */
static void another_port_of_the_hub_gets_no_token(void **state)
{
    (void)state;
    bed b;
    fake_request r;
    char place[64];
    bed_open(&b, NULL);
    bed_set(&b, "HF_TOKEN=hf_good");
    snprintf(place, sizeof place, "http://127.0.0.1%s", strrchr(fake_hub_files(b.hub), ':'));
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_HUB, .match = ".safetensors", .location = place });
    bed_pull_well(&b);
    assert_int_equal(fake_hub_count(b.hub, FAKE_FILES, "GET", NULL), 3);
    for (int i = 0; fake_hub_request(b.hub, FAKE_FILES, NULL, i, &r); i++) assert_string_equal(r.authorization, "");
    bed_close(&b);
}

/* Trap 4: from https to http. */
static void tls_is_checked_and_never_left(void **state)
{
    (void)state;
    bed b;
    char place[64];
    bed_open(&b, &(fake_hub_options){ .tls = true });
    bed_set(&b, "HF_TOKEN=hf_good");
    snprintf(place, sizeof place, "http://localhost%s", strrchr(fake_hub_files(b.hub), ':'));
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_HUB, .method = "GET", .match = UNET, .location = place });
    bed_refuse(&b, NULL, SDW_FORMAT, "redirects from https to http://localhost");
    fake_hub_no_rules(b.hub);
    bed_pull_well(&b);
    bed_close(&b);
}

static void an_unknown_certificate_is_refused_at_once(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, &(fake_hub_options){ .tls = true });
    sdw_hub_settings s = b.settings;
    s.ca_file = NULL;
    const sdw_hub_wish w = { .id = "org/model" };
    assert_int_equal(sdw_hub_pull(&s, &w, &b.hooks, b.path, NULL, &b.err), SDW_IO);
    assert_non_null(strstr(b.err.text, "certificate"));
    assert_int_equal(b.wait_count, 0);
    bed_close(&b);
}

/* Trap 7 */
static void a_missing_repository_is_missing_or_private(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    bed_refuse(&b, &(sdw_hub_wish){ .id = "org/none" }, SDW_NOT_FOUND, "missing, or it is private or gated");
    assert_int_equal(b.kind, SDW_HUB_NO_REPOSITORY);
    assert_null(strstr(b.err.text, "not valid"));
    assert_non_null(strstr(b.err.text, "HF_TOKEN"));
    assert_non_null(strstr(b.err.text, "req-")); /* what support asks for */
    bed_set(&b, "HF_TOKEN=hf_good");
    bed_refuse(&b, &(sdw_hub_wish){ .id = "org/none" }, SDW_NOT_FOUND, "missing, or it is private");
    assert_false(bed_exists(b.cache));
    bed_close(&b);
}

static void private_repositories_need_a_good_token(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    fake_repo_set_private(b.repo, true);
    bed_refuse(&b, NULL, SDW_NOT_FOUND, "missing, or it is private");
    bed_set(&b, "HF_TOKEN=hf_wrong");
    bed_refuse(&b, NULL, SDW_INVALID, "the token (HF_TOKEN or the token file) is not valid");
    assert_int_equal(b.kind, SDW_HUB_BAD_TOKEN);
    assert_null(strstr(b.err.text, "hf_wrong"));
    bed_close(&b);
    bed_open(&b, NULL);
    fake_repo_set_private(b.repo, true);
    bed_set(&b, "HF_TOKEN= hf_good \n");
    bed_pull_well(&b);
    bed_close(&b);
}

/* Trap 8 */
static void a_gated_repository_says_what_to_do(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    fake_repo_set_gated(b.repo, true);
    bed_refuse(&b, NULL, SDW_NOT_FOUND, "accept the licence at https://huggingface.co/org/model and set HF_TOKEN"); /* 401 */
    bed_set(&b, "HF_TOKEN=hf_good");
    bed_refuse(&b, NULL, SDW_NOT_FOUND, "accept the licence at https://huggingface.co/org/model and set HF_TOKEN"); /* 403 */
    assert_int_equal(b.kind, SDW_HUB_GATED);
    bed_close(&b);
}

static void other_refusals_are_told_apart(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    bed_refuse(&b, &(sdw_hub_wish){ .id = "org/model", .revision = "v9" }, SDW_NOT_FOUND, "no branch, tag or commit 'v9'");
    assert_int_equal(b.kind, SDW_HUB_NO_REVISION);
    fake_hub_rule(b.hub, &(fake_rule){ .times = 1, .status = 403, .headers = "X-Error-Message: Access to this resource is disabled.\r\n" });
    bed_refuse(&b, NULL, SDW_NOT_FOUND, "disabled this repository");
    fake_hub_rule(b.hub, &(fake_rule){ .times = 1, .status = 403, .body = "{\"error\":[\"no\\u0007pe\"]}" });
    bed_refuse(&b, NULL, SDW_NOT_FOUND, "fine-grained token needs that permission: no pe");
    fake_hub_rule(b.hub, &(fake_rule){ .times = 1, .status = 400, .body = "{\"errors\":[{\"message\":\"odd\"}]}" });
    bed_refuse(&b, NULL, SDW_INVALID, "bad request (400): odd");
    fake_hub_rule(b.hub, &(fake_rule){ .times = 1, .status = 404 });
    bed_refuse(&b, NULL, SDW_NOT_FOUND, "answers 404");
    assert_false(bed_exists(b.cache));
    bed_close(&b);
}

static void a_file_that_does_not_exist_is_remembered(void **state)
{
    (void)state;
    bed b;
    char name[128];
    bed_open(&b, NULL);
    const sdw_hub_wish w = { .id = "org/model", .file = "none.safetensors" };
    bed_refuse(&b, &w, SDW_NOT_FOUND, "no file 'none.safetensors'");
    assert_int_equal(b.kind, SDW_HUB_NO_ENTRY);
    snprintf(name, sizeof name, "%s/none.safetensors", fake_repo_commit(b.repo));
    assert_true(bed_exists(bed_place(&b, SDW_HUB_NO_EXIST, name)));
    fake_hub_forget(b.hub);
    bed_refuse(&b, &w, SDW_NOT_FOUND, "no file 'none.safetensors'");
    assert_int_equal(fake_hub_count(b.hub, FAKE_HUB, "HEAD", NULL), 0);
    bed_refuse(&b, &(sdw_hub_wish){ .id = "org/model", .file = "unet/diffusion_pytorch_model.bin" }, SDW_UNSUPPORTED, "pickles and code are not fetched");
    bed_refuse(&b, &(sdw_hub_wish){ .id = "org/model", .file = "../x.json" }, SDW_FORMAT, "'..'");
    bed_close(&b);
}

static void one_file_comes_alone(void **state)
{
    (void)state;
    bed b;
    char name[128];
    bed_open(&b, NULL);
    if (bed_pull_wish(&b, &(sdw_hub_wish){ .id = "org/model", .file = UNET }) != SDW_OK) fail_msg("%s", b.err.text);
    snprintf(name, sizeof name, "%s/" UNET, fake_repo_commit(b.repo));
    assert_string_equal(b.path, bed_place(&b, SDW_HUB_SNAPSHOT, name));
    assert_int_equal(bed_check_blobs(&b), 1);
    assert_int_equal(bed_size(b.path), BED_UNET);
    bed_close(&b);
}

static void an_add_on_is_its_file(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    fake_repo *r = fake_hub_repo(b.hub, "org/lora");
    fake_repo_add_text(r, "README.md", "x");
    fake_repo_add_weights(r, "detail.safetensors", 5000);
    const sdw_hub_wish w = { .id = "org/lora" };
    if (bed_pull_wish(&b, &w) != SDW_OK) fail_msg("%s", b.err.text);
    assert_non_null(strstr(b.path, "/detail.safetensors"));
    char path[SDW_HUB_PATH_MAX];
    assert_int_equal(sdw_hub_cache_find(b.cache, "org/lora", "main", NULL, path, &b.err), SDW_OK);
    assert_string_equal(path, b.path);
    bed_close(&b);
}

/* Trap 18: the address of the next page is used as it is. */
static void long_listings_come_in_pages(void **state)
{
    (void)state;
    bed b;
    char path[64];
    bed_open(&b, NULL);
    for (int i = 0; i < 10000; i++) {
        snprintf(path, sizeof path, "notes/%05d.txt", i);
        fake_repo_list(b.repo, path);
    }
    bed_pull_well(&b);
    assert_int_equal(fake_hub_count(b.hub, FAKE_HUB, "GET", "/tree/"), 11);
    assert_int_equal(fake_hub_count(b.hub, FAKE_HUB, "GET", "cursor=page10"), 1);
    assert_int_equal(bed_check_blobs(&b), FILES);
    bed_close(&b);
}

static void the_next_page_must_be_of_the_hub(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    fake_hub_rule(b.hub, &(fake_rule){ .match = "/tree/", .extra = "Link: <https://evil.example/x>; rel=\"next\"\r\n" });
    bed_refuse(&b, NULL, SDW_FORMAT, "its next page is 'https://evil.example/x'");
    bed_close(&b);
}

/* Trap 19 */
static void redirects_to_a_hub_host_are_followed_ten_times(void **state)
{
    (void)state;
    bed b;
    char location[160];
    bed_open(&b, NULL);
    snprintf(location, sizeof location, "Location: %s/api/models/org/model/revision/main\r\n", fake_hub_url(b.hub));
    fake_hub_rule(b.hub, &(fake_rule){ .match = "/revision/", .times = 10, .status = 308, .headers = location });
    bed_pull_well(&b);
    bed_close(&b);
    bed_open(&b, NULL);
    snprintf(location, sizeof location, "Location: %s/api/models/org/model/revision/main\r\n", fake_hub_url(b.hub));
    fake_hub_rule(b.hub, &(fake_rule){ .match = "/revision/", .status = 308, .headers = location });
    bed_refuse(&b, NULL, SDW_FORMAT, "more than 10 redirects");
    assert_int_equal(fake_hub_count(b.hub, FAKE_HUB, NULL, "/revision/"), 11);
    bed_close(&b);
}

static void a_redirect_loop_of_a_file_ends(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    fake_hub_rule(b.hub, &(fake_rule){ .method = "GET", .match = UNET, .status = 302, .headers = "Location: /org/model/resolve/main/" UNET "\r\n" });
    bed_refuse(&b, NULL, SDW_FORMAT, "more than 10 redirects");
    bed_close(&b);
}

static void the_api_does_not_redirect_elsewhere(void **state)
{
    (void)state;
    bed b;
    char location[160];
    bed_open(&b, NULL);
    snprintf(location, sizeof location, "Location: %s/x\r\n", fake_hub_files(b.hub));
    fake_hub_rule(b.hub, &(fake_rule){ .match = "/revision/", .status = 307, .headers = location });
    bed_refuse(&b, NULL, SDW_FORMAT, "want an address of the hub");
    assert_int_equal(fake_hub_count(b.hub, FAKE_FILES, NULL, NULL), 0);
    bed_close(&b);
}

static void a_renamed_repository_is_found(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    fake_repo_rename(b.repo, "org/new-name");
    bed_pull_well(&b);
    assert_true(fake_hub_count(b.hub, FAKE_HUB, "HEAD", "/org/new-name/resolve/") > 0);
    bed_close(&b);
}

/* Trap 20 */
static void references_of_requests_are_encoded_and_nested(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    if (bed_pull_wish(&b, &(sdw_hub_wish){ .id = "org/model", .revision = "refs/pr/4" }) != SDW_OK) fail_msg("%s", b.err.text);
    assert_int_equal(fake_hub_count(b.hub, FAKE_HUB, "GET", "/revision/refs%2Fpr%2F4"), 1);
    assert_int_equal(bed_size(bed_place(&b, SDW_HUB_REF, "refs/pr/4")), 40);
    bed_close(&b);
}

static void a_commit_writes_no_reference(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    const sdw_hub_wish w = { .id = "org/model", .revision = fake_repo_commit(b.repo) };
    if (bed_pull_wish(&b, &w) != SDW_OK) fail_msg("%s", b.err.text);
    assert_false(bed_exists(bed_place(&b, SDW_HUB_REFS, "")));
    fake_hub_forget(b.hub);
    assert_int_equal(bed_pull_wish(&b, &w), SDW_OK);
    assert_int_equal(fake_hub_count(b.hub, FAKE_ANY, NULL, NULL), 0);
    bed_close(&b);
}

/* Trap 23 */
static void an_answer_without_commit_is_not_the_hub(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    fake_hub_rule(b.hub, &(fake_rule){ .method = "HEAD", .no_commit = true });
    bed_refuse(&b, NULL, SDW_FORMAT, "this is not the hub, or a proxy is in the way");
    bed_close(&b);
}

/* Trap 10 */
static void names_that_leave_the_folder_are_refused_before_any_write(void **state)
{
    (void)state;
    static const char *const names[] = { "../x.json", "unet/a\\..\\b", "/etc/x", "C:x", "unet/../../x" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        bed b;
        bed_open(&b, NULL);
        fake_repo_list(b.repo, names[i]);
        bed_refuse(&b, NULL, SDW_FORMAT, "is refused");
        assert_false(bed_exists(b.cache));
        bed_close(&b);
    }
}

static void shards_outside_their_folder_are_refused_before_any_write(void **state)
{
    (void)state;
    static const char *const names[] = { "../x", "/etc/x", "a\\\\..\\\\b", "none.safetensors" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        bed b;
        char text[128];
        bed_open(&b, NULL);
        fake_repo *r = fake_hub_repo(b.hub, "org/shards");
        fake_repo_add_text(r, "model_index.json", "{\"_class_name\":\"FluxPipeline\",\"transformer\":[\"diffusers\",\"T\"]}");
        fake_repo_add_text(r, "transformer/config.json", "{}");
        snprintf(text, sizeof text, "{\"weight_map\":{\"t\":\"%s\"}}", names[i]);
        fake_repo_add_text(r, "transformer/diffusion_pytorch_model.safetensors.index.json", text);
        fake_repo_add_weights(r, "transformer/diffusion_pytorch_model-00001-of-00001.safetensors", 1000);
        bed_refuse(&b, &(sdw_hub_wish){ .id = "org/shards" }, i == 3 ? SDW_NOT_FOUND : SDW_FORMAT, i == 3 ? "is missing" : "is refused");
        assert_false(bed_exists(b.cache));
        bed_close(&b);
    }
}

/* Trap 13 */
static void a_mix_of_variants_is_told(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    fake_repo_add_weights(b.repo, "unet/diffusion_pytorch_model.fp16.safetensors", 2000);
    bed_pull_well(&b);
    assert_non_null(strstr(b.said, "no fp16 weights"));
    assert_int_equal(bed_gets(&b, "unet/diffusion_pytorch_model.fp16.safetensors"), 1);
    assert_int_equal(bed_gets(&b, UNET), 0);
    bed_refuse(&b, &(sdw_hub_wish){ .id = "org/model", .variant = "bf16" }, SDW_NOT_FOUND, "no component has weights of variant bf16");
    assert_string_equal(b.err.field, "variant");
    bed_close(&b);
}

static void equal_contents_come_once(void **state)
{
    (void)state;
    bed b;
    size_t size;
    bed_open(&b, NULL);
    const unsigned char *data = fake_repo_data(b.repo, UNET, &size);
    fake_repo_add(b.repo, "vae/diffusion_pytorch_model.safetensors", data, size, true);
    bed_pull_well(&b);
    assert_int_equal(bed_check_blobs(&b), FILES - 1);
    assert_int_equal(bed_gets(&b, UNET), 1);
    assert_int_equal(b.progress.files, FILES - 1); /* nor are its bytes counted twice */
    assert_int_equal(fake_hub_count(b.hub, FAKE_HUB, "HEAD", ".safetensors"), 2);
    bed_close(&b);
}

/* ---- the second time ---- */

static void a_second_pull_asks_for_the_commit_only(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    bed_pull_well(&b);
    fake_hub_forget(b.hub);
    bed_pull_well(&b);
    assert_int_equal(fake_hub_count(b.hub, FAKE_ANY, NULL, NULL), 1);
    assert_int_equal(fake_hub_count(b.hub, FAKE_HUB, "GET", "/revision/main"), 1);
    bed_close(&b);
}

static void a_new_commit_brings_what_changed(void **state)
{
    (void)state;
    bed b;
    char old[64];
    bed_open(&b, NULL);
    bed_pull_well(&b);
    snprintf(old, sizeof old, "%s", fake_repo_commit(b.repo));
    fake_repo_add_text(b.repo, "vae/config.json", "{\"v\":2}");
    fake_hub_forget(b.hub);
    bed_pull_well(&b);
    assert_int_equal(fake_hub_count(b.hub, FAKE_FILES, NULL, NULL), 0);
    assert_int_equal(sdw_hub_cache_complete(b.cache, "org/model", old, NULL, &b.err), SDW_OK);
    assert_int_equal(bed_check_blobs(&b), FILES + 1);
    bed_close(&b);
}

static void an_interrupted_update_leaves_the_old_reference(void **state)
{
    (void)state;
    bed b;
    char old[64], now[64];
    bed_open(&b, NULL);
    bed_pull_well(&b);
    snprintf(old, sizeof old, "%s", fake_repo_commit(b.repo));
    fake_repo_add_weights(b.repo, UNET, 200000);
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .status = 404 });
    bed_refuse(&b, NULL, SDW_NOT_FOUND, "answers 404");
    assert_int_equal(sdw_hub_cache_commit(b.cache, "org/model", "main", now, NULL), SDW_OK);
    assert_string_equal(now, old);
    bed_close(&b);
}

/* Trap 21, our half: a cache as Python leaves it, without trees/. The other half is scripts/test-peers.sh. */
static void plain_weights_in_the_cache_are_enough(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    bed_pull_well(&b); /* plain ones */
    char commit[64];
    snprintf(commit, sizeof commit, "%s", fake_repo_commit(b.repo));
    assert_int_equal(unlink(bed_place(&b, SDW_HUB_TREE, commit)), 0);
    char path[SDW_HUB_PATH_MAX];
    assert_int_equal(sdw_hub_cache_find(b.cache, "org/model", "main", NULL, path, &b.err), SDW_OK);
    assert_int_equal(sdw_hub_cache_find(b.cache, "org/model", "main", "fp16", path, &b.err), SDW_NOT_FOUND);
    bed_close(&b);
}

static void a_snapshot_with_something_missing_is_not_complete(void **state)
{
    (void)state;
    static const char *const files[] = { "tokenizer/special_tokens_map.json", "tokenizer/merges.txt", UNET, "vae/config.json", "model_index.json", "scheduler/scheduler_config.json" };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        bed b;
        char name[160], path[SDW_HUB_PATH_MAX];
        bed_open(&b, NULL);
        bed_pull_well(&b);
        snprintf(name, sizeof name, "%s/%s", fake_repo_commit(b.repo), files[i]);
        assert_int_equal(unlink(bed_place(&b, SDW_HUB_SNAPSHOT, name)), 0);
        assert_int_equal(sdw_hub_cache_find(b.cache, "org/model", "main", NULL, path, &b.err), SDW_NOT_FOUND);
        fake_hub_forget(b.hub);
        bed_pull_well(&b); /* the blob is there: only the link is made anew */
        assert_int_equal(fake_hub_count(b.hub, FAKE_FILES, NULL, NULL), 0);
        bed_close(&b);
    }
}

static void a_blob_of_the_wrong_size_is_fetched_again(void **state)
{
    (void)state;
    bed b;
    char path[SDW_HUB_PATH_MAX];
    bed_open(&b, NULL);
    bed_pull_well(&b);
    assert_int_equal(truncate(bed_place(&b, SDW_HUB_BLOB, fake_repo_hash(b.repo, UNET)), 1000), 0);
    assert_int_equal(sdw_hub_cache_find(b.cache, "org/model", "main", NULL, path, &b.err), SDW_NOT_FOUND);
    bed_pull_well(&b);
    bed_close(&b);
}

/* Trap 12 */
static void a_complete_cache_is_not_written_to(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    bed_pull_well(&b);
    char *before = bed_state(&b), path[SDW_HUB_PATH_MAX];
    bed_pull_well(&b);
    assert_int_equal(sdw_hub_cache_find(b.cache, "org/model", "main", NULL, path, &b.err), SDW_OK);
    bed_set(&b, "HF_HUB_OFFLINE=1");
    bed_pull_well(&b);
    char *after = bed_state(&b);
    assert_string_equal(before, after);
    free(before);
    free(after);
    bed_close(&b);
}

/* Trap 22 */
static void offline_opens_no_connection(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    bed_set(&b, "HF_HUB_OFFLINE=yes");
    bed_refuse(&b, NULL, SDW_NOT_FOUND, "HF_HUB_OFFLINE forbids");
    assert_int_equal(fake_hub_connections(b.hub), 0);
    assert_false(bed_exists(b.cache));
    bed_close(&b);
    bed_open(&b, NULL);
    bed_pull_well(&b);
    int connections = fake_hub_connections(b.hub);
    char name[160];
    bed_set(&b, "TRANSFORMERS_OFFLINE=TRUE");
    bed_pull_well(&b);
    snprintf(name, sizeof name, "%s/vae/config.json", fake_repo_commit(b.repo));
    assert_int_equal(unlink(bed_place(&b, SDW_HUB_SNAPSHOT, name)), 0);
    bed_refuse(&b, NULL, SDW_NOT_FOUND, "vae/config.json is missing");
    assert_int_equal(fake_hub_connections(b.hub), connections);
    bed_close(&b);
}

static void an_unreachable_hub_gives_way_to_the_cache(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    bed_pull_well(&b);
    fake_hub_rule(b.hub, &(fake_rule){ .status = 503 });
    b.wait_count = 0;
    bed_pull_well(&b);
    assert_int_equal(b.wait_count, 0);
    assert_non_null(strstr(b.said, "the snapshot in the cache is used, because"));
    fake_hub_no_rules(b.hub);
    fake_hub_rule(b.hub, &(fake_rule){ .status = 404, .headers = "X-Error-Code: RepoNotFound\r\n" });
    bed_refuse(&b, NULL, SDW_NOT_FOUND, "missing, or it is private"); /* that is an answer */
    bed_close(&b);
}

static void without_symlinks_files_stand_in_the_snapshot(void **state)
{
    (void)state;
    bed b;
    size_t size;
    char target[64];
    bed_open(&b, NULL);
    const unsigned char *data = fake_repo_data(b.repo, UNET, &size);
    fake_repo_add(b.repo, "vae/diffusion_pytorch_model.safetensors", data, size, true); /* one content, two files */
    bed_set(&b, "HF_HUB_DISABLE_SYMLINKS=1");
    bed_pull_well(&b);
    char path[SDW_HUB_PATH_MAX];
    snprintf(path, sizeof path, "%.3000s/" UNET, b.path);
    assert_int_equal(bed_size(path), BED_UNET);
    assert_true(readlink(path, target, sizeof target) < 0);
    snprintf(path, sizeof path, "%.3000s/vae/diffusion_pytorch_model.safetensors", b.path);
    assert_int_equal(bed_size(path), BED_UNET);
    fake_hub_forget(b.hub);
    bed_pull_well(&b);
    assert_int_equal(fake_hub_count(b.hub, FAKE_ANY, NULL, NULL), 1);
    bed_close(&b);
}

static void warnings_of_the_hub_are_told_once(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    b.settings.parallel = 1;
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_HUB, .method = "GET", .extra = "X-HF-Warning: Authentication; please log in\r\n" });
    bed_pull_well(&b);
    const char *first = strstr(b.said, "please log in");
    assert_non_null(first);
    bed_close(&b);
}

static void damaged_weights_get_no_name(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    fake_repo_add(b.repo, UNET, "this is no safetensors file", 27, true);
    bed_refuse(&b, NULL, SDW_FORMAT, UNET);
    assert_false(bed_exists(bed_place(&b, SDW_HUB_BLOB, fake_repo_hash(b.repo, UNET))));
    assert_false(bed_exists(bed_place(&b, SDW_HUB_PARTIAL, fake_repo_hash(b.repo, UNET))));
    bed_close(&b);
}

static void a_proxy_is_used(void **state)
{
    (void)state;
    bed b;
    fake_request r;
    char variable[128];
    bed_open(&b, NULL);
    snprintf(variable, sizeof variable, "HTTP_PROXY=%s", fake_hub_url(b.hub));
    bed_set(&b, variable);
    free((void *)(uintptr_t)b.variables[2]);
    b.variables[2] = strdup("HF_ENDPOINT=http://hub.invalid"); /* a name that only the proxy could resolve */
    bed_set(&b, "HF_TOKEN=hf_good");
    const sdw_hub_wish w = { .id = "org/model", .file = "vae/config.json" };
    if (bed_pull_wish(&b, &w) != SDW_OK) fail_msg("%s", b.err.text);
    for (int i = 0; fake_hub_request(b.hub, FAKE_ANY, NULL, i, &r); i++) assert_true(r.proxied);
    assert_true(fake_hub_count(b.hub, FAKE_HUB, NULL, NULL) > 3);
    bed_close(&b);
}

static void requests_can_be_told_without_the_token(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    bed_set(&b, "HF_TOKEN=hf_good");
    bed_set(&b, "HF_DEBUG=1");
    bed_pull_well(&b);
    assert_non_null(strstr(b.said, "curl -H 'Authorization: Bearer ***' 'http://127.0.0.1"));
    assert_null(strstr(b.said, "hf_good"));
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_comes_with_exactly_its_files),
        cmocka_unit_test(the_cache_is_laid_out_as_by_python),
        cmocka_unit_test(redirects_keep_the_token_at_home),
        cmocka_unit_test(another_port_of_the_hub_gets_no_token),
        cmocka_unit_test(tls_is_checked_and_never_left),
        cmocka_unit_test(an_unknown_certificate_is_refused_at_once),
        cmocka_unit_test(a_missing_repository_is_missing_or_private),
        cmocka_unit_test(private_repositories_need_a_good_token),
        cmocka_unit_test(a_gated_repository_says_what_to_do),
        cmocka_unit_test(other_refusals_are_told_apart),
        cmocka_unit_test(a_file_that_does_not_exist_is_remembered),
        cmocka_unit_test(one_file_comes_alone),
        cmocka_unit_test(an_add_on_is_its_file),
        cmocka_unit_test(long_listings_come_in_pages),
        cmocka_unit_test(the_next_page_must_be_of_the_hub),
        cmocka_unit_test(redirects_to_a_hub_host_are_followed_ten_times),
        cmocka_unit_test(a_redirect_loop_of_a_file_ends),
        cmocka_unit_test(the_api_does_not_redirect_elsewhere),
        cmocka_unit_test(a_renamed_repository_is_found),
        cmocka_unit_test(references_of_requests_are_encoded_and_nested),
        cmocka_unit_test(a_commit_writes_no_reference),
        cmocka_unit_test(an_answer_without_commit_is_not_the_hub),
        cmocka_unit_test(names_that_leave_the_folder_are_refused_before_any_write),
        cmocka_unit_test(shards_outside_their_folder_are_refused_before_any_write),
        cmocka_unit_test(a_mix_of_variants_is_told),
        cmocka_unit_test(equal_contents_come_once),
        cmocka_unit_test(a_second_pull_asks_for_the_commit_only),
        cmocka_unit_test(a_new_commit_brings_what_changed),
        cmocka_unit_test(an_interrupted_update_leaves_the_old_reference),
        cmocka_unit_test(plain_weights_in_the_cache_are_enough),
        cmocka_unit_test(a_snapshot_with_something_missing_is_not_complete),
        cmocka_unit_test(a_blob_of_the_wrong_size_is_fetched_again),
        cmocka_unit_test(a_complete_cache_is_not_written_to),
        cmocka_unit_test(offline_opens_no_connection),
        cmocka_unit_test(an_unreachable_hub_gives_way_to_the_cache),
        cmocka_unit_test(without_symlinks_files_stand_in_the_snapshot),
        cmocka_unit_test(warnings_of_the_hub_are_told_once),
        cmocka_unit_test(damaged_weights_get_no_name),
        cmocka_unit_test(a_proxy_is_used),
        cmocka_unit_test(requests_can_be_told_without_the_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
