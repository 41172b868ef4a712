/* router.c - see router.h. Some hundred rows are looked through in a microsecond; no index is worth its code. */
#include "server/router.h"

#include <string.h>


/* Literal characters of a pattern that fits the path, or -1. "{name}" is one segment that is not empty, a last "*" the
 * rest, empty or not. */
static int fit(const char *pattern, const char *path, size_t *ret_at, size_t *ret_size)
{
    const char *p = pattern, *s = path;
    int literal = 0;
    *ret_at = *ret_size = 0;
    while (*p) {
        if (*p == '*' && p[1] == '\0') {
            *ret_at = (size_t)(s - path);
            *ret_size = strlen(s);
            return literal;
        }
        if (*p == '{') {
            size_t size = strcspn(s, "/");
            const char *end = strchr(p, '}');
            if (size == 0 || !end) return -1;
            *ret_at = (size_t)(s - path);
            *ret_size = size;
            s += size;
            p = end + 1;
        } else {
            if (*p != *s) return -1;
            p++, s++, literal++;
        }
    }
    return *s == '\0' ? literal : -1;
}

static void allow(char *list, const char *method)
{
    size_t used = strlen(list), size = strlen(method);
    const char *there = strstr(list, method);
    if (there && (there == list || there[-1] == ' ')) return;
    if (used + size + 3 > SDW_ALLOW_SIZE) return;
    if (used) memcpy(list + used, ", ", 2), used += 2;
    memcpy(list + used, method, size + 1);
}

void sdw_route_find(const sdw_routes *const *tables, const char *method, const char *path, sdw_route_match *ret)
{
    *ret = (sdw_route_match){ .index = -1 };
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    int best = -1, best_any = -1, index = 0;
    for (; *tables; tables++) {
        for (int i = 0; i < (*tables)->count; i++, index++) {
            const sdw_route *r = &(*tables)->rows[i];
            size_t at, size;
            int literal = fit(r->path, path, &at, &size);
            if (literal < 0) continue;
            if (literal > best_any) ret->other = r, best_any = literal;
            ret->path_known = true;
            allow(ret->allow, r->method);
            if (strcmp(r->method, "GET") == 0) allow(ret->allow, "HEAD");
            if (literal <= best || strcmp(r->method, wanted) != 0) continue;
            best = literal;
            ret->route = r;
            ret->index = index;
            ret->tail_at = at;
            ret->tail_size = size;
        }
    }
    if (ret->path_known) allow(ret->allow, "OPTIONS");
}

int sdw_route_count(const sdw_routes *const *tables)
{
    int n = 0;
    for (; *tables; tables++) n += (*tables)->count;
    return n;
}

const sdw_route *sdw_route_at(const sdw_routes *const *tables, int index)
{
    for (; *tables; tables++) {
        if (index < (*tables)->count) return &(*tables)->rows[index];
        index -= (*tables)->count;
    }
    return NULL;
}
