/* Who may ask: key, Host, Origin; in which order refusals go; and what never shows in a log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "server/access.h"
#include "server/client.h"
#include "server/table.h"

static stage on;
static sdw_server *server;
static int port;

static void start(const sdw_server_options *o)
{
    stage_init(&on);
    server = serve(o, &on);
    port = sdw_server_port(server);
}

static void stop(void)
{
    sdw_server_stop(server, 1);
    stage_finish(&on);
}

/* The status; the answer is in r. */
static int get(const char *method, const char *target, const char *headers, reply *r)
{
    ask_for(port, method, target, headers, strcmp(method, "POST") == 0 ? "x" : NULL, r);
    return r->status;
}

#define MISSING "{\"error\":{\"code\":\"MISSING_API_KEY\",\"message\":\"Missing API key\"}}"
#define WRONG "{\"error\":{\"code\":\"INVALID_API_KEY\",\"message\":\"Invalid or missing API key\"}}"

static void a_key_is_asked_and_only_the_right_one_opens(void **state)
{
    (void)state;
    reply r = { 0 };
    char line[10000];
    start(&(sdw_server_options){ .api_key = "s3cret" });
    static const struct { const char *headers; int status; const char *body; } rows[] = {
        { "", 401, MISSING },
        { "Authorization: Bearer s3cret\r\n", 200, NULL },
        { "authorization:   Bearer   s3cret  \r\n", 200, NULL },
        { "Authorization: bearer s3cret\r\n", 401, MISSING },
        { "Authorization: Bearer\r\n", 401, MISSING },
        { "Authorization: Bearer  \r\n", 401, MISSING },
        { "Authorization: Bearer s3\tcret\r\n", 401, MISSING },
        { "Authorization: s3cret\r\n", 401, MISSING },
        { "Authorization: Bearer wrong\r\n", 401, WRONG },
        { "Authorization: Bearer s3cre\r\n", 401, WRONG },
        { "Authorization: Bearer s3crets\r\n", 401, WRONG },
        { "Authorization: Bearer S3cret\r\n", 401, WRONG },
        { "Authorization: Basic dTpzM2NyZXQ=\r\n", 401, MISSING }, /* Basic is for /sdapi alone */
        { "api-key: s3cret\r\n", 200, NULL },
        { "api-key: nope\r\n", 401, WRONG },
        { "Authorization: Bearer wrong\r\napi-key: s3cret\r\n", 200, NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(get("GET", "/hello", rows[i].headers, &r), rows[i].status);
        if (rows[i].body) assert_string_equal(r.body, rows[i].body);
        assert_string_equal(reply_header(&r, "www-authenticate"), "");
    }
    snprintf(line, sizeof line, "Authorization: Bearer %8192s\r\n", "s3cret"); /* 8199 bytes: over the header's limit */
    assert_int_equal(get("GET", "/hello", line, &r), 401);
    assert_string_equal(r.body, MISSING);
    snprintf(line, sizeof line, "Authorization: Bearer %8185s\r\n", "s3cret");
    assert_int_equal(get("GET", "/hello", line, &r), 200);
    assert_int_equal(get("GET", "/open", "", &r), 200);
    assert_int_equal(get("GET", "/alive", "", &r), 200);
    assert_int_equal(get("OPTIONS", "/hello", "", &r), 200);
    assert_int_equal(get("GET", "/nope", "", &r), 401); /* 401 goes before 404 */
    assert_int_equal(get("GET", "/nope", "api-key: s3cret\r\n", &r), 404);
    reply_finish(&r);
    stop();
}

static void sdapi_takes_basic_and_says_so(void **state)
{
    (void)state;
    reply r = { 0 };
    start(&(sdw_server_options){ .api_key = "s3cret" });
    assert_int_equal(get("POST", "/sdapi/v1/fail", "", &r), 401);
    assert_string_equal(r.body, "{\"detail\":\"Missing API key\"}");
    assert_string_equal(reply_header(&r, "www-authenticate"), "Basic");
    assert_int_equal(get("POST", "/sdapi/v1/fail", "Authorization: Basic dTpzM2NyZXQ=\r\n", &r), 429); /* u:s3cret */
    assert_int_equal(get("POST", "/sdapi/v1/fail", "Authorization: Basic OnMzY3JldA==\r\n", &r), 429); /* :s3cret */
    assert_int_equal(get("POST", "/sdapi/v1/fail", "Authorization: Bearer s3cret\r\n", &r), 429);
    assert_int_equal(get("POST", "/sdapi/v1/fail", "Authorization: Basic dTp3cm9uZw==\r\n", &r), 401); /* u:wrong */
    assert_int_equal(get("POST", "/sdapi/v1/fail", "Authorization: Basic czNjcmV0\r\n", &r), 401); /* no colon */
    assert_int_equal(get("POST", "/sdapi/v1/fail", "Authorization: Basic !!\r\n", &r), 401);
    assert_int_equal(get("GET", "/sdapi/v1/nope", "Authorization: Basic OnMzY3JldA==\r\n", &r), 404);
    assert_int_equal(get("POST", "/v1/images/fail", "", &r), 401);
    assert_string_equal(r.body, "{\"error\":{\"message\":\"Missing API key\",\"type\":\"authentication_error\",\"param\":null,\"code\":\"invalid_api_key\"}}");
    reply_finish(&r);
    stop();
}

static void a_token_in_the_url_opens_streams_alone_and_is_never_logged(void **state)
{
    (void)state;
    reply r = { 0 };
    char folder[] = "/tmp/sdw-access-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/log", folder);
    sdw_error err = { 0 };
    assert_int_equal(sdw_log_open(&(sdw_log_options){ .path = path, .level = SDW_LOG_DEBUG }, &err), SDW_OK);
    start(&(sdw_server_options){ .api_key = "s3cret-key" });
    on.ended = true;
    assert_int_equal(get("GET", "/stream?token=s3cret-key", "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n", &r), 200);
    assert_int_equal(get("GET", "/stream?token=wr0ng-key", "", &r), 401);
    assert_int_equal(get("GET", "/hello?token=s3cret-key", "", &r), 401);
    assert_int_equal(get("GET", "/hello", "Authorization: Bearer s3cret-key\r\nX-Request-Id: my-own-id\r\n", &r), 200);
    assert_int_equal(get("GET", "/later", "Authorization: Bearer s3cret-key\r\n", &r), 200);
    assert_int_equal(get("GET", "/items/job-17/parts", "Authorization: Bearer s3cret-key\r\n", &r), 200);
    stop();
    sdw_log_close();
    char text[16384] = "";
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    unlink(path);
    rmdir(folder);
    text[n] = '\0';
    assert_null(strstr(text, "s3cret"));
    assert_null(strstr(text, "wr0ng"));
    assert_non_null(strstr(text, "request=my-own-id"));
    assert_non_null(strstr(text, "path=/stream"));
    assert_non_null(strstr(text, "job=" STAGE_JOB " method=GET path=/later"));
    assert_non_null(strstr(text, "job=job-17 "));
    assert_non_null(strstr(text, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
    reply_finish(&r);
}

static void without_a_key_credentials_are_ignored(void **state)
{
    (void)state;
    reply r = { 0 };
    start(NULL);
    assert_int_equal(get("GET", "/hello", "Authorization:\r\n", &r), 200);
    assert_int_equal(get("GET", "/hello", "Authorization: Bearer \x80\xff\r\n", &r), 200);
    assert_int_equal(get("POST", "/sdapi/v1/fail", "Authorization: Basic !!\r\napi-key:\r\n", &r), 429);
    reply_finish(&r);
    stop();
}

/* The Host line is the request's own, so these are written out. */
static int with_host(const char *method, const char *path, const char *host, reply *r)
{
    char text[1024];
    snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\n\r\n", method, path, host);
    ask(port, text, r);
    return r->status;
}

static void a_foreign_host_is_misdirected_without_a_key(void **state)
{
    (void)state;
    reply r = { 0 };
    char machine[300] = "";
    gethostname(machine, 255);
    const char *allowed[] = { "worker.example", NULL };
    start(&(sdw_server_options){ .allowed_hosts = allowed });
    const char *const good[] = { "127.0.0.1", "127.0.0.1:8081", "localhost", "LOCALHOST:80", "[::1]:9", "10.1.2.3", "[fe80::1]", "worker.example:1", machine };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) assert_int_equal(with_host("GET", "/hello", good[i], &r), 200);
    static const char *const bad[] = { "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:8081", "", "[::1", "localhost:x", "a b" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(with_host("GET", "/hello", bad[i], &r), 421);
        assert_non_null(strstr(r.body, "\"MISDIRECTED\""));
        assert_non_null(strstr(r.body, "--allowed-host"));
        assert_int_equal(with_host("OPTIONS", "/hello", bad[i], &r), 421); /* OPTIONS included */
    }
    assert_int_equal(with_host("GET", "/sdapi/v1/nope", "evil.example", &r), 421); /* 421 goes before 404 */
    assert_memory_equal(r.body, "{\"detail\":", 10);
    stop();
    const char *all[] = { "*", NULL };
    start(&(sdw_server_options){ .allowed_hosts = all });
    assert_int_equal(with_host("GET", "/hello", "evil.example", &r), 200);
    stop();
    start(&(sdw_server_options){ .api_key = "k" });
    assert_int_equal(with_host("GET", "/open", "evil.example", &r), 200); /* a key is protection enough */
    stop();
    reply_finish(&r);
}

static void pages_of_other_sites_may_look_at_nothing_and_change_nothing(void **state)
{
    (void)state;
    reply r = { 0 };
    const char *listed[] = { "https://app.example", NULL };
    start(&(sdw_server_options){ .cors_origins = listed });
    static const char *const good[] = { "http://localhost:5174", "https://127.0.0.1", "http://[::1]:3", "tauri://localhost", "http://tauri.localhost",
                                        "https://app.example", "http://127.0.0.1" };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char line[128];
        snprintf(line, sizeof line, "Origin: %s\r\n", good[i]);
        assert_int_equal(get("GET", "/hello", line, &r), 200);
        assert_string_equal(reply_header(&r, "access-control-allow-origin"), good[i]);
        assert_string_equal(reply_header(&r, "vary"), "origin, access-control-request-method, access-control-request-headers");
        assert_string_equal(reply_header(&r, "access-control-expose-headers"), "x-request-id, retry-after, idempotency-replayed");
        assert_string_equal(reply_header(&r, "access-control-allow-credentials"), "");
        assert_int_equal(get("POST", "/echo", line, &r), 201);
    }
    static const char *const bad[] = { "http://evil.example", "null", "http://localhost.evil.example", "http://127.0.0.1.evil.example", "https://app.example:444",
                                       "http://app.example", "file://", "http://localhost:5174@evil.example", "tauri://localhost.evil", "" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char line[128];
        snprintf(line, sizeof line, "Origin: %s\r\n", bad[i]);
        assert_int_equal(get("GET", "/hello", line, &r), 200);
        assert_null(strstr(r.head, "ccess-control"));
        assert_int_equal(get("POST", "/echo", line, &r), 403);
        assert_non_null(strstr(r.body, "\"FORBIDDEN\""));
        assert_int_equal(get("DELETE", "/items/1", line, &r), 403);
        assert_int_equal(get("PUT", "/nope", line, &r), 403);
        assert_int_equal(get("OPTIONS", "/echo", line, &r), 200);
        assert_null(strstr(r.head, "ccess-control"));
    }
    assert_int_equal(get("POST", "/v1/images/fail", "Origin: http://evil.example\r\nContent-Type: multipart/form-data; boundary=x\r\n", &r), 403);
    assert_non_null(strstr(r.body, "permission_error"));
    reply_finish(&r);
    stop();
}

