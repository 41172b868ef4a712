/* target.c - see target.h. The library's own decoding is switched off: it turns "/a%00b" into "/a". */
#include "server/target.h"

#include <stdbool.h>
#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Bytes of the character that begins at s, 0 if none does. Overlong forms and surrogates are none (RFC 3629). */
static size_t utf8_length(const unsigned char *s, size_t size)
{
    if (s[0] < 0x80) return 1;
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || n > size) return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)) return 0;
    if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)) return 0;
    return n;
}

static const char *check_text(const char *text, size_t size)
{
    const unsigned char *s = (const unsigned char *)text;
    for (size_t i = 0; i < size;) {
        if (s[i] < 0x20 || s[i] == 0x7f) return "the URL holds a control character";
        size_t n = utf8_length(s + i, size - i);
        if (n == 0) return "the URL is not UTF-8";
        i += n;
    }
    return NULL;
}

/* Decodes raw[0..size) into the arena. */
static const char *decode(const char *raw, size_t size, bool plus, sdw_arena *arena, const char **ret)
{
    char *out = sdw_arena_alloc(arena, size + 1);
    size_t n = 0;
    if (!out) return "the URL is too long";
    for (size_t i = 0; i < size; i++) {
        char c = raw[i];
        if (c == '%') {
            if (size - i < 3 || hex_digit(raw[i + 1]) < 0 || hex_digit(raw[i + 2]) < 0)
                return "the URL holds a '%' that is not followed by two hexadecimal digits";
            c = (char)(hex_digit(raw[i + 1]) * 16 + hex_digit(raw[i + 2]));
            i += 2;
        } else if (plus && c == '+') {
            c = ' ';
        }
        out[n++] = c;
    }
    const char *problem = check_text(out, n);
    if (!problem) *ret = out;
    return problem;
}

static bool has_parent_segment(const char *path)
{
    for (const char *s = path; (s = strstr(s, "..")) != NULL; s += 2)
        if ((s == path || s[-1] == '/') && (s[2] == '/' || s[2] == '\0')) return true;
    return false;
}

static const char *parse_query(const char *raw, sdw_arena *arena, sdw_target *ret)
{
    for (const char *s = raw; *s;) {
        size_t size = strcspn(s, "&");
        const char *equals = memchr(s, '=', size);
        size_t name_size = equals ? (size_t)(equals - s) : size;
        if (size > 0) {
            if (ret->query_count == SDW_QUERY_MAX) return "the URL has more than 64 arguments";
            sdw_pair *p = &ret->query[ret->query_count];
            p->value = "";
            const char *problem = decode(s, name_size, true, arena, &p->name);
            if (!problem && equals) problem = decode(equals + 1, size - name_size - 1, true, arena, &p->value);
            if (problem) return problem;
            ret->query_count++;
        }
        s += size + (s[size] == '&');
    }
    return NULL;
}

const char *sdw_target_parse(const char *raw, sdw_arena *arena, sdw_target *ret)
{
    *ret = (sdw_target){ .path = "" };
    if (raw[0] != '/') return "the URL does not begin with '/'";
    for (const char *s = raw; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == 0x7f || *s == '#') return "the URL holds a space, '#' or control character";
    size_t path_size = strcspn(raw, "?");
    const char *problem = decode(raw, path_size, false, arena, &ret->path);
    if (problem) return problem;
    if (has_parent_segment(ret->path)) return "the URL holds a segment '..'";
    return raw[path_size] == '?' ? parse_query(raw + path_size + 1, arena, ret) : NULL;
}

const char *sdw_target_query(const sdw_target *t, const char *name)
{
    for (int i = 0; i < t->query_count; i++)
        if (strcmp(t->query[i].name, name) == 0) return t->query[i].value;
    return NULL;
}
