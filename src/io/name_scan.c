/* name_scan.c - reading dotted tensor names from the left. */
#include "io/name_scan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool sdw_name_take(const char **s, const char *prefix)
{
    size_t n = strlen(prefix);
    if (strncmp(*s, prefix, n) != 0) return false;
    *s += n;
    return true;
}

bool sdw_name_take_index(const char **s, int *ret)
{
    const char *p = *s;
    int n = 0, digits = 0;
    while (*p >= '0' && *p <= '9' && digits < 4) {
        n = 10 * n + (*p++ - '0');
        digits++;
    }
    if (digits == 0 || *p != '.') return false;
    *ret = n;
    *s = p + 1;
    return true;
}

const sdw_name_pair *sdw_name_match(const char *s, const sdw_name_pair *pairs, int count)
{
    for (int i = 0; i < count; i++)
        if (strncmp(s, pairs[i].from, strlen(pairs[i].from)) == 0) return &pairs[i];
    return NULL;
}

void sdw_view_row_name(sdw_view_row *row, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(row->name[0], sizeof row->name[0], format, args);
    va_end(args);
    row->parts = n >= 0 && (size_t)n < sizeof row->name[0] ? 1 : 0;
}
