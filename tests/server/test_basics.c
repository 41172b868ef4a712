/* What every request gets: its route, its body, its answer. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/client.h"
#include "server/table.h"

static stage on;
static sdw_server *server;
static int port;

static int setup(void **state)
{
    (void)state;
    stage_init(&on);
    server = serve(NULL, &on);
    port = sdw_server_port(server);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sdw_server_stop(server, 1);
    stage_finish(&on);
    return 0;
}

static void a_route_answers_with_bytes_and_a_request_id(void **state)
{
    (void)state;
    reply r = { 0 };
    ask_for(port, "GET", "/hello?who=w%6Frld+1", "", NULL, &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body, "hello world 1\n");
    assert_string_equal(reply_header(&r, "content-type"), "text/plain");
    assert_int_equal(strlen(reply_header(&r, "x-request-id")), 4 + 32);
    reply_finish(&r);
}

static void the_clients_own_request_id_is_kept_if_well_formed(void **state)
{
    (void)state;
    reply r = { 0 };
    char line[256], long_id[130];
    ask_for(port, "GET", "/items/1", "X-Request-Id: abc-1~!\r\n", NULL, &r);
    assert_string_equal(reply_header(&r, "x-request-id"), "abc-1~!");
    assert_non_null(strstr(r.body, "id=abc-1~!"));
    memset(long_id, 'i', 129);
    long_id[128] = '\0';
    snprintf(line, sizeof line, "X-Request-Id: %s\r\n", long_id);
    ask_for(port, "GET", "/hello", line, NULL, &r);
    assert_string_equal(reply_header(&r, "x-request-id"), long_id);
    memcpy(long_id, "i", 1);
    long_id[128] = 'i', long_id[129] = '\0';
    snprintf(line, sizeof line, "X-Request-Id: %s\r\n", long_id); /* 129 */
    ask_for(port, "GET", "/hello", line, NULL, &r);
    assert_memory_equal(reply_header(&r, "x-request-id"), "req-", 4);
    ask_for(port, "GET", "/hello", "X-Request-Id: a b\r\n", NULL, &r);
    assert_memory_equal(reply_header(&r, "x-request-id"), "req-", 4);
    reply_finish(&r);
}

static void bodies_come_whole_with_a_length_and_in_chunks(void **state)
{
    (void)state;
    reply r = { 0 };
    ask_for(port, "POST", "/echo", "Content-Type: a/b\r\n", "some bytes", &r);
    assert_int_equal(r.status, 201);
    assert_string_equal(r.body, "some bytes");
    assert_string_equal(reply_header(&r, "x-type"), "a/b");
    ask(port, "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nT: 1\r\n\r\n", &r);
    assert_int_equal(r.status, 201);
    assert_string_equal(r.body, "hello world");
    ask_for(port, "POST", "/echo", "", "", &r);
    assert_int_equal(r.status, 201);
    assert_int_equal(r.body_size, 0);
    reply_finish(&r);
}

static void a_large_body_comes_through_and_back(void **state)
{
    (void)state;
    enum { SIZE = 3 << 20 };
    reply r = { 0 };
    char head[128], *body = malloc(SIZE);
    assert_non_null(body);
    for (int i = 0; i < SIZE; i++) body[i] = (char)(i * 7 + i / 251);
    snprintf(head, sizeof head, "POST /desk HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n", SIZE);
    int fd = client_open(port);
    assert_true(client_text(fd, head));
    assert_true(client_send(fd, body, SIZE));
    client_reply(fd, false, 10, &r);
    assert_int_equal(r.status, 201);
    assert_int_equal(r.body_size, SIZE);
    assert_memory_equal(r.body, body, SIZE);
    client_close(fd);
    free(body);
    reply_finish(&r);
}

static void paths_are_matched_by_segments(void **state)
{
    (void)state;
    reply r = { 0 };
    ask_for(port, "GET", "/items/a%2Db", "X-Thing:  spaced \t\r\n", NULL, &r);
    assert_non_null(strstr(r.body, "path=/items/a-b tail=a-b thing=spaced loopback=1 peer=127.0.0.1"));
    ask_for(port, "GET", "/items/7/parts", "", NULL, &r);
    assert_non_null(strstr(r.body, "tail=7 "));
    ask_for(port, "GET", "/items/special", "", NULL, &r);
    assert_non_null(strstr(r.body, "tail= "));
    ask_for(port, "GET", "/files/a/b%2Fc", "", NULL, &r);
    assert_non_null(strstr(r.body, "tail=a/b/c "));
    static const char *const unknown[] = { "/", "/nope", "/items/", "/items", "/items/1/2", "/hello/", "//hello" };
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        ask_for(port, "GET", unknown[i], "", NULL, &r);
        assert_int_equal(r.status, 404);
        assert_int_equal(r.body_size, 0);
    }
    reply_finish(&r);
}

