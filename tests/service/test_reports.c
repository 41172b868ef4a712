/* What the service tells others by itself: heartbeats and the ready callback. Acceptance checks 37 and 38. */
#include "service/harness.h"

#include <poll.h>
#include <stdio.h>

#include "service/recorder.h"

#define PAGE "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>"
#define FAIL "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

/* The first beat is sent at the group's start, so that the second is there soon after the other tests. */
static recorder queen;
static service beating;
static double started;

static int start_beating(void **state)
{
    (void)state;
    char url[64];
    recorder_start(&queen, PAGE);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", queen.port);
    started = now_s();
    beating = start(sdw_fake(), ARGS("--model-path", fake_model("fake"), "--queen-url", url, "--worker-id", "worker \"one\""));
    return 0;
}

static int stop_beating(void **state)
{
    (void)state;
    int code = stop(&beating, SIGTERM, NULL);
    recorder_stop(&queen);
    return code;
}

static const char *body_of(const char *request)
{
    const char *end = strstr(request, "\r\n\r\n");
    assert_non_null(end);
    return end + 4;
}

static double seconds_to_the_first_beat(void *ctx)
{
    recorder r;
    char url[64];
    (void)ctx;
    recorder_start(&r, PAGE);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", r.port);
    double begun = now_s();
    service s = start(sdw_fake(), ARGS("--model-path", "fake", "--queen-url", url));
    assert_non_null(recorder_wait(&r, 1, 60));
    double after = r.at[0] - begun;
    assert_int_equal(stop(&s, SIGTERM, NULL), 0);
    recorder_stop(&r);
    return after;
}

static void check_37_a_heartbeat_comes_at_once(void **state)
{
    (void)state;
    char want[300];
    const char *beat = recorder_wait(&queen, 1, 60);
    assert_non_null(beat);
    double after = queen.at[0] - started;
    if (after > 1.0 + 1.0) best_of_five(seconds_to_the_first_beat, NULL, 0, 1.0 + 1.0); /* with the start of the program */
    assert_memory_equal(beat, "POST /v1/worker-heartbeat HTTP/1.1\r\n", 36);
    assert_non_null(strstr(beat, "Content-Type: application/json\r\n"));
    const char *body = body_of(beat), *time = strstr(body, "\"timestamp\":\"");
    assert_non_null(time);
    snprintf(want, sizeof want, "{\"worker\":{\"id\":\"worker \\\"one\\\"\",\"model_id\":\"fake\",\"device\":\"cpu:0\",\"port\":%d,\"status\":\"", beating.port);
    assert_memory_equal(body, want, strlen(want));
    assert_non_null(strstr(body, ",\"implementation\":\"sd-worker\",\"version\":\""));
    const char *stamp = value_of(body, "timestamp");
    assert_true(ends_with(stamp, "Z"));
    assert_int_equal(strlen(stamp), strlen("2025-11-23T03:53:45.992481335Z"));
}

static void check_37_no_queen_no_request_and_a_refusing_one_does_no_harm(void **state)
{
    (void)state;
    service none = start_loaded(sdw_fake(), ARGS("--model-path", "fake", "--no-heartbeat", "--queen-url", "http://127.0.0.1:9"));
    service refused = start_loaded(sdw_fake(), ARGS("--model-path", "fake", "--hive-url", "http://127.0.0.1:9"));
    char *text = whole_stream(refused.port, submit(refused.port, gen(2)), "", "");
    assert_true(ends_with(text, "data: [DONE]\n\n"));
    free(text);
    char *log = read_file(refused.log), *quiet = read_file(none.log);
    for (double until = now_s() + 60; !strstr(log, "Failed to send heartbeat: ") && now_s() < until; poll(NULL, 0, 10)) free(log), log = read_file(refused.log);
    assert_non_null(strstr(log, "Failed to send heartbeat: "));
    assert_null(strstr(quiet, "heartbeat"));
    free(log), free(quiet);
    assert_int_equal(stop(&none, SIGTERM, NULL), 0);
    assert_int_equal(stop(&refused, SIGTERM, NULL), 0);
}

