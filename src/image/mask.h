/* mask.h - inpainting masks: one channel, white (255) = repaint, black (0) = keep. */
#ifndef SDW_IMAGE_MASK_H
#define SDW_IMAGE_MASK_H

#include "image/geometry.h"

/* In place: 255 where the value is 128 or more (value / 255 >= 0.5), else 0. */
void sdw_mask_threshold(sdw_image *mask);
/* In place: 255 - value. */
void sdw_mask_invert(sdw_image *mask);

/* A mask made to fit a picture of width x height: itself, or scaled by nearest (Pillow's) when the aspects agree
 * within 1 %; else SDW_INVALID, field "mask". */
sdw_status sdw_mask_fit(const sdw_image *mask, int width, int height, sdw_image **ret_mask, sdw_error *err);

/* In place: Gaussian blur of standard deviation `radius` pixels, 0..SDW_MASK_BLUR_MAX, as three box blurs: bit for bit
 * Pillow's ImageFilter.GaussianBlur for one channel. Edges repeat. Two scratch pictures' worth of memory. */
#define SDW_MASK_BLUR_MAX 1000
sdw_status sdw_mask_blur(sdw_image *mask, float radius, sdw_error *err);

/* The smallest box that holds every value above 0; false if there is none. */
bool sdw_mask_bounds(const sdw_image *mask, sdw_box *ret_box);

/* The part to repaint at full resolution: the bounds with `padding` pixels around them, widened to the aspect of
 * work_width x work_height and pushed back inside the picture; A1111's "only masked". false if the mask is black. */
bool sdw_mask_region(const sdw_image *mask, int padding, int work_width, int work_height, sdw_box *ret_box);

/* Paste-back: base = (base * (255 - mask) + top * mask) / 255 rounded, at (x, y) of base. top and mask have the same
 * size and lie inside base; top has base's channels. Where the mask is 0 base keeps its bytes, where it is 255 it gets
 * top's. Sizes that do not fit are SDW_INVALID. */
sdw_status sdw_image_composite(sdw_image *base, const sdw_image *top, const sdw_image *mask, int x, int y,
                               sdw_error *err);

#endif
