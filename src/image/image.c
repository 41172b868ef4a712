/* image.c - pictures, and the checks that stand before and behind every codec. */
#include "image/image.h"

#include <string.h>
#include <strings.h>
#include <utf8proc.h>

#include "core/limits.h"
#include "core/mem.h"
#include "image/budget.h"
#include "image/codec.h"
#include "image/convert.h"
#include "image/geometry.h"

#define X(name) extern const sdw_codec sdw_codec_##name;
#include "registry/codecs.inc"
#undef X

static const sdw_codec *const CODECS[] = {
#define X(name) &sdw_codec_##name,
#include "registry/codecs.inc"
#undef X
};

enum { CODEC_COUNT = sizeof CODECS / sizeof CODECS[0], KEY_MAX = 79 };

/* ---- pictures ---- */

sdw_status sdw_image_create(int width, int height, int channels, sdw_image **ret_image, sdw_error *err)
{
    if (width < 1 || height < 1 || channels < 1 || channels > 4)
        return sdw_fail(err, SDW_INVALID, "picture of %dx%d with %d channels: want sides of 1 or more, 1 to 4 channels",
                        width, height, channels);
    size_t pixels = (size_t)width * (size_t)height;
    if (width > SDW_LIMIT_IMAGE_SIDE || height > SDW_LIMIT_IMAGE_SIDE || pixels > SDW_LIMIT_IMAGE_PIXELS)
        return sdw_fail(err, SDW_LIMIT, "picture of %dx%d pixels: want sides up to %d and at most %zu pixels", width,
                        height, SDW_LIMIT_IMAGE_SIDE, SDW_LIMIT_IMAGE_PIXELS);
    sdw_image *image = sdw_calloc(1, sizeof *image);
    if (!image) return sdw_fail_memory(err, "picture", sizeof *image);
    *image = (sdw_image){ .width = width, .height = height, .channels = channels };
    image->pixels = sdw_calloc(pixels, (size_t)channels);
    if (!image->pixels) {
        sdw_free(image);
        return sdw_fail_memory(err, "pixels of a picture", pixels * (size_t)channels);
    }
    *ret_image = image;
    return SDW_OK;
}

sdw_status sdw_image_clone(const sdw_image *image, sdw_image **ret_image, sdw_error *err)
{
    sdw_image *copy = NULL;
    sdw_status status = sdw_image_create(image->width, image->height, image->channels, &copy, err);
    if (status != SDW_OK) return status;
    memcpy(copy->pixels, image->pixels, sdw_image_bytes(image));
    *ret_image = copy;
    return SDW_OK;
}

void sdw_image_free(sdw_image *image)
{
    if (!image) return;
    sdw_free(image->pixels);
    sdw_free(image);
}

size_t sdw_image_bytes(const sdw_image *image)
{
    return (size_t)image->width * (size_t)image->height * (size_t)image->channels;
}

/* ---- which codec ---- */

const sdw_codec *sdw_codec_of_bytes(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < CODEC_COUNT; i++)
        if (CODECS[i]->match(bytes, size)) return CODECS[i];
    return NULL;
}

const sdw_codec *sdw_codec_of_name(const char *name)
{
    for (size_t i = 0; i < CODEC_COUNT; i++)
        if (strcmp(CODECS[i]->name, name) == 0) return CODECS[i];
    return NULL;
}

const char *sdw_image_format_of_path(const char *path)
{
    size_t length = strlen(path);
    for (size_t i = 0; i < CODEC_COUNT; i++) {
        for (const char *const *e = CODECS[i]->extensions; *e; e++) {
            size_t n = strlen(*e);
            if (length > n && strcasecmp(path + length - n, *e) == 0) return CODECS[i]->name;
        }
    }
    return NULL;
}

const char *sdw_image_format_at(size_t index, const char **ret_summary, const char **ret_mime)
{
    if (index >= CODEC_COUNT) return NULL;
    if (ret_summary) *ret_summary = CODECS[index]->summary;
    if (ret_mime) *ret_mime = CODECS[index]->mime;
    return CODECS[index]->name;
}

