/* json_out.h - JSON text appended to a buffer, piece by piece: for answers whose keys have a fixed order, or that carry
 * pictures and must not be copied once more. A failed append sticks in the buffer. Any thread.
 *
 *     sdw_json_open(out, '{');
 *     sdw_json_key(out, "steps"); sdw_json_int(out, 20);
 *     sdw_json_close(out, '}');            {"steps":20}
 */
#ifndef SDW_SERVER_JSON_OUT_H
#define SDW_SERVER_JSON_OUT_H

#include <stdint.h>

#include "core/buf.h"

/* '{' or '[', as a value: a comma comes before it where one is needed. */
void sdw_json_open(sdw_buf *out, char bracket);
void sdw_json_close(sdw_buf *out, char bracket);
/* The comma is written by itself: the buffer's last byte tells whether one is needed. */
void sdw_json_key(sdw_buf *out, const char *key);

/* Values; inside an array the comma is written too. NULL is null. What is no UTF-8 becomes U+FFFD. */
void sdw_json_text(sdw_buf *out, const char *text);
void sdw_json_text_n(sdw_buf *out, const char *text, size_t size);
void sdw_json_int(sdw_buf *out, int64_t n);
void sdw_json_uint(sdw_buf *out, uint64_t n);
void sdw_json_bool(sdw_buf *out, bool b);
void sdw_json_null(sdw_buf *out);
/* Shortest of up to 15 digits that a double keeps; not finite: null. */
void sdw_json_real(sdw_buf *out, double n);
/* Text that is JSON already. */
void sdw_json_raw(sdw_buf *out, const char *json);
/* A text of base64: standard alphabet, padded. */
void sdw_json_base64(sdw_buf *out, const void *bytes, size_t size);

/* key and value at once. */
void sdw_json_put_text(sdw_buf *out, const char *key, const char *text);
void sdw_json_put_int(sdw_buf *out, const char *key, int64_t n);
void sdw_json_put_bool(sdw_buf *out, const char *key, bool b);
void sdw_json_put_real(sdw_buf *out, const char *key, double n);

#endif
