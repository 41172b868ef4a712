/* webp.c - WebP through libwebp; the RIFF container around it (https://developers.google.com/speed/webp/docs/
 * riff_container) is read and written here. Still pictures only: an animation is refused, not cut to its first frame,
 * since a caller who sends one expects something else than he would get. */
#include <string.h>
#include <webp/decode.h>
#include <webp/encode.h>

#include "core/mem.h"
#include "image/codec.h"
#include "image/exif.h"
#include "image/xmp.h"

enum { QUALITY_DEFAULT = 90, RIFF_HEADER = 12, CHUNK_HEADER = 8, VP8X_BYTES = 10 };
enum { FLAG_XMP = 0x04, FLAG_EXIF = 0x08, FLAG_ALPHA = 0x10 };

static uint32_t little32(const uint8_t *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static bool match(const uint8_t *bytes, size_t size)
{
    return size >= RIFF_HEADER && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0;
}

/* ---- chunks ---- */

typedef struct chunk {
    const uint8_t *name, *data;
    size_t size;
} chunk;

/* The next chunk from offset *at (RIFF_HEADER first); false at the end or where one does not fit. */
static bool next_chunk(const uint8_t *bytes, size_t size, size_t *at, chunk *ret)
{
    if (*at > size || size - *at < CHUNK_HEADER) return false;
    size_t length = little32(bytes + *at + 4), room = size - *at - CHUNK_HEADER;
    if (length > room) return false;
    *ret = (chunk){ .name = bytes + *at, .data = bytes + *at + CHUNK_HEADER, .size = length };
    *at += CHUNK_HEADER + length + (length & 1 & (length < room)); /* odd lengths are padded */
    return true;
}

static bool find_chunk(const uint8_t *bytes, size_t size, const char *name, chunk *ret)
{
    size_t at = RIFF_HEADER;
    while (next_chunk(bytes, size, &at, ret))
        if (memcmp(ret->name, name, 4) == 0) return true;
    return false;
}

/* ---- decoding ---- */

static const char *reason(VP8StatusCode code)
{
    switch (code) {
    case VP8_STATUS_OUT_OF_MEMORY: return "out of memory";
    case VP8_STATUS_BITSTREAM_ERROR: return "error in the bit stream";
    case VP8_STATUS_UNSUPPORTED_FEATURE: return "unsupported feature";
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA: return "ends too early";
    default: return "refused by the library";
    }
}

static sdw_status failure(const sdw_codec_input *in, VP8StatusCode code, sdw_error *err)
{
    if (code == VP8_STATUS_OUT_OF_MEMORY) return sdw_fail_memory(err, "reading a WebP", 0);
    return sdw_codec_damaged(in, "WebP", reason(code), err);
}

static sdw_status read_features(const sdw_codec_input *in, WebPBitstreamFeatures *ret, sdw_error *err)
{
    size_t riff = little32(in->bytes + 4);
    if (riff > in->size - CHUNK_HEADER) return sdw_codec_damaged(in, "WebP", "ends too early", err);
    VP8StatusCode code = WebPGetFeatures(in->bytes, in->size, ret);
    if (code != VP8_STATUS_OK) return failure(in, code, err);
    if (ret->has_animation)
        return sdw_fail(err, SDW_UNSUPPORTED, "%s: is an animated WebP: want a still picture", in->what);
    return SDW_OK;
}

static sdw_status probe(const sdw_codec_input *in, int *ret_width, int *ret_height, sdw_error *err)
{
    WebPBitstreamFeatures features;
    sdw_status status = read_features(in, &features, err);
    if (status != SDW_OK) return status;
    *ret_width = features.width;
    *ret_height = features.height;
    return SDW_OK;
}

static sdw_status read_pixels(const sdw_codec_input *in, sdw_image *image, sdw_error *err)
{
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config)) return sdw_fail(err, SDW_INTERNAL, "libwebp: versions of header and library "
                                                                            "differ");
    config.output.colorspace = image->channels == 4 ? MODE_RGBA : MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = image->pixels;
    config.output.u.RGBA.stride = image->width * image->channels;
    config.output.u.RGBA.size = sdw_image_bytes(image);
    VP8StatusCode code = WebPDecode(in->bytes, in->size, &config);
    return code == VP8_STATUS_OK ? SDW_OK : failure(in, code, err);
}

