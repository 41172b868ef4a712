/* The bytes of one file, when everything goes wrong: resumed, retried, hashed; what is kept and what is not. */
#include "bed.h"

#include <unistd.h>

#define UNET BED_UNET_PATH

static const char *partial_of(const bed *b)
{
    return bed_place(b, SDW_HUB_PARTIAL, fake_repo_hash(b->repo, UNET));
}

static const char *blob_of(const bed *b)
{
    return bed_place(b, SDW_HUB_BLOB, fake_repo_hash(b->repo, UNET));
}

/* The Range of the nth GET of the large file. */
static void expect_range(bed *b, int n, const char *range)
{
    fake_request r;
    assert_true(bed_file_request(b, UNET, n, &r));
    assert_string_equal(r.range, range);
}

static void a_partial_file_of_an_earlier_run_is_continued(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    bed_partial(&b, UNET, 100000, false);
    bed_pull_well(&b);
    assert_int_equal(bed_gets(&b, UNET), 1);
    expect_range(&b, 0, "bytes=100000-");
    assert_int_equal(fake_hub_sent(b.hub, FAKE_FILES, fake_repo_hash(b.repo, UNET)), BED_UNET - 100000);
    assert_int_equal(b.progress.bytes_done, b.progress.bytes);
    assert_int_equal(b.progress.bytes_fetched, b.progress.bytes - 100000);
    assert_false(bed_exists(partial_of(&b)));
    bed_close(&b);
}

/* Trap 5 */
static void a_server_that_ignores_range_begins_anew(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    bed_partial(&b, UNET, 100000, true); /* the bytes are lost anyway */
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .ignore_range = true });
    bed_pull_well(&b);
    assert_int_equal(bed_gets(&b, UNET), 1);
    bed_close(&b);
}

static void something_of_unknown_length_does_not_cost_the_partial_file(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    bed_partial(&b, UNET, 100000, false);
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .match = fake_repo_hash(b.repo, UNET), .ignore_range = true, .no_length = true });
    bed_refuse(&b, NULL, SDW_FORMAT, "something of unknown length");
    assert_int_equal(bed_size(partial_of(&b)), 100000);
    fake_hub_no_rules(b.hub);
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .match = fake_repo_hash(b.repo, UNET), .status = 200, .body = "<html>log in</html>" });
    bed_refuse(&b, NULL, SDW_FORMAT, "the server has 19 bytes of it, want 300000");
    assert_int_equal(bed_size(partial_of(&b)), 100000);
    bed_close(&b);
}

/* Trap 6: the connection breaks, and the signed address has expired when we come back. */
static void an_expired_address_is_asked_for_again(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .match = fake_repo_hash(b.repo, UNET), .times = 1, .cut_after = 120000 });
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .match = fake_repo_hash(b.repo, UNET), .skip = 0, .times = 1, .status = 403 });
    bed_pull_well(&b);
    assert_int_equal(bed_gets(&b, UNET), 3);
    expect_range(&b, 0, "");
    expect_range(&b, 1, "bytes=120000-");
    expect_range(&b, 2, "bytes=120000-");
    fake_request one, two;
    assert_true(bed_file_request(&b, UNET, 1, &one) && bed_file_request(&b, UNET, 2, &two));
    assert_string_not_equal(one.target, two.target); /* another signature */
    assert_int_equal(fake_hub_sent(b.hub, FAKE_FILES, fake_repo_hash(b.repo, UNET)), BED_UNET);
    bed_close(&b);
}

static void a_broken_connection_is_continued_as_often_as_bytes_come(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .match = fake_repo_hash(b.repo, UNET), .cut_after = 20000 });
    bed_pull_well(&b); /* 15 pieces, more than the five failures that are allowed in a row */
    assert_int_equal(bed_gets(&b, UNET), 15);
    assert_int_equal(fake_hub_sent(b.hub, FAKE_FILES, fake_repo_hash(b.repo, UNET)), BED_UNET);
    bed_close(&b);
}

static void five_failures_without_a_byte_are_enough(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    bed_partial(&b, UNET, 100000, false);
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .match = fake_repo_hash(b.repo, UNET), .status = 502 });
    bed_refuse(&b, NULL, SDW_IO, "the server has a fault (502)");
    assert_int_equal(bed_gets(&b, UNET), 6);
    assert_int_equal(bed_size(partial_of(&b)), 100000);
    fake_hub_no_rules(b.hub);
    bed_pull_well(&b);
    bed_close(&b);
}

