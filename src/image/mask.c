/* mask.c - masks, except for their blur (blur.c). */
#include "image/mask.h"

#include <string.h>

#include "image/convert.h"

void sdw_mask_threshold(sdw_image *mask)
{
    size_t n = sdw_image_bytes(mask);
    for (size_t i = 0; i < n; i++) mask->pixels[i] = mask->pixels[i] >= 128 ? 255 : 0;
}

void sdw_mask_invert(sdw_image *mask)
{
    size_t n = sdw_image_bytes(mask);
    for (size_t i = 0; i < n; i++) mask->pixels[i] = (uint8_t)(255 - mask->pixels[i]);
}

sdw_status sdw_mask_fit(const sdw_image *mask, int width, int height, sdw_image **ret_mask, sdw_error *err)
{
    if (sdw_aspect_differs(mask->width, mask->height, width, height))
        return sdw_fail_field(err, SDW_INVALID, "mask",
                              "mask of %dx%d for a picture of %dx%d: want the same aspect within 1 %%", mask->width,
                              mask->height, width, height);
    return sdw_image_resize(mask, width, height, SDW_FILTER_NEAREST, ret_mask, err);
}

static bool any(const uint8_t *p, int n)
{
    for (int i = 0; i < n; i++)
        if (p[i]) return true;
    return false;
}

bool sdw_mask_bounds(const sdw_image *mask, sdw_box *ret_box)
{
    int top = 0, bottom = mask->height, left = mask->width, right = 0;
    size_t width = (size_t)mask->width;
    while (top < bottom && !any(mask->pixels + (size_t)top * width, mask->width)) top++;
    if (top == bottom) return false;
    while (!any(mask->pixels + (size_t)(bottom - 1) * width, mask->width)) bottom--;
    for (int y = top; y < bottom; y++) {
        const uint8_t *row = mask->pixels + (size_t)y * width;
        int x = 0, end = mask->width;
        while (x < left && !row[x]) x++;
        while (end > right && !row[end - 1]) end--;
        if (x < left) left = x;
        if (end > right) right = end;
    }
    *ret_box = (sdw_box){ .x = left, .y = top, .width = right - left, .height = bottom - top };
    return true;
}

/* Widens [*at, *at + *size) to `wanted`, half on each side (the odd pixel at the end), then pushes it back into
 * [0, limit), cutting what does not fit. */
static void widen(int *at, int *size, int wanted, int limit)
{
    int more = wanted - *size;
    int begin = *at - more / 2, end = *at + *size + (more - more / 2);
    if (end > limit) {
        begin -= end - limit;
        end = limit;
    }
    if (begin < 0) {
        end -= begin;
        begin = 0;
    }
    if (end > limit) end = limit;
    *at = begin;
    *size = end - begin;
}

/* Adds `padding` at both ends, cut at [0, limit). */
static void pad(int *at, int *size, int padding, int limit)
{
    int64_t begin = (int64_t)*at - padding, end = (int64_t)*at + *size + padding;
    if (begin < 0) begin = 0;
    if (end > limit) end = limit;
    *at = (int)begin;
    *size = (int)(end - begin);
}

bool sdw_mask_region(const sdw_image *mask, int padding, int work_width, int work_height, sdw_box *ret_box)
{
    sdw_box b;
    if (!sdw_mask_bounds(mask, &b)) return false;
    pad(&b.x, &b.width, padding, mask->width);
    pad(&b.y, &b.height, padding, mask->height);
    double work = (double)work_width / work_height;
    /* No side is wanted longer than twice the picture's: it is cut to the picture anyway, and int stays safe. */
    if ((double)b.width / b.height > work) {
        double wanted = b.width / work;
        widen(&b.y, &b.height, wanted < 2.0 * mask->height ? (int)wanted : 2 * mask->height, mask->height);
    } else {
        double wanted = b.height * work;
        widen(&b.x, &b.width, wanted < 2.0 * mask->width ? (int)wanted : 2 * mask->width, mask->width);
    }
    *ret_box = b;
    return true;
}

sdw_status sdw_image_composite(sdw_image *base, const sdw_image *top, const sdw_image *mask, int x, int y,
                               sdw_error *err)
{
    if (mask->channels != 1 || top->channels != base->channels || top->width != mask->width ||
        top->height != mask->height || x < 0 || y < 0 || top->width > base->width - x ||
        top->height > base->height - y)
        return sdw_fail(err, SDW_INVALID, "pasting %dx%dx%d by a mask of %dx%dx%d at (%d, %d) of %dx%dx%d: want equal "
                        "sizes inside the base, a mask of 1 channel", top->width, top->height, top->channels,
                        mask->width, mask->height, mask->channels, x, y, base->width, base->height, base->channels);
    size_t channels = (size_t)base->channels, width = (size_t)top->width;
    const uint8_t *p = top->pixels, *m = mask->pixels;
    for (int j = 0; j < top->height; j++) {
        uint8_t *q = base->pixels + ((size_t)(y + j) * (size_t)base->width + (size_t)x) * channels;
        for (size_t i = 0; i < width; i++, m++)
            for (size_t c = 0; c < channels; c++, p++, q++) *q = sdw_blend255(*q, *p, *m);
    }
    return SDW_OK;
}
