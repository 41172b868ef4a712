/* cmd_job.c - sdw job ID: one job of a worker, with everything that is known of it. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/remote_jobs.h"
#include "cli/remote_options.h"
#include "core/mem.h"

static void add_options(sdw_cli_options *o)
{
    static const sdw_cli_option rows[] = { { .name = "json", .group = "output", .help = "one JSON object on one line" } };
    sdw_cli_add(o, rows, 1);
    sdw_cli_remote_options(o, true);
    o->words_help = "ID";
}

/* "key: value" lines; objects and lists as JSON. */
static void print_members(yyjson_val *object)
{
    size_t i, n;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, n, key, value) {
        const char *name = yyjson_get_str(key);
        if (!name || yyjson_is_null(value)) continue;
        printf("%-15s ", name);
        if (yyjson_is_str(value)) puts(yyjson_get_str(value));
        else sdw_cli_print_json(value);
    }
}

static sdw_status work(sdw_cli_client *c, const sdw_cli_options *o, sdw_error *err)
{
    char path[128];
    yyjson_doc *doc = NULL;
    sdw_status s = sdw_cli_job_path(o->words[0], "", path, err);
    if (s == SDW_OK) s = sdw_cli_client_json(c, "GET", path, &doc, err);
    if (s != SDW_OK) return s;
    if (sdw_cli_on(o, "json")) sdw_cli_print_json(yyjson_doc_get_root(doc));
    else print_members(yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return SDW_OK;
}

static int run(sdw_cli_options *o)
{
    sdw_error err = { 0 };
    if (o->word_count == 1) return sdw_cli_with_client(o, work);
    sdw_fail(&err, SDW_INVALID, "no job given, want its id as `sdw jobs` prints it");
    return sdw_cli_fail(&err);
}

const sdw_command sdw_command_job = {
    .name = "job", .summary = "one job of a worker", .words = "ID", .words_max = 1,
    .intro = "Prints everything that a worker tells of a job.", .add_options = add_options, .run = run,
};
