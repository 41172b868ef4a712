/* Ids, revisions, file names from servers, pasted addresses; folders of the cache from ids and back. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "hub/cache.h"
#include "hub/listing.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void ids_follow_the_hub_rules(void **state)
{
    (void)state;
    static const char *const good[] = { "gpt2", "a", "stabilityai/stable-diffusion-2-1", "a_b/c.d-e", "0/1" };
    static const char *const bad[] = { "",       "a/b/c", "/a",    "a/",   "-a",   "a.",    "a/-b",     "a-/b",  "a--b",
                                       "a..b/c", "a b",   "a/b.git", "a\\b", "a/b?", "\xc3\xa9", "../x", "a/.b" };
    char lengthy[98];
    memset(lengthy, 'a', 97);
    lengthy[97] = '\0';
    for (size_t i = 0; i < COUNT(good); i++)
        if (!sdw_hub_is_id(good[i])) fail_msg("'%s' is refused", good[i]);
    for (size_t i = 0; i < COUNT(bad); i++)
        if (sdw_hub_is_id(bad[i])) fail_msg("'%s' is accepted", bad[i]);
    assert_false(sdw_hub_is_id(lengthy));
    lengthy[96] = '\0';
    assert_true(sdw_hub_is_id(lengthy));
}

static void revisions_are_references_of_git(void **state)
{
    (void)state;
    static const char *const good[] = { "main", "refs/pr/4", "v1.0", "fp16", "0123456789abcdef0123456789abcdef01234567" };
    static const char *const bad[] = { "", "a b", "../x", "a/../b", "/a", "a/", "a//b", "a\\b", "a:b", ".a", "a/.b", "a.lock", "a\n" };
    for (size_t i = 0; i < COUNT(good); i++) assert_int_equal(sdw_hub_check_revision(good[i], NULL), SDW_OK);
    for (size_t i = 0; i < COUNT(bad); i++)
        if (sdw_hub_check_revision(bad[i], NULL) != SDW_INVALID) fail_msg("'%s' is accepted", bad[i]);
}

static void file_names_cannot_leave_their_folder(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t length;
    } bad[] = { { "../x", 4 },      { "a/../b", 6 }, { "a\\..\\b", 6 }, { "/etc/x", 6 }, { "\\\\server\\x", 10 }, { "C:x", 3 },
                { "c:\\x", 4 },     { "a\0b", 3 },   { "", 0 },         { "a//b", 4 },   { "a/", 2 },           { "./a", 3 },
                { "a/./b", 5 },     { "a\nb", 3 },   { "..", 2 },       { "a/..", 4 },   { "\x7f", 1 } };
    for (size_t i = 0; i < COUNT(bad); i++)
        if (sdw_hub_check_file(bad[i].name, bad[i].length, NULL) != SDW_FORMAT) fail_msg("'%s' is accepted", bad[i].name);
    assert_int_equal(sdw_hub_check_file("unet/model.safetensors", 22, NULL), SDW_OK);
    assert_int_equal(sdw_hub_check_file("a..b/..c", 8, NULL), SDW_OK);
    assert_int_equal(sdw_hub_check_basename("model-1.safetensors", 19, NULL), SDW_OK);
    assert_int_equal(sdw_hub_check_basename("a/b", 3, NULL), SDW_FORMAT);
    assert_int_equal(sdw_hub_check_basename("a\\b", 3, NULL), SDW_FORMAT);
}

static void expect_name(const char *text, const char *id, const char *revision, const char *file)
{
    sdw_hub_name n;
    sdw_error err = { 0 };
    if (sdw_hub_name_parse(text, "http://127.0.0.1:80", &n, &err) != SDW_OK) fail_msg("%s", err.text);
    assert_string_equal(n.id, id);
    assert_string_equal(n.revision, revision);
    assert_string_equal(n.file, file);
}

static void pasted_addresses_are_understood(void **state)
{
    (void)state;
    expect_name("org/repo", "org/repo", "", "");
    expect_name("org/repo@refs/pr/4", "org/repo", "refs/pr/4", "");
    expect_name("https://huggingface.co/org/repo", "org/repo", "", "");
    expect_name("https://hf.co/org/repo/", "org/repo", "", "");
    expect_name("https://huggingface.co/org/repo/tree/v2", "org/repo", "v2", "");
    expect_name("https://huggingface.co/org/repo/blob/main/unet/a.safetensors?download=true", "org/repo", "main", "unet/a.safetensors");
    expect_name("https://huggingface.co/org/repo/resolve/refs%2Fpr%2F4/a%20b.safetensors", "org/repo", "refs/pr/4", "a b.safetensors");
    expect_name("http://127.0.0.1:80/org/repo", "org/repo", "", "");
    static const char *const bad[] = { "org/repo@", "org/repo@a b", "https://huggingface.co/org/repo/blob/main", "a/b/c",
                                       "https://huggingface.co/org/repo/settings/x", "https://huggingface.co/org/repo/resolve/main/..%2f..%2fx",
                                       "https://huggingface.co/org/repo/resolve/main/a%00b", "https://example.org/org/repo", "http://127.0.0.1:801/a/b" };
    for (size_t i = 0; i < COUNT(bad); i++) {
        sdw_hub_name n;
        if (sdw_hub_name_parse(bad[i], "http://127.0.0.1:80", &n, NULL) != SDW_INVALID) fail_msg("'%s' is accepted", bad[i]);
    }
}

static void folders_of_the_cache_are_those_of_the_python_library(void **state)
{
    (void)state;
    char folder[SDW_HUB_FOLDER_SIZE], id[SDW_HUB_ID_SIZE], path[SDW_HUB_PATH_MAX];
    sdw_hub_folder_of_id("org/na-me", folder);
    assert_string_equal(folder, "models--org--na-me");
    assert_true(sdw_hub_id_of_folder(folder, id));
    assert_string_equal(id, "org/na-me");
    sdw_hub_folder_of_id("gpt2", folder);
    assert_string_equal(folder, "models--gpt2");
    assert_true(sdw_hub_id_of_folder(folder, id));
    assert_string_equal(id, "gpt2");
    assert_false(sdw_hub_id_of_folder("datasets--a--b", id));
    assert_false(sdw_hub_id_of_folder("models--a--b--c", id));
    assert_int_equal(sdw_hub_place_of("/c", "o/n", SDW_HUB_PARTIAL, "abc", path, NULL), SDW_OK);
    assert_string_equal(path, "/c/models--o--n/blobs/abc.sdw.incomplete");
    assert_int_equal(sdw_hub_place_of("/c", "o/n", SDW_HUB_LOCK, "abc", path, NULL), SDW_OK);
    assert_string_equal(path, "/c/.locks/models--o--n/abc.lock");
    assert_int_equal(sdw_hub_place_of("/c", "o/n", SDW_HUB_REF, "refs/pr/4", path, NULL), SDW_OK);
    assert_string_equal(path, "/c/models--o--n/refs/refs/pr/4");
}

static void addresses_are_percent_encoded(void **state)
{
    (void)state;
    sdw_buf b;
    sdw_buf_init(&b, 100);
    assert_true(sdw_hub_encode(&b, "refs/pr/4", false));
    assert_string_equal(b.data, "refs%2Fpr%2F4");
    b.size = 0;
    assert_true(sdw_hub_encode(&b, "a b/\xc3\xa9+%.x", true));
    assert_string_equal(b.data, "a%20b/%C3%A9%2B%25.x");
    sdw_buf_finish(&b);
}

#define SHA256 "660c6f5b1abae9dc498ac2d21e1347d2abdb0cf6c0c0c8576cd796491d9a6cdd"
#define OID "0123456789abcdef0123456789abcdef01234567"

/* Trap: the content hash is lfs.oid in the tree answer and lfs.sha256 among the siblings. */
static void both_spellings_of_the_lfs_hash_give_one_listing(void **state)
{
    (void)state;
    sdw_hub_listing tree = { 0 }, siblings = { 0 };
    sdw_error err = { 0 };
    yyjson_doc *doc = NULL;
    const char *t = "[{\"type\":\"directory\",\"path\":\"u\",\"oid\":\"" OID "\"},{\"type\":\"file\",\"path\":\"u/m\",\"size\":7,\"oid\":\"" OID
                    "\",\"lfs\":{\"oid\":\"" SHA256 "\",\"size\":7,\"pointerSize\":134},\"xetHash\":\"x\"},"
                    "{\"type\":\"file\",\"path\":\"a.json\",\"size\":3,\"oid\":\"" OID "\"}]";
    const char *s = "[{\"rfilename\":\"u/m\",\"size\":7,\"blobId\":\"" OID "\",\"lfs\":{\"sha256\":\"" SHA256 "\",\"size\":7,\"pointerSize\":134}},"
                    "{\"rfilename\":\"a.json\",\"size\":3,\"blobId\":\"" OID "\"}]";
    if (sdw_hub_listing_add_tree(&tree, t, strlen(t), "tree", &err) != SDW_OK) fail_msg("%s", err.text);
    assert_int_equal(sdw_json_parse(s, strlen(s), "siblings", NULL, &doc, &err), SDW_OK);
    if (sdw_hub_listing_add_siblings(&siblings, yyjson_doc_get_root(doc), "siblings", &err) != SDW_OK) fail_msg("%s", err.text);
    assert_int_equal(sdw_hub_listing_sort(&tree, &err), SDW_OK);
    assert_int_equal(sdw_hub_listing_sort(&siblings, &err), SDW_OK);
    const sdw_hub_listing *both[] = { &tree, &siblings };
    for (int i = 0; i < 2; i++) {
        assert_int_equal(both[i]->count, 2);
        const sdw_hub_entry *e = sdw_hub_listing_find(both[i], "u/m");
        assert_non_null(e);
        assert_string_equal(e->hash, SHA256);
        assert_string_equal(e->git_oid, OID);
        assert_int_equal(e->size, 7);
        assert_string_equal(sdw_hub_listing_find(both[i], "a.json")->hash, OID);
    }
    yyjson_doc_free(doc);
    sdw_hub_listing_finish(&tree);
    sdw_hub_listing_finish(&siblings);
}

