/* recorder.c - see recorder.h. One connection after the other. */
#define _GNU_SOURCE 1 /* strcasestr */
#include "service/recorder.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "service/harness.h"

/* The head and as much body as its length says. */
static void read_request(int fd, char *text, size_t size)
{
    size_t n = 0;
    text[0] = '\0';
    for (double until = now_s() + 30; now_s() < until && n < size - 1;) {
        long got = client_read(fd, text + n, size - 1 - n, until - now_s());
        if (got <= 0) return;
        n += (size_t)got;
        text[n] = '\0';
        const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "content-length:");
        if (end && n >= (size_t)(end + 4 - text) + (length ? strtoul(length + 15, NULL, 10) : 0)) return;
    }
}

static void *serve(void *ctx)
{
    recorder *r = ctx;
    for (int fd; (fd = accept(r->fd, NULL, NULL)) >= 0; close(fd)) {
        char *text = malloc(65536);
        if (!text) return NULL;
        read_request(fd, text, 65536);
        pthread_mutex_lock(&r->mutex);
        if (r->count < RECORDED_MAX && *text) {
            r->at[r->count] = now_s();
            r->request[r->count++] = text;
            text = NULL;
        }
        pthread_mutex_unlock(&r->mutex);
        free(text);
        client_text(fd, r->answer);
    }
    return NULL;
}

void recorder_start(recorder *r, const char *answer)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof a;
    memset(r, 0, sizeof *r);
    r->answer = answer;
    r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(r->fd, (struct sockaddr *)&a, size), 0);
    assert_int_equal(listen(r->fd, 16), 0);
    assert_int_equal(getsockname(r->fd, (struct sockaddr *)&a, &size), 0);
    r->port = ntohs(a.sin_port);
    pthread_mutex_init(&r->mutex, NULL);
    assert_int_equal(pthread_create(&r->thread, NULL, serve, r), 0);
}

int recorder_count(recorder *r)
{
    pthread_mutex_lock(&r->mutex);
    int n = r->count;
    pthread_mutex_unlock(&r->mutex);
    return n;
}

const char *recorder_wait(recorder *r, int number, double timeout_s)
{
    const struct timespec slice = { .tv_nsec = 5000000 };
    double until = now_s() + timeout_s;
    while (recorder_count(r) < number && now_s() < until) nanosleep(&slice, NULL);
    return recorder_count(r) >= number ? r->request[number - 1] : NULL;
}

void recorder_stop(recorder *r)
{
    shutdown(r->fd, SHUT_RDWR);
    pthread_join(r->thread, NULL);
    close(r->fd);
    for (int i = 0; i < r->count; i++) free(r->request[i]);
    pthread_mutex_destroy(&r->mutex);
}
