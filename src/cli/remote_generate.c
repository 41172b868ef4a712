/* remote_generate.c - see remote_generate.h. */
#include "cli/remote_generate.h"

#include <stdio.h>
#include <string.h>
#include <yyjson.h>

#include "cli/remote_options.h"
#include "core/base64.h"
#include "core/clock.h"
#include "core/mem.h"
#include "image/image.h"
#include "sdw/fields.h"
#include "server/json_out.h"
#include "server/native_fields.h"

typedef struct work {
    sdw_remote *remote;
    sdw_cli_output *output;
    sdw_cli_events *events;
    char job[64];
    double started;
    bool complete;
    sdw_status status;       /* of what an event did */
    sdw_error *err;
} work;

/* ---- the request as the worker takes it ---- */

static bool put_picture(const char *key, const sdw_picture *p, sdw_buf *out)
{
    const sdw_image image = { p->width, p->height, p->channels, p->pixels };
    sdw_buf file;
    sdw_buf_init(&file, 0);
    bool ok = sdw_image_encode(&image, "png", NULL, &file, NULL) == SDW_OK;
    sdw_json_key(out, key);
    sdw_json_base64(out, file.data, file.size);
    sdw_buf_finish(&file);
    return ok;
}

static bool put_field(const sdw_native_field *f, const sdw_params *p, sdw_buf *out)
{
    const char *at = (const char *)p + f->row.offset, *name = f->row.name;
    if (!f->engine || !sdw_field_given(f->engine, p)) return true;
    switch (f->row.type) {
    case SDW_FIELD_TEXT:
    case SDW_FIELD_CHOICE: sdw_json_put_text(out, name, *(const char *const *)at); break;
    case SDW_FIELD_INT: sdw_json_put_int(out, name, *(const int *)at); break;
    case SDW_FIELD_SWITCH: sdw_json_put_bool(out, name, *(const int *)at != 0); break;
    case SDW_FIELD_REAL: sdw_json_put_real(out, name, *(const double *)at); break;
    case SDW_FIELD_SEED:
        sdw_json_key(out, name);
        sdw_json_uint(out, *(const uint64_t *)at);
        break;
    case SDW_FIELD_PICTURE: return put_picture(name, *(const sdw_picture *const *)at, out);
    }
    return true;
}

static sdw_status body_of(const sdw_cli_request *request, const char *format, sdw_buf *out, sdw_error *err)
{
    const sdw_params *p = &request->record.params;
    sdw_native_field f;
    bool ok = true;
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "operation", p->mask ? "image_inpaint" : p->init_image ? "image_transform" : "image_generation");
    for (size_t i = 0; sdw_native_field_at(i, &f); i++) ok = put_field(&f, p, out) && ok;
    sdw_json_put_text(out, "format", format);
    sdw_json_put_text(out, "preview", "none");
    sdw_json_close(out, '}');
    return ok && !out->failed ? SDW_OK : sdw_fail_memory(err, "request", out->size);
}

static sdw_status submit(work *w, const sdw_cli_request *request, char url[128], sdw_error *err)
{
    sdw_buf body, answer;
    sdw_buf_init(&body, 0);
    sdw_buf_init(&answer, (size_t)1 << 20);
    sdw_status s = body_of(request, sdw_cli_output_format(w->output), &body, err);
    if (s == SDW_OK) s = sdw_remote_call(w->remote, "POST", "/v1/jobs", body.data, body.size, &answer, err);
    if (s == SDW_OK) {
        yyjson_doc *doc = yyjson_read(answer.data, answer.size, 0);
        yyjson_val *root = yyjson_doc_get_root(doc);
        const char *id = yyjson_get_str(yyjson_obj_get(root, "job_id")), *path = yyjson_get_str(yyjson_obj_get(root, "sse_url"));
        if (id && path && path[0] == '/' && strlen(id) < sizeof w->job && strlen(path) < 128) {
            strncpy(w->job, id, sizeof w->job - 1);
            snprintf(url, 128, "%s", path);
        } else {
            s = sdw_fail(err, SDW_FORMAT, "%s: answered without job_id and sse_url; is it a worker?", sdw_remote_url(w->remote));
        }
        yyjson_doc_free(doc);
    }
    sdw_buf_finish(&body);
    sdw_buf_finish(&answer);
    return s;
}

/* ---- events ---- */

static void show_progress(work *w, yyjson_val *e)
{
    const sdw_progress p = { .phase = SDW_PHASE_STEP, .images = 1, .step = yyjson_get_int(yyjson_obj_get(e, "step")), .steps = yyjson_get_int(yyjson_obj_get(e, "total")),
                             .evals = yyjson_get_int(yyjson_obj_get(e, "step")), .seconds = sdw_clock_monotonic_s() - w->started };
    sdw_cli_events_progress(w->events, &p);
}

