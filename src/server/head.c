/* head.c - see head.h.
 *
 * What the library accepts and we do not (two lengths, length with chunked, blanks before a colon, ...) is how requests
 * are smuggled past a proxy that reads them otherwise; each rule is a row of tests/server/test_probes.c. */
#include "server/head.h"

#include <string.h>
#include <strings.h>

void sdw_head_init(sdw_head *h)
{
    memset(h, 0, sizeof *h);
    /* Names and values, each with its NUL and alignment, and the target twice (as it came and decoded). */
    sdw_arena_init(&h->arena, 8 * SDW_HEAD_BYTES_MAX);
}

void sdw_head_finish(sdw_head *h)
{
    sdw_arena_finish(&h->arena);
}

static char *copy(sdw_arena *arena, const char *text, size_t size)
{
    char *to = sdw_arena_alloc(arena, size + 1);
    if (to && size) memcpy(to, text, size);
    return to;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

bool sdw_head_add(sdw_head *h, const char *name, size_t name_size, const char *value, size_t value_size)
{
    if (h->header_count == SDW_HEADERS_MAX) return false;
    while (value_size > 0 && blank(value[0])) value++, value_size--;
    while (value_size > 0 && blank(value[value_size - 1])) value_size--;
    sdw_pair *p = &h->header[h->header_count];
    p->name = copy(&h->arena, name, name_size);
    p->value = copy(&h->arena, value, value_size);
    if (!p->name || !p->value) return false;
    h->header_count++;
    return true;
}

static bool is_token(const char *s)
{
    if (!*s) return false;
    for (; *s; s++)
        if (!((*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || strchr("!#$%&'*+-.^_`|~", *s)))
            return false;
    return true;
}

static bool has_control(const char *s)
{
    for (; *s; s++)
        if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f) return true;
    return false;
}

static const char *read_length(sdw_head *h, const char *text)
{
    if (h->has_length) return "Content-Length stands twice";
    if (!*text || strspn(text, "0123456789") != strlen(text)) return "Content-Length is not a number";
    uint64_t n = 0;
    for (; *text; text++) {
        unsigned digit = (unsigned)(*text - '0');
        if (n > (UINT64_MAX - digit) / 10) return "Content-Length is too large";
        n = n * 10 + digit;
    }
    h->has_length = true;
    h->length = n;
    return NULL;
}

static const char *check_headers(sdw_head *h)
{
    int hosts = 0, encodings = 0;
    const char *problem = NULL;
    for (int i = 0; i < h->header_count && !problem; i++) {
        const char *name = h->header[i].name, *value = h->header[i].value;
        if (!is_token(name)) return "a header name holds a character that is not allowed there";
        if (has_control(value)) return "a header value holds a control character";
        if (strcasecmp(name, "host") == 0) hosts++;
        if (strcasecmp(name, "content-length") == 0) problem = read_length(h, value);
        if (strcasecmp(name, "transfer-encoding") == 0) {
            encodings++;
            if (strcasecmp(value, "chunked") != 0) problem = "Transfer-Encoding is not chunked";
        }
        if (strcasecmp(name, "expect") == 0 && strcasecmp(value, "100-continue") == 0) h->expects_continue = true;
    }
    if (problem) return problem;
    if (encodings > 1) return "Transfer-Encoding stands twice";
    if (encodings && h->has_length) return "Content-Length and Transfer-Encoding stand together";
    if (encodings && h->minor == 0) return "Transfer-Encoding in an HTTP/1.0 request";
    if (hosts > 1) return "Host stands twice";
    if (hosts == 0 && h->minor > 0) return "Host is missing";
    h->chunked = encodings == 1;
    return NULL;
}

const char *sdw_head_check(sdw_head *h, const char *method, const char *raw_target, const char *version)
{
    h->minor = strcmp(version, "HTTP/1.0") == 0 ? 0 : 1;
    h->method = copy(&h->arena, method, strlen(method));
    if (!h->method) return "the request is too large";
    if (!is_token(method)) return "the method holds a character that is not allowed there";
    const char *problem = check_headers(h);
    return problem ? problem : sdw_target_parse(raw_target, &h->arena, &h->target);
}

const char *sdw_head_get(const sdw_head *h, const char *name)
{
    for (int i = 0; i < h->header_count; i++)
        if (strcasecmp(h->header[i].name, name) == 0) return h->header[i].value;
    return NULL;
}

bool sdw_list_names(const char *list, const char *item)
{
    size_t item_size = strlen(item);
    while (*list) {
        while (blank(*list) || *list == ',') list++;
        size_t size = strcspn(list, ";,");
        size_t named = size;
        while (named > 0 && blank(list[named - 1])) named--;
        if (named == item_size && item_size > 0 && strncasecmp(list, item, named) == 0) return true;
        list += strcspn(list, ",");
    }
    return false;
}

bool sdw_media_type_is(const char *value, const char *type)
{
    size_t size = strcspn(value, ";");
    while (size > 0 && blank(value[size - 1])) size--;
    return size == strlen(type) && strncasecmp(value, type, size) == 0;
}
