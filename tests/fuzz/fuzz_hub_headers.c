/* Header lines of an answer (Link, ETag, RateLimit, Content-Range, ...), then its Location as a redirect, then names that
 * a person might paste. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hub/address.h"
#include "hub/headers.h"
#include "hub/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t size)
{
    if (!memchr(text, '\0', size)) abort();
    for (; *text; text++)
        if ((unsigned char)*text < ' ') abort();
}

static void check_headers(const sdw_hub_headers *h)
{
    check_text(h->etag, sizeof h->etag);
    check_text(h->linked_etag, sizeof h->linked_etag);
    check_text(h->location, sizeof h->location);
    check_text(h->next, sizeof h->next);
    check_text(h->commit, sizeof h->commit);
    check_text(h->error_message, sizeof h->error_message);
    if (h->has_range && h->range_total == 0 && h->status > 999) abort();
    if (sdw_hub_headers_wait_s(h) < -1) abort();
}

/* A redirect from https never leads to http, and never to another scheme. */
static void check_hop(const char *location)
{
    sdw_hub_hop hop;
    if (sdw_hub_next_hop("https://host/a/b?c", location, &hop, NULL) == SDW_OK && strncmp(hop.url, "https://", 8) != 0) abort();
}

static void check_name(const char *text)
{
    char file[256];
    sdw_hub_name n;
    if (sdw_hub_name_parse(text, "http://mirror", &n, NULL) == SDW_OK) {
        if (!sdw_hub_is_id(n.id)) abort();
        if (n.file[0] && sdw_hub_check_file(n.file, strlen(n.file), NULL) != SDW_OK) abort();
    }
    if (sdw_hub_address_file(text, file, sizeof file, NULL) == SDW_OK && (strchr(file, '/') || !strcmp(file, ".."))) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static sdw_hub_headers h;
    char text[4096];
    const uint8_t *at = data, *end = data + size;
    sdw_hub_headers_clear(&h);
    while (at < end) {
        const uint8_t *line = memchr(at, '\n', (size_t)(end - at));
        size_t n = line ? (size_t)(line - at) + 1 : (size_t)(end - at);
        sdw_hub_headers_line(&h, (const char *)at, n);
        if (n < sizeof text) {
            memcpy(text, at, n);
            text[n] = '\0';
            text[strcspn(text, "\r\n")] = '\0';
            check_name(text);
        }
        at += n;
    }
    check_headers(&h);
    check_hop(h.location);
    return 0;
}
