/* picture.h - the body of the fuzz targets for picture formats. */
#ifndef TESTS_FUZZ_PICTURE_H
#define TESTS_FUZZ_PICTURE_H

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "image/image.h"

/* Inputs of other formats are left to their own targets. */
static inline int fuzz_picture(const char *format, const uint8_t *data, size_t size)
{
    /* Small pixels, so that time goes into parsing. */
    sdw_image_decode_options o = { .what = "input", .limits = { .pixels_max = 1 << 18, .side_max = 2048 } };
    sdw_image_info info;
    sdw_error err = { 0 };
    char *text = NULL;
    if (sdw_image_probe(data, size, &o, &info, &err) == SDW_OK && strcmp(info.format, format) != 0) return 0;
    for (o.channels = 1; o.channels <= 3; o.channels += 2) {
        sdw_image *image = NULL;
        if (sdw_image_decode(data, size, &o, &image, &err) == SDW_OK) {
            if (image->channels != o.channels || image->width < 1 || image->height < 1) abort();
        } else if (image || err.text[0] == '\0') {
            abort();
        }
        sdw_image_free(image);
    }
    if (sdw_image_read_text(data, size, "input", SDW_TEXT_PARAMETERS, &text, &err) == SDW_OK) sdw_free(text);
    text = NULL;
    if (sdw_image_read_text(data, size, "input", "sdw", &text, &err) == SDW_OK) sdw_free(text);
    return 0;
}

#endif
