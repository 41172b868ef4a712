/* cmd_help.c - sdw help: the commands, one command, or the whole manual. */
#include "cli/cli.h"
#include "core/buf.h"
#include "server/api_doc.h"
#include "server/api_manual.h"
#include "server/server.h"

static void add_options(sdw_cli_options *o)
{
    static const sdw_cli_option rows[] = {
        { .name = "manual", .group = "output", .help = "print docs/cli.md: every command with every option" },
        { .name = "api", .group = "output", .help = "print docs/api.md: the HTTP API of sdw serve" },
        { .name = "openapi", .group = "output", .help = "print what sdw serve answers at /openapi.json" },
        { .name = "man", .group = "output", .help = "print the man page of the command, or of sdw itself" },
        { .name = "completion", .value = "SHELL", .group = "output", .help = "print completions for a shell", .range = "bash or zsh" },
    };
    sdw_cli_add(o, rows, (int)(sizeof rows / sizeof rows[0]));
}

static int refuse(const char *what, const char *value, const char *want)
{
    sdw_error err = { 0 };
    sdw_fail(&err, SDW_INVALID, "%s: '%.60s' given, want %s", what, value, want);
    return sdw_cli_fail(&err);
}

static int print_api(void)
{
    sdw_buf out = { 0 };
    sdw_error err = { .status = SDW_NO_MEMORY };
    bool ok = sdw_api_manual_write(sdw_server_routes, &out);
    if (ok) fwrite(out.data, 1, out.size, stdout);
    sdw_buf_finish(&out);
    return ok ? SDW_EXIT_OK : sdw_cli_fail(&err);
}

static int print_openapi(void)
{
    sdw_buf out = { 0 };
    sdw_error err = { 0 };
    sdw_status s = sdw_openapi_write(sdw_server_routes, &out, &err);
    if (s == SDW_OK) fwrite(out.data, 1, out.size, stdout), putchar('\n');
    sdw_buf_finish(&out);
    return s == SDW_OK ? SDW_EXIT_OK : sdw_cli_fail(&err);
}

static int run(sdw_cli_options *o)
{
    const char *shell = sdw_cli_value(o, "completion");
    if (shell) return sdw_cli_print_completion(shell, stdout) ? SDW_EXIT_OK : refuse("--completion", shell, "bash or zsh");
    if (sdw_cli_on(o, "manual")) {
        sdw_cli_print_manual(stdout);
        return SDW_EXIT_OK;
    }
    if (sdw_cli_on(o, "api")) return print_api();
    if (sdw_cli_on(o, "openapi")) return print_openapi();
    const sdw_command *c = o->word_count ? sdw_command_find(o->words[0]) : NULL;
    if (o->word_count && !c) return refuse("help", o->words[0], "a command that sdw help lists");
    if (sdw_cli_on(o, "man")) sdw_cli_print_man(c, stdout);
    else if (c) sdw_command_print_help(c, stdout);
    else sdw_cli_print_overview(stdout);
    return SDW_EXIT_OK;
}

const sdw_command sdw_command_help = {
    .name = "help", .summary = "what there is, and the options of a command", .words = "[COMMAND]", .words_max = 1,
    .intro = "Prints the list of commands, or one command's options.", .add_options = add_options, .run = run,
};
