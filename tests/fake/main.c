/* main.c - sdw-fake: `sdw serve` over the executor without weights. Same options, same files of src/cli. */
#include <signal.h>

#include "cli/cli.h"
#include "cli/serve_run.h"
#include "fake/fake.h"

int main(int argc, char **argv)
{
    sdw_error err = { 0 };
    sdw_cli_options o = { .command = "serve" };
    signal(SIGPIPE, SIG_IGN);
    sdw_serve_options(&o);
    if (sdw_cli_parse(&o, argc, argv, &err) != SDW_OK) return sdw_cli_fail(&err);
    return sdw_serve_main(&o, &fake_executor);
}
