/* What the native API has beyond the orchestrator's contract: lists, all events, results, idempotency; and the traps
 * 27 to 34 that no acceptance check holds. */
#include "service/harness.h"

#include <stdio.h>

#include "image/image.h"

static service s;
static int port;

static int start_service(void **state)
{
    (void)state;
    s = start_loaded(sdw_fake(), ARGS("--model-path", fake_model("fake"), "--max-batch", "1"));
    port = s.port;
    return 0;
}

static int stop_service(void **state)
{
    (void)state;
    return stop(&s, SIGTERM, NULL);
}

static const char *done(int steps)
{
    const char *id = submit(port, gen(steps));
    wait_status(port, id, "completed");
    return id;
}

static void a_job_tells_where_it_stands(void **state)
{
    (void)state;
    char target[80], want[200];
    reply r = { 0 };
    const char *running = submit(port, gen_prompt(5, "hold-at=3")), *queued;
    wait_step(port, running, 2);
    queued = submit(port, gen(2));
    snprintf(target, sizeof target, "/v1/jobs/%s", running);
    get(port, target, "", &r);
    snprintf(want, sizeof want, "{\"job_id\":\"%s\",\"sse_url\":\"/v1/jobs/%s/stream\",\"kind\":\"image_generation\",\"status\":\"running\"", running, running);
    expect(&r, 200, want);
    assert_non_null(strstr(r.body, "\"step\":2,\"total\":5,\"percent\":40.0"));
    assert_non_null(strstr(r.body, "\"finished_at\":null"));
    snprintf(target, sizeof target, "/v1/jobs/%s", queued);
    get(port, target, "", &r);
    expect(&r, 200, "\"status\":\"queued\"");
    assert_string_equal(value_of(r.body, "queue_position"), "1");
    kill(s.pid, SIGUSR1);
    wait_status(port, queued, "completed");
    get(port, target, "", &r);
    assert_string_equal(value_of(strstr(r.body, "\"outputs\""), "format"), "png");
    assert_string_equal(value_of(r.body, "seed"), "42");
    assert_non_null(strstr(r.body, "\"params\":{"));
    assert_null(strstr(r.body, "iVBOR"));
    get(port, "/v1/jobs/job-00000000-0000-4000-8000-000000000000", "", &r);
    expect(&r, 404, "\"message\":\"Job job-00000000-0000-4000-8000-000000000000 not found\"");
    reply_finish(&r);
}

static void the_list_pages_newest_first(void **state)
{
    (void)state;
    char ids[5][64], target[128];
    reply r = { 0 };
    for (int i = 0; i < 5; i++) snprintf(ids[i], sizeof ids[i], "%s", done(1));
    get(port, "/v1/jobs?limit=2", "", &r);
    expect(&r, 200, ids[4]);
    assert_int_equal(count_of(r.body, "\"job_id\""), 2);
    assert_true(strstr(r.body, ids[4]) < strstr(r.body, ids[3]));
    snprintf(target, sizeof target, "/v1/jobs?limit=2&state=completed&cursor=%s", value_of(r.body, "next_cursor"));
    get(port, target, "", &r);
    expect(&r, 200, ids[2]);
    assert_non_null(strstr(r.body, ids[1]));
    assert_null(strstr(r.body, ids[3]));
    get(port, "/v1/jobs?status=failed", "", &r);
    expect(&r, 200, "{\"jobs\":[],\"next_cursor\":null}");
    static const char *const bad[] = { "limit=0", "limit=501", "limit=x", "cursor=x", "status=what" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(target, sizeof target, "/v1/jobs?%s", bad[i]);
        get(port, target, "", &r);
        expect(&r, 400, "\"code\":\"INVALID_REQUEST\"");
    }
    reply_finish(&r);
}

static void all_events_come_in_one_stream(void **state)
{
    (void)state;
    char want[120];
    const char *before = done(1);
    stream all = open_stream(port, "/v1/events", "Accept: text/event-stream\r\n");
    stream_begun(&all);
    assert_int_equal(all.status, 200);
    const char *one = submit(port, gen_prompt(12, "step-ms=60")), *two = submit(port, gen_prompt(2, "step-ms=10"));
    snprintf(want, sizeof want, "event: job\ndata: {\"job_id\":\"%s\"", two);
    assert_true(stream_until(&all, want, 10));
    wait_status(port, two, "completed");
    snprintf(want, sizeof want, "%s/stream\",\"kind\":\"image_generation\",\"status\":\"completed\"", two);
    assert_true(stream_until(&all, want, 5));
    assert_null(strstr(all.text, before)); /* nothing is replayed */
    assert_null(strstr(all.text, "iVBOR"));
    static const char *const states[] = { "queued", "running", "completed" };
    for (int i = 0; i < 3; i++) {
        snprintf(want, sizeof want, "%s/stream\",\"kind\":\"image_generation\",\"status\":\"%s\"", one, states[i]);
        if (i > 0) assert_non_null(strstr(all.text, want)); /* an idle worker may start it before it is seen queued */
    }
    int told = count_of(all.text, one) / 2; /* each event names it twice */
    if (told < 4 || told > 9) fail_msg("%d events of a job that ran 0.7 s", told); /* four a second, and its changes */
    close_stream(&all);
}

