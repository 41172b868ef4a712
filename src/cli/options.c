/* options.c - parsing a command line by its table, and printing the table. */
#include "cli/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sdw/fields.h"

void sdw_cli_add(sdw_cli_options *o, const sdw_cli_option *rows, int count)
{
    for (int i = 0; i < count; i++, o->count++)
        if (o->count < SDW_CLI_OPTIONS_MAX) o->option[o->count] = rows[i];
}

static const char *placeholder(const sdw_field *f)
{
    switch (f->type) {
    case SDW_FIELD_TEXT: return "TEXT";
    case SDW_FIELD_PICTURE: return "FILE";
    case SDW_FIELD_CHOICE: return "NAME";
    case SDW_FIELD_SWITCH: return NULL;
    case SDW_FIELD_INT:
    case SDW_FIELD_REAL:
    case SDW_FIELD_SEED: return "N";
    }
    return "VALUE";
}

void sdw_cli_add_fields(sdw_cli_options *o)
{
    size_t count;
    const sdw_field *fields = sdw_fields(&count);
    for (size_t i = 0; i < count; i++) {
        const sdw_field *f = &fields[i];
        sdw_cli_option row = { .name = f->name, .negatable = f->type == SDW_FIELD_SWITCH, .value = placeholder(f),
                               .group = f->group, .help = f->help, .default_text = f->default_text };
        sdw_cli_add(o, &row, 1);
    }
}

/* ---- names ---- */

static bool same_name(const char *typed, size_t length, const char *name)
{
    if (strlen(name) != length) return false;
    for (size_t i = 0; i < length; i++)
        if (typed[i] != (name[i] == '_' ? '-' : name[i])) return false;
    return true;
}

int sdw_cli_find_n(const sdw_cli_options *o, const char *typed, size_t length)
{
    for (int i = 0; i < o->count; i++)
        if (same_name(typed, length, o->option[i].name)) return i;
    return -1;
}

/* "--mask-blur" */
static const char *flag_of(const char *name, char flag[48])
{
    size_t n = 2;
    flag[0] = flag[1] = '-';
    for (; *name && n < 47; name++) flag[n++] = *name == '_' ? '-' : *name;
    flag[n] = '\0';
    return flag;
}

/* Edit distance (insert, delete, replace) with two rows; names are short. */
static int distance(const char *a, size_t la, const char *b)
{
    int row[64], lb = (int)strlen(b);
    if (lb > 62 || la > 62) return 99;
    for (int j = 0; j <= lb; j++) row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (int j = 1; j <= lb; j++) {
            int up = row[j], best = diagonal + (a[i - 1] != (b[j - 1] == '_' ? '-' : b[j - 1]));
            if (up + 1 < best) best = up + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = up;
            row[j] = best;
        }
    }
    return row[lb];
}

static sdw_status unknown(const sdw_cli_options *o, const char *arg, sdw_error *err)
{
    const char *typed = arg + 2, *nearest = NULL;
    size_t length = arg[1] == '-' ? strcspn(typed, "=") : 0;
    int best = 4;
    for (int i = 0; length && i < o->count; i++) {
        int d = distance(typed, length, o->option[i].name);
        if (d < best) best = d, nearest = o->option[i].name;
    }
    char flag[48], hint[80] = "";
    if (nearest) snprintf(hint, sizeof hint, "; did you mean %s?", flag_of(nearest, flag));
    return sdw_fail(err, SDW_INVALID, "unknown option '%.60s', want one of those that sdw %s --help lists%s", arg,
                    o->command, hint);
}

/* ---- parsing ---- */

static sdw_status take_again(sdw_cli_options *o, int i, const char *value, sdw_error *err)
{
    char flag[48];
    if (o->more_count == SDW_CLI_REPEATS_MAX)
        return sdw_fail(err, SDW_INVALID, "%s: too many values given, want at most %d", flag_of(o->option[i].name, flag),
                        SDW_CLI_REPEATS_MAX);
    o->more[o->more_count].option = i;
    o->more[o->more_count++].value = value;
    return SDW_OK;
}

