/* sha256.c - SHA-256 of what is there as a whole. */
#include "core/sha256.h"

#include "core/digest.h"

sdw_status sdw_sha256_bytes(const void *data, size_t size, char ret_hex[SDW_SHA256_HEX_SIZE], sdw_error *err)
{
    sdw_digest *d = NULL;
    sdw_status status = sdw_digest_open(SDW_DIGEST_SHA256, size, &d, err);
    if (status == SDW_OK) status = sdw_digest_add(d, data, size, err);
    if (status == SDW_OK) status = sdw_digest_hex(d, ret_hex, err);
    sdw_digest_close(d);
    return status;
}

sdw_status sdw_sha256_file(const char *path, char ret_hex[SDW_SHA256_HEX_SIZE], sdw_error *err)
{
    return sdw_digest_file(SDW_DIGEST_SHA256, path, NULL, NULL, ret_hex, err);
}
