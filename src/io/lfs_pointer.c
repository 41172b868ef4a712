/* lfs_pointer.c - see lfs_pointer.h. */
#include "io/lfs_pointer.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/json.h"

bool sdw_is_lfs_pointer(const char *path)
{
    char begin[sizeof SDW_LFS_POINTER_MAGIC - 1];
    /* O_NONBLOCK: opening a FIFO must not wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return false;
    ssize_t n = pread(fd, begin, sizeof begin, 0);
    close(fd);
    return n == (ssize_t)sizeof begin && memcmp(begin, SDW_LFS_POINTER_MAGIC, sizeof begin) == 0;
}

/* Names with folders in them are left to whoever opens the index, who refuses them. */
static bool shard_is_pointer(const char *index, const char *shard)
{
    char path[PATH_MAX];
    const char *slash = strrchr(index, '/');
    int n = snprintf(path, sizeof path, "%.*s%s", slash ? (int)(slash - index) + 1 : 0, index, shard);
    return !strchr(shard, '/') && n > 0 && n < (int)sizeof path && sdw_is_lfs_pointer(path);
}

bool sdw_is_lfs_pointer_weights(const char *path)
{
    const sdw_json_limits limits = { .top = SDW_JSON_OBJECT };
    size_t n = strlen(path);
    yyjson_doc *doc = NULL;
    const char *before = "";
    bool found = false;
    if (n < 5 || strcmp(path + n - 5, ".json") != 0) return sdw_is_lfs_pointer(path);
    if (sdw_json_read_file(path, &limits, &doc, NULL) != SDW_OK) return sdw_is_lfs_pointer(path);
    yyjson_obj_iter it = yyjson_obj_iter_with(yyjson_obj_get(yyjson_doc_get_root(doc), "weight_map"));
    for (yyjson_val *key; !found && (key = yyjson_obj_iter_next(&it));) {
        const char *shard = yyjson_get_str(yyjson_obj_iter_get_val(key));
        if (!shard || !strcmp(shard, before)) continue; /* tensors of one shard mostly stand together */
        found = shard_is_pointer(path, shard);
        before = shard;
    }
    yyjson_doc_free(doc);
    return found;
}
