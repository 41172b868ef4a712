/* picture_file.h - pixels as a file of their own: what an input picture is stored as. Not a format for others. */
#ifndef SDW_WORKER_PICTURE_FILE_H
#define SDW_WORKER_PICTURE_FILE_H

#include "core/buf.h"
#include "core/limits.h"
#include "core/status.h"
#include "sdw/sdw.h"

#define SDW_PICTURE_FILE_HEAD 24
#define SDW_PICTURE_FILE_MAX (SDW_LIMIT_IMAGE_PIXELS * 3 + SDW_PICTURE_FILE_HEAD)

/* Appends 8 bytes "SDWPIX1\n", width, height, channels and 0 as 32-bit little-endian numbers, and the pixels. */
sdw_status sdw_picture_file_write(const sdw_picture *p, sdw_buf *out, sdw_error *err);
/* Pixels by sdw_malloc. FORMAT: not such a file, or of another size than its head says. */
sdw_status sdw_picture_file_read(const void *data, size_t size, const char *what, sdw_picture *ret, sdw_error *err);

#endif
