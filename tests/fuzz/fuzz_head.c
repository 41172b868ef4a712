/* Heads of requests as the HTTP library hands them on: a method, a target and a version in the first line, a header in
 * each further one. Then everything that looks at headers: lists, media types, Host, Origin, key, CORS. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/access.h"

/* Cuts the next line off; NULL at the end. */
static char *line(char **rest)
{
    char *at = *rest;
    if (!at) return NULL;
    char *end = strchr(at, '\n');
    *rest = end ? end + 1 : NULL;
    if (end) *end = '\0';
    return at;
}

static void look_at_access(const sdw_head *h)
{
    static const char *const list[] = { "http://a.example", "b", NULL };
    const char *host = sdw_head_get(h, "host"), *origin = sdw_head_get(h, "origin");
    for (int i = 0; i < 4; i++) {
        sdw_server_options o = { .api_key = i & 1 ? "k" : NULL, .cors_origins = i & 2 ? list : NULL, .allowed_hosts = list };
        sdw_access_rules a;
        sdw_http_response r = { 0 };
        sdw_access_rules_of(&o, true, &a);
        bool host_ok = sdw_access_host_ok(&a, host);
        if (!host_ok && (i & 1)) abort(); /* with a key every host passes */
        if (sdw_access_origin(&a, origin, host) != SDW_ORIGIN_NONE && !origin) abort();
        if (sdw_access_key(&a, h, true, true) != SDW_CREDENTIAL_OK && !(i & 1)) abort();
        sdw_access_add_headers(&a, h, true, &r);
        for (int k = 0; k < r.header_count; k++)
            if (strpbrk(r.headers[k][1], "\r\n")) abort();
        sdw_http_response_finish(&r);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sdw_head h;
    char *text = malloc(size + 1);
    if (!text) return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    char *rest = text, *method = line(&rest), *target = strchr(method, ' '), *version = NULL;
    if (target) *target++ = '\0', version = strchr(target, ' ');
    if (version) *version++ = '\0';
    sdw_head_init(&h);
    bool full = false;
    for (char *l; !full && (l = line(&rest)) != NULL;) {
        char *colon = strchr(l, ':');
        const char *value = colon ? colon + 1 : "";
        full = !sdw_head_add(&h, l, colon ? (size_t)(colon - l) : strlen(l), value, strlen(value));
    }
    if (!full && !sdw_head_check(&h, method, target ? target : "", version ? version : "")) {
        if (h.chunked && h.has_length) abort();
        if (h.minor > 0 && !sdw_head_get(&h, "host")) abort();
        look_at_access(&h);
    }
    for (int i = 0; i < h.header_count; i++) {
        (void)sdw_list_names(h.header[i].value, "text/event-stream");
        (void)sdw_media_type_is(h.header[i].value, "application/json");
        if (strcmp(h.header[i].value, "application/json") == 0 && !sdw_media_type_is(h.header[i].value, "APPLICATION/JSON")) abort();
    }
    sdw_head_finish(&h);
    free(text);
    return 0;
}
