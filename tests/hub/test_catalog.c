/* The catalogue without memory, and names that must not lead out of its places. What it finds, verifies and removes is
 * tested on a whole cache in tests/cli/test_catalog.sh. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/mem.h"
#include "hub/catalog.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define OTHER "89abcdef0123456789abcdef0123456789abcdef"
#define BLOB "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391" /* git's hash of nothing */

static const char *const given[] = { "given" };
static const sdw_catalog_places places = { .cache = "cache", .models = "models", .given = given, .given_count = 1 };

static int make(void **state)
{
    (void)state;
    return system("rm -rf cache models given outside && mkdir -p given/folder models/one/two outside"
                  " cache/models--a--b/blobs cache/models--a--b/refs"
                  " cache/models--a--b/snapshots/" COMMIT "/unet cache/models--a--b/snapshots/" OTHER
                  " && : >cache/models--a--b/blobs/" BLOB
                  " && printf '{\"_class_name\":\"StableDiffusionPipeline\"}' >given/folder/model_index.json"
                  " && cp given/folder/model_index.json models/one/two && cp given/folder/model_index.json cache/models--a--b/snapshots/" COMMIT
                  " && printf x >given/broken.safetensors && printf abc >given/cut.safetensors.sdw.incomplete"
                  " && ln -s ../../../blobs/" BLOB " cache/models--a--b/snapshots/" COMMIT "/unet/empty.json"
                  " && ln -s ../../blobs/" BLOB " cache/models--a--b/snapshots/" OTHER "/other.json"
                  " && printf " COMMIT " >cache/models--a--b/refs/main && printf keep >outside/file"
                  " && ln -s \"$PWD/outside\" cache/models--a--b/snapshots/" COMMIT "/out");
}

static const sdw_catalog_entry *named(const sdw_catalog *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++)
        if (!strcmp(c->entries[i].name, name)) return &c->entries[i];
    fail_msg("no entry %s", name);
    return NULL;
}

static void models_that_are_broken_are_listed_with_their_problem(void **state)
{
    (void)state;
    sdw_catalog c = { 0 };
    sdw_error err = { 0 };
    if (sdw_catalog_read(&places, &c, &err) != SDW_OK) fail_msg("%s", err.text);
    assert_int_equal(c.count, 5); /* a snapshot without model_index.json is none; a broken file is told */
    assert_int_equal(named(&c, "a/b")->state, SDW_CATALOG_UNSUPPORTED);
    assert_string_equal(named(&c, "a/b")->revision, "main");
    assert_non_null(strstr(named(&c, "one/two")->problem, "no text_encoder"));
    assert_int_equal(named(&c, "given/broken.safetensors")->state, SDW_CATALOG_INCOMPLETE);
    assert_int_equal(named(&c, "given/cut.safetensors")->bytes, 3);
    sdw_catalog_finish(&c);
}

/* Every allocation in turn fails; what is left is freed, which the address sanitizer sees. */
static void without_memory_everything_ends_in_an_error(void **state)
{
    (void)state;
    bool whole = false;
    for (size_t nth = 1; !whole; nth++) {
        sdw_catalog c = { 0 }, found = { 0 };
        sdw_error err = { 0 };
        sdw_verify_result v;
        sdw_removed r;
        sdw_mem_fail_at(nth, false);
        sdw_status s = sdw_catalog_read(&places, &c, &err);
        if (s == SDW_OK) s = sdw_catalog_find(&places, "a/b", &found, &err);
        for (size_t i = 0; s == SDW_OK && i < found.count; i++) s = sdw_catalog_verify(&places, &found.entries[i], NULL, &v, &err);
        if (s == SDW_OK) s = sdw_catalog_remove(&places, &found, true, &r, &err);
        whole = sdw_mem_count() < nth;
        sdw_mem_fail_at(0, false);
        if (s != SDW_OK) assert_int_equal(s, SDW_NO_MEMORY);
        else assert_true(whole || c.count <= 5); /* a problem's sentence may be another one */
        sdw_catalog_finish(&c);
        sdw_catalog_finish(&found);
    }
}

static void links_out_of_the_cache_are_removed_and_not_followed(void **state)
{
    (void)state;
    sdw_catalog found = { 0 };
    sdw_error err = { 0 };
    sdw_removed r;
    assert_int_equal(sdw_catalog_find(&places, "a/b@main", &found, &err), SDW_OK);
    assert_int_equal(found.count, 1);
    if (sdw_catalog_remove(&places, &found, false, &r, &err) != SDW_OK) fail_msg("%s", err.text);
    assert_int_equal(r.kept_blobs, 1);
    assert_int_equal(system("test -e outside/file && test -e cache/models--a--b/blobs/" BLOB " && test ! -e cache/models--a--b/snapshots/" COMMIT
                            " && test ! -e cache/models--a--b/refs/main && test -L cache/models--a--b/snapshots/" OTHER "/other.json"), 0);
    sdw_catalog_finish(&found);
}

static void a_repository_that_is_a_link_is_not_removed(void **state)
{
    (void)state;
    sdw_catalog found = { 0 };
    sdw_error err = { 0 };
    sdw_removed r;
    assert_int_equal(system("mkdir -p outside/snapshots/" COMMIT " && ln -s ../outside cache/models--c--d"), 0);
    assert_int_equal(sdw_catalog_find(&places, "c/d", &found, &err), SDW_OK);
    assert_int_equal(sdw_catalog_remove(&places, &found, false, &r, &err), SDW_INVALID);
    assert_int_equal(system("test -e outside/file && test -L cache/models--c--d"), 0);
    sdw_catalog_finish(&found);
}

static void names_do_not_lead_out(void **state)
{
    (void)state;
    static const char *const names[] = { "../outside", "a/../b", "a/b@../../x", "models--a--b", "a/b/c", "" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        sdw_catalog found = { 0 };
        sdw_error err = { 0 };
        assert_int_not_equal(sdw_catalog_find(&places, names[i], &found, &err), SDW_OK);
        assert_true(err.text[0] != '\0');
        assert_int_equal(found.count, 0);
    }
    sdw_catalog found = { 0 };
    sdw_removed r;
    sdw_error err = { 0 };
    assert_int_equal(sdw_catalog_find(&places, "outside", &found, &err), SDW_OK); /* a path that exists ... */
    assert_int_equal(sdw_catalog_remove(&places, &found, false, &r, &err), SDW_INVALID); /* ... and is not ours to remove */
    assert_int_equal(system("test -e outside/file"), 0);
    sdw_catalog_finish(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(models_that_are_broken_are_listed_with_their_problem, make),
        cmocka_unit_test_setup(without_memory_everything_ends_in_an_error, make),
        cmocka_unit_test_setup(links_out_of_the_cache_are_removed_and_not_followed, make),
        cmocka_unit_test_setup(a_repository_that_is_a_link_is_not_removed, make),
        cmocka_unit_test_setup(names_do_not_lead_out, make),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
