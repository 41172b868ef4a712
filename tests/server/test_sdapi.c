/* The AUTOMATIC1111 face over the fake executor: what its clients send, what they read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base64.h"
#include "fake/fake.h"
#include "image/image.h"
#include "server/face_bed.h"
#include "server/infotext_parse.h"
#include "server/sdapi_request.h"

static int setup(void **state)
{
    (void)state;
    face_open(NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    face_close();
    return 0;
}

static yyjson_val *root(yyjson_doc *doc) { return yyjson_doc_get_root(doc); }
static const char *text(yyjson_val *o, const char *key) { return yyjson_get_str(yyjson_obj_get(o, key)); }

static void an_answer_has_bare_pictures_an_echo_and_info_as_text(void **state)
{
    (void)state;
    int status;
    yyjson_doc *doc = face_json("POST", "/sdapi/v1/txt2img", "{\"prompt\":\"a cat\",\"negative_prompt\":\"dog\",\"seed\":7,\"steps\":2,\"width\":64,\"height\":64,"
                                "\"batch_size\":2,\"n_iter\":2,\"sampler_name\":\"DPM++ 2M Karras\",\"save_images\":true,\"eta\":1,\"s_tmax\":0,\"styles\":[],"
                                "\"alwayson_scripts\":{\"ControlNet\":{\"args\":[]}},\"hr_additional_modules\":[]}", &status);
    assert_int_equal(status, 200);
    yyjson_val *images = yyjson_obj_get(root(doc), "images"), *echo = yyjson_obj_get(root(doc), "parameters");
    assert_int_equal(yyjson_arr_size(images), 4);
    assert_true(strncmp(yyjson_get_str(yyjson_arr_get(images, 0)), "iVBORw0KGgo", 11) == 0);
    assert_string_equal(text(echo, "prompt"), "a cat");
    assert_int_equal(yyjson_get_int(yyjson_obj_get(echo, "batch_size")), 2);
    assert_true(yyjson_get_num(yyjson_obj_get(echo, "cfg_scale")) == 7.0);
    assert_true(yyjson_is_null(yyjson_obj_get(echo, "subseed_strength")) == false);
    const char *info_text = text(root(doc), "info");
    assert_non_null(info_text);
    yyjson_doc *info = yyjson_read(info_text, strlen(info_text), 0);
    assert_non_null(info);
    yyjson_val *i = root(info), *seeds = yyjson_obj_get(i, "all_seeds");
    assert_int_equal(yyjson_get_uint(yyjson_obj_get(i, "seed")), 7);
    assert_int_equal(yyjson_arr_size(seeds), 4);
    assert_int_equal(yyjson_get_uint(yyjson_arr_get(seeds, 3)), 10);
    assert_string_equal(text(i, "sampler_name"), "DPM++ 2M");
    assert_int_equal(yyjson_get_int(yyjson_obj_get(i, "index_of_first_image")), 0);
    const char *infotext = yyjson_get_str(yyjson_arr_get(yyjson_obj_get(i, "infotexts"), 0));
    if (!strstr(infotext, "Sampler: DPM++ 2M") || !strstr(infotext, "Schedule type: Karras") || !strstr(infotext, "Seed: 7")) fail_msg("%s", infotext);
    assert_int_equal(strlen(text(i, "job_timestamp")), 14);
    yyjson_doc_free(info);
    yyjson_doc_free(doc);
}

static void a_drawn_seed_has_32_bits(void **state)
{
    (void)state;
    int status;
    uint64_t seed[4];
    for (int i = 0; i < 4; i++) {
        yyjson_doc *doc = face_json("POST", "/sdapi/v1/txt2img", i % 2 ? "{\"steps\":1,\"width\":64,\"height\":64}" : "{\"steps\":1,\"width\":64,\"height\":64,\"seed\":-1}", &status);
        assert_int_equal(status, 200);
        const char *info = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "info"));
        yyjson_doc *inner = yyjson_read(info, strlen(info), 0);
        seed[i] = yyjson_get_uint(yyjson_obj_get(yyjson_doc_get_root(inner), "seed"));
        assert_true(seed[i] <= 4294967293u);
        yyjson_doc_free(inner);
        yyjson_doc_free(doc);
    }
    assert_false(seed[0] == seed[1] && seed[1] == seed[2] && seed[2] == seed[3]);
}

static void null_is_absent_for_every_key(void **state)
{
    (void)state;
    int status;
    for (const sdw_sdapi_parameter *p = sdw_sdapi_parameters; p->name; p++) {
        char body[256];
        if (!p->text_call || !strcmp(p->name, "steps") || !strcmp(p->name, "width") || !strcmp(p->name, "height")) continue;
        snprintf(body, sizeof body, "{\"steps\":1,\"width\":64,\"height\":64,\"%s\":null}", p->name);
        yyjson_doc *doc = face_json("POST", "/sdapi/v1/txt2img", body, &status);
        if (status != 200) fail_msg("%s: null gives %d", p->name, status);
        yyjson_doc_free(doc);
        snprintf(body, sizeof body, "{\"steps\":1,\"width\":64,\"height\":64,\"%s\":%s}", p->name, p->standard);
        doc = face_json("POST", "/sdapi/v1/txt2img", body, &status);
        if (status != 200) fail_msg("%s: its default %s gives %d", p->name, p->standard, status);
        yyjson_doc_free(doc);
    }
}

static void what_cannot_be_done_is_refused(void **state)
{
    (void)state;
    static const struct { const char *body; int status; const char *words; } cases[] = {
        { "{\"steps\":151}", 422, "steps" }, { "{\"steps\":\"20\"}", 422, "steps" }, { "{\"width\":65}", 422, "multiple of 8" },
        { "{\"width\":4096}", 422, "width" }, { "{\"batch_size\":9}", 422, "batch_size" }, { "{\"batch_size\":8,\"n_iter\":5}", 422, "at most 32" },
        { "{\"sampler_name\":\"Nope\"}", 400, "Sampler not found" }, { "{\"scheduler\":\"Nope\"}", 400, "Scheduler not found" },
        { "{\"enable_hr\":true}", 422, "enable_hr" }, { "{\"restore_faces\":true}", 422, "restore_faces" }, { "{\"tiling\":true}", 422, "tiling" },
        { "{\"subseed_strength\":0.5}", 422, "subseed_strength" }, { "{\"styles\":[\"a\"]}", 422, "styles" },
        { "{\"script_name\":\"x/y/z plot\"}", 422, "Script" }, { "{\"alwayson_scripts\":{\"ADetailer\":{\"args\":[true]}}}", 422, "always on script ADetailer not found" },
        { "{\"prompt\":\"x <lora:a:1>\"}", 422, "LoRA" }, { "{\"override_settings\":{\"sd_model_checkpoint\":\"other\"}}", 404, "Checkpoint not found" },
        { "{\"override_settings\":{\"samples_format\":\"gif\"}}", 422, "samples_format" }, { "{\"seed\":-2}", 422, "seed" }, { "[]", 422, "object" }, { "{", 422, "body" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        reply r = { 0 };
        ask_for(face_port(), "POST", "/sdapi/v1/txt2img", "Content-Type: application/json\r\n", cases[i].body, &r);
        if (r.status != cases[i].status || !strstr(r.body, cases[i].words) || strncmp(r.body, "{\"detail\":", 10)) fail_msg("%s: %d %s", cases[i].body, r.status, r.body);
        reply_finish(&r);
    }
    assert_int_equal(fake_counted().evaluations, 0);
}

static char *picture_text(int alpha, bool hole)
{
    sdw_buf png, out;
    sdw_buf_init(&png, 0);
    sdw_buf_init(&out, 0);
    face_png(64, 72, alpha, hole, &png);
    sdw_base64_encode(png.data, png.size, &out);
    sdw_buf_finish(&png);
    return sdw_buf_take(&out, NULL);
}

static void img2img_takes_data_urls_and_masks(void **state)
{
    (void)state;
    int status;
    char *plain = picture_text(-1, false), *hole = picture_text(255, true);
    const struct { const char *mask; sdw_job_kind kind; } cases[] = { { NULL, SDW_JOB_TRANSFORM }, { plain, SDW_JOB_INPAINT }, { hole, SDW_JOB_INPAINT } };
    for (size_t i = 0; i < 3; i++) {
        sdw_buf body;
        sdw_job_id id;
        sdw_job_view v;
        sdw_buf_init(&body, 0);
        sdw_buf_printf(&body, "{\"init_images\":[\"data:image/png;base64,%s\"],\"width\":64,\"height\":72,\"steps\":4,\"denoising_strength\":0.5,\"inpaint_full_res\":false", plain);
        if (cases[i].mask) sdw_buf_printf(&body, ",\"mask\":\"%s\"", cases[i].mask);
        sdw_buf_puts(&body, "}");
        yyjson_doc *doc = face_json("POST", "/sdapi/v1/img2img", body.data, &status);
        if (status != 200) fail_msg("case %zu: %d", i, status);
        assert_true(yyjson_is_null(yyjson_obj_get(yyjson_obj_get(root(doc), "parameters"), "init_images")));
        assert_int_equal(sdw_worker_jobs(face_worker(), 0, NULL, &id, 1), 1);
        assert_int_equal(sdw_worker_job(face_worker(), &id, &v, NULL), SDW_OK);
        assert_int_equal(v.kind, cases[i].kind);
        sdw_job_view_finish(&v);
        yyjson_doc_free(doc);
        sdw_buf_finish(&body);
    }
    static const struct { const char *body; int status; } bad[] = {
        { "{}", 404 }, { "{\"init_images\":null}", 404 }, { "{\"init_images\":[\"!!\"]}", 400 }, { "{\"init_images\":[\"http://127.0.0.1/a.png\"]}", 400 },
        { "{\"init_images\":[\"a\",\"b\"]}", 422 }, { "{\"init_images\":[\"a\"],\"resize_mode\":3}", 422 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        yyjson_doc *doc = face_json("POST", "/sdapi/v1/img2img", bad[i].body, &status);
        if (status != bad[i].status) fail_msg("%s: %d", bad[i].body, status);
        assert_non_null(yyjson_obj_get(root(doc), "detail"));
        yyjson_doc_free(doc);
    }
    free(plain);
    free(hole);
}

/* ---- progress and interrupt, while a request is held ---- */

