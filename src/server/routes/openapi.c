/* openapi.c - the API described by itself, for programs and for people. */
#include "server/answer.h"
#include "server/api_doc.h"
#include "server/server.h"

static void openapi(const sdw_http_request *r, sdw_http_response *ret)
{
    sdw_error err = { 0 };
    sdw_buf *out = sdw_answer_json(ret, 200);
    if (sdw_openapi_write(sdw_server_options_of(r->server)->routes, out, &err) != SDW_OK) sdw_http_fail(ret, SDW_FACE_OPS, &err);
}

/* HTML text: the tables hold no markup, but a '<' in a summary must stay one. */
static void put(sdw_buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '<') sdw_buf_puts(out, "&lt;");
        else if (*text == '&') sdw_buf_puts(out, "&amp;");
        else sdw_buf_append(out, text, 1);
    }
}

static void put_face(sdw_buf *out, const sdw_routes *const *tables, sdw_face face, const char *title)
{
    sdw_buf_printf(out, "<h2>%s</h2>\n<table>\n", title);
    for (; *tables; tables++) {
        for (int i = 0; i < (*tables)->count; i++) {
            const sdw_route *r = &(*tables)->rows[i];
            if (r->face != face) continue;
            sdw_buf_printf(out, "<tr><td><code>%s</code></td><td><code>", r->method);
            put(out, r->path);
            sdw_buf_puts(out, "</code></td><td>");
            put(out, r->summary);
            sdw_buf_puts(out, "</td></tr>\n");
        }
    }
    sdw_buf_puts(out, "</table>\n");
}

static void docs(const sdw_http_request *r, sdw_http_response *ret)
{
    static const char *const titles[] = { "Jobs", "OpenAI Images", "AUTOMATIC1111", "Operations" };
    const sdw_routes *const *tables = sdw_server_options_of(r->server)->routes;
    ret->status = 200;
    ret->content_type = "text/html; charset=utf-8";
    (void)sdw_http_add_header(ret, "Content-Security-Policy", "default-src 'none'", NULL);
    (void)sdw_http_add_header(ret, "X-Content-Type-Options", "nosniff", NULL);
    sdw_buf *out = &ret->body;
    sdw_buf_puts(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>sd-worker: API</title></head><body>\n"
                      "<h1>sd-worker " SDW_VERSION "</h1>\n<p>The same for programs: <a href=\"openapi.json\">openapi.json</a>.</p>\n");
    for (int face = SDW_FACE_NATIVE; face <= SDW_FACE_OPS; face++) put_face(out, tables, (sdw_face)face, titles[face]);
    sdw_buf_puts(out, "</body></html>\n");
    sdw_answer_check(ret);
}

#define FLAGS (SDW_ROUTE_OPEN | SDW_ROUTE_DESK)
static const sdw_route rows[] = {
    { "GET", "/openapi.json", SDW_FACE_OPS, FLAGS, openapi, "openapi", "This description, OpenAPI 3.1." },
    { "GET", "/docs", SDW_FACE_OPS, FLAGS, docs, "docs", "All routes on one page." },
};
const sdw_routes sdw_routes_openapi = { rows, sizeof rows / sizeof rows[0] };
