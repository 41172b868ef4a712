/* sha256.h - SHA-256 of bytes and of files, as 64 lower-case hex digits. A thin cover over libcrypto. Any thread. */
#ifndef SDW_CORE_SHA256_H
#define SDW_CORE_SHA256_H

#include <stddef.h>

#include "core/status.h"

#define SDW_SHA256_HEX_SIZE 65 /* with the NUL */

sdw_status sdw_sha256_bytes(const void *data, size_t size, char ret_hex[SDW_SHA256_HEX_SIZE], sdw_error *err);
/* Reads the file in pieces. SDW_NOT_FOUND if it does not exist, SDW_IO if it cannot be read or is a folder. */
sdw_status sdw_sha256_file(const char *path, char ret_hex[SDW_SHA256_HEX_SIZE], sdw_error *err);

#endif