typedef struct caller { pthread_t thread; reply r; const char *body; } caller;

static void *call(void *ctx)
{
    caller *c = ctx;
    ask_for(face_port(), "POST", "/sdapi/v1/txt2img", "Content-Type: application/json\r\n", c->body, &c->r);
    return NULL;
}

static double progress(const char *query, int *ret_jobs, bool *ret_picture)
{
    int status;
    char target[96];
    snprintf(target, sizeof target, "/sdapi/v1/progress%s", query);
    yyjson_doc *doc = face_json("GET", target, NULL, &status);
    assert_int_equal(status, 200);
    double p = yyjson_get_num(yyjson_obj_get(root(doc), "progress"));
    *ret_jobs = yyjson_get_int(yyjson_obj_get(yyjson_obj_get(root(doc), "state"), "job_count"));
    *ret_picture = yyjson_is_str(yyjson_obj_get(root(doc), "current_image"));
    yyjson_doc_free(doc);
    return p;
}

static void progress_rises_and_returns_to_nothing_and_interrupt_answers_with_what_there_is(void **state)
{
    (void)state;
    int jobs, status;
    bool picture;
    caller c = { .body = "{\"prompt\":\"hold-at=5\",\"steps\":10,\"width\":64,\"height\":64,\"force_task_id\":\"task-1\",\"cfg_scale\":1}" };
    assert_true(progress("", &jobs, &picture) == 0 && jobs == 0 && !picture);
    pthread_create(&c.thread, NULL, call, &c);
    assert_true(fake_wait_held());
    double p = progress("", &jobs, &picture);
    if (!(p > 0.4 && p < 0.45) || jobs != 1) fail_msg("progress %g, %d jobs", p, jobs);
    for (int i = 0; i < 5000 && !picture; i++) progress("", &jobs, &picture); /* it is made beside the steps */
    assert_true(picture);
    progress("?skip_current_image=true", &jobs, &picture);
    assert_false(picture);
    progress("?skipCurrentImage=true", &jobs, &picture);
    assert_false(picture);
    assert_true(progress("?id_task=other", &jobs, &picture) == 0 && jobs == 0);
    assert_true(progress("?id_task=task-1", &jobs, &picture) > 0.4);
    yyjson_doc *doc = face_json("POST", "/sdapi/v1/interrupt", "", &status);
    assert_int_equal(status, 200);
    yyjson_doc_free(doc);
    fake_release();
    pthread_join(c.thread, NULL);
    assert_int_equal(c.r.status, 200);
    assert_non_null(strstr(c.r.body, "\"images\":[\"iVBOR"));
    reply_finish(&c.r);
    assert_true(fake_counted().evaluations < 10);
    assert_true(progress("", &jobs, &picture) == 0 && jobs == 0);
}

