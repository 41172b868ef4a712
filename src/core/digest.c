/* digest.c - libcrypto's digests behind four functions. */
#include "core/digest.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "core/mem.h"

struct sdw_digest {
    EVP_MD_CTX *ctx; /* owned */
    sdw_digest_kind kind;
};

static const char *kind_name(sdw_digest_kind kind)
{
    return kind == SDW_DIGEST_SHA256 ? "SHA-256" : "SHA-1";
}

static sdw_status start(sdw_digest *d, uint64_t size, sdw_error *err)
{
    char head[32];
    const EVP_MD *md = d->kind == SDW_DIGEST_SHA256 ? EVP_sha256() : EVP_sha1();
    d->ctx = EVP_MD_CTX_new();
    if (!d->ctx || !EVP_DigestInit_ex(d->ctx, md, NULL))
        return sdw_fail(err, SDW_INTERNAL, "digest: libcrypto has no %s", kind_name(d->kind));
    if (d->kind != SDW_DIGEST_GIT_BLOB) return SDW_OK;
    int n = snprintf(head, sizeof head, "blob %" PRIu64, size);
    return sdw_digest_add(d, head, (size_t)n + 1, err); /* with its NUL */
}

sdw_status sdw_digest_open(sdw_digest_kind kind, uint64_t size, sdw_digest **ret, sdw_error *err)
{
    sdw_digest *d = sdw_calloc(1, sizeof *d);
    if (!d) return sdw_fail_memory(err, "digest", sizeof *d);
    d->kind = kind;
    sdw_status s = start(d, size, err);
    if (s == SDW_OK) *ret = d;
    else sdw_digest_close(d);
    return s;
}

sdw_status sdw_digest_add(sdw_digest *d, const void *data, size_t size, sdw_error *err)
{
    if (EVP_DigestUpdate(d->ctx, data, size)) return SDW_OK;
    return sdw_fail(err, SDW_INTERNAL, "digest: libcrypto cannot add %zu bytes to a %s", size, kind_name(d->kind));
}

sdw_status sdw_digest_hex(sdw_digest *d, char ret_hex[SDW_DIGEST_HEX_SIZE], sdw_error *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0, want = d->kind == SDW_DIGEST_SHA256 ? 32 : 20;
    if (!EVP_DigestFinal_ex(d->ctx, digest, &size) || size != want)
        return sdw_fail(err, SDW_INTERNAL, "digest: libcrypto gave %u bytes of %s, want %u", size, kind_name(d->kind), want);
    for (unsigned i = 0; i < size; i++) snprintf(ret_hex + 2 * i, 3, "%02x", digest[i]);
    return SDW_OK;
}

void sdw_digest_close(sdw_digest *d)
{
    if (!d) return;
    EVP_MD_CTX_free(d->ctx);
    sdw_free(d);
}
