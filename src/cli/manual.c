/* manual.c - help texts and docs/cli.md, both from the command records and their option tables. */
#include <string.h>

#include "cli/cli.h"
#include "sdw/sdw.h"

static void fill(const sdw_command *c, sdw_cli_options *o)
{
    *o = (sdw_cli_options){ .command = c->name };
    if (c->add_options) c->add_options(o);
}

static void print_usage(const sdw_command *c, const sdw_cli_options *o, FILE *to)
{
    fprintf(to, "sdw %s%s%s%s", c->name, o->count ? " [OPTIONS]" : "", c->words[0] ? " " : "", c->words);
}

void sdw_command_print_help(const sdw_command *c, FILE *to)
{
    sdw_cli_options o;
    fill(c, &o);
    fputs("Usage: ", to);
    print_usage(c, &o, to);
    fprintf(to, "\n\n%s\n", c->intro);
    sdw_cli_print_help(&o, to);
    fputs("\nExit codes:\n", to);
#define PRINT(name, value, meaning) fprintf(to, "  %-3d %s\n", value, meaning);
    SDW_CLI_EXIT_LIST(PRINT)
#undef PRINT
}

void sdw_cli_print_overview(FILE *to)
{
    fprintf(to, "sdw %s - Stable Diffusion on your own machine\n\nUsage: sdw COMMAND [OPTIONS]\n\n", SDW_VERSION);
    for (int i = 0; sdw_command_at(i); i++) {
        const sdw_command *c = sdw_command_at(i);
        fprintf(to, "  %-14s %s\n", c->name, c->summary);
    }
    fputs("\nsdw COMMAND --help tells the options of a command; sdw --version, sdw --build-info tell about this program.\n",
          to);
}

void sdw_cli_print_manual(FILE *to)
{
    fputs("# The command line\n\nThis page is made by `sdw help --manual` from the tables that the program itself uses;"
          " a test compares the two.\n\nEvery option is written `--name value` or `--name=value`, by its full name and"
          " at most once.\nAn error is one line `Error: ...` on standard error.\n\n| Exit code | Meaning |\n|---|---|\n",
          to);
#define PRINT(name, value, meaning) fprintf(to, "| %d | %s |\n", value, meaning);
    SDW_CLI_EXIT_LIST(PRINT)
#undef PRINT
    for (int i = 0; sdw_command_at(i); i++) {
        const sdw_command *c = sdw_command_at(i);
        sdw_cli_options o;
        fill(c, &o);
        fprintf(to, "\n## sdw %s\n\n`", c->name);
        print_usage(c, &o, to);
        fprintf(to, "`\n\n%s\n", c->intro);
        sdw_cli_print_markdown(&o, to);
    }
}
