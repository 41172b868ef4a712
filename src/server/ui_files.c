/* ui_files.c - what the files of a page are. */
#include "server/ui_files.h"

#include <string.h>

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
