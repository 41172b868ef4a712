/* cmd_version.c - sdw version. */
#include "cli/cli.h"
#include "sdw/sdw.h"

static int run(sdw_cli_options *o)
{
    (void)o;
    puts("sdw " SDW_VERSION);
    return SDW_EXIT_OK;
}

const sdw_command sdw_command_version = {
    .name = "version", .summary = "the version of this program", .words = "",
    .intro = "Prints the version, as sdw --version does.", .run = run,
};