static sdw_status write_picture(work *w, yyjson_val *e, int index, yyjson_val *image, uint64_t seed)
{
    char path[PATH_MAX];
    sdw_buf bytes;
    sdw_buf_init(&bytes, 0);
    if (!yyjson_is_str(image)) return sdw_fail(w->err, SDW_FORMAT, "%s: the complete event has no picture %d", sdw_remote_url(w->remote), index + 1);
    sdw_status s = sdw_base64_decode(yyjson_get_str(image), yyjson_get_len(image), "picture", 0, &bytes, w->err);
    if (s == SDW_OK) s = sdw_cli_output_write_bytes(w->output, index, bytes.data, bytes.size, w->err);
    if (s == SDW_OK) s = sdw_cli_output_name(w->output, index, path, w->err);
    sdw_buf_finish(&bytes);
    if (s != SDW_OK) return s;
    const sdw_cli_picture_event event = { .path = path, .seed = seed, .index = index, .width = yyjson_get_int(yyjson_obj_get(e, "width")),
                                          .height = yyjson_get_int(yyjson_obj_get(e, "height")), .seconds = yyjson_get_num(yyjson_obj_get(e, "elapsed_ms")) / 1000 };
    sdw_cli_events_picture(w->events, &event);
    return SDW_OK;
}

/* The seed names the file, so only now can the name be checked where none was given. */
static sdw_status write_pictures(work *w, yyjson_val *e)
{
    yyjson_val *images = yyjson_obj_get(e, "images"), *seeds = yyjson_obj_get(e, "seeds");
    size_t count = images ? yyjson_arr_size(images) : 1;
    sdw_cli_events_end_bar(w->events);
    w->output->seed = yyjson_get_uint(yyjson_obj_get(e, "seed"));
    w->output->count = (int)count;
    sdw_status s = sdw_cli_output_check(w->output, w->err);
    for (size_t i = 0; i < count && s == SDW_OK; i++)
        s = write_picture(w, e, (int)i, images ? yyjson_arr_get(images, i) : yyjson_obj_get(e, "image"), seeds ? yyjson_get_uint(yyjson_arr_get(seeds, i)) : w->output->seed);
    w->complete = s == SDW_OK;
    return s;
}

static bool on_event(void *ctx, const char *event, const char *data, size_t size)
{
    work *w = ctx;
    if (!event[0]) {
        if (!strcmp(data, "[CANCELLED]")) w->status = sdw_fail(w->err, SDW_CANCELLED, "the job was cancelled");
        return true;
    }
    yyjson_doc *doc = yyjson_read(data, size, 0);
    yyjson_val *e = yyjson_doc_get_root(doc);
    const char *text = yyjson_get_str(yyjson_obj_get(e, "human")), *action = yyjson_get_str(yyjson_obj_get(e, "action"));
    if (!strcmp(event, "progress")) show_progress(w, e);
    else if (!strcmp(event, "complete")) w->status = write_pictures(w, e);
    else if (!strcmp(event, "narration") && text && action && !strcmp(action, "warning")) sdw_cli_events_warn(w->events, text);
    else if (!strcmp(event, "error")) {
        const char *message = yyjson_get_str(yyjson_obj_get(e, "message")), *code = yyjson_get_str(yyjson_obj_get(e, "code"));
        sdw_status s = code && !strcmp(code, "INVALID_REQUEST") ? SDW_INVALID : code && !strcmp(code, "VRAM_OOM") ? SDW_NO_MEMORY : SDW_IO;
        w->status = sdw_fail(w->err, s, "%s: %s", code ? code : "error", message ? message : "the job failed");
    }
    yyjson_doc_free(doc);
    return w->status == SDW_OK;
}

static void cancel(work *w)
{
    char path[128];
    sdw_buf answer;
    sdw_buf_init(&answer, (size_t)1 << 20);
    snprintf(path, sizeof path, "/v1/jobs/%s", w->job);
    sdw_remote_no_cancel(w->remote); /* the signal has done its work */
    sdw_remote_call(w->remote, "DELETE", path, NULL, 0, &answer, NULL); /* it may have ended by itself */
    sdw_buf_finish(&answer);
}

sdw_status sdw_cli_remote_generate(const sdw_cli_options *o, const sdw_cli_request *request, sdw_cli_output *output, sdw_cli_events *events, sdw_error *err)
{
    sdw_buf key;
    char url[128];
    work w = { .output = output, .events = events, .err = err, .started = sdw_clock_monotonic_s() };
    sdw_status s = sdw_cli_remote_open(o, &key, &w.remote, err);
    if (s == SDW_OK) s = submit(&w, request, url, err);
    if (s == SDW_OK) s = sdw_remote_follow(w.remote, url, true, on_event, &w, err);
    sdw_cli_events_end_bar(events);
    if (s == SDW_CANCELLED && w.job[0]) cancel(&w);
    if (s == SDW_OK) s = w.status;
    if (s == SDW_OK && !w.complete) s = sdw_fail(err, SDW_IO, "%s: the job ended without a picture", sdw_remote_url(w.remote));
    sdw_remote_close(w.remote);
    sdw_buf_finish(&key);
    return s;
}
