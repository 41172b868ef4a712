/* Cancelling, waiting, failing, stopping: what happens around the steps, with the executor that has none of its own.
 * Acceptance checks 17 to 20, 31 to 33 and 39 to 41. */
#define _GNU_SOURCE 1 /* strcasestr */
#include "service/harness.h"

#include <stdio.h>

static service s, single, silent; /* silent: its job is stalled from the beginning */
static int port;
static stream stalled;
static double stalled_since;

static int start_services(void **state)
{
    (void)state;
    s = start_loaded(sdw_fake(), ARGS("--model-path", fake_model("fake")));
    single = start_loaded(sdw_fake(), ARGS("--model-path", "fake", "--max-batch", "1", "--max-queue", "1"));
    silent = start_loaded(sdw_fake(), ARGS("--model-path", "fake"));
    port = s.port;
    stalled = open_job(silent.port, submit(silent.port, gen_prompt(4, "stall-at=1")), "");
    stalled_since = now_s();
    return 0;
}

static int stop_services(void **state)
{
    (void)state;
    close_stream(&stalled);
    return stop(&s, SIGTERM, NULL) || stop(&single, SIGTERM, NULL) || stop(&silent, SIGTERM, NULL);
}

static void cancel(int at, const char *id, int status, const char *text)
{
    reply r = { 0 };
    char target[80];
    snprintf(target, sizeof target, "/v1/jobs/%s", id);
    ask_for(at, "DELETE", target, "", NULL, &r);
    expect(&r, status, text);
    reply_finish(&r);
}

static void check_17_a_reader_that_leaves_does_not_end_the_job(void **state)
{
    (void)state;
    const char *id = submit(port, gen_prompt(12, "step-ms=30"));
    stream j = open_job(port, id, "");
    assert_true(stream_until(&j, "event: progress", 10));
    close_stream(&j);
    wait_step(port, id, 4);
    char *text = whole_stream(port, id, "", "");
    assert_int_equal(count_of(text, "event: progress\n"), 12);
    assert_true(ends_with(text, "data: [DONE]\n\n"));
    free(text);
}

static void check_18_a_running_job_is_cancelled(void **state)
{
    (void)state;
    char want[200];
    const char *id = submit(port, gen_prompt(150, "step-ms=40"));
    stream j = open_job(port, id, "");
    assert_true(stream_until(&j, "event: progress", 10));
    snprintf(want, sizeof want, "{\"job_id\":\"%s\",\"sse_url\":\"/v1/jobs/%s/stream\",\"status\":\"cancelled\"}", id, id);
    cancel(port, id, 200, want);
    assert_true(ends_with(stream_end(&j, 5), "\n\ndata: [CANCELLED]\n\n"));
    assert_null(strstr(j.text, "event: error"));
    snprintf(want, sizeof want, "Job %s not found or cannot be cancelled (already completed/failed)", id);
    cancel(port, id, 404, want);
    wait_status(port, id, "cancelled");
    cancel(port, "job-00000000-0000-4000-8000-000000000000", 404, "cannot be cancelled");
    close_stream(&j);
}

static void check_19_a_queued_job_is_cancelled_and_never_starts(void **state)
{
    (void)state;
    const char *running = submit(single.port, gen_prompt(4, "hold-at=2")), *queued;
    wait_status(single.port, running, "running");
    queued = submit(single.port, gen(4));
    wait_status(single.port, queued, "queued");
    cancel(single.port, queued, 200, "\"status\":\"cancelled\"");
    char *text = whole_stream(single.port, queued, "", "");
    assert_true(ends_with(text, "data: [CANCELLED]\n\n"));
    assert_int_equal(count_of(text, "event: progress"), 0);
    free(text);
    wait_step(single.port, running, 1);
    kill(single.pid, SIGUSR1);
    text = whole_stream(single.port, running, "", "");
    assert_true(ends_with(text, "data: [DONE]\n\n"));
    free(text);
}

