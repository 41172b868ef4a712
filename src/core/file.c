/* file.c - POSIX files by folder and name. */
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"

sdw_status sdw_fail_errno(sdw_error *err, const char *path, const char *doing)
{
    sdw_status code = errno == ENOENT ? SDW_NOT_FOUND : errno == ENOMEM ? SDW_NO_MEMORY : SDW_IO;
    return sdw_fail(err, code, "%s: %s: %s", path, doing, strerror(errno));
}

static const sdw_io *or_system(const sdw_io *io)
{
    return io ? io : &sdw_io_system;
}

/* ---- reading ---- */

static sdw_status too_large(const char *path, const char *kind, size_t bytes_max, sdw_error *err)
{
    return sdw_fail(err, SDW_LIMIT, "%s: %s is larger than %zu bytes", path, kind, bytes_max);
}

static sdw_status read_on(int fd, const char *path, const char *kind, size_t bytes_max, sdw_buf *out, sdw_error *err)
{
    enum { STEP = 1 << 16 };
    struct stat st;
    if (fstat(fd, &st) != 0) return sdw_fail_errno(err, path, "cannot read");
    if (S_ISDIR(st.st_mode)) return sdw_fail(err, SDW_INVALID, "%s: is a folder: want a %s", path, kind);
    if (S_ISREG(st.st_mode) && (uintmax_t)st.st_size > bytes_max) return too_large(path, kind, bytes_max, err);
    size_t total = 0, step = S_ISREG(st.st_mode) && st.st_size > 0 ? (size_t)st.st_size + 1 : STEP;
    for (;;) {
        char *to = sdw_buf_reserve(out, step);
        if (!to) return sdw_fail_memory(err, kind, total + step);
        ssize_t n = read(fd, to, step);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return sdw_fail_errno(err, path, "cannot read");
        if (n == 0) return SDW_OK;
        out->size += (size_t)n;
        total += (size_t)n;
        if (total > bytes_max) return too_large(path, kind, bytes_max, err);
        step = (size_t)n < step ? step - (size_t)n : STEP;
    }
}

sdw_status sdw_file_read(int fd, const char *path, const char *kind, size_t bytes_max, sdw_buf *out, sdw_error *err)
{
    size_t before = out->size;
    sdw_status status = read_on(fd, path, kind, bytes_max, out, err);
    if (status != SDW_OK) out->size = before;
    return status;
}

static sdw_status read_regular(const sdw_io *io, int fd, const char *path, size_t bytes_max, sdw_buf *out, sdw_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) return sdw_fail_errno(err, path, "cannot read");
    if (!S_ISREG(st.st_mode)) return sdw_fail(err, SDW_INVALID, "%s: is no regular file", path);
    if ((uintmax_t)st.st_size > bytes_max) return too_large(path, "file", bytes_max, err);
    size_t size = (size_t)st.st_size, have = 0;
    char *to = size ? sdw_buf_reserve(out, size) : NULL;
    if (size && !to) return sdw_fail_memory(err, path, size);
    while (have < size) {
        ssize_t n = io->pread(io->ctx, fd, to + have, size - have, (off_t)have);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return sdw_fail_errno(err, path, "cannot read");
        if (n == 0) break; /* it shrank meanwhile */
        have += (size_t)n;
    }
    if (have) {
        out->size += have;
        out->data[out->size] = '\0';
    }
    return SDW_OK;
}

sdw_status sdw_file_read_at(const sdw_io *io, int dir, const char *name, const char *path, size_t bytes_max, sdw_buf *out, sdw_error *err)
{
    io = or_system(io);
    /* O_NONBLOCK: opening a FIFO must not wait for a writer; it changes nothing for regular files. */
    int fd = io->openat(io->ctx, dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0) return sdw_fail_errno(err, path, "cannot open");
    sdw_status status = read_regular(io, fd, path, bytes_max, out, err);
    io->close(io->ctx, fd);
    return status;
}

/* ---- writing ---- */

sdw_status sdw_write_all(const sdw_io *io, int fd, const char *path, const void *bytes, size_t size, sdw_error *err)
{
    io = or_system(io);
    for (const char *p = bytes; size > 0;) {
        ssize_t n = io->write(io->ctx, fd, p, size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return sdw_fail_errno(err, path, "cannot write");
        p += n;
        size -= (size_t)n;
    }
    return SDW_OK;
}

sdw_status sdw_temporary_at(const sdw_io *io, int dir, int flags, mode_t mode, const char *path, char *ret_name, int *ret_fd, sdw_error *err)
{
    static atomic_uint serial; /* only tells the threads of this process apart */
    enum { TRIES = 100 };
    io = or_system(io);
    for (int i = 0; i < TRIES; i++) {
        snprintf(ret_name, SDW_TEMPORARY_SIZE, ".sdw-%ld-%u.tmp", (long)getpid(), atomic_fetch_add(&serial, 1));
        int fd = io->openat(io->ctx, dir, ret_name, flags | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (fd >= 0) {
            *ret_fd = fd;
            return SDW_OK;
        }
        if (errno != EEXIST) break;
    }
    return sdw_fail_errno(err, path, "cannot create a file beside it");
}

static sdw_status exists(const char *path, sdw_error *err)
{
    return sdw_fail(err, SDW_EXISTS, "%s: file exists and is not to be replaced", path);
}

/* Without `replace` a link, since it fails atomically where rename would overwrite. Some file systems have no links:
 * there a look beforehand must do. */
sdw_status sdw_name_at(const sdw_io *io, int dir, const char *temporary, const char *name, bool replace, const char *path, sdw_error *err)
{
    io = or_system(io);
    if (!replace) {
        if (io->linkat(io->ctx, dir, temporary, name) == 0) {
            io->unlinkat(io->ctx, dir, temporary);
            return SDW_OK;
        }
        struct stat st;
        if (errno == EEXIST || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) return exists(path, err);
    }
    return io->renameat(io->ctx, dir, temporary, name) == 0 ? SDW_OK : sdw_fail_errno(err, path, "cannot rename to it");
}

static sdw_status fill(const sdw_io *io, int fd, const char *path, const void *bytes, size_t size, sdw_error *err)
{
    sdw_status status = sdw_write_all(io, fd, path, bytes, size, err);
    if (status == SDW_OK && io->fsync(io->ctx, fd) != 0) status = sdw_fail_errno(err, path, "cannot sync");
    if (io->close(io->ctx, fd) != 0 && status == SDW_OK) status = sdw_fail_errno(err, path, "cannot close");
    return status;
}

sdw_status sdw_file_write_at(const sdw_io *io, const sdw_file_write *f, const void *bytes, size_t size, sdw_error *err)
{
    char temporary[SDW_TEMPORARY_SIZE];
    const char *path = f->path ? f->path : f->name;
    int fd = -1;
    io = or_system(io);
    sdw_status status = sdw_temporary_at(io, f->dir, O_WRONLY, f->mode, path, temporary, &fd, err);
    if (status != SDW_OK) return status;
    status = fill(io, fd, path, bytes, size, err);
    if (status == SDW_OK) status = sdw_name_at(io, f->dir, temporary, f->name, f->replace, path, err);
    if (status != SDW_OK) {
        io->unlinkat(io->ctx, f->dir, temporary);
        return status;
    }
    /* The name survives a power cut only once the folder is synced. */
    if (f->dir != AT_FDCWD && io->fsync(io->ctx, f->dir) != 0 && f->folder_must_sync) {
        status = sdw_fail_errno(err, path, "cannot sync its folder");
        if (!f->replace) io->unlinkat(io->ctx, f->dir, f->name);
    }
    return status;
}
