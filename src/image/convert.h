/* convert.h - between channel layouts, with Pillow's integer arithmetic. */
#ifndef SDW_IMAGE_CONVERT_H
#define SDW_IMAGE_CONVERT_H

#include "image/image.h"

/* a * b / 255, rounded to nearest; a, b in 0..255. */
static inline unsigned sdw_muldiv255(unsigned a, unsigned b)
{
    unsigned t = a * b + 128;
    return (t + (t >> 8)) >> 8;
}

/* (a * (255 - alpha) + b * alpha) / 255, rounded to nearest: b over a. */
static inline uint8_t sdw_blend255(unsigned a, unsigned b, unsigned alpha)
{
    unsigned t = a * (255 - alpha) + b * alpha + 128;
    return (uint8_t)((t + (t >> 8)) >> 8);
}

/* ITU-R BT.601 luma in 16-bit fixed point, as Pillow's convert("L"). */
static inline uint8_t sdw_luma(unsigned r, unsigned g, unsigned b)
{
    return (uint8_t)((19595u * r + 38470u * g + 7471u * b + 32768u) >> 16);
}

/* Turns *image into 1, 3 or 4 channels by the rules of sdw_image_decode_options; the struct stays, its pixels may move.
 * On failure the picture is unchanged. Any thread. */
sdw_status sdw_image_convert(sdw_image *image, int channels, sdw_error *err);

#endif