static sdw_status decode(const sdw_codec_input *in, int width, int height, sdw_image **ret_image,
                         int *ret_orientation, sdw_error *err)
{
    WebPBitstreamFeatures features;
    sdw_image *image = NULL;
    sdw_status status = read_features(in, &features, err);
    if (status != SDW_OK) return status;
    if (features.width != width || features.height != height)
        return sdw_codec_damaged(in, "WebP", "sizes differ", err);
    status = sdw_image_create(width, height, features.has_alpha ? 4 : 3, &image, err);
    if (status == SDW_OK) status = read_pixels(in, image, err);
    if (status != SDW_OK) {
        sdw_image_free(image);
        return status;
    }
    chunk exif;
    *ret_orientation = find_chunk(in->bytes, in->size, "EXIF", &exif) ? sdw_exif_orientation(exif.data, exif.size) : 1;
    *ret_image = image;
    return SDW_OK;
}

static sdw_status read_text(const sdw_codec_input *in, const char *key, sdw_buf *out, sdw_error *err)
{
    chunk c;
    (void)err;
    if (find_chunk(in->bytes, in->size, "XMP ", &c) && sdw_xmp_read(c.data, c.size, key, out)) return SDW_OK;
    if (strcmp(key, SDW_TEXT_PARAMETERS) == 0 && find_chunk(in->bytes, in->size, "EXIF", &c) &&
        sdw_exif_user_comment(c.data, c.size, out))
        return SDW_OK;
    return SDW_NOT_FOUND;
}

/* ---- encoding ---- */

static void put32(sdw_buf *out, size_t v)
{
    uint8_t b[4] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) };
    sdw_buf_append(out, b, 4);
}

static void put_chunk(sdw_buf *out, const char *name, const void *data, size_t size)
{
    sdw_buf_append(out, name, 4);
    put32(out, size);
    sdw_buf_append(out, data, size);
    if (size & 1) sdw_buf_append(out, "", 1);
}

static void put_vp8x(sdw_buf *out, const sdw_image *image, unsigned flags)
{
    unsigned w = (unsigned)image->width - 1, h = (unsigned)image->height - 1;
    uint8_t data[VP8X_BYTES] = { (uint8_t)flags, 0, 0, 0, (uint8_t)w, (uint8_t)(w >> 8), (uint8_t)(w >> 16),
                                 (uint8_t)h, (uint8_t)(h >> 8), (uint8_t)(h >> 16) };
    put_chunk(out, "VP8X", data, sizeof data);
}

static const char *find_parameters(const sdw_image_encode_options *o)
{
    for (size_t i = 0; i < o->text_count; i++)
        if (strcmp(o->texts[i].key, SDW_TEXT_PARAMETERS) == 0) return o->texts[i].text;
    return NULL;
}

/* The encoder's chunks in the extended form, with EXIF and XMP behind them. */
static bool wrap(const uint8_t *webp, size_t size, const sdw_image *image, const sdw_image_encode_options *o,
                 sdw_buf *out)
{
    const char *parameters = find_parameters(o);
    sdw_buf exif, xmp;
    sdw_buf_init(&exif, 0);
    sdw_buf_init(&xmp, 0);
    bool ok = sdw_xmp_write(o->texts, o->text_count, &xmp) &&
              (!parameters || sdw_exif_write_user_comment(parameters, &exif));
    size_t start = out->size, at = RIFF_HEADER;
    chunk c;
    sdw_buf_append(out, "RIFF\0\0\0\0WEBP", RIFF_HEADER);
    put_vp8x(out, image, FLAG_XMP | (parameters ? FLAG_EXIF : 0u) | (image->channels == 4 ? FLAG_ALPHA : 0u));
    while (next_chunk(webp, size, &at, &c))
        if (memcmp(c.name, "VP8X", 4) != 0) put_chunk(out, (const char *)c.name, c.data, c.size);
    if (parameters) put_chunk(out, "EXIF", exif.data, exif.size);
    put_chunk(out, "XMP ", xmp.data, xmp.size);
    ok = ok && !out->failed;
    if (ok) {
        size_t riff = out->size - start - CHUNK_HEADER;
        for (size_t i = 0; i < 4; i++) out->data[start + 4 + i] = (char)(uint8_t)(riff >> (8 * i));
    }
    sdw_buf_finish(&exif);
    sdw_buf_finish(&xmp);
    return ok;
}

