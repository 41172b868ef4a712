/* Who may use the worker: key, origins, hosts. Acceptance checks 34 to 36. */
#include "service/harness.h"

#include <stdio.h>

static char out[4096], err[4096];
static reply r;

static void ask_with(int port, const char *method, const char *target, const char *headers, const char *body, int status, const char *text)
{
    char all[600];
    snprintf(all, sizeof all, "%s%s", headers, body ? JSON_TYPE : "");
    ask_for(port, method, target, all, body, &r);
    if (r.status != status) print_message("%s %s %s\n", method, target, headers);
    expect(&r, status, text);
}

static void check_34_a_key(void **state)
{
    (void)state;
    service s = start_env(sdw_fake(), ARGS("--model-path", fake_model("fake")), ARGS("LLORCH_API_TOKEN=s3cret"));
    wait_ready(&s);
    static const char missing[] = "{\"error\":{\"code\":\"MISSING_API_KEY\",\"message\":\"Missing API key\"}}";
    ask_with(s.port, "POST", "/v1/jobs", "", gen(1), 401, missing);
    assert_string_equal(r.body, missing);
    assert_string_equal(reply_header(&r, "www-authenticate"), "");
    ask_with(s.port, "POST", "/v1/jobs", "Authorization: bearer s3cret\r\n", gen(1), 401, missing);
    ask_with(s.port, "POST", "/v1/jobs", "Authorization: Bearer \r\n", gen(1), 401, missing);
    ask_with(s.port, "POST", "/v1/jobs", "Authorization: Bearer wrong\r\n", gen(1), 401, "{\"error\":{\"code\":\"INVALID_API_KEY\",\"message\":\"Invalid or missing API key\"}}");
    ask_with(s.port, "POST", "/v1/jobs", "Authorization: Bearer s3cret\r\n", gen(1), 200, "job_id");
    char id[64], target[128];
    snprintf(id, sizeof id, "%s", value_of(r.body, "job_id"));
    static const char *const open[] = { "/", "/health", "/ready" };
    for (int i = 0; i < 3; i++) ask_with(s.port, "GET", open[i], "", NULL, 200, NULL);
    static const char *const closed[] = { "/v1/jobs", "/v1/ready", "/info", "/v1/capabilities", "/v1/events", "/v1/outputs", "/v1/loading/progress" };
    for (size_t i = 0; i < sizeof closed / sizeof closed[0]; i++) ask_with(s.port, "GET", closed[i], "", NULL, 401, missing);
    ask_with(s.port, "OPTIONS", "/v1/jobs", "", NULL, 200, NULL);
    snprintf(target, sizeof target, "/v1/jobs/%s/stream?token=s3cret", id);
    stream j = open_stream(s.port, target, "Accept: */*\r\n");
    assert_true(ends_with(stream_end(&j, 10), "data: [DONE]\n\n"));
    assert_int_equal(j.status, 200);
    close_stream(&j);
    snprintf(target, sizeof target, "/v1/jobs/%s?token=s3cret", id); /* streams only */
    ask_with(s.port, "GET", target, "", NULL, 401, missing);
    ask_with(s.port, "GET", "/v1/jobs", "Authorization: Bearer s3cret\r\n", NULL, 200, NULL);
    char *picture = strdup(value_of(strstr(r.body, "\"outputs\""), "url"));
    ask_with(s.port, "GET", picture, "", NULL, 200, NULL); /* its id is the key */
    free(picture);
    assert_int_equal(stop(&s, SIGTERM, NULL), 0);
    char *log = read_file(s.log);
    assert_null(strstr(log, "s3cret"));
    free(log);
    assert_int_equal(run(sdw(), ARGS("serve", "--local-mode", "--port", "0"), ARGS("LLORCH_API_TOKEN=s3cret"), out, err, sizeof out), 1);
    assert_non_null(strstr(err, "Error: --local-mode"));
    assert_null(strstr(err, "s3cret"));
    reply_finish(&r);
}

static void a_key_may_stand_in_a_file_and_argv_beats_the_environment(void **state)
{
    (void)state;
    FILE *f = fopen("key", "w");
    assert_non_null(f);
    fprintf(f, "from-file\n");
    fclose(f);
    service s = start(sdw_fake(), ARGS("--model-path", "fake", "--api-key-file", "key"));
    ask_with(s.port, "GET", "/info", "Authorization: Bearer from-file\r\n", NULL, 200, NULL);
    ask_with(s.port, "GET", "/info", "Authorization: Bearer from-fil\r\n", NULL, 401, NULL);
    assert_int_equal(stop(&s, SIGTERM, NULL), 0);
    s = start_env(sdw_fake(), ARGS("--model-path", "fake", "--api-key", "one"), ARGS("SDW_API_KEY=two", "LLORCH_API_TOKEN=three"));
    ask_with(s.port, "GET", "/info", "Authorization: Bearer one\r\n", NULL, 200, NULL);
    ask_with(s.port, "GET", "/info", "Authorization: Bearer two\r\n", NULL, 401, NULL);
    assert_int_equal(stop(&s, SIGTERM, NULL), 0);
    reply_finish(&r);
}

