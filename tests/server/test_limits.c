/* Each limit of the transport at its edge and one past it, and what those see who go past it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "server/client.h"
#include "server/process.h"
#include "server/table.h"

static stage on;
static sdw_server *server;
static int port;

/* Small and short, so that the tests are quick. */
static const sdw_server_options usual = {
    .limits = { .body_max = 100000, .body_total_max = 150000, .body_timeout_s = 0.8, .write_timeout_s = 1, .keep_alive_s = 0.4,
                .answer_timeout_s = 0.5, .connections_max = 40, .streams_max = 2, .desk_threads = 1 },
};

static void start(const sdw_server_options *o)
{
    stage_init(&on);
    server = serve(o, &on);
    port = sdw_server_port(server);
}

static int setup(void **state)
{
    (void)state;
    start(&usual);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stage_release(&on);
    sdw_server_stop(server, 1);
    stage_finish(&on);
    return 0;
}

/* Sends a head and a body of `size` bytes as far as the server takes it, then reads the answer. */
static void upload(const char *path, size_t size, bool chunked, const char *extra, reply *r)
{
    char head[512], piece[1024];
    int fd = client_open(port);
    size_t n = (size_t)snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: localhost\r\n%s", path, extra);
    if (chunked) snprintf(head + n, sizeof head - n, "Transfer-Encoding: chunked\r\n\r\n");
    else snprintf(head + n, sizeof head - n, "Content-Length: %zu\r\n\r\n", size);
    client_text(fd, head);
    memset(piece, 'b', sizeof piece);
    for (size_t at = 0; at < size;) {
        size_t part = size - at < sizeof piece ? size - at : sizeof piece;
        char line[16];
        snprintf(line, sizeof line, "%zx\r\n", part);
        if (chunked && !client_text(fd, line)) break;
        if (!client_send(fd, piece, part) || (chunked && !client_text(fd, "\r\n"))) break;
        at += part;
    }
    if (chunked) client_text(fd, "0\r\n\r\n");
    client_reply(fd, false, 10, r);
    client_close(fd);
}

static void a_body_at_the_limit_is_taken_and_one_byte_more_is_413(void **state)
{
    (void)state;
    reply r = { 0 };
    for (int chunked = 0; chunked < 2; chunked++) {
        upload("/echo", 100000, chunked, "", &r);
        assert_int_equal(r.status, 201);
        assert_int_equal(r.body_size, 100000);
        upload("/echo", 100001, chunked, "", &r);
        assert_int_equal(r.status, 413);
        assert_memory_equal(r.body, "{\"error\":{\"code\":\"PAYLOAD_TOO_LARGE\",\"message\":\"Failed to buffer the request body", 81);
        assert_string_equal(reply_header(&r, "connection"), ""); /* read to its end: the connection is good for more */
        upload("/small", 65536, chunked, "", &r);
        assert_int_equal(r.status, 201);
        upload("/small", 65537, chunked, "", &r);
        assert_int_equal(r.status, 413);
    }
    assert_int_equal(on.handled, 4);
    reply_finish(&r);
}