/* The address of a job's picture; static. */
static const char *picture_of(const char *id)
{
    static char url[96];
    char target[80];
    reply r = { 0 };
    snprintf(target, sizeof target, "/v1/jobs/%s", id);
    get(port, target, "", &r);
    expect(&r, 200, "\"outputs\":[{\"id\":");
    snprintf(url, sizeof url, "%s", value_of(r.body, "url"));
    reply_finish(&r);
    return url;
}

static void results_are_served_small_and_whole(void **state)
{
    (void)state;
    char target[128], etag[128], header[160];
    reply r = { 0 }, other = { 0 };
    sdw_image_info info;
    const char *id = submit(port, "{\"prompt\":\"x\",\"steps\":1,\"width\":256,\"height\":128}");
    wait_status(port, id, "completed");
    const char *url = picture_of(id);
    get(port, url, "", &r);
    expect(&r, 200, NULL);
    assert_string_equal(reply_header(&r, "content-type"), "image/png");
    assert_non_null(strstr(reply_header(&r, "cache-control"), "immutable"));
    snprintf(etag, sizeof etag, "%s", reply_header(&r, "etag"));
    assert_int_equal(etag[0], '"');
    assert_int_equal(sdw_image_probe(r.body, r.body_size, NULL, &info, NULL), SDW_OK);
    assert_int_equal(info.width, 256);
    snprintf(target, sizeof target, "%s.png", url);
    get(port, target, "", &other);
    assert_int_equal(other.body_size, r.body_size);
    assert_memory_equal(other.body, r.body, r.body_size);
    snprintf(header, sizeof header, "If-None-Match: %s\r\n", etag);
    get(port, url, header, &other);
    assert_int_equal(other.status, 304);
    assert_int_equal(other.body_size, 0);
    snprintf(target, sizeof target, "%s?w=64", url);
    get(port, target, header, &other); /* another picture, another tag */
    expect(&other, 200, NULL);
    assert_string_equal(reply_header(&other, "content-type"), "image/jpeg");
    assert_int_equal(sdw_image_probe(other.body, other.body_size, NULL, &info, NULL), SDW_OK);
    assert_int_equal(info.width, 64);
    assert_int_equal(info.height, 32);
    static const char *const bad[] = { "?w=0", "?w=5000", "?w=x", "?w=64x" };
    for (int i = 0; i < 4; i++) {
        snprintf(target, sizeof target, "%s%s", url, bad[i]);
        get(port, target, "", &other);
        expect(&other, 400, "w must be between");
    }
    get(port, "/v1/outputs/00000000000000000000000000000000", "", &other);
    expect(&other, 404, "\"code\":\"NOT_FOUND\"");
    get(port, "/v1/outputs/..%2f..%2fetc%2fpasswd", "", &other);
    expect(&other, 400, NULL);
    reply_finish(&r), reply_finish(&other);
}

static void results_are_listed_and_deleted(void **state)
{
    (void)state;
    char url[96], target[160];
    reply r = { 0 };
    const char *older = done(1), *newer = done(1);
    get(port, "/v1/outputs?limit=1", "", &r);
    expect(&r, 200, newer);
    assert_int_equal(count_of(r.body, "\"job_id\""), 1);
    assert_non_null(strstr(r.body, "\"params\":{"));
    assert_non_null(strstr(r.body, "a photo of a cat"));
    snprintf(target, sizeof target, "/v1/outputs?limit=1&cursor=%s", value_of(r.body, "next_cursor"));
    get(port, target, "", &r);
    expect(&r, 200, older);
    snprintf(url, sizeof url, "%s", picture_of(newer));
    ask_for(port, "DELETE", url, "", NULL, &r);
    expect(&r, 200, "\"deleted\":true");
    ask_for(port, "DELETE", url, "", NULL, &r);
    expect(&r, 404, NULL);
    get(port, url, "", &r);
    expect(&r, 404, NULL);
    get(port, "/v1/outputs?limit=1", "", &r);
    expect(&r, 200, older);
    assert_null(strstr(r.body, newer));
    reply_finish(&r);
}

static void keyed(const char *key, const char *target, const char *body, int status, const char *text, reply *r)
{
    char headers[400];
    snprintf(headers, sizeof headers, JSON_TYPE "Idempotency-Key: %s\r\n", key);
    ask_for(port, "POST", target, headers, body, r);
    expect(r, status, text);
}

