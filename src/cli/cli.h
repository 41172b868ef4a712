/* cli.h - what every sub-command shares: its record, exit codes, the way an error is told. */
#ifndef SDW_CLI_CLI_H
#define SDW_CLI_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/options.h"
#include "core/status.h"

/* X(NAME, value, meaning): the exit codes, for code, help and docs/cli.md alike. */
#define SDW_CLI_EXIT_LIST(X)                                                                          \
    X(OK, 0, "done")                                                                                  \
    X(FAILURE, 1, "it could not be done; one line `Error: ...` on standard error says why")           \
    X(USAGE, 2, "an option or a value of the request is not allowed; one line `Error: ...` says which") \
    X(SIGINT, 130, "stopped by Ctrl-C (SIGINT); nothing half-written is left")                        \
    X(SIGTERM, 143, "stopped by SIGTERM; nothing half-written is left")

typedef enum sdw_cli_exit {
#define SDW_CLI_EXIT_ENUM(name, value, meaning) SDW_EXIT_##name = (value),
    SDW_CLI_EXIT_LIST(SDW_CLI_EXIT_ENUM)
#undef SDW_CLI_EXIT_ENUM
} sdw_cli_exit;

/* A sub-command is a file cmd_NAME.c that defines sdw_command_NAME; the list of them is generated from file names. */
typedef struct sdw_command {
    const char *name, *summary; /* "random-model"; one line */
    const char *words;          /* positional words for the usage line; "" = none */
    int words_max;
    const char *intro;          /* paragraph of the help text */
    void (*add_options)(sdw_cli_options *o);
    int (*run)(sdw_cli_options *o); /* an exit code; the command line is parsed */
} sdw_command;

/* In the order of their names; NULL past the end. */
const sdw_command *sdw_command_at(int index);
const sdw_command *sdw_command_find(const char *name);

void sdw_command_print_help(const sdw_command *c, FILE *to);
/* The overview of all commands. */
void sdw_cli_print_overview(FILE *to);
/* docs/cli.md as a whole. */
void sdw_cli_print_manual(FILE *to);
/* "bash" or "zsh"; false for another shell, and nothing is printed. */
bool sdw_cli_print_completion(const char *shell, FILE *to);
/* A command's man page; NULL = the page of sdw itself. */
void sdw_cli_print_man(const sdw_command *c, FILE *to);

/* Prints "Error: ..." on standard error; the exit code that fits the status. */
int sdw_cli_fail(const sdw_error *err);

#endif