static void a_wrong_method_names_the_right_ones(void **state)
{
    (void)state;
    reply r = { 0 };
    ask_for(port, "PUT", "/items/1", "", "x", &r);
    assert_int_equal(r.status, 405);
    assert_int_equal(r.body_size, 0);
    assert_string_equal(reply_header(&r, "allow"), "GET, HEAD, DELETE, OPTIONS");
    ask_for(port, "GET", "/echo", "", NULL, &r);
    assert_int_equal(r.status, 405);
    assert_string_equal(reply_header(&r, "allow"), "POST, OPTIONS");
    ask_for(port, "BREW", "/hello", "", NULL, &r);
    assert_int_equal(r.status, 405);
    reply_finish(&r);
}

static void head_is_get_without_the_body(void **state)
{
    (void)state;
    reply r = { 0 };
    int fd = client_open(port);
    client_text(fd, "HEAD /items/1 HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client_reply(fd, true, 5, &r);
    assert_int_equal(r.status, 200);
    assert_true(atoi(reply_header(&r, "content-length")) > 20);
    client_reply(fd, false, 5, &r); /* nothing of a body lies between the two */
    assert_string_equal(r.body, "hello you\n");
    client_text(fd, "HEAD /stream HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client_reply(fd, true, 5, &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(reply_header(&r, "content-type"), "text/event-stream");
    client_reply(fd, false, 5, &r);
    assert_string_equal(r.body, "hello you\n");
    assert_int_equal(on.closed, 1);
    client_close(fd);
    reply_finish(&r);
}

static void options_is_200_and_empty_on_every_path(void **state)
{
    (void)state;
    reply r = { 0 };
    static const char *const paths[] = { "/hello", "/nope", "/stream", "/sdapi/v1/fail" };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        ask_for(port, "OPTIONS", paths[i], "", NULL, &r);
        assert_int_equal(r.status, 200);
        assert_int_equal(r.body_size, 0);
        assert_string_equal(reply_header(&r, "access-control-allow-methods"), "GET, POST, DELETE, OPTIONS");
    }
    reply_finish(&r);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    reply r = { 0 };
    int fd = client_open(port);
    client_text(fd, "GET /hello?who=1 HTTP/1.1\r\nHost: localhost\r\n\r\nPOST /desk HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"
                    "GET /hello?who=3 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client_reply(fd, false, 5, &r);
    assert_string_equal(r.body, "hello 1\n");
    client_reply(fd, false, 5, &r);
    assert_string_equal(r.body, "abc");
    client_reply(fd, false, 5, &r);
    assert_string_equal(r.body, "hello 3\n");
    client_close(fd);
    reply_finish(&r);
}

static void static_and_large_bodies_are_sent_whole(void **state)
{
    (void)state;
    reply r = { 0 };
    ask_for(port, "GET", "/fixed", "", NULL, &r);
    assert_int_equal(r.body_size, 22);
    assert_memory_equal(r.body, "these bytes\0are static", 22);
    ask_for(port, "GET", "/large?bytes=3000000", "", NULL, &r);
    assert_int_equal(r.body_size, 3000000);
    assert_true(r.whole);
    reply_finish(&r);
}

static void each_face_has_its_own_error_body(void **state)
{
    (void)state;
    reply r = { 0 };
    ask_for(port, "POST", "/fail", "", "", &r);
    assert_int_equal(r.status, 429);
    assert_string_equal(reply_header(&r, "retry-after"), "5");
    assert_string_equal(r.body, "{\"error\":{\"code\":\"QUEUE_FULL\",\"message\":\"queue: 3 of 3 places taken\"}}");
    ask_for(port, "POST", "/v1/images/fail", "", "", &r);
    assert_string_equal(r.body, "{\"error\":{\"message\":\"queue: 3 of 3 places taken\",\"type\":\"rate_limit_error\",\"param\":null,\"code\":\"queue_full\"}}");
    ask_for(port, "POST", "/sdapi/v1/fail", "", "", &r);
    assert_string_equal(r.body, "{\"detail\":\"queue: 3 of 3 places taken\"}");
    ask_for(port, "POST", "/opsfail", "", "", &r);
    assert_string_equal(r.body, "{\"error\":{\"code\":429,\"message\":\"queue: 3 of 3 places taken\",\"type\":\"rate_limit_error\"}}");
    ask_for(port, "GET", "/sdapi/v1/nope", "", NULL, &r);
    assert_int_equal(r.status, 404);
    assert_string_equal(r.body, "{\"detail\":\"Not Found\"}");
    reply_finish(&r);
}

static void an_answer_that_waits_comes_when_its_job_ends(void **state)
{
    (void)state;
    static const char *const requests[] = { "GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                            "POST /later-desk HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n" };
    for (int i = 0; i < 2; i++) {
        reply r = { 0 };
        int fd = client_open(port), polled = on.polled;
        client_text(fd, requests[i]);
        assert_true(stage_reaches(&on, &on.polled, polled + 1));
        stage_show(&on, server, 1, false); /* news, but not the end */
        assert_true(stage_reaches(&on, &on.polled, polled + 2));
        stage_show(&on, server, 1, true);
        client_reply(fd, false, 5, &r);
        assert_int_equal(r.status, 200);
        assert_string_equal(r.body, "at last");
        assert_true(stage_reaches(&on, &on.closed, i + 1));
        assert_int_equal(on.gone, 0);
        stage_show(&on, server, 0, false);
        client_close(fd);
        reply_finish(&r);
    }
}

static void a_wake_during_a_poll_is_not_lost(void **state)
{
    (void)state;
    reply r = { 0 };
    for (int i = 0; i < 3; i++) {
        ask_for(port, "POST", "/overtaken", "", "", &r);
        assert_int_equal(r.status, 200);
        assert_string_equal(r.body, "second look");
    }
    reply_finish(&r);
}

static void a_stream_sends_each_event_as_one_chunk_and_ends(void **state)
{
    (void)state;
    reply r = { 0 };
    int fd = client_open(port);
    client_text(fd, "GET /stream?first=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_true(stage_reaches(&on, &on.opened, 1));
    stage_show(&on, server, 3, false);
    char bytes[4096] = "";
    size_t size = 0;
    while (!strstr(bytes, "data: 3\n\n")) {
        long n = client_read(fd, bytes + size, sizeof bytes - 1 - size, 60);
        assert_true(n > 0);
        size += (size_t)n;
        bytes[size] = '\0';
    }
    assert_non_null(strstr(bytes, "D\r\ndata: first\n\n\r\n9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n9\r\ndata: 3\n\n\r\n"));
    assert_non_null(strstr(bytes, "Content-Type: text/event-stream\r\n"));
    assert_non_null(strstr(bytes, "Cache-Control: no-cache\r\n"));
    assert_null(strcasestr(bytes, "\nconnection:"));
    assert_null(strcasestr(bytes, "x-accel-buffering"));
    stage_show(&on, server, 4, true);
    size = 0, bytes[0] = '\0';
    for (long n; (n = client_read(fd, bytes + size, sizeof bytes - 1 - size, strstr(bytes, "\n0\r\n\r\n") ? 0.3 : 60)) > 0;) bytes[size += (size_t)n] = '\0';
    assert_string_equal(bytes, "9\r\ndata: 4\n\n\r\n0\r\n\r\n");
    assert_true(stage_reaches(&on, &on.closed, 1));
    assert_int_equal(on.gone, 0);
    client_text(fd, "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"); /* the connection lives on */
    client_reply(fd, false, 5, &r);
    assert_int_equal(r.status, 200);
    client_close(fd);
    reply_finish(&r);
}

static void an_http_1_0_client_gets_a_stream_that_ends_with_the_connection(void **state)
{
    (void)state;
    reply r = { 0 };
    stage_show(&on, server, 2, true);
    ask(port, "GET /stream HTTP/1.0\r\n\r\n", &r);
    assert_int_equal(r.status, 200);
    assert_false(r.chunked);
    assert_string_equal(r.body, "data: 1\n\ndata: 2\n\n");
    assert_true(r.whole);
    reply_finish(&r);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_route_answers_with_bytes_and_a_request_id),
        TEST(the_clients_own_request_id_is_kept_if_well_formed),
        TEST(bodies_come_whole_with_a_length_and_in_chunks),
        TEST(a_large_body_comes_through_and_back),
        TEST(paths_are_matched_by_segments),
        TEST(a_wrong_method_names_the_right_ones),
        TEST(head_is_get_without_the_body),
        TEST(options_is_200_and_empty_on_every_path),
        TEST(pipelined_requests_are_answered_in_order),
        TEST(static_and_large_bodies_are_sent_whole),
        TEST(each_face_has_its_own_error_body),
        TEST(an_answer_that_waits_comes_when_its_job_ends),
        TEST(a_wake_during_a_poll_is_not_lost),
        TEST(a_stream_sends_each_event_as_one_chunk_and_ends),
        TEST(an_http_1_0_client_gets_a_stream_that_ends_with_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