/* Formats that people do send, so that the error can say what it is. */
static const char *foreign_format(const uint8_t *bytes, size_t size)
{
    static const struct {
        size_t at, length;
        const char *magic, *name;
    } FOREIGN[] = {
        { 0, 4, "GIF8", "a GIF" },
        { 0, 2, "BM", "a BMP" },
        { 0, 4, "II*\0", "a TIFF" },
        { 0, 4, "MM\0*", "a TIFF" },
        { 4, 8, "ftypavif", "an AVIF" },
        { 4, 8, "ftypheic", "a HEIC" },
        { 4, 8, "ftypmif1", "a HEIF" },
        { 0, 12, "\0\0\0\fJXL \r\n\x87\n", "a JPEG XL" },
        { 0, 2, "\xff\x0a", "a JPEG XL" },
        { 0, 12, "\0\0\0\fjP  \r\n\x87\n", "a JPEG 2000" },
        { 0, 4, "qoif", "a QOI" },
        { 0, 4, "8BPS", "a Photoshop file" },
        { 0, 5, "%PDF-", "a PDF" },
        { 0, 5, "<?xml", "an XML or SVG text" },
        { 0, 4, "<svg", "an SVG" },
        { 0, 9, "version h", "a Git LFS pointer, not the picture itself" },
    };
    for (size_t i = 0; i < sizeof FOREIGN / sizeof FOREIGN[0]; i++) {
        size_t end = FOREIGN[i].at + FOREIGN[i].length;
        if (size >= end && memcmp(bytes + FOREIGN[i].at, FOREIGN[i].magic, FOREIGN[i].length) == 0)
            return FOREIGN[i].name;
    }
    return NULL;
}

static sdw_status choose_codec(const sdw_codec_input *in, const sdw_codec **ret_codec, sdw_error *err)
{
    const sdw_codec *codec = sdw_codec_of_bytes(in->bytes, in->size);
    if (codec) {
        *ret_codec = codec;
        return SDW_OK;
    }
    const char *foreign = foreign_format(in->bytes, in->size);
    if (foreign) return sdw_fail(err, SDW_UNSUPPORTED, "%s: is %s: want PNG, JPEG or WebP", in->what, foreign);
    if (in->size == 0) return sdw_fail(err, SDW_FORMAT, "%s: is empty: want PNG, JPEG or WebP", in->what);
    return sdw_fail(err, SDW_FORMAT, "%s: %zu bytes in no known picture format: want PNG, JPEG or WebP", in->what,
                    in->size);
}

/* ---- decoding ---- */

sdw_status sdw_codec_damaged(const sdw_codec_input *in, const char *format, const char *detail, sdw_error *err)
{
    return sdw_fail(err, SDW_FORMAT, "%s: %s of %zu bytes is damaged or cut short (%s)", in->what, format, in->size,
                    detail);
}

static size_t limit_or(size_t asked, size_t limit)
{
    return asked && asked < limit ? asked : limit;
}

static sdw_status check_size(const sdw_codec_input *in, const sdw_image_limits *limits, int width, int height,
                             sdw_error *err)
{
    size_t side_max = limit_or(limits->side_max, SDW_LIMIT_IMAGE_SIDE);
    size_t pixels_max = limit_or(limits->pixels_max, SDW_LIMIT_IMAGE_PIXELS);
    if (width < 1 || height < 1)
        return sdw_fail(err, SDW_FORMAT, "%s: header says %dx%d pixels: want sides of 1 or more", in->what, width,
                        height);
    if ((size_t)width > side_max || (size_t)height > side_max)
        return sdw_fail(err, SDW_LIMIT, "%s: %dx%d pixels: want sides up to %zu", in->what, width, height, side_max);
    size_t pixels = (size_t)width * (size_t)height;
    if (pixels > pixels_max)
        return sdw_fail(err, SDW_LIMIT, "%s: %dx%d = %zu pixels: want at most %zu", in->what, width, height, pixels,
                        pixels_max);
    return SDW_OK;
}