static void trap_29_the_same_key_is_the_same_job(void **state)
{
    (void)state;
    char id[64];
    reply r = { 0 };
    keyed("k-1", "/v1/jobs", gen(2), 200, "job_id", &r);
    snprintf(id, sizeof id, "%s", value_of(r.body, "job_id"));
    assert_string_equal(reply_header(&r, "idempotency-replayed"), "");
    keyed("k-1", "/v1/jobs", gen(2), 200, id, &r);
    assert_string_equal(reply_header(&r, "idempotency-replayed"), "true");
    keyed("k-1", "/v1/jobs", gen(3), 422, "\"code\":\"IDEMPOTENCY_MISMATCH\"", &r);
    keyed("k-1", "/v1/inference", gen(2), 200, "job_id", &r); /* the path is part of the key */
    assert_null(strstr(r.body, id));
    keyed("k-2", "/v1/jobs", gen(2), 200, "job_id", &r);
    assert_null(strstr(r.body, id));
    keyed("two words", "/v1/jobs", gen(2), 400, "Idempotency-Key", &r);
    char longest[300];
    memset(longest, 'k', sizeof longest);
    longest[256] = '\0';
    keyed(longest, "/v1/jobs", gen(2), 400, "Idempotency-Key", &r);
    longest[255] = '\0';
    keyed(longest, "/v1/jobs", gen(2), 200, NULL, &r);
    reply_finish(&r);
}

static void trap_27_a_resumed_stream_loses_and_repeats_nothing(void **state)
{
    (void)state;
    const char *id = submit(port, gen_prompt(8, "step-ms=20"));
    stream one = open_job(port, id, "Accept: text/event-stream\r\n");
    assert_true(stream_until(&one, "id: 6\n", 10) && stream_until(&one, "\n\nid: 7", 10));
    *(strstr(one.text, "\n\nid: 7") + 2) = '\0'; /* the connection breaks here */
    stream two = open_job(port, id, "Accept: text/event-stream\r\nLast-Event-ID: 6\r\n");
    stream_end(&two, 10);
    char *whole = whole_stream(port, id, "", "Accept: text/event-stream\r\n"), *joined = malloc(strlen(one.text) + two.size + 1);
    assert_non_null(joined);
    sprintf(joined, "%s%s", one.text, two.text);
    assert_string_equal(joined, whole);
    free(joined), free(whole);
    close_stream(&one), close_stream(&two);
}

static void trap_30_cancel_while_queued_running_and_finished(void **state)
{
    (void)state;
    char target[80];
    reply r = { 0 };
    const char *running = submit(port, gen_prompt(50, "step-ms=50")), *queued;
    wait_step(port, running, 1);
    queued = submit(port, gen(1));
    const char *const in_turn[] = { queued, running, queued };
    static const int want[] = { 200, 200, 404 };
    for (int i = 0; i < 3; i++) {
        snprintf(target, sizeof target, "/v1/jobs/%s", in_turn[i]);
        ask_for(port, "DELETE", target, "", NULL, &r);
        expect(&r, want[i], NULL);
    }
    wait_status(port, running, "cancelled");
    reply_finish(&r);
}

static void capabilities_hold_every_field(void **state)
{
    (void)state;
    reply r = { 0 };
    static const char *const names[] = { "prompt", "negative_prompt", "steps", "guidance_scale", "width", "height", "strength", "seed", "init_image",
                                         "mask_image", "num_samples", "sampler", "schedule", "prompt_syntax", "clip_skip", "preview_every", "preview",
                                         "format", "timeout_s" };
    get(port, "/v1/capabilities", "", &r);
    expect(&r, 200, "{\"model_type\":\"stable-diffusion\",\"variant\":\"sd1.5\",\"img2img\":true,\"inpainting\":true,");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char want[64];
        snprintf(want, sizeof want, "{\"name\":\"%s\",\"type\":\"", names[i]);
        assert_int_equal(count_of(r.body, want), 1);
    }
    assert_non_null(strstr(r.body, "\"steps\",\"type\":\"int\",\"default\":"));
    assert_non_null(strstr(r.body, "\"devices\":[{\"id\":\"CPU-0\""));
    assert_non_null(strstr(r.body, "\"max_queue\":128"));
    reply_finish(&r);
}

static void requests_have_ids(void **state)
{
    (void)state;
    reply r = { 0 };
    get(port, "/health", "X-Request-Id: mine-1\r\n", &r);
    assert_string_equal(reply_header(&r, "x-request-id"), "mine-1");
    get(port, "/health", "", &r);
    assert_true(strlen(reply_header(&r, "x-request-id")) > 8);
    reply_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_tells_where_it_stands),
        cmocka_unit_test(the_list_pages_newest_first),
        cmocka_unit_test(all_events_come_in_one_stream),
        cmocka_unit_test(results_are_served_small_and_whole),
        cmocka_unit_test(results_are_listed_and_deleted),
        cmocka_unit_test(trap_29_the_same_key_is_the_same_job),
        cmocka_unit_test(trap_27_a_resumed_stream_loses_and_repeats_nothing),
        cmocka_unit_test(trap_30_cancel_while_queued_running_and_finished),
        cmocka_unit_test(capabilities_hold_every_field),
        cmocka_unit_test(requests_have_ids),
    };
    return cmocka_run_group_tests(tests, start_service, stop_service);
}
