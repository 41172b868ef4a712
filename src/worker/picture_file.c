/* picture_file.c - see picture_file.h. */
#include "worker/picture_file.h"

#include <string.h>

#include "core/mem.h"

static const char magic[8] = { 'S', 'D', 'W', 'P', 'I', 'X', '1', '\n' };

/* Bytes of the pixels; 0 if the sides or channels are none that we keep. */
static size_t pixel_bytes(int64_t width, int64_t height, int64_t channels)
{
    if (width < 1 || height < 1 || width > SDW_LIMIT_IMAGE_SIDE || height > SDW_LIMIT_IMAGE_SIDE || (channels != 1 && channels != 3)) return 0;
    if ((size_t)width * (size_t)height > SDW_LIMIT_IMAGE_PIXELS) return 0;
    return (size_t)width * (size_t)height * (size_t)channels;
}

sdw_status sdw_picture_file_write(const sdw_picture *p, sdw_buf *out, sdw_error *err)
{
    uint8_t head[SDW_PICTURE_FILE_HEAD] = { 0 };
    size_t bytes = pixel_bytes(p->width, p->height, p->channels);
    if (!bytes) return sdw_fail(err, SDW_INVALID, "input picture: %d x %d with %d channels cannot be kept", p->width, p->height, p->channels);
    const uint32_t numbers[] = { (uint32_t)p->width, (uint32_t)p->height, (uint32_t)p->channels, 0 };
    memcpy(head, magic, sizeof magic);
    for (int i = 0; i < 16; i++) head[8 + i] = (uint8_t)(numbers[i / 4] >> (8 * (i % 4)));
    if (!sdw_buf_reserve(out, sizeof head + bytes)) return sdw_fail_memory(err, "input picture", sizeof head + bytes);
    sdw_buf_append(out, head, sizeof head);
    sdw_buf_append(out, p->pixels, bytes);
    return SDW_OK;
}

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

sdw_status sdw_picture_file_read(const void *data, size_t size, const char *what, sdw_picture *ret, sdw_error *err)
{
    const uint8_t *p = data;
    if (size < SDW_PICTURE_FILE_HEAD || memcmp(p, magic, sizeof magic) != 0) return sdw_fail(err, SDW_FORMAT, "%s: holds no picture", what);
    const uint32_t width = le32(p + 8), height = le32(p + 12), channels = le32(p + 16);
    size_t bytes = pixel_bytes(width, height, channels);
    if (!bytes || size != SDW_PICTURE_FILE_HEAD + bytes)
        return sdw_fail(err, SDW_FORMAT, "%s: %zu bytes for %u x %u pixels of %u channels", what, size, (unsigned)width, (unsigned)height, (unsigned)channels);
    uint8_t *pixels = sdw_malloc(bytes);
    if (!pixels) return sdw_fail_memory(err, what, bytes);
    memcpy(pixels, p + SDW_PICTURE_FILE_HEAD, bytes);
    *ret = (sdw_picture){ .width = (int)width, .height = (int)height, .channels = (int)channels, .pixels = pixels };
    return SDW_OK;
}
