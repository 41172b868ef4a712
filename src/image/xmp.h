/* xmp.h - texts by key in an XMP packet: our container in formats that have no plain text chunks.
 * Reads only packets of our own making; a packet of another program simply has no such key. */
#ifndef SDW_IMAGE_XMP_H
#define SDW_IMAGE_XMP_H

#include "image/image.h"

/* Appends a packet with all texts. false when out of memory. Any thread. */
bool sdw_xmp_write(const sdw_image_text *texts, size_t count, sdw_buf *out);

/* Appends the text of the key; false if there is none. Any thread. */
bool sdw_xmp_read(const uint8_t *packet, size_t size, const char *key, sdw_buf *out);

#endif
