/* png.c - PNG through libpng: every colour type and depth, interlaced or not; texts and orientation.
 *
 * libpng reports errors by longjmp. Each function that calls it under setjmp keeps what it needs afterwards in a
 * struct of its caller, so that no local variable has to survive the jump.
 * Chunks that we do not use and that need inflating (colour profiles, and texts while decoding) are skipped unread.
 * Gamma and colour profiles are ignored, as Pillow ignores them. */
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

#include "core/limits.h"
#include "core/mem.h"
#include "image/codec.h"
#include "image/exif.h"

enum {
    HEADER_BYTES = 8 + 8 + 13,
    CHUNKS_MAX = 1000,
    CHUNK_BYTES_MAX = SDW_LIMIT_IMAGE_TEXT_BYTES + 4096, /* a text with its key */
    ALLOCATION_MAX = CHUNK_BYTES_MAX + 65536,
};

/* Both directions. */
typedef struct session {
    const sdw_codec_input *in;
    size_t at;            /* read position */
    sdw_buf *out;         /* written to */
    png_structp png;      /* owned */
    png_infop info;       /* owned */
    sdw_image *image;     /* owned while reading */
    int orientation;
    bool no_memory;
    char problem[128];
} session;

static uint32_t big32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool match(const uint8_t *bytes, size_t size)
{
    return size >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0;
}

static sdw_status probe(const sdw_codec_input *in, int *ret_width, int *ret_height, sdw_error *err)
{
    if (in->size < HEADER_BYTES) return sdw_codec_damaged(in, "PNG", "header incomplete", err);
    if (big32(in->bytes + 8) != 13 || memcmp(in->bytes + 12, "IHDR", 4) != 0)
        return sdw_codec_damaged(in, "PNG", "does not begin with a header chunk", err);
    uint32_t width = big32(in->bytes + 16), height = big32(in->bytes + 20);
    if (width > INT32_MAX || height > INT32_MAX)
        return sdw_codec_damaged(in, "PNG", "width or height beyond 2^31", err);
    *ret_width = (int)width;
    *ret_height = (int)height;
    return SDW_OK;
}

/* ---- libpng's callbacks ---- */

static void on_error(png_structp png, png_const_charp message)
{
    session *s = png_get_error_ptr(png);
    snprintf(s->problem, sizeof s->problem, "%s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

/* libpng only warns of a chunk that is longer than png_set_chunk_malloc_max and allocates its length all the same; its
 * own needs (two rows of 16 bits, the inflater) are far below the limit of a text. */
static png_voidp on_malloc(png_structp png, png_alloc_size_t size)
{
    session *s = png_get_mem_ptr(png);
    if (s->in && size > ALLOCATION_MAX) return NULL;
    void *p = sdw_malloc(size);
    if (!p) s->no_memory = true;
    return p;
}

static void on_free(png_structp png, png_voidp p)
{
    (void)png;
    sdw_free(p);
}

static void on_read(png_structp png, png_bytep to, size_t size)
{
    session *s = png_get_io_ptr(png);
    if (size > s->in->size - s->at) png_error(png, "ends too early");
    memcpy(to, s->in->bytes + s->at, size);
    s->at += size;
}

static void on_write(png_structp png, png_bytep from, size_t size)
{
    session *s = png_get_io_ptr(png);
    if (!sdw_buf_append(s->out, from, size)) {
        s->no_memory = true;
        png_error(png, "output does not fit");
    }
}

static void on_flush(png_structp png)
{
    (void)png;
}

static sdw_status failure(const session *s, sdw_error *err)
{
    if (s->no_memory) return sdw_fail_memory(err, s->in ? "reading a PNG" : "writing a PNG", 0);
    if (!s->in) return sdw_fail(err, SDW_INTERNAL, "writing a PNG: libpng refused (%s)", s->problem);
    return sdw_codec_damaged(s->in, "PNG", s->problem, err);
}

/* ---- reading ---- */

static bool open_reader(session *s)
{
    s->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, s, on_error, on_warning, s, on_malloc, on_free);
    if (s->png) s->info = png_create_info_struct(s->png);
    if (!s->info) return false;
    png_set_read_fn(s->png, s, on_read);
    png_set_user_limits(s->png, SDW_LIMIT_IMAGE_SIDE, SDW_LIMIT_IMAGE_SIDE);
    png_set_chunk_malloc_max(s->png, CHUNK_BYTES_MAX);
    png_set_chunk_cache_max(s->png, CHUNKS_MAX);
    return true;
}

static void close_reader(session *s)
{
    if (s->png) png_destroy_read_struct(&s->png, s->info ? &s->info : NULL, NULL);
    sdw_image_free(s->image);
}

static void skip_chunks(png_structp png, bool texts)
{
    static const png_byte UNUSED[] = "iCCP\0sPLT\0hIST\0pCAL\0sCAL"; /* 4 letters and a NUL each */
    static const png_byte TEXTS[] = "tEXt\0zTXt\0iTXt";
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, UNUSED, sizeof UNUSED / 5);
    if (texts) png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, TEXTS, sizeof TEXTS / 5);
}

