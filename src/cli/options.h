/* options.h - command lines from a table: "--name value", "--name=value", "-o value", switches, positional words.
 * Every option is given at most once and by its full name: an abbreviation that works today would be a promise. */
#ifndef SDW_CLI_OPTIONS_H
#define SDW_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/buf.h"
#include "core/status.h"

#define SDW_CLI_OPTIONS_MAX 96
#define SDW_CLI_WORDS_MAX 64

typedef struct sdw_cli_option {
    const char *name;   /* without the dashes, words joined by '-' or '_' (printed with '-') */
    char letter;        /* short form; 0 = none */
    bool negatable;     /* a switch that --no-NAME sets to "off", and that takes =on and =off */
    const char *value;  /* what stands for the value in help; NULL = a switch */
    const char *group;  /* heading in help */
    const char *help;   /* one sentence without a full stop */
    const char *range;  /* what values are allowed, for help; may be NULL */
    const char *default_text;
} sdw_cli_option;

/* A command's table and, after parsing, what was given. Zero-initialise, then add. */
typedef struct sdw_cli_options {
    const char *command;      /* "generate", for errors and help */
    int words_max;            /* positional words allowed */
    const char *words_help;   /* "MODEL"; NULL = none */
    sdw_cli_option option[SDW_CLI_OPTIONS_MAX];
    const char *given[SDW_CLI_OPTIONS_MAX]; /* value, or "on" / "off" for switches; NULL = not given */
    int count;
    const char *words[SDW_CLI_WORDS_MAX];
    int word_count;
} sdw_cli_options;

/* Adds rows; too many rows are a bug of ours and make the next parse fail. */
void sdw_cli_add(sdw_cli_options *o, const sdw_cli_option *rows, int count);
/* Adds one row per request field that can be typed, and a FILE option per picture. */
void sdw_cli_add_fields(sdw_cli_options *o);

/* argv[0] is skipped. SDW_INVALID: unknown option (with the nearest name), option given twice, value missing or not
 * wanted, too many words. Strings are borrowed from argv. */
sdw_status sdw_cli_parse(sdw_cli_options *o, int argc, char **argv, sdw_error *err);

/* NULL if not given. Asking for a name that is not in the table is a bug of ours; it gives NULL too. */
const char *sdw_cli_value(const sdw_cli_options *o, const char *name);
bool sdw_cli_on(const sdw_cli_options *o, const char *name);
/* Whole number within [min, max]; `fallback` if not given. */
sdw_status sdw_cli_int(const sdw_cli_options *o, const char *name, int min, int max, int fallback, int *ret,
                       sdw_error *err);
/* Bytes with an optional K, M, G or T (powers of 1024; "GiB", "GB" and "G" are the same); 0 if not given. */
sdw_status sdw_cli_bytes(const sdw_cli_options *o, const char *name, uint64_t *ret, sdw_error *err);

/* Appends what an option's value may be and its default: "a whole number from 1 to 1000; default 20". */
void sdw_cli_option_range(const sdw_cli_option *row, sdw_buf *out);
/* The table for a person, and as Markdown for docs/cli.md. */
void sdw_cli_print_help(const sdw_cli_options *o, FILE *to);
void sdw_cli_print_markdown(const sdw_cli_options *o, FILE *to);

#endif
