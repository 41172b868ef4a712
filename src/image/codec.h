/* codec.h - one file format behind one record. A new format is a file in codecs/ that defines sdw_codec_NAME.
 * The caller (image.c) has checked byte limits, sizes and budget before decode; the codec trusts none of the bytes. */
#ifndef SDW_IMAGE_CODEC_H
#define SDW_IMAGE_CODEC_H

#include "image/image.h"

typedef struct sdw_codec_input {
    const uint8_t *bytes; /* borrowed */
    size_t size;
    const char *what; /* for errors */
} sdw_codec_input;

typedef struct sdw_codec {
    const char *name, *summary, *mime;
    const char *extensions[4]; /* lower case, with the dot; NULL ends the list */
    int side_max;              /* of the format itself */
    /* By the first bytes alone; size may be 0. */
    bool (*match)(const uint8_t *bytes, size_t size);
    /* Width and height from the header, without allocating in proportion to them. */
    sdw_status (*probe)(const sdw_codec_input *in, int *ret_width, int *ret_height, sdw_error *err);
    /* Pixels as stored: 1 to 4 channels, orientation (1..8, EXIF) not applied. width and height are what probe gave;
     * a file that now says otherwise is SDW_FORMAT. */
    sdw_status (*decode)(const sdw_codec_input *in, int width, int height, sdw_image **ret_image, int *ret_orientation,
                         sdw_error *err);
    /* Appends; the caller cuts `out` back on failure. Options are checked and defaults filled in, except quality. */
    sdw_status (*encode)(const sdw_image *image, const sdw_image_encode_options *options, sdw_buf *out, sdw_error *err);
    /* Appends the text to `out` as UTF-8. SDW_NOT_FOUND without a message if there is none. */
    sdw_status (*read_text)(const sdw_codec_input *in, const char *key, sdw_buf *out, sdw_error *err);
} sdw_codec;

const sdw_codec *sdw_codec_of_bytes(const uint8_t *bytes, size_t size); /* NULL: none */
const sdw_codec *sdw_codec_of_name(const char *name);                   /* NULL: none */

/* The error of every codec for bytes that end too early or make no sense: `detail` says what a library found. */
sdw_status sdw_codec_damaged(const sdw_codec_input *in, const char *format, const char *detail, sdw_error *err);

#endif