static void a_file_that_does_not_exist_is_not_asked_for_twice(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .match = fake_repo_hash(b.repo, UNET), .status = 404 });
    bed_refuse(&b, NULL, SDW_NOT_FOUND, "answers 404");
    assert_int_equal(bed_gets(&b, UNET), 1);
    bed_close(&b);
}

/* Trap 9 */
static void a_rate_limit_is_waited_for(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    fake_hub_rule(b.hub, &(fake_rule){ .match = "/revision/", .times = 1, .status = 429, .headers = "RateLimit: \"api\";r=0;t=7\r\n" });
    bed_pull_well(&b);
    assert_int_equal(b.wait_count, 1);
    assert_int_equal(b.waits[0], 8000);
    bed_close(&b);
    bed_open(&b, NULL); /* r=499 (the fake hub's usual line) is not the cause */
    fake_hub_rule(b.hub, &(fake_rule){ .match = "/revision/", .times = 1, .status = 429 });
    bed_pull_well(&b);
    assert_int_equal(b.waits[0], 1000);
    bed_close(&b);
    bed_open(&b, NULL);
    fake_hub_rule(b.hub, &(fake_rule){ .method = "HEAD", .match = UNET, .times = 1, .status = 503, .headers = "Retry-After: 3\r\n" });
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .match = fake_repo_hash(b.repo, UNET), .times = 1, .status = 429, .headers = "Retry-After: 5\r\n" });
    bed_pull_well(&b);
    assert_int_equal(b.wait_count, 2);
    assert_int_equal(b.waits[0], 4000);
    assert_int_equal(b.waits[1], 6000);
    bed_close(&b);
}

static void a_server_without_patience_of_ours_is_refused(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    fake_hub_rule(b.hub, &(fake_rule){ .status = 429, .headers = "Retry-After: 100000\r\n" });
    bed_refuse(&b, NULL, SDW_BUSY, "asks to wait 100001 s, which is more than 600 s");
    assert_int_equal(b.wait_count, 0);
    bed_close(&b);
}

static void faults_of_the_api_are_tried_six_times(void **state)
{
    (void)state;
    bed b;
    static const unsigned pauses[] = { 1000, 2000, 4000, 8000, 8000 };
    bed_open(&b, NULL);
    fake_hub_rule(b.hub, &(fake_rule){ .match = "/revision/", .status = 500 });
    bed_refuse(&b, NULL, SDW_IO, "the server has a fault (500)");
    assert_int_equal(fake_hub_count(b.hub, FAKE_HUB, NULL, "/revision/"), 6);
    assert_int_equal(b.wait_count, 5);
    for (int i = 0; i < 5; i++) assert_int_equal(b.waits[i], pauses[i]);
    fake_hub_no_rules(b.hub);
    fake_hub_rule(b.hub, &(fake_rule){ .match = "/revision/", .times = 5, .status = 504 });
    bed_pull_well(&b);
    bed_close(&b);
}

/* Trap 15 */
static void a_whole_partial_file_needs_no_byte(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    bed_partial(&b, UNET, BED_UNET, false);
    bed_pull_well(&b);
    assert_int_equal(bed_gets(&b, UNET), 0);
    bed_close(&b);
}

static void an_oversize_partial_file_is_discarded(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    bed_partial(&b, UNET, BED_UNET + 5, false);
    bed_pull_well(&b);
    assert_int_equal(bed_gets(&b, UNET), 1);
    expect_range(&b, 0, "");
    bed_close(&b);
}

static void a_range_that_cannot_be_satisfied_begins_anew(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    bed_partial(&b, UNET, 100000, false);
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .match = fake_repo_hash(b.repo, UNET), .times = 1, .status = 416 });
    bed_pull_well(&b);
    assert_int_equal(bed_gets(&b, UNET), 2);
    expect_range(&b, 1, "");
    bed_close(&b);
}

static void another_range_than_asked_begins_anew(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    bed_partial(&b, UNET, 100000, false);
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .match = fake_repo_hash(b.repo, UNET), .times = 1, .range_delta = 10 });
    bed_pull_well(&b);
    assert_int_equal(bed_gets(&b, UNET), 2);
    expect_range(&b, 0, "bytes=100000-");
    expect_range(&b, 1, "");
    bed_close(&b);
}

