/* warn.h - warnings: sentences collected for the caller, since the library never prints.
 * A function that may warn takes an sdw_warnings (may be NULL). One owner at a time. */
#ifndef SDW_CORE_WARN_H
#define SDW_CORE_WARN_H

#include <stddef.h>

#define SDW_WARNINGS_MAX 64

typedef struct sdw_warnings {
    char *text[SDW_WARNINGS_MAX]; /* owned */
    size_t count, dropped;        /* dropped: beyond the maximum, or no memory */
} sdw_warnings;

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void sdw_warn(sdw_warnings *w, const char *format, ...);
void sdw_warnings_finish(sdw_warnings *w);

#endif
