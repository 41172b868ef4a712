/* Without memory: each allocation fails once, and then every later one too. Nobody crashes or leaks (address sanitizer),
 * the answer is an error, and what was begun can be finished. */
#include "bed.h"

#include "core/mem.h"
#include "hub/plan.h"
#include "hub/select.h"

static const char tree_text[] =
    "[{\"type\":\"file\",\"path\":\"model_index.json\",\"size\":5,\"oid\":\"0123456789abcdef0123456789abcdef01234567\"},"
    "{\"type\":\"file\",\"path\":\"scheduler/scheduler_config.json\",\"size\":5,\"oid\":\"0123456789abcdef0123456789abcdef01234567\"},"
    "{\"type\":\"file\",\"path\":\"transformer/config.json\",\"size\":5,\"oid\":\"0123456789abcdef0123456789abcdef01234567\"},"
    "{\"type\":\"file\",\"path\":\"transformer/diffusion_pytorch_model.safetensors\",\"size\":5,\"oid\":\"0123456789abcdef0123456789abcdef01234567\"}]";
static const char index_text[] =
    "{\"_class_name\":\"FluxPipeline\",\"scheduler\":[\"diffusers\",\"XScheduler\"],\"transformer\":[\"diffusers\",\"T\"]}";

/* Listing, choice, listing as text: everything between an answer and a plan. */
static sdw_status read_and_choose(void)
{
    sdw_hub_listing l = { 0 };
    sdw_hub_selection s = { 0 };
    yyjson_doc *doc = NULL;
    char *text = NULL;
    size_t size = 0;
    sdw_error err = { 0 };
    sdw_status status = sdw_hub_listing_add_tree(&l, tree_text, sizeof tree_text - 1, "tree", &err);
    if (status == SDW_OK) status = sdw_hub_listing_sort(&l, &err);
    if (status == SDW_OK) status = sdw_json_parse(index_text, sizeof index_text - 1, "index", NULL, &doc, &err);
    if (status == SDW_OK) status = sdw_hub_select(&l, yyjson_doc_get_root(doc), NULL, &s, NULL, &err);
    if (status == SDW_OK) assert_int_equal(s.count, 4);
    if (status == SDW_OK) status = sdw_hub_listing_write(&l, &text, &size, &err);
    if (status != SDW_OK) assert_true(err.text[0] != '\0');
    sdw_free(text);
    yyjson_doc_free(doc);
    sdw_hub_selection_finish(&s);
    sdw_hub_listing_finish(&l);
    return status;
}

static void reading_and_choosing_survive_without_memory(void **state)
{
    (void)state;
    for (int sticky = 0; sticky < 2; sticky++) {
        size_t n = 0;
        sdw_status status;
        do {
            sdw_mem_fail_at(++n, sticky);
            status = read_and_choose();
            sdw_mem_fail_at(0, false);
            assert_true(status == SDW_OK || status == SDW_NO_MEMORY);
            assert_true(n < 1000);
        } while (status != SDW_OK);
        assert_true(n > 10);
    }
}

static const char *get(void *ctx, const char *name)
{
    (void)ctx;
    return !strcmp(name, "HOME") ? "/h" : !strcmp(name, "HF_TOKEN") ? "hf_x" : NULL;
}

static void settings_survive_without_memory(void **state)
{
    (void)state;
    sdw_status status;
    size_t n = 0;
    do {
        sdw_hub_settings s = { 0 };
        sdw_error err = { 0 };
        sdw_mem_fail_at(++n, false);
        status = sdw_hub_settings_read(&s, get, NULL, &err);
        sdw_mem_fail_at(0, false);
        assert_int_equal(status == SDW_OK, s.endpoint != NULL);
        sdw_hub_settings_finish(&s);
    } while (status != SDW_OK);
    assert_true(n > 5);
}

static void a_pull_survives_without_memory(void **state)
{
    (void)state;
    bed b;
    size_t n = 0, failures = 0;
    bed_open(&b, NULL);
    b.settings.parallel = 1;
    const sdw_hub_wish w = { .id = "org/model", .file = "vae/config.json" };
    for (bool reached = true; reached;) { /* until there are fewer allocations than that */
        n++;
        sdw_mem_fail_at(n, n % 2 == 1);
        sdw_status status = bed_pull_wish(&b, &w);
        reached = sdw_mem_count() >= n;
        sdw_mem_fail_at(0, false);
        failures += status != SDW_OK;
        if (status != SDW_OK) assert_true(b.err.text[0] != '\0');
        if (!reached) assert_int_equal(status, SDW_OK);
        assert_true(n < 2000);
        bed_clear(&b);
    }
    assert_true(failures > 20);
    bed_pull_well(&b);
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_and_choosing_survive_without_memory),
        cmocka_unit_test(settings_survive_without_memory),
        cmocka_unit_test(a_pull_survives_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