/* Trap 17 */
static void a_wrong_byte_is_fetched_again_once(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .match = fake_repo_hash(b.repo, UNET), .times = 1, .flip_at = 200000 });
    bed_pull_well(&b);
    assert_int_equal(bed_gets(&b, UNET), 2);
    bed_close(&b);
    bed_open(&b, NULL);
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .match = fake_repo_hash(b.repo, UNET), .flip_at = 200000 });
    bed_refuse(&b, NULL, SDW_FORMAT, "the hash of what came is");
    assert_non_null(strstr(b.err.text, fake_repo_hash(b.repo, UNET)));
    assert_int_equal(bed_gets(&b, UNET), 2);
    assert_false(bed_exists(blob_of(&b)));
    assert_false(bed_exists(partial_of(&b)));
    bed_close(&b);
}

static void a_wrong_byte_of_a_small_file_is_seen_too(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    fake_hub_rule(b.hub, &(fake_rule){ .method = "GET", .match = "resolve-cache/models/org/model/", .flip_at = 2 });
    bed_refuse(&b, NULL, SDW_FORMAT, "hash");
    assert_false(bed_exists(bed_place(&b, SDW_HUB_SNAPSHOTS, "")));
    bed_close(&b);
}

static void junk_of_an_earlier_run_is_seen_by_its_hash(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    bed_partial(&b, UNET, 100000, true);
    bed_pull_well(&b);
    assert_int_equal(bed_gets(&b, UNET), 2);
    expect_range(&b, 1, "");
    bed_close(&b);
}

static void a_wrong_length_is_refused(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .match = fake_repo_hash(b.repo, UNET), .length_delta = 5 });
    bed_refuse(&b, NULL, SDW_FORMAT, "the server has 300005 bytes of it, want 300000");
    fake_hub_no_rules(b.hub);
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .match = fake_repo_hash(b.repo, UNET), .length_delta = -5 });
    bed_refuse(&b, NULL, SDW_FORMAT, "the server has 299995 bytes of it, want 300000");
    assert_false(bed_exists(blob_of(&b)));
    bed_close(&b);
}

static void what_the_hub_lists_must_be_what_it_offers(void **state)
{
    (void)state;
    bed b;
    char headers[512];
    bed_open(&b, NULL);
    snprintf(headers, sizeof headers, "X-Repo-Commit: %s\r\nX-Linked-Etag: \"%064d\"\r\nX-Linked-Size: 300000\r\nLocation: http://other.example/x\r\n",
             fake_repo_commit(b.repo), 7);
    fake_hub_rule(b.hub, &(fake_rule){ .method = "HEAD", .match = UNET, .status = 302, .headers = headers });
    bed_refuse(&b, NULL, SDW_FORMAT, "the hub lists the hash");
    fake_hub_no_rules(b.hub);
    snprintf(headers, sizeof headers, "X-Repo-Commit: %s\r\nX-Linked-Etag: \"%s\"\r\nX-Linked-Size: 3\r\nLocation: http://other.example/x\r\n",
             fake_repo_commit(b.repo), fake_repo_hash(b.repo, UNET));
    fake_hub_rule(b.hub, &(fake_rule){ .method = "HEAD", .match = UNET, .status = 302, .headers = headers });
    bed_refuse(&b, NULL, SDW_FORMAT, "the hub lists 300000 bytes and offers 3");
    fake_hub_no_rules(b.hub);
    snprintf(headers, sizeof headers, "X-Repo-Commit: %s\r\nX-Linked-Etag: \"../../x\"\r\nX-Linked-Size: 3\r\nLocation: http://other.example/x\r\n",
             fake_repo_commit(b.repo));
    fake_hub_rule(b.hub, &(fake_rule){ .method = "HEAD", .match = UNET, .status = 302, .headers = headers });
    bed_refuse(&b, NULL, SDW_FORMAT, "want a SHA-256 or a git SHA-1");
    bed_close(&b);
}

/* Trap 25 */
static void an_encoding_that_was_not_asked_for_is_refused(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .extra = "Content-Encoding: gzip\r\n" });
    bed_refuse(&b, NULL, SDW_FORMAT, "comes with Content-Encoding gzip");
    bed_close(&b);
}

