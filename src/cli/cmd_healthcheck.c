/* cmd_healthcheck.c - sdw healthcheck: is the worker there and ready? For containers, which have no other client. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/remote_jobs.h"
#include "cli/remote_options.h"

static void add_options(sdw_cli_options *o)
{
    static const sdw_cli_option rows[] = { { .name = "live", .group = "output", .help = "it is enough that the worker answers, loaded or not" } };
    sdw_cli_add(o, rows, 1);
    sdw_cli_remote_options(o, true);
}

static sdw_status work(sdw_cli_client *c, const sdw_cli_options *o, sdw_error *err)
{
    const char *path = sdw_cli_on(o, "live") ? "/livez" : "/readyz";
    sdw_buf answer;
    int status;
    sdw_buf_init(&answer, (size_t)1 << 16);
    sdw_status s = sdw_remote_ask(c->remote, "GET", path, NULL, 0, &answer, &status, err);
    sdw_buf_finish(&answer);
    if (s != SDW_OK) return s;
    if (status != 200) return sdw_fail(err, SDW_BUSY, "%s%s: answered %d, want 200", sdw_remote_url(c->remote), path, status);
    puts(sdw_cli_on(o, "live") ? "live" : "ready");
    return SDW_OK;
}

static int run(sdw_cli_options *o)
{
    return sdw_cli_with_client(o, work);
}

const sdw_command sdw_command_healthcheck = {
    .name = "healthcheck", .summary = "is a worker there and ready?", .words = "",
    .intro = "Exit code 0 if the worker is ready for jobs (--live: if it answers), else 1.", .add_options = add_options, .run = run,
};
