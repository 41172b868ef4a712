/* fault_io.h - an sdw_io over the real system in which the nth changing call fails, or writes a part and then fails,
 * or from which on the disk is full. Syncs take no time: nobody cuts
 * the power here. Header only, so that every test folder may use it. */
#ifndef SDW_TEST_FAULT_IO_H
#define SDW_TEST_FAULT_IO_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/io.h"

enum { FAULT_OPEN = 1, FAULT_WRITE = 2, FAULT_FSYNC = 4, FAULT_TRUNCATE = 8, FAULT_RENAME = 16, FAULT_LINK = 32, FAULT_UNLINK = 64, FAULT_READ = 128 };

typedef struct fault_io {
    sdw_io io;        /* give &f.io to the code under test */
    unsigned kinds;   /* which calls count */
    long fail_at;     /* 1 = the next counted call fails; 0 = none */
    bool sticky;      /* all later counted calls fail too */
    int error;        /* errno to give */
    bool half;        /* a failing write first writes half of its bytes: the next call fails */
    long count;       /* counted calls so far */
    int64_t room;     /* bytes that may still be written, then ENOSPC; -1 = no bound */
    bool half_done;
} fault_io;

static bool fault_due(fault_io *f, unsigned kind)
{
    if (!(f->kinds & kind)) return false;
    f->count++;
    bool due = f->fail_at && (f->count == f->fail_at || (f->sticky && f->count > f->fail_at));
    if (due) errno = f->error;
    return due;
}

static int fault_openat(void *ctx, int dir, const char *name, int flags, mode_t mode)
{
    return fault_due(ctx, FAULT_OPEN) ? -1 : sdw_io_system.openat(NULL, dir, name, flags, mode);
}

static int fault_close(void *ctx, int fd)
{
    (void)ctx;
    return sdw_io_system.close(NULL, fd);
}

static ssize_t fault_pread(void *ctx, int fd, void *to, size_t size, off_t at)
{
    return fault_due(ctx, FAULT_READ) ? -1 : sdw_io_system.pread(NULL, fd, to, size, at);
}

static ssize_t fault_write(void *ctx, int fd, const void *from, size_t size)
{
    fault_io *f = ctx;
    if (f->half_done) {
        f->half_done = false;
        errno = f->error;
        return -1;
    }
    if (f->room >= 0) {
        if (f->room == 0 && size > 0) {
            errno = ENOSPC;
            return -1;
        }
        if ((int64_t)size > f->room) size = (size_t)f->room;
        f->room -= (int64_t)size;
    }
    if (fault_due(f, FAULT_WRITE)) {
        if (!f->half || size < 2) return -1;
        f->half_done = true;
        size /= 2;
    }
    return sdw_io_system.write(NULL, fd, from, size);
}

static int fault_fsync(void *ctx, int fd)
{
    (void)fd;
    return fault_due(ctx, FAULT_FSYNC) ? -1 : 0;
}

static int fault_ftruncate(void *ctx, int fd, off_t size)
{
    return fault_due(ctx, FAULT_TRUNCATE) ? -1 : sdw_io_system.ftruncate(NULL, fd, size);
}

static int fault_renameat(void *ctx, int dir, const char *from, const char *to)
{
    return fault_due(ctx, FAULT_RENAME) ? -1 : sdw_io_system.renameat(NULL, dir, from, to);
}

static int fault_linkat(void *ctx, int dir, const char *from, const char *to)
{
    return fault_due(ctx, FAULT_LINK) ? -1 : sdw_io_system.linkat(NULL, dir, from, to);
}

static int fault_unlinkat(void *ctx, int dir, const char *name)
{
    return fault_due(ctx, FAULT_UNLINK) ? -1 : sdw_io_system.unlinkat(NULL, dir, name);
}

static inline void fault_io_init(fault_io *f)
{
    *f = (fault_io){ .error = EIO, .room = -1 };
    f->io = (sdw_io){ fault_openat, fault_close, fault_pread, fault_write, fault_fsync, fault_ftruncate, fault_renameat, fault_linkat, fault_unlinkat, f };
}

static inline void fault_io_arm(fault_io *f, unsigned kinds, long nth)
{
    f->kinds = kinds;
    f->fail_at = nth;
    f->count = 0;
    f->half_done = false;
}

#endif