/* Asks libpng for 1 to 4 channels of 8 bits. */
static void set_transforms(png_structp png, png_infop info)
{
    png_set_expand(png);   /* palette and low depths to 8 bits, tRNS to alpha (compared before 16 bits are cut) */
    png_set_strip_16(png); /* the high byte, as Pillow; png_set_scale_16 would round */
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
}

static void read_orientation(session *s)
{
    png_bytep exif = NULL;
    png_uint_32 size = 0;
    if (png_get_eXIf_1(s->png, s->info, &size, &exif)) s->orientation = sdw_exif_orientation(exif, size);
}

static sdw_status read_pixels(session *s, int width, int height, sdw_error *err)
{
    if (setjmp(png_jmpbuf(s->png))) return failure(s, err);
    skip_chunks(s->png, true);
    png_read_info(s->png, s->info);
    int passes = png_get_interlace_type(s->png, s->info) == PNG_INTERLACE_ADAM7 ? PNG_INTERLACE_ADAM7_PASSES : 1;
    set_transforms(s->png, s->info);
    if (png_get_image_width(s->png, s->info) != (png_uint_32)width ||
        png_get_image_height(s->png, s->info) != (png_uint_32)height)
        png_error(s->png, "two headers that differ");
    int channels = png_get_channels(s->png, s->info);
    size_t row_bytes = (size_t)width * (size_t)channels;
    if (png_get_bit_depth(s->png, s->info) != 8 || png_get_rowbytes(s->png, s->info) != row_bytes)
        png_error(s->png, "unexpected row layout");
    sdw_status status = sdw_image_create(width, height, channels, &s->image, err);
    if (status != SDW_OK) return status;
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < height; y++) png_read_row(s->png, s->image->pixels + (size_t)y * row_bytes, NULL);
    png_read_end(s->png, s->info);
    read_orientation(s);
    return SDW_OK;
}

static sdw_status decode(const sdw_codec_input *in, int width, int height, sdw_image **ret_image,
                         int *ret_orientation, sdw_error *err)
{
    session s = { .in = in, .orientation = 1 };
    sdw_status status = open_reader(&s) ? read_pixels(&s, width, height, err) : failure(&s, err);
    if (status == SDW_OK) {
        *ret_image = s.image;
        *ret_orientation = s.orientation;
        s.image = NULL;
    }
    close_reader(&s);
    return status;
}

/* ---- texts ---- */

static void append_latin1(const char *text, size_t size, sdw_buf *out)
{
    for (size_t i = 0; i < size; i++) {
        utf8proc_uint8_t bytes[4];
        utf8proc_ssize_t n = utf8proc_encode_char((uint8_t)text[i], bytes);
        sdw_buf_append(out, bytes, (size_t)n);
    }
}

/* The text as Latin-1, NUL-terminated; false if a code point does not fit. Control codes 0x7F to 0x9F do not: PNG
 * leaves them out of its texts. `out` then holds rubbish. */
static bool to_latin1(const char *text, sdw_buf *out)
{
    const uint8_t *p = (const uint8_t *)text;
    while (*p) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate(p, -1, &c);
        if (n < 1 || c > 0xFF || (c >= 0x7F && c < 0xA0)) return false;
        char byte = (char)(uint8_t)c;
        if (!sdw_buf_append(out, &byte, 1)) return false;
        p += n;
    }
    return sdw_buf_append(out, "", 0);
}

