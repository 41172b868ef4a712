/* unicode.h - what tokenizers need of Unicode: validity, classes of code points, NFC, lower case. By utf8proc's tables,
 * in linear time whatever the text. No state; any thread. */
#ifndef SDW_TEXT_UNICODE_H
#define SDW_TEXT_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/status.h"

typedef enum sdw_char_class {
    SDW_CHAR_SPACE,  /* White_Space: what \s means in a Unicode-aware regular expression */
    SDW_CHAR_LETTER, /* L* */
    SDW_CHAR_NUMBER, /* N* */
    SDW_CHAR_OTHER
} sdw_char_class;

/* SDW_INVALID naming `what` and the offset of the first byte that is not part of well-formed UTF-8. */
sdw_status sdw_utf8_check(const char *text, size_t size, const char *what, sdw_error *err);
/* The code point at *pos of well-formed UTF-8 (pos < size), moving *pos behind it. */
int32_t sdw_utf8_next(const char *text, size_t size, size_t *pos);
/* Writes 1 to 4 bytes, returns how many. */
int sdw_utf8_put(int32_t code, char ret[4]);

sdw_char_class sdw_char_class_of(int32_t code);

/* Appends text (well-formed UTF-8) to out in normal form C, then lower-cased code point by code point (so a final sigma
 * is an ordinary one, as in the reference tokenizer). At most 9 times the size of the input. */
sdw_status sdw_text_normalize(const char *text, size_t size, sdw_buf *out, sdw_error *err);

#endif
