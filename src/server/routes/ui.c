/* ui.c - the page at "/", from the program itself or, with --ui-dir, from a folder (http-apis 12). Answers before any
 * model is loaded: orchestrators ask "/" whether the worker is there. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/sha256.h"
#include "server/answer.h"
#include "server/server.h"
#include "server/ui_files.h"

#define FILE_MAX ((size_t)16 << 20)
#define POLICY                                                                                                        \
    "default-src 'self'; img-src 'self' blob: data:; connect-src 'self'; object-src 'none'; base-uri 'none'; "        \
    "style-src 'self'; script-src 'self'; frame-ancestors 'self' http://localhost:* http://127.0.0.1:* tauri:"

static const char plain[] = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>sd-worker</title>"
                            "<p>sd-worker is running; its page is switched off. The API answers at /v1/capabilities.</p></html>\n";

/* A name of this folder and those below it, nothing hidden, no way out. */
static bool is_safe(const char *path)
{
    if (!*path || *path == '/') return false;
    for (const char *part = path; part; part = strchr(part, '/')) {
        if (*part == '/') part++;
        if (!*part || *part == '.' || *part == '/') return false;
    }
    return !strchr(path, '\\');
}

/* Folder after folder without following links, so that none leads out. */
static int open_below(const char *folder, const char *path)
{
    char part[256];
    int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (at >= 0 && *path) {
        size_t n = strcspn(path, "/");
        bool last = !path[n];
        int next = -1;
        if (n < sizeof part) {
            snprintf(part, sizeof part, "%.*s", (int)n, path);
            next = openat(at, part, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | (last ? 0 : O_DIRECTORY));
        }
        close(at);
        at = next;
        path += last ? n : n + 1;
    }
    return at;
}

static bool read_below(const char *folder, const char *path, sdw_buf *out)
{
    int fd = open_below(folder, path);
    if (fd < 0) return false;
    sdw_status s = sdw_file_read(fd, path, "file of the page", FILE_MAX, out, NULL);
    close(fd);
    return s == SDW_OK;
}

/* Whether Accept-Encoding names it and does not refuse it with q=0. */
static bool accepts(const char *header, const char *encoding)
{
    size_t n = strlen(encoding);
    for (const char *at = header; at && (at = strstr(at, encoding)); at += n) {
        bool begins = at == header || strchr(", \t", at[-1]);
        const char *after = at + n + strspn(at + n, " \t");
        if (!begins || !strchr(";,", *after)) continue; /* strchr finds the end of the text too */
        if (*after != ';') return true;
        after += 1 + strspn(after + 1, " \t");
        if (strncmp(after, "q=0", 3) || (after[3] == '.' && strspn(after + 4, "0") != strcspn(after + 4, ", \t"))) return true;
    }
    return false;
}

/* The smallest form that the client takes. */
static const sdw_ui_file *find(const sdw_http_request *r, const char *path)
{
    const char *header = sdw_http_header(r, "accept-encoding");
    const sdw_ui_file *best = NULL;
    for (const sdw_ui_file *f = sdw_ui_files; f->path; f++) {
        if (strcmp(f->path, path) || (f->encoding[0] && !accepts(header, f->encoding))) continue;
        if (!best || *f->size < *best->size) best = f;
    }
    return best;
}

/* ---- one file ---- */

static void head(const sdw_http_request *r, const char *path, const void *bytes, size_t size, sdw_http_response *ret)
{
    const char *more = sdw_server_options_of(r->server)->ui_frame_ancestors, *tags = sdw_http_header(r, "if-none-match");
    char hex[SDW_SHA256_HEX_SIZE], etag[40], policy[1024];
    bool hashed = !strncmp(path, "assets/", 7); /* the name changes with the content */
    snprintf(policy, sizeof policy, "%s%s%.500s", POLICY, more ? " " : "", more ? more : "");
    sdw_http_add_header(ret, "content-security-policy", policy, NULL);
    sdw_http_add_header(ret, "x-content-type-options", "nosniff", NULL);
    sdw_http_add_header(ret, "referrer-policy", "no-referrer", NULL);
    sdw_http_add_header(ret, "cache-control", hashed ? "public, max-age=31536000, immutable" : "no-cache", NULL);
    ret->status = 200;
    ret->content_type = sdw_ui_mime(path);
    if (sdw_sha256_bytes(bytes, size, hex, NULL) != SDW_OK) return;
    snprintf(etag, sizeof etag, "\"%.32s\"", hex);
    sdw_http_add_header(ret, "etag", etag, NULL);
    if (tags && strstr(tags, etag)) ret->status = 304;
}

static void serve(const sdw_http_request *r, const char *path, sdw_http_response *ret)
{
    const sdw_server_options *o = sdw_server_options_of(r->server);
    if (o->ui_dir) {
        if (!is_safe(path) || !read_below(o->ui_dir, path, &ret->body)) {
            ret->status = 404;
            return;
        }
        head(r, path, ret->body.data ? ret->body.data : "", ret->body.size, ret);
        if (ret->status == 304) sdw_buf_finish(&ret->body);
        return;
    }
    const sdw_ui_file *f = find(r, path);
    if (!f) {
        ret->status = 404;
        return;
    }
    head(r, path, f->bytes, *f->size, ret);
    sdw_http_add_header(ret, "vary", "accept-encoding", NULL);
    if (f->encoding[0]) sdw_http_add_header(ret, "content-encoding", f->encoding, NULL);
    if (ret->status == 200) ret->fixed = f->bytes, ret->fixed_size = *f->size;
}

static void page(const sdw_http_request *r, sdw_http_response *ret)
{
    if (!sdw_server_options_of(r->server)->no_ui) {
        serve(r, "index.html", ret);
        return;
    }
    head(r, "index.html", plain, sizeof plain - 1, ret);
    if (ret->status == 200) ret->fixed = plain, ret->fixed_size = sizeof plain - 1;
}

static void file(const sdw_http_request *r, sdw_http_response *ret)
{
    if (sdw_server_options_of(r->server)->no_ui) ret->status = 404;
    else serve(r, r->path + 1, ret);
}

#define FLAGS (SDW_ROUTE_OPEN | SDW_ROUTE_DESK)
static const sdw_route rows[] = {
    { "GET", "/", SDW_FACE_NATIVE, SDW_ROUTE_OPEN | SDW_ROUTE_DESK, page, "page", "The page; with --no-ui a line of text." },
    { "GET", "/index.html", SDW_FACE_NATIVE, FLAGS, file, "pageFile", "The page under its other name." },
    { "GET", "/page.css", SDW_FACE_NATIVE, FLAGS, file, "pageStyle", "A file of the page." },
    { "GET", "/page.js", SDW_FACE_NATIVE, FLAGS, file, "pageScript", "A file of the page." },
    { "GET", "/icon.svg", SDW_FACE_NATIVE, FLAGS, file, "pageIcon", "A file of the page." },
    { "GET", "/assets/*", SDW_FACE_NATIVE, FLAGS, file, "pageAsset", "A file of the page." },
};
const sdw_routes sdw_routes_ui = { rows, sizeof rows / sizeof rows[0] };