static void damaged_listings_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        { "[{\"type\":\"file\",\"path\":\"../x\",\"size\":1}]", "'..'" },
        { "[{\"type\":\"file\",\"path\":\"a\\u0000b\",\"size\":1}]", "control character" },
        { "[{\"type\":\"file\",\"path\":\"/etc/x\",\"size\":1}]", "absolute" },
        { "[{\"type\":\"file\",\"path\":\"C:x\",\"size\":1}]", "drive letter" },
        { "[{\"type\":\"file\",\"path\":\"a\",\"size\":-1}]", "no whole number" },
        { "[{\"type\":\"file\",\"size\":1}]", "without a path" },
        { "[{\"path\":\"a\"}]", "without a type" },
        { "[{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"lfs\":{\"oid\":\"xyz\"}}]", "want 64 hex digits" },
        { "[{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"lfs\":{}}]", "without \"oid\"" },
        { "{}", "want array" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        sdw_hub_listing l = { 0 };
        sdw_error err = { 0 };
        if (sdw_hub_listing_add_tree(&l, cases[i].text, strlen(cases[i].text), "tree", &err) == SDW_OK) fail_msg("accepted: %s", cases[i].text);
        if (!strstr(err.text, cases[i].words)) fail_msg("'%s' does not hold '%s'", err.text, cases[i].words);
        sdw_hub_listing_finish(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_follow_the_hub_rules),
        cmocka_unit_test(revisions_are_references_of_git),
        cmocka_unit_test(file_names_cannot_leave_their_folder),
        cmocka_unit_test(pasted_addresses_are_understood),
        cmocka_unit_test(folders_of_the_cache_are_those_of_the_python_library),
        cmocka_unit_test(addresses_are_percent_encoded),
        cmocka_unit_test(both_spellings_of_the_lfs_hash_give_one_listing),
        cmocka_unit_test(damaged_listings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
