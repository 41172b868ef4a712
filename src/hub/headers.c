/* headers.c - see headers.h. */
#include "hub/headers.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* A stretch of a line. */
typedef struct span {
    const char *at;
    size_t length;
} span;

static span trim(span s)
{
    while (s.length && strchr(" \t\r\n", s.at[0])) s = (span){ s.at + 1, s.length - 1 };
    while (s.length && strchr(" \t\r\n", s.at[s.length - 1])) s.length--;
    return s;
}

/* Too long for its place, or with control characters inside: as if absent. */
static bool copy(char *to, size_t size, span s)
{
    if (s.length >= size) return false;
    for (size_t i = 0; i < s.length; i++)
        if ((unsigned char)s.at[i] < ' ' || s.at[i] == 0x7f) return false;
    memcpy(to, s.at, s.length);
    to[s.length] = '\0';
    return true;
}

/* Digits only, at most 18 of them. */
static bool number(span s, uint64_t *ret)
{
    uint64_t n = 0;
    if (s.length == 0 || s.length > 18) return false;
    for (size_t i = 0; i < s.length; i++) {
        if (s.at[i] < '0' || s.at[i] > '9') return false;
        n = n * 10 + (uint64_t)(s.at[i] - '0');
    }
    *ret = n;
    return true;
}

/* Cuts at the first `c`: what stands before it is returned, *rest is what follows. False when nothing is left. */
static bool cut(span *rest, char c, span *ret)
{
    if (!rest->at) return false;
    const char *end = memchr(rest->at, c, rest->length);
    *ret = trim((span){ rest->at, end ? (size_t)(end - rest->at) : rest->length });
    if (end) *rest = (span){ end + 1, rest->length - (size_t)(end - rest->at) - 1 };
    else *rest = (span){ NULL, 0 };
    return true;
}

static bool equals(span s, const char *word)
{
    return s.length == strlen(word) && strncasecmp(s.at, word, s.length) == 0;
}

/* W/"abc", "abc" or abc. */
static void put_etag(char *to, size_t size, span s, bool *ret_weak)
{
    bool weak = s.length >= 2 && s.at[0] == 'W' && s.at[1] == '/';
    if (weak) s = (span){ s.at + 2, s.length - 2 };
    if (s.length >= 2 && s.at[0] == '"' && s.at[s.length - 1] == '"') s = (span){ s.at + 1, s.length - 2 };
    if (!copy(to, size, s)) to[0] = '\0';
    if (ret_weak) *ret_weak = weak;
}

/* bytes 0-99/100, bytes 5-9/ *, bytes * /100 */
static void put_range(sdw_hub_headers *h, span s)
{
    span unit, range, first, total;
    uint64_t n;
    h->has_range = false;
    if (s.length < 6 || strncasecmp(s.at, "bytes ", 6) != 0) return;
    unit = trim((span){ s.at + 6, s.length - 6 });
    if (!cut(&unit, '/', &range) || !cut(&unit, '\n', &total)) return;
    h->range_total = UINT64_MAX;
    if (!equals(total, "*") && !number(total, &h->range_total)) return;
    if (equals(range, "*")) return;
    if (!cut(&range, '-', &first) || !number(first, &h->range_first) || !number(range, &n) || n < h->range_first) return;
    h->has_range = true;
}

/* <https://…>; rel="next", <…>; rel="other" - commas and semicolons may stand inside the brackets. */
static void put_link(sdw_hub_headers *h, span s)
{
    while (s.length) {
        const char *open = memchr(s.at, '<', s.length);
        if (!open) return;
        const char *close = memchr(open, '>', s.length - (size_t)(open - s.at));
        if (!close) return;
        span address = { open + 1, (size_t)(close - open - 1) }, rest = { close + 1, s.length - (size_t)(close - s.at) - 1 };
        const char *comma = memchr(rest.at, ',', rest.length);
        span parameters = { rest.at, comma ? (size_t)(comma - rest.at) : rest.length }, p;
        while (cut(&parameters, ';', &p))
            if ((equals(p, "rel=\"next\"") || equals(p, "rel=next")) && !copy(h->next, sizeof h->next, address)) h->next[0] = '\0';
        if (!comma) return;
        s = (span){ comma + 1, rest.length - (size_t)(comma - rest.at) - 1 };
    }
}

