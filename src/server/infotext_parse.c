/* infotext_parse.c - see infotext_parse.h. Linear in the text: one pass to find pairs, no regular expressions. */
#include "server/infotext_parse.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "server/json_out.h"

#define PAIRS_MIN 3 /* a last line with fewer is prompt */
#define PAIRS_MAX 256

typedef struct pair { const char *key, *value; size_t key_size, value_size; bool quoted; } pair;

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* "Key: value," or "Key: "quoted"," at *at; false leaves *at alone. */
static bool read_pair(const char **at, const char *end, pair *p)
{
    const char *s = *at;
    while (s < end && (*s == ' ' || *s == '\t')) s++;
    p->key = s;
    if (s == end || !is_word(*s)) return false;
    while (s < end && (is_word(*s) || *s == ' ' || *s == '-' || *s == '/')) s++;
    p->key_size = (size_t)(s - p->key);
    if (s == end || *s != ':' || p->key_size < 2) return false;
    for (s++; s < end && (*s == ' ' || *s == '\t');) s++;
    p->value = s;
    p->quoted = s < end && *s == '"';
    if (p->quoted) {
        for (s++; s < end && *s != '"'; s++)
            if (*s == '\\' && s + 1 < end) s++;
        p->quoted = s < end;
        if (p->quoted) s++;
        else s = p->value; /* not closed: taken as it stands */
    }
    while (s < end && *s != ',') s++;
    p->value_size = (size_t)(s - p->value);
    while (p->value_size && p->value[p->value_size - 1] == ' ') p->value_size--;
    *at = s < end ? s + 1 : s;
    return true;
}

static int read_pairs(const char *line, const char *end, pair *pairs)
{
    int n = 0;
    while (line < end && n < PAIRS_MAX) {
        if (read_pair(&line, end, &pairs[n])) {
            n++;
            continue;
        }
        line = memchr(line, ',', (size_t)(end - line)); /* not a pair: the next one may be */
        if (!line) break;
        line++;
    }
    return n;
}

static void put_key(const char *key, size_t size, const char *tail, sdw_buf *out)
{
    char name[128];
    if (size > 100) size = 100;
    memcpy(name, key, size);
    snprintf(name + size, sizeof name - size, "%s", tail);
    sdw_json_key(out, name);
}

/* A quoted value is a JSON string; only its \" and \\ are common. */
static void put_value(const pair *p, sdw_buf *out)
{
    sdw_buf plain;
    if (!p->quoted) {
        sdw_json_text_n(out, p->value, p->value_size);
        return;
    }
    sdw_buf_init(&plain, 0);
    for (size_t i = 1; i + 1 < p->value_size; i++) {
        if (p->value[i] == '\\' && i + 2 < p->value_size) i++;
        char c = p->value[i] == 'n' && p->value[i - 1] == '\\' ? '\n' : p->value[i];
        sdw_buf_append(&plain, &c, 1);
    }
    sdw_json_text_n(out, plain.data ? plain.data : "", plain.size);
    sdw_buf_finish(&plain);
}

/* "512x768": both numbers under names of their own. */
static void put_sides(const pair *p, sdw_buf *out)
{
    size_t first = strspn(p->value, "0123456789");
    if (!first || first >= p->value_size || p->value[first] != 'x') return;
    size_t second = strspn(p->value + first + 1, "0123456789");
    if (!second || first + 1 + second != p->value_size) return;
    put_key(p->key, p->key_size, "-1", out);
    sdw_json_text_n(out, p->value, first);
    put_key(p->key, p->key_size, "-2", out);
    sdw_json_text_n(out, p->value + first + 1, second);
}

static bool has(const pair *pairs, int n, const char *key)
{
    for (int i = 0; i < n; i++)
        if (pairs[i].key_size == strlen(key) && !strncmp(pairs[i].key, key, pairs[i].key_size)) return true;
    return false;
}

static void put_trimmed(const char *key, const char *at, const char *end, sdw_buf *out)
{
    while (at < end && isspace((unsigned char)*at)) at++;
    while (end > at && isspace((unsigned char)end[-1])) end--;
    sdw_json_key(out, key);
    sdw_json_text_n(out, at, (size_t)(end - at));
}

void sdw_infotext_to_json(const char *text, sdw_buf *out)
{
    static const struct { const char *key, *value; } missing[] = { { "Clip skip", "1" }, { "Schedule type", "Automatic" }, { "RNG", "GPU" } };
    static const char mark[] = "Negative prompt:";
    pair pairs[PAIRS_MAX];
    const char *end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1])) end--;
    const char *line = end;
    while (line > text && line[-1] != '\n') line--;
    int n = read_pairs(line, end, pairs);
    if (n < PAIRS_MIN) n = 0;
    const char *prompts_end = n ? line : end, *negative = prompts_end;
    for (const char *s = text; s < prompts_end; s++)
        if ((s == text || s[-1] == '\n') && !strncmp(s, mark, sizeof mark - 1)) {
            negative = s;
            break;
        }
    sdw_json_open(out, '{');
    put_trimmed("Prompt", text, negative, out);
    if (negative < prompts_end) put_trimmed("Negative prompt", negative + sizeof mark - 1 < prompts_end ? negative + sizeof mark - 1 : prompts_end, prompts_end, out);
    else put_trimmed("Negative prompt", end, end, out);
    for (int i = 0; i < n; i++) {
        put_key(pairs[i].key, pairs[i].key_size, "", out);
        put_value(&pairs[i], out);
        put_sides(&pairs[i], out);
    }
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        if (has(pairs, n, missing[i].key)) continue;
        sdw_json_key(out, missing[i].key);
        sdw_json_text(out, missing[i].value);
    }
    sdw_json_close(out, '}');
}
