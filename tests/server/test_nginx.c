/* packaging/nginx.conf with the nginx that Debian 12 has: what the worker must get through it, and what must never reach
 * it. scripts/nginx-for-tests.sh finds or fetches the program; SDW_NGINX names another one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/client.h"
#include "server/table.h"

static stage on;
static sdw_server *server;
static int port; /* nginx's */
static pid_t nginx;

static int free_port(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && getsockname(fd, (struct sockaddr *)&a, &size) == 0);
    close(fd);
    return ntohs(a.sin_port);
}

/* The file as it is, but for ports and certificates. */
static void write_configuration(const char *place)
{
    char line[512], path[600];
    snprintf(path, sizeof path, "%s/nginx.conf", place);
    FILE *from = fopen(SDW_SOURCE_DIR "/packaging/nginx.conf", "r"), *to = fopen(path, "w");
    assert_true(from && to);
    int changed = 0;
    fprintf(to, "daemon off;\nmaster_process off;\npid %s/pid;\nevents { worker_connections 64; }\nhttp {\naccess_log off;\n", place);
    static const char *const temporary[] = { "client_body", "proxy", "fastcgi", "uwsgi", "scgi" };
    for (int i = 0; i < 5; i++) fprintf(to, "%s_temp_path %s/%s;\n", temporary[i], place, temporary[i]);
    while (fgets(line, sizeof line, from)) {
        if (strstr(line, "server 127.0.0.1:8081;")) fprintf(to, "server 127.0.0.1:%d;\n", sdw_server_port(server)), changed++;
        else if (strstr(line, "listen 443 ssl http2;")) fprintf(to, "listen 127.0.0.1:%d;\n", port), changed++;
        else if (strstr(line, "ssl_certificate")) changed++;
        else fputs(line, to);
    }
    fprintf(to, "}\n");
    fclose(from);
    fclose(to);
    assert_int_equal(changed, 4);
}

/* NULL: there is none and none could be fetched; the script has said why. */
static const char *program(void)
{
    static char path[600];
    const char *named = getenv("SDW_NGINX"), *build = getenv("SDW_BUILD_DIR");
    char command[900];
    if (path[0]) return path;
    if (named) snprintf(path, sizeof path, "%s", named);
    if (named) return path;
    snprintf(command, sizeof command, "sh %s/scripts/nginx-for-tests.sh %s/nginx", SDW_SOURCE_DIR, build ? build : ".");
    FILE *answer = popen(command, "r");
    if (!answer) return NULL;
    if (!fgets(path, sizeof path, answer)) path[0] = '\0';
    pclose(answer);
    path[strcspn(path, "\n")] = '\0';
    return path[0] ? path : NULL;
}

static int setup(void **state)
{
    (void)state;
    char place[256], file[300], log[300];
    reply r = { 0 };
    assert_non_null(getcwd(place, sizeof place - 20));
    strcat(place, "/nginx");
    mkdir(place, 0700);
    stage_init(&on);
    server = serve(&(sdw_server_options){ .allowed_hosts = (const char *const[]){ "worker.example", NULL } }, &on);
    port = free_port();
    write_configuration(place);
    snprintf(file, sizeof file, "%s/nginx.conf", place);
    snprintf(log, sizeof log, "%s/error.log", place);
    nginx = fork();
    if (nginx == 0) {
        execl(program(), "nginx", "-p", place, "-e", log, "-c", file, NULL);
        _exit(99);
    }
    for (double until = now_s() + 10; now_s() < until && r.status != 200;) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        bool up = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
        close(fd);
        if (up) ask_for(port, "GET", "/hello", "", NULL, &r);
        else poll(NULL, 0, 20);
    }
    assert_int_equal(r.status, 200);
    on.handled = 0;
    reply_finish(&r);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kill(nginx, SIGTERM);
    waitpid(nginx, NULL, 0);
    sdw_server_stop(server, 1);
    stage_finish(&on);
    return 0;
}

