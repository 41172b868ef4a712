/* unicode.c - utf8proc's tables, without its allocating and its quadratic functions.
 *
 * utf8proc_decompose sorts combining marks by exchanging neighbours, which a prompt of nothing but marks turns into a
 * second of work; so the decomposition is done per code point here and the marks are sorted by counting. */
#include "text/unicode.h"

#include <string.h>
#include <utf8proc.h>

#include "core/mem.h"

#define CLASSES 256          /* canonical combining classes */
#define INSERTION_RUN 16     /* longer runs of marks are counted */
#define DECOMPOSED_MAX 8     /* code points from one: 4 in Unicode 15 */
#define CAPITAL_I_WITH_DOT 0x130
#define COMBINING_DOT_ABOVE 0x307

sdw_status sdw_utf8_check(const char *text, size_t size, const char *what, sdw_error *err)
{
    for (size_t i = 0; i < size;) {
        utf8proc_int32_t code;
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(size - i), &code);
        if (n <= 0)
            return sdw_fail(err, SDW_INVALID, "%s: byte %zu is 0x%02x, want well-formed UTF-8", what, i,
                            (unsigned)(unsigned char)text[i]);
        i += (size_t)n;
    }
    return SDW_OK;
}

int32_t sdw_utf8_next(const char *text, size_t size, size_t *pos)
{
    unsigned char c = (unsigned char)text[*pos];
    if (c < 0x80) {
        *pos += 1;
        return c;
    }
    utf8proc_int32_t code;
    utf8proc_ssize_t n =
        utf8proc_iterate((const utf8proc_uint8_t *)text + *pos, (utf8proc_ssize_t)(size - *pos), &code);
    *pos += n > 0 ? (size_t)n : 1;
    return n > 0 ? code : 0xfffd;
}

int sdw_utf8_put(int32_t code, char ret[4])
{
    return (int)utf8proc_encode_char(code, (utf8proc_uint8_t *)ret);
}

sdw_char_class sdw_char_class_of(int32_t code)
{
    if ((code >= 9 && code <= 13) || code == 0x85) return SDW_CHAR_SPACE;
    switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP: return SDW_CHAR_SPACE;
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO: return SDW_CHAR_LETTER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return SDW_CHAR_NUMBER;
    default: return SDW_CHAR_OTHER;
    }
}

static int mark_class(int32_t code)
{
    int c = utf8proc_get_property(code)->combining_class;
    return c < CLASSES ? c : 0;
}

static void sort_short(int32_t *run, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        int32_t code = run[i];
        size_t j = i;
        for (; j > 0 && mark_class(run[j - 1]) > mark_class(code); j--) run[j] = run[j - 1];
        run[j] = code;
    }
}

/* scratch holds n code points. */
static void sort_long(int32_t *run, size_t n, int32_t *scratch)
{
    size_t start[CLASSES + 1] = { 0 };
    for (size_t i = 0; i < n; i++) start[mark_class(run[i]) + 1]++;
    for (int c = 0; c < CLASSES; c++) start[c + 1] += start[c];
    for (size_t i = 0; i < n; i++) scratch[start[mark_class(run[i])]++] = run[i];
    memcpy(run, scratch, n * sizeof *run);
}

/* Canonical ordering: each run of marks (class not 0) is sorted by class, stably. */
static void order_marks(int32_t *code, size_t n, int32_t *scratch)
{
    for (size_t i = 0; i < n;) {
        size_t end = i;
        while (end < n && mark_class(code[end]) != 0) end++;
        if (end - i > INSERTION_RUN) sort_long(code + i, end - i, scratch);
        else if (end - i > 1) sort_short(code + i, end - i);
        i = end + 1;
    }
}

/* code has room for the result and for DECOMPOSED_MAX more. Returns the number of code points. */
static size_t decompose(const char *text, size_t size, int32_t *code, size_t room)
{
    size_t n = 0;
    int boundary = 0;
    for (size_t pos = 0; pos < size && n + DECOMPOSED_MAX <= room;) {
        int32_t c = sdw_utf8_next(text, size, &pos);
        utf8proc_ssize_t got = utf8proc_decompose_char(c, code + n, DECOMPOSED_MAX, UTF8PROC_DECOMPOSE, &boundary);
        if (got > 0 && got <= DECOMPOSED_MAX) n += (size_t)got;
        else code[n++] = c;
    }
    return n;
}

static bool append_lower(int32_t code, sdw_buf *out)
{
    char bytes[8];
    int n = sdw_utf8_put(code == CAPITAL_I_WITH_DOT ? 'i' : utf8proc_tolower(code), bytes);
    /* The only code point that becomes two when lower-cased out of context. */
    if (code == CAPITAL_I_WITH_DOT) n += sdw_utf8_put(COMBINING_DOT_ABOVE, bytes + n);
    return sdw_buf_append(out, bytes, (size_t)n);
}

sdw_status sdw_text_normalize(const char *text, size_t size, sdw_buf *out, sdw_error *err)
{
    size_t room, bytes;
    if (size == 0) return SDW_OK;
    /* A byte gives at most 3/2 code points (U+01D5: 2 bytes, 3 code points). */
    if (!sdw_size_mul(size, 2, &room) || !sdw_size_add(room, DECOMPOSED_MAX, &room) ||
        !sdw_size_mul(room, 2 * sizeof(int32_t), &bytes))
        return sdw_fail_memory(err, "text", size);
    int32_t *code = sdw_malloc(bytes);
    if (!code) return sdw_fail_memory(err, "text", bytes);
    size_t n = decompose(text, size, code, room);
    order_marks(code, n, code + room);
    /* STABLE leaves apart what the composition exclusions keep apart, as NFC is defined. */
    utf8proc_ssize_t composed = utf8proc_normalize_utf32(code, (utf8proc_ssize_t)n, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    bool good = composed >= 0;
    for (utf8proc_ssize_t i = 0; good && i < composed; i++) good = append_lower(code[i], out);
    sdw_free(code);
    return good ? SDW_OK : sdw_fail_memory(err, "text", size);
}
