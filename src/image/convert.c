/* convert.c - 1, 2, 3 or 4 channels in, 1, 3 or 4 out.
 *
 * Transparency: a picture is composed on white, a mask on black. A white brush on a transparent layer, which is what
 * paint programs export, is then a mask as it stands; an opaque mask means the same as with Pillow's convert("L"). */
#include "image/convert.h"

#include "core/mem.h"

typedef void convert_row(const uint8_t *from, uint8_t *to, size_t n);

/* Rows may be converted in place where the output is not wider than the input: every function reads a pixel before
 * it writes it, and never writes ahead of what it has read. */

static void grey_alpha_to_grey(const uint8_t *from, uint8_t *to, size_t n)
{
    for (size_t i = 0; i < n; i++) to[i] = (uint8_t)sdw_muldiv255(from[2 * i], from[2 * i + 1]);
}

static void rgb_to_grey(const uint8_t *from, uint8_t *to, size_t n)
{
    for (size_t i = 0; i < n; i++) to[i] = sdw_luma(from[3 * i], from[3 * i + 1], from[3 * i + 2]);
}

static void rgba_to_grey(const uint8_t *from, uint8_t *to, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint8_t *p = from + 4 * i;
        to[i] = (uint8_t)sdw_muldiv255(sdw_luma(p[0], p[1], p[2]), p[3]);
    }
}

static void grey_to_rgb(const uint8_t *from, uint8_t *to, size_t n)
{
    for (size_t i = 0; i < n; i++) to[3 * i] = to[3 * i + 1] = to[3 * i + 2] = from[i];
}

static void grey_alpha_to_rgb(const uint8_t *from, uint8_t *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[3 * i] = to[3 * i + 1] = to[3 * i + 2] = sdw_blend255(255, from[2 * i], from[2 * i + 1]);
}

static void rgba_to_rgb(const uint8_t *from, uint8_t *to, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned alpha = from[4 * i + 3];
        for (size_t c = 0; c < 3; c++) to[3 * i + c] = sdw_blend255(255, from[4 * i + c], alpha);
    }
}

static void grey_to_rgba(const uint8_t *from, uint8_t *to, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[4 * i] = to[4 * i + 1] = to[4 * i + 2] = from[i];
        to[4 * i + 3] = 255;
    }
}

static void grey_alpha_to_rgba(const uint8_t *from, uint8_t *to, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[4 * i] = to[4 * i + 1] = to[4 * i + 2] = from[2 * i];
        to[4 * i + 3] = from[2 * i + 1];
    }
}

static void rgb_to_rgba(const uint8_t *from, uint8_t *to, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < 3; c++) to[4 * i + c] = from[3 * i + c];
        to[4 * i + 3] = 255;
    }
}

/* [channels in][channels out] */
static convert_row *const CONVERT[5][5] = {
    [1] = { [3] = grey_to_rgb, [4] = grey_to_rgba },
    [2] = { [1] = grey_alpha_to_grey, [3] = grey_alpha_to_rgb, [4] = grey_alpha_to_rgba },
    [3] = { [1] = rgb_to_grey, [4] = rgb_to_rgba },
    [4] = { [1] = rgba_to_grey, [3] = rgba_to_rgb },
};

sdw_status sdw_image_convert(sdw_image *image, int channels, sdw_error *err)
{
    if (channels != 1 && channels != 3 && channels != 4)
        return sdw_fail(err, SDW_INVALID, "picture with %d channels: want 1, 3 or 4", channels);
    if (image->channels < 1 || image->channels > 4)
        return sdw_fail(err, SDW_INVALID, "picture has %d channels: want 1 to 4", image->channels);
    if (image->channels == channels) return SDW_OK;
    convert_row *convert = CONVERT[image->channels][channels];
    size_t n = (size_t)image->width * (size_t)image->height, bytes = n * (size_t)channels;
    if (channels < image->channels) {
        convert(image->pixels, image->pixels, n);
        uint8_t *smaller = sdw_realloc(image->pixels, bytes);
        if (smaller) image->pixels = smaller; /* else the larger block serves as well */
    } else {
        uint8_t *pixels = sdw_malloc(bytes);
        if (!pixels) return sdw_fail_memory(err, "converted picture", bytes);
        convert(image->pixels, pixels, n);
        sdw_free(image->pixels);
        image->pixels = pixels;
    }
    image->channels = channels;
    return SDW_OK;
}
