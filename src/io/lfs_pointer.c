/* lfs_pointer.c - see lfs_pointer.h. */
#include "io/lfs_pointer.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

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
