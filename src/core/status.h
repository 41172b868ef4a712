/* status.h - filling an sdw_error. */
#ifndef SDW_CORE_STATUS_H
#define SDW_CORE_STATUS_H

#include "sdw/status.h"

/* Writes code and message (printf form, cut at SDW_ERROR_TEXT_MAX) into err when err is not NULL; returns code, so
 * that `return sdw_fail(err, SDW_FORMAT, "...")` is the usual form. Any thread. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
sdw_status sdw_fail(sdw_error *err, sdw_status code, const char *format, ...);

/* The same with the name of the request field at fault. */
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
sdw_status sdw_fail_field(sdw_error *err, sdw_status code, const char *field, const char *format, ...);

#endif
