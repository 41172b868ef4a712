/* ui_files.c - the small page, for builds without the full one; the build turns the files of page/ into these arrays. */
#include "server/ui_files.h"

#include <string.h>

extern const unsigned char sdw_page_html[], sdw_page_css[], sdw_page_js[];
extern const size_t sdw_page_html_size, sdw_page_css_size, sdw_page_js_size;

const sdw_ui_file sdw_ui_files[] = {
    { "index.html", sdw_page_html, &sdw_page_html_size },
    { "page.css", sdw_page_css, &sdw_page_css_size },
    { "page.js", sdw_page_js, &sdw_page_js_size },
    { NULL, NULL, NULL },
};

static const struct { const char *ending, *mime; } types[] = {
    { ".html", "text/html; charset=utf-8" }, { ".js", "text/javascript; charset=utf-8" },
    { ".css", "text/css; charset=utf-8" }, { ".svg", "image/svg+xml" }, { ".png", "image/png" }, { ".webp", "image/webp" },
    { ".ico", "image/x-icon" }, { ".json", "application/json" }, { ".webmanifest", "application/manifest+json" },
    { ".woff2", "font/woff2" }, { ".txt", "text/plain; charset=utf-8" },
};

const char *sdw_ui_mime(const char *path)
{
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof types[0]; i++)
        if (!strcmp(dot, types[i].ending)) return types[i].mime;
    return "application/octet-stream";
}
