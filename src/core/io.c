/* io.c - the table of the real system. */
#include "core/io.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int sys_openat(void *ctx, int dir, const char *name, int flags, mode_t mode)
{
    (void)ctx;
    return openat(dir, name, flags, mode);
}

static int sys_close(void *ctx, int fd)
{
    (void)ctx;
    return close(fd);
}

static ssize_t sys_pread(void *ctx, int fd, void *to, size_t size, off_t at)
{
    (void)ctx;
    return pread(fd, to, size, at);
}

static ssize_t sys_write(void *ctx, int fd, const void *from, size_t size)
{
    (void)ctx;
    return write(fd, from, size);
}

static int sys_fsync(void *ctx, int fd)
{
    (void)ctx;
    return fsync(fd);
}

static int sys_ftruncate(void *ctx, int fd, off_t size)
{
    (void)ctx;
    return ftruncate(fd, size);
}

static int sys_renameat(void *ctx, int dir, const char *from, const char *to)
{
    (void)ctx;
    return renameat(dir, from, dir, to);
}

static int sys_linkat(void *ctx, int dir, const char *from, const char *to)
{
    (void)ctx;
    return linkat(dir, from, dir, to, 0);
}

static int sys_unlinkat(void *ctx, int dir, const char *name)
{
    (void)ctx;
    return unlinkat(dir, name, 0);
}

const sdw_io sdw_io_system = { sys_openat, sys_close, sys_pread, sys_write, sys_fsync, sys_ftruncate, sys_renameat, sys_linkat, sys_unlinkat, NULL };
