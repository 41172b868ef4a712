/* sha256.c - SHA-256 of what is there as a whole. */
#include "core/sha256.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/digest.h"

#define READ_BYTES 65536

static sdw_status finish(sdw_digest *d, sdw_status status, char ret_hex[SDW_SHA256_HEX_SIZE], sdw_error *err)
{
    if (status == SDW_OK) status = sdw_digest_hex(d, ret_hex, err);
    sdw_digest_close(d);
    return status;
}

sdw_status sdw_sha256_bytes(const void *data, size_t size, char ret_hex[SDW_SHA256_HEX_SIZE], sdw_error *err)
{
    sdw_digest *d = NULL;
    sdw_status status = sdw_digest_open(SDW_DIGEST_SHA256, size, &d, err);
    if (status == SDW_OK) status = sdw_digest_add(d, data, size, err);
    return finish(d, status, ret_hex, err);
}

sdw_status sdw_sha256_file(const char *path, char ret_hex[SDW_SHA256_HEX_SIZE], sdw_error *err)
{
    unsigned char piece[READ_BYTES];
    sdw_digest *d = NULL;
    FILE *f = fopen(path, "rb");
    if (!f)
        return sdw_fail(err, errno == ENOENT ? SDW_NOT_FOUND : SDW_IO, "%s: cannot open: %s", path, strerror(errno));
    sdw_status status = sdw_digest_open(SDW_DIGEST_SHA256, 0, &d, err);
    for (size_t n = 1; n > 0 && status == SDW_OK;) {
        errno = 0;
        n = fread(piece, 1, sizeof piece, f);
        if (ferror(f)) status = sdw_fail(err, SDW_IO, "%s: cannot read: %s", path, strerror(errno));
        else status = sdw_digest_add(d, piece, n, err);
    }
    status = finish(d, status, ret_hex, err);
    fclose(f);
    return status;
}
