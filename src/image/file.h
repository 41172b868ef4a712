/* file.h - picture files as a whole: read within a limit, written completely or not at all. */
#ifndef SDW_IMAGE_FILE_H
#define SDW_IMAGE_FILE_H

#include "image/image.h"

/* Appends the file's bytes to `out`. bytes_max 0 = SDW_LIMIT_IMAGE_BYTES; a larger file is SDW_LIMIT and is not read.
 * SDW_NOT_FOUND: no such file; SDW_INVALID: a folder. Any thread. */
sdw_status sdw_image_read_file(const char *path, size_t bytes_max, sdw_buf *out, sdw_error *err);

/* sdw_image_read_file, then sdw_image_decode with the path as `what` unless options name something. */
sdw_status sdw_image_decode_file(const char *path, const sdw_image_decode_options *options, sdw_image **ret_image,
                                 sdw_error *err);

/* Whether sdw_image_write_file could begin: the folder exists and may be written, and the file does not exist unless
 * `replace`. To be asked before a long computation. */
sdw_status sdw_image_check_target(const char *path, bool replace, sdw_error *err);

/* Writes a temporary file beside `path`, syncs it, then gives it the name: nobody ever sees half a picture. Without
 * `replace` an existing file is SDW_EXISTS and stays as it is, also when it appears while we write. Permissions follow
 * the umask. Any thread. */
sdw_status sdw_image_write_file(const char *path, const void *bytes, size_t size, bool replace, sdw_error *err);

#endif
