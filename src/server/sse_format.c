/* sse_format.c - see sse_format.h. Keys are in alphabetical order, LF only, one empty line after each event. */
#include "server/sse_format.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base64.h"
#include "core/json.h"
#include "server/json_out.h"

bool sdw_sse_is_end(sdw_event_kind kind)
{
    return kind >= SDW_EVENT_END_DONE;
}

bool sdw_sse_shows(sdw_sse_form form, sdw_event_kind kind)
{
    switch (kind) {
    case SDW_EVENT_PROGRESS:
    case SDW_EVENT_COMPLETE:
    case SDW_EVENT_ERROR: return true;
    case SDW_EVENT_PREVIEW:
    case SDW_EVENT_NARRATION: return form == SDW_SSE_G2;
    case SDW_EVENT_END_DONE:
    case SDW_EVENT_END_ERROR: return form != SDW_SSE_G0;
    case SDW_EVENT_END_CANCELLED:
    case SDW_EVENT_END_KEPT: return true;
    }
    return false;
}

void sdw_sse_percent(sdw_sse_form form, int step, int total, char ret[16])
{
    double percent = total > 0 ? 100.0 * step / total : 100.0;
    snprintf(ret, 16, form == SDW_SSE_G0 ? "%.1f" : "%.2f", percent);
    size_t n = strlen(ret);
    if (form != SDW_SSE_G0 && n > 1 && ret[n - 1] == '0') ret[n - 1] = '\0';
}

bool sdw_sse_form_parse(const char *word, sdw_sse_form *ret)
{
    if (!word || !*word || !strcmp(word, "g2")) *ret = SDW_SSE_G2;
    else if (!strcmp(word, "g1") || !strcmp(word, "legacy")) *ret = SDW_SSE_G1;
    else return false;
    return true;
}

uint64_t sdw_sse_last_id(const char *text)
{
    uint64_t n = 0;
    if (!text || !*text) return 0;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || n > (UINT64_MAX - 9) / 10) return 0;
        n = n * 10 + (uint64_t)(*text - '0');
    }
    return n;
}

/* ---- what is on its way ---- */

/* A text of base64 whose bytes are filled in when they are sent. */
static void picture(sdw_sse_pieces *p, sdw_blob *blob)
{
    sdw_json_text_n(&p->text, "", 0);
    if (p->text.failed || !blob || p->inserts >= SDW_SSE_PICTURES_MAX) {
        p->text.failed = true;
        return;
    }
    p->insert[p->inserts].at = p->text.size - 1; /* between the quotes */
    p->insert[p->inserts++].blob = sdw_blob_ref(blob);
}

bool sdw_sse_empty(const sdw_sse_pieces *p)
{
    return p->text_done == p->text.size && p->insert_done == p->inserts;
}

void sdw_sse_pieces_finish(sdw_sse_pieces *p)
{
    for (int i = 0; i < p->inserts; i++) sdw_blob_unref(p->insert[i].blob);
    sdw_buf_finish(&p->text);
    *p = (sdw_sse_pieces){ 0 };
}

/* The next part of a picture: whole groups of three bytes, so that the parts join without padding between them. */
static size_t take_picture(sdw_sse_pieces *p, size_t size, sdw_buf *out)
{
    size_t total;
    const unsigned char *bytes = sdw_blob_bytes(p->insert[p->insert_done].blob, &total);
    size_t n = size / 4 * 3 + 3, left = total - p->blob_done;
    if (n > left) n = left;
    sdw_base64_encode(bytes + p->blob_done, n, out);
    p->blob_done += n;
    if (p->blob_done == total) p->insert_done++, p->blob_done = 0;
    return (n + 2) / 3 * 4;
}

bool sdw_sse_take(sdw_sse_pieces *p, size_t size, sdw_buf *out)
{
    while (size > 0 && !sdw_sse_empty(p) && !out->failed) {
        bool more = p->insert_done < p->inserts;
        size_t to = more ? p->insert[p->insert_done].at : p->text.size, n = to - p->text_done;
        if (n == 0) {
            n = take_picture(p, size, out);
        } else {
            if (n > size) n = size;
            sdw_buf_append(out, p->text.data + p->text_done, n);
            p->text_done += n;
        }
        size -= n < size ? n : size;
    }
    if (sdw_sse_empty(p)) sdw_sse_pieces_finish(p);
    return !out->failed;
}

/* ---- pieces ---- */

