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
#define SDW_CLI_REPEATS_MAX 64 /* values of repeatable options beyond the first of each */

typedef struct sdw_cli_option {
    const char *name;   /* without the dashes, words joined by '-' or '_' (printed with '-') */
    char letter;        /* short form; 0 = none */
    bool negatable;     /* a switch that --no-NAME sets to "off", and that takes =on and =off */
    bool repeatable;    /* may be given several times: sdw_cli_values */
    const char *env;    /* variables that stand for it when it is not given, first ones first: "A B"; NULL = none */
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
    const char *origin[SDW_CLI_OPTIONS_MAX]; /* what errors call it: a variable, a line of a file; NULL = its flag */
    int count;
    struct { int option; const char *value; } more[SDW_CLI_REPEATS_MAX];
    int more_count;
    const char *words[SDW_CLI_WORDS_MAX];
    int word_count;
    const char *backend;      /* that the program's own name says, such as "cpu"; NULL = none */
    bool bare;                /* no command was named: options only, or a worker's name */
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
/* The row's index; -1 if there is none. '-' and '_' are equal. */
int sdw_cli_find(const sdw_cli_options *o, const char *name);
int sdw_cli_find_n(const sdw_cli_options *o, const char *name, size_t length); /* `length` bytes, with '-' only */
/* Every value of a repeatable option, NULL behind the last: room for max + 1. The result is how many. */
int sdw_cli_values(const sdw_cli_options *o, int option, const char **ret_values, int max);
/* Sets what the command line left open; origin as above, borrowed. A switch takes true, false, 1, 0, yes, no, on, off.
 * Repeatable options take one value after the other. SDW_INVALID. */
sdw_status sdw_cli_set(sdw_cli_options *o, int option, const char *value, const char *origin, sdw_error *err);
/* "--port", or the variable that it came from; into `name`. */
const char *sdw_cli_called(const sdw_cli_options *o, int option, char name[64]);
/* A number within [min, max]; `fallback` if not given. */
sdw_status sdw_cli_real(const sdw_cli_options *o, const char *name, double min, double max, double fallback, double *ret,
                        sdw_error *err);
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
