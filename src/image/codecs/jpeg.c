/* jpeg.c - JPEG through libjpeg-turbo's TurboJPEG interface; the segments around the pixels are read and written here.
 *
 * Decoding keeps to the slow-and-exact inverse DCT and smooth chroma upsampling: the choices of Pillow, so that a
 * picture gives the same numbers to both. CMYK files are taken as inverted, as Adobe writes them and Pillow reads
 * them. Texts lie in comment segments, "KEY NUL text", continued in further ones of the same key, since a segment ends
 * at 64 KiB; "parameters" also in EXIF UserComment when it fits. */
#include <limits.h>
#include <string.h>
#include <turbojpeg.h>

#include "core/mem.h"
#include "image/codec.h"
#include "image/convert.h"
#include "image/exif.h"

enum {
    M_SOI = 0xD8,
    M_EOI = 0xD9,
    M_SOS = 0xDA,
    M_APP0 = 0xE0,
    M_APP1 = 0xE1,
    M_COM = 0xFE,
    SEGMENT_MAX = 65533, /* payload bytes */
    QUALITY_DEFAULT = 92,
};

static bool match(const uint8_t *bytes, size_t size)
{
    return size >= 3 && bytes[0] == 0xFF && bytes[1] == M_SOI && bytes[2] == 0xFF;
}

/* ---- segments ---- */

typedef struct segment {
    int marker;
    const uint8_t *data; /* payload, behind the two length bytes */
    size_t size, end;    /* end: offset of the byte behind the segment */
} segment;

/* The next segment before the first scan, from offset *at (2 = behind SOI); false at a scan, at the end or at
 * rubbish. */
static bool next_segment(const uint8_t *bytes, size_t size, size_t *at, segment *ret)
{
    size_t i = *at;
    if (i >= size || bytes[i] != 0xFF) return false;
    while (i < size && bytes[i] == 0xFF) i++; /* fill bytes are allowed */
    if (i >= size || size - i < 3) return false;
    int marker = bytes[i];
    size_t length = (size_t)bytes[i + 1] << 8 | bytes[i + 2];
    if (marker == M_SOS || marker == M_EOI || marker == 0 || length < 2 || length > size - i - 1) return false;
    *ret = (segment){ .marker = marker, .data = bytes + i + 3, .size = length - 2, .end = i + 1 + length };
    *at = ret->end;
    return true;
}

static bool is_exif(const segment *s)
{
    return s->marker == M_APP1 && s->size >= 6 && memcmp(s->data, "Exif\0\0", 6) == 0;
}

static int find_orientation(const sdw_codec_input *in)
{
    size_t at = 2;
    segment s;
    while (next_segment(in->bytes, in->size, &at, &s))
        if (is_exif(&s)) return sdw_exif_orientation(s.data, s.size);
    return 1;
}

/* ---- decoding ---- */

static sdw_status failure(const sdw_codec_input *in, tjhandle tj, sdw_error *err)
{
    const char *text = tjGetErrorStr2(tj);
    if (strstr(text, "emory")) return sdw_fail_memory(err, "reading a JPEG", 0);
    if (strstr(text, "subsampling type"))
        return sdw_fail(err, SDW_UNSUPPORTED, "%s: JPEG with unusual chroma sampling (%s)", in->what, text);
    return sdw_codec_damaged(in, "JPEG", text, err);
}

static sdw_status read_header(const sdw_codec_input *in, tjhandle tj, int *ret_width, int *ret_height, int *ret_space,
                              sdw_error *err)
{
    int sampling;
    if (in->size > ULONG_MAX || tjDecompressHeader3(tj, in->bytes, (unsigned long)in->size, ret_width, ret_height,
                                                    &sampling, ret_space) != 0)
        return failure(in, tj, err);
    return SDW_OK;
}

