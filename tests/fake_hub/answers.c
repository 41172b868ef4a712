/* answers.c - what the fake hub says: API, resolve addresses, the host of large files, refusals, faults. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "impl.h"

typedef struct text {
    char *data;
    size_t size, capacity;
} text;

__attribute__((format(printf, 2, 3))) static void put(text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    while (t->size + (size_t)n + 1 > t->capacity) {
        t->capacity = t->capacity ? t->capacity * 2 : 4096;
        t->data = realloc(t->data, t->capacity);
        if (!t->data) fake_die("fake hub");
    }
    va_start(args, format);
    vsnprintf(t->data + t->size, t->capacity - t->size, format, args);
    va_end(args);
    t->size += (size_t)n;
}

/* ---- sending ---- */

static void pause_ms(unsigned ms)
{
    struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };
    nanosleep(&t, NULL);
}

/* Silence until the hub stops or the client goes away. */
static void stall(fake_connection *c)
{
    char byte;
    c->close = true;
    while (!c->hub->stopping && read(c->fd, &byte, 1) > 0) continue;
}

static void send_slowly(fake_connection *c, const unsigned char *data, size_t size)
{
    size_t piece = c->rule.trickle_bytes ? c->rule.trickle_bytes : 1024;
    for (size_t at = 0; at < size && !c->hub->stopping; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        pause_ms(c->rule.trickle_ms);
        if (!fake_write(c, data + at, n)) return;
        c->request.sent += n;
    }
}

static void send_plainly(fake_connection *c, const unsigned char *data, size_t size)
{
    for (size_t at = 0; at < size; at += (size_t)1 << 20) {
        size_t n = size - at < (size_t)1 << 20 ? size - at : (size_t)1 << 20;
        if (!fake_write(c, data + at, n)) return;
        c->request.sent += n;
    }
}

static void send_chunked(fake_connection *c, const unsigned char *data, size_t size)
{
    char line[32];
    for (size_t at = 0; at < size; at += 65536) {
        size_t n = size - at < 65536 ? size - at : 65536;
        snprintf(line, sizeof line, "%zx\r\n", n);
        if (!fake_write(c, line, strlen(line)) || !fake_write(c, data + at, n) || !fake_write(c, "\r\n", 2)) return;
        c->request.sent += n;
    }
    fake_write(c, "0\r\n\r\n", 5);
}

/* `from`: where in the file the data begin, for flip_at. */
static void send_body(fake_connection *c, const unsigned char *data, size_t size, size_t from)
{
    const fake_rule *r = &c->rule;
    size_t limit = r->cut_after ? r->cut_after : r->stall_after ? r->stall_after : size;
    unsigned char *copy = NULL;
    if (r->flip_at > from && r->flip_at - from <= size) {
        copy = fake_alloc(size);
        memcpy(copy, data, size);
        copy[r->flip_at - from - 1] ^= 1;
        data = copy;
    }
    if (limit > size) limit = size;
    if (r->trickle_ms) send_slowly(c, data, limit);
    else if (r->no_length) send_chunked(c, data, limit);
    else send_plainly(c, data, limit);
    if (r->stall_after && limit < size) stall(c);
    if (r->cut_after || r->length_delta) c->close = true;
    free(copy);
}

/* status, header lines, length; the common headers of the hub are added. */
static void send_head(fake_connection *c, int status, const char *headers, int64_t length)
{
    text t = { 0 };
    c->request.status = status;
    put(&t, "HTTP/1.1 %d X\r\n", status);
    if (c->host == FAKE_HUB)
        put(&t, "X-Request-Id: req-%u\r\nRateLimit: \"api\";r=499;t=55\r\nRateLimit-Policy: \"fixed window\";\"api\";q=500;w=300\r\n",
            c->hub->serial++);
    put(&t, "%s%s", headers, c->rule.extra ? c->rule.extra : "");
    if (c->rule.no_length) put(&t, "Transfer-Encoding: chunked\r\n");
    else if (length >= 0) put(&t, "Content-Length: %lld\r\n", (long long)length + c->rule.length_delta);
    put(&t, "\r\n");
    fake_write(c, t.data, t.size);
    free(t.data);
}

static void answer(fake_connection *c, int status, const char *headers, const char *body, size_t size)
{
    send_head(c, status, headers, (int64_t)size);
    if (strcmp(c->request.method, "HEAD") != 0) send_body(c, (const unsigned char *)body, size, 0);
}

