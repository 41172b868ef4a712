/* digest_file.c - the digest of a file. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/digest.h"
#include "core/mem.h"

enum { PIECE = 1 << 20 };

static sdw_status feed(sdw_digest *d, int fd, const char *path, char *piece, sdw_digest_stop_fn *stop, void *ctx, sdw_error *err)
{
    for (;;) {
        if (stop && stop(ctx)) return sdw_fail(err, SDW_CANCELLED, "%s: not read to its end, as asked", path);
        ssize_t n = read(fd, piece, PIECE);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return sdw_fail(err, SDW_IO, "%s: cannot read: %s", path, strerror(errno));
        if (n == 0) return SDW_OK;
        sdw_status s = sdw_digest_add(d, piece, (size_t)n, err);
        if (s != SDW_OK) return s;
    }
}

/* The size must not change while it is read: git's hash begins with it. */
static sdw_status digest_of(sdw_digest_kind kind, int fd, const char *path, char *piece, sdw_digest_stop_fn *stop, void *ctx,
                            char ret_hex[SDW_DIGEST_HEX_SIZE], sdw_error *err)
{
    struct stat st;
    sdw_digest *d = NULL;
    sdw_status s = fstat(fd, &st) == 0 ? SDW_OK : sdw_fail(err, SDW_IO, "%s: cannot stat: %s", path, strerror(errno));
    if (s == SDW_OK) s = sdw_digest_open(kind, (uint64_t)st.st_size, &d, err);
    if (s == SDW_OK) s = feed(d, fd, path, piece, stop, ctx, err);
    if (s == SDW_OK) s = sdw_digest_hex(d, ret_hex, err);
    sdw_digest_close(d);
    return s;
}

sdw_status sdw_digest_file(sdw_digest_kind kind, const char *path, sdw_digest_stop_fn *stop, void *ctx, char ret_hex[SDW_DIGEST_HEX_SIZE],
                           sdw_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not hold us up */
    if (fd < 0) return sdw_fail(err, errno == ENOENT ? SDW_NOT_FOUND : SDW_IO, "%s: cannot open: %s", path, strerror(errno));
    char *piece = sdw_malloc(PIECE);
    sdw_status s = piece ? digest_of(kind, fd, path, piece, stop, ctx, ret_hex, err) : sdw_fail_memory(err, path, PIECE);
    sdw_free(piece);
    close(fd);
    return s;
}