static void check_20_failures_have_a_code_and_a_marker(void **state)
{
    (void)state;
    static const struct { const char *prompt, *code; } cases[] = {
        { "fail-at=2", "INFERENCE_FAILED" }, { "oom-at=2", "VRAM_OOM" }, { "nan-at=2", "NON_FINITE" },
    };
    for (int i = 0; i < 3; i++) {
        const char *id = submit(port, gen_prompt(4, cases[i].prompt));
        char *text = whole_stream(port, id, "", ""), *error = strstr(text, "event: error\ndata: {\"code\":"), end[400], target[80];
        assert_non_null(error);
        assert_string_equal(value_of(error, "code"), cases[i].code);
        snprintf(end, sizeof end, "\"type\":\"error\"}\n\ndata: [ERROR] %s\n\n", value_of(error, "message"));
        assert_true(ends_with(text, end));
        free(text);
        reply r = { 0 };
        snprintf(target, sizeof target, "/v1/jobs/%s", id);
        get(port, target, "", &r);
        expect(&r, 200, "\"status\":\"failed\"");
        assert_non_null(strstr(r.body, "\"error\":{\"code\":"));
        text = whole_stream(port, id, "?format=g1", "");
        assert_non_null(strstr(text, "data: {\"event\":\"error\",\"message\":\""));
        assert_true(ends_with(text, "data: [DONE]\n\n"));
        free(text);
        reply_finish(&r);
    }
    post_expect(port, "/v1/jobs", gen_prompt(4, "bytes=1000000000000000"), 400, "\"constraint\":\"memory\"");
}

static void a_job_has_a_time_limit(void **state)
{
    (void)state;
    char *text = whole_stream(port, submit(port, "{\"prompt\":\"step-ms=50\",\"steps\":100,\"width\":64,\"height\":64,\"timeout_s\":0.3}"), "", "");
    assert_non_null(strstr(text, "\"code\":\"TIMEOUT\""));
    free(text);
}

static void check_31_a_full_queue_is_429(void **state)
{
    (void)state;
    reply r = { 0 };
    const char *running = submit(single.port, gen_prompt(4, "hold-at=2")), *waiting;
    wait_step(single.port, running, 1);
    waiting = submit(single.port, gen(4));
    post(single.port, "/v1/jobs", gen(4), &r);
    expect(&r, 429, "\"code\":\"QUEUE_FULL\"");
    assert_string_equal(reply_header(&r, "retry-after"), "5");
    kill(single.pid, SIGUSR1);
    wait_status(single.port, waiting, "completed");
    reply_finish(&r);
}