static void refuse(fake_connection *c, int status, const char *code, const char *message)
{
    char headers[512], body[512];
    int n = 0;
    if (code) n = snprintf(headers, sizeof headers, "X-Error-Code: %s\r\n", code);
    snprintf(headers + n, sizeof headers - (size_t)n, "X-Error-Message: %s\r\n", message);
    snprintf(body, sizeof body, "{\"error\":\"%s\"}", message);
    answer(c, status, headers, body, strlen(body));
}

/* A file's bytes, or the part that Range asks for. */
static void answer_file(fake_connection *c, const fake_file *f, const char *headers)
{
    text t = { 0 };
    unsigned long long from = 0;
    bool ranged = sscanf(c->request.range, "bytes=%llu-", &from) == 1 && !c->rule.ignore_range;
    put(&t, "%s", headers);
    if (ranged && from >= f->size) {
        put(&t, "Content-Range: bytes */%zu\r\n", f->size);
        answer(c, 416, t.data, "", 0);
        free(t.data);
        return;
    }
    if (!ranged) from = 0;
    if (ranged && c->rule.range_delta) from += (unsigned)c->rule.range_delta;
    if (ranged) put(&t, "Content-Range: bytes %llu-%zu/%zu\r\n", from, f->size - 1, f->size);
    send_head(c, ranged ? 206 : 200, t.data, (int64_t)(f->size - from));
    if (strcmp(c->request.method, "HEAD") != 0) send_body(c, f->data + from, f->size - from, from);
    free(t.data);
}

/* ---- parsing targets ---- */

static void decode(char *to, size_t size, const char *from, size_t length)
{
    size_t n = 0;
    for (size_t i = 0; i < length && n + 1 < size; i++) {
        unsigned byte = 0;
        if (from[i] == '%' && i + 2 < length && sscanf(from + i + 1, "%2x", &byte) == 1) {
            to[n++] = (char)byte;
            i += 2;
        } else {
            to[n++] = from[i];
        }
    }
    to[n] = '\0';
}

/* May this caller see the repository? Answers if not. */
static bool may_read(fake_connection *c, const fake_repo *r)
{
    const char *a = c->request.authorization;
    char good[96];
    snprintf(good, sizeof good, "Bearer %s", c->hub->token);
    if (a[0] && strcmp(a, good) != 0) {
        refuse(c, 401, NULL, "Invalid credentials in Authorization header");
        return false;
    }
    if (!r || (r->is_private && !a[0])) { /* a stranger does not learn whether it exists */
        if (a[0]) refuse(c, 404, "RepoNotFound", "Repository not found");
        else refuse(c, 401, NULL, "Invalid username or password.");
        return false;
    }
    if (r->gated) {
        refuse(c, a[0] ? 403 : 401, "GatedRepo", "Access to model is restricted");
        return false;
    }
    return true;
}

/* ---- API ---- */

static bool has_revision(const fake_repo *r, const char *revision)
{
    return !strcmp(revision, "main") || !strcmp(revision, "refs/pr/4") || !strcmp(revision, r->commit);
}

static void put_json_text(text *t, const char *s)
{
    put(t, "\"");
    for (; *s; s++) {
        if (*s == '"' || *s == '\\') put(t, "\\%c", *s);
        else if ((unsigned char)*s < ' ') put(t, "\\u%04x", *s);
        else put(t, "%c", *s);
    }
    put(t, "\"");
}

static void answer_model(fake_connection *c, const fake_repo *r)
{
    text t = { 0 };
    put(&t, "{\"_id\":\"0123456789\",\"id\":\"%s\",\"modelId\":\"%s\",\"sha\":\"%s\",\"private\":%s,\"gated\":false,\"disabled\":false,\"tags\":[],"
            "\"downloads\":0,\"likes\":0,\"siblings\":[", r->id, r->id, r->commit, r->is_private ? "true" : "false");
    for (size_t i = 0; i < r->count; i++) {
        put(&t, "%s{\"rfilename\":", i ? "," : "");
        put_json_text(&t, r->files[i].path);
        put(&t, "}");
    }
    put(&t, "]}");
    answer(c, 200, "Content-Type: application/json\r\n", t.data, t.size);
    free(t.data);
}

static void put_tree_entry(text *t, const fake_file *f)
{
    put(t, "{\"type\":\"file\",\"oid\":\"%s\",\"size\":%zu,\"path\":", f->oid, f->size);
    put_json_text(t, f->path);
    if (f->lfs) put(t, ",\"lfs\":{\"oid\":\"%s\",\"size\":%zu,\"pointerSize\":134},\"xetHash\":\"%s\"", f->sha256, f->size, f->sha256);
    put(t, "}");
}

