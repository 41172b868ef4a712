/* Requests that clients, proxies and smugglers send, and what each must be answered. One row, one probe. The last rows
 * pin what the HTTP library does without our sight (docs/server.md): a change there is news, good or bad. */
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

#define HEADER_TIMEOUT_S 0.8

static stage on;
static sdw_server *server;
static int port;

static int setup(void **state)
{
    (void)state;
    stage_init(&on);
    server = serve(&(sdw_server_options){ .limits = { .header_timeout_s = HEADER_TIMEOUT_S, .idle_timeout_s = 3 } }, &on);
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

#define GET "GET /hello HTTP/1.1\r\n"
#define POST "POST /echo HTTP/1.1\r\nHost: localhost\r\n"
#define HOST "Host: localhost\r\n"

struct probe {
    const char *what, *bytes;
    size_t size;   /* 0: all of bytes */
    int status;    /* 0: closed without an answer */
    int answers;   /* how many such answers follow each other; 0 = 1 */
    bool closes;   /* and the connection ends there */
    const char *body; /* the handler saw this; NULL = not asked */
};

static const struct probe probes[] = {
    { "valid GET", GET HOST "\r\n", .status = 200 },
    { "three pipelined", GET HOST "\r\n" GET HOST "\r\n" GET HOST "\r\n", .status = 200, .answers = 3 },
    { "valid chunked POST", POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", .status = 201, .body = "abc" },
    { "chunked in capitals", POST "Transfer-Encoding: CHUNKED\r\n\r\n3\r\nabc\r\n0\r\n\r\n", .status = 201, .body = "abc" },
    { "empty lines before the request", "\r\n\r\n" GET HOST "\r\n", .status = 200 },
    { "HTTP/1.0 without Host", "GET /hello HTTP/1.0\r\n\r\n", .status = 200, .closes = true },
    { "HTTP/1.0 with chunks", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", .status = 400, .closes = true },
    { "HTTP/1.1 without Host", GET "\r\n", .status = 400, .closes = true },
    { "two Host headers", GET HOST "Host: other\r\n\r\n", .status = 400, .closes = true },
    { "two equal Host headers", GET HOST HOST "\r\n", .status = 400, .closes = true },
    { "length and chunked", POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", .status = 400, .closes = true },
    { "chunked and length", POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", .status = 400, .closes = true },
    { "two lengths", POST "Content-Length: 6\r\nContent-Length: 5\r\n\r\nabcdef", .status = 400, .closes = true },
    { "two equal lengths", POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde", .status = 400, .closes = true },
    { "length +5", POST "Content-Length: +5\r\n\r\nabcde", .status = 400, .closes = true },
    { "length -1", POST "Content-Length: -1\r\n\r\nabcde", .status = 400, .closes = true },
    { "length 5, 5", POST "Content-Length: 5, 5\r\n\r\nabcde", .status = 400, .closes = true },
    { "length 0x5", POST "Content-Length: 0x5\r\n\r\nabcde", .status = 400, .closes = true },
    { "empty length", POST "Content-Length:\r\n\r\n", .status = 400, .closes = true },
    { "length 18446744073709551621", POST "Content-Length: 18446744073709551621\r\n\r\nabcde", .status = 413, .closes = true },
    { "encoding xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", .status = 400, .closes = true },
    { "encoding gzip, chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", .status = 400, .closes = true },
    { "encoding twice", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", .status = 400, .closes = true },
    { "chunk size 0x5", POST "Transfer-Encoding: chunked\r\n\r\n0x5\r\nabcde\r\n0\r\n\r\n", .status = 400, .closes = true },
    { "chunk size of 17 digits", POST "Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nabcde\r\n0\r\n\r\n", .status = 413, .closes = true },
    { "chunk longer than its size", POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabcde\r\n0\r\n\r\n", .status = 400, .closes = true },
    { "space before the colon", GET HOST "X : 1\r\n\r\n", .status = 400, .closes = true },
    { "tab before the colon", GET HOST "X\t: 1\r\n\r\n", .status = 400, .closes = true },
    { "no name before the first colon", GET ": 1\r\n" HOST "\r\n", .status = 400, .closes = true },
    { "no colon", GET HOST "nothing\r\n\r\n", .status = 400, .closes = true },
    { "name with a bracket", GET HOST "X(: 1\r\n\r\n", .status = 400, .closes = true },
    { "bare CR in a value", GET HOST "X: a\rb\r\n\r\n", .status = 400, .closes = true },
    { "control byte in a value", GET HOST "X: a\x01" "b\r\n\r\n", .status = 400, .closes = true },
    { "DEL in a value", GET HOST "X: a\x7f" "b\r\n\r\n", .status = 400, .closes = true },
    { "tab and high bytes in a value", GET HOST "X: a\t\xc3\xa9\r\n\r\n", .status = 200 },
    { "method G(T", "G(T /hello HTTP/1.1\r\n" HOST "\r\n", .status = 400, .closes = true },
    { "HTTP/2.0", "GET /hello HTTP/2.0\r\n" HOST "\r\n", .status = 505, .closes = true },
    { "HTTP/1.1x", "GET /hello HTTP/1.1x\r\n" HOST "\r\n", .status = 400, .closes = true },
    { "HTTP/0.9", "GET /hello HTTP/0.9\r\n" HOST "\r\n", .status = 505, .closes = true },
    { "no version", "GET /hello\r\n" HOST "\r\n", .status = 400, .closes = true },
    { "HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .status = 505, .closes = true },
    { "TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", .size = 15, .status = 0, .closes = true },
    { "absolute URL", "GET http://localhost/hello HTTP/1.1\r\n" HOST "\r\n", .status = 400, .closes = true },
    { "URL without a slash", "GET hello HTTP/1.1\r\n" HOST "\r\n", .status = 400, .closes = true },
    { "OPTIONS *", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", .status = 400, .closes = true },
    { "CONNECT", "CONNECT localhost:443 HTTP/1.1\r\n" HOST "\r\n", .status = 400, .closes = true },
    { "space in the URL", "GET /hel lo HTTP/1.1\r\n" HOST "\r\n", .status = 400, .closes = true },
    { "fragment in the URL", "GET /hello#x HTTP/1.1\r\n" HOST "\r\n", .status = 400, .closes = true },
    { "/a%00b", "GET /items/a%00b HTTP/1.1\r\n" HOST "\r\n", .status = 400, .closes = true },
    { "%00 in an argument", "GET /hello?who=a%00b HTTP/1.1\r\n" HOST "\r\n", .status = 400, .closes = true },
    { "%0a", "GET /items/a%0ab HTTP/1.1\r\n" HOST "\r\n", .status = 400, .closes = true },
    { "bad escape", "GET /items/a%zz HTTP/1.1\r\n" HOST "\r\n", .status = 400, .closes = true },
    { "cut escape", "GET /items/a%4 HTTP/1.1\r\n" HOST "\r\n", .status = 400, .closes = true },
    { "escape of no UTF-8", "GET /items/a%ff HTTP/1.1\r\n" HOST "\r\n", .status = 400, .closes = true },
    { "escape of UTF-8", "GET /items/%C3%A9 HTTP/1.1\r\n" HOST "\r\n", .status = 200 },
    { "parent folder", "GET /files/../hello HTTP/1.1\r\n" HOST "\r\n", .status = 400, .closes = true },
    { "escaped parent folder", "GET /files/%2e%2E/x HTTP/1.1\r\n" HOST "\r\n", .status = 400, .closes = true },
    { "escaped slash and parent folder", "GET /files/a%2f..%2fb HTTP/1.1\r\n" HOST "\r\n", .status = 400, .closes = true },
    { "three dots are a name", "GET /files/.../a..b HTTP/1.1\r\n" HOST "\r\n", .status = 200 },
    { "a refusal without a body keeps the connection", "GET /nope HTTP/1.1\r\n" HOST "\r\n" "GET /nope HTTP/1.1\r\n" HOST "\r\n", .status = 404, .answers = 2 },
    { "pipelined behind broken framing", POST "Content-Length: 6\r\nContent-Length: 5\r\n\r\nabcdef" GET HOST "\r\n", .status = 400, .closes = true },
    /* Known opens: the library hides these from us, the front proxy must refuse them. */
    { "known open: folded value", GET HOST "X: 1\r\n 2\r\n\r\n", .status = 200 },
    { "known open: a fold makes a header", POST "Transfer-Encodin: chunked\r\n g\r\n\r\n3\r\nabc\r\n0\r\n\r\n", .status = 201, .body = "abc" },
    { "known open: a colon in front ends the head", GET HOST ": 1\r\n" GET HOST "\r\n", .status = 200, .answers = 2 },
    { "known open: NUL in a value", GET HOST "X: a\0b\r\n\r\n", .size = sizeof(GET HOST "X: a\0b\r\n\r\n") - 1, .status = 200 },
    { "known open: NUL in the URL", "GET /hello\0x HTTP/1.1\r\n" HOST "\r\n", .size = sizeof("GET /hello\0x HTTP/1.1\r\n" HOST "\r\n") - 1, .status = 200 },
    { "known open: bare LF", "GET /hello HTTP/1.1\nHost: localhost\n\n", .status = 200 },
};

/* Whether it went as it must; says so if not. */
static bool check(const struct probe *p)
{
    bool good = true;
    reply r = { 0 };
    int fd = client_open(port);
    client_send(fd, p->bytes, p->size ? p->size : strlen(p->bytes));
    for (int i = 0; i < (p->answers ? p->answers : 1); i++) {
        client_reply(fd, false, 5, &r);
        good = good && r.status == p->status && (!p->body || strcmp(r.body, p->body) == 0);
        if (!good) print_error("%s: answered %d, want %d; body \"%s\"\n", p->what, r.status, p->status, r.body);
    }
    /* What the library answers by itself to a bad length comes with its head twice; then the connection is closed. */
    bool closed = client_closed_after(fd, p->closes ? 5 : 0.01) >= 0;
    if (closed != p->closes) print_error("%s: the connection was %s\n", p->what, closed ? "closed" : "kept");
    client_close(fd);
    reply_finish(&r);
    return good && closed == p->closes;
}

static void every_probe_is_answered_as_it_must(void **state)
{
    (void)state;
    int bad = 0;
    for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++) bad += !check(&probes[i]);
    assert_int_equal(bad, 0);
}

static int status_of_filler(const char *before, size_t size, const char *after)
{
    reply r = { 0 };
    int fd = client_open(port);
    char *filler = malloc(size);
    assert_non_null(filler);
    memset(filler, 'a', size);
    client_text(fd, before);
    client_send(fd, filler, size); /* it may be refused on the way */
    client_text(fd, after);
    client_reply(fd, false, 5, &r);
    int status = r.status;
    client_close(fd);
    free(filler);
    reply_finish(&r);
    return status;
}

static void a_head_of_16_KiB_is_taken_and_one_byte_more_is_not(void **state)
{
    (void)state;
    const char *before = GET HOST "X: ", *after = "\r\n\r\n";
    size_t rest = (16 << 10) - strlen(before) - strlen(after);
    assert_int_equal(status_of_filler(before, rest, after), 200);
    assert_int_equal(status_of_filler(before, rest + 1, after), 431);
    assert_int_equal(status_of_filler(before, 64 << 10, after), 431);
    const char *url = "GET /files/", *end = " HTTP/1.1\r\n" HOST "\r\n";
    rest = (16 << 10) - strlen(url) - strlen(end);
    assert_int_equal(status_of_filler(url, rest, end), 200);
    assert_int_equal(status_of_filler(url, rest + 1, end), 414);
    assert_int_equal(status_of_filler(url, 64 << 10, end), 414);
}

static void a_hundred_headers_are_taken_and_one_more_is_not(void **state)
{
    (void)state;
    reply r = { 0 };
    for (int count = 99; count <= 100; count++) { /* and Host */
        char text[4096] = GET HOST;
        for (int i = 0; i < count; i++) snprintf(text + strlen(text), sizeof text - strlen(text), "x%d: y\r\n", i);
        snprintf(text + strlen(text), sizeof text - strlen(text), "\r\n");
        ask(port, text, &r);
        assert_int_equal(r.status, count == 99 ? 200 : 431);
    }
    reply_finish(&r);
}

static void sixty_four_arguments_are_taken_and_one_more_is_not(void **state)
{
    (void)state;
    reply r = { 0 };
    for (int count = 64; count <= 65; count++) {
        char target[2048] = "/hello?";
        for (int i = 0; i < count; i++) snprintf(target + strlen(target), sizeof target - strlen(target), "&a%d=b", i);
        ask_for(port, "GET", target, "", NULL, &r);
        assert_int_equal(r.status, count == 64 ? 200 : 400);
    }
    reply_finish(&r);
}

static double seconds_of_a_dripping_head(void *ctx)
{
    (void)ctx;
    int fd = client_open(port);
    const char *head = GET HOST "X-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    double start = now_s(), closed = -1;
    for (const char *at = head; *at && closed < 0; at++) {
        client_send(fd, at, 1);
        closed = client_closed_after(fd, 0.1);
    }
    double after = now_s() - start;
    assert_true(closed >= 0);
    client_close(fd);
    return after;
}

static void a_head_that_drips_is_closed_at_the_deadline(void **state)
{
    (void)state;
    best_of_five(seconds_of_a_dripping_head, NULL, HEADER_TIMEOUT_S - 0.05, HEADER_TIMEOUT_S + 1);
}

static double seconds_of_a_silent_client(void *ctx)
{
    (void)ctx;
    double start = now_s(); /* before the server can know it */
    int fd = client_open(port);
    assert_true(client_closed_after(fd, 30) >= 0);
    client_close(fd);
    return now_s() - start;
}

static void a_silent_client_is_closed_at_the_deadline(void **state)
{
    (void)state;
    best_of_five(seconds_of_a_silent_client, NULL, HEADER_TIMEOUT_S - 0.05, HEADER_TIMEOUT_S + 1);
}

static double seconds_of_a_second_head(void *ctx)
{
    (void)ctx;
    reply r = { 0 };
    int fd = client_open(port);
    client_text(fd, GET HOST "\r\n");
    client_reply(fd, false, 5, &r);
    assert_int_equal(r.status, 200);
    assert_true(client_closed_after(fd, HEADER_TIMEOUT_S + 0.6) < 0); /* resting is allowed for longer */
    double start = now_s(), after = -1;
    client_text(fd, "G");
    for (int i = 0; i < 40 && after < 0; i++) {
        after = client_closed_after(fd, 0.1);
        client_text(fd, "E");
    }
    after = now_s() - start;
    client_close(fd);
    reply_finish(&r);
    return after;
}

static void a_second_head_that_drips_is_closed_at_its_own_deadline(void **state)
{
    (void)state;
    best_of_five(seconds_of_a_second_head, NULL, HEADER_TIMEOUT_S - 0.05, HEADER_TIMEOUT_S + 1.2);
}

static double seconds_of_rest(void *ctx)
{
    (void)ctx;
    reply r = { 0 };
    double start = now_s();
    int fd = client_open(port);
    client_text(fd, GET HOST "\r\n");
    client_reply(fd, false, 5, &r);
    assert_int_equal(r.status, 200);
    assert_true(client_closed_after(fd, 30) >= 0);
    client_close(fd);
    reply_finish(&r);
    return now_s() - start;
}

static void a_connection_that_rests_too_long_is_closed(void **state)
{
    (void)state;
    best_of_five(seconds_of_rest, NULL, 2.9, 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_probe_is_answered_as_it_must),
        TEST(a_head_of_16_KiB_is_taken_and_one_byte_more_is_not),
        TEST(a_hundred_headers_are_taken_and_one_more_is_not),
        TEST(sixty_four_arguments_are_taken_and_one_more_is_not),
        TEST(a_head_that_drips_is_closed_at_the_deadline),
        TEST(a_silent_client_is_closed_at_the_deadline),
        TEST(a_second_head_that_drips_is_closed_at_its_own_deadline),
        TEST(a_connection_that_rests_too_long_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
