/* remote.c - see remote.h. */
#include "remote/remote.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <yyjson.h>

#include "core/mem.h"
#include "remote/sse_read.h"

#define CONNECT_S 10
#define EVENT_MAX ((size_t)512 << 20) /* an event may hold a picture, and an answer several */
#define TRIES_MAX 10
#define STALL_S 60 /* four comments that did not come: the connection is dead */

struct sdw_remote {
    CURL *curl;
    sdw_remote_options o;
    char *url, *bearer;      /* owned; url without a '/' at its end */
    /* Of the running request. */
    sdw_buf *out;
    bool stream;
    sdw_sse_reader reader;
    sdw_remote_event_fn *event;
    void *event_ctx;
    uint64_t last, taken;    /* number of the last event; events so far */
    bool ended, marked;      /* the callback said stop; a numbered marker came */
};

sdw_status sdw_remote_open(const sdw_remote_options *o, sdw_remote **ret, sdw_error *err)
{
    size_t n = o->url ? strlen(o->url) : 0;
    bool scheme = n && (!strncasecmp(o->url, "http://", 7) || !strncasecmp(o->url, "https://", 8));
    if (!n || (!scheme && strstr(o->url, "://"))) return sdw_fail(err, SDW_INVALID, "server: '%.200s' given, want an address such as http://127.0.0.1:8081", o->url ? o->url : "");
    while (n && o->url[n - 1] == '/') n--;
    sdw_remote *r = sdw_calloc(1, sizeof *r);
    if (!r) return sdw_fail_memory(err, "client", sizeof *r);
    r->o = *o;
    sdw_buf url;
    sdw_buf_init(&url, 0);
    sdw_buf_printf(&url, "%s%.*s", scheme ? "" : "http://", (int)n, o->url);
    r->url = sdw_buf_take(&url, NULL);
    if (o->key && *o->key) {
        sdw_buf_init(&url, 0);
        sdw_buf_printf(&url, "Authorization: Bearer %s", o->key);
        r->bearer = sdw_buf_take(&url, NULL);
    }
    r->curl = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_easy_init() : NULL;
    if (!r->curl || !r->url || (o->key && *o->key && !r->bearer)) {
        sdw_remote_close(r);
        return sdw_fail_memory(err, "client", sizeof *r);
    }
    *ret = r;
    return SDW_OK;
}

void sdw_remote_close(sdw_remote *r)
{
    if (!r) return;
    curl_easy_cleanup(r->curl);
    sdw_free(r->url);
    sdw_free(r->bearer);
    sdw_free(r);
}

const char *sdw_remote_url(const sdw_remote *r) { return r->url; }
void sdw_remote_no_cancel(sdw_remote *r) { r->o.cancelled = NULL; }

/* ---- one transfer ---- */

/* The marker of the end has no event line; "kept" jobs end without a number and go on later. */
static bool take(void *ctx, const char *event, uint64_t id, const char *data, size_t size)
{
    sdw_remote *r = ctx;
    bool marker = !event[0] && data[0] == '[';
    r->taken++;
    if (id) r->last = id;
    if (marker && id) r->marked = true;
    r->ended = !r->event(r->event_ctx, marker ? "" : event[0] ? event : "message", data, size);
    return !r->ended;
}

static size_t on_body(char *bytes, size_t one, size_t count, void *ctx)
{
    sdw_remote *r = ctx;
    long status = 0;
    curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &status);
    if (r->stream && status == 200) return sdw_sse_reader_push(&r->reader, bytes, one * count, take, r) ? one * count : 0;
    return sdw_buf_append(r->out, bytes, one * count) ? one * count : 0;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const sdw_remote *r = ctx;
    (void)a, (void)b, (void)c, (void)d;
    return r->o.cancelled && r->o.cancelled(r->o.ctx);
}

static void set_up(sdw_remote *r, const char *method, const char *url, struct curl_slist *headers, const char *body, size_t body_size)
{
    CURL *h = r->curl;
    curl_easy_reset(h);
    curl_easy_setopt(h, CURLOPT_URL, url);
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(h, CURLOPT_XFERINFODATA, r);
    curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
    if (r->stream) {
        curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, (long)STALL_S);
    }
    if (!body) return;
    curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_size);
    curl_easy_setopt(h, CURLOPT_POSTFIELDS, body);
}

static bool add_header(struct curl_slist **list, const char *text)
{
    struct curl_slist *longer = curl_slist_append(*list, text);
    if (longer) *list = longer;
    return longer != NULL;
}

static struct curl_slist *headers_of(const sdw_remote *r, bool body)
{
    struct curl_slist *list = NULL;
    char resume[64];
    bool ok = add_header(&list, "Expect:"); /* a worker answers 401 and 413 after the whole body anyway */
    if (r->bearer) ok = ok && add_header(&list, r->bearer);
    if (body) ok = ok && add_header(&list, "Content-Type: application/json");
    if (r->stream) ok = ok && add_header(&list, "Accept: text/event-stream");
    snprintf(resume, sizeof resume, "Last-Event-ID: %llu", (unsigned long long)r->last);
    if (r->stream && r->last) ok = ok && add_header(&list, resume);
    if (ok) return list;
    curl_slist_free_all(list);
    return NULL;
}

