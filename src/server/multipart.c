/* multipart.c - see multipart.h. One pass over the body: delimiter, head lines, bytes up to the next delimiter. */
#include "server/multipart.h"

#include <string.h>
#include <strings.h>

#define BOUNDARY_MAX 70 /* RFC 2046, 5.1.1 */

typedef struct span { const char *at, *end; } span;

/* ---- parameters of a header value: `; name=value` or `; name="quoted"` ---- */

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t')) at++;
    return at;
}

/* Copies a value without quotes and backslashes; false if it does not fit, holds a NUL or its quote is not closed. */
static bool copy_value(const char **at, const char *end, char *to, size_t size)
{
    bool quoted = *at < end && **at == '"';
    size_t n = 0;
    if (quoted) (*at)++;
    for (; *at < end; (*at)++) {
        char c = **at;
        if (quoted ? c == '"' : c == ';' || c == ' ' || c == '\t') break;
        if (quoted && c == '\\' && *at + 1 < end) c = *++*at;
        if (n + 1 >= size || !c) return false;
        to[n++] = c;
    }
    to[n] = '\0';
    if (!quoted) return true;
    if (*at >= end) return false;
    (*at)++;
    return true;
}

typedef enum found { ABSENT, FOUND, BROKEN } found;

/* A parameter by its name, in any case. */
static found parameter(span value, const char *name, char *to, size_t size)
{
    char skipped[1024];
    const char *at = memchr(value.at, ';', (size_t)(value.end - value.at));
    while (at && at < value.end && *at == ';') {
        at = skip_blanks(at + 1, value.end);
        const char *start = at;
        while (at < value.end && *at != '=' && *at != ';') at++;
        size_t length = (size_t)(at - start);
        if (at == value.end || *at != '=') continue;
        at++;
        bool wanted = length == strlen(name) && !strncasecmp(start, name, length);
        if (!copy_value(&at, value.end, wanted ? to : skipped, wanted ? size : sizeof skipped)) return wanted ? BROKEN : ABSENT;
        if (wanted) return FOUND;
        at = skip_blanks(at, value.end);
    }
    return ABSENT;
}

bool sdw_is_multipart(const char *content_type)
{
    static const char type[] = "multipart/form-data";
    size_t n = sizeof type - 1;
    return content_type && !strncasecmp(content_type, type, n) && strchr("; \t", content_type[n]);
}

/* ---- the body ---- */

static const char *find_bytes(const char *at, const char *end, const char *what, size_t size)
{
    while ((size_t)(end - at) >= size) {
        at = memchr(at, what[0], (size_t)(end - at) - size + 1);
        if (!at) return NULL;
        if (!memcmp(at, what, size)) return at;
        at++;
    }
    return NULL;
}

static sdw_status read_name(span line, sdw_part *part, sdw_error *err)
{
    char ignored[1024];
    found name = parameter(line, "name", part->name, sizeof part->name);
    if (name != FOUND)
        return sdw_fail(err, SDW_INVALID, "multipart: a part's name is %s, want 1 to %d bytes",
                        name == ABSENT ? "missing" : "too long or not closed", SDW_MULTIPART_NAME_MAX - 1);
    found file = parameter(line, "filename", ignored, sizeof ignored);
    if (file == ABSENT) file = parameter(line, "filename*", ignored, sizeof ignored);
    part->is_file = file != ABSENT;
    return SDW_OK;
}

/* Head lines up to the empty one; *at then is the first byte of the part's content. */
static sdw_status read_head(const char **at, const char *end, sdw_part *part, sdw_error *err)
{
    static const char disposition[] = "content-disposition:";
    bool named = false;
    for (;;) {
        const char *line_end = find_bytes(*at, end, "\r\n", 2);
        if (!line_end) return sdw_fail(err, SDW_INVALID, "multipart: the head of a part is not ended by an empty line");
        span line = { *at, line_end };
        *at = line_end + 2;
        size_t length = (size_t)(line.end - line.at);
        if (length == 0) break;
        if (length < sizeof disposition - 1 || strncasecmp(line.at, disposition, sizeof disposition - 1) || named) continue;
        sdw_status s = read_name(line, part, err);
        if (s != SDW_OK) return s;
        named = true;
    }
    if (!named || !part->name[0]) return sdw_fail(err, SDW_INVALID, "multipart: a part has no name, want Content-Disposition with one");
    return SDW_OK;
}

/* "\r\n--boundary" in `delimiter`; a body may begin with it or, as usual, without its line break. */
static sdw_status read_parts(span body, const char *delimiter, size_t size, sdw_multipart *ret, sdw_error *err)
{
    const char *at = body.at;
    if ((size_t)(body.end - at) >= size - 2 && !memcmp(at, delimiter + 2, size - 2)) at += size - 2;
    else if ((at = find_bytes(at, body.end, delimiter, size))) at += size;
    else return sdw_fail(err, SDW_INVALID, "multipart: the boundary of the Content-Type is nowhere in the body");
    for (;;) {
        if (body.end - at >= 2 && at[0] == '-' && at[1] == '-') return SDW_OK;
        at = skip_blanks(at, body.end);
        if (body.end - at < 2 || at[0] != '\r' || at[1] != '\n')
            return sdw_fail(err, SDW_INVALID, "multipart: a boundary is followed by neither a line break nor --");
        at += 2;
        if (ret->count == SDW_MULTIPART_PARTS_MAX)
            return sdw_fail(err, SDW_INVALID, "multipart: more than %d parts", SDW_MULTIPART_PARTS_MAX);
        sdw_part *part = &ret->parts[ret->count];
        sdw_status s = read_head(&at, body.end, part, err);
        if (s != SDW_OK) return s;
        /* An empty part's delimiter shares its line break with the head. */
        const char *start = at, *next = find_bytes(at - 2, body.end, delimiter, size);
        if (!next) return sdw_fail(err, SDW_INVALID, "multipart: part \"%s\" is not closed by a boundary", part->name);
        part->bytes = start;
        part->size = next > start ? (size_t)(next - start) : 0;
        at = next + size;
        ret->count++;
    }
}

sdw_status sdw_multipart_parse(const char *content_type, const char *body, size_t size, sdw_multipart *ret, sdw_error *err)
{
    char delimiter[BOUNDARY_MAX + 5] = "\r\n--";
    span type = { content_type, content_type + strlen(content_type) };
    ret->count = 0;
    memset(ret->parts, 0, sizeof ret->parts);
    if (parameter(type, "boundary", delimiter + 4, BOUNDARY_MAX + 1) != FOUND || !delimiter[4])
        return sdw_fail(err, SDW_INVALID, "multipart: the Content-Type has no boundary of 1 to %d bytes", BOUNDARY_MAX);
    return read_parts((span){ body, body + size }, delimiter, strlen(delimiter), ret, err);
}

const sdw_part *sdw_multipart_find(const sdw_multipart *m, const char *name)
{
    for (int i = 0; i < m->count; i++)
        if (!strcmp(m->parts[i].name, name)) return &m->parts[i];
    return NULL;
}
