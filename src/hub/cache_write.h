/* cache_write.h - changes to the cache (layout: cache.h). Whoever writes blobs holds their lock. */
#ifndef SDW_HUB_CACHE_WRITE_H
#define SDW_HUB_CACHE_WRITE_H

#include "hub/cache.h"

/* Makes the root and its CACHEDIR.TAG where missing. */
sdw_status sdw_hub_cache_prepare(const char *root, sdw_error *err);
/* refs/REVISION, only if it changes; nothing for a revision that is the commit itself. */
sdw_status sdw_hub_cache_write_ref(const char *root, const char *id, const char *revision, const char *commit, sdw_error *err);
/* trees/COMMIT.json, unless it is there. */
sdw_status sdw_hub_cache_write_tree(const char *root, const char *id, const char *commit, const sdw_hub_listing *l, sdw_error *err);
/* .no_exist/COMMIT/FILE. */
sdw_status sdw_hub_cache_mark_absent(const char *root, const char *id, const char *commit, const char *file, sdw_error *err);

/* What a snapshot's file is made of. */
typedef struct sdw_hub_pointer {
    const char *root, *id, *commit, *file;
    const char *hash;      /* name of the blob */
    bool no_symlinks;      /* a file of its own instead of a link */
    bool may_move;         /* without symlinks: the blob itself may become that file; else it is copied */
} sdw_hub_pointer;

/* Makes snapshots/COMMIT/FILE lead to the blob. Without being told so it does without symbolic links where the file
 * system has none. What already leads there is left alone. */
sdw_status sdw_hub_cache_point(const sdw_hub_pointer *p, sdw_error *err);

#endif