static void jobs_of_other_faces_are_left_alone(void **state)
{
    (void)state;
    int status, jobs;
    bool picture;
    yyjson_doc *doc = face_json("POST", "/v1/jobs", "{\"prompt\":\"hold-at=2\",\"steps\":3,\"width\":64,\"height\":64}", &status);
    yyjson_doc_free(doc);
    assert_int_equal(status, 200);
    assert_true(fake_wait_held());
    assert_true(progress("", &jobs, &picture) == 0 && jobs == 0);
    doc = face_json("POST", "/sdapi/v1/interrupt", "", &status);
    yyjson_doc_free(doc);
    fake_release();
    assert_true(face_wait_ended(1));
    assert_int_equal(fake_counted().evaluations, 3);
}

static void options_come_back_whole_and_are_applied(void **state)
{
    (void)state;
    int status;
    reply r = { 0 };
    ask_for(face_port(), "GET", "/sdapi/v1/options", "", NULL, &r);
    assert_int_equal(r.status, 200);
    assert_null(strstr(r.body, "forge"));
    char *whole = strdup(r.body);
    reply_finish(&r);
    ask_for(face_port(), "POST", "/sdapi/v1/options", "Content-Type: application/json\r\n", whole, &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body, "null");
    reply_finish(&r);
    free(whole);
    yyjson_doc *doc = face_json("POST", "/sdapi/v1/options", "{\"sd_model_checkpoint\":\"nowhere\"}", &status);
    assert_int_equal(status, 404);
    yyjson_doc_free(doc);
    doc = face_json("POST", "/sdapi/v1/options", "{\"sd_model_checkpoint\":\"fake-model [0123456789]\",\"unknown\":1,\"show_progress_every_n_steps\":1}", &status);
    assert_int_equal(status, 200);
    yyjson_doc_free(doc);
}

