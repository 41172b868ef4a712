/* lfs_pointer.h - Git LFS pointers: a few lines of text that a clone has in place of a large file it did not fetch.
 * The format: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md. Any thread. */
#ifndef SDW_IO_LFS_POINTER_H
#define SDW_IO_LFS_POINTER_H

#include <stdbool.h>

/* How every pointer begins. */
#define SDW_LFS_POINTER_MAGIC "version https://git-lfs"

/* false also for a file that cannot be read: whoever opens it says why. */
bool sdw_is_lfs_pointer(const char *path);
/* The same for weights: a file, or an index (*.json) of which one shard is a pointer. */
bool sdw_is_lfs_pointer_weights(const char *path);

#endif
