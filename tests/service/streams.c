/* streams.c - see harness.h: event streams read as they come, and pictures. */
#include <stdio.h>

#include "core/base64.h"
#include "core/mem.h"
#include "engine/tiny.h"
#include "image/image.h"
#include "service/harness.h"

/* Sanitizers and a busy machine make everything slower; only a failing test waits so long. */
#define PATIENCE 4

stream open_raw(int port, const char *request)
{
    stream s = { .fd = client_open(port) };
    s.text = calloc(1, 1);
    assert_non_null(s.text);
    assert_true(client_text(s.fd, request));
    return s;
}

stream open_stream(int port, const char *target, const char *headers)
{
    char request[1024];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n", target, headers);
    return open_raw(port, request);
}

stream open_job(int port, const char *id, const char *headers)
{
    char target[96];
    snprintf(target, sizeof target, "/v1/jobs/%s/stream", id);
    return open_stream(port, target, *headers ? headers : "Accept: */*\r\n");
}

static void take(stream *s, size_t from, size_t size)
{
    s->text = realloc(s->text, s->size + size + 1);
    assert_non_null(s->text);
    memcpy(s->text + s->size, s->raw + from, size);
    s->size += size;
    s->text[s->size] = '\0';
}

static void read_head(stream *s)
{
    char *end = strstr(s->raw, "\r\n\r\n");
    if (!end) return;
    assert_true((size_t)(end - s->raw) < sizeof s->head);
    memcpy(s->head, s->raw, (size_t)(end - s->raw));
    s->raw_at = (size_t)(end - s->raw) + 4;
    s->headed = true;
    if (sscanf(s->head, "HTTP/1.1 %d", &s->status) != 1) fail_msg("no status: %.80s", s->head);
    if (s->status == 204 || s->status == 304) s->ended = true;
}

/* Whole chunks that have arrived. */
static void decode(stream *s)
{
    bool chunked = strstr(s->head, "chunked") != NULL;
    if (!chunked && s->headed) {
        take(s, s->raw_at, s->raw_size - s->raw_at);
        s->raw_at = s->raw_size;
        return;
    }
    while (s->headed && !s->ended) {
        char *line = s->raw + s->raw_at, *end = strstr(line, "\r\n");
        if (!end) return;
        size_t size = strtoul(line, NULL, 16), from = (size_t)(end - s->raw) + 2;
        if (s->raw_size < from + size + 2) return;
        take(s, from, size);
        s->raw_at = from + size + 2;
        s->ended = size == 0;
    }
}

/* False: nothing came within that time. */
static bool receive(stream *s, double timeout_s)
{
    char bytes[65536];
    long n = client_read(s->fd, bytes, sizeof bytes, timeout_s);
    if (n < 0) s->ended = true;
    if (n <= 0) return n < 0;
    s->raw = realloc(s->raw, s->raw_size + (size_t)n + 1);
    assert_non_null(s->raw);
    memcpy(s->raw + s->raw_size, bytes, (size_t)n);
    s->raw_size += (size_t)n;
    s->raw[s->raw_size] = '\0';
    if (!s->headed) read_head(s);
    decode(s);
    return true;
}

void stream_begun(stream *s)
{
    for (double until = now_s() + 60; !s->headed;) {
        double left = until - now_s();
        if (s->ended || left <= 0) fail_msg("the stream did not begin");
        receive(s, left);
    }
}

static bool comes(stream *s, const char *text, double timeout_s)
{
    for (double until = now_s() + timeout_s; !strstr(s->text, text);) {
        double left = until - now_s();
        if (s->ended || left <= 0) return false;
        receive(s, left);
    }
    return true;
}

bool stream_until(stream *s, const char *text, double timeout_s)
{
    return comes(s, text, PATIENCE * timeout_s);
}

bool stream_lacks(stream *s, const char *text, double timeout_s)
{
    return !comes(s, text, timeout_s);
}

const char *stream_end(stream *s, double timeout_s)
{
    for (double until = now_s() + PATIENCE * timeout_s; !s->ended;) {
        double left = until - now_s();
        if (left <= 0) fail_msg("the stream did not end: ...%s", s->size > 300 ? s->text + s->size - 300 : s->text);
        receive(s, left);
    }
    return s->text;
}

void close_stream(stream *s)
{
    if (s->fd > 0) client_close(s->fd);
    free(s->text);
    free(s->raw);
    memset(s, 0, sizeof *s);
}

char *whole_stream(int port, const char *id, const char *query, const char *headers)
{
    char target[160];
    snprintf(target, sizeof target, "/v1/jobs/%s/stream%s", id, query);
    stream s = open_stream(port, target, *headers ? headers : "Accept: */*\r\n");
    stream_end(&s, 30);
    assert_int_equal(s.status, 200);
    char *text = s.text;
    s.text = NULL;
    close_stream(&s);
    return text;
}

bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && !strcmp(text + n - k, end);
}

/* ---- pictures ---- */

static const char *encoded(const sdw_picture *p)
{
    static char texts[4][200000];
    static int turn;
    char *to = texts[turn++ % 4];
    sdw_image image = { .width = p->width, .height = p->height, .channels = p->channels, .pixels = p->pixels };
    sdw_buf file = { 0 }, text = { 0 };
    assert_int_equal(sdw_image_encode(&image, "png", NULL, &file, NULL), SDW_OK);
    assert_true(sdw_base64_encode(file.data, file.size, &text));
    assert_true(text.size < sizeof texts[0]);
    memcpy(to, text.data, text.size + 1);
    sdw_buf_finish(&file);
    sdw_buf_finish(&text);
    return to;
}

const char *picture_base64(int width, int height)
{
    sdw_picture p = tiny_picture(width, height);
    const char *text = encoded(&p);
    tiny_picture_free(&p);
    return text;
}

const char *mask_base64(int width, int height)
{
    sdw_picture p = tiny_mask(width, height, 0, 0, width / 2, height);
    const char *text = encoded(&p);
    tiny_picture_free(&p);
    return text;
}

const char *hole_base64(int width, int height)
{
    sdw_picture p = { .width = width, .height = height, .channels = 4, .pixels = calloc((size_t)width * (size_t)height, 4) };
    for (int i = 0; i < width * height; i++) p.pixels[4 * i + 3] = i % width < width / 2 ? 0 : 255;
    const char *text = encoded(&p);
    free(p.pixels);
    return text;
}

unsigned char *pixels_of(const char *base64, int *ret_width, int *ret_height)
{
    sdw_buf bytes = { 0 };
    sdw_image *image = NULL;
    assert_int_equal(sdw_base64_decode(base64, strlen(base64), "picture", 0, &bytes, NULL), SDW_OK);
    assert_int_equal(sdw_image_decode(bytes.data, bytes.size, NULL, &image, NULL), SDW_OK);
    assert_int_equal(image->channels, 3);
    size_t size = (size_t)image->width * (size_t)image->height * 3;
    unsigned char *pixels = malloc(size);
    memcpy(pixels, image->pixels, size);
    *ret_width = image->width;
    *ret_height = image->height;
    sdw_image_free(image);
    sdw_buf_finish(&bytes);
    return pixels;
}

void picture_size(const char *base64, int *ret_width, int *ret_height)
{
    sdw_buf bytes = { 0 };
    sdw_image_info info;
    assert_int_equal(sdw_base64_decode(base64, strlen(base64), "picture", 0, &bytes, NULL), SDW_OK);
    assert_int_equal(sdw_image_probe(bytes.data, bytes.size, NULL, &info, NULL), SDW_OK);
    *ret_width = info.width;
    *ret_height = info.height;
    sdw_buf_finish(&bytes);
}
