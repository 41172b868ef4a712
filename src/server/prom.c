/* prom.c - see prom.h. */
#include "server/prom.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void sdw_prom_family(sdw_prom *p, const char *name, sdw_prom_type type, const char *help)
{
    static const char *const types[] = { "counter", "gauge", "histogram" };
    size_t size = strlen(name);
    p->family = name;
    p->labels[0] = '\0';
    /* OpenMetrics names a counter's family without the ending that its series has. */
    if (p->open_metrics && type == SDW_PROM_COUNTER && size > 6) size -= strlen("_total");
    sdw_buf_printf(p->out, "# HELP %.*s %s\n# TYPE %.*s %s\n", (int)size, name, help, (int)size, name, types[type]);
}

static size_t put(char *to, size_t at, size_t room, const char *text)
{
    for (; *text && at + 1 < room; text++) to[at++] = *text;
    to[at] = '\0';
    return at;
}

static size_t put_escaped(char *to, size_t at, size_t room, const char *text)
{
    for (; *text && at + 2 < room; text++) {
        if (*text == '\\' || *text == '"' || *text == '\n') to[at++] = '\\';
        to[at++] = *text == '\n' ? 'n' : *text;
    }
    to[at] = '\0';
    return at;
}

void sdw_prom_labels(sdw_prom *p, const char *name, ...)
{
    va_list args;
    size_t at = 0, room = sizeof p->labels;
    va_start(args, name);
    for (; name; name = va_arg(args, const char *)) {
        const char *value = va_arg(args, const char *);
        at = put(p->labels, at, room - 4, at ? "," : "");
        at = put(p->labels, at, room - 4, name);
        at = put(p->labels, at, room - 4, "=\"");
        at = put_escaped(p->labels, at, room - 2, value ? value : "");
        at = put(p->labels, at, room, "\"");
    }
    va_end(args);
}

/* What comes behind the name, and before the value. */
static void put_series(sdw_prom *p, const char *ending, const char *more)
{
    sdw_buf_puts(p->out, p->family);
    sdw_buf_puts(p->out, ending);
    if (p->labels[0] || more[0]) sdw_buf_printf(p->out, "{%s%s%s}", p->labels, p->labels[0] && more[0] ? "," : "", more);
}

static void put_number(sdw_prom *p, double value)
{
    if (isnan(value)) sdw_buf_puts(p->out, " NaN\n");
    else if (isinf(value)) sdw_buf_puts(p->out, value > 0 ? " +Inf\n" : " -Inf\n");
    else sdw_buf_printf(p->out, " %.12g\n", value);
}

void sdw_prom_value(sdw_prom *p, double value)
{
    put_series(p, "", "");
    put_number(p, value);
    p->labels[0] = '\0';
}

void sdw_prom_count(sdw_prom *p, uint64_t value)
{
    put_series(p, "", "");
    sdw_buf_printf(p->out, " %llu\n", (unsigned long long)value);
    p->labels[0] = '\0';
}

void sdw_prom_histogram(sdw_prom *p, const double *limit, int count, const uint64_t *bucket, double sum)
{
    uint64_t so_far = 0;
    char le[40];
    for (int i = 0; i <= count; i++) {
        so_far += bucket[i];
        if (i < count) snprintf(le, sizeof le, "le=\"%g\"", limit[i]);
        else snprintf(le, sizeof le, "le=\"+Inf\"");
        put_series(p, "_bucket", le);
        sdw_buf_printf(p->out, " %llu\n", (unsigned long long)so_far);
    }
    put_series(p, "_sum", "");
    put_number(p, sum);
    put_series(p, "_count", "");
    sdw_buf_printf(p->out, " %llu\n", (unsigned long long)so_far);
    p->labels[0] = '\0';
}

void sdw_prom_finish(sdw_prom *p)
{
    if (p->open_metrics) sdw_buf_puts(p->out, "# EOF\n");
}
