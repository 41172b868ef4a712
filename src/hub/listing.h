/* listing.h - the files of a repository at one commit: as the hub lists them, as trees/COMMIT.json keeps them, as they
 * lie in a snapshot. Paths are checked (names.h) before they get in. */
#ifndef SDW_HUB_LISTING_H
#define SDW_HUB_LISTING_H

#include <stdbool.h>
#include <stdint.h>

#include "core/json.h"
#include "hub/names.h"

/* Large repositories have some 10,000 files; the maximum keeps a hostile listing small in memory. */
#define SDW_HUB_LISTING_MAX 200000

typedef struct sdw_hub_entry {
    char *path;                      /* owned */
    uint64_t size;
    char hash[SDW_HUB_ETAG_SIZE];    /* name of its blob: SHA-256 of LFS files, else git's SHA-1; "" = not known */
    char git_oid[SDW_HUB_COMMIT_SIZE]; /* git's SHA-1 of the file, or of its LFS pointer; "" = not known */
    char xet_hash[SDW_HUB_ETAG_SIZE];  /* not used by us, kept for the Python library; "" = none */
} sdw_hub_entry;

/* Caller's storage; zeroed is empty. */
typedef struct sdw_hub_listing {
    sdw_hub_entry *entries;          /* owned; sorted by path once sorted */
    size_t count, capacity;
} sdw_hub_listing;

void sdw_hub_listing_finish(sdw_hub_listing *l);
/* Copies the entry and its path. SDW_LIMIT past the maximum. */
sdw_status sdw_hub_listing_add(sdw_hub_listing *l, const char *path, size_t path_length, uint64_t size, const char *hash,
                               const char *git_oid, sdw_error *err);
/* Sorts by path; SDW_FORMAT if one path stands twice. */
sdw_status sdw_hub_listing_sort(sdw_hub_listing *l, sdw_error *err);
/* In a sorted listing; NULL if absent. */
const sdw_hub_entry *sdw_hub_listing_find(const sdw_hub_listing *l, const char *path);

/* Appends one page of /api/models/ID/tree: files only; the content hash is lfs.oid there. `what` names it in errors. */
sdw_status sdw_hub_listing_add_tree(sdw_hub_listing *l, const char *text, size_t size, const char *what, sdw_error *err);
/* Appends "siblings" of /api/models/ID?blobs=true; the content hash is lfs.sha256 there. */
sdw_status sdw_hub_listing_add_siblings(sdw_hub_listing *l, yyjson_val *siblings, const char *what, sdw_error *err);

/* trees/COMMIT.json: {"format_version":1,"files":{PATH:{"size","blob_id","lfs_sha256","lfs_size","xet_hash"}}}. */
sdw_status sdw_hub_listing_read_file(sdw_hub_listing *l, const char *path, sdw_error *err);
/* *ret: sdw_free. */
sdw_status sdw_hub_listing_write(const sdw_hub_listing *l, char **ret, size_t *ret_size, sdw_error *err);

#endif