static void every_list_answers(void **state)
{
    (void)state;
    static const char *const lists[] = { "samplers", "schedulers", "sd-models", "upscalers", "latent-upscale-modes", "sd-vae", "sd-modules", "loras", "hypernetworks",
                                         "face-restorers", "realesrgan-models", "prompt-styles", "embeddings", "scripts", "script-info", "extensions", "cmd-flags", "memory" };
    int status;
    char target[64];
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        snprintf(target, sizeof target, "/sdapi/v1/%s", lists[i]);
        yyjson_doc *doc = face_json("GET", target, NULL, &status);
        if (status != 200 || !doc) fail_msg("%s: %d", target, status);
        yyjson_doc_free(doc);
    }
    yyjson_doc *doc = face_json("GET", "/sdapi/v1/samplers", NULL, &status);
    assert_true(yyjson_arr_size(root(doc)) >= 15);
    yyjson_doc_free(doc);
    doc = face_json("GET", "/sdapi/v1/nonsense", NULL, &status);
    assert_int_equal(status, 404);
    assert_string_equal(text(root(doc), "detail"), "Not Found");
    yyjson_doc_free(doc);
}

static void pictures_tell_what_they_were_made_from(void **state)
{
    (void)state;
    int status;
    yyjson_doc *doc = face_json("POST", "/sdapi/v1/txt2img", "{\"prompt\":\"caf\\u00e9 \\u732b, x\",\"negative_prompt\":\"no\",\"seed\":9,\"steps\":2,\"width\":64,\"height\":64}", &status);
    sdw_buf body;
    sdw_buf_init(&body, 0);
    const char *picture = yyjson_get_str(yyjson_arr_get_first(yyjson_obj_get(root(doc), "images")));
    sdw_buf_printf(&body, "{\"image\":\"%s\"}", picture ? picture : "");
    yyjson_doc_free(doc);
    doc = face_json("POST", "/sdapi/v1/png-info", body.data, &status);
    sdw_buf_finish(&body);
    assert_int_equal(status, 200);
    yyjson_val *p = yyjson_obj_get(root(doc), "parameters");
    assert_non_null(strstr(text(root(doc), "info"), "Steps: 2"));
    assert_string_equal(text(p, "Prompt"), "caf\xc3\xa9 \xe7\x8c\xab, x");
    assert_string_equal(text(p, "Negative prompt"), "no");
    assert_string_equal(text(p, "Seed"), "9");
    assert_string_equal(text(p, "Size-1"), "64");
    yyjson_doc_free(doc);
    doc = face_json("POST", "/sdapi/v1/png-info", "{\"image\":\"AAAA\"}", &status);
    assert_int_equal(status, 400);
    yyjson_doc_free(doc);
}