static void progress(sdw_buf *out, sdw_sse_form form, const sdw_event *e)
{
    char percent[16];
    sdw_sse_percent(form, e->step, e->total, percent);
    if (form == SDW_SSE_G2)
        sdw_buf_printf(out, "event: progress\ndata: {\"percent\":%s,\"step\":%d,\"total\":%d,\"type\":\"progress\"}\n\n",
                       percent, e->step, e->total);
    else if (form == SDW_SSE_G1)
        sdw_buf_printf(out, "data: {\"event\":\"progress\",\"step\":%d,\"total\":%d}\n\n", e->step, e->total);
    else
        sdw_buf_printf(out, "event: progress\ndata: {\"step\":%d,\"total_steps\":%d,\"percent\":%s}\n\n", e->step, e->total,
                       percent);
}

static void preview(sdw_sse_pieces *p, const sdw_event *e)
{
    char percent[16];
    sdw_buf *out = &p->text;
    sdw_sse_percent(SDW_SSE_G2, e->step, e->total, percent);
    sdw_buf_puts(out, "event: preview\ndata: {\"format\":\"png\",\"image\":");
    picture(p, e->picture);
    sdw_buf_printf(out, ",\"percent\":%s,\"step\":%d,\"total\":%d,\"type\":\"preview\"}\n\n", percent, e->step, e->total);
}

/* The worker's object with the job's id where the alphabet wants it. */
static void narration(sdw_buf *out, const char *id, const sdw_event *e)
{
    size_t size;
    const char *text = sdw_blob_bytes(e->text, &size);
    yyjson_doc *doc = NULL;
    if (sdw_json_parse(text, size, "narration", &(sdw_json_limits){ .top = SDW_JSON_OBJECT }, &doc, NULL) != SDW_OK) return;
    sdw_buf_puts(out, "event: narration\ndata: ");
    sdw_json_open(out, '{');
    bool told = false;
    yyjson_obj_iter it = yyjson_obj_iter_with(yyjson_doc_get_root(doc));
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&it));) {
        const char *name = yyjson_get_str(key);
        yyjson_val *v = yyjson_obj_iter_get_val(key);
        if (!told && strcmp(name, "job_id") > 0) sdw_json_put_text(out, "job_id", id), told = true;
        sdw_json_key(out, name);
        if (yyjson_is_str(v)) sdw_json_text_n(out, yyjson_get_str(v), yyjson_get_len(v));
        else if (yyjson_is_uint(v)) sdw_json_uint(out, yyjson_get_uint(v));
        else sdw_json_null(out);
    }
    if (!told) sdw_json_put_text(out, "job_id", id);
    sdw_json_close(out, '}');
    sdw_buf_puts(out, "\n\n");
    yyjson_doc_free(doc);
}

static void images(sdw_sse_pieces *p, const sdw_sse_job *j)
{
    sdw_buf *out = &p->text;
    sdw_json_key(out, "images");
    sdw_json_open(out, '[');
    for (int i = 0; i < j->pictures; i++) picture(p, j->picture[i]);
    sdw_json_close(out, ']');
}

static void complete_g2(sdw_sse_pieces *p, const sdw_sse_job *j)
{
    sdw_buf *out = &p->text;
    sdw_buf_puts(out, "event: complete\ndata: ");
    sdw_json_open(out, '{');
    sdw_json_put_int(out, "elapsed_ms", llround(j->elapsed_ms));
    sdw_json_put_text(out, "format", j->format);
    sdw_json_put_int(out, "height", j->height);
    sdw_json_key(out, "image");
    picture(p, j->picture[0]);
    if (j->pictures > 1) images(p, j);
    sdw_json_put_text(out, "model", j->model);
    sdw_json_key(out, "seed");
    sdw_json_uint(out, j->seeds[0]);
    if (j->pictures > 1) {
        sdw_json_key(out, "seeds");
        sdw_json_open(out, '[');
        for (int i = 0; i < j->pictures; i++) sdw_json_uint(out, j->seeds[i]);
        sdw_json_close(out, ']');
    }
    sdw_json_put_text(out, "type", "complete");
    sdw_json_put_int(out, "width", j->width);
    sdw_json_close(out, '}');
    sdw_buf_puts(out, "\n\n");
}

