/* base64.h - RFC 4648 base64, standard alphabet. Any thread. */
#ifndef SDW_CORE_BASE64_H
#define SDW_CORE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/status.h"

/* Appends the encoding, padded with '='. False (sticks in out) when out is full or there is no memory. */
bool sdw_base64_encode(const void *data, size_t size, sdw_buf *out);

/* Appends the decoded bytes. Strict: no white space, no other alphabet, padding complete or absent, no bits left over;
 * "" gives no bytes. `what` names the text in errors. FORMAT: with the place of the first wrong byte; LIMIT: more than
 * bytes_max bytes (0 = no limit), found before anything is decoded. On failure out is as it was. */
sdw_status sdw_base64_decode(const char *text, size_t size, const char *what, size_t bytes_max, sdw_buf *out, sdw_error *err);

/* How many bytes at the start of text are "data:TYPE;base64," with an image/... TYPE or none (case does not matter); 0 if it does not begin
 * with "data:". SDW_FORMAT: it does, but is of another type or not base64. */
sdw_status sdw_data_url_prefix(const char *text, size_t size, const char *what, size_t *ret_prefix, sdw_error *err);

#endif
