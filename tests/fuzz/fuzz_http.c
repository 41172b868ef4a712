/* Raw bytes at the socket of a running server: it must neither crash nor hang, and still serve afterwards. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/server.h"

/* Steps of 100 ms that an answer may take, and those after which it is worth a line. */
#define PATIENCE 300
#define SLOW 10

static void echo(const sdw_http_request *r, sdw_http_response *ret)
{
    ret->status = 200;
    ret->content_type = "application/octet-stream";
    sdw_buf_append(&ret->body, r->body, r->body_size);
    const char *q = sdw_http_query(r, "q"), *h = sdw_http_header(r, "x");
    if (q) sdw_buf_puts(&ret->body, q);
    if (h) sdw_buf_puts(&ret->body, h);
    sdw_buf_puts(&ret->body, r->tail);
}

static sdw_status pull(void *ctx, sdw_buf *out, bool *ret_end)
{
    int *left = ctx;
    while (*left > 0 && out->size < SDW_HTTP_SLICE) {
        sdw_buf_puts(out, "data: x\n\n");
        --*left;
    }
    *ret_end = *left == 0;
    return SDW_OK;
}

static void close_stream(void *ctx, bool client_gone)
{
    (void)client_gone;
    free(ctx);
}

static void stream(const sdw_http_request *r, sdw_http_response *ret)
{
    (void)r;
    int *left = malloc(sizeof *left);
    *left = 3;
    ret->content_type = "text/event-stream";
    ret->stream = (sdw_http_stream){ .pull = pull, .close = close_stream, .ctx = left };
}

static const sdw_route rows[] = {
    { "GET", "/g/*", SDW_FACE_NATIVE, 0, echo, "get", "Echo." },
    { "POST", "/p", SDW_FACE_OPENAI, 0, echo, "post", "Echo." },
    { "POST", "/d/{id}", SDW_FACE_SDAPI, SDW_ROUTE_DESK, echo, "desk", "Echo on a desk thread." },
    { "GET", "/s", SDW_FACE_OPS, SDW_ROUTE_TOKEN_QUERY, stream, "stream", "A stream." },
};
static const sdw_routes table = { rows, 4 };
static const sdw_routes *const tables[] = { &table, NULL };

static void give_up(const char *what)
{
    fprintf(stderr, "fuzz_http: %s: %s\n", what, strerror(errno));
    abort();
}

static int connect_to(int port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0) give_up("cannot connect");
    return fd;
}

/* Whatever is answered within a moment. */
static void look(int fd)
{
    char bytes[4096];
    struct pollfd p = { .fd = fd, .events = POLLIN };
    while (poll(&p, 1, 2) > 0)
        if (recv(fd, bytes, sizeof bytes, 0) <= 0) return;
}

/* What each thread of ours does, for the one who reads of a stall: its state, processor time and where it waits. */
static void tell_threads(void)
{
    char path[64], line[512];
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *e; tasks && (e = readdir(tasks));) {
        static const char *const files[] = { "stat", "schedstat", "wchan" };
        if (e->d_name[0] == '.') continue;
        for (int i = 0; i < 3; i++) {
            snprintf(path, sizeof path, "/proc/self/task/%.20s/%s", e->d_name, files[i]);
            FILE *f = fopen(path, "r");
            size_t n = f ? fread(line, 1, sizeof line - 1, f) : 0;
            line[n] = '\0';
            fprintf(stderr, "  %s %s: %s\n", e->d_name, files[i], line);
            if (f) fclose(f);
        }
    }
    if (tasks) closedir(tasks);
}

/* Waits in many short steps: where others have the processor, each of them takes as much longer as the server's own work
 * does, so a busy machine is not taken for a stall. */
static void wait_for_answer(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    for (int i = 0; i < PATIENCE; i++) {
        if (poll(&p, 1, 100) > 0) return;
        if (i == SLOW) fprintf(stderr, "fuzz_http: slow to answer\n"), tell_threads();
    }
    tell_threads();
    give_up("no answer");
}

static void must_serve(int port)
{
    static const char request[] = "GET /g/ok HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    char bytes[512];
    int fd = connect_to(port);
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0) give_up("cannot send");
    wait_for_answer(fd);
    ssize_t n = recv(fd, bytes, sizeof bytes, 0);
    if (n < 12 || memcmp(bytes, "HTTP/1.1 200", 12) != 0) give_up("another answer than 200");
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct linger reset = { .l_onoff = 1 }; /* no ports are left waiting */
    static sdw_server *server;
    static unsigned long count;
    if (!server) {
        sdw_server_options o = { .routes = tables, .limits = { .body_max = 10000, .desk_threads = 1 } };
        if (sdw_server_start(&o, &server, NULL) != SDW_OK) abort();
    }
    int fd = connect_to(sdw_server_port(server));
    for (size_t at = 0; at < size;) {
        ssize_t n = send(fd, data + at, size - at, MSG_NOSIGNAL);
        if (n <= 0) break;
        at += (size_t)n;
    }
    look(fd);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    if (count++ % 32 == 0) must_serve(sdw_server_port(server));
    return 0;
}