/* Pixels into libwebp's own picture; grey is spread to RGB, since the format has no grey. */
static bool import(WebPPicture *picture, const sdw_image *image)
{
    int width = image->width, height = image->height;
    if (image->channels == 3) return WebPPictureImportRGB(picture, image->pixels, 3 * width) != 0;
    if (image->channels == 4) return WebPPictureImportRGBA(picture, image->pixels, 4 * width) != 0;
    size_t n = (size_t)width * (size_t)height;
    uint8_t *rgb = sdw_malloc(3 * n);
    if (!rgb) return false;
    for (size_t i = 0; i < n; i++) rgb[3 * i] = rgb[3 * i + 1] = rgb[3 * i + 2] = image->pixels[i];
    bool ok = WebPPictureImportRGB(picture, rgb, 3 * width) != 0;
    sdw_free(rgb);
    return ok;
}

static sdw_status configure(const sdw_image_encode_options *o, WebPConfig *ret, sdw_error *err)
{
    if (!WebPConfigInit(ret)) return sdw_fail(err, SDW_INTERNAL, "libwebp: versions of header and library differ");
    ret->quality = (float)(o->quality ? o->quality : QUALITY_DEFAULT);
    ret->method = o->effort;
    if (o->lossless) {
        ret->lossless = 1;
        ret->exact = 1; /* colours under full transparency too */
        ret->quality = 25.0f; /* effort only, here; more costs three times the time for 2 % */
    }
    return SDW_OK;
}

static sdw_status encode(const sdw_image *image, const sdw_image_encode_options *o, sdw_buf *out, sdw_error *err)
{
    WebPConfig config;
    WebPPicture picture;
    WebPMemoryWriter writer;
    sdw_status status = configure(o, &config, err);
    if (status != SDW_OK) return status;
    if (!WebPPictureInit(&picture)) return sdw_fail(err, SDW_INTERNAL, "libwebp: versions of header and library differ");
    WebPMemoryWriterInit(&writer);
    picture.use_argb = o->lossless;
    picture.width = image->width;
    picture.height = image->height;
    picture.writer = WebPMemoryWrite;
    picture.custom_ptr = &writer;
    if (!import(&picture, image))
        status = sdw_fail_memory(err, "writing a WebP", sdw_image_bytes(image));
    else if (!WebPEncode(&config, &picture))
        status = picture.error_code == VP8_ENC_ERROR_OUT_OF_MEMORY ||
                         picture.error_code == VP8_ENC_ERROR_BITSTREAM_OUT_OF_MEMORY
                     ? sdw_fail_memory(err, "writing a WebP", 0)
                     : sdw_fail(err, SDW_INTERNAL, "writing a WebP: libwebp error %d", (int)picture.error_code);
    else if (o->text_count ? !wrap(writer.mem, writer.size, image, o, out)
                           : !sdw_buf_append(out, writer.mem, writer.size))
        status = sdw_fail_memory(err, "writing a WebP", writer.size);
    WebPPictureFree(&picture);
    WebPMemoryWriterClear(&writer);
    return status;
}

extern const sdw_codec sdw_codec_webp;
const sdw_codec sdw_codec_webp = {
    .name = "webp",
    .summary = "smaller than JPEG; lossy or lossless",
    .mime = "image/webp",
    .extensions = { ".webp" },
    .side_max = WEBP_MAX_DIMENSION,
    .match = match,
    .probe = probe,
    .decode = decode,
    .encode = encode,
    .read_text = read_text,
};
