/* hex.h - bytes as lower-case hexadecimal digits. Any thread. */
#ifndef SDW_CORE_HEX_H
#define SDW_CORE_HEX_H

#include <stdbool.h>
#include <stddef.h>

/* `digits` lower-case hexadecimal digits and nothing behind them; such as 64 for a SHA-256. */
bool sdw_is_hex(const char *text, size_t digits);
/* Writes 2 * size digits and a NUL. */
void sdw_hex_from_bytes(const void *bytes, size_t size, char *to);
/* false, and nothing written, unless text is exactly 2 * size such digits. NULL is not. */
bool sdw_hex_to_bytes(const char *text, void *to, size_t size);

#endif