static void check_32_many_clients_at_once(void **state)
{
    (void)state;
    enum { HEALTH = 100, JOBS = 10 };
    int health[HEALTH], jobs[JOBS];
    char request[600], ids[JOBS][64];
    reply r = { 0 };
    service one = start_loaded(sdw_fake(), ARGS("--model-path", "fake", "--max-batch", "1"));
    snprintf(request, sizeof request, "POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\n" JSON_TYPE "Content-Length: %zu\r\n\r\n%s", strlen(gen(4)), gen(4));
    const char *first = submit(one.port, gen_prompt(4, "hold-at=2")); /* an idle engine would start whichever is accepted first */
    wait_step(one.port, first, 1);
    for (int i = 0; i < HEALTH; i++) {
        health[i] = client_open(one.port);
        if (i < JOBS) jobs[i] = client_open(one.port);
    }
    for (int i = 0; i < HEALTH; i++) {
        client_text(health[i], "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        if (i < JOBS) client_text(jobs[i], request);
    }
    for (int i = 0; i < HEALTH; i++) {
        r.rest_size = 0;
        client_reply(health[i], false, 10, &r);
        expect(&r, 200, "healthy");
        client_close(health[i]);
    }
    for (int i = 0; i < JOBS; i++) {
        r.rest_size = 0;
        client_reply(jobs[i], false, 10, &r);
        expect(&r, 200, "job_id");
        snprintf(ids[i], sizeof ids[i], "%s", value_of(r.body, "job_id"));
        client_close(jobs[i]);
    }
    kill(one.pid, SIGUSR1);
    for (int i = 0; i < JOBS; i++) wait_status(one.port, ids[i], "completed");
    get(one.port, "/v1/jobs?status=completed", "", &r);
    assert_int_equal(count_of(r.body, "\"job_id\""), JOBS + 1);
    char later[64] = "9";
    for (const char *at = r.body; (at = strstr(at, "\"job_id\"")); at++) { /* newest first */
        const char *started = value_of(at, "started_at");
        assert_true(strcmp(started, later) <= 0);
        snprintf(later, sizeof later, "%s", started);
    }
    reply_finish(&r);
    assert_int_equal(stop(&one, SIGTERM, NULL), 0);
}

/* ---- stopping ---- */

static service stopping(const char *const *more, const char *prompt, stream *ret_job)
{
    service one = start_loaded(sdw_fake(), more);
    const char *id = submit(one.port, gen_prompt(20, prompt));
    *ret_job = open_job(one.port, id, "");
    assert_true(stream_until(ret_job, "event: progress", 10));
    return one;
}

/* ctx: a prompt. From the signal to the end of the process. */
static double seconds_to_stop(void *ctx)
{
    stream j;
    service one = stopping(ARGS("--model-path", "fake", "--max-batch", "1"), ctx, &j);
    stream q = open_job(one.port, submit(one.port, gen(4)), "");
    double begun = now_s();
    kill(one.pid, strstr(ctx, "1000") ? SIGINT : SIGTERM);
    assert_true(ends_with(stream_end(&j, 5), "\n\ndata: [CANCELLED]\n\n"));
    assert_true(ends_with(stream_end(&q, 5), "data: [CANCELLED]\n\n"));
    assert_int_equal(stop(&one, 0, NULL), 0);
    close_stream(&j), close_stream(&q);
    return now_s() - begun;
}

static void check_39_a_signal_ends_everything_within_two_seconds(void **state)
{
    (void)state;
    char prompts[2][16] = { "step-ms=60", "step-ms=1000" };
    for (int i = 0; i < 2; i++) best_of_five(seconds_to_stop, prompts[i], 0, 2.0);
}

static double seconds_to_stop_a_deaf_one(void *ctx)
{
    stream j;
    (void)ctx;
    service one = stopping(ARGS("--model-path", "fake"), "deaf-ms=6000 deaf-at=2", &j);
    stream all = open_stream(one.port, "/v1/events", "");
    stream_begun(&all);
    double begun = now_s();
    kill(one.pid, SIGTERM);
    assert_true(ends_with(stream_end(&j, 5), "\n\ndata: [CANCELLED]\n\n"));
    assert_non_null(strstr(stream_end(&all, 5), "\"status\":\"cancelled\""));
    assert_int_equal(stop(&one, 0, NULL), 0);
    close_stream(&j), close_stream(&all);
    return now_s() - begun;
}

/* One operation that takes longer than the time that supervisors give: the process does not wait for it. */
static void check_39_an_operation_that_hears_nothing_does_not_hold_the_end_up(void **state)
{
    (void)state;
    best_of_five(seconds_to_stop_a_deaf_one, NULL, 0, 2.0);
}

#define DEAF "deaf-ms=2600 deaf-at=2"

/* ctx: takes the job's id. */
static double seconds_to_keep_a_deaf_one(void *ctx)
{
    char *id = ctx, line[160];
    stream j;
    reply r = { 0 };
    assert_int_equal(system("rm -rf deaf-state"), 0);
    service one = stopping(ARGS("--model-path", "fake", "--state", "deaf-state"), DEAF, &j);
    get(one.port, "/v1/jobs", "", &r);
    snprintf(id, 64, "%s", value_of(r.body, "job_id"));
    double begun = now_s();
    kill(one.pid, SIGTERM);
    snprintf(line, sizeof line, "\n\ndata: [ERROR] Worker is shutting down, job %s is kept\n\n", id);
    assert_true(ends_with(stream_end(&j, 5), line));
    assert_int_equal(stop(&one, 0, NULL), 0);
    close_stream(&j);
    reply_finish(&r);
    return now_s() - begun;
}

static void check_39_such_a_job_is_kept_with_a_state_folder(void **state)
{
    (void)state;
    char id[64], body[256];
    best_of_five(seconds_to_keep_a_deaf_one, id, 0, 2.0);
    service two = start_loaded(sdw_fake(), ARGS("--model-path", "fake", "--state", "deaf-state"));
    char *kept = whole_stream(two.port, id, "", "");
    assert_true(ends_with(kept, "data: [DONE]\n\n"));
    snprintf(body, sizeof body, "{\"prompt\":\"" DEAF "\",\"steps\":20,\"width\":64,\"height\":64,\"seed\":%s}", value_of(strstr(kept, "event: complete"), "seed"));
    char *again = whole_stream(two.port, submit(two.port, body), "", "");
    char *got = long_value_of(strstr(kept, "event: complete"), "image"), *want = long_value_of(strstr(again, "event: complete"), "image");
    assert_string_equal(got, want);
    free(got), free(want), free(kept), free(again);
    assert_int_equal(stop(&two, SIGTERM, NULL), 0);
}

static void check_39_drain_lets_running_jobs_finish(void **state)
{
    (void)state;
    stream j;
    reply r = { 0 };
    service one = stopping(ARGS("--model-path", "fake", "--max-batch", "1", "--drain", "60"), "hold-at=2", &j);
    stream q = open_job(one.port, submit(one.port, gen(4)), "");
    kill(one.pid, SIGTERM);
    assert_true(ends_with(stream_end(&q, 5), "data: [CANCELLED]\n\n"));
    post(one.port, "/v1/jobs", gen(4), &r);
    expect(&r, 503, "\"code\":\"SHUTTING_DOWN\"");
    assert_string_equal(reply_header(&r, "retry-after"), "5");
    get(one.port, "/ready", "", &r);
    expect(&r, 503, "\"reason\":\"shutting down\"");
    kill(one.pid, SIGUSR1);
    stream_end(&j, 20);
    assert_int_equal(count_of(j.text, "event: complete\n"), 1);
    assert_true(ends_with(j.text, "data: [DONE]\n\n"));
    assert_int_equal(stop(&one, 0, NULL), 0);
    close_stream(&j), close_stream(&q);
    reply_finish(&r);
}

static double seconds_after_a_second_signal(void *ctx)
{
    stream j;
    (void)ctx;
    service one = stopping(ARGS("--model-path", "fake", "--drain", "60"), "step-ms=500", &j);
    kill(one.pid, SIGTERM);
    reply r = { 0 };
    for (r.status = 200; r.status == 200;) get(one.port, "/ready", "", &r); /* the first was seen */
    reply_finish(&r);
    double begun = now_s();
    kill(one.pid, SIGTERM);
    assert_true(ends_with(stream_end(&j, 5), "data: [CANCELLED]\n\n"));
    assert_int_equal(stop(&one, 0, NULL), 0);
    close_stream(&j);
    return now_s() - begun;
}

static void a_second_signal_ends_the_drain(void **state)
{
    (void)state;
    best_of_five(seconds_after_a_second_signal, NULL, 0, 2.0);
}

static double seconds_to_shut_down(void *ctx)
{
    reply r = { 0 };
    (void)ctx;
    service one = start(sdw_fake(), ARGS("--model-path", "fake"));
    static const char *const refused[] = { "X-Forwarded-For: 1.2.3.4\r\n", "Forwarded: for=1.2.3.4\r\n", "Via: 1.1 proxy\r\n",
                                           "Origin: http://evil.example\r\n", "Origin: http://localhost:5174\r\n", "X-Forwarded-Prefix: /x\r\n" };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        ask_for(one.port, "POST", "/v1/shutdown", refused[i], "", &r);
        expect(&r, 403, "\"code\":\"FORBIDDEN\"");
    }
    double begun = now_s();
    ask_for(one.port, "POST", "/v1/shutdown", "", "", &r);
    expect(&r, 200, NULL);
    assert_int_equal(stop(&one, 0, NULL), 0);
    reply_finish(&r);
    return now_s() - begun;
}

