/* cmd_help.c - sdw help: the commands, one command, or the whole manual. */
#include "cli/cli.h"

static void add_options(sdw_cli_options *o)
{
    static const sdw_cli_option rows[] = {
        { .name = "manual", .group = "output", .help = "print docs/cli.md: every command with every option" },
    };
    sdw_cli_add(o, rows, 1);
}

static int run(sdw_cli_options *o)
{
    if (sdw_cli_on(o, "manual")) {
        sdw_cli_print_manual(stdout);
        return SDW_EXIT_OK;
    }
    if (!o->word_count) {
        sdw_cli_print_overview(stdout);
        return SDW_EXIT_OK;
    }
    const sdw_command *c = sdw_command_find(o->words[0]);
    if (!c) {
        sdw_error err = { 0 };
        sdw_fail(&err, SDW_INVALID, "help: '%.60s' given, want a command that sdw help lists", o->words[0]);
        return sdw_cli_fail(&err);
    }
    sdw_command_print_help(c, stdout);
    return SDW_EXIT_OK;
}

const sdw_command sdw_command_help = {
    .name = "help", .summary = "what there is, and the options of a command", .words = "[COMMAND]", .words_max = 1,
    .intro = "Prints the list of commands, or one command's options.", .add_options = add_options, .run = run,
};
