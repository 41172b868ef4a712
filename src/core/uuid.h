/* uuid.h - random bytes of the operating system, and the two kinds of name made from them. Any thread. */
#ifndef SDW_CORE_UUID_H
#define SDW_CORE_UUID_H

#include <stdbool.h>
#include <stddef.h>

#include "core/hex.h"
#include "core/status.h"

#define SDW_UUID_SIZE 37  /* 8-4-4-4-12 lower-case digits and the NUL */
#define SDW_HEX128_SIZE 33 /* 128 bits as lower-case digits and the NUL */

/* Fit for secrets. SDW_IO if the system has none to give. */
sdw_status sdw_random_bytes(void *to, size_t size, sdw_error *err);

/* RFC 9562 version 4: 122 random bits. */
sdw_status sdw_uuid_v4(char ret[SDW_UUID_SIZE], sdw_error *err);
/* A name that cannot be guessed. */
sdw_status sdw_hex128(char ret[SDW_HEX128_SIZE], sdw_error *err);

/* Whether text is written exactly as the two functions above write. */
bool sdw_is_uuid_v4(const char *text);
bool sdw_is_hex128(const char *text);

#endif