/* "api";r=0;t=55, "resolvers";r=12;t=3: only a bucket with nothing left makes us wait. */
static void put_limit(sdw_hub_headers *h, span s)
{
    span bucket, p;
    while (cut(&s, ',', &bucket)) {
        uint64_t left = 1, wait = 0, n;
        while (cut(&bucket, ';', &p)) {
            if (p.length < 3 || p.at[1] != '=' || !number((span){ p.at + 2, p.length - 2 }, &n)) continue;
            if (p.at[0] == 'r') left = n;
            if (p.at[0] == 't') wait = n;
        }
        if (left == 0 && (int64_t)wait > h->limit_wait_s) h->limit_wait_s = (int64_t)wait;
    }
}

static void put_retry_after(sdw_hub_headers *h, span s)
{
    char text[64];
    uint64_t n;
    if (number(s, &n)) {
        h->retry_after_s = (int64_t)n;
        return;
    }
    if (!copy(text, sizeof text, s)) return;
    time_t when = curl_getdate(text, NULL), now = time(NULL);
    if (when != (time_t)-1) h->retry_after_s = when > now ? (int64_t)(when - now) : 0;
}

static void put_request_id(sdw_hub_headers *h, span s, int rank)
{
    if (rank <= h->request_id_rank) return;
    if (copy(h->request_id, sizeof h->request_id, s)) h->request_id_rank = rank;
    else h->request_id[0] = '\0';
}

static void put_text(sdw_hub_headers *h, span name, span value)
{
    const struct {
        const char *name;
        char *to;
        size_t size;
    } texts[] = {
        { "Location", h->location, sizeof h->location },
        { "X-Error-Code", h->error_code, sizeof h->error_code },
        { "X-Error-Message", h->error_message, sizeof h->error_message },
        { "X-HF-Warning", h->warning, sizeof h->warning },
        { "Content-Encoding", h->encoding, sizeof h->encoding },
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (equals(name, texts[i].name) && !copy(texts[i].to, texts[i].size, value)) texts[i].to[0] = '\0';
}

static void put(sdw_hub_headers *h, span name, span value)
{
    if (equals(name, "X-Repo-Commit")) h->has_commit = copy(h->commit, sizeof h->commit, value);
    else if (equals(name, "ETag")) put_etag(h->etag, sizeof h->etag, value, &h->weak_etag);
    else if (equals(name, "X-Linked-Etag")) put_etag(h->linked_etag, sizeof h->linked_etag, value, NULL);
    else if (equals(name, "X-Linked-Size")) h->has_linked_size = number(value, &h->linked_size);
    else if (equals(name, "Content-Length")) h->has_length = number(value, &h->length);
    else if (equals(name, "Content-Range")) put_range(h, value);
    else if (equals(name, "Link")) put_link(h, value);
    else if (equals(name, "RateLimit")) put_limit(h, value);
    else if (equals(name, "Retry-After")) put_retry_after(h, value);
    else if (equals(name, "X-Request-Id")) put_request_id(h, value, 3);
    else if (equals(name, "X-Amzn-Trace-Id")) put_request_id(h, value, 2);
    else if (equals(name, "X-Amz-Cf-Id")) put_request_id(h, value, 1);
    else put_text(h, name, value);
}

void sdw_hub_headers_clear(sdw_hub_headers *h)
{
    memset(h, 0, sizeof *h);
    h->retry_after_s = h->limit_wait_s = -1;
    h->range_total = UINT64_MAX;
}

void sdw_hub_headers_line(sdw_hub_headers *h, const char *line, size_t length)
{
    span s = trim((span){ line, length }), name;
    uint64_t status;
    if (s.length >= 5 && !strncasecmp(s.at, "HTTP/", 5)) {
        span word;
        sdw_hub_headers_clear(h);
        if (cut(&s, ' ', &word) && cut(&s, ' ', &word) && number(word, &status) && status < 1000) h->status = (int)status;
        return;
    }
    if (!memchr(s.at, ':', s.length) || !cut(&s, ':', &name) || !s.at) return;
    put(h, name, trim(s));
}

int64_t sdw_hub_headers_wait_s(const sdw_hub_headers *h)
{
    if (h->limit_wait_s >= 0) return h->limit_wait_s + 1;
    return h->retry_after_s >= 0 ? h->retry_after_s + 1 : -1;
}
