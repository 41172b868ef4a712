/* cmd_fetch.c - sdw fetch ID: the pictures of a job, now or when it ends. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/output.h"
#include "cli/remote_jobs.h"
#include "cli/remote_options.h"

#define PICTURE_MAX ((size_t)256 << 20)

static void add_options(sdw_cli_options *o)
{
    static const sdw_cli_option rows[] = {
        { .name = "output", .letter = 'o', .value = "FILE", .group = "output", .help = "where to write; - is standard output; several pictures become name-1 ...", .default_text = "sdw-SEED.png" },
        { .name = "force", .group = "output", .help = "overwrite files that exist" },
    };
    sdw_cli_add(o, rows, 2);
    sdw_cli_remote_options(o, true);
    o->words_help = "ID";
}

static bool ignore_event(void *ctx, const char *event, const char *data, size_t size)
{
    (void)ctx, (void)event, (void)data, (void)size;
    return true;
}

static sdw_status save(sdw_cli_client *c, const sdw_cli_output *out, int index, yyjson_val *picture, sdw_error *err)
{
    char path[PATH_MAX];
    sdw_buf bytes;
    const char *url = yyjson_get_str(yyjson_obj_get(picture, "url"));
    sdw_buf_init(&bytes, PICTURE_MAX);
    sdw_status s = url && *url == '/' ? sdw_remote_call(c->remote, "GET", url, NULL, 0, &bytes, err) : sdw_fail(err, SDW_FORMAT, "the worker tells no address of picture %d", index + 1);
    if (s == SDW_OK) s = sdw_cli_output_write_bytes(out, index, bytes.data, bytes.size, err);
    if (s == SDW_OK) s = sdw_cli_output_name(out, index, path, err);
    if (s == SDW_OK && !sdw_cli_output_is_stdout(out)) printf("%s\n", path);
    sdw_buf_finish(&bytes);
    return s;
}

static sdw_status save_all(sdw_cli_client *c, const sdw_cli_options *o, yyjson_val *job, sdw_error *err)
{
    yyjson_val *pictures = yyjson_obj_get(job, "outputs"), *first = yyjson_arr_get_first(pictures);
    const char *status = yyjson_get_str(yyjson_obj_get(job, "status")), *message = yyjson_get_str(yyjson_obj_get(yyjson_obj_get(job, "error"), "message"));
    char name[80];
    if (!first) return sdw_fail(err, SDW_NOT_FOUND, "%s has no pictures: it is %s%s%s", o->words[0], status ? status : "unknown", message ? ": " : "", message ? message : "");
    const char *format = yyjson_get_str(yyjson_obj_get(first, "format"));
    sdw_cli_output out = { .path = sdw_cli_value(o, "output"), .seed = yyjson_get_uint(yyjson_obj_get(first, "seed")), .count = (int)yyjson_arr_size(pictures), .replace = sdw_cli_on(o, "force") };
    if (!out.path && format && strcmp(format, "png")) { /* the bytes are what they are: the default name follows them */
        snprintf(name, sizeof name, "sdw-%llu.%.8s", (unsigned long long)out.seed, strcmp(format, "jpeg") ? format : "jpg");
        out.path = name;
    }
    sdw_status s = sdw_cli_output_check(&out, err);
    for (int i = 0; i < out.count && s == SDW_OK; i++) s = save(c, &out, i, yyjson_arr_get(pictures, (size_t)i), err);
    return s;
}

static sdw_status work(sdw_cli_client *c, const sdw_cli_options *o, sdw_error *err)
{
    char path[128], stream[128];
    yyjson_doc *doc = NULL;
    sdw_status s = sdw_cli_job_path(o->words[0], "", path, err);
    if (s == SDW_OK) s = sdw_cli_job_path(o->words[0], "/stream", stream, err);
    if (s == SDW_OK) s = sdw_remote_follow(c->remote, stream, true, ignore_event, NULL, err); /* returns when it has ended */
    if (s == SDW_OK) s = sdw_cli_client_json(c, "GET", path, &doc, err);
    if (s == SDW_OK) s = save_all(c, o, yyjson_doc_get_root(doc), err);
    yyjson_doc_free(doc);
    return s;
}

static int run(sdw_cli_options *o)
{
    sdw_error err = { 0 };
    if (o->word_count == 1) return sdw_cli_with_client(o, work);
    sdw_fail(&err, SDW_INVALID, "no job given, want its id as `sdw jobs` prints it");
    return sdw_cli_fail(&err);
}

const sdw_command sdw_command_fetch = {
    .name = "fetch", .summary = "the pictures of a worker's job", .words = "ID", .words_max = 1,
    .intro = "Waits until a job has ended and writes its pictures.", .add_options = add_options, .run = run,
};
