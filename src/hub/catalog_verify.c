/* catalog_verify.c - every byte of a model against the hash that it was published with. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/digest.h"
#include "hub/catalog_impl.h"

typedef struct verifier {
    const sdw_verify_hooks *hooks;
    sdw_hub_listing known;   /* of the commit; empty where there is none */
    sdw_verify_result result;
} verifier;

/* `blob` is the name of the blob that the file is, "" if it is none. Where the listing knows the file its hash counts:
 * a link to a sound blob may be the wrong link. */
static sdw_status verify_file(verifier *v, const char *path, const char *within, uint64_t size, const char *blob, sdw_error *err)
{
    char hex[SDW_DIGEST_HEX_SIZE] = "";
    const sdw_hub_entry *known = sdw_hub_listing_find(&v->known, within);
    const char *wanted = known && known->hash[0] ? known->hash : blob;
    sdw_status s = sdw_digest_file(strlen(wanted) == 40 ? SDW_DIGEST_GIT_BLOB : SDW_DIGEST_SHA256, path, v->hooks ? v->hooks->cancelled : NULL,
                                   v->hooks ? v->hooks->ctx : NULL, hex, err);
    if (s == SDW_NOT_FOUND) s = SDW_IO; /* a link to nothing is as unreadable */
    if (s != SDW_OK && s != SDW_IO) return s;
    bool right = s == SDW_OK && !strcmp(hex, wanted);
    sdw_verified_file f = { .path = within, .size = size, .wanted = wanted, .found = hex,
                            .result = s == SDW_IO ? SDW_VERIFIED_UNREADABLE : !wanted[0] ? SDW_VERIFIED_UNKNOWN
                                      : right ? SDW_VERIFIED_RIGHT : SDW_VERIFIED_WRONG };
    if (f.result == SDW_VERIFIED_RIGHT) v->result.right++;
    else if (f.result == SDW_VERIFIED_UNKNOWN) v->result.unknown++;
    else v->result.wrong++;
    v->result.bytes += size;
    if (v->hooks && v->hooks->file) v->hooks->file(v->hooks->ctx, &f);
    return SDW_OK;
}

static sdw_status verify_folder(verifier *v, const char *folder, sdw_error *err)
{
    char path[SDW_HUB_PATH_MAX];
    sdw_hub_listing l = { 0 };
    sdw_status s = sdw_hub_cache_files(folder, &l, err);
    for (size_t i = 0; s == SDW_OK && i < l.count; i++) {
        s = sdw_hub_path(path, err, "%s/%s", folder, l.entries[i].path);
        if (s == SDW_OK) s = verify_file(v, path, l.entries[i].path, l.entries[i].size, l.entries[i].hash, err);
    }
    sdw_hub_listing_finish(&l);
    return s;
}

/* The name of the blob that a link leads to, "" for anything else. */
static void blob_of(const char *path, char ret[SDW_HUB_ETAG_SIZE])
{
    char target[SDW_HUB_PATH_MAX];
    ssize_t n = readlink(path, target, sizeof target - 1);
    ret[0] = '\0';
    if (n <= 0) return;
    target[n] = '\0';
    const char *slash = strrchr(target, '/'), *name = slash ? slash + 1 : target;
    if (sdw_hub_is_hash(name)) memcpy(ret, name, strlen(name) + 1);
}

static sdw_status verify(verifier *v, const sdw_catalog_places *places, const sdw_catalog_entry *e, sdw_error *err)
{
    char path[SDW_HUB_PATH_MAX], blob[SDW_HUB_ETAG_SIZE];
    struct stat st;
    if (e->commit[0]) {
        sdw_status s = sdw_hub_place_of(places->cache, e->id, SDW_HUB_TREE, e->commit, path, err);
        if (s != SDW_OK) return s;
        if (sdw_hub_listing_read_file(&v->known, path, NULL) != SDW_OK) sdw_hub_listing_finish(&v->known); /* none: do without */
    }
    if (stat(e->path, &st) != 0) return sdw_fail(err, SDW_NOT_FOUND, "%s: %s", e->path, strerror(errno));
    if (S_ISDIR(st.st_mode)) return verify_folder(v, e->path, err);
    const char *slash = strrchr(e->path, '/');
    blob_of(e->path, blob);
    return verify_file(v, e->path, slash ? slash + 1 : e->path, (uint64_t)st.st_size, blob, err);
}

sdw_status sdw_catalog_verify(const sdw_catalog_places *places, const sdw_catalog_entry *e, const sdw_verify_hooks *hooks,
                              sdw_verify_result *ret, sdw_error *err)
{
    verifier v = { .hooks = hooks };
    sdw_status s = verify(&v, places, e, err);
    if (s == SDW_OK) *ret = v.result;
    sdw_hub_listing_finish(&v.known);
    return s;
}
