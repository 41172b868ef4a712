/* secret.c - see secret.h. Both sides are hashed first, so what is compared has one length. */
#include "core/secret.h"

#include <openssl/crypto.h>
#include <string.h>

#include "core/sha256.h"

bool sdw_secret_equal(const char *secret, const char *given, size_t given_size)
{
    char a[SDW_SHA256_HEX_SIZE], b[SDW_SHA256_HEX_SIZE];
    if (sdw_sha256_bytes(secret, strlen(secret), a, NULL) != SDW_OK) return false;
    if (sdw_sha256_bytes(given, given_size, b, NULL) != SDW_OK) return false;
    return CRYPTO_memcmp(a, b, sizeof a) == 0;
}

void sdw_secret_fingerprint(const char *secret, char ret[SDW_SECRET_FINGERPRINT_SIZE])
{
    char hex[SDW_SHA256_HEX_SIZE];
    ret[0] = '\0';
    if (sdw_sha256_bytes(secret, strlen(secret), hex, NULL) != SDW_OK) return;
    memcpy(ret, hex, SDW_SECRET_FINGERPRINT_SIZE - 1);
    ret[SDW_SECRET_FINGERPRINT_SIZE - 1] = '\0';
}

void sdw_secret_wipe(void *bytes, size_t size)
{
    OPENSSL_cleanse(bytes, size);
}
