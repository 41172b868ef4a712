/* image.h - pictures in memory, and the one way from file bytes to pixels and back.
 * A picture is 8 bits per channel, rows top to bottom without padding, channels interleaved (H, W, C), no colour
 * management: the numbers of the file are the numbers of the picture, as with Pillow. */
#ifndef SDW_IMAGE_IMAGE_H
#define SDW_IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/status.h"

/* channels: 1 grey, 2 grey + alpha (only on the way out of a file), 3 RGB, 4 RGB + alpha (not premultiplied). */
typedef struct sdw_image {
    int width, height, channels;
    uint8_t *pixels; /* (height, width, channels); owned */
} sdw_image;

/* Pixels are zeroed. Sizes past SDW_LIMIT_IMAGE_SIDE or SDW_LIMIT_IMAGE_PIXELS are SDW_LIMIT. Any thread. */
sdw_status sdw_image_create(int width, int height, int channels, sdw_image **ret_image, sdw_error *err);
sdw_status sdw_image_clone(const sdw_image *image, sdw_image **ret_image, sdw_error *err);
void sdw_image_free(sdw_image *image); /* accepts NULL */
size_t sdw_image_bytes(const sdw_image *image);

/* 0 in a field means the limit of core/limits.h; a larger value than that is cut to it. */
typedef struct sdw_image_limits {
    size_t bytes_max, side_max, pixels_max;
} sdw_image_limits;

/* What the caller wants from a file. A zeroed struct: RGB, upright, default limits.
 *   channels 3 (or 0)  RGB; transparency is composed on white
 *   channels 1         grey, for masks: L = (19595 R + 38470 G + 7471 B + 32768) >> 16 as Pillow; transparency is
 *                      composed on black, so that what a mask does not paint is kept
 *   channels 4         RGB + alpha, 255 where the file has none
 * 16-bit samples keep their high byte, as Pillow does for colour. (Pillow clips 16-bit grey at 255, which leaves a
 * white picture; grey is treated like colour here.) */
typedef struct sdw_image_decode_options {
    const char *what; /* names the bytes in errors, such as a path; NULL = "image" */
    int channels;
    bool keep_orientation; /* do not apply the EXIF orientation */
    sdw_image_limits limits;
} sdw_image_decode_options;

/* Decodes PNG, JPEG or WebP, told apart by their first bytes. Every limit is checked before pixels are allocated:
 * bytes, sides, product, and the pixels that all threads together are decoding (SDW_BUSY when those are taken).
 * SDW_FORMAT: damaged or truncated, or no format we know; SDW_UNSUPPORTED: an animation, or a format that we can only
 * name; SDW_LIMIT. options may be NULL. Any thread. */
sdw_status sdw_image_decode(const void *bytes, size_t size, const sdw_image_decode_options *options,
                            sdw_image **ret_image, sdw_error *err);

typedef struct sdw_image_info {
    const char *format; /* name of the codec; static */
    int width, height;  /* as stored; orientation not applied */
} sdw_image_info;

/* The same checks up to the allocation of pixels: format and size from the header alone. Any thread. */
sdw_status sdw_image_probe(const void *bytes, size_t size, const sdw_image_decode_options *options,
                           sdw_image_info *ret_info, sdw_error *err);

/* The key under which other image generators keep the request in words, and the only one they look for. */
#define SDW_TEXT_PARAMETERS "parameters"

/* A text stored beside the pixels. Both UTF-8, borrowed. key: a letter, then up to 78 letters, digits, '_' or '-'. */
typedef struct sdw_image_text {
    const char *key, *text;
} sdw_image_text;

typedef struct sdw_image_encode_options {
    int level;     /* PNG: zlib level 1..9; 0 = 1, since 6 takes seven times as long for 15 % fewer bytes */
    int quality;   /* JPEG and lossy WebP: 1..100; 0 = 92 (JPEG), 90 (WebP) */
    int effort;    /* WebP: 1 (fast) .. 6 (small); 0 = 4 */
    bool lossless; /* WebP */
    const sdw_image_text *texts;
    size_t text_count;
} sdw_image_encode_options;

/* Appends the file to `out`; on failure `out` is cut back to what it held. format: "png", "jpeg" or "webp". JPEG
 * refuses 4 channels (SDW_UNSUPPORTED). Texts: PNG tEXt, or iTXt when not Latin-1; JPEG comment segments; WebP XMP; and
 * for JPEG and WebP SDW_TEXT_PARAMETERS also as EXIF UserComment, where other programs look. Any thread. */
sdw_status sdw_image_encode(const sdw_image *image, const char *format, const sdw_image_encode_options *options,
                            sdw_buf *out, sdw_error *err);

/* The text of a key out of a PNG, JPEG or WebP file; SDW_NOT_FOUND if there is none. *ret_text: sdw_free. `what` as
 * above. Any thread. */
sdw_status sdw_image_read_text(const void *bytes, size_t size, const char *what, const char *key, char **ret_text,
                               sdw_error *err);

/* "png" for "a/b.PNG"; NULL if no codec has that extension. Static storage. */
const char *sdw_image_format_of_path(const char *path);
/* The index-th format in the order of their names; NULL past the end. summary and mime may be NULL. */
const char *sdw_image_format_at(size_t index, const char **ret_summary, const char **ret_mime);

#endif
