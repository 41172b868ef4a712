/* cmd_jobs.c - sdw jobs: what a worker has to do and has done. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/remote_jobs.h"
#include "cli/remote_options.h"

static void add_options(sdw_cli_options *o)
{
    static const sdw_cli_option rows[] = {
        { .name = "status", .value = "WORD", .group = "output", .help = "only jobs of this status", .range = "queued, running, completed, failed or cancelled" },
        { .name = "limit", .value = "N", .group = "output", .help = "at most so many, newest first", .range = "a whole number from 1 to 500", .default_text = "50" },
        { .name = "watch", .group = "output", .help = "go on: a line for each change, until Ctrl-C" },
        { .name = "json", .group = "output", .help = "one JSON object per line" },
    };
    sdw_cli_add(o, rows, (int)(sizeof rows / sizeof rows[0]));
    sdw_cli_remote_options(o, true);
}

static sdw_status list(sdw_cli_client *c, const sdw_cli_options *o, sdw_error *err)
{
    static const char *const words[] = { "queued", "running", "completed", "failed", "cancelled" };
    const char *status = sdw_cli_value(o, "status");
    char path[128];
    int limit;
    bool known = !status;
    yyjson_doc *doc = NULL;
    size_t i, n;
    yyjson_val *job;
    sdw_status s = sdw_cli_int(o, "limit", 1, 500, 50, &limit, err);
    if (s != SDW_OK) return s;
    for (size_t k = 0; k < sizeof words / sizeof words[0] && !known; k++) known = !strcmp(words[k], status);
    if (!known) return sdw_fail(err, SDW_INVALID, "--status: '%.40s' given, want queued, running, completed, failed or cancelled", status);
    snprintf(path, sizeof path, "/v1/jobs?limit=%d%s%s", limit, status ? "&status=" : "", status ? status : "");
    s = sdw_cli_client_json(c, "GET", path, &doc, err);
    if (s != SDW_OK) return s;
    yyjson_val *jobs = yyjson_obj_get(yyjson_doc_get_root(doc), "jobs");
    if (!sdw_cli_on(o, "json") && yyjson_arr_size(jobs)) sdw_cli_print_job_heading();
    else if (!sdw_cli_on(o, "json") && !sdw_cli_on(o, "watch")) puts("no jobs");
    yyjson_arr_foreach(jobs, i, n, job) {
        if (sdw_cli_on(o, "json")) sdw_cli_print_json(job);
        else sdw_cli_print_job(job);
    }
    yyjson_doc_free(doc);
    fflush(stdout);
    return SDW_OK;
}

static bool on_event(void *ctx, const char *event, const char *data, size_t size)
{
    const sdw_cli_options *o = ctx;
    yyjson_doc *doc = !strcmp(event, "job") ? yyjson_read(data, size, 0) : NULL;
    if (doc && sdw_cli_on(o, "json")) sdw_cli_print_json(yyjson_doc_get_root(doc));
    else if (doc) sdw_cli_print_job(yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    fflush(stdout);
    return true;
}

static sdw_status work(sdw_cli_client *c, const sdw_cli_options *o, sdw_error *err)
{
    sdw_status s = list(c, o, err);
    if (s != SDW_OK || !sdw_cli_on(o, "watch")) return s;
    return sdw_remote_follow(c->remote, "/v1/events", true, on_event, (void *)(uintptr_t)o, err);
}

static int run(sdw_cli_options *o)
{
    return sdw_cli_with_client(o, work);
}

const sdw_command sdw_command_jobs = {
    .name = "jobs", .summary = "what a worker has to do and has done", .words = "",
    .intro = "Lists the jobs of a worker, newest first; --watch goes on with every change.", .add_options = add_options, .run = run,
};