typedef struct opened {
    sdw_codec_input in;
    const sdw_codec *codec;
    int width, height;
} opened;

/* Everything that needs only the header. */
static sdw_status open_input(const void *bytes, size_t size, const sdw_image_decode_options *options,
                             opened *ret_opened, sdw_error *err)
{
    sdw_codec_input in = { .bytes = bytes, .size = size, .what = options->what ? options->what : "image" };
    size_t bytes_max = limit_or(options->limits.bytes_max, SDW_LIMIT_IMAGE_BYTES);
    if (size > bytes_max)
        return sdw_fail(err, SDW_LIMIT, "%s: %zu bytes: want at most %zu", in.what, size, bytes_max);
    const sdw_codec *codec = NULL;
    int width = 0, height = 0;
    sdw_status status = choose_codec(&in, &codec, err);
    if (status == SDW_OK) status = codec->probe(&in, &width, &height, err);
    if (status == SDW_OK) status = check_size(&in, &options->limits, width, height, err);
    if (status != SDW_OK) return status;
    *ret_opened = (opened){ .in = in, .codec = codec, .width = width, .height = height };
    return SDW_OK;
}

sdw_status sdw_image_probe(const void *bytes, size_t size, const sdw_image_decode_options *options,
                           sdw_image_info *ret_info, sdw_error *err)
{
    static const sdw_image_decode_options NONE;
    opened o = { 0 };
    sdw_status status = open_input(bytes, size, options ? options : &NONE, &o, err);
    if (status == SDW_OK)
        *ret_info = (sdw_image_info){ .format = o.codec->name, .width = o.width, .height = o.height };
    return status;
}

sdw_status sdw_image_decode(const void *bytes, size_t size, const sdw_image_decode_options *options,
                            sdw_image **ret_image, sdw_error *err)
{
    static const sdw_image_decode_options NONE;
    opened o = { 0 };
    int orientation = 1;
    if (!options) options = &NONE;
    int channels = options->channels ? options->channels : 3;
    sdw_status status = open_input(bytes, size, options, &o, err);
    if (status != SDW_OK) return status;
    size_t pixels = (size_t)o.width * (size_t)o.height;
    status = sdw_image_budget_enter(pixels, o.in.what, err);
    if (status != SDW_OK) return status;

    sdw_image *image = NULL;
    status = o.codec->decode(&o.in, o.width, o.height, &image, &orientation, err);
    if (status == SDW_OK) status = sdw_image_convert(image, channels, err);
    if (status == SDW_OK && !options->keep_orientation) status = sdw_image_orient(&image, orientation, err);
    sdw_image_budget_leave(pixels);
    if (status == SDW_OK)
        *ret_image = image;
    else
        sdw_image_free(image);
    return status;
}

/* ---- encoding ---- */

static sdw_status check_text(const sdw_image_text *t, sdw_error *err)
{
    static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t length = strlen(t->key);
    bool ok = length >= 1 && length <= KEY_MAX && strchr(LETTERS, t->key[0]);
    for (size_t i = 0; ok && i < length; i++) ok = strchr(LETTERS, t->key[i]) || strchr("0123456789_-", t->key[i]);
    if (!ok)
        return sdw_fail(err, SDW_INVALID, "picture text key '%.90s': want a letter, then up to 78 letters, digits, "
                        "'_' or '-'", t->key);
    size_t bytes = strlen(t->text);
    if (bytes > SDW_LIMIT_IMAGE_TEXT_BYTES)
        return sdw_fail(err, SDW_LIMIT, "picture text '%s': %zu bytes: want at most %zu", t->key, bytes,
                        SDW_LIMIT_IMAGE_TEXT_BYTES);
    const uint8_t *p = (const uint8_t *)t->text;
    for (size_t at = 0; at < bytes;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate(p + at, (utf8proc_ssize_t)(bytes - at), &c);
        if (n < 1) return sdw_fail(err, SDW_INVALID, "picture text '%s': byte %zu is not UTF-8", t->key, at);
        at += (size_t)n;
    }
    return SDW_OK;
}