static void complete(sdw_sse_pieces *p, sdw_sse_form form, const sdw_sse_job *j)
{
    sdw_buf *out = &p->text;
    if (form == SDW_SSE_G2) {
        complete_g2(p, j);
        return;
    }
    sdw_buf_puts(out, form == SDW_SSE_G1 ? "data: " : "event: complete\ndata: ");
    sdw_json_open(out, '{');
    if (form == SDW_SSE_G1) sdw_json_put_text(out, "event", "complete");
    sdw_json_key(out, form == SDW_SSE_G1 ? "image_base64" : "image");
    picture(p, j->picture[0]);
    if (form == SDW_SSE_G0) {
        sdw_json_key(out, "seed");
        sdw_json_uint(out, j->seeds[0]);
        sdw_json_put_int(out, "elapsed_ms", llround(j->elapsed_ms));
    }
    if (j->pictures > 1) images(p, j);
    sdw_json_close(out, '}');
    sdw_buf_puts(out, "\n\n");
}

static void error(sdw_buf *out, sdw_sse_form form, const char *code, const char *message)
{
    if (form != SDW_SSE_G1) sdw_buf_puts(out, "event: error\n");
    sdw_buf_puts(out, "data: ");
    sdw_json_open(out, '{');
    if (form == SDW_SSE_G1) sdw_json_put_text(out, "event", "error");
    else sdw_json_put_text(out, "code", code);
    sdw_json_put_text(out, "message", message);
    if (form == SDW_SSE_G2) sdw_json_put_text(out, "type", "error");
    sdw_json_close(out, '}');
    sdw_buf_puts(out, "\n\n");
}

/* "data: [ERROR] message" on one line. */
static void error_marker(sdw_buf *out, const char *message)
{
    sdw_buf_puts(out, "data: [ERROR] ");
    for (const char *c = message; *c; c++) sdw_buf_append(out, *c == '\r' || *c == '\n' ? " " : c, 1);
    sdw_buf_puts(out, "\n\n");
}

static void kept(sdw_buf *out, sdw_sse_form form, const char *id)
{
    char text[128];
    snprintf(text, sizeof text, "Worker is shutting down, job %s is kept", id);
    if (form == SDW_SSE_G0) error(out, form, "CANCELLED", text);
    else error_marker(out, text);
}

static void failed(sdw_buf *out, sdw_sse_form form, const sdw_event *e)
{
    size_t size = 0;
    char message[SDW_ERROR_TEXT_MAX];
    const char *text = e->text ? sdw_blob_bytes(e->text, &size) : "";
    snprintf(message, sizeof message, "%.*s", (int)(size < sizeof message ? size : sizeof message - 1), text);
    error(out, form, e->code, message);
}

static void end(sdw_buf *out, sdw_sse_form form, const sdw_sse_job *j, sdw_event_kind kind)
{
    if (form == SDW_SSE_G1) sdw_buf_puts(out, "data: [DONE]\n\n");
    else if (kind == SDW_EVENT_END_DONE) sdw_buf_puts(out, "data: [DONE]\n\n");
    else if (kind == SDW_EVENT_END_ERROR) error_marker(out, j->error_message ? j->error_message : "");
    else if (form == SDW_SSE_G2) sdw_buf_puts(out, "data: [CANCELLED]\n\n");
    else error(out, form, "CANCELLED", "Job was cancelled");
}

bool sdw_sse_append(sdw_sse_pieces *p, sdw_sse_form form, bool with_id, const sdw_sse_job *job, const sdw_event *e)
{
    sdw_buf *out = &p->text;
    if (!sdw_sse_shows(form, e->kind)) return !out->failed;
    if (e->kind == SDW_EVENT_COMPLETE && job->pictures < 1) return !out->failed; /* its result was deleted meanwhile */
    if (e->kind == SDW_EVENT_END_CANCELLED && form == SDW_SSE_G1) error(out, form, "CANCELLED", "Job was cancelled");
    if (with_id && form != SDW_SSE_G0 && e->number) sdw_buf_printf(out, "id: %" PRIu64 "\n", e->number);
    switch (e->kind) {
    case SDW_EVENT_PROGRESS: progress(out, form, e); break;
    case SDW_EVENT_PREVIEW: preview(p, e); break;
    case SDW_EVENT_NARRATION: narration(out, job->id, e); break;
    case SDW_EVENT_COMPLETE: complete(p, form, job); break;
    case SDW_EVENT_ERROR: failed(out, form, e); break;
    case SDW_EVENT_END_DONE:
    case SDW_EVENT_END_ERROR:
    case SDW_EVENT_END_CANCELLED: end(out, form, job, e->kind); break;
    case SDW_EVENT_END_KEPT: kept(out, form, job->id); break;
    }
    return !out->failed;
}