static sdw_status probe(const sdw_codec_input *in, int *ret_width, int *ret_height, sdw_error *err)
{
    int space;
    tjhandle tj = tjInitDecompress();
    if (!tj) return sdw_fail_memory(err, "reading a JPEG", 0);
    sdw_status status = read_header(in, tj, ret_width, ret_height, &space, err);
    tjDestroy(tj);
    return status;
}

/* Inverted CMYK to RGB in place: each colour is scaled by black. Leaves the picture with 3 channels. */
static void cmyk_to_rgb(sdw_image *image)
{
    size_t n = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *p = image->pixels + 4 * i;
        unsigned key = p[3];
        for (size_t c = 0; c < 3; c++) {
            /* Pillow: paper minus ink, ink rounded: the rounding is of the ink. */
            unsigned ink = sdw_muldiv255(255u - p[c], key);
            image->pixels[3 * i + c] = (uint8_t)(key - ink);
        }
    }
    image->channels = 3;
}

/* Warnings that good files cause too. By the text, which is that of the last error: TurboJPEG's error code stays at
 * "warning" when a fatal error follows one, and the pixels are then incomplete. */
static bool is_harmless(const char *text)
{
    return strstr(text, "extraneous bytes") || strstr(text, "Adobe color transform");
}

static sdw_status read_pixels(const sdw_codec_input *in, tjhandle tj, int width, int height, sdw_image **ret_image,
                              sdw_error *err)
{
    int now_width, now_height, space;
    sdw_status status = read_header(in, tj, &now_width, &now_height, &space, err);
    if (status != SDW_OK) return status;
    if (now_width != width || now_height != height) return sdw_codec_damaged(in, "JPEG", "sizes differ", err);
    bool cmyk = space == TJCS_CMYK || space == TJCS_YCCK;
    int format = cmyk ? TJPF_CMYK : space == TJCS_GRAY ? TJPF_GRAY : TJPF_RGB;
    sdw_image *image = NULL;
    status = sdw_image_create(width, height, tjPixelSize[format], &image, err);
    if (status != SDW_OK) return status;
    /* LIMITSCANS: a progressive file with thousands of scans costs minutes for a few kilobytes. */
    int rc = tjDecompress2(tj, in->bytes, (unsigned long)in->size, image->pixels, width, 0, height, format,
                           TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS);
    if (rc != 0 && !is_harmless(tjGetErrorStr2(tj))) {
        sdw_image_free(image);
        return failure(in, tj, err);
    }
    if (cmyk) cmyk_to_rgb(image);
    *ret_image = image;
    return SDW_OK;
}

static sdw_status decode(const sdw_codec_input *in, int width, int height, sdw_image **ret_image,
                         int *ret_orientation, sdw_error *err)
{
    tjhandle tj = tjInitDecompress();
    if (!tj) return sdw_fail_memory(err, "reading a JPEG", 0);
    sdw_status status = read_pixels(in, tj, width, height, ret_image, err);
    if (status == SDW_OK) *ret_orientation = find_orientation(in);
    tjDestroy(tj);
    return status;
}

/* ---- texts ---- */

static bool read_comments(const sdw_codec_input *in, const char *key, sdw_buf *out)
{
    size_t at = 2, key_bytes = strlen(key) + 1;
    bool found = false;
    segment s;
    while (next_segment(in->bytes, in->size, &at, &s)) {
        if (s.marker != M_COM || s.size < key_bytes || memcmp(s.data, key, key_bytes) != 0) continue;
        sdw_buf_append(out, s.data + key_bytes, s.size - key_bytes);
        found = true;
    }
    return found;
}

static sdw_status read_text(const sdw_codec_input *in, const char *key, sdw_buf *out, sdw_error *err)
{
    (void)err;
    if (read_comments(in, key, out)) return SDW_OK;
    if (strcmp(key, SDW_TEXT_PARAMETERS) != 0) return SDW_NOT_FOUND;
    size_t at = 2;
    segment s;
    while (next_segment(in->bytes, in->size, &at, &s))
        if (is_exif(&s) && sdw_exif_user_comment(s.data, s.size, out)) return SDW_OK;
    return SDW_NOT_FOUND;
}

