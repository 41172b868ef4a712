/* openai_answer.c - the answer of a call that is not streamed, and errors. */
#include "server/openai_answer.h"

#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "server/answer.h"
#include "server/json_out.h"

/* ---- errors ---- */

static const char *type_of(int status)
{
    switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 429: return "rate_limit_error";
    default: return status >= 500 ? "server_error" : "invalid_request_error";
    }
}

void sdw_openai_error(sdw_http_response *ret, int status, const char *code, const char *param, const char *message)
{
    sdw_http_response_finish(ret);
    sdw_buf *out = sdw_answer_json(ret, status);
    sdw_json_open(out, '{');
    sdw_json_key(out, "error");
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "message", message);
    sdw_json_put_text(out, "type", type_of(status));
    sdw_json_put_text(out, "param", param);
    sdw_json_put_text(out, "code", code);
    sdw_json_close(out, '}');
    sdw_json_close(out, '}');
    if (status == 429 || status == 503) sdw_http_add_header(ret, "retry-after", "5", NULL);
    sdw_answer_check(ret);
}

void sdw_openai_job_failed(sdw_http_response *ret, const sdw_job_view *v)
{
    bool cancelled = v->status == SDW_JOB_WAS_CANCELLED;
    sdw_openai_error(ret, cancelled ? 500 : sdw_job_error_status(v->error.code), cancelled ? "cancelled" : v->error.code, NULL,
                     cancelled ? "The job was cancelled" : v->error.message);
    sdw_http_add_header(ret, "x-should-retry", "false", NULL);
}

/* ---- what answers repeat ---- */

void sdw_openai_put_common(const sdw_openai_facts *f, int width, int height, sdw_buf *out)
{
    char size[24];
    snprintf(size, sizeof size, "%dx%d", width, height);
    sdw_json_put_text(out, "background", "opaque");
    sdw_json_put_text(out, "output_format", f->output_format);
    sdw_json_put_text(out, "quality", f->quality);
    sdw_json_put_text(out, "size", size);
}

void sdw_openai_put_usage(sdw_buf *out)
{
    sdw_json_key(out, "usage");
    sdw_json_raw(out, "{\"input_tokens\":0,\"input_tokens_details\":{\"image_tokens\":0,\"text_tokens\":0},"
                      "\"output_tokens\":0,\"total_tokens\":0}");
}

/* ---- the answer ---- */

static bool put_datum(const sdw_openai_facts *f, sdw_worker *w, const sdw_job_view *v, int i, sdw_buf *out)
{
    sdw_json_open(out, '{');
    if (f->url) {
        char url[400];
        snprintf(url, sizeof url, "%s/v1/outputs/%s.%s", f->base_url, v->outputs[i].id.text, f->output_format);
        sdw_json_put_text(out, "url", url);
    } else {
        sdw_json_key(out, "b64_json");
        if (!sdw_write_picture(w, &v->id, i, out)) return false;
    }
    sdw_json_key(out, "seed");
    sdw_json_uint(out, v->outputs[i].seed);
    sdw_json_close(out, '}');
    return true;
}

static void answer(void *ctx, const sdw_waiter *w, const sdw_job_view *views, sdw_http_response *ret)
{
    const sdw_openai_facts *f = ctx;
    for (int j = 0; j < w->count; j++) {
        if (views[j].status == SDW_JOB_COMPLETED) continue;
        sdw_openai_job_failed(ret, &views[j]);
        return;
    }
    sdw_buf *out = sdw_answer_json(ret, 200);
    bool ok = true;
    sdw_json_open(out, '{');
    sdw_json_put_int(out, "created", (int64_t)sdw_clock_wall_s());
    sdw_json_key(out, "data");
    sdw_json_open(out, '[');
    for (int j = 0; j < w->count; j++)
        for (int i = 0; ok && i < views[j].output_count; i++) ok = put_datum(f, sdw_server_worker(w->server), &views[j], i, out);
    sdw_json_close(out, ']');
    sdw_openai_put_common(f, views[0].outputs[0].width, views[0].outputs[0].height, out);
    sdw_openai_put_usage(out);
    sdw_json_close(out, '}');
    if (!ok) sdw_openai_error(ret, 500, NULL, NULL, "A picture was forgotten before it could be sent");
    sdw_answer_check(ret);
}

void sdw_openai_wait(const sdw_http_request *r, const sdw_openai_facts *facts, sdw_http_response *ret)
{
    sdw_waiter w = { .server = r->server, .count = facts->job_count, .answer = answer, .free_ctx = sdw_free };
    memcpy(w.jobs, facts->jobs, sizeof w.jobs);
    sdw_openai_facts *own = w.ctx = sdw_malloc(sizeof *own);
    if (!own) {
        for (int i = 0; i < facts->job_count; i++) sdw_worker_cancel(sdw_server_worker(r->server), &facts->jobs[i], NULL);
        sdw_openai_error(ret, 503, NULL, NULL, "No memory to wait for the job");
        return;
    }
    *own = *facts;
    sdw_wait_for_jobs(&w, SDW_FACE_OPENAI, ret);
}