static sdw_status check_encode(const sdw_image *image, const sdw_codec *codec, const sdw_image_encode_options *o,
                               sdw_error *err)
{
    if (image->channels != 1 && image->channels != 3 && image->channels != 4)
        return sdw_fail(err, SDW_INVALID, "picture to write has %d channels: want 1, 3 or 4", image->channels);
    if (image->width > codec->side_max || image->height > codec->side_max)
        return sdw_fail(err, SDW_UNSUPPORTED, "picture of %dx%d pixels as %s: want sides up to %d", image->width,
                        image->height, codec->name, codec->side_max);
    if (o->level < 0 || o->level > 9)
        return sdw_fail_field(err, SDW_INVALID, "level", "PNG level %d: want 1..9, or 0 for the default", o->level);
    if (o->quality < 0 || o->quality > 100)
        return sdw_fail_field(err, SDW_INVALID, "quality", "quality %d: want 1..100, or 0 for the default", o->quality);
    if (o->effort < 0 || o->effort > 6)
        return sdw_fail_field(err, SDW_INVALID, "effort", "WebP effort %d: want 1..6, or 0 for the default", o->effort);
    for (size_t i = 0; i < o->text_count; i++) {
        sdw_status status = check_text(&o->texts[i], err);
        if (status != SDW_OK) return status;
    }
    return SDW_OK;
}

sdw_status sdw_image_encode(const sdw_image *image, const char *format, const sdw_image_encode_options *options,
                            sdw_buf *out, sdw_error *err)
{
    sdw_image_encode_options o = options ? *options : (sdw_image_encode_options){ 0 };
    const sdw_codec *codec = sdw_codec_of_name(format);
    if (!codec) return sdw_fail_field(err, SDW_INVALID, "format", "picture format '%s': want png, jpeg or webp", format);
    sdw_status status = check_encode(image, codec, &o, err);
    if (status != SDW_OK) return status;
    if (o.level == 0) o.level = 1;
    if (o.effort == 0) o.effort = 4;
    size_t before = out->size;
    status = codec->encode(image, &o, out, err);
    if (status == SDW_OK && out->failed) status = sdw_fail_memory(err, "encoded picture", out->size);
    if (status != SDW_OK) out->size = before;
    return status;
}

sdw_status sdw_image_read_text(const void *bytes, size_t size, const char *what, const char *key, char **ret_text,
                               sdw_error *err)
{
    sdw_codec_input in = { .bytes = bytes, .size = size, .what = what ? what : "image" };
    const sdw_codec *codec = NULL;
    if (size > SDW_LIMIT_IMAGE_BYTES)
        return sdw_fail(err, SDW_LIMIT, "%s: %zu bytes: want at most %zu", in.what, size, SDW_LIMIT_IMAGE_BYTES);
    sdw_status status = choose_codec(&in, &codec, err);
    if (status != SDW_OK) return status;
    sdw_buf text;
    sdw_buf_init(&text, SDW_LIMIT_IMAGE_TEXT_BYTES);
    status = codec->read_text(&in, key, &text, err);
    if (status == SDW_OK) {
        sdw_buf_append(&text, "", 0); /* an empty text is a text */
        *ret_text = sdw_buf_take(&text, NULL);
        if (!*ret_text)
            status = sdw_fail(err, SDW_LIMIT, "%s: text '%s' does not fit in memory or %zu bytes", in.what, key,
                              SDW_LIMIT_IMAGE_TEXT_BYTES);
    } else if (status == SDW_NOT_FOUND) {
        sdw_fail(err, SDW_NOT_FOUND, "%s: this %s holds no text '%s'", in.what, codec->name, key);
    }
    sdw_buf_finish(&text);
    return status;
}