static void extras_enlarge(void **state)
{
    (void)state;
    static const struct { const char *more; int width, height; } cases[] = {
        { "", 128, 144 }, { ",\"upscaling_resize\":0.5", 32, 36 }, { ",\"resize_mode\":1,\"upscaling_resize_w\":100,\"upscaling_resize_h\":50", 100, 50 },
        { ",\"resize_mode\":1,\"upscaling_resize_w\":128,\"upscaling_resize_h\":72,\"upscaling_crop\":false,\"upscaler_1\":\"Nearest\"", 64, 72 },
    };
    char *plain = picture_text(-1, false);
    int status;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sdw_buf body, bytes;
        sdw_image_info info;
        sdw_buf_init(&body, 0);
        sdw_buf_init(&bytes, 0);
        sdw_buf_printf(&body, "{\"image\":\"%s\"%s}", plain, cases[i].more);
        yyjson_doc *doc = face_json("POST", "/sdapi/v1/extra-single-image", body.data, &status);
        assert_int_equal(status, 200);
        const char *image = text(root(doc), "image");
        assert_int_equal(sdw_base64_decode(image, strlen(image), "x", 0, &bytes, NULL), SDW_OK);
        assert_int_equal(sdw_image_probe(bytes.data, bytes.size, NULL, &info, NULL), SDW_OK);
        if (info.width != cases[i].width || info.height != cases[i].height) fail_msg("case %zu: %d x %d", i, info.width, info.height);
        yyjson_doc_free(doc);
        sdw_buf_finish(&body);
        sdw_buf_finish(&bytes);
    }
    free(plain);
}

static void an_empty_credential_is_no_credential(void **state)
{
    (void)state;
    reply r = { 0 };
    ask_for(face_port(), "GET", "/sdapi/v1/options", "Authorization: \r\n", NULL, &r);
    assert_int_equal(r.status, 200);
    reply_finish(&r);
    face_close();
    face_open("s3cret");
    ask_for(face_port(), "GET", "/sdapi/v1/options", "", NULL, &r);
    assert_int_equal(r.status, 401);
    assert_non_null(strstr(r.head, "asic"));
    reply_finish(&r);
    ask_for(face_port(), "GET", "/sdapi/v1/options", "Authorization: Basic YW55Ym9keTpzM2NyZXQ=\r\n", NULL, &r);
    assert_int_equal(r.status, 200);
    reply_finish(&r);
}

/* ---- the parser alone ---- */

static void infotexts_of_all_kinds_are_read(void **state)
{
    (void)state;
    static const struct { const char *text, *key, *value; } cases[] = {
        { "a\nb\nNegative prompt: n1\nn2\nSteps: 20, Sampler: Euler a, CFG scale: 7.0, Size: 512x768", "Prompt", "a\nb" },
        { "a\nb\nNegative prompt: n1\nn2\nSteps: 20, Sampler: Euler a, CFG scale: 7.0, Size: 512x768", "Negative prompt", "n1\nn2" },
        { "a\nSteps: 20, Sampler: Euler a, CFG scale: 7.0, Size: 512x768", "Size-2", "768" },
        { "a\nSteps: 20, Sampler: Euler a, Lora hashes: \"a: 12, \\\"b\\\": 3\", Size: 512x768", "Lora hashes", "a: 12, \"b\": 3" },
        { "a\nSteps: 20, Sampler: Euler a", "Prompt", "a\nSteps: 20, Sampler: Euler a" },
        { "only words", "Clip skip", "1" },
        { "a\nSteps: 1, b: 2, junk, RNG: CPU, Seed: 3", "RNG", "CPU" },
        { "a\nSteps: 1, b: 2, RNG: CPU", "RNG", "GPU" },
        { "", "Prompt", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sdw_buf out;
        sdw_buf_init(&out, 0);
        sdw_infotext_to_json(cases[i].text, &out);
        yyjson_doc *doc = yyjson_read(out.data, out.size, 0);
        assert_non_null(doc);
        const char *value = text(root(doc), cases[i].key);
        if (!value || strcmp(value, cases[i].value)) fail_msg("case %zu: %s is '%s'", i, cases[i].key, value ? value : "absent");
        yyjson_doc_free(doc);
        sdw_buf_finish(&out);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(an_answer_has_bare_pictures_an_echo_and_info_as_text), T(a_drawn_seed_has_32_bits), T(null_is_absent_for_every_key),
        T(what_cannot_be_done_is_refused),
        T(img2img_takes_data_urls_and_masks), T(progress_rises_and_returns_to_nothing_and_interrupt_answers_with_what_there_is),
        T(jobs_of_other_faces_are_left_alone), T(options_come_back_whole_and_are_applied), T(every_list_answers),
        T(pictures_tell_what_they_were_made_from), T(extras_enlarge), T(an_empty_credential_is_no_credential),
        cmocka_unit_test(infotexts_of_all_kinds_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
