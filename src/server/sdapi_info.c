/* sdapi_info.c - see sdapi_info.h. The resolved request comes from the job, the infotexts from the pictures themselves. */
#include "server/sdapi_info.h"

#include <string.h>
#include <time.h>
#include <yyjson.h>

#include "core/mem.h"
#include "image/image.h"
#include "sdw/fields.h"
#include "sdw/sdw.h"
#include "server/job_wait.h"
#include "server/json_out.h"

/* "20261125183000", local time as upstream. */
static void put_timestamp(double at, sdw_buf *out)
{
    time_t seconds = (time_t)at;
    struct tm tm;
    char text[32] = "";
    if (localtime_r(&seconds, &tm)) strftime(text, sizeof text, "%Y%m%d%H%M%S", &tm);
    sdw_json_put_text(out, "job_timestamp", text);
}

/* The name under which the other program knows a sampler. */
static const char *label_of(const char *field, const char *name)
{
    const sdw_field *f = sdw_field_find(field);
    sdw_choice c;
    for (size_t i = 0; name && sdw_field_choice(f, i, &c); i++)
        if (!strcmp(c.name, name)) return c.label ? c.label : c.name;
    return name;
}

static void put_repeated(const char *key, const char *text, int n, sdw_buf *out)
{
    sdw_json_key(out, key);
    sdw_json_open(out, '[');
    for (int i = 0; i < n; i++) sdw_json_text(out, text);
    sdw_json_close(out, ']');
}

static void put_seeds(const char *key, const sdw_job_view *v, bool zero, sdw_buf *out)
{
    sdw_json_key(out, key);
    sdw_json_open(out, '[');
    for (int i = 0; i < v->output_count; i++) sdw_json_uint(out, zero ? 0 : v->outputs[i].seed);
    sdw_json_close(out, ']');
}

static void put_infotexts(sdw_worker *w, const sdw_job_view *v, sdw_buf *out)
{
    sdw_json_key(out, "infotexts");
    sdw_json_open(out, '[');
    for (int i = 0; i < v->output_count; i++) {
        sdw_blob *picture = NULL;
        char *text = NULL;
        size_t size = 0;
        const void *bytes = sdw_worker_picture(w, &v->id, i, &picture, NULL) == SDW_OK ? sdw_blob_bytes(picture, &size) : NULL;
        if (bytes) sdw_image_read_text(bytes, size, "picture", SDW_TEXT_PARAMETERS, &text, NULL);
        sdw_json_text(out, text ? text : "");
        sdw_free(text);
        sdw_blob_unref(picture);
    }
    sdw_json_close(out, ']');
}

static void write_info(sdw_worker *w, const sdw_sdapi_facts *f, const sdw_job_view *v, const char *model_hash, yyjson_val *p, sdw_buf *out)
{
    const char *prompt = yyjson_get_str(yyjson_obj_get(p, "prompt")), *negative = yyjson_get_str(yyjson_obj_get(p, "negative_prompt"));
    int n = v->output_count;
    sdw_json_open(out, '{');
    sdw_json_put_text(out, "prompt", prompt ? prompt : "");
    put_repeated("all_prompts", prompt ? prompt : "", n, out);
    sdw_json_put_text(out, "negative_prompt", negative ? negative : "");
    put_repeated("all_negative_prompts", negative ? negative : "", n, out);
    sdw_json_key(out, "seed");
    sdw_json_uint(out, n ? v->outputs[0].seed : v->seed);
    put_seeds("all_seeds", v, false, out);
    sdw_json_put_int(out, "subseed", 0);
    put_seeds("all_subseeds", v, true, out);
    sdw_json_put_int(out, "subseed_strength", 0);
    sdw_json_put_int(out, "width", n ? v->outputs[0].width : 0);
    sdw_json_put_int(out, "height", n ? v->outputs[0].height : 0);
    sdw_json_put_text(out, "sampler_name", label_of("sampler", yyjson_get_str(yyjson_obj_get(p, "sampler"))));
    sdw_json_put_real(out, "cfg_scale", yyjson_get_num(yyjson_obj_get(p, "guidance")));
    sdw_json_put_int(out, "steps", yyjson_get_int(yyjson_obj_get(p, "steps")));
    sdw_json_put_int(out, "batch_size", f->batch_size);
    sdw_json_put_bool(out, "restore_faces", false);
    sdw_json_put_text(out, "face_restoration_model", NULL);
    sdw_json_put_text(out, "sd_model_name", v->model);
    sdw_json_key(out, "sd_model_hash");
    if (model_hash) sdw_json_text_n(out, model_hash, 10);
    else sdw_json_null(out);
    sdw_json_put_text(out, "sd_vae_name", NULL);
    sdw_json_put_text(out, "sd_vae_hash", NULL);
    sdw_json_put_int(out, "seed_resize_from_w", -1);
    sdw_json_put_int(out, "seed_resize_from_h", -1);
    sdw_json_key(out, "denoising_strength");
    if (f->image_call) sdw_json_real(out, yyjson_get_num(yyjson_obj_get(p, "strength")));
    else sdw_json_null(out);
    sdw_json_key(out, "extra_generation_params");
    sdw_json_raw(out, "{}");
    sdw_json_put_int(out, "index_of_first_image", 0);
    put_infotexts(w, v, out);
    sdw_json_key(out, "styles");
    sdw_json_raw(out, "[]");
    put_timestamp(v->created_at, out);
    sdw_json_put_int(out, "clip_skip", yyjson_get_int(yyjson_obj_get(p, "clip_skip")) + 1);
    sdw_json_put_bool(out, "is_using_inpainting_conditioning", false);
    sdw_json_put_text(out, "version", "sd-worker " SDW_VERSION);
    sdw_json_close(out, '}');
}

bool sdw_sdapi_write_answer(sdw_worker *w, const sdw_sdapi_facts *f, const sdw_job_view *v, const char *model_hash, sdw_buf *out)
{
    bool ok = true;
    sdw_buf info;
    yyjson_doc *doc = v->params_json ? yyjson_read(v->params_json, strlen(v->params_json), 0) : NULL;
    sdw_buf_init(&info, 0);
    write_info(w, f, v, model_hash, yyjson_doc_get_root(doc), &info);
    yyjson_doc_free(doc);
    sdw_json_open(out, '{');
    sdw_json_key(out, "images");
    sdw_json_open(out, '[');
    for (int i = 0; ok && f->send_images && i < v->output_count; i++) ok = sdw_write_picture(w, &v->id, i, out);
    sdw_json_close(out, ']');
    sdw_json_key(out, "parameters");
    sdw_json_raw(out, f->echo);
    sdw_json_key(out, "info");
    sdw_json_text_n(out, info.data ? info.data : "", info.size);
    sdw_json_close(out, '}');
    ok = ok && !info.failed;
    sdw_buf_finish(&info);
    return ok;
}