/* Pages by number; the next one is named by an absolute address, whose parameters the client must not make up itself. */
static void answer_tree(fake_connection *c, const fake_repo *r)
{
    const char *cursor = strstr(c->request.target, "cursor=page");
    size_t first = cursor ? strtoul(cursor + 11, NULL, 10) * c->hub->options.page : 0;
    size_t end = first + c->hub->options.page < r->count ? first + c->hub->options.page : r->count;
    text t = { 0 }, link = { 0 };
    put(&link, "Content-Type: application/json\r\n");
    if (end < r->count)
        put(&link, "Link: <%s/api/models/%s/tree/%s?recursive=true&expand=false&limit=%zu&cursor=page%zu>; rel=\"next\"\r\n", c->hub->url, r->id,
            r->commit, c->hub->options.page, end / c->hub->options.page);
    put(&t, "[");
    if (first == 0) put(&t, "{\"type\":\"directory\",\"oid\":\"0123456789012345678901234567890123456789\",\"size\":0,\"path\":\"unet\"}");
    for (size_t i = first; i < end; i++) {
        if (i > 0 || first == 0) put(&t, i > first || first == 0 ? "," : "");
        put_tree_entry(&t, &r->files[i]);
    }
    put(&t, "]");
    answer(c, 200, link.data, t.data, t.size);
    free(t.data);
    free(link.data);
}

/* ORG/NAME/KIND/REVISION?… behind /api/models/. */
static void answer_api(fake_connection *c, const char *path)
{
    char org[64] = "", name[64] = "", kind[32] = "", encoded[256] = "", id[130], revision[256];
    sscanf(path, "%63[^/]/%63[^/?]/%31[^/?]/%255[^/?]", org, name, kind, encoded);
    decode(revision, sizeof revision, encoded, strlen(encoded));
    snprintf(id, sizeof id, "%s/%s", org, name);
    fake_repo *r = fake_find_repo(c->hub, id);
    if (!may_read(c, r)) return;
    if (strcmp(r->id, id) != 0) {
        char headers[512];
        snprintf(headers, sizeof headers, "Location: /api/models/%s/%s/%s\r\n", r->id, kind, encoded);
        answer(c, 307, headers, "", 0);
    } else if (kind[0] && !has_revision(r, revision)) {
        refuse(c, 404, "RevisionNotFound", "Invalid rev id");
    } else if (!kind[0] || !strcmp(kind, "revision")) {
        answer_model(c, r);
    } else if (!strcmp(kind, "tree")) {
        answer_tree(c, r);
    } else {
        refuse(c, 404, NULL, "no such route");
    }
}

/* ---- files ---- */

static void redirect_to_files(fake_connection *c, const fake_repo *r, const fake_file *f)
{
    text t = { 0 };
    put(&t, "Location: %s/signed/%s/%s?Expires=%ld&Policy=x&Signature=%u\r\n", c->rule.location ? c->rule.location : c->hub->files_url, r->id,
        f->sha256, (long)time(NULL) + 3600, c->hub->serial++);
    put(&t, "X-Linked-Etag: \"%s\"\r\nX-Linked-Size: %zu\r\nX-Xet-Hash: %s\r\nETag: \"not-the-content\"\r\n", f->sha256, f->size, f->sha256);
    if (!c->rule.no_commit) put(&t, "X-Repo-Commit: %s\r\n", r->commit);
    put(&t, "Link: <%s/api/models/%s/xet-read-token/%s>; rel=\"xet-auth\", <https://cas-server.example/v1/reconstructions/%s>; "
            "rel=\"xet-reconstruction-info\"\r\n", c->hub->url, r->id, r->commit, f->sha256);
    answer(c, 302, t.data, "", 0);
    free(t.data);
}

static void redirect_to_cache(fake_connection *c, const fake_repo *r, const char *path, const fake_file *f)
{
    text t = { 0 };
    put(&t, "Location: /api/resolve-cache/models/%s/%s/%s?etag=%%22%s%%22\r\n", r->id, r->commit, path, f->oid);
    answer(c, 307, t.data, "", 0);
    free(t.data);
}

static void answer_cached(fake_connection *c, const fake_repo *r, const fake_file *f)
{
    char headers[256];
    int n = snprintf(headers, sizeof headers, "ETag: \"%s\"\r\nAccept-Ranges: bytes\r\n", f->oid);
    if (!c->rule.no_commit) snprintf(headers + n, sizeof headers - (size_t)n, "X-Repo-Commit: %s\r\n", r->commit);
    answer_file(c, f, headers);
}

