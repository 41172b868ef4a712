/* uuid.c - getrandom(2) and two spellings of what it gives. */
#include "core/uuid.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static const char hex_digits[] = "0123456789abcdef";

sdw_status sdw_random_bytes(void *to, size_t size, sdw_error *err)
{
    for (unsigned char *p = to; size > 0;) {
        ssize_t n = getrandom(p, size, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return sdw_fail(err, SDW_IO, "random numbers: getrandom gave none: %s", strerror(errno));
        p += n;
        size -= (size_t)n;
    }
    return SDW_OK;
}

sdw_status sdw_uuid_v4(char ret[SDW_UUID_SIZE], sdw_error *err)
{
    unsigned char b[16];
    sdw_status s = sdw_random_bytes(b, sizeof b, err);
    if (s != SDW_OK) return s;
    b[6] = (unsigned char)(0x40 | (b[6] & 0x0f)); /* version */
    b[8] = (unsigned char)(0x80 | (b[8] & 0x3f)); /* variant */
    char *to = ret;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *to++ = '-';
        *to++ = hex_digits[b[i] >> 4];
        *to++ = hex_digits[b[i] & 15];
    }
    *to = '\0';
    return SDW_OK;
}

sdw_status sdw_hex128(char ret[SDW_HEX128_SIZE], sdw_error *err)
{
    unsigned char b[16];
    sdw_status s = sdw_random_bytes(b, sizeof b, err);
    if (s != SDW_OK) return s;
    for (int i = 0; i < 16; i++) {
        ret[2 * i] = hex_digits[b[i] >> 4];
        ret[2 * i + 1] = hex_digits[b[i] & 15];
    }
    ret[32] = '\0';
    return SDW_OK;
}

static bool is_hex_digit(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool sdw_is_hex(const char *text, size_t digits)
{
    for (size_t i = 0; i < digits; i++)
        if (!is_hex_digit(text[i])) return false;
    return text[digits] == '\0';
}

bool sdw_is_hex128(const char *text)
{
    return sdw_is_hex(text, SDW_HEX128_SIZE - 1);
}

bool sdw_is_uuid_v4(const char *text)
{
    for (size_t i = 0; i < SDW_UUID_SIZE - 1; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !is_hex_digit(text[i])) return false;
    }
    return text[SDW_UUID_SIZE - 1] == '\0' && text[14] == '4' && strchr("89ab", text[19]) != NULL;
}
