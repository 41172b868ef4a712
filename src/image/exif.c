/* exif.c - TIFF directories, read with every offset checked; formats: Exif 2.32, TIFF 6.0. */
#include "image/exif.h"

#include <string.h>
#include <utf8proc.h>

enum { TAG_ORIENTATION = 0x0112, TAG_EXIF_IFD = 0x8769, TAG_USER_COMMENT = 0x9286 };
enum { TYPE_SHORT = 3, TYPE_LONG = 4, TYPE_UNDEFINED = 7 };
enum { ENTRY_BYTES = 12, CODE_BYTES = 8 };

typedef struct tiff {
    const uint8_t *data;
    size_t size;
    bool big; /* byte order */
} tiff;

typedef struct entry {
    unsigned type;
    uint32_t count;
    size_t value; /* offset of the four value bytes within the entry */
} entry;

/* Reads past the end give 0, and the offsets made of them are checked again where they are used. */
static uint32_t u16(const tiff *t, size_t at)
{
    if (at > t->size || t->size - at < 2) return 0;
    const uint8_t *p = t->data + at;
    return t->big ? (uint32_t)(p[0] << 8 | p[1]) : (uint32_t)(p[1] << 8 | p[0]);
}

static uint32_t u32(const tiff *t, size_t at)
{
    uint32_t a = u16(t, at), b = u16(t, at + 2);
    return t->big ? a << 16 | b : b << 16 | a;
}

static bool open_tiff(const uint8_t *data, size_t size, tiff *ret)
{
    if (size >= 6 && memcmp(data, "Exif\0\0", 6) == 0) {
        data += 6;
        size -= 6;
    }
    if (size < 8) return false;
    tiff t = { .data = data, .size = size, .big = data[0] == 'M' };
    if (memcmp(data, "MM", 2) != 0 && memcmp(data, "II", 2) != 0) return false;
    if (u16(&t, 2) != 42) return false;
    *ret = t;
    return true;
}

/* The first entry with this tag in the directory at `ifd`. */
static bool find(const tiff *t, size_t ifd, unsigned tag, entry *ret)
{
    if (ifd < 8 || ifd > t->size || t->size - ifd < 2) return false;
    size_t count = u16(t, ifd), room = (t->size - ifd - 2) / ENTRY_BYTES;
    for (size_t i = 0; i < count && i < room; i++) {
        size_t at = ifd + 2 + i * ENTRY_BYTES;
        if (u16(t, at) != tag) continue;
        *ret = (entry){ .type = u16(t, at + 2), .count = u32(t, at + 4), .value = at + 8 };
        return true;
    }
    return false;
}

int sdw_exif_orientation(const uint8_t *data, size_t size)
{
    tiff t;
    entry e;
    if (!open_tiff(data, size, &t) || !find(&t, u32(&t, 4), TAG_ORIENTATION, &e)) return 1;
    /* Some writers store it as LONG. */
    uint32_t value = e.type == TYPE_SHORT ? u16(&t, e.value) : e.type == TYPE_LONG ? u32(&t, e.value) : 0;
    return e.count == 1 && value >= 1 && value <= 8 ? (int)value : 1;
}

static bool append_code_point(int32_t c, sdw_buf *out)
{
    uint8_t bytes[4];
    utf8proc_ssize_t n = utf8proc_encode_char(c, bytes);
    return sdw_buf_append(out, bytes, (size_t)n);
}

/* Lone surrogates become U+FFFD; a NUL ends the text, since some writers pad with them. */
static bool append_utf16(const tiff *t, size_t at, size_t bytes, sdw_buf *out)
{
    size_t end = at + bytes / 2 * 2;
    while (at < end) {
        uint32_t c = u16(t, at);
        at += 2;
        if (c == 0) break;
        if (c >= 0xD800 && c < 0xDC00 && at < end && (u16(t, at) & 0xFC00) == 0xDC00) {
            c = 0x10000 + ((c & 0x3FF) << 10 | (u16(t, at) & 0x3FF));
            at += 2;
        } else if (c >= 0xD800 && c < 0xE000) {
            c = 0xFFFD;
        }
        if (!append_code_point((int32_t)c, out)) return false;
    }
    return true;
}