/* ORG/NAME/resolve/REVISION/FILE, or (cached) ORG/NAME/COMMIT/FILE behind /api/resolve-cache/models/. */
static void answer_resolve(fake_connection *c, const char *path, bool cached)
{
    char org[64] = "", name[64] = "", encoded[256] = "", id[130], revision[256], file[1024];
    int used = 0;
    sscanf(path, cached ? "%63[^/]/%63[^/]/%255[^/]/%n" : "%63[^/]/%63[^/]/resolve/%255[^/]/%n", org, name, encoded, &used);
    snprintf(id, sizeof id, "%s/%s", org, name);
    decode(revision, sizeof revision, encoded, strlen(encoded));
    decode(file, sizeof file, path + used, strcspn(path + used, "?"));
    fake_repo *r = fake_find_repo(c->hub, id);
    if (!may_read(c, r)) return;
    if (strcmp(r->id, id) != 0) {
        char headers[2048];
        snprintf(headers, sizeof headers, "Location: /%s/resolve/%s/%s\r\n", r->id, encoded, path + used);
        answer(c, 307, headers, "", 0);
        return;
    }
    const fake_file *f = fake_find_file(r, file);
    if (!has_revision(r, revision)) refuse(c, 404, "RevisionNotFound", "Invalid rev id");
    else if (!f || !f->data) {
        char extra[80];
        snprintf(extra, sizeof extra, "X-Repo-Commit: %s\r\n", r->commit);
        c->rule.extra = extra;
        refuse(c, 404, "EntryNotFound", "Entry not found");
        c->rule.extra = NULL;
    } else if (cached) answer_cached(c, r, f);
    else if (f->lfs) redirect_to_files(c, r, f);
    else redirect_to_cache(c, r, path + used, f);
}

/* /signed/ORG/NAME/SHA256?…, and /plain/ORG/NAME/FILE for addresses that are no hub's. */
static void answer_files(fake_connection *c)
{
    char org[64] = "", name[64] = "", rest[1024] = "", id[130], headers[256], path[1024];
    bool plain = !strncmp(c->request.target, "/plain/", 7);
    const fake_file *f = NULL;
    sscanf(c->request.target + (plain ? 7 : 8), "%63[^/]/%63[^/]/%1023[^?]", org, name, rest);
    snprintf(id, sizeof id, "%s/%s", org, name);
    decode(path, sizeof path, rest, strlen(rest));
    fake_repo *r = fake_find_repo(c->hub, id);
    for (size_t i = 0; r && i < r->count; i++)
        if (!strcmp(plain ? r->files[i].path : r->files[i].sha256, path)) f = &r->files[i];
    if (!f || !f->data) {
        answer(c, 404, "", "no such file", 12);
        return;
    }
    snprintf(headers, sizeof headers, "ETag: \"%s\"\r\nAccept-Ranges: bytes\r\n", f->lfs ? f->sha256 : f->oid);
    char quoted[160];
    snprintf(quoted, sizeof quoted, "\"%s\"", f->lfs ? f->sha256 : f->oid);
    if (c->request.if_range[0] && strcmp(c->request.if_range, quoted) != 0) c->rule.ignore_range = true;
    answer_file(c, f, headers);
}

/* What was asked so far, a line each: host, method, status, bytes sent, target. */
static void answer_log(fake_connection *c)
{
    static const char *const hosts[] = { "any", "hub", "files" };
    text t = { 0 };
    pthread_mutex_lock(&c->hub->mutex);
    for (size_t i = 0; i < c->hub->request_count; i++) {
        const fake_request *r = &c->hub->requests[i];
        if (strncmp(r->target, "/fake/", 6) != 0)
            put(&t, "%s %s %d %llu %s\n", hosts[r->host], r->method, r->status, (unsigned long long)r->sent, r->target);
    }
    pthread_mutex_unlock(&c->hub->mutex);
    answer(c, 200, "", t.data ? t.data : "", t.size);
    free(t.data);
}

void fake_answer(fake_connection *c)
{
    const char *target = c->request.target;
    if (!strcmp(target, "/fake/log")) {
        answer_log(c);
        return;
    }
    if (c->rule.status) {
        const char *body = c->rule.body ? c->rule.body : "";
        answer(c, c->rule.status, c->rule.headers ? c->rule.headers : "", body, strlen(body));
        return;
    }
    if (c->host == FAKE_FILES) answer_files(c);
    else if (!strncmp(target, "/api/models/", 12)) answer_api(c, target + 12);
    else if (!strncmp(target, "/api/resolve-cache/models/", 26)) answer_resolve(c, target + 26, true);
    else answer_resolve(c, target + 1, false);
}
