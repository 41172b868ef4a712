/* cmd_serve.c - sdw serve: the worker service. Called by a worker's name, or with options only, it is the same program,
 * but for the demo model: whoever names no command names a model. */
#include "cli/cli.h"
#include "cli/serve_run.h"

static int run(sdw_cli_options *o)
{
    return sdw_serve_main(o, NULL);
}

const sdw_command sdw_command_serve = {
    .name = "serve", .summary = "draw for others over HTTP", .words = "",
    .intro = "Serves the HTTP API of docs/api.md and a web page until SIGTERM or SIGINT. Without a model the demo model is\n"
             "served. An option that is not given may stand in the environment (its variable, else SDW_ and its name in\n"
             "capitals), else in the file of --config. The names sd-worker-cpu, sd-worker-rbee-cpu and worker-cpu-PORT,\n"
             "and `sdw` with options only, run this command too, but need a model.",
    .add_options = sdw_serve_options, .run = run,
};
