/* remote_jobs.c - see remote_jobs.h. */
#include "cli/remote_jobs.h"

#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/remote_options.h"
#include "cli/signals.h"
#include "core/mem.h"
#include "server/job_json.h"

#define ANSWER_MAX ((size_t)64 << 20)

sdw_status sdw_cli_client_open(sdw_cli_client *c, const sdw_cli_options *o, sdw_error *err)
{
    return sdw_cli_remote_open(o, &c->key, &c->remote, err);
}

void sdw_cli_client_close(sdw_cli_client *c)
{
    sdw_remote_close(c->remote);
    sdw_buf_finish(&c->key);
    c->remote = NULL;
}

sdw_status sdw_cli_client_json(sdw_cli_client *c, const char *method, const char *path, yyjson_doc **ret_doc, sdw_error *err)
{
    sdw_buf answer;
    sdw_buf_init(&answer, ANSWER_MAX);
    sdw_status s = sdw_remote_call(c->remote, method, path, NULL, 0, &answer, err);
    if (s == SDW_OK) {
        *ret_doc = answer.size ? yyjson_read(answer.data, answer.size, 0) : NULL;
        if (!*ret_doc) s = sdw_fail(err, SDW_FORMAT, "%s%s: the answer is no JSON; is it a worker?", sdw_remote_url(c->remote), path);
    }
    sdw_buf_finish(&answer);
    return s;
}

sdw_status sdw_cli_job_path(const char *id, const char *tail, char ret[128], sdw_error *err)
{
    sdw_job_id parsed;
    if (!sdw_job_id_parse(id, &parsed)) return sdw_fail(err, SDW_INVALID, "'%.60s' given, want a job's id as `sdw jobs` prints it", id);
    snprintf(ret, 128, "/v1/jobs/%s%s", parsed.text, tail);
    return SDW_OK;
}

void sdw_cli_print_job_heading(void)
{
    printf("%-40s  %-9s  %9s  %-16s  %s\n", "job", "status", "step", "kind", "prompt");
}

static const char *text(yyjson_val *v, const char *key)
{
    const char *t = yyjson_get_str(yyjson_obj_get(v, key));
    return t ? t : "";
}

/* A prompt on one line: control bytes would move the cursor of a terminal. */
static void put_prompt(const char *prompt)
{
    for (int n = 0; *prompt && n < 60; prompt++, n++) putchar((unsigned char)*prompt < 0x20 || *prompt == 0x7f ? ' ' : *prompt);
    putchar('\n');
}

void sdw_cli_print_job(yyjson_val *job)
{
    char steps[24] = "";
    int position = yyjson_get_int(yyjson_obj_get(job, "queue_position")), total = yyjson_get_int(yyjson_obj_get(job, "total"));
    if (position > 0) snprintf(steps, sizeof steps, "place %d", position);
    else if (total > 0) snprintf(steps, sizeof steps, "%d/%d", yyjson_get_int(yyjson_obj_get(job, "step")), total);
    printf("%-40s  %-9s  %9s  %-16s  ", text(job, "job_id"), text(job, "status"), steps, text(job, "kind"));
    const char *message = text(yyjson_obj_get(job, "error"), "message");
    put_prompt(*message ? message : text(yyjson_obj_get(job, "params"), "prompt"));
}

void sdw_cli_print_json(yyjson_val *v)
{
    char *json = yyjson_val_write(v, 0, NULL);
    if (json) puts(json);
    sdw_free(json); /* yyjson's allocator is the heap */
}

int sdw_cli_with_client(const sdw_cli_options *o, sdw_cli_work_fn *work)
{
    sdw_error err = { 0 };
    sdw_cli_client c = { 0 };
    sdw_cli_catch_signals();
    sdw_status s = sdw_cli_client_open(&c, o, &err);
    if (s == SDW_OK) s = work(&c, o, &err);
    sdw_cli_client_close(&c);
    if (s == SDW_OK) return SDW_EXIT_OK;
    if (s == SDW_CANCELLED && sdw_cli_signal()) return 128 + sdw_cli_signal();
    return sdw_cli_fail(&err);
}