static void check_38_the_callback_goes_out_once_the_model_is_loaded(void **state)
{
    (void)state;
    char url[64], want[300];
    recorder r;
    recorder_start(&r, PAGE);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/v1/workers/ready", r.port);
    service s = start(sdw_fake(), ARGS("--model-path", fake_model("fake hold-load"), "--callback-url", url, "--worker-id", "W"));
    reply ready = { 0 };
    get(s.port, "/ready", "", &ready);
    expect(&ready, 503, NULL);
    assert_int_equal(recorder_count(&r), 0);
    kill(s.pid, SIGUSR1);
    const char *call = recorder_wait(&r, 1, 60);
    assert_non_null(call);
    assert_memory_equal(call, "POST /v1/workers/ready HTTP/1.1\r\n", 33);
    snprintf(want, sizeof want, "{\"worker_id\":\"W\",\"url\":\"http://localhost:%d\",\"model_ref\":\"fake hold-load\",\"backend\":\"cpu\",\"device\":0}", s.port);
    assert_string_equal(body_of(call), want);
    assert_null(recorder_wait(&r, 2, 1.5));
    assert_int_equal(stop(&s, SIGTERM, NULL), 0);
    recorder_stop(&r);
    reply_finish(&ready);
}

static void check_38_a_failing_callback_is_tried_three_times(void **state)
{
    (void)state;
    char url[64];
    recorder r;
    recorder_start(&r, FAIL);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/x", r.port);
    service s = start_loaded(sdw_fake(), ARGS("--model-path", "fake", "--callback-url", url));
    assert_non_null(recorder_wait(&r, 3, 60));
    assert_null(recorder_wait(&r, 4, 1.5));
    char *text = whole_stream(s.port, submit(s.port, gen(2)), "", "");
    assert_true(ends_with(text, "data: [DONE]\n\n"));
    free(text);
    assert_int_equal(stop(&s, SIGTERM, NULL), 0);
    recorder_stop(&r);
}

static double seconds_to_leave_a_silent_queen(void *ctx)
{
    (void)ctx;
    recorder r;
    double seconds;
    char url[64];
    recorder_start(&r, ""); /* closes without an answer; the next request is made after a pause */
    snprintf(url, sizeof url, "http://127.0.0.1:%d", r.port);
    service s = start(sdw_fake(), ARGS("--model-path", "fake", "--queen-url", url));
    assert_non_null(recorder_wait(&r, 1, 60));
    assert_int_equal(stop(&s, SIGTERM, &seconds), 0);
    recorder_stop(&r);
    return seconds;
}

static void a_queen_that_never_answers_does_not_delay_the_end(void **state)
{
    (void)state;
    best_of_five(seconds_to_leave_a_silent_queen, NULL, 0, 2.0);
}

static void check_37_the_next_heartbeat_comes_after_thirty_seconds(void **state)
{
    (void)state;
    assert_non_null(recorder_wait(&queen, 2, 90));
    double pause = queen.at[1] - queen.at[0];
    if (pause < 29.5 || pause > 31.5) fail_msg("after %g s", pause);
    assert_non_null(strstr(queen.request[1], "\"status\":\"ready\""));
    char *log = read_file(beating.log);
    assert_int_equal(count_of(log, "answers as if it knew none"), 1); /* a page is no acknowledgement; told once */
    free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_37_a_heartbeat_comes_at_once),
        cmocka_unit_test(check_37_no_queen_no_request_and_a_refusing_one_does_no_harm),
        cmocka_unit_test(check_38_the_callback_goes_out_once_the_model_is_loaded),
        cmocka_unit_test(check_38_a_failing_callback_is_tried_three_times),
        cmocka_unit_test(a_queen_that_never_answers_does_not_delay_the_end),
        cmocka_unit_test(check_37_the_next_heartbeat_comes_after_thirty_seconds),
    };
    return cmocka_run_group_tests(tests, start_beating, stop_beating);
}
