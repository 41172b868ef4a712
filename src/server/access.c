/* access.c - see access.h. */
#include "server/access.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/base64.h"
#include "core/secret.h"

#define CREDENTIAL_BYTES_MAX 8192
#define HOST_BYTES_MAX 255

static bool list_has(const char *const *list, const char *word)
{
    for (; list && *list; list++)
        if (strcmp(*list, word) == 0) return true;
    return false;
}

void sdw_access_rules_of(const sdw_server_options *o, bool bound_to_loopback, sdw_access_rules *ret)
{
    *ret = (sdw_access_rules){ .origins = o->cors_origins, .hosts = o->allowed_hosts };
    if (o->api_key && *o->api_key) ret->key = o->api_key;
    ret->every_origin = list_has(o->cors_origins, "*");
    ret->every_host = list_has(o->allowed_hosts, "*");
    ret->local_pages = !ret->key && bound_to_loopback;
    if (gethostname(ret->machine, sizeof ret->machine - 1) != 0) ret->machine[0] = '\0';
}

/* ---- host and port ---- */

typedef struct authority {
    char host[HOST_BYTES_MAX + 1]; /* without brackets */
    char port[6];                  /* "" if none */
    bool bracketed;
} authority;

/* "name:port", "1.2.3.4", "[::1]:8080". */
static bool split_authority(const char *text, authority *ret)
{
    *ret = (authority){ .bracketed = text[0] == '[' };
    const char *end = ret->bracketed ? strchr(text, ']') : text + strcspn(text, ":");
    if (!end) return false;
    const char *host = text + ret->bracketed;
    size_t size = (size_t)(end - host);
    if (size == 0 || size > HOST_BYTES_MAX) return false;
    memcpy(ret->host, host, size);
    const char *rest = end + ret->bracketed;
    if (*rest == '\0') return true;
    size_t digits = strlen(rest) - 1;
    if (*rest != ':' || digits >= sizeof ret->port || strspn(rest + 1, "0123456789") != digits) return false;
    memcpy(ret->port, rest + 1, digits);
    return true;
}

static bool is_address(const authority *a)
{
    struct in6_addr six;
    struct in_addr four;
    return a->bracketed ? inet_pton(AF_INET6, a->host, &six) == 1 : inet_pton(AF_INET, a->host, &four) == 1;
}

bool sdw_access_host_ok(const sdw_access_rules *a, const char *host)
{
    authority at;
    if (a->key || a->every_host || !host) return true;
    if (!split_authority(host, &at)) return false;
    if (is_address(&at) || strcasecmp(at.host, "localhost") == 0) return true;
    if (a->machine[0] && strcasecmp(at.host, a->machine) == 0) return true;
    for (const char *const *h = a->hosts; h && *h; h++)
        if (strcasecmp(*h, at.host) == 0) return true;
    return false;
}

/* ---- origins ---- */

/* The part behind "http://" or "https://"; *ret_port is what that scheme means without a port. */
static const char *web_authority(const char *origin, const char **ret_port)
{
    if (strncasecmp(origin, "http://", 7) == 0) {
        *ret_port = "80";
        return origin + 7;
    }
    if (strncasecmp(origin, "https://", 8) == 0) {
        *ret_port = "443";
        return origin + 8;
    }
    return NULL;
}

static bool same_origin(const char *origin, const char *host)
{
    const char *port, *text = web_authority(origin, &port);
    authority o, h;
    if (!text || !host || !split_authority(text, &o) || !split_authority(host, &h)) return false;
    return strcasecmp(o.host, h.host) == 0 && strcmp(o.port[0] ? o.port : port, h.port[0] ? h.port : port) == 0;
}

static bool local_page(const char *origin)
{
    if (strcasecmp(origin, "tauri://localhost") == 0) return true;
    const char *port, *text = web_authority(origin, &port);
    authority o;
    if (!text || !split_authority(text, &o)) return false;
    if (o.bracketed) return strcmp(o.host, "::1") == 0;
    return strcasecmp(o.host, "localhost") == 0 || strcmp(o.host, "127.0.0.1") == 0 ||
           (strcasecmp(o.host, "tauri.localhost") == 0 && !o.port[0]);
}

sdw_origin sdw_access_origin(const sdw_access_rules *a, const char *origin, const char *host)
{
    if (!origin) return SDW_ORIGIN_NONE;
    if (a->every_origin || same_origin(origin, host)) return SDW_ORIGIN_ALLOWED;
    if (a->local_pages && local_page(origin)) return SDW_ORIGIN_ALLOWED;
    return list_has(a->origins, origin) ? SDW_ORIGIN_ALLOWED : SDW_ORIGIN_FOREIGN;
}

bool sdw_method_changes(const char *method)
{
    static const char *const reading[] = { "GET", "HEAD", "OPTIONS", NULL };
    return !list_has(reading, method);
}

