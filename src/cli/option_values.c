/* option_values.c - what was given for an option, as the type that the command wants; and what stands in for the command
 * line: variables of the environment, lines of a file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/options.h"

int sdw_cli_find(const sdw_cli_options *o, const char *name)
{
    int i = sdw_cli_find_n(o, name, strlen(name));
    for (int j = 0; i < 0 && j < o->count; j++) /* field names come with '_' */
        if (!strcmp(o->option[j].name, name)) i = j;
    return i;
}

const char *sdw_cli_value(const sdw_cli_options *o, const char *name)
{
    int i = sdw_cli_find(o, name);
    return i < 0 ? NULL : o->given[i];
}

bool sdw_cli_on(const sdw_cli_options *o, const char *name)
{
    const char *v = sdw_cli_value(o, name);
    return v && !strcmp(v, "on");
}

int sdw_cli_values(const sdw_cli_options *o, int option, const char **ret_values, int max)
{
    int n = 0;
    if (option >= 0 && o->given[option] && n < max) ret_values[n++] = o->given[option];
    for (int i = 0; i < o->more_count && n > 0 && n < max; i++)
        if (o->more[i].option == option) ret_values[n++] = o->more[i].value;
    ret_values[n] = NULL;
    return n;
}

const char *sdw_cli_called(const sdw_cli_options *o, int option, char name[64])
{
    if (option < 0) return "?";
    if (o->origin[option]) return o->origin[option];
    snprintf(name, 64, "--%s", o->option[option].name);
    for (char *c = name; *c; c++)
        if (*c == '_') *c = '-';
    return name;
}

/* ---- standing in for the command line ---- */

static const char *read_switch(const char *text)
{
    static const char *const on[] = { "true", "1", "yes", "on" }, *const off[] = { "false", "0", "no", "off" };
    for (size_t i = 0; i < 4; i++) {
        if (!strcasecmp(text, on[i])) return "on";
        if (!strcasecmp(text, off[i])) return "off";
    }
    return NULL;
}

sdw_status sdw_cli_set(sdw_cli_options *o, int option, const char *value, const char *origin, sdw_error *err)
{
    const sdw_cli_option *row = &o->option[option];
    if (!row->value) {
        const char *word = read_switch(value);
        if (!word)
            return sdw_fail(err, SDW_INVALID, "%s: '%.40s' given, want true, false, 1, 0, yes or no", origin, value);
        value = word;
    }
    if (o->given[option] && !row->repeatable) return sdw_fail(err, SDW_INVALID, "%s: given twice, want it at most once", origin);
    if (!o->given[option]) {
        o->given[option] = value;
        o->origin[option] = origin;
        return SDW_OK;
    }
    if (o->more_count == SDW_CLI_REPEATS_MAX)
        return sdw_fail(err, SDW_INVALID, "%s: too many values, want at most %d", origin, SDW_CLI_REPEATS_MAX);
    o->more[o->more_count].option = option;
    o->more[o->more_count++].value = value;
    return SDW_OK;
}

/* ---- numbers ---- */

sdw_status sdw_cli_int(const sdw_cli_options *o, const char *name, int min, int max, int fallback, int *ret,
                       sdw_error *err)
{
    char called[64];
    const char *text = sdw_cli_value(o, name);
    if (!text) {
        *ret = fallback;
        return SDW_OK;
    }
    errno = 0;
    char *end;
    long v = strtol(text, &end, 10);
    if (end == text || *end || errno || v < min || v > max || strspn(text, " \t\n"))
        return sdw_fail(err, SDW_INVALID, "%s: '%.40s' given, want a whole number from %d to %d",
                        sdw_cli_called(o, sdw_cli_find(o, name), called), text, min, max);
    *ret = (int)v;
    return SDW_OK;
}

sdw_status sdw_cli_real(const sdw_cli_options *o, const char *name, double min, double max, double fallback, double *ret,
                        sdw_error *err)
{
    char called[64];
    const char *text = sdw_cli_value(o, name);
    if (!text) {
        *ret = fallback;
        return SDW_OK;
    }
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end || text[strspn(text, "0123456789.eE+-")] || !(v >= min && v <= max))
        return sdw_fail(err, SDW_INVALID, "%s: '%.40s' given, want a number from %g to %g",
                        sdw_cli_called(o, sdw_cli_find(o, name), called), text, min, max);
    *ret = v;
    return SDW_OK;
}

sdw_status sdw_cli_bytes(const sdw_cli_options *o, const char *name, uint64_t *ret, sdw_error *err)
{
    static const char units[] = "KMGT";
    char called[64];
    const char *text = sdw_cli_value(o, name);
    if (!text) {
        *ret = 0;
        return SDW_OK;
    }
    size_t digits = strspn(text, "0123456789.");
    char *end = NULL;
    double v = digits ? strtod(text, &end) : 0;
    bool ok = v > 0 && end == text + digits;
    if (ok && *end) {
        char upper = *end >= 'a' && *end <= 'z' ? (char)(*end - 'a' + 'A') : *end;
        const char *unit = strchr(units, upper);
        ok = unit && (!end[1] || !strcmp(end + 1, "B") || !strcmp(end + 1, "iB"));
        for (long i = ok ? unit - units : -1; i >= 0; i--) v *= 1024;
    }
    if (!ok || v < 1 || v > 9e18)
        return sdw_fail(err, SDW_INVALID, "%s: '%.40s' given, want a number of bytes such as 8G or 2600M",
                        sdw_cli_called(o, sdw_cli_find(o, name), called), text);
    *ret = (uint64_t)v;
    return SDW_OK;
}
