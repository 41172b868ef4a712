/* io.h - the calls of the operating system that make and change files, as a table: tests put one there in which the nth
 * call fails, writes half, or claims to have synced. Each entry has the meaning and errno of the call it is named after. Any thread. */
#ifndef SDW_CORE_IO_H
#define SDW_CORE_IO_H

#include <sys/types.h>

typedef struct sdw_io {
    int (*openat)(void *ctx, int dir, const char *name, int flags, mode_t mode);
    int (*close)(void *ctx, int fd);
    ssize_t (*pread)(void *ctx, int fd, void *to, size_t size, off_t at);
    ssize_t (*write)(void *ctx, int fd, const void *from, size_t size);
    int (*fsync)(void *ctx, int fd);
    int (*ftruncate)(void *ctx, int fd, off_t size);
    int (*renameat)(void *ctx, int dir, const char *from, const char *to); /* both in dir */
    int (*linkat)(void *ctx, int dir, const char *from, const char *to);   /* both in dir */
    int (*unlinkat)(void *ctx, int dir, const char *name);
    void *ctx;
} sdw_io;

extern const sdw_io sdw_io_system;

#endif