/* Bytes that claim to be ASCII: taken as UTF-8 where they are that, else one by one as Latin-1. */
static bool append_ascii(const uint8_t *text, size_t size, sdw_buf *out)
{
    const uint8_t *nul = memchr(text, 0, size);
    size_t n = nul ? (size_t)(nul - text) : size;
    for (size_t i = 0; i < n;) {
        int32_t c = 0;
        utf8proc_ssize_t length = utf8proc_iterate(text + i, (utf8proc_ssize_t)(n - i), &c);
        if (length < 1) {
            c = text[i];
            length = 1;
        }
        if (!append_code_point(c, out)) return false;
        i += (size_t)length;
    }
    return true;
}

bool sdw_exif_user_comment(const uint8_t *data, size_t size, sdw_buf *out)
{
    tiff t;
    entry e;
    if (!open_tiff(data, size, &t)) return false;
    if (!find(&t, u32(&t, 4), TAG_EXIF_IFD, &e)) return false;
    if (!find(&t, u32(&t, e.value), TAG_USER_COMMENT, &e)) return false;
    size_t at = u32(&t, e.value);
    if (e.type != TYPE_UNDEFINED || e.count <= CODE_BYTES || at > t.size || t.size - at < e.count) return false;
    const uint8_t *code = t.data + at;
    size_t bytes = e.count - CODE_BYTES;
    if (memcmp(code, "UNICODE\0", CODE_BYTES) == 0) return append_utf16(&t, at + CODE_BYTES, bytes, out);
    if (memcmp(code, "ASCII\0\0\0", CODE_BYTES) == 0) return append_ascii(code + CODE_BYTES, bytes, out);
    return false;
}

static bool put16(sdw_buf *out, uint32_t v)
{
    uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };
    return sdw_buf_append(out, b, 2);
}

static bool put32(sdw_buf *out, uint32_t v)
{
    return put16(out, v >> 16) && put16(out, v & 0xFFFF);
}

static bool put_entry(sdw_buf *out, unsigned tag, unsigned type, uint32_t count, uint32_t value)
{
    return put16(out, tag) && put16(out, type) && put32(out, count) && put32(out, value);
}

bool sdw_exif_write_user_comment(const char *text, sdw_buf *out)
{
    /* Header 8, IFD0 2 + 12 + 4 = 26, Exif IFD the same = 44, then the comment. Its length is known at the end. */
    enum { EXIF_IFD = 26, COMMENT = 44, COUNT_FIELD = EXIF_IFD + 2 + 4 };
    size_t start = out->size;
    sdw_buf_append(out, "MM\0*\0\0\0\10", 8);
    put16(out, 1);
    put_entry(out, TAG_EXIF_IFD, TYPE_LONG, 1, EXIF_IFD);
    put32(out, 0);
    put16(out, 1);
    put_entry(out, TAG_USER_COMMENT, TYPE_UNDEFINED, 0, COMMENT);
    put32(out, 0);
    sdw_buf_append(out, "UNICODE\0", CODE_BYTES);
    for (const uint8_t *p = (const uint8_t *)text; *p;) {
        int32_t c = 0;
        utf8proc_ssize_t length = utf8proc_iterate(p, -1, &c);
        if (length < 1) {
            c = 0xFFFD;
            length = 1;
        }
        if (c < 0x10000) {
            put16(out, (uint32_t)c);
        } else {
            put16(out, 0xD800 + (((uint32_t)c - 0x10000) >> 10));
            put16(out, 0xDC00 + (((uint32_t)c - 0x10000) & 0x3FF));
        }
        p += length;
    }
    if (out->failed) return false;
    size_t count = out->size - start - COMMENT;
    for (int i = 0; i < 4; i++) out->data[start + COUNT_FIELD + (size_t)i] = (char)(uint8_t)(count >> (24 - 8 * i));
    return true;
}