static void an_origin_is_the_same_if_host_and_port_are(void **state)
{
    (void)state;
    sdw_access_rules a = { 0 };
    static const struct { const char *origin, *host; sdw_origin want; } rows[] = {
        { NULL, "worker:8081", SDW_ORIGIN_NONE },
        { "http://worker:8081", "worker:8081", SDW_ORIGIN_ALLOWED },
        { "http://WORKER:8081", "worker:8081", SDW_ORIGIN_ALLOWED },
        { "http://worker", "worker:80", SDW_ORIGIN_ALLOWED },
        { "http://worker:80", "worker", SDW_ORIGIN_ALLOWED },
        { "https://worker", "worker:443", SDW_ORIGIN_ALLOWED },
        { "https://worker", "worker", SDW_ORIGIN_ALLOWED },
        { "http://worker", "worker:443", SDW_ORIGIN_FOREIGN },
        { "http://worker:8082", "worker:8081", SDW_ORIGIN_FOREIGN },
        { "http://[fe80::1]:8081", "[fe80::1]:8081", SDW_ORIGIN_ALLOWED },
        { "http://worker:8081", NULL, SDW_ORIGIN_FOREIGN },
        { "ftp://worker:8081", "worker:8081", SDW_ORIGIN_FOREIGN },
        { "http://localhost:1", "worker:8081", SDW_ORIGIN_FOREIGN }, /* local_pages is off */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) assert_int_equal(sdw_access_origin(&a, rows[i].origin, rows[i].host), rows[i].want);
}

