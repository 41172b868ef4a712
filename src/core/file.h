/* file.h - whole files: read within a limit, written completely or not at all. Short reads, short writes and EINTR are
 * expected. Functions with `at` name a file in an open folder and never follow a link at that name; `path` is what
 * errors call it. io NULL = the system. Any thread. */
#ifndef SDW_CORE_FILE_H
#define SDW_CORE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/io.h"
#include "core/status.h"

/* The error of a failed call, from errno: "PATH: DOING: reason". NOT_FOUND, NO_MEMORY or IO. */
sdw_status sdw_fail_errno(sdw_error *err, const char *path, const char *doing);

/* Appends the bytes of an open file from where it stands; more than bytes_max is LIMIT. INVALID: a folder. On failure
 * out is as it was (but may be `failed`). `kind` is what errors call the content, such as "picture file". */
sdw_status sdw_file_read(int fd, const char *path, const char *kind, size_t bytes_max, sdw_buf *out, sdw_error *err);
sdw_status sdw_file_read_at(const sdw_io *io, int dir, const char *name, const char *path, size_t bytes_max, sdw_buf *out, sdw_error *err);

sdw_status sdw_write_all(const sdw_io *io, int fd, const char *path, const void *bytes, size_t size, sdw_error *err);

/* A new file ".sdw-PID-N.tmp" in the folder, opened with these flags (O_WRONLY, or O_RDWR | O_APPEND). name has room
 * for SDW_TEMPORARY_SIZE. */
#define SDW_TEMPORARY_SIZE 48
sdw_status sdw_temporary_at(const sdw_io *io, int dir, int flags, mode_t mode, const char *path, char *ret_name, int *ret_fd, sdw_error *err);
/* Gives a file its name. Without `replace` an existing one is EXISTS and stays, also when it appears meanwhile. */
sdw_status sdw_name_at(const sdw_io *io, int dir, const char *temporary, const char *name, bool replace, const char *path, sdw_error *err);

typedef struct sdw_file_write {
    int dir;           /* AT_FDCWD: then the folder itself is not synced */
    const char *name;  /* in dir */
    const char *path;  /* for errors; NULL = name */
    mode_t mode;       /* before the umask */
    bool replace;
    bool folder_must_sync; /* false: a file system that cannot sync folders is no error */
} sdw_file_write;

/* Temporary file, sync, name, sync of the folder: nobody ever sees half a file, and it survives a power cut. A failed
 * call leaves nothing behind, but for one case: with `replace`, the new file when only the folder could not be synced. */
sdw_status sdw_file_write_at(const sdw_io *io, const sdw_file_write *f, const void *bytes, size_t size, sdw_error *err);

#endif
