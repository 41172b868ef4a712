/* sha256.c - libcrypto's digest behind two functions. */
#include "core/sha256.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define DIGEST_BYTES 32
#define READ_BYTES 65536

static sdw_status finish(EVP_MD_CTX *ctx, char ret_hex[SDW_SHA256_HEX_SIZE], sdw_error *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (!EVP_DigestFinal_ex(ctx, digest, &size) || size != DIGEST_BYTES)
        return sdw_fail(err, SDW_INTERNAL, "sha256: libcrypto gave %u bytes, want %d", size, DIGEST_BYTES);
    for (int i = 0; i < DIGEST_BYTES; i++) snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
    return SDW_OK;
}

static EVP_MD_CTX *start(void)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL)) return ctx;
    EVP_MD_CTX_free(ctx);
    return NULL;
}

sdw_status sdw_sha256_bytes(const void *data, size_t size, char ret_hex[SDW_SHA256_HEX_SIZE], sdw_error *err)
{
    EVP_MD_CTX *ctx = start();
    sdw_status status = SDW_INTERNAL;
    if (ctx && EVP_DigestUpdate(ctx, data, size)) status = finish(ctx, ret_hex, err);
    else sdw_fail(err, status, "sha256: libcrypto cannot hash %zu bytes, want its SHA-256", size);
    EVP_MD_CTX_free(ctx);
    return status;
}

sdw_status sdw_sha256_file(const char *path, char ret_hex[SDW_SHA256_HEX_SIZE], sdw_error *err)
{
    unsigned char piece[READ_BYTES];
    sdw_status status = SDW_OK;
    FILE *f = fopen(path, "rb");
    if (!f)
        return sdw_fail(err, errno == ENOENT ? SDW_NOT_FOUND : SDW_IO, "%s: cannot open: %s", path, strerror(errno));
    EVP_MD_CTX *ctx = start();
    for (size_t n = 1; ctx && n > 0 && status == SDW_OK;) {
        errno = 0;
        n = fread(piece, 1, sizeof piece, f);
        if (ferror(f)) status = sdw_fail(err, SDW_IO, "%s: cannot read: %s", path, strerror(errno));
        else if (!EVP_DigestUpdate(ctx, piece, n)) status = sdw_fail(err, SDW_INTERNAL, "%s: libcrypto cannot hash", path);
    }
    if (!ctx) status = sdw_fail(err, SDW_INTERNAL, "%s: libcrypto has no SHA-256", path);
    if (status == SDW_OK) status = finish(ctx, ret_hex, err);
    EVP_MD_CTX_free(ctx);
    fclose(f);
    return status;
}
