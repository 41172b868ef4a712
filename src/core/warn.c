/* warn.c - collected warnings. */
#include "core/warn.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/mem.h"

void sdw_warn(sdw_warnings *w, const char *format, ...)
{
    char text[1024];
    if (!w) return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char *copy = w->count < SDW_WARNINGS_MAX ? sdw_strdup(text) : NULL;
    if (copy) w->text[w->count++] = copy;
    else w->dropped++;
}

void sdw_warnings_finish(sdw_warnings *w)
{
    for (size_t i = 0; i < w->count; i++) sdw_free(w->text[i]);
    *w = (sdw_warnings){ 0 };
}
