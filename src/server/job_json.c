/* job_json.c - see job_json.h. */
#include "server/job_json.h"

#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/uuid.h"
#include "server/json_out.h"
#include "server/sse_format.h"

const char *sdw_job_kind_name(sdw_job_kind kind)
{
    static const char *const names[] = { "image_generation", "image_transform", "image_inpaint" };
    return names[kind];
}

void sdw_job_sse_url(const sdw_job_id *id, char ret[SDW_SSE_URL_SIZE])
{
    snprintf(ret, SDW_SSE_URL_SIZE, "/v1/jobs/%s/stream", id->text);
}

static void put_time(sdw_buf *out, const char *key, double at)
{
    char text[SDW_RFC3339_SIZE];
    sdw_json_key(out, key);
    if (at <= 0) {
        sdw_json_null(out);
        return;
    }
    int64_t seconds = (int64_t)at;
    sdw_rfc3339(seconds * SDW_SECOND_NS + (int64_t)((at - (double)seconds) * 1e9), SDW_ZONE_Z, text);
    sdw_json_text(out, text);
}

static void put_outputs(sdw_buf *out, const sdw_job_view *v)
{
    sdw_json_key(out, "outputs");
    sdw_json_open(out, '[');
    for (int i = 0; i < v->output_count; i++) {
        const sdw_job_output *o = &v->outputs[i];
        sdw_json_open(out, '{');
        sdw_json_put_text(out, "id", o->id.text);
        char url[SDW_OUTPUT_ID_SIZE + 16];
        snprintf(url, sizeof url, "/v1/outputs/%s", o->id.text);
        sdw_json_put_text(out, "url", url);
        sdw_json_put_text(out, "format", v->format);
        sdw_json_put_int(out, "width", o->width);
        sdw_json_put_int(out, "height", o->height);
        sdw_json_key(out, "seed");
        sdw_json_uint(out, o->seed);
        sdw_json_close(out, '}');
    }
    sdw_json_close(out, ']');
}

static void put_error(sdw_buf *out, const sdw_job_view *v)
{
    if (v->status != SDW_JOB_FAILED) return;
    sdw_json_key(out, "error");
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "code", v->error.code);
    sdw_json_put_text(out, "message", v->error.message);
    sdw_json_close(out, '}');
}

void sdw_job_write(const sdw_job_view *v, bool with_params, sdw_buf *out)
{
    char url[SDW_SSE_URL_SIZE], percent[16];
    sdw_job_sse_url(&v->id, url);
    if (v->total > 0) sdw_sse_percent(SDW_SSE_G2, v->step, v->total, percent);
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "job_id", v->id.text);
    sdw_json_put_text(out, "sse_url", url);
    sdw_json_put_text(out, "kind", sdw_job_kind_name(v->kind));
    sdw_json_put_text(out, "status", sdw_job_status_name(v->status));
    sdw_json_put_text(out, "face", v->face);
    if (v->model) sdw_json_put_text(out, "model", v->model);
    put_time(out, "created_at", v->created_at);
    put_time(out, "started_at", v->started_at);
    put_time(out, "finished_at", v->finished_at);
    if (v->status == SDW_JOB_QUEUED) sdw_json_put_int(out, "queue_position", v->queue_position);
    sdw_json_put_int(out, "step", v->step);
    sdw_json_put_int(out, "total", v->total);
    sdw_json_key(out, "percent");
    sdw_json_raw(out, v->total > 0 ? percent : "0.0");
    put_outputs(out, v);
    put_error(out, v);
    if (with_params && v->params_json) sdw_json_key(out, "params"), sdw_json_raw(out, v->params_json);
    sdw_json_close(out, '}');
}

void sdw_job_write_reply(const sdw_job_id *id, bool cancelled, sdw_buf *out)
{
    char url[SDW_SSE_URL_SIZE];
    sdw_job_sse_url(id, url);
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "job_id", id->text);
    sdw_json_put_text(out, "sse_url", url);
    if (cancelled) sdw_json_put_text(out, "status", "cancelled");
    sdw_json_close(out, '}');
}

bool sdw_job_id_parse(const char *text, sdw_job_id *ret)
{
    if (strncmp(text, "job-", 4) != 0 || !sdw_is_uuid_v4(text + 4)) return false;
    snprintf(ret->text, sizeof ret->text, "%s", text);
    return true;
}

bool sdw_output_id_parse(const char *text, sdw_output_id *ret)
{
    size_t n = strcspn(text, ".");
    if (n != SDW_OUTPUT_ID_SIZE - 1 || strchr(text, '/')) return false;
    memcpy(ret->text, text, n);
    ret->text[n] = '\0';
    return sdw_is_hex128(ret->text);
}

bool sdw_job_status_parse(const char *word, unsigned *ret_bit)
{
    for (unsigned i = SDW_JOB_QUEUED; i <= SDW_JOB_WAS_CANCELLED; i++) {
        if (strcmp(word, sdw_job_status_name((sdw_job_status)i)) != 0) continue;
        *ret_bit = 1u << i;
        return true;
    }
    return false;
}
