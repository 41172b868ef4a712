/* support.c - what the picture tests share. */
#include "support.h"

#include <stdio.h>

#include "image/file.h"

uint64_t fnv(const void *data, size_t size)
{
    const uint8_t *p = data;
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++) h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h;
}

sdw_image *pattern(int width, int height, int channels)
{
    sdw_image *image = NULL;
    assert_int_equal(sdw_image_create(width, height, channels, &image, NULL), SDW_OK);
    uint8_t *p = image->pixels;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < channels; c++)
                *p++ = (uint8_t)((x * 7 + y * 13 + c * 29) ^ (x * y / 3) ^ ((x / 5 + y / 3) % 2 * 255));
    return image;
}

void read_corpus(const char *name, sdw_buf *ret)
{
    char path[1024];
    sdw_error err = { 0 };
    snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s", SDW_SOURCE_DIR, name);
    sdw_buf_init(ret, 0);
    if (sdw_image_read_file(path, 0, ret, &err) != SDW_OK) fail_msg("%s", err.text);
}

sdw_image *decode_ok(const sdw_buf *file, int channels)
{
    sdw_error err = { 0 };
    sdw_image *image = NULL;
    sdw_image_decode_options o = { .channels = channels };
    if (sdw_image_decode(file->data, file->size, &o, &image, &err) != SDW_OK) fail_msg("%s", err.text);
    return image;
}

void encode_ok(const sdw_image *image, const char *format, const sdw_image_encode_options *options, sdw_buf *ret)
{
    sdw_error err = { 0 };
    sdw_buf_init(ret, 0);
    if (sdw_image_encode(image, format, options, ret, &err) != SDW_OK) fail_msg("%s", err.text);
}