static sdw_status take(sdw_cli_options *o, int i, const char *value, sdw_error *err)
{
    char flag[48];
    if (o->given[i] && o->option[i].repeatable) return take_again(o, i, value, err);
    if (o->given[i])
        return sdw_fail(err, SDW_INVALID, "%s: given twice, want it at most once", flag_of(o->option[i].name, flag));
    o->given[i] = value;
    return SDW_OK;
}

static sdw_status take_switch(sdw_cli_options *o, int i, const char *value, sdw_error *err)
{
    char flag[48];
    if (!value) return take(o, i, "on", err);
    if (o->option[i].negatable && (!strcmp(value, "on") || !strcmp(value, "off"))) return take(o, i, value, err);
    return sdw_fail(err, SDW_INVALID, "%s: value '%.40s' given, want %s", flag_of(o->option[i].name, flag), value,
                    o->option[i].negatable ? "on or off" : "none");
}

/* One long option; *ret_used tells whether the next word was its value. */
static sdw_status parse_long(sdw_cli_options *o, const char *arg, const char *next, bool *ret_used, sdw_error *err)
{
    const char *typed = arg + 2, *equals = strchr(typed, '=');
    size_t length = equals ? (size_t)(equals - typed) : strlen(typed);
    const char *value = equals ? equals + 1 : NULL;
    int i = sdw_cli_find_n(o, typed, length);
    *ret_used = false;
    if (i < 0 && length > 3 && !strncmp(typed, "no-", 3) && !value) {
        i = sdw_cli_find_n(o, typed + 3, length - 3);
        if (i >= 0 && o->option[i].negatable) return take(o, i, "off", err);
        i = -1;
    }
    if (i < 0) return unknown(o, arg, err);
    if (!o->option[i].value) return take_switch(o, i, value, err);
    if (!value) {
        if (!next) return sdw_fail(err, SDW_INVALID, "%s: no value given, want %s", arg, o->option[i].value);
        value = next;
        *ret_used = true;
    }
    return take(o, i, value, err);
}

static sdw_status parse_short(sdw_cli_options *o, const char *arg, const char *next, bool *ret_used, sdw_error *err)
{
    *ret_used = false;
    for (int i = 0; i < o->count; i++) {
        if (o->option[i].letter != arg[1]) continue;
        if (!o->option[i].value) return arg[2] ? unknown(o, arg, err) : take(o, i, "on", err);
        if (arg[2]) return take(o, i, arg + 2, err);
        if (!next) return sdw_fail(err, SDW_INVALID, "%s: no value given, want %s", arg, o->option[i].value);
        *ret_used = true;
        return take(o, i, next, err);
    }
    return unknown(o, arg, err);
}

static sdw_status take_word(sdw_cli_options *o, const char *word, sdw_error *err)
{
    if (o->word_count >= o->words_max || o->word_count >= SDW_CLI_WORDS_MAX)
        return sdw_fail(err, SDW_INVALID, "unexpected word '%.60s', sdw %s takes %s", word, o->command,
                        o->words_help ? o->words_help : "options only");
    o->words[o->word_count++] = word;
    return SDW_OK;
}

sdw_status sdw_cli_parse(sdw_cli_options *o, int argc, char **argv, sdw_error *err)
{
    bool only_words = false;
    if (o->count > SDW_CLI_OPTIONS_MAX) return sdw_fail(err, SDW_INTERNAL, "%s: more options than the table holds", o->command);
    for (int a = 1; a < argc; a++) {
        const char *arg = argv[a], *next = a + 1 < argc ? argv[a + 1] : NULL;
        bool used = false;
        sdw_status s;
        if (only_words || arg[0] != '-' || !arg[1]) s = take_word(o, arg, err);
        else if (!strcmp(arg, "--")) only_words = true, s = SDW_OK;
        else if (arg[1] == '-') s = parse_long(o, arg, next, &used, err);
        else s = parse_short(o, arg, next, &used, err);
        if (s != SDW_OK) return s;
        a += used;
    }
    return SDW_OK;
}