/* *ret_status 0: no answer. */
static sdw_status transfer(sdw_remote *r, const char *method, const char *path, const char *body, size_t body_size, int *ret_status, sdw_error *err)
{
    long status = 0;
    sdw_buf url;
    sdw_buf_init(&url, 0);
    sdw_buf_printf(&url, "%s%s", r->url, path);
    struct curl_slist *headers = headers_of(r, body != NULL);
    *ret_status = 0;
    if (url.failed || !headers) {
        sdw_buf_finish(&url);
        curl_slist_free_all(headers);
        return sdw_fail_memory(err, "request", 0);
    }
    set_up(r, method, url.data, headers, body, body_size);
    CURLcode code = curl_easy_perform(r->curl);
    curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    sdw_buf_finish(&url);
    *ret_status = (int)status;
    if (code == CURLE_OK || r->ended) return SDW_OK;
    if (code == CURLE_ABORTED_BY_CALLBACK) return sdw_fail(err, SDW_CANCELLED, "stopped");
    if (code == CURLE_WRITE_ERROR) return sdw_fail(err, SDW_LIMIT, "%s%s: the answer is too large", r->url, path);
    return sdw_fail(err, SDW_IO, "%s: %s", r->url, curl_easy_strerror(code));
}

sdw_status sdw_remote_ask(sdw_remote *r, const char *method, const char *path, const char *body, size_t body_size, sdw_buf *out, int *ret_status, sdw_error *err)
{
    r->stream = r->ended = false;
    r->out = out;
    return transfer(r, method, path, body, body_size, ret_status, err);
}

/* ---- answers that are errors ---- */

static sdw_status refusal(const sdw_remote *r, int status, const sdw_buf *body, sdw_error *err)
{
    static const struct { int http; sdw_status status; } map[] = {
        { 400, SDW_INVALID }, { 401, SDW_UNSUPPORTED }, { 403, SDW_UNSUPPORTED }, { 404, SDW_NOT_FOUND }, { 413, SDW_LIMIT }, { 422, SDW_INVALID }, { 429, SDW_BUSY } };
    sdw_status s = SDW_IO;
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++)
        if (map[i].http == status) s = map[i].status;
    yyjson_doc *doc = body->size ? yyjson_read(body->data, body->size, 0) : NULL;
    const char *message = yyjson_get_str(yyjson_obj_get(yyjson_obj_get(yyjson_doc_get_root(doc), "error"), "message"));
    if (message) sdw_fail(err, s, "%s: %s", r->url, message);
    else sdw_fail(err, s, "%s: answered %d", r->url, status);
    yyjson_doc_free(doc);
    return s;
}

sdw_status sdw_remote_call(sdw_remote *r, const char *method, const char *path, const char *body, size_t body_size, sdw_buf *out, sdw_error *err)
{
    int status;
    sdw_status s = sdw_remote_ask(r, method, path, body, body_size, out, &status, err);
    return s == SDW_OK && (status < 200 || status > 299) ? refusal(r, status, out, err) : s;
}

/* ---- streams ---- */

static bool is_cancelled(const sdw_remote *r) { return r->o.cancelled && r->o.cancelled(r->o.ctx); }

/* 0.5, 1, 2, 4, 8, 8 ... s in short slices. */
static void pause_before(const sdw_remote *r, int failures)
{
    const struct timespec slice = { .tv_nsec = 50000000 };
    int slices = 10 << (failures > 4 ? 4 : failures);
    for (int i = 0; i < slices && !is_cancelled(r); i++) nanosleep(&slice, NULL);
}

sdw_status sdw_remote_follow(sdw_remote *r, const char *path, bool resume, sdw_remote_event_fn *event, void *ctx, sdw_error *err)
{
    sdw_status s = SDW_OK;
    int failures = 0;
    r->event = event;
    r->event_ctx = ctx;
    r->last = 0;
    r->ended = r->marked = false;
    for (bool more = true; more;) {
        sdw_buf body;
        int status = 0;
        uint64_t before = r->taken;
        sdw_buf_init(&body, (size_t)1 << 20);
        sdw_sse_reader_init(&r->reader, EVENT_MAX);
        r->out = &body;
        r->stream = true;
        s = transfer(r, "GET", path, NULL, 0, &status, err);
        more = false;
        if (s == SDW_OK && status != 200 && status != 204 && !r->ended) s = refusal(r, status, &body, err);
        if (r->taken != before) failures = 0;
        bool lost = !r->ended && !r->marked && (s == SDW_IO || (s == SDW_OK && status == 200));
        if (resume && lost) {
            more = ++failures <= TRIES_MAX;
            if (!more && s == SDW_OK) s = sdw_fail(err, SDW_IO, "%s: the stream ends again and again", r->url);
            if (more) pause_before(r, failures - 1);
        }
        sdw_sse_reader_finish(&r->reader);
        sdw_buf_finish(&body);
    }
    r->stream = false;
    return s;
}
