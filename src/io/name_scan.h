/* name_scan.h - reading dotted tensor names from the left. Internal to the views of this folder. */
#ifndef SDW_IO_NAME_SCAN_H
#define SDW_IO_NAME_SCAN_H

#include <stdbool.h>

#include "io/checkpoint.h"

/* An old and a new beginning of a name. */
typedef struct sdw_name_pair {
    const char *from, *to;
} sdw_name_pair;

/* Steps *s over `prefix` if it stands there. */
bool sdw_name_take(const char **s, const char *prefix);
/* Steps over digits and the dot behind them; at most 4 digits. */
bool sdw_name_take_index(const char **s, int *ret);
/* The first pair whose `from` begins s, or NULL. */
const sdw_name_pair *sdw_name_match(const char *s, const sdw_name_pair *pairs, int count);

/* Fills one name of the row (printf form) and makes it one part; a name that is too long leaves the row empty. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void sdw_view_row_name(sdw_view_row *row, const char *format, ...);

#endif
