/* exif.h - the two things we want from an EXIF block, and the one we write into it.
 * A block is a TIFF structure; a leading "Exif\0\0" is skipped. Damaged blocks are treated as absent: they never make
 * a picture unreadable. */
#ifndef SDW_IMAGE_EXIF_H
#define SDW_IMAGE_EXIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"

/* Tag 0x0112 of IFD0: 1..8; 1 if absent or damaged. Any thread. */
int sdw_exif_orientation(const uint8_t *data, size_t size);

/* Appends the UserComment (tag 0x9286 of the Exif IFD) as UTF-8; false if there is none that we can read.
 * Character codes ASCII (also read as UTF-8) and UNICODE (UTF-16 in the byte order of the block). Any thread. */
bool sdw_exif_user_comment(const uint8_t *data, size_t size, sdw_buf *out);

/* Appends a big-endian block, without "Exif\0\0", that holds `text` (valid UTF-8) as UserComment in UTF-16: the form
 * that other image generators write and read. false when out of memory. Any thread. */
bool sdw_exif_write_user_comment(const char *text, sdw_buf *out);

#endif
