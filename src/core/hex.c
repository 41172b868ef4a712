/* hex.c - see hex.h. */
#include "core/hex.h"

static bool is_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static unsigned value(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

bool sdw_is_hex(const char *text, size_t digits)
{
    for (size_t i = 0; i < digits; i++)
        if (!is_digit(text[i])) return false;
    return text[digits] == '\0';
}

void sdw_hex_from_bytes(const void *bytes, size_t size, char *to)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = bytes;
    for (size_t i = 0; i < size; i++) {
        *to++ = digits[p[i] >> 4];
        *to++ = digits[p[i] & 15];
    }
    *to = '\0';
}

bool sdw_hex_to_bytes(const char *text, void *to, size_t size)
{
    unsigned char *p = to;
    if (!text || !sdw_is_hex(text, 2 * size)) return false;
    for (size_t i = 0; i < size; i++) p[i] = (unsigned char)(value(text[2 * i]) << 4 | value(text[2 * i + 1]));
    return true;
}