static void silence_is_noticed_and_the_file_continued(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    bed_set(&b, "HF_HUB_DOWNLOAD_TIMEOUT=1");
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .match = fake_repo_hash(b.repo, UNET), .times = 1, .stall_after = 150000 });
    double begin = sdw_hub_now();
    bed_pull_well(&b);
    assert_true(sdw_hub_now() - begin < 8);
    expect_range(&b, 1, "bytes=150000-");
    bed_close(&b);
}

static void a_trickle_is_no_silence(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    bed_set(&b, "HF_HUB_DOWNLOAD_TIMEOUT=1");
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .match = fake_repo_hash(b.repo, UNET), .trickle_ms = 100, .trickle_bytes = 15000 });
    bed_pull_well(&b);
    assert_int_equal(bed_gets(&b, UNET), 1);
    bed_close(&b);
}

static void a_cancelled_pull_leaves_what_can_be_continued(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .match = fake_repo_hash(b.repo, UNET), .times = 1, .stall_after = 120000 });
    b.cancel_at = 150000; /* the other files have some 120,000 */
    bed_refuse(&b, NULL, SDW_CANCELLED, "the next run goes on from there");
    assert_false(bed_exists(blob_of(&b)));
    assert_false(bed_exists(bed_place(&b, SDW_HUB_REF, "main")));
    assert_int_equal(bed_size(partial_of(&b)), 120000);
    b.cancel_at = 0;
    bed_pull_well(&b);
    expect_range(&b, 1, "bytes=120000-");
    bed_close(&b);
}

static void a_cancel_ends_a_wait(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .match = fake_repo_hash(b.repo, UNET), .status = 429, .headers = "Retry-After: 500\r\n" });
    sdw_hub_hooks real = b.hooks;
    real.wait = NULL; /* really wait */
    b.cancel_at = 1;
    const sdw_hub_wish w = { .id = "org/model" };
    double begin = sdw_hub_now();
    assert_int_equal(sdw_hub_pull(&b.settings, &w, &real, b.path, NULL, &b.err), SDW_CANCELLED);
    assert_true(sdw_hub_now() - begin < 5);
    bed_close(&b);
}

static void a_pull_over_tls_is_resumed_too(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, &(fake_hub_options){ .tls = true });
    fake_hub_rule(b.hub, &(fake_rule){ .host = FAKE_FILES, .match = fake_repo_hash(b.repo, UNET), .times = 3, .cut_after = 70000 });
    bed_pull_well(&b);
    assert_int_equal(bed_gets(&b, UNET), 4);
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_partial_file_of_an_earlier_run_is_continued),
        cmocka_unit_test(a_server_that_ignores_range_begins_anew),
        cmocka_unit_test(something_of_unknown_length_does_not_cost_the_partial_file),
        cmocka_unit_test(an_expired_address_is_asked_for_again),
        cmocka_unit_test(a_broken_connection_is_continued_as_often_as_bytes_come),
        cmocka_unit_test(five_failures_without_a_byte_are_enough),
        cmocka_unit_test(a_file_that_does_not_exist_is_not_asked_for_twice),
        cmocka_unit_test(a_rate_limit_is_waited_for),
        cmocka_unit_test(a_server_without_patience_of_ours_is_refused),
        cmocka_unit_test(faults_of_the_api_are_tried_six_times),
        cmocka_unit_test(a_whole_partial_file_needs_no_byte),
        cmocka_unit_test(an_oversize_partial_file_is_discarded),
        cmocka_unit_test(a_range_that_cannot_be_satisfied_begins_anew),
        cmocka_unit_test(another_range_than_asked_begins_anew),
        cmocka_unit_test(a_wrong_byte_is_fetched_again_once),
        cmocka_unit_test(a_wrong_byte_of_a_small_file_is_seen_too),
        cmocka_unit_test(junk_of_an_earlier_run_is_seen_by_its_hash),
        cmocka_unit_test(a_wrong_length_is_refused),
        cmocka_unit_test(what_the_hub_lists_must_be_what_it_offers),
        cmocka_unit_test(an_encoding_that_was_not_asked_for_is_refused),
        cmocka_unit_test(silence_is_noticed_and_the_file_continued),
        cmocka_unit_test(a_trickle_is_no_silence),
        cmocka_unit_test(a_cancelled_pull_leaves_what_can_be_continued),
        cmocka_unit_test(a_cancel_ends_a_wait),
        cmocka_unit_test(a_pull_over_tls_is_resumed_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