static void check_35_pages_on_loopback_without_a_key(void **state)
{
    (void)state;
    service s = start_loaded(sdw_fake(), ARGS("--model-path", "fake"));
    ask_with(s.port, "GET", "/health", "Origin: http://localhost:5174\r\n", NULL, 200, NULL);
    assert_string_equal(reply_header(&r, "access-control-allow-origin"), "http://localhost:5174");
    assert_non_null(strstr(reply_header(&r, "access-control-expose-headers"), "retry-after"));
    ask_with(s.port, "POST", "/v1/jobs", "Origin: http://localhost:5174\r\n", gen(1), 200, NULL);
    ask_with(s.port, "GET", "/health", "Origin: http://evil.example\r\n", NULL, 200, NULL);
    assert_string_equal(reply_header(&r, "access-control-allow-origin"), "");
    ask_with(s.port, "POST", "/v1/jobs", "Origin: http://evil.example\r\n", gen(1), 403, "\"code\":\"FORBIDDEN\"");
    ask_with(s.port, "POST", "/v1/jobs", "Origin: null\r\n", gen(1), 403, "\"code\":\"FORBIDDEN\"");
    ask_with(s.port, "OPTIONS", "/v1/jobs", "Origin: http://localhost:5174\r\nAccess-Control-Request-Method: POST\r\n", NULL, 200, NULL);
    assert_int_equal(r.body_size, 0);
    assert_non_null(strstr(reply_header(&r, "access-control-allow-headers"), "authorization"));
    assert_int_equal(run(sdw(), ARGS("--build-info"), NO_ENV, out, err, sizeof out), 0);
    ask(s.port, "GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n", &r);
    expect(&r, 421, "\"code\":\"MISDIRECTED\"");
    assert_non_null(strstr(r.body, "--allowed-host"));
    assert_int_equal(stop(&s, SIGTERM, NULL), 0);
    s = start_loaded(sdw_fake(), ARGS("--model-path", "fake", "--cors-origin", "*"));
    ask_with(s.port, "GET", "/health", "", NULL, 200, NULL);
    assert_string_equal(reply_header(&r, "access-control-allow-origin"), "*");
    ask_with(s.port, "GET", "/nope", "", NULL, 404, NULL);
    assert_string_equal(reply_header(&r, "access-control-allow-origin"), "*");
    ask_with(s.port, "POST", "/v1/jobs", "Origin: http://evil.example\r\n", gen(1), 200, NULL);
    assert_int_equal(stop(&s, SIGTERM, NULL), 0);
    reply_finish(&r);
}

static void check_36_a_list_of_origins(void **state)
{
    (void)state;
    service s = start_env(sdw_fake(), ARGS("--model-path", "fake", "--cors-origin", "http://localhost:5174"), ARGS("SDW_API_KEY=k"));
    ask_with(s.port, "GET", "/health", "Origin: http://localhost:5174\r\n", NULL, 200, NULL);
    assert_string_equal(reply_header(&r, "access-control-allow-origin"), "http://localhost:5174");
    ask_with(s.port, "GET", "/health", "Origin: http://evil.example\r\n", NULL, 200, NULL);
    assert_string_equal(reply_header(&r, "access-control-allow-origin"), "");
    ask_with(s.port, "POST", "/v1/jobs", "Origin: http://evil.example\r\nAuthorization: Bearer k\r\n", gen(1), 200, NULL);
    assert_int_equal(stop(&s, SIGTERM, NULL), 0);
    s = start_as(sdw_fake(), NULL, ARGS("--model-path", "fake", "--bind-addr", "0.0.0.0", "--port", "0"), NO_ENV);
    ask_with(s.port, "GET", "/health", "Origin: http://localhost:5174\r\n", NULL, 200, NULL);
    assert_string_equal(reply_header(&r, "access-control-allow-origin"), "");
    assert_int_equal(stop(&s, SIGTERM, NULL), 0);
    char *log = read_file(s.log);
    assert_non_null(strstr(log, "set a key"));
    free(log);
    reply_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_34_a_key),
        cmocka_unit_test(a_key_may_stand_in_a_file_and_argv_beats_the_environment),
        cmocka_unit_test(check_35_pages_on_loopback_without_a_key),
        cmocka_unit_test(check_36_a_list_of_origins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
