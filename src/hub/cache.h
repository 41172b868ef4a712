/* cache.h - the Hugging Face cache on disk, in the layout of the Python library, so that both can use one cache:
 *
 *   ROOT/CACHEDIR.TAG
 *   ROOT/.locks/models--org--name/HASH.lock         flock(2), lock.h
 *   ROOT/models--org--name/refs/REVISION            40 hex digits, no newline; nested folders for refs/pr/1
 *   ROOT/models--org--name/blobs/HASH               content; HASH is SHA-256 (LFS files) or git's SHA-1
 *   ROOT/models--org--name/blobs/HASH.sdw.incomplete   being fetched by us; grows in order, kept for the next run
 *   ROOT/models--org--name/snapshots/COMMIT/PATH    relative symbolic link to the blob; without symlinks the file itself
 *   ROOT/models--org--name/trees/COMMIT.json        listing of the commit (listing.h)
 *   ROOT/models--org--name/.no_exist/COMMIT/PATH    empty: known to be absent at that commit
 *
 * This header reads; cache_write.h writes. Nothing here keeps state; any thread. */
#ifndef SDW_HUB_CACHE_H
#define SDW_HUB_CACHE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"
#include "hub/listing.h"
#include "hub/names.h"

#define SDW_HUB_PATH_MAX PATH_MAX
#define SDW_HUB_FOLDER_SIZE (SDW_HUB_ID_SIZE + 16)

/* printf form; SDW_LIMIT if the path does not fit. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
sdw_status sdw_hub_path(char ret_path[SDW_HUB_PATH_MAX], sdw_error *err, const char *format, ...);

/* "models--org--name" of "org/name". */
void sdw_hub_folder_of_id(const char *id, char ret[SDW_HUB_FOLDER_SIZE]);
/* The other way; false if the folder is not one of a model repository. */
bool sdw_hub_id_of_folder(const char *folder, char ret[SDW_HUB_ID_SIZE]);

typedef enum sdw_hub_place {
    SDW_HUB_REPO,      /* name is not used: "" */
    SDW_HUB_REFS,      /* folder; "" */
    SDW_HUB_REF,       /* revision */
    SDW_HUB_BLOBS,     /* folder; "" */
    SDW_HUB_BLOB,      /* hash */
    SDW_HUB_PARTIAL,   /* hash */
    SDW_HUB_SNAPSHOTS, /* folder; "" */
    SDW_HUB_SNAPSHOT,  /* commit, or commit/path */
    SDW_HUB_TREE,      /* commit */
    SDW_HUB_NO_EXIST,  /* commit, or commit/path */
    SDW_HUB_LOCK       /* hash */
} sdw_hub_place;

/* Where that thing of repository `id` lies below the cache's root. The names must have been checked. */
sdw_status sdw_hub_place_of(const char *root, const char *id, sdw_hub_place place, const char *name,
                            char ret_path[SDW_HUB_PATH_MAX], sdw_error *err);

/* The commit of a revision: itself if it is one, else what refs/REVISION says. SDW_NOT_FOUND without such a ref,
 * SDW_FORMAT if the file does not hold a commit. */
sdw_status sdw_hub_cache_commit(const char *root, const char *id, const char *revision, char ret_commit[SDW_HUB_COMMIT_SIZE],
                                sdw_error *err);

/* Called per repository, per ref or per snapshot; a status that is not SDW_OK ends the walk and is returned. */
typedef sdw_status sdw_hub_visit_fn(void *ctx, const char *name, sdw_error *err);
/* Model repositories in the cache, by id, in order of their names. A root that does not exist has none. */
sdw_status sdw_hub_cache_repos(const char *root, sdw_hub_visit_fn *visit, void *ctx, sdw_error *err);
/* Revisions of refs/ ("main", "refs/pr/1"). */
sdw_status sdw_hub_cache_refs(const char *root, const char *id, sdw_hub_visit_fn *visit, void *ctx, sdw_error *err);
/* Commits of snapshots/. */
sdw_status sdw_hub_cache_snapshots(const char *root, const char *id, sdw_hub_visit_fn *visit, void *ctx, sdw_error *err);

/* What lies in a folder of files or links to blobs, with the sizes of the contents; a link that leads nowhere is left
 * out. hash is the name of the blob where the file is a link to one. Works on snapshots and on plain folders. */
sdw_status sdw_hub_cache_files(const char *folder, sdw_hub_listing *ret, sdw_error *err);

/* Is the snapshot of that commit a whole model, as far as this program would use it: every file that select.h chooses
 * is there with its size? variant NULL = any. SDW_OK; SDW_NOT_FOUND names the first thing that is missing; other
 * errors (a class that we do not know, pickles only) say what is wrong with the model. */
sdw_status sdw_hub_cache_complete(const char *root, const char *id, const char *commit, const char *variant, sdw_error *err);

/* The snapshot that `revision` names, if it is whole: its folder, or its one file where the repository is no pipeline.
 * Writes nothing. */
sdw_status sdw_hub_cache_find(const char *root, const char *id, const char *revision, const char *variant,
                              char ret_path[SDW_HUB_PATH_MAX], sdw_error *err);

#endif
