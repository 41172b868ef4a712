/* geometry.c - pixels moved, never mixed (scaling is resize.c). */
#include "image/geometry.h"

#include <string.h>

#include "core/limits.h"

static int clamp(int64_t v, int max)
{
    return v < 0 ? 0 : v > max ? max : (int)v;
}

sdw_status sdw_image_orient(sdw_image **image, int orientation, sdw_error *err)
{
    const sdw_image *from = *image;
    if (orientation < 2 || orientation > 8) return SDW_OK;
    bool swap = orientation >= 5;
    bool flip_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    int width = swap ? from->height : from->width, height = swap ? from->width : from->height;
    sdw_image *to = NULL;
    sdw_status status = sdw_image_create(width, height, from->channels, &to, err);
    if (status != SDW_OK) return status;
    size_t channels = (size_t)from->channels;
    uint8_t *q = to->pixels;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++, q += channels) {
            int from_x = swap ? y : x, from_y = swap ? x : y;
            if (flip_x) from_x = from->width - 1 - from_x;
            if (flip_y) from_y = from->height - 1 - from_y;
            memcpy(q, from->pixels + ((size_t)from_y * (size_t)from->width + (size_t)from_x) * channels, channels);
        }
    }
    sdw_image_free(*image);
    *image = to;
    return SDW_OK;
}

sdw_status sdw_image_crop(const sdw_image *image, sdw_box box, sdw_image **ret_image, sdw_error *err)
{
    if (box.x < 0 || box.y < 0 || box.width < 1 || box.height < 1 || box.width > image->width - box.x ||
        box.height > image->height - box.y)
        return sdw_fail(err, SDW_INVALID, "crop of %dx%d at (%d, %d): want it inside the picture of %dx%d", box.width,
                        box.height, box.x, box.y, image->width, image->height);
    return sdw_image_place(image, -box.x, -box.y, box.width, box.height, ret_image, err);
}

sdw_status sdw_image_place(const sdw_image *image, int x, int y, int width, int height, sdw_image **ret_image,
                           sdw_error *err)
{
    sdw_image *to = NULL;
    sdw_status status = sdw_image_create(width, height, image->channels, &to, err);
    if (status != SDW_OK) return status;
    size_t channels = (size_t)image->channels, from_row = (size_t)image->width * channels;
    /* Columns [left, right) are covered by the picture. */
    int left = clamp(x, width), right = clamp((int64_t)x + image->width, width);
    uint8_t *q = to->pixels;
    for (int j = 0; j < height; j++) {
        const uint8_t *row = image->pixels + (size_t)clamp((int64_t)j - y, image->height - 1) * from_row;
        for (int i = 0; i < left; i++, q += channels)
            memcpy(q, row + (size_t)clamp((int64_t)i - x, image->width - 1) * channels, channels);
        if (right > left) {
            size_t bytes = (size_t)(right - left) * channels;
            memcpy(q, row + (size_t)((int64_t)left - x) * channels, bytes);
            q += bytes;
        }
        for (int i = right > left ? right : left; i < width; i++, q += channels)
            memcpy(q, row + (size_t)clamp((int64_t)i - x, image->width - 1) * channels, channels);
    }
    *ret_image = to;
    return SDW_OK;
}

static const char *const FIT_NAMES[] = {
#define ROW(name, text, summary) text,
    SDW_FIT_LIST(ROW)
#undef ROW
};

const char *sdw_fit_name(sdw_fit fit)
{
    return (unsigned)fit < SDW_FIT_COUNT ? FIT_NAMES[fit] : "unknown";
}

int sdw_fit_from_name(const char *name)
{
    for (int i = 0; i < SDW_FIT_COUNT; i++)
        if (strcmp(FIT_NAMES[i], name) == 0) return i;
    return -1;
}

sdw_box sdw_fit_box(int from_width, int from_height, int to_width, int to_height, sdw_fit fit)
{
    sdw_box box = { .width = to_width, .height = to_height };
    if (fit == SDW_FIT_STRETCH) return box;
    int64_t wide_to = (int64_t)to_width * from_height, wide_from = (int64_t)from_width * to_height;
    /* The side that stays open: the height if the canvas is relatively wider and must be covered, or narrower and the
     * picture must fit inside. */
    bool open_height = fit == SDW_FIT_CROP ? wide_to > wide_from : wide_to < wide_from;
    if (open_height)
        box.height = clamp((int64_t)from_height * to_width / from_width, INT32_MAX);
    else
        box.width = clamp((int64_t)from_width * to_height / from_height, INT32_MAX);
    if (box.width < 1) box.width = 1;
    if (box.height < 1) box.height = 1;
    box.x = to_width / 2 - box.width / 2;
    box.y = to_height / 2 - box.height / 2;
    return box;
}

sdw_status sdw_image_fit(const sdw_image *image, int width, int height, sdw_fit fit, sdw_filter filter,
                         sdw_image **ret_image, sdw_error *err)
{
    if (width < 1 || height < 1)
        return sdw_fail(err, SDW_INVALID, "fitting a picture to %dx%d: want sides of 1 or more", width, height);
    sdw_box box = sdw_fit_box(image->width, image->height, width, height, fit);
    sdw_image *scaled = NULL;
    sdw_status status = sdw_image_resize(image, box.width, box.height, filter, &scaled, err);
    if (status != SDW_OK) return status;
    if (box.width == width && box.height == height) {
        *ret_image = scaled;
        return SDW_OK;
    }
    status = sdw_image_place(scaled, box.x, box.y, width, height, ret_image, err);
    sdw_image_free(scaled);
    return status;
}

static int floor8(int64_t v)
{
    enum { LARGEST = INT32_MAX / 8 * 8 };
    return v < 8 ? 8 : v > LARGEST ? LARGEST : (int)(v / 8 * 8);
}

void sdw_fit_size(int from_width, int from_height, int want_width, int want_height, int *ret_width, int *ret_height)
{
    int64_t width = want_width, height = want_height;
    if (want_width == 0) width = floor8(want_height ? (int64_t)from_width * want_height / from_height : from_width);
    if (want_height == 0) height = floor8(want_width ? (int64_t)from_height * want_width / from_width : from_height);
    *ret_width = (int)width;
    *ret_height = (int)height;
}

bool sdw_aspect_differs(int width_a, int height_a, int width_b, int height_b)
{
    double a = (double)width_a * height_b, b = (double)width_b * height_a;
    return (a > b ? a - b : b - a) > 0.01 * (a < b ? a : b);
}
