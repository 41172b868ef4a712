/* face_bed.c - see face_bed.h. */
#include "server/face_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "fake/fake.h"
#include "image/image.h"
#include "sdw/worker.h"

static sdw_worker *worker;
static _Atomic(sdw_server *) server;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;

static void wake(void *ctx, const sdw_job_id *id)
{
    (void)ctx;
    sdw_server *s = atomic_load(&server);
    if (s) sdw_server_wake(s, id);
    pthread_mutex_lock(&mutex);
    pthread_cond_broadcast(&moved);
    pthread_mutex_unlock(&mutex);
}

static bool wait_for(bool (*done)(const sdw_worker_state *s, unsigned n), unsigned n)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    bool ok = false, late = false;
    while (!ok && !late) {
        sdw_worker_state s;
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
        sdw_worker_state_of(worker, &s);
        ok = done(&s, n);
        struct timespec soon;
        clock_gettime(CLOCK_REALTIME, &soon);
        late = soon.tv_sec > until.tv_sec;
        soon.tv_nsec += 20000000; /* a wake between the look and the wait is found again this soon */
        if (soon.tv_nsec >= 1000000000) soon.tv_nsec -= 1000000000, soon.tv_sec++;
        pthread_mutex_lock(&mutex);
        if (!ok && !late) pthread_cond_timedwait(&moved, &mutex, &soon);
        pthread_mutex_unlock(&mutex);
    }
    return ok;
}

static bool is_loaded(const sdw_worker_state *s, unsigned n)
{
    (void)n;
    return s->phase == SDW_WORKER_IDLE;
}

static bool has_ended(const sdw_worker_state *s, unsigned n)
{
    return s->jobs_completed + s->jobs_failed + s->jobs_cancelled >= n;
}

void face_open(const char *key)
{
    sdw_error err = { 0 };
    sdw_server *s = NULL;
    const sdw_worker_options w = { .engine = { .model = "fake" }, .model_id = "fake-model", .executor = &fake_executor, .preview_every = -1, .wake = wake };
    if (sdw_worker_open(&w, &worker, &err) != SDW_OK) fail_msg("worker: %s", err.text);
    const sdw_server_options o = { .worker = worker, .routes = sdw_server_routes, .api_key = key, .model_id = "fake-model" };
    if (sdw_server_start(&o, &s, &err) != SDW_OK) fail_msg("server: %s", err.text);
    atomic_store(&server, s);
    assert_true(wait_for(is_loaded, 0));
    fake_reset_counts();
}

void face_close(void)
{
    sdw_server *s = atomic_exchange(&server, NULL);
    sdw_worker_stop(worker, SDW_STOP_NOW);
    sdw_server_stop(s, 0);
    sdw_worker_close(worker);
    worker = NULL;
}

int face_port(void) { return sdw_server_port(atomic_load(&server)); }
sdw_worker *face_worker(void) { return worker; }
bool face_wait_ended(unsigned jobs) { return wait_for(has_ended, jobs); }

void face_png(int width, int height, int alpha, bool hole, sdw_buf *out)
{
    sdw_image *image;
    int channels = alpha < 0 ? 3 : 4;
    assert_int_equal(sdw_image_create(width, height, channels, &image, NULL), SDW_OK);
    memset(image->pixels, 128, sdw_image_bytes(image));
    for (int i = 0; channels == 4 && i < width * height; i++) image->pixels[4 * i + 3] = hole && i % width < width / 2 ? 0 : (uint8_t)alpha;
    assert_int_equal(sdw_image_encode(image, "png", NULL, out, NULL), SDW_OK);
    sdw_image_free(image);
}

yyjson_doc *face_json(const char *method, const char *target, const char *body, int *ret_status)
{
    reply r = { 0 };
    ask_for(face_port(), method, target, body ? "Content-Type: application/json\r\n" : "", body, &r);
    *ret_status = r.status;
    yyjson_doc *doc = r.body_size ? yyjson_read(r.body, r.body_size, 0) : NULL;
    if (!doc && r.body_size) fail_msg("%s %s: no JSON: %.200s", method, target, r.body);
    reply_finish(&r);
    return doc;
}

void face_multipart(const char *target, const face_part *parts, int count, bool chunked, const char *extra, reply *r)
{
    sdw_buf body, whole;
    sdw_buf_init(&body, 0);
    sdw_buf_init(&whole, 0);
    for (int i = 0; i < count; i++) {
        sdw_buf_printf(&body, "--XyZ\r\nContent-Disposition: form-data; name=\"%s\"%s\r\n%s\r\n", parts[i].name,
                       parts[i].file ? "; filename=\"a.png\"" : "", parts[i].file ? "Content-Type: application/octet-stream\r\n" : "");
        sdw_buf_append(&body, parts[i].bytes, parts[i].size);
        sdw_buf_puts(&body, "\r\n");
    }
    sdw_buf_puts(&body, "--XyZ--\r\n");
    sdw_buf_printf(&whole, "POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=XyZ\r\n%s", target, extra);
    if (!chunked) {
        sdw_buf_printf(&whole, "Content-Length: %zu\r\n\r\n", body.size);
        sdw_buf_append(&whole, body.data, body.size);
    } else {
        sdw_buf_puts(&whole, "Transfer-Encoding: chunked\r\n\r\n");
        for (size_t at = 0; at < body.size; at += 1000) {
            size_t n = body.size - at < 1000 ? body.size - at : 1000;
            sdw_buf_printf(&whole, "%zx\r\n", n);
            sdw_buf_append(&whole, body.data + at, n);
            sdw_buf_puts(&whole, "\r\n");
        }
        sdw_buf_puts(&whole, "0\r\n\r\n");
    }
    assert_false(whole.failed);
    int fd = client_open(face_port());
    client_send(fd, whole.data, whole.size);
    client_reply(fd, false, 20, r);
    client_close(fd);
    sdw_buf_finish(&body);
    sdw_buf_finish(&whole);
}