static void shutdown_by_request_needs_a_direct_loopback_peer(void **state)
{
    (void)state;
    best_of_five(seconds_to_shut_down, NULL, 0.5, 2.5);
}

/* ---- clients ---- */

/* A client that reads lines, as the orchestrator's job client does: "ok", or why not. */
static const char *line_client(int at, const char *id)
{
    static char answer[300];
    char *text = whole_stream(at, id, "", ""), *save = NULL;
    snprintf(answer, sizeof answer, "ok"); /* a plain end counts as success */
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (!strncmp(line, "data: ", 6)) line += 6;
        else if (!strncmp(line, "data:", 5)) line += 5;
        if (!strcmp(line, "[DONE]")) break;
        if (!strcmp(line, "[CANCELLED]")) snprintf(answer, sizeof answer, "Job was cancelled");
        if (!strncmp(line, "[ERROR] ", 8)) snprintf(answer, sizeof answer, "Job failed: %s", line + 8);
    }
    free(text);
    return answer;
}

static void check_40_a_line_client_learns_how_it_ended(void **state)
{
    (void)state;
    assert_string_equal(line_client(port, submit(port, gen(4))), "ok");
    const char *failing = submit(port, gen_prompt(4, "fail-at=1")), *said = line_client(port, failing);
    assert_memory_equal(said, "Job failed: ", 12);
    assert_true(strlen(said) > 14);
    const char *id = submit(port, gen_prompt(100, "step-ms=50"));
    cancel(port, id, 200, NULL);
    assert_string_equal(line_client(port, id), "Job was cancelled");
}

