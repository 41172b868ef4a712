/* status.c - names and texts of status codes; writing an error. */
#include "core/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *sdw_status_name(sdw_status status)
{
    switch (status) {
#define SDW_STATUS_NAME(name, value, summary) case SDW_##name: return #name;
        SDW_STATUS_LIST(SDW_STATUS_NAME)
#undef SDW_STATUS_NAME
    }
    return "UNKNOWN";
}

const char *sdw_status_summary(sdw_status status)
{
    switch (status) {
#define SDW_STATUS_SUMMARY(name, value, summary) case SDW_##name: return summary;
        SDW_STATUS_LIST(SDW_STATUS_SUMMARY)
#undef SDW_STATUS_SUMMARY
    }
    return "unknown status";
}

static sdw_status fail(sdw_error *err, sdw_status code, const char *field, const char *format, va_list args)
{
    if (!err) return code;
    err->status = code;
    snprintf(err->field, sizeof err->field, "%s", field);
    vsnprintf(err->text, sizeof err->text, format, args);
    return code;
}

sdw_status sdw_fail(sdw_error *err, sdw_status code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail(err, code, "", format, args);
    va_end(args);
    return code;
}

sdw_status sdw_fail_field(sdw_error *err, sdw_status code, const char *field, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail(err, code, field, format, args);
    va_end(args);
    return code;
}
