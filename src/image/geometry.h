/* geometry.h - moving whole pixels: orientation, crop, pad, fitting one rectangle into another.
 * Coordinates are pixels, origin at the upper left, y down. Results are new pictures of the caller's. */
#ifndef SDW_IMAGE_GEOMETRY_H
#define SDW_IMAGE_GEOMETRY_H

#include "image/image.h"
#include "image/resize.h"

typedef struct sdw_box {
    int x, y, width, height;
} sdw_box;

/* Turns *image upright: orientation 1..8 as EXIF defines it; another value counts as 1. On success *image may be a new
 * picture and the old one freed; on failure it is unchanged. Any thread. */
sdw_status sdw_image_orient(sdw_image **image, int orientation, sdw_error *err);

/* The part inside `box`, which must lie within the picture (else SDW_INVALID). */
sdw_status sdw_image_crop(const sdw_image *image, sdw_box box, sdw_image **ret_image, sdw_error *err);

/* A canvas of width x height with the picture's upper left corner at (x, y); what lies outside is cut, what is left
 * uncovered repeats the nearest edge pixel. */
sdw_status sdw_image_place(const sdw_image *image, int x, int y, int width, int height, sdw_image **ret_image,
                           sdw_error *err);

/* X(NAME, name, summary) */
#define SDW_FIT_LIST(X)                                                      \
    X(STRETCH, "stretch", "to the size asked for, whatever the aspect")      \
    X(CROP, "crop", "cover the size, cut what stands over evenly")           \
    X(PAD, "pad", "fit inside the size, repeat the edge pixels outside")

typedef enum sdw_fit {
#define SDW_FIT_ENUM(name, text, summary) SDW_FIT_##name,
    SDW_FIT_LIST(SDW_FIT_ENUM)
#undef SDW_FIT_ENUM
    SDW_FIT_COUNT
} sdw_fit;

const char *sdw_fit_name(sdw_fit fit);
int sdw_fit_from_name(const char *name); /* -1: none */

/* Where the scaled picture lies on the canvas: its size, and its corner, negative where it stands over. The arithmetic
 * of A1111's resize modes 0, 1 and 2 (integer division, centres matched). Sizes of 1 or more. Pure. */
sdw_box sdw_fit_box(int from_width, int from_height, int to_width, int to_height, sdw_fit fit);

/* Scales by sdw_fit_box, then crops or pads to exactly width x height. */
sdw_status sdw_image_fit(const sdw_image *image, int width, int height, sdw_fit fit, sdw_filter filter,
                         sdw_image **ret_image, sdw_error *err);

/* The size to generate at for a picture of from_width x from_height: a wanted side of 0 is open. Both open: the
 * picture's own size; one open: it keeps the aspect. Open sides are floored to a multiple of 8, and are at least 8;
 * given sides are returned as they are (whether they are multiples of 8 is checked elsewhere). Pure. */
void sdw_fit_size(int from_width, int from_height, int want_width, int want_height, int *ret_width, int *ret_height);

/* true if the two aspects differ by more than 1 % of the smaller. Pure. */
bool sdw_aspect_differs(int width_a, int height_a, int width_b, int height_b);

#endif
