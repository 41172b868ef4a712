/* file.c - picture files over core/file.h. */
#include "image/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/limits.h"
#include "core/mem.h"

sdw_status sdw_image_read_file(const char *path, size_t bytes_max, sdw_buf *out, sdw_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return sdw_fail_errno(err, path, "cannot open");
    if (bytes_max == 0 || bytes_max > SDW_LIMIT_IMAGE_BYTES) bytes_max = SDW_LIMIT_IMAGE_BYTES;
    sdw_status status = sdw_file_read(fd, path, "picture file", bytes_max, out, err);
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

sdw_status sdw_image_check_target(const char *path, bool replace, sdw_error *err)
{
    struct stat st;
    if (path[folder_length(path)] == '\0')
        return sdw_fail(err, SDW_INVALID, "output '%s': names no file", path);
    if (stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode)) return sdw_fail(err, SDW_INVALID, "%s: is a folder: want a file name", path);
        if (!replace) return sdw_fail(err, SDW_EXISTS, "%s: file exists and is not to be replaced", path);
    }
    char *folder = NULL;
    sdw_status status = folder_of(path, &folder, err);
    if (status != SDW_OK) return status;
    if (stat(folder, &st) != 0)
        status = sdw_fail_errno(err, folder, "no folder to write to");
    else if (!S_ISDIR(st.st_mode))
        status = sdw_fail(err, SDW_INVALID, "%s: is no folder", folder);
    else if (access(folder, W_OK) != 0)
        status = sdw_fail_errno(err, folder, "cannot write there");
    sdw_free(folder);
    return status;
}

sdw_status sdw_image_write_file(const char *path, const void *bytes, size_t size, bool replace, sdw_error *err)
{
    char *folder = NULL;
    sdw_status status = sdw_image_check_target(path, replace, err);
    if (status == SDW_OK) status = folder_of(path, &folder, err);
    if (status != SDW_OK) return status;
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) status = sdw_fail_errno(err, folder, "cannot open the folder");
    const sdw_file_write f = { .dir = dir, .name = path + folder_length(path), .path = path, .mode = 0666, .replace = replace };
    if (status == SDW_OK) status = sdw_file_write_at(NULL, &f, bytes, size, err);
    if (dir >= 0) close(dir);
    sdw_free(folder);
    return status;
}
