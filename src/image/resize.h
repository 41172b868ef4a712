/* resize.h - scaling, bit for bit as Pillow's Image.resize for 8-bit pictures.
 * diffusers and A1111 scale with Pillow, so their pictures are only repeatable with its arithmetic. */
#ifndef SDW_IMAGE_RESIZE_H
#define SDW_IMAGE_RESIZE_H

#include "image/image.h"

/* X(NAME, name, summary) */
#define SDW_FILTER_LIST(X)                                                                 \
    X(LANCZOS, "lanczos", "windowed sinc, 3 lobes; the default for pictures")              \
    X(BICUBIC, "bicubic", "cubic with a = -0.5")                                           \
    X(BILINEAR, "bilinear", "triangle")                                                    \
    X(BOX, "box", "mean of the area covered")                                              \
    X(NEAREST, "nearest", "the pixel at the centre, as Pillow")                            \
    X(NEAREST_FLOOR, "nearest-floor", "pixel floor(i * from / to), as torch interpolate")

typedef enum sdw_filter {
#define SDW_FILTER_ENUM(name, text, summary) SDW_FILTER_##name,
    SDW_FILTER_LIST(SDW_FILTER_ENUM)
#undef SDW_FILTER_ENUM
    SDW_FILTER_COUNT
} sdw_filter;

const char *sdw_filter_name(sdw_filter filter);
int sdw_filter_from_name(const char *name); /* -1: none */

/* A new picture of width x height with the same channels, each scaled by itself (Pillow multiplies colour by alpha
 * first; with 4 channels this does not). Horizontal pass, then vertical, 8 bits between them (the other way round where
 * more than twice as many rows as columns are lost); a filter is widened by the scale when shrinking. Reference:
 * Pillow 13.0, Image.resize. Any thread. */
sdw_status sdw_image_resize(const sdw_image *image, int width, int height, sdw_filter filter, sdw_image **ret_image,
                            sdw_error *err);

#endif
