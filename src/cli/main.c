/* main.c - which sub-command? Sub-commands are files cmd_NAME.c; the list comes from their names. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/program_name.h"
#include "sdw/sdw.h"

#define COMMAND_DECLARE(name) extern const sdw_command sdw_command_##name;
#define X(name) COMMAND_DECLARE(name)
#include "registry/commands.inc"
#undef X

static const sdw_command *const commands[] = {
#define X(name) &sdw_command_##name,
#include "registry/commands.inc"
#undef X
};

#define COMMAND_COUNT ((int)(sizeof commands / sizeof commands[0]))

const sdw_command *sdw_command_at(int index)
{
    return index >= 0 && index < COMMAND_COUNT ? commands[index] : NULL;
}

const sdw_command *sdw_command_find(const char *name)
{
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (!strcmp(commands[i]->name, name)) return commands[i];
    return NULL;
}

static bool has_word(int argc, char **argv, const char *word)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++)
        if (!strcmp(argv[i], word)) return true;
    return false;
}

/* Options only, or a worker's name: it serves. */
typedef struct bare_call {
    bool is;
    const char *backend;
} bare_call;

static int run(const sdw_command *c, bare_call bare, int argc, char **argv)
{
    sdw_error err = { 0 };
    sdw_cli_options o = { .command = c->name, .words_max = c->words_max, .words_help = c->words, .bare = bare.is, .backend = bare.backend };
    if (c->add_options) c->add_options(&o);
    if (has_word(argc, argv, "--help") || has_word(argc, argv, "-h")) {
        sdw_command_print_help(c, stdout);
        return SDW_EXIT_OK;
    }
    if (sdw_cli_parse(&o, argc, argv, &err) != SDW_OK) return sdw_cli_fail(&err);
    return c->run(&o);
}

static int unknown(const char *word)
{
    fprintf(stderr, "Error: unknown %s '%.60s', want one of", word[0] == '-' ? "option" : "command", word);
    for (int i = 0; i < COMMAND_COUNT; i++) fprintf(stderr, "%s %s", i ? "," : "", commands[i]->name);
    fputs(", --help, --version\n", stderr);
    return SDW_EXIT_USAGE;
}

static int dispatch(int argc, char **argv)
{
    if (has_word(argc, argv, "--build-info")) { /* before any other check: callers probe a binary with it */
#ifdef NDEBUG
        puts("release");
#else
        puts("debug");
#endif
        return SDW_EXIT_OK;
    }
    const sdw_program_name name = sdw_program_name_parse(argv[0]);
    if (argc < 2 && !name.worker) {
        sdw_cli_print_overview(stderr);
        return SDW_EXIT_USAGE;
    }
    if (argc > 1 && !strcmp(argv[1], "--version")) {
        puts("sdw " SDW_VERSION);
        return SDW_EXIT_OK;
    }
    if (name.worker) return run(sdw_command_find("serve"), (bare_call){ true, name.backend }, argc, argv);
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        sdw_cli_print_overview(stdout);
        return SDW_EXIT_OK;
    }
    if (!strncmp(argv[1], "--", 2) && argv[1][2]) return run(sdw_command_find("serve"), (bare_call){ true, NULL }, argc, argv);
    const sdw_command *c = sdw_command_find(argv[1]);
    return c ? run(c, (bare_call){ false, NULL }, argc - 1, argv + 1) : unknown(argv[1]);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a reader that goes away is a failed write, told like any other; so is a limit on the size of files */
    signal(SIGXFSZ, SIG_IGN);
    int code = dispatch(argc, argv);
    if (fflush(stdout) || ferror(stdout)) {
        if (code == SDW_EXIT_OK) {
            fputs("Error: standard output cannot be written\n", stderr);
            code = SDW_EXIT_FAILURE;
        }
    }
    return code;
}
