/* digest.h - SHA-256 and git's blob SHA-1, fed piece by piece. A thin cover over libcrypto. One thread at a time. */
#ifndef SDW_CORE_DIGEST_H
#define SDW_CORE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

#define SDW_DIGEST_HEX_SIZE 65 /* the longest: 64 digits and the NUL */

typedef enum sdw_digest_kind {
    SDW_DIGEST_SHA256,
    SDW_DIGEST_GIT_BLOB /* SHA-1 of "blob SIZE", a NUL and the content: the id of a file in git */
} sdw_digest_kind;

typedef struct sdw_digest sdw_digest;

/* `size` is that of the whole content; only SDW_DIGEST_GIT_BLOB uses it. */
sdw_status sdw_digest_open(sdw_digest_kind kind, uint64_t size, sdw_digest **ret, sdw_error *err);
sdw_status sdw_digest_add(sdw_digest *d, const void *data, size_t size, sdw_error *err);
/* 64 or 40 lower-case hex digits. The digest may then only be closed. */
sdw_status sdw_digest_hex(sdw_digest *d, char ret_hex[SDW_DIGEST_HEX_SIZE], sdw_error *err);
void sdw_digest_close(sdw_digest *d); /* accepts NULL */

typedef bool sdw_digest_stop_fn(void *ctx);
/* Of a whole file, read in pieces; `stop` (may be NULL) is asked before each: SDW_CANCELLED. SDW_NOT_FOUND if the file does not exist,
 * SDW_IO if it cannot be read or is a folder. Any thread. */
sdw_status sdw_digest_file(sdw_digest_kind kind, const char *path, sdw_digest_stop_fn *stop, void *ctx, char ret_hex[SDW_DIGEST_HEX_SIZE],
                           sdw_error *err);

#endif
