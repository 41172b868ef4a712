/* outputs.c - /v1/outputs: finished pictures by ids that cannot be guessed; small ones on request (http-apis 2.2). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/image.h"
#include "image/resize.h"
#include "server/answer.h"
#include "server/job_json.h"
#include "server/json_out.h"

#define THUMBNAIL_MIN 16
#define THUMBNAIL_MAX 2048
#define THUMBNAIL_QUALITY 85

static void not_found(const sdw_http_request *r, sdw_http_response *ret)
{
    char message[120];
    snprintf(message, sizeof message, "Output %.60s not found", r->tail);
    sdw_answer_error(ret, 404, "NOT_FOUND", message);
}

static const char *mime_of(const void *bytes, size_t size)
{
    sdw_image_info info;
    const char *name, *summary, *mime;
    if (sdw_image_probe(bytes, size, NULL, &info, NULL) != SDW_OK) return "application/octet-stream";
    for (size_t i = 0; (name = sdw_image_format_at(i, &summary, &mime)); i++)
        if (!strcmp(name, info.format) && mime) return mime;
    return "application/octet-stream";
}

/* 0: the whole picture; -1: not a width. */
static int width_of(const sdw_http_request *r)
{
    const char *w = sdw_http_query(r, "w");
    char *end;
    if (!w) return 0;
    long n = *w >= '0' && *w <= '9' ? strtol(w, &end, 10) : -1;
    return n >= THUMBNAIL_MIN && n <= THUMBNAIL_MAX && !*end ? (int)n : -1;
}

/* Never enlarged: a picture that is no wider comes as it is. */
static sdw_status shrink(const sdw_blob *picture, int width, sdw_http_response *ret, sdw_error *err)
{
    size_t size;
    const void *bytes = sdw_blob_bytes(picture, &size);
    sdw_image *whole = NULL, *small = NULL;
    sdw_status s = sdw_image_decode(bytes, size, NULL, &whole, err);
    if (s == SDW_OK && whole->width > width) {
        int height = (int)((long long)whole->height * width / whole->width);
        s = sdw_image_resize(whole, width, height > 0 ? height : 1, SDW_FILTER_LANCZOS, &small, err);
    }
    const sdw_image_encode_options options = { .quality = THUMBNAIL_QUALITY };
    if (s == SDW_OK) s = sdw_image_encode(small ? small : whole, "jpeg", &options, &ret->body, err);
    sdw_image_free(whole);
    sdw_image_free(small);
    return s;
}

/* The tag among those of If-None-Match; weak ones match too. */
static bool matches(const sdw_http_request *r, const char *etag)
{
    const char *tags = sdw_http_header(r, "if-none-match");
    return tags && (!strcmp(tags, "*") || strstr(tags, etag));
}

static void get(const sdw_http_request *r, sdw_http_response *ret)
{
    sdw_output_id id;
    sdw_job_id job;
    sdw_blob *picture;
    int index, width = width_of(r);
    char etag[SDW_OUTPUT_ID_SIZE + 16];
    sdw_error err = { 0 };
    if (width < 0) {
        sdw_answer_error(ret, 400, "INVALID_REQUEST", "Invalid input: w must be between 16 and 2048");
        return;
    }
    if (!sdw_output_id_parse(r->tail, &id)
        || sdw_worker_output(sdw_server_worker(r->server), &id, &picture, &job, &index, &err) != SDW_OK) {
        not_found(r, ret);
        return;
    }
    size_t size;
    const void *bytes = sdw_blob_bytes(picture, &size);
    if (width) snprintf(etag, sizeof etag, "\"%s-w%d\"", id.text, width);
    else snprintf(etag, sizeof etag, "\"%s\"", id.text);
    bool same = matches(r, etag);
    sdw_status s = width && !same ? shrink(picture, width, ret, &err) : SDW_OK;
    if (s != SDW_OK) {
        sdw_blob_unref(picture);
        sdw_http_fail(ret, SDW_FACE_NATIVE, &err);
        return;
    }
    sdw_http_add_header(ret, "etag", etag, NULL);
    sdw_http_add_header(ret, "cache-control", "public, max-age=31536000, immutable", NULL);
    sdw_http_add_header(ret, "x-content-type-options", "nosniff", NULL);
    ret->status = same ? 304 : 200;
    if (!same) ret->content_type = width ? "image/jpeg" : mime_of(bytes, size);
    if (same || width) sdw_blob_unref(picture);
    else ret->blob = picture;
}

static void delete(const sdw_http_request *r, sdw_http_response *ret)
{
    sdw_output_id id;
    sdw_error err = { 0 };
    sdw_status s = SDW_NOT_FOUND;
    if (sdw_output_id_parse(r->tail, &id)) s = sdw_worker_output_delete(sdw_server_worker(r->server), &id, &err);
    if (s == SDW_NOT_FOUND) {
        not_found(r, ret);
        return;
    }
    if (s != SDW_OK) {
        sdw_http_fail(ret, SDW_FACE_NATIVE, &err);
        return;
    }
    sdw_buf *out = sdw_answer_json(ret, 200);
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "id", id.text);
    sdw_json_put_bool(out, "deleted", true);
    sdw_json_close(out, '}');
}

/* Completed jobs that still have a picture, with their requests; in pieces, since some have none left. */
static void list(const sdw_http_request *r, sdw_http_response *ret)
{
    sdw_job_id ids[64], last = { "" };
    sdw_page page;
    if (!sdw_page_of(r, &page, ret)) return;
    sdw_worker *w = sdw_server_worker(r->server);
    sdw_buf *out = sdw_answer_json(ret, 200);
    bool have = page.has_cursor, more = true;
    sdw_job_id before = page.cursor;
    int written = 0;
    sdw_json_open(out, '{');
    sdw_json_key(out, "jobs");
    sdw_json_open(out, '[');
    while (more && written < page.limit) {
        size_t count = sdw_worker_jobs(w, 1u << SDW_JOB_COMPLETED, have ? &before : NULL, ids, 64);
        more = count == 64;
        for (size_t i = 0; i < count; i++) {
            sdw_job_view v;
            if (written == page.limit) {
                more = true;
                break;
            }
            before = last = ids[i], have = true;
            if (sdw_worker_job(w, &ids[i], &v, NULL) != SDW_OK) continue;
            if (v.output_count) sdw_job_write(&v, true, out), written++;
            sdw_job_view_finish(&v);
        }
    }
    sdw_json_close(out, ']');
    sdw_json_put_text(out, "next_cursor", more && last.text[0] ? last.text : NULL);
    sdw_json_close(out, '}');
    sdw_answer_check(ret);
}

static const sdw_route rows[] = {
    { "GET", "/v1/outputs", SDW_FACE_NATIVE, 0, list, "listOutputs",
      "Jobs whose pictures are still here, newest first, with their requests; ?limit= and ?cursor= page." },
    { "GET", "/v1/outputs/{id}", SDW_FACE_NATIVE, SDW_ROUTE_OPEN | SDW_ROUTE_DESK, get, "getOutput",
      "A picture; ?w=256 gives a JPEG of at most that width. The id may have an ending such as .png." },
    { "DELETE", "/v1/outputs/{id}", SDW_FACE_NATIVE, SDW_ROUTE_DESK, delete, "deleteOutput", "Deletes a picture." },
};
const sdw_routes sdw_routes_outputs = { rows, sizeof rows / sizeof rows[0] };