static bool put_segment(sdw_buf *out, int marker, const void *head, size_t head_bytes, const void *data, size_t size)
{
    size_t length = 2 + head_bytes + size;
    uint8_t start[4] = { 0xFF, (uint8_t)marker, (uint8_t)(length >> 8), (uint8_t)length };
    return sdw_buf_append(out, start, 4) && sdw_buf_append(out, head, head_bytes) && sdw_buf_append(out, data, size);
}

static bool put_exif(sdw_buf *out, const char *text)
{
    sdw_buf exif;
    sdw_buf_init(&exif, 0);
    bool ok = sdw_exif_write_user_comment(text, &exif);
    if (ok && exif.size + 6 <= SEGMENT_MAX) ok = put_segment(out, M_APP1, "Exif\0\0", 6, exif.data, exif.size);
    sdw_buf_finish(&exif);
    return ok;
}

static bool put_comments(sdw_buf *out, const sdw_image_text *t)
{
    size_t key_bytes = strlen(t->key) + 1, left = strlen(t->text), room = SEGMENT_MAX - key_bytes;
    const char *text = t->text;
    do {
        size_t n = left < room ? left : room;
        if (!put_segment(out, M_COM, t->key, key_bytes, text, n)) return false;
        text += n;
        left -= n;
    } while (left > 0);
    return true;
}

/* The file with our segments behind SOI and the JFIF header, where Pillow puts its own. */
static bool assemble(const uint8_t *jpeg, size_t size, const sdw_image_encode_options *o, sdw_buf *out)
{
    size_t at = 2;
    segment s;
    size_t head = next_segment(jpeg, size, &at, &s) && s.marker == M_APP0 ? s.end : 2;
    sdw_buf_append(out, jpeg, head);
    for (size_t i = 0; i < o->text_count; i++)
        if (strcmp(o->texts[i].key, SDW_TEXT_PARAMETERS) == 0 && !put_exif(out, o->texts[i].text)) return false;
    for (size_t i = 0; i < o->text_count; i++)
        if (!put_comments(out, &o->texts[i])) return false;
    return sdw_buf_append(out, jpeg + head, size - head);
}

static sdw_status encode(const sdw_image *image, const sdw_image_encode_options *o, sdw_buf *out, sdw_error *err)
{
    if (image->channels == 4)
        return sdw_fail(err, SDW_UNSUPPORTED, "a picture with transparency as JPEG: want png or webp");
    tjhandle tj = tjInitCompress();
    if (!tj) return sdw_fail_memory(err, "writing a JPEG", 0);
    unsigned char *jpeg = NULL; /* the library's own memory */
    unsigned long size = 0;
    bool grey = image->channels == 1;
    sdw_status status = SDW_OK;
    if (tjCompress2(tj, image->pixels, image->width, 0, image->height, grey ? TJPF_GRAY : TJPF_RGB, &jpeg, &size,
                    grey ? TJSAMP_GRAY : TJSAMP_444, o->quality ? o->quality : QUALITY_DEFAULT,
                    TJFLAG_ACCURATEDCT) != 0)
        status = sdw_fail(err, SDW_INTERNAL, "writing a JPEG: the library refused (%s)", tjGetErrorStr2(tj));
    else if (!assemble(jpeg, size, o, out))
        status = sdw_fail_memory(err, "writing a JPEG", size);
    tjFree(jpeg);
    tjDestroy(tj);
    return status;
}

extern const sdw_codec sdw_codec_jpeg;
const sdw_codec sdw_codec_jpeg = {
    .name = "jpeg",
    .summary = "small, lossy; 4:4:4 chroma",
    .mime = "image/jpeg",
    .extensions = { ".jpg", ".jpeg", ".jpe" },
    .side_max = 65500,
    .match = match,
    .probe = probe,
    .decode = decode,
    .encode = encode,
    .read_text = read_text,
};