static void a_refused_body_is_read_up_to_four_times_the_limit(void **state)
{
    (void)state;
    reply r = { 0 };
    upload("/echo", 400000, false, "", &r);
    assert_int_equal(r.status, 413);
    assert_string_equal(reply_header(&r, "connection"), "");
    upload("/nope", 400000, false, "", &r);
    assert_int_equal(r.status, 404);
    upload("/hello", 400000, true, "", &r);
    assert_int_equal(r.status, 405);
    upload("/echo", 398000, true, "", &r);
    assert_int_equal(r.status, 413);
    reply_finish(&r);
    /* Beyond: told by its length it is answered at once and the connection ends, in chunks it is closed. */
    int fd = client_open(port);
    client_text(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 400001\r\n\r\n");
    client_reply(fd, false, 5, &r);
    assert_int_equal(r.status, 413);
    assert_string_equal(reply_header(&r, "connection"), "close");
    client_close(fd);
    upload("/echo", 600000, true, "", &r);
    assert_int_equal(r.status, 0);
    assert_int_equal(on.handled, 0);
    reply_finish(&r);
}

static void expect_100_continue_is_answered_before_the_body(void **state)
{
    (void)state;
    reply r = { 0 };
    int fd = client_open(port);
    client_text(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    char bytes[64] = "";
    assert_int_equal(client_read(fd, bytes, sizeof bytes - 1, 5), 25);
    assert_string_equal(bytes, "HTTP/1.1 100 Continue\r\n\r\n");
    client_text(fd, "abc");
    client_reply(fd, false, 5, &r);
    assert_int_equal(r.status, 201);
    client_close(fd);
    fd = client_open(port);
    client_text(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 100001\r\n\r\n");
    client_reply(fd, false, 5, &r);
    assert_int_equal(r.status, 413);
    assert_string_equal(reply_header(&r, "connection"), "close");
    client_close(fd);
    reply_finish(&r);
}

static void bodies_in_memory_are_limited_together(void **state)
{
    (void)state;
    reply r = { 0 };
    sdw_server_options patient = usual; /* with the body that comes no further */
    patient.limits.body_timeout_s = 60;
    teardown(NULL);
    start(&patient);
    int fd = client_open(port);
    client_text(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n");
    client_text(fd, "some of it");
    ask_for(port, "POST", "/echo", "", "0123456789", &r); /* the server has read the first head by now */
    assert_int_equal(r.status, 201);
    for (int chunked = 0; chunked < 2; chunked++) {
        upload("/echo", 50000, chunked, "", &r);
        assert_int_equal(r.status, 201);
        upload("/echo", 50001, chunked, "", &r);
        assert_int_equal(r.status, 503);
        assert_string_equal(reply_header(&r, "retry-after"), "5");
        assert_non_null(strstr(r.body, "\"OVERLOADED\""));
    }
    client_close(fd);
    for (double until = now_s() + 30; r.status != 201 && now_s() < until;) upload("/echo", 100000, false, "", &r);
    assert_int_equal(r.status, 201); /* given back */
    reply_finish(&r);
}

static double seconds_of_a_dripping_body(void *ctx)
{
    (void)ctx;
    int fd = client_open(port);
    client_text(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n");
    double start = now_s(), closed = -1;
    for (int i = 0; i < 60 && closed < 0; i++) {
        client_text(fd, "a");
        closed = client_closed_after(fd, 0.1);
    }
    assert_true(closed >= 0);
    client_close(fd);
    return now_s() - start;
}

static void a_body_that_drips_is_closed_at_the_deadline(void **state)
{
    (void)state;
    best_of_five(seconds_of_a_dripping_body, NULL, 0.75, 1.8);
    assert_int_equal(on.handled, 0);
}

static void the_last_places_answer_health_routes_only(void **state)
{
    (void)state;
    reply r = { 0 };
    int fd[40];
    /* 40 places, so 20 for everyone and 20 for health. */
    for (int i = 0; i < 40; i++) {
        fd[i] = client_open(port);
        client_text(fd[i], "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
        client_reply(fd[i], false, 5, &r);
        assert_int_equal(r.status, i < 20 ? 200 : 503);
    }
    for (int i = 0; i < 40; i += 13) {
        client_text(fd[i], "GET /alive HTTP/1.1\r\nHost: localhost\r\n\r\n");
        client_reply(fd[i], false, 5, &r);
        assert_int_equal(r.status, 200);
    }
    int beyond = client_open(port);
    client_text(beyond, "GET /alive HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client_reply(beyond, false, 5, &r);
    assert_int_equal(r.status, 0); /* closed */
    client_close(beyond);
    for (int i = 0; i < 21; i++) client_close(fd[i]);
    client_text(fd[39], "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client_reply(fd[39], false, 5, &r);
    for (double until = now_s() + 30; r.status == 503 && now_s() < until;) {
        client_text(fd[39], "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
        client_reply(fd[39], false, 5, &r);
    }
    assert_int_equal(r.status, 200); /* others left, so it has an ordinary place now */
    for (int i = 21; i < 40; i++) client_close(fd[i]);
    reply_finish(&r);
}

static void one_client_gets_so_many_connections(void **state)
{
    (void)state;
    teardown(NULL);
    reply r = { 0 };
    for (int limited = 0; limited < 2; limited++) {
        sdw_server_options o = { .limits = { .connections_per_client_max = 3 }, .limit_loopback = limited };
        start(&o);
        int fd[4];
        for (int i = 0; i < 4; i++) {
            fd[i] = client_open(port);
            client_text(fd[i], "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
            client_reply(fd[i], false, 5, &r);
            assert_int_equal(r.status, limited && i == 3 ? 0 : 200);
        }
        for (int i = 0; i < 4; i++) client_close(fd[i]);
        if (!limited) teardown(NULL);
    }
    reply_finish(&r);
}

static int open_stream(const char *query)
{
    char text[256];
    int fd = client_open(port), opened = on.opened;
    snprintf(text, sizeof text, "GET /stream%s HTTP/1.1\r\nHost: localhost\r\n\r\n", query);
    client_text(fd, text);
    assert_true(stage_reaches(&on, &on.opened, opened + 1));
    return fd;
}

static void streams_are_limited(void **state)
{
    (void)state;
    reply r = { 0 };
    int a = open_stream(""), b = open_stream("");
    ask_for(port, "GET", "/stream", "", NULL, &r);
    assert_int_equal(r.status, 503);
    assert_non_null(strstr(r.body, "Too many event streams"));
    assert_int_equal(on.closed, 1); /* what the handler had opened was closed */
    client_close(a);
    assert_true(stage_reaches(&on, &on.closed, 2));
    int c = open_stream("");
    char bytes[256];
    assert_true(client_read(c, bytes, sizeof bytes, 5) > 0);
    assert_memory_equal(bytes, "HTTP/1.1 200", 12);
    client_close(b);
    client_close(c);
    reply_finish(&r);
}

static void a_silent_stream_gets_comments(void **state)
{
    (void)state;
    int fd = open_stream("");
    char bytes[1024] = "";
    size_t size = 0;
    static const char comment[] = "3\r\n:\n\n\r\n";
    double start = now_s(), took;
    while ((took = now_s() - start) < 1.5 || (!strstr(bytes, comment) && took < 30)) {
        long n = client_read(fd, bytes + size, sizeof bytes - 1 - size, 0.1);
        if (n > 0) bytes[size += (size_t)n] = '\0';
    }
    int comments = 0;
    for (const char *at = bytes; (at = strstr(at, comment)) != NULL; at++) comments++;
    assert_true(comments >= 1 && comments <= (took + 0.1) / 0.4); /* every 0.4 to 0.65 s */
    assert_null(strstr(bytes, "data"));
    client_close(fd);
}

/* Its receive buffer is small, so that little is under way. */
static int open_lazy(const char *request)
{
    int fd = client_open(port), small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    client_text(fd, request);
    return fd;
}

static double seconds_until_a_reader_is_given_up(void *ctx)
{
    (void)ctx;
    int fd = open_lazy("GET /large?bytes=30000000 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    double start = now_s();
    char bytes[2048];
    assert_true(client_read(fd, bytes, sizeof bytes, 5) > 0);
    on.event_bytes = 20000;
    on.events = 2000;
    int gone = on.gone, stream = open_lazy("GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_true(stage_reaches(&on, &on.gone, gone + 1)); /* the stream's reader */
    double took = now_s() - start;
    assert_true(client_closed_after(fd, 30) >= 0);
    client_close(fd);
    client_close(stream);
    return took;
}

static void a_reader_that_takes_nothing_is_disconnected(void **state)
{
    (void)state;
    best_of_five(seconds_until_a_reader_is_given_up, NULL, 0.9, 3);
}

/* Whether all went well; *ret_pause is the longest time in which nothing was read. */
static bool read_slowly(double *ret_pause)
{
    int fd = open_lazy("GET /large?bytes=1000000 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    char bytes[16384];
    bool good = true;
    *ret_pause = 0;
    for (double start = now_s(), last = start; good && last - start < 2.5;) { /* more than twice the write timeout */
        good = client_read(fd, bytes, 512, 30) > 0;
        poll(NULL, 0, 100);
        double now = now_s();
        if (now - last > *ret_pause) *ret_pause = now - last;
        last = now;
    }
    good = good && client_read(fd, bytes, sizeof bytes, 30) > 0;
    client_close(fd);
    return good;
}

/* Where the machine held the reader up itself for about the write timeout, nothing is learned. */
static void a_slow_reader_is_not(void **state)
{
    (void)state;
    double pause;
    bool good = false;
    for (int round = 0; round < 5 && !good; round++) {
        good = read_slowly(&pause);
        assert_true(good || pause > 0.7);
    }
    assert_true(good);
    assert_int_equal(on.gone, 0);
}

/* ctx: which request, times two, plus one for a half-closed connection, which counts as gone too. */
static double seconds_until_it_is_gone(void *ctx)
{
    static const char *const requests[] = { "GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                            "POST /later-desk HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
                                            "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n" };
    int i = *(int *)ctx, opened = on.opened, gone = on.gone, fd = client_open(port);
    client_text(fd, requests[i / 2]);
    assert_true(stage_reaches(&on, &on.opened, opened + 1));
    double start = now_s();
    if (i % 2) shutdown(fd, SHUT_WR);
    else client_close(fd);
    assert_true(stage_reaches(&on, &on.gone, gone + 1));
    double took = now_s() - start;
    if (i % 2) client_close(fd);
    return took;
}

static void a_client_that_leaves_a_waiting_answer_is_noticed_within_a_second(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) best_of_five(seconds_until_it_is_gone, &i, 0, 1);
}

static int open_descriptors(void)
{
    sdw_process_stats p;
    sdw_process_stats_of(&p);
    return p.open_fds;
}

static void connections_that_are_reset_leave_nothing_behind(void **state)
{
    (void)state;
    static const char *const cut[] = { "", "GET /he", "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n", "G", "\r\n", "PRI * HTTP/2.0\r\n\r\n",
                                       "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc",
                                       "POST /desk HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nxGET",
                                       "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hello HT",
                                       "GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /large?bytes=1000000 HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                       "GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n" };
    static const struct linger reset = { .l_onoff = 1 };
    enum { WAYS = sizeof cut / sizeof cut[0] };
    int before = open_descriptors();
    on.events = 5;
    for (int i = 0; i < 60 * WAYS; i++) {
        int fd = client_open(port);
        client_text(fd, cut[i % WAYS]);
        if (i / WAYS % 3) poll(NULL, 0, i / WAYS % 3);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        client_close(fd);
    }
    /* Sooner than any timeout but the body's and the writer's would do it. */
    for (double until = now_s() + 9; open_descriptors() > before && now_s() < until;) poll(NULL, 0, 50);
    assert_int_equal(open_descriptors(), before);
    pthread_mutex_lock(&on.mutex);
    int left = on.opened - on.closed;
    pthread_mutex_unlock(&on.mutex);
    assert_int_equal(left, 0);
    reply r = { 0 };
    ask_for(port, "GET", "/hello", "", NULL, &r);
    assert_int_equal(r.status, 200);
    reply_finish(&r);
}

static void waiting_answers_take_no_thread_and_no_408(void **state)
{
    (void)state;
    enum { CALLS = 15 }; /* of 20 places for everyone */
    reply r = { 0 };
    int fd[CALLS];
    for (int i = 0; i < CALLS; i++) {
        fd[i] = client_open(port);
        client_text(fd[i], i % 2 ? "GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n"
                                 : "POST /later-desk HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    }
    assert_true(stage_reaches(&on, &on.opened, CALLS));
    double start = now_s();
    while (now_s() - start < 1.2) { /* longer than the time after which a handler that has not begun is given up */
        ask_for(port, "GET", "/hello", "", NULL, &r);
        assert_int_equal(r.status, 200);
        ask_for(port, "POST", "/desk", "", "x", &r); /* its one thread is free too */
        assert_int_equal(r.status, 201);
    }
    stage_show(&on, server, 0, true);
    for (int i = 0; i < CALLS; i++) {
        client_reply(fd[i], false, 5, &r);
        assert_int_equal(r.status, 200);
        assert_string_equal(r.body, "at last");
        client_close(fd[i]);
    }
    reply_finish(&r);
}

/* ctx: what comes before the end. */
static double seconds_until_let_go(void *ctx)
{
    int fd = client_open(port);
    client_text(fd, ctx);
    shutdown(fd, SHUT_WR);
    double after = client_closed_after(fd, 30);
    client_close(fd);
    return after;
}

static void a_client_that_closes_its_side_in_the_middle_is_let_go(void **state)
{
    (void)state;
    char cut[][100] = { "", "GET /he", "GET /hello HTTP/1.1\r\nHost: localhost\r\n", "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc" };
    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++) best_of_five(seconds_until_let_go, cut[i], 0, 1.5);
    assert_int_equal(on.handled, 0);
    reply r = { 0 };
    int fd = client_open(port); /* a whole request is answered first */
    client_text(fd, "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
    shutdown(fd, SHUT_WR);
    client_reply(fd, false, 5, &r);
    assert_int_equal(r.status, 200);
    client_reply(fd, false, 5, &r);
    assert_int_equal(r.status, 200);
    client_close(fd);
    reply_finish(&r);
}

static double seconds_until_408(void *ctx)
{
    reply r = { 0 };
    double start = now_s();
    (void)ctx;
    ask_for(port, "POST", "/desk", "", "x", &r);
    assert_int_equal(r.status, 408);
    assert_int_equal(r.body_size, 0);
    reply_finish(&r);
    return now_s() - start;
}

static void a_request_that_no_desk_thread_takes_in_time_is_408(void **state)
{
    (void)state;
    reply r = { 0 };
    on.hold = true;
    int busy = client_open(port);
    client_text(busy, "POST /hold HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nok");
    assert_true(stage_reaches(&on, &on.held, 1));
    best_of_five(seconds_until_408, NULL, 0.45, 1.5);
    ask_for(port, "GET", "/hello", "", NULL, &r); /* the loop never waits for a desk */
    assert_int_equal(r.status, 200);
    stage_release(&on);
    client_reply(busy, false, 5, &r); /* its own handler had begun: what it did is told, however late */
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body, "ok");
    client_close(busy);
    reply_finish(&r);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_body_at_the_limit_is_taken_and_one_byte_more_is_413),
        TEST(a_refused_body_is_read_up_to_four_times_the_limit),
        TEST(expect_100_continue_is_answered_before_the_body),
        TEST(bodies_in_memory_are_limited_together),
        TEST(a_body_that_drips_is_closed_at_the_deadline),
        TEST(the_last_places_answer_health_routes_only),
        TEST(one_client_gets_so_many_connections),
        TEST(streams_are_limited),
        TEST(a_silent_stream_gets_comments),
        TEST(a_reader_that_takes_nothing_is_disconnected),
        TEST(a_slow_reader_is_not),
        TEST(a_client_that_leaves_a_waiting_answer_is_noticed_within_a_second),
        TEST(connections_that_are_reset_leave_nothing_behind),
        TEST(waiting_answers_take_no_thread_and_no_408),
        TEST(a_client_that_closes_its_side_in_the_middle_is_let_go),
        TEST(a_request_that_no_desk_thread_takes_in_time_is_408),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
