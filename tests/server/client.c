/* client.c - see client.h. */
#include "server/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double best_of_five(double (*measure)(void *ctx), void *ctx, double least, double bar)
{
    double best = -1;
    for (int round = 0; round < 5 && (best < 0 || best >= bar); round++) {
        double took = measure(ctx);
        if (took < least) fail_msg("after %g s, want at least %g", took, least);
        if (best < 0 || took < best) best = took;
    }
    if (best >= bar) fail_msg("after %g s at best, want less than %g", best, bar);
    return best;
}

int client_open(int port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0) fail_msg("cannot connect to port %d: %s", port, strerror(errno));
    return fd;
}

void client_close(int fd)
{
    close(fd);
}

bool client_send(int fd, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t n = send(fd, at, size, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

bool client_text(int fd, const char *text)
{
    return client_send(fd, text, strlen(text));
}

long client_read(int fd, void *to, size_t size, double timeout_s)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int ready = poll(&p, 1, (int)(timeout_s * 1e3) + 1);
    if (ready <= 0) return 0;
    ssize_t n = recv(fd, to, size, 0);
    return n > 0 ? (long)n : -1;
}

double client_closed_after(int fd, double timeout_s)
{
    char bytes[4096];
    double start = now_s();
    for (double left; (left = start + timeout_s - now_s()) > 0;)
        if (client_read(fd, bytes, sizeof bytes, left) < 0) return now_s() - start;
    return -1;
}

/* ---- answers ---- */

/* Everything that was read and not yet used. */
struct input {
    int fd;
    double until;
    char *data;
    size_t size, at;
    bool ended;
};

static bool more(struct input *in)
{
    char bytes[65536];
    double left = in->until - now_s();
    long n = left > 0 && !in->ended ? client_read(in->fd, bytes, sizeof bytes, left) : 0;
    if (n < 0) in->ended = true;
    if (n <= 0) return false;
    in->data = realloc(in->data, in->size + (size_t)n + 1);
    assert_non_null(in->data);
    memcpy(in->data + in->size, bytes, (size_t)n);
    in->size += (size_t)n;
    in->data[in->size] = '\0';
    return true;
}

/* Position behind the next `mark`, or 0. */
static size_t find(struct input *in, const char *mark)
{
    size_t n = strlen(mark);
    for (size_t at = in->at;; at++) {
        while (at + n > in->size)
            if (!more(in)) return 0;
        if (memcmp(in->data + at, mark, n) == 0) return at + n;
    }
}

static bool append(struct input *in, size_t size, reply *r)
{
    while (in->at + size > in->size)
        if (!more(in)) break;
    size_t there = in->at + size > in->size ? in->size - in->at : size;
    r->body = realloc(r->body, r->body_size + there + 1);
    assert_non_null(r->body);
    memcpy(r->body + r->body_size, in->data + in->at, there);
    r->body_size += there;
    r->body[r->body_size] = '\0';
    in->at += there;
    return there == size;
}

static void read_chunks(struct input *in, reply *r)
{
    for (;;) {
        size_t end = find(in, "\r\n");
        if (!end) return;
        size_t size = strtoul(in->data + in->at, NULL, 16);
        in->at = end;
        if (size > 0 && r->chunks < 64) r->chunk_size[r->chunks] = size;
        if (size > 0) r->chunks++;
        if (!append(in, size, r) || !find(in, "\r\n")) return;
        in->at += 2;
        if (size == 0) {
            r->whole = true;
            return;
        }
    }
}

void client_reply(int fd, bool to_head, double timeout_s, reply *r)
{
    struct input in = { .fd = fd, .until = now_s() + timeout_s };
    if (r->rest_size) {
        in.data = malloc(r->rest_size + 1);
        assert_non_null(in.data);
        memcpy(in.data, r->rest, r->rest_size);
        in.size = r->rest_size;
        in.data[in.size] = '\0';
    }
    free(r->body);
    memset(r, 0, sizeof *r);
    size_t end = find(&in, "\r\n\r\n");
    if (end && end < sizeof r->head && sscanf(in.data, "HTTP/1.1 %d", &r->status) == 1) {
        memcpy(r->head, in.data, end - 4);
        in.at = end;
        const char *length = reply_header(r, "content-length");
        r->chunked = strcasecmp(reply_header(r, "transfer-encoding"), "chunked") == 0;
        if (to_head || r->status == 204 || r->status == 304) r->whole = true;
        else if (r->chunked) read_chunks(&in, r);
        else if (*length) r->whole = append(&in, strtoul(length, NULL, 10), r);
        else {
            while (more(&in)) { }
            append(&in, in.size - in.at, r);
            r->whole = in.ended;
        }
        r->rest_size = in.size - in.at < sizeof r->rest ? in.size - in.at : sizeof r->rest;
        memcpy(r->rest, in.data + in.at, r->rest_size);
    }
    free(in.data);
    if (!r->body) r->body = calloc(1, 1);
}

void ask(int port, const char *request, reply *r)
{
    int fd = client_open(port);
    client_text(fd, request);
    client_reply(fd, strncmp(request, "HEAD ", 5) == 0, 60, r);
    client_close(fd);
}

void ask_for(int port, const char *method, const char *target, const char *extra, const char *body, reply *r)
{
    size_t room = strlen(target) + strlen(extra) + (body ? strlen(body) : 0) + 256;
    char *text = malloc(room);
    assert_non_null(text);
    int n = snprintf(text, room, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s", method, target, extra);
    if (body) n += snprintf(text + n, room - (size_t)n, "Content-Length: %zu\r\n", strlen(body));
    snprintf(text + n, room - (size_t)n, "\r\n%s", body ? body : "");
    ask(port, text, r);
    free(text);
}

void reply_finish(reply *r)
{
    free(r->body);
    memset(r, 0, sizeof *r);
}

const char *reply_header(const reply *r, const char *name)
{
    static char value[2][1024];
    static int turn;
    size_t size = strlen(name);
    char *to = value[turn ^= 1];
    to[0] = '\0';
    for (const char *line = strstr(r->head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, size) != 0 || line[2 + size] != ':') continue;
        const char *from = line + 3 + size + strspn(line + 3 + size, " ");
        snprintf(to, sizeof value[0], "%.*s", (int)strcspn(from, "\r"), from);
        break;
    }
    return to;
}
