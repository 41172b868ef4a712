/* cmd_cancel.c - sdw cancel ID|--all: ends jobs of a worker. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/remote_jobs.h"
#include "cli/remote_options.h"

static void add_options(sdw_cli_options *o)
{
    static const sdw_cli_option rows[] = { { .name = "all", .group = "jobs", .help = "every queued and running job" } };
    sdw_cli_add(o, rows, 1);
    sdw_cli_remote_options(o, true);
    o->words_help = "ID";
}

static sdw_status cancel(sdw_cli_client *c, const char *id, sdw_error *err)
{
    char path[128];
    yyjson_doc *doc = NULL;
    sdw_status s = sdw_cli_job_path(id, "", path, err);
    if (s == SDW_OK) s = sdw_cli_client_json(c, "DELETE", path, &doc, err);
    if (s == SDW_OK) printf("%s cancelled\n", id);
    yyjson_doc_free(doc);
    return s;
}

/* Waiting jobs first, so that none of them starts when a running one ends. One that ended by itself is no failure. */
static sdw_status cancel_all(sdw_cli_client *c, sdw_error *err)
{
    static const char *const lists[] = { "/v1/jobs?limit=500&status=queued", "/v1/jobs?limit=500&status=running" };
    int ended = 0;
    for (int k = 0; k < 2; k++) {
        yyjson_doc *doc = NULL;
        size_t i, n;
        yyjson_val *job;
        sdw_status s = sdw_cli_client_json(c, "GET", lists[k], &doc, err);
        if (s != SDW_OK) return s;
        yyjson_arr_foreach(yyjson_obj_get(yyjson_doc_get_root(doc), "jobs"), i, n, job) {
            const char *id = yyjson_get_str(yyjson_obj_get(job, "job_id"));
            s = id ? cancel(c, id, err) : SDW_OK;
            if (s == SDW_OK) ended++;
            else if (s != SDW_NOT_FOUND) break;
        }
        yyjson_doc_free(doc);
        if (s != SDW_OK && s != SDW_NOT_FOUND) return s;
    }
    if (!ended) puts("no unfinished jobs");
    return SDW_OK;
}

static sdw_status work(sdw_cli_client *c, const sdw_cli_options *o, sdw_error *err)
{
    sdw_status s = sdw_cli_on(o, "all") ? cancel_all(c, err) : SDW_OK;
    for (int i = 0; i < o->word_count && s == SDW_OK; i++) s = cancel(c, o->words[i], err);
    return s;
}

static int run(sdw_cli_options *o)
{
    sdw_error err = { 0 };
    if ((o->word_count > 0) != sdw_cli_on(o, "all")) return sdw_cli_with_client(o, work);
    sdw_fail(&err, SDW_INVALID, "want either job ids, as `sdw jobs` prints them, or --all");
    return sdw_cli_fail(&err);
}

const sdw_command sdw_command_cancel = {
    .name = "cancel", .summary = "end jobs of a worker", .words = "ID...", .words_max = SDW_CLI_WORDS_MAX,
    .intro = "Ends jobs of a worker: a running one after its step, a waiting one at once.", .add_options = add_options, .run = run,
};
