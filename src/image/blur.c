/* blur.c - Gaussian blur as three extended box blurs per axis (Gwosdek, Grewenig, Bruhn, Weickert 2011), with Pillow's
 * arithmetic: the radius in single precision, weights in 24 fractional bits, every pass rounded to 8 bits. */
#include <math.h>
#include <string.h>

#include "core/mem.h"
#include "image/mask.h"

enum { PASSES = 3, WEIGHT_BITS = 24 };

/* The box of full weight on [-radius, radius], and the fraction that the two pixels beyond it get. */
typedef struct box_weights {
    int radius;
    uint32_t inner, outer;
} box_weights;

/* Eq. 7, 11 and 14 of the paper: the radius, with fraction, for which PASSES boxes have variance sigma^2. */
static float box_radius(float sigma)
{
    float variance = sigma * sigma / PASSES;
    float length = (float)sqrt(12.0 * variance + 1.0);
    float whole = (float)floor((length - 1.0) / 2.0);
    float fraction = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance);
    fraction /= 6 * (variance - (whole + 1) * (whole + 1));
    return whole + fraction;
}

static box_weights make_weights(float radius)
{
    const uint32_t one = 1u << WEIGHT_BITS;
    box_weights w = { .radius = (int)radius };
    w.inner = (uint32_t)((float)one / (radius * 2 + 1));
    w.outer = (one - ((uint32_t)w.radius * 2 + 1) * w.inner) / 2;
    return w;
}

static inline int clamp(int i, int max)
{
    return i < 0 ? 0 : i > max ? max : i;
}

/* One pass over a line of n values; from and to differ. The running sum moves by one pixel in and one out. */
static void blur_line(const box_weights *w, const uint8_t *from, uint8_t *to, int n)
{
    int last = n - 1, r = w->radius;
    uint32_t sum = 0;
    for (int i = -r - 1; i <= r - 1; i++) sum += from[clamp(i, last)];
    for (int x = 0; x < n; x++) {
        sum += (uint32_t)from[clamp(x + r, last)] - from[clamp(x - r - 1, last)];
        uint32_t edges = (uint32_t)from[clamp(x - r - 1, last)] + from[clamp(x + r + 1, last)];
        to[x] = (uint8_t)((sum * w->inner + edges * w->outer + (1u << (WEIGHT_BITS - 1))) >> WEIGHT_BITS);
    }
}

/* All passes over every row, in place; `line` holds two rows. */
static void blur_rows(const box_weights *w, uint8_t *pixels, int width, int height, uint8_t *line)
{
    uint8_t *a = line, *b = line + width;
    for (int y = 0; y < height; y++) {
        uint8_t *row = pixels + (size_t)y * (size_t)width;
        memcpy(a, row, (size_t)width);
        for (int i = 0; i < PASSES; i++) {
            blur_line(w, a, b, width);
            uint8_t *swap = a;
            a = b;
            b = swap;
        }
        memcpy(row, a, (size_t)width);
    }
}

/* In blocks, so that both sides stay in the cache. */
static void transpose(const uint8_t *from, uint8_t *to, int width, int height)
{
    enum { BLOCK = 32 };
    for (int y0 = 0; y0 < height; y0 += BLOCK)
        for (int x0 = 0; x0 < width; x0 += BLOCK)
            for (int y = y0; y < y0 + BLOCK && y < height; y++)
                for (int x = x0; x < x0 + BLOCK && x < width; x++)
                    to[(size_t)x * (size_t)height + (size_t)y] = from[(size_t)y * (size_t)width + (size_t)x];
}

sdw_status sdw_mask_blur(sdw_image *mask, float radius, sdw_error *err)
{
    if (!(radius >= 0 && radius <= SDW_MASK_BLUR_MAX))
        return sdw_fail_field(err, SDW_INVALID, "mask_blur", "mask blur %g: want 0..%d pixels", (double)radius,
                              SDW_MASK_BLUR_MAX);
    if (mask->channels != 1)
        return sdw_fail(err, SDW_INVALID, "blurring a mask of %d channels: want 1", mask->channels);
    if (radius == 0) return SDW_OK;
    int side = mask->width > mask->height ? mask->width : mask->height;
    uint8_t *line = sdw_malloc(2 * (size_t)side), *turned = sdw_malloc(sdw_image_bytes(mask));
    sdw_status status = SDW_OK;
    if (line && turned) {
        box_weights w = make_weights(box_radius(radius));
        blur_rows(&w, mask->pixels, mask->width, mask->height, line);
        transpose(mask->pixels, turned, mask->width, mask->height);
        blur_rows(&w, turned, mask->height, mask->width, line);
        transpose(turned, mask->pixels, mask->height, mask->width);
    } else {
        status = sdw_fail_memory(err, "mask blur", sdw_image_bytes(mask) + 2 * (size_t)side);
    }
    sdw_free(line);
    sdw_free(turned);
    return status;
}
