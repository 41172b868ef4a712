/* file.c - POSIX files; short reads, short writes and EINTR are expected. */
#include "image/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/limits.h"
#include "core/mem.h"

static sdw_status io_error(sdw_error *err, const char *path, const char *doing)
{
    sdw_status code = errno == ENOENT ? SDW_NOT_FOUND : errno == ENOMEM ? SDW_NO_MEMORY : SDW_IO;
    return sdw_fail(err, code, "%s: %s: %s", path, doing, strerror(errno));
}

/* ---- reading ---- */

static sdw_status too_large(const char *path, size_t bytes_max, sdw_error *err)
{
    return sdw_fail(err, SDW_LIMIT, "%s: picture file is larger than %zu bytes", path, bytes_max);
}

static sdw_status read_all(int fd, const char *path, size_t bytes_max, sdw_buf *out, sdw_error *err)
{
    enum { STEP = 1 << 16 };
    struct stat st;
    if (fstat(fd, &st) != 0) return io_error(err, path, "cannot read");
    if (S_ISDIR(st.st_mode)) return sdw_fail(err, SDW_INVALID, "%s: is a folder: want a picture file", path);
    if (S_ISREG(st.st_mode) && (uintmax_t)st.st_size > bytes_max) return too_large(path, bytes_max, err);
    size_t total = 0, step = S_ISREG(st.st_mode) && st.st_size > 0 ? (size_t)st.st_size + 1 : STEP;
    for (;;) {
        char *to = sdw_buf_reserve(out, step);
        if (!to) return sdw_fail_memory(err, "picture file", total + step);
        ssize_t n = read(fd, to, step);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return io_error(err, path, "cannot read");
        if (n == 0) return SDW_OK;
        out->size += (size_t)n;
        total += (size_t)n;
        if (total > bytes_max) return too_large(path, bytes_max, err);
        step = (size_t)n < step ? step - (size_t)n : STEP;
    }
}

sdw_status sdw_image_read_file(const char *path, size_t bytes_max, sdw_buf *out, sdw_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return io_error(err, path, "cannot open");
    if (bytes_max == 0 || bytes_max > SDW_LIMIT_IMAGE_BYTES) bytes_max = SDW_LIMIT_IMAGE_BYTES;
    size_t before = out->size;
    sdw_status status = read_all(fd, path, bytes_max, out, err);
    if (status != SDW_OK) out->size = before;
    close(fd);
    return status;
}

sdw_status sdw_image_decode_file(const char *path, const sdw_image_decode_options *options, sdw_image **ret_image,
                                 sdw_error *err)
{
    sdw_image_decode_options o = options ? *options : (sdw_image_decode_options){ 0 };
    if (!o.what) o.what = path;
    sdw_buf bytes;
    sdw_buf_init(&bytes, 0);
    sdw_status status = sdw_image_read_file(path, o.limits.bytes_max, &bytes, err);
    if (status == SDW_OK) status = sdw_image_decode(bytes.data, bytes.size, &o, ret_image, err);
    sdw_buf_finish(&bytes);
    return status;
}

/* ---- writing ---- */

/* "folder/" of "folder/name", "" of "name": a prefix of path. */
static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

static sdw_status folder_of(const char *path, char **ret_folder, sdw_error *err)
{
    size_t n = folder_length(path);
    char *folder = n ? sdw_strndup(path, n) : sdw_strdup(".");
    if (!folder) return sdw_fail_memory(err, "folder name", n);
    *ret_folder = folder;
    return SDW_OK;
}

static sdw_status exists(const char *path, sdw_error *err)
{
    return sdw_fail(err, SDW_EXISTS, "%s: file exists and is not to be replaced", path);
}

sdw_status sdw_image_check_target(const char *path, bool replace, sdw_error *err)
{
    struct stat st;
    if (path[folder_length(path)] == '\0')
        return sdw_fail(err, SDW_INVALID, "output '%s': names no file", path);
    if (stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode)) return sdw_fail(err, SDW_INVALID, "%s: is a folder: want a file name", path);
        if (!replace) return exists(path, err);
    }
    char *folder = NULL;
    sdw_status status = folder_of(path, &folder, err);
    if (status != SDW_OK) return status;
    if (stat(folder, &st) != 0)
        status = io_error(err, folder, "no folder to write to");
    else if (!S_ISDIR(st.st_mode))
        status = sdw_fail(err, SDW_INVALID, "%s: is no folder", folder);
    else if (access(folder, W_OK) != 0)
        status = io_error(err, folder, "cannot write there");
    sdw_free(folder);
    return status;
}

static sdw_status write_all(int fd, const char *path, const char *bytes, size_t size, sdw_error *err)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return io_error(err, path, "cannot write");
        bytes += n;
        size -= (size_t)n;
    }
    return fsync(fd) == 0 ? SDW_OK : io_error(err, path, "cannot sync");
}

/* A new file ".sdw-PID-N.tmp" in the folder of path. */
static sdw_status open_temporary(const char *path, char **ret_name, int *ret_fd, sdw_error *err)
{
    static atomic_uint serial; /* only tells the threads of this process apart */
    enum { TRIES = 100 };
    size_t n = folder_length(path), room = n + 64;
    char *name = sdw_malloc(room);
    if (!name) return sdw_fail_memory(err, "temporary file name", room);
    memcpy(name, path, n);
    for (int i = 0; i < TRIES; i++) {
        snprintf(name + n, room - n, ".sdw-%ld-%u.tmp", (long)getpid(), atomic_fetch_add(&serial, 1));
        int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) {
            *ret_name = name;
            *ret_fd = fd;
            return SDW_OK;
        }
        if (errno != EEXIST) break;
    }
    sdw_status status = io_error(err, path, "cannot create a file beside it");
    sdw_free(name);
    return status;
}

/* Without `replace` a link, since it fails atomically where rename would overwrite. Some file systems have no links:
 * there a look beforehand must do. */
static sdw_status give_name(const char *temporary, const char *path, bool replace, sdw_error *err)
{
    if (!replace) {
        if (link(temporary, path) == 0) {
            unlink(temporary);
            return SDW_OK;
        }
        if (errno == EEXIST || access(path, F_OK) == 0) return exists(path, err);
    }
    return rename(temporary, path) == 0 ? SDW_OK : io_error(err, path, "cannot rename to it");
}

/* The name survives a power cut only once the folder is synced; a file system that cannot do that is no error. */
static void sync_folder(const char *path)
{
    char *folder = NULL;
    if (folder_of(path, &folder, NULL) != SDW_OK) return;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    sdw_free(folder);
}

sdw_status sdw_image_write_file(const char *path, const void *bytes, size_t size, bool replace, sdw_error *err)
{
    char *temporary = NULL;
    int fd = -1;
    sdw_status status = sdw_image_check_target(path, replace, err);
    if (status == SDW_OK) status = open_temporary(path, &temporary, &fd, err);
    if (status != SDW_OK) return status;
    status = write_all(fd, path, bytes, size, err);
    if (close(fd) != 0 && status == SDW_OK) status = io_error(err, path, "cannot close");
    if (status == SDW_OK) status = give_name(temporary, path, replace, err);
    if (status == SDW_OK)
        sync_folder(path);
    else
        unlink(temporary);
    sdw_free(temporary);
    return status;
}
