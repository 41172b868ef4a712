/* json_out.c - see json_out.h. */
#include "server/json_out.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base64.h"

static void value_begins(sdw_buf *out)
{
    char last = out->size ? out->data[out->size - 1] : '[';
    if (last != '[' && last != ':' && last != '{' && last != ' ' && last != '\n') sdw_buf_append(out, ",", 1);
}

void sdw_json_open(sdw_buf *out, char bracket)
{
    value_begins(out);
    sdw_buf_append(out, &bracket, 1);
}

void sdw_json_close(sdw_buf *out, char bracket)
{
    sdw_buf_append(out, &bracket, 1);
}

/* Bytes of the UTF-8 character at text, 0 if there is none: overlong forms, surrogates and cut characters are none. */
static size_t character(const unsigned char *t, size_t left)
{
    size_t n = t[0] < 0x80 ? 1 : t[0] >= 0xC2 && t[0] < 0xE0 ? 2 : (t[0] & 0xF0) == 0xE0 ? 3 : t[0] >= 0xF0 && t[0] < 0xF5 ? 4 : 0;
    if (n == 0 || n > left) return 0;
    for (size_t i = 1; i < n; i++)
        if ((t[i] & 0xC0) != 0x80) return 0;
    if (t[0] == 0xE0 && t[1] < 0xA0) return 0;
    if (t[0] == 0xED && t[1] > 0x9F) return 0;
    if (t[0] == 0xF0 && t[1] < 0x90) return 0;
    if (t[0] == 0xF4 && t[1] > 0x8F) return 0;
    return n;
}

static void escape(sdw_buf *out, unsigned char c)
{
    static const char shorts[][2] = { { '"', '"' }, { '\\', '\\' }, { '\b', 'b' }, { '\f', 'f' }, { '\n', 'n' }, { '\r', 'r' }, { '\t', 't' } };
    for (size_t i = 0; i < sizeof shorts / sizeof shorts[0]; i++) {
        if (shorts[i][0] != (char)c) continue;
        sdw_buf_printf(out, "\\%c", shorts[i][1]);
        return;
    }
    sdw_buf_printf(out, "\\u%04x", c);
}

void sdw_json_text_n(sdw_buf *out, const char *text, size_t size)
{
    const unsigned char *t = (const unsigned char *)text;
    size_t plain = 0; /* start of what needs no escape */
    value_begins(out);
    sdw_buf_append(out, "\"", 1);
    for (size_t i = 0; i < size;) {
        size_t n = character(t + i, size - i);
        if (n && t[i] >= 0x20 && t[i] != '"' && t[i] != '\\') {
            i += n;
            continue;
        }
        sdw_buf_append(out, text + plain, i - plain);
        if (n) escape(out, t[i]);
        else sdw_buf_puts(out, "\xEF\xBF\xBD");
        plain = ++i;
    }
    sdw_buf_append(out, text + plain, size - plain);
    sdw_buf_append(out, "\"", 1);
}

void sdw_json_text(sdw_buf *out, const char *text)
{
    if (text) sdw_json_text_n(out, text, strlen(text));
    else sdw_json_null(out);
}

void sdw_json_key(sdw_buf *out, const char *key)
{
    sdw_json_text(out, key);
    sdw_buf_append(out, ":", 1);
}

void sdw_json_raw(sdw_buf *out, const char *json)
{
    value_begins(out);
    sdw_buf_puts(out, json);
}

void sdw_json_int(sdw_buf *out, int64_t n)
{
    value_begins(out);
    sdw_buf_printf(out, "%" PRId64, n);
}

void sdw_json_uint(sdw_buf *out, uint64_t n)
{
    value_begins(out);
    sdw_buf_printf(out, "%" PRIu64, n);
}

void sdw_json_bool(sdw_buf *out, bool b)
{
    sdw_json_raw(out, b ? "true" : "false");
}

void sdw_json_null(sdw_buf *out)
{
    sdw_json_raw(out, "null");
}

void sdw_json_real(sdw_buf *out, double n)
{
    char text[40];
    if (!isfinite(n)) {
        sdw_json_null(out);
        return;
    }
    snprintf(text, sizeof text, "%.15g", n);
    sdw_json_raw(out, text);
}

void sdw_json_base64(sdw_buf *out, const void *bytes, size_t size)
{
    value_begins(out);
    sdw_buf_append(out, "\"", 1);
    sdw_base64_encode(bytes, size, out);
    sdw_buf_append(out, "\"", 1);
}

void sdw_json_put_text(sdw_buf *out, const char *key, const char *text)
{
    sdw_json_key(out, key);
    sdw_json_text(out, text);
}

void sdw_json_put_int(sdw_buf *out, const char *key, int64_t n)
{
    sdw_json_key(out, key);
    sdw_json_int(out, n);
}

void sdw_json_put_bool(sdw_buf *out, const char *key, bool b)
{
    sdw_json_key(out, key);
    sdw_json_bool(out, b);
}

void sdw_json_put_real(sdw_buf *out, const char *key, double n)
{
    sdw_json_key(out, key);
    sdw_json_real(out, n);
}
