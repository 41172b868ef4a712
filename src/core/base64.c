/* base64.c - four letters for three bytes. */
#include "core/base64.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "core/mem.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool sdw_base64_encode(const void *data, size_t size, sdw_buf *out)
{
    size_t need;
    const uint8_t *p = data;
    if (!sdw_size_mul(size / 3 + (size % 3 != 0), 4, &need)) {
        out->failed = true;
        return false;
    }
    char *to = sdw_buf_reserve(out, need);
    if (!to) return false;
    for (; size >= 3; size -= 3, p += 3) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        *to++ = letters[v >> 18];
        *to++ = letters[v >> 12 & 63];
        *to++ = letters[v >> 6 & 63];
        *to++ = letters[v & 63];
    }
    if (size > 0) {
        uint32_t v = (uint32_t)p[0] << 16 | (size == 2 ? (uint32_t)p[1] << 8 : 0);
        *to++ = letters[v >> 18];
        *to++ = letters[v >> 12 & 63];
        *to++ = size == 2 ? letters[v >> 6 & 63] : '=';
        *to++ = '=';
    }
    *to = '\0';
    out->size += need;
    return true;
}

/* Value of a letter, 64 for everything else. */
static void fill_values(uint8_t values[256])
{
    memset(values, 64, 256);
    for (uint8_t i = 0; i < 64; i++) values[(uint8_t)letters[i]] = i;
}

static sdw_status wrong_letter(const char *text, size_t size, const uint8_t *values, const char *what, sdw_error *err)
{
    size_t i = 0;
    while (i < size && values[(uint8_t)text[i]] < 64) i++;
    if (i == size) return sdw_fail(err, SDW_INTERNAL, "%s: base64 is refused without a reason", what);
    return sdw_fail(err, SDW_FORMAT, "%s: byte 0x%02x at place %zu is not base64, want A-Z a-z 0-9 + /", what,
                    (unsigned)(uint8_t)text[i], i);
}

/* Letters without their padding. Padding must fill up to four, or be absent altogether. */
static sdw_status strip_padding(const char *text, size_t *size, const char *what, sdw_error *err)
{
    size_t n = *size, pads = 0;
    while (pads < 2 && n > 0 && text[n - 1] == '=') n--, pads++;
    if (n % 4 == 1 || (pads > 0 && (n + pads) % 4 != 0))
        return sdw_fail(err, SDW_FORMAT, "%s: base64 of %zu letters and %zu '=' is cut short, want groups of 4", what, n, pads);
    *size = n;
    return SDW_OK;
}

sdw_status sdw_base64_decode(const char *text, size_t size, const char *what, size_t bytes_max, sdw_buf *out, sdw_error *err)
{
    uint8_t values[256];
    sdw_status s = strip_padding(text, &size, what, err);
    if (s != SDW_OK) return s;
    size_t rest = size % 4, bytes = size / 4 * 3 + (rest ? rest - 1 : 0);
    if (bytes_max && bytes > bytes_max)
        return sdw_fail(err, SDW_LIMIT, "%s: %zu bytes in base64, want at most %zu", what, bytes, bytes_max);
    if (bytes == 0) return SDW_OK;
    if (out->failed || (out->max && bytes > out->max - out->size))
        return sdw_fail(err, SDW_LIMIT, "%s: %zu bytes in base64 do not fit into %zu", what, bytes, out->max);
    uint8_t *to = (uint8_t *)sdw_buf_reserve(out, bytes);
    if (!to) return sdw_fail_memory(err, what, bytes);
    fill_values(values);
    const uint8_t *p = (const uint8_t *)text;
    uint32_t bad = 0;
    for (size_t i = 0; i + 4 <= size; i += 4) {
        uint32_t a = values[p[i]], b = values[p[i + 1]], c = values[p[i + 2]], d = values[p[i + 3]];
        bad |= a | b | c | d;
        uint32_t v = a << 18 | b << 12 | c << 6 | d;
        *to++ = (uint8_t)(v >> 16);
        *to++ = (uint8_t)(v >> 8);
        *to++ = (uint8_t)v;
    }
    uint32_t left = 0;
    if (rest) {
        uint32_t a = values[p[size - rest]], b = values[p[size - rest + 1]], c = rest == 3 ? values[p[size - 1]] : 0;
        bad |= a | b | c;
        uint32_t v = a << 18 | b << 12 | c << 6;
        *to++ = (uint8_t)(v >> 16);
        if (rest == 3) *to++ = (uint8_t)(v >> 8);
        left = rest == 3 ? c & 3 : b & 15;
    }
    if (!(bad & 64) && !left) out->size += bytes;
    out->data[out->size] = '\0';
    if (bad & 64) return wrong_letter(text, size, values, what, err);
    if (left) return sdw_fail(err, SDW_FORMAT, "%s: the last letter of the base64 has bits left over, want them 0", what);
    return SDW_OK;
}

sdw_status sdw_data_url_prefix(const char *text, size_t size, const char *what, size_t *ret_prefix, sdw_error *err)
{
    enum { HEAD_MAX = 256 }; /* type and parameters; far more than any client writes */
    static const char scheme[] = "data:", mark[] = ";base64", type[] = "image/";
    const size_t scheme_length = sizeof scheme - 1, mark_length = sizeof mark - 1;
    if (size < scheme_length || strncasecmp(text, scheme, scheme_length) != 0) {
        *ret_prefix = 0;
        return SDW_OK;
    }
    const char *comma = memchr(text, ',', size < HEAD_MAX ? size : HEAD_MAX);
    if (!comma) return sdw_fail(err, SDW_FORMAT, "%s: a data: URL without a comma, want data:image/...;base64,...", what);
    size_t n = (size_t)(comma - text);
    if (n < scheme_length + mark_length || strncasecmp(comma - mark_length, mark, mark_length) != 0)
        return sdw_fail(err, SDW_FORMAT, "%s: a data: URL that is not base64, want data:image/...;base64,...", what);
    bool typed = n > scheme_length + mark_length;
    if (typed && (n < scheme_length + sizeof type - 1 || strncasecmp(text + scheme_length, type, sizeof type - 1) != 0))
        return sdw_fail(err, SDW_FORMAT, "%s: a data: URL of another type, want data:image/...;base64,...", what);
    *ret_prefix = n + 1;
    return SDW_OK;
}