/* ---- key ---- */

static sdw_credential judge(const sdw_access_rules *a, const char *given, size_t size)
{
    while (size > 0 && (given[0] == ' ' || given[0] == '\t')) given++, size--;
    while (size > 0 && (given[size - 1] == ' ' || given[size - 1] == '\t')) size--;
    if (size == 0) return SDW_CREDENTIAL_MISSING;
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)given[i] < 0x20 || given[i] == 0x7f) return SDW_CREDENTIAL_MISSING;
    return sdw_secret_equal(a->key, given, size) ? SDW_CREDENTIAL_OK : SDW_CREDENTIAL_WRONG;
}

static sdw_credential judge_basic(const sdw_access_rules *a, const char *text)
{
    sdw_buf pair = { .max = CREDENTIAL_BYTES_MAX };
    sdw_credential answer = SDW_CREDENTIAL_MISSING;
    if (sdw_base64_decode(text, strlen(text), "Authorization", CREDENTIAL_BYTES_MAX, &pair, NULL) == SDW_OK && pair.size) {
        const char *colon = memchr(pair.data, ':', pair.size);
        if (colon) answer = judge(a, colon + 1, pair.size - (size_t)(colon + 1 - pair.data));
        sdw_secret_wipe(pair.data, pair.size);
    }
    sdw_buf_finish(&pair);
    return answer;
}

static sdw_credential judge_authorization(const sdw_access_rules *a, const char *value, bool basic)
{
    if (!value || strlen(value) > CREDENTIAL_BYTES_MAX) return SDW_CREDENTIAL_MISSING;
    if (strncmp(value, "Bearer ", 7) == 0) return judge(a, value + 7, strlen(value + 7));
    if (basic && strncasecmp(value, "Basic ", 6) == 0) return judge_basic(a, value + 6 + strspn(value + 6, " "));
    return SDW_CREDENTIAL_MISSING;
}

sdw_credential sdw_access_key(const sdw_access_rules *a, const sdw_head *h, bool token_query, bool basic)
{
    if (!a->key) return SDW_CREDENTIAL_OK;
    const char *plain[2] = { sdw_head_get(h, "api-key"), token_query ? sdw_target_query(&h->target, "token") : NULL };
    sdw_credential best = judge_authorization(a, sdw_head_get(h, "authorization"), basic);
    for (int i = 0; i < 2 && best != SDW_CREDENTIAL_OK; i++) {
        if (!plain[i] || strlen(plain[i]) > CREDENTIAL_BYTES_MAX) continue;
        sdw_credential one = judge(a, plain[i], strlen(plain[i]));
        if (one != SDW_CREDENTIAL_MISSING) best = one;
    }
    return best;
}

/* ---- CORS headers ---- */

static const char allowed_headers[] = "authorization, content-type, last-event-id, idempotency-key";

/* Names of headers that the page asks for, kept only if they are nothing but a list of names. */
static bool is_name_list(const char *s)
{
    size_t size = strlen(s);
    return size > 0 && size < 1024 &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_, ") == size;
}

static void add_preflight(const sdw_head *h, sdw_origin origin, sdw_http_response *ret)
{
    const char *asked = origin == SDW_ORIGIN_ALLOWED ? sdw_head_get(h, "access-control-request-headers") : NULL;
    sdw_buf names = { 0 };
    sdw_buf_puts(&names, allowed_headers);
    if (asked && is_name_list(asked)) sdw_buf_printf(&names, ", %s", asked);
    (void)sdw_http_add_header(ret, "access-control-allow-methods", "GET, POST, DELETE, OPTIONS", NULL);
    if (!names.failed) (void)sdw_http_add_header(ret, "access-control-allow-headers", names.data, NULL);
    sdw_buf_finish(&names);
}

void sdw_access_add_headers(const sdw_access_rules *a, const sdw_head *h, bool preflight, sdw_http_response *ret)
{
    const char *asked = sdw_head_get(h, "origin");
    sdw_origin origin = sdw_access_origin(a, asked, sdw_head_get(h, "host"));
    if (a->every_origin) (void)sdw_http_add_header(ret, "access-control-allow-origin", "*", NULL);
    else if (origin == SDW_ORIGIN_ALLOWED) (void)sdw_http_add_header(ret, "access-control-allow-origin", asked, NULL);
    if (a->every_origin || origin == SDW_ORIGIN_ALLOWED) {
        (void)sdw_http_add_header(ret, "vary", "origin, access-control-request-method, access-control-request-headers", NULL);
        (void)sdw_http_add_header(ret, "access-control-expose-headers", "x-request-id, retry-after, idempotency-replayed", NULL);
    }
    if (preflight && origin != SDW_ORIGIN_FOREIGN) add_preflight(h, origin, ret);
}