/* Last-Event-ID after the last event of a text with ids. */
static void last_id(const char *text, char header[64])
{
    const char *last = "";
    for (const char *at = text; (at = strstr(at, "id: ")); at++)
        if (at == text || at[-1] == '\n') last = at + 4;
    snprintf(header, 64, "Last-Event-ID: %lu\r\n", strtoul(last, NULL, 10));
}

static void reconnects_once(int at, const char *id, const char *end)
{
    char header[64], target[96], *text = whole_stream(at, id, "", "Accept: text/event-stream\r\n");
    reply r = { 0 };
    last_id(text, header);
    assert_true(ends_with(text, end));
    snprintf(target, sizeof target, "/v1/jobs/%s/stream", id);
    get(at, target, header, &r);
    assert_int_equal(r.status, 204);
    assert_int_equal(r.body_size, 0);
    snprintf(header, sizeof header, "Last-Event-ID: 999999\r\n");
    get(at, target, header, &r);
    assert_int_equal(r.status, 204);
    free(text);
    reply_finish(&r);
}

static void check_41_an_event_source_reconnects_once_and_stops(void **state)
{
    (void)state;
    reconnects_once(port, submit(port, gen(6)), "data: [DONE]\n\n");
    char failed[] = "data: [ERROR] ";
    const char *id = submit(port, gen_prompt(6, "fail-at=2"));
    char *text = whole_stream(port, id, "", "");
    assert_non_null(strstr(text, failed));
    reconnects_once(port, id, strstr(text, failed));
    free(text);
    id = submit(port, gen_prompt(100, "step-ms=50"));
    wait_step(port, id, 1);
    cancel(port, id, 200, NULL);
    reconnects_once(port, id, "data: [CANCELLED]\n\n");
    const char *running = submit(single.port, gen_prompt(4, "hold-at=2")), *queued;
    wait_step(single.port, running, 1);
    queued = submit(single.port, gen(4));
    cancel(single.port, queued, 200, NULL);
    reconnects_once(single.port, queued, "data: [CANCELLED]\n\n");
    kill(single.pid, SIGUSR1);
    wait_status(single.port, running, "completed");
}

static void an_unfinished_job_replays_from_the_first_event_for_a_number_of_the_future(void **state)
{
    (void)state;
    const char *id = submit(port, gen_prompt(6, "hold-at=3"));
    wait_step(port, id, 2);
    stream j = open_job(port, id, "Last-Event-ID: 4711\r\n");
    assert_true(stream_until(&j, "id: 1\n", 5));
    kill(s.pid, SIGUSR1);
    assert_true(ends_with(stream_end(&j, 10), "data: [DONE]\n\n"));
    close_stream(&j);
}

static void a_reader_that_stalls_delays_nobody(void **state)
{
    (void)state;
    const char *id = submit(port, gen_prompt(10, "step-ms=20"));
    stream slow = open_job(port, id, ""), fast = open_job(port, id, "");
    assert_true(ends_with(stream_end(&fast, 10), "data: [DONE]\n\n")); /* nothing of `slow` was read meanwhile */
    assert_string_equal(stream_end(&slow, 10), fast.text);
    close_stream(&slow), close_stream(&fast);
}