static sdw_status find_text(session *s, const char *key, sdw_buf *out, sdw_error *err)
{
    if (setjmp(png_jmpbuf(s->png))) return failure(s, err);
    skip_chunks(s->png, false);
    png_read_info(s->png, s->info); /* chunks before the pixels: where we and everybody else write them */
    png_textp texts = NULL;
    int count = png_get_text(s->png, s->info, &texts, NULL);
    for (int i = 0; i < count; i++) {
        const png_text *t = &texts[i];
        if (strcmp(t->key, key) != 0) continue;
        if (t->compression >= PNG_ITXT_COMPRESSION_NONE)
            sdw_buf_append(out, t->text, t->itxt_length);
        else
            append_latin1(t->text, t->text_length, out);
        return SDW_OK;
    }
    return SDW_NOT_FOUND;
}

static sdw_status read_text(const sdw_codec_input *in, const char *key, sdw_buf *out, sdw_error *err)
{
    session s = { .in = in };
    sdw_status status = open_reader(&s) ? find_text(&s, key, out, err) : failure(&s, err);
    close_reader(&s);
    return status;
}

/* ---- writing ---- */

/* One text chunk; latin1 is scratch. libpng copies key and text. */
static bool set_text(session *s, const sdw_image_text *t, sdw_buf *latin1)
{
    union {
        const char *borrowed;
        char *for_libpng; /* its struct serves both directions; writing never changes the text */
    } key = { t->key }, text = { t->text };
    png_text chunk = { .compression = PNG_TEXT_COMPRESSION_NONE, .key = key.for_libpng };
    latin1->size = 0;
    if (to_latin1(t->text, latin1)) {
        chunk.text = latin1->data;
        chunk.text_length = latin1->size;
    } else if (latin1->failed) {
        return false;
    } else {
        chunk.compression = PNG_ITXT_COMPRESSION_NONE;
        chunk.text = text.for_libpng;
        chunk.itxt_length = strlen(t->text);
    }
    png_set_text(s->png, s->info, &chunk, 1);
    return true;
}

static sdw_status write_picture(session *s, const sdw_image *image, const sdw_image_encode_options *o,
                                sdw_buf *latin1, sdw_error *err)
{
    static const int TYPES[] = { 0, PNG_COLOR_TYPE_GRAY, 0, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA };
    if (setjmp(png_jmpbuf(s->png))) return failure(s, err);
    png_set_user_limits(s->png, SDW_LIMIT_IMAGE_SIDE, SDW_LIMIT_IMAGE_SIDE);
    png_set_compression_level(s->png, o->level);
    png_set_IHDR(s->png, s->info, (png_uint_32)image->width, (png_uint_32)image->height, 8, TYPES[image->channels],
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    for (size_t i = 0; i < o->text_count; i++)
        if (!set_text(s, &o->texts[i], latin1)) return sdw_fail_memory(err, "text of a PNG", latin1->size);
    png_write_info(s->png, s->info);
    size_t row_bytes = (size_t)image->width * (size_t)image->channels;
    for (int y = 0; y < image->height; y++) png_write_row(s->png, image->pixels + (size_t)y * row_bytes);
    png_write_end(s->png, NULL);
    return SDW_OK;
}

static sdw_status encode(const sdw_image *image, const sdw_image_encode_options *o, sdw_buf *out, sdw_error *err)
{
    session s = { .out = out };
    sdw_buf latin1;
    sdw_buf_init(&latin1, 0);
    s.png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &s, on_error, on_warning, &s, on_malloc, on_free);
    if (s.png) s.info = png_create_info_struct(s.png);
    if (s.info) png_set_write_fn(s.png, &s, on_write, on_flush);
    sdw_status status = s.info ? write_picture(&s, image, o, &latin1, err) : failure(&s, err);
    if (s.png) png_destroy_write_struct(&s.png, s.info ? &s.info : NULL);
    sdw_buf_finish(&latin1);
    return status;
}

extern const sdw_codec sdw_codec_png;
const sdw_codec sdw_codec_png = {
    .name = "png",
    .summary = "lossless; carries the request",
    .mime = "image/png",
    .extensions = { ".png" },
    .side_max = SDW_LIMIT_IMAGE_SIDE,
    .match = match,
    .probe = probe,
    .decode = decode,
    .encode = encode,
    .read_text = read_text,
};