static void with_a_key_or_another_address_local_pages_are_foreign(void **state)
{
    (void)state;
    reply r = { 0 };
    start(&(sdw_server_options){ .api_key = "k" });
    assert_int_equal(get("POST", "/echo", "api-key: k\r\nOrigin: http://localhost:5174\r\n", &r), 201); /* not refused, */
    assert_null(strstr(r.head, "ccess-control")); /* but the page does not see it */
    stop();
    start(&(sdw_server_options){ .bind_addr = "0.0.0.0" });
    assert_int_equal(get("GET", "/hello", "Origin: http://localhost:5174\r\n", &r), 200);
    assert_null(strstr(r.head, "ccess-control"));
    assert_int_equal(get("POST", "/echo", "Origin: http://localhost:5174\r\n", &r), 403);
    stop();
    const char *listed[] = { "http://localhost:5174", NULL };
    start(&(sdw_server_options){ .api_key = "k", .cors_origins = listed });
    assert_int_equal(get("GET", "/hello", "api-key: k\r\nOrigin: http://localhost:5174\r\n", &r), 200);
    assert_string_equal(reply_header(&r, "access-control-allow-origin"), "http://localhost:5174");
    assert_int_equal(get("GET", "/hello", "Origin: http://localhost:5174\r\n", &r), 401); /* the page may read why */
    assert_string_equal(reply_header(&r, "access-control-allow-origin"), "http://localhost:5174");
    stop();
    reply_finish(&r);
}