static void events_pass_as_they_come(void **state)
{
    (void)state;
    char bytes[4096] = "";
    size_t size = 0;
    int fd = client_open(port);
    client_text(fd, "GET /stream HTTP/1.1\r\nHost: worker.example\r\nAccept: text/event-stream\r\n\r\n");
    assert_true(stage_reaches(&on, &on.opened, 1));
    for (int event = 1; event <= 3; event++) { /* each is read before the next one exists */
        char wanted[32];
        snprintf(wanted, sizeof wanted, "data: %d\n\n", event);
        stage_show(&on, server, event, event == 3);
        for (double until = now_s() + 5; !strstr(bytes, wanted) && now_s() < until;) {
            long n = client_read(fd, bytes + size, sizeof bytes - 1 - size, 1);
            if (n > 0) bytes[size += (size_t)n] = '\0';
        }
        assert_non_null(strstr(bytes, wanted));
    }
    client_close(fd);
    assert_true(stage_reaches(&on, &on.closed, 1));
}

static void a_reader_that_leaves_is_seen_through_the_proxy(void **state)
{
    (void)state;
    int fd = client_open(port);
    client_text(fd, "GET /later HTTP/1.1\r\nHost: worker.example\r\n\r\n");
    assert_true(stage_reaches(&on, &on.opened, 1));
    client_close(fd);
    assert_true(stage_reaches(&on, &on.gone, 1));
}

static void a_large_upload_passes(void **state)
{
    (void)state;
    enum { SIZE = 3 << 20 };
    reply r = { 0 };
    char head[200], *body = malloc(SIZE);
    assert_non_null(body);
    for (int i = 0; i < SIZE; i++) body[i] = (char)(i * 31 + i / 997);
    snprintf(head, sizeof head, "POST /desk HTTP/1.1\r\nHost: worker.example\r\nContent-Length: %d\r\n\r\n", SIZE);
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

static void a_refusal_is_told_after_an_upload(void **state)
{
    (void)state;
    reply r = { 0 };
    char *body = malloc(300001);
    assert_non_null(body);
    memset(body, 'b', 300000);
    body[300000] = '\0';
    ask_for(port, "POST", "/small", "", body, &r);
    assert_int_equal(r.status, 413);
    free(body);
    reply_finish(&r);
}

/* What the worker's HTTP library would misread stays at the proxy. */
static void ambiguous_requests_never_reach_the_worker(void **state)
{
    (void)state;
    static const struct { const char *what, *bytes; size_t size; } rows[] = {
#define ROW(what, text) { what, text, sizeof(text) - 1 }
        ROW("folded header", "GET /hello HTTP/1.1\r\nHost: worker.example\r\nX: 1\r\n 2\r\n\r\n"),
        ROW("a fold that makes a header", "POST /echo HTTP/1.1\r\nHost: worker.example\r\nTransfer-Encodin: chunked\r\n g\r\nContent-Length: 3\r\n\r\nabc"),
        ROW("colon in front", "GET /hello HTTP/1.1\r\nHost: worker.example\r\n: 1\r\n\r\n"),
        ROW("NUL in a value", "GET /hello HTTP/1.1\r\nHost: worker.example\r\nX: a\0b\r\n\r\n"),
        ROW("NUL in the URL", "GET /hello\0x HTTP/1.1\r\nHost: worker.example\r\n\r\n"),
        ROW("two lengths", "POST /echo HTTP/1.1\r\nHost: worker.example\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
        ROW("length and chunks", "POST /echo HTTP/1.1\r\nHost: worker.example\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    };
    int bad = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        reply r = { 0 };
        int fd = client_open(port), handled = on.handled;
        client_send(fd, rows[i].bytes, rows[i].size);
        client_reply(fd, false, 5, &r);
        client_close(fd);
        if (r.status != 400 || on.handled != handled) {
            print_error("%s: answered %d, handler called %d times\n", rows[i].what, r.status, on.handled - handled);
            bad++;
        }
        reply_finish(&r);
    }
    assert_int_equal(bad, 0);
}

static void headers_pass_and_the_request_has_the_proxys_id(void **state)
{
    (void)state;
    reply r = { 0 };
    ask_for(port, "GET", "/items/1", "X-Thing: y\r\n", NULL, &r);
    assert_int_equal(r.status, 200);
    assert_non_null(strstr(r.body, "thing=y"));
    assert_int_equal(strlen(reply_header(&r, "x-request-id")), 32); /* the proxy's own */
    reply_finish(&r);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(events_pass_as_they_come),
        TEST(a_reader_that_leaves_is_seen_through_the_proxy),
        TEST(a_large_upload_passes),
        TEST(a_refusal_is_told_after_an_upload),
        TEST(ambiguous_requests_never_reach_the_worker),
        TEST(headers_pass_and_the_request_has_the_proxys_id),
    };
    if (!program()) {
        printf("no nginx here and none could be fetched; SDW_NGINX names one\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
