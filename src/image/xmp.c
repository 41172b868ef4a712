/* xmp.c - an RDF description with one element per key, <sdw:KEY>text</sdw:KEY>. Format: ISO 16684-1.
 * Bytes below 32 other than tab and newline are written as character references. XML 1.0 forbids most of them even
 * so, and strict readers will refuse such a packet; ours gives them back, which matters more to `--from`. */
#include "image/xmp.h"

#include <string.h>
#include <utf8proc.h>

static const char HEAD[] =
    "<?xpacket begin=\"\xEF\xBB\xBF\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n"
    "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n"
    "<rdf:Description rdf:about=\"\" xmlns:sdw=\"urn:sd-worker:text\">\n";
static const char TAIL[] = "</rdf:Description></rdf:RDF></x:xmpmeta>\n<?xpacket end=\"r\"?>";

static void append_escaped(const char *text, sdw_buf *out)
{
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '<' || c == '>' || c == '&' || (c < 32 && c != '\t' && c != '\n'))
            sdw_buf_printf(out, "&#%u;", (unsigned)c);
        else
            sdw_buf_append(out, p, 1);
    }
}

bool sdw_xmp_write(const sdw_image_text *texts, size_t count, sdw_buf *out)
{
    sdw_buf_puts(out, HEAD);
    for (size_t i = 0; i < count; i++) {
        sdw_buf_printf(out, "<sdw:%s>", texts[i].key);
        append_escaped(texts[i].text, out);
        sdw_buf_printf(out, "</sdw:%s>\n", texts[i].key);
    }
    return sdw_buf_puts(out, TAIL);
}

/* Where `needle` begins at or behind `from`; NULL if nowhere. */
static const char *find(const char *from, const char *end, const char *needle, size_t n)
{
    while ((size_t)(end - from) >= n) {
        const char *p = memchr(from, needle[0], (size_t)(end - from) - n + 1);
        if (!p) return NULL;
        if (memcmp(p, needle, n) == 0) return p;
        from = p + 1;
    }
    return NULL;
}

/* A reference "&#N;" of at most 7 digits; returns the bytes used, 0 if it is none. */
static size_t append_reference(const char *p, const char *end, sdw_buf *out)
{
    enum { DIGITS_MAX = 7 };
    size_t i = 2;
    int32_t value = 0;
    if (end - p < 4 || p[1] != '#') return 0;
    for (; p + i < end && p[i] >= '0' && p[i] <= '9' && i < 2 + DIGITS_MAX; i++) value = value * 10 + (p[i] - '0');
    if (i == 2 || p + i >= end || p[i] != ';' || value == 0 || !utf8proc_codepoint_valid(value)) return 0;
    utf8proc_uint8_t bytes[4];
    sdw_buf_append(out, bytes, (size_t)utf8proc_encode_char(value, bytes));
    return i + 1;
}

bool sdw_xmp_read(const uint8_t *packet, size_t size, const char *key, sdw_buf *out)
{
    char tag[100]; /* keys have at most 79 bytes; a longer one is in no packet of ours */
    size_t key_bytes = strlen(key), n = key_bytes + 6;
    if (n + 1 >= sizeof tag) return false;
    memcpy(tag, "<sdw:", 5);
    memcpy(tag + 5, key, key_bytes);
    memcpy(tag + 5 + key_bytes, ">", 2);
    const char *begin = (const char *)packet, *end = begin + size;
    const char *p = find(begin, end, tag, n);
    if (!p) return false;
    p += n;
    const char *stop = memchr(p, '<', (size_t)(end - p));
    if (!stop) return false;
    while (p < stop) {
        size_t used = *p == '&' ? append_reference(p, stop, out) : 0;
        if (used == 0) {
            sdw_buf_append(out, p, 1);
            used = 1;
        }
        p += used;
    }
    return true;
}
