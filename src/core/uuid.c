/* uuid.c - getrandom(2) and two spellings of what it gives. */
#include "core/uuid.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

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
    char digits[SDW_HEX128_SIZE];
    sdw_hex_from_bytes(b, sizeof b, digits);
    char *to = ret;
    for (int i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) *to++ = '-';
        *to++ = digits[i];
    }
    *to = '\0';
    return SDW_OK;
}

sdw_status sdw_hex128(char ret[SDW_HEX128_SIZE], sdw_error *err)
{
    unsigned char b[16];
    sdw_status s = sdw_random_bytes(b, sizeof b, err);
    if (s != SDW_OK) return s;
    sdw_hex_from_bytes(b, sizeof b, ret);
    return SDW_OK;
}

bool sdw_is_hex128(const char *text)
{
    return sdw_is_hex(text, SDW_HEX128_SIZE - 1);
}

bool sdw_is_uuid_v4(const char *text)
{
    for (size_t i = 0; i < SDW_UUID_SIZE - 1; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !strchr("0123456789abcdef", text[i]) || !text[i]) return false;
    }
    return text[SDW_UUID_SIZE - 1] == '\0' && text[14] == '4' && strchr("89ab", text[19]) != NULL;
}