static double seconds_after_the_last_reader(void *ctx)
{
    (void)ctx;
    service one = start_loaded(sdw_fake(), ARGS("--model-path", "fake", "--cancel-on-disconnect"));
    const char *left = submit(one.port, gen_prompt(150, "step-ms=1000")), *unread = submit(one.port, gen_prompt(150, "step-ms=1000"));
    stream a = open_job(one.port, left, ""), b = open_job(one.port, left, "");
    assert_true(stream_until(&a, "event: progress", 10) && stream_until(&b, "event: progress", 10));
    double gone = now_s();
    close_stream(&a), close_stream(&b);
    wait_status(one.port, left, "cancelled");
    gone = now_s() - gone;
    wait_status(one.port, unread, "running");
    assert_int_equal(stop(&one, SIGTERM, NULL), 0);
    return gone;
}

static void a_job_ends_with_its_last_reader_if_asked_to(void **state)
{
    (void)state;
    best_of_five(seconds_after_the_last_reader, NULL, 4.5, 8);
}

static void the_oldest_generation_cancels_when_its_reader_leaves(void **state)
{
    (void)state;
    char request[300];
    static const char body[] = "{\"prompt\":\"step-ms=50\",\"steps\":100,\"width\":64,\"height\":64}";
    reply r = { 0 };
    snprintf(request, sizeof request, "POST /execute HTTP/1.1\r\nHost: 127.0.0.1\r\n" JSON_TYPE "Content-Length: %zu\r\n\r\n%s", sizeof body - 1, body);
    stream j = open_raw(port, request);
    assert_true(stream_until(&j, "event: progress", 10));
    get(port, "/v1/jobs?status=running", "", &r);
    char id[64];
    snprintf(id, sizeof id, "%s", value_of(r.body, "job_id"));
    assert_true(*id);
    close_stream(&j);
    wait_status(port, id, "cancelled");
    reply_finish(&r);
}

static void check_33_a_comment_comes_after_fifteen_seconds_of_silence(void **state)
{
    (void)state;
    double left = stalled_since + 14.0 - now_s();
    if (left > 0) assert_true(stream_lacks(&stalled, ":\n\n", left));
    assert_true(stream_until(&stalled, ":\n\n", 20));
    double after = now_s() - stalled_since;
    assert_true(ends_with(stalled.text, "}\n\n:\n\n")); /* narration of the start, then the comment */
    if (after < 14.0) fail_msg("came after %g s", after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_17_a_reader_that_leaves_does_not_end_the_job),
        cmocka_unit_test(check_18_a_running_job_is_cancelled),
        cmocka_unit_test(check_19_a_queued_job_is_cancelled_and_never_starts),
        cmocka_unit_test(check_20_failures_have_a_code_and_a_marker),
        cmocka_unit_test(a_job_has_a_time_limit),
        cmocka_unit_test(check_31_a_full_queue_is_429),
        cmocka_unit_test(check_32_many_clients_at_once),
        cmocka_unit_test(check_39_a_signal_ends_everything_within_two_seconds),
        cmocka_unit_test(check_39_an_operation_that_hears_nothing_does_not_hold_the_end_up),
        cmocka_unit_test(check_39_such_a_job_is_kept_with_a_state_folder),
        cmocka_unit_test(check_39_drain_lets_running_jobs_finish),
        cmocka_unit_test(a_second_signal_ends_the_drain),
        cmocka_unit_test(shutdown_by_request_needs_a_direct_loopback_peer),
        cmocka_unit_test(check_40_a_line_client_learns_how_it_ended),
        cmocka_unit_test(check_41_an_event_source_reconnects_once_and_stops),
        cmocka_unit_test(an_unfinished_job_replays_from_the_first_event_for_a_number_of_the_future),
        cmocka_unit_test(a_reader_that_stalls_delays_nobody),
        cmocka_unit_test(a_job_ends_with_its_last_reader_if_asked_to),
        cmocka_unit_test(the_oldest_generation_cancels_when_its_reader_leaves),
        cmocka_unit_test(check_33_a_comment_comes_after_fifteen_seconds_of_silence),
    };
    return cmocka_run_group_tests(tests, start_services, stop_services);
}