static void a_star_opens_every_answer_to_every_page(void **state)
{
    (void)state;
    reply r = { 0 };
    const char *all[] = { "*", NULL };
    start(&(sdw_server_options){ .cors_origins = all });
    static const char *const targets[] = { "/hello", "/nope", "/later", "/stream" };
    on.ended = true;
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        get("GET", targets[i], "", &r);
        assert_string_equal(reply_header(&r, "access-control-allow-origin"), "*");
    }
    assert_int_equal(get("POST", "/echo", "Origin: http://evil.example\r\n", &r), 201);
    stop();
    reply_finish(&r);
}

static void a_preflight_names_methods_and_headers(void **state)
{
    (void)state;
    reply r = { 0 };
    start(NULL);
    assert_int_equal(get("OPTIONS", "/v1/jobs", "Origin: http://localhost:5174\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-stainless-os, x-b\r\n", &r), 200);
    assert_string_equal(reply_header(&r, "access-control-allow-origin"), "http://localhost:5174");
    assert_string_equal(reply_header(&r, "access-control-allow-methods"), "GET, POST, DELETE, OPTIONS");
    assert_string_equal(reply_header(&r, "access-control-allow-headers"), "authorization, content-type, last-event-id, idempotency-key, x-stainless-os, x-b");
    assert_int_equal(r.body_size, 0);
    assert_int_equal(get("OPTIONS", "/x", "Origin: http://localhost:5174\r\nAccess-Control-Request-Headers: a\"b\r\n", &r), 200);
    assert_string_equal(reply_header(&r, "access-control-allow-headers"), "authorization, content-type, last-event-id, idempotency-key");
    stop();
    reply_finish(&r);
}

static void refusals_are_told_after_the_whole_body_was_sent(void **state)
{
    (void)state;
    enum { SIZE = 300000 };
    reply r = { 0 };
    char *body = malloc(SIZE + 1);
    assert_non_null(body);
    memset(body, 'b', SIZE);
    body[SIZE] = '\0';
    start(&(sdw_server_options){ .api_key = "k", .limits = { .body_max = 100000 } });
    ask_for(port, "POST", "/echo", "", body, &r);
    assert_int_equal(r.status, 401); /* before 413 */
    ask_for(port, "POST", "/nope", "api-key: k\r\n", body, &r);
    assert_int_equal(r.status, 404);
    ask_for(port, "PUT", "/echo", "api-key: k\r\n", body, &r);
    assert_int_equal(r.status, 405);
    ask_for(port, "POST", "/echo", "api-key: k\r\n", body, &r);
    assert_int_equal(r.status, 413);
    assert_int_equal(on.handled, 0);
    stop();
    free(body);
    reply_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_asked_and_only_the_right_one_opens),
        cmocka_unit_test(sdapi_takes_basic_and_says_so),
        cmocka_unit_test(a_token_in_the_url_opens_streams_alone_and_is_never_logged),
        cmocka_unit_test(without_a_key_credentials_are_ignored),
        cmocka_unit_test(a_foreign_host_is_misdirected_without_a_key),
        cmocka_unit_test(pages_of_other_sites_may_look_at_nothing_and_change_nothing),
        cmocka_unit_test(an_origin_is_the_same_if_host_and_port_are),
        cmocka_unit_test(with_a_key_or_another_address_local_pages_are_foreign),
        cmocka_unit_test(a_star_opens_every_answer_to_every_page),
        cmocka_unit_test(a_preflight_names_methods_and_headers),
        cmocka_unit_test(refusals_are_told_after_the_whole_body_was_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
