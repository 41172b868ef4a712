/* The OpenAI Images face over the fake executor: answers, error shape, forms, masks, streams, clients that leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake/fake.h"
#include "server/face_bed.h"

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

static void pictures_come_as_base64_with_their_seeds(void **state)
{
    (void)state;
    int status;
    yyjson_doc *doc = face_json("POST", "/v1/images/generations",
                                "{\"prompt\":\"a cat\",\"n\":2,\"size\":\"64x72\",\"seed\":18446744073709551615,\"steps\":2,\"quality\":\"low\"}", &status);
    assert_int_equal(status, 200);
    yyjson_val *data = yyjson_obj_get(root(doc), "data"), *first = yyjson_arr_get(data, 0);
    assert_int_equal(yyjson_arr_size(data), 2);
    assert_true(strncmp(yyjson_get_str(yyjson_obj_get(first, "b64_json")), "iVBORw0KGgo", 11) == 0);
    assert_true(yyjson_get_uint(yyjson_obj_get(first, "seed")) == UINT64_MAX);
    assert_true(yyjson_get_uint(yyjson_obj_get(yyjson_arr_get(data, 1), "seed")) == 0);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(root(doc), "size")), "64x72");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(root(doc), "quality")), "low");
    assert_true(yyjson_get_int(yyjson_obj_get(root(doc), "created")) > 1700000000);
    yyjson_doc_free(doc);
}

static void more_than_eight_pictures_are_two_jobs_behind_one_answer(void **state)
{
    (void)state;
    int status;
    yyjson_doc *doc = face_json("POST", "/v1/images/generations", "{\"prompt\":\"x\",\"n\":10,\"size\":\"64x64\",\"seed\":5,\"steps\":1}", &status);
    assert_int_equal(status, 200);
    yyjson_val *data = yyjson_obj_get(root(doc), "data");
    assert_int_equal(yyjson_arr_size(data), 10);
    for (size_t i = 0; i < 10; i++) assert_true(yyjson_get_uint(yyjson_obj_get(yyjson_arr_get(data, i), "seed")) == 5 + i);
    yyjson_doc_free(doc);
    sdw_job_id ids[8];
    assert_int_equal(sdw_worker_jobs(face_worker(), 0, NULL, ids, 8), 2);
}

static void a_url_leads_to_the_picture(void **state)
{
    (void)state;
    int status;
    reply r = { 0 };
    yyjson_doc *doc = face_json("POST", "/v1/images/generations",
                                "{\"prompt\":\"x\",\"size\":\"64x64\",\"steps\":1,\"response_format\":\"url\",\"output_format\":\"jpeg\",\"output_compression\":80}", &status);
    assert_int_equal(status, 200);
    const char *url = yyjson_get_str(yyjson_obj_get(yyjson_arr_get_first(yyjson_obj_get(root(doc), "data")), "url"));
    const char *path = strstr(url, "/v1/outputs/");
    assert_non_null(path);
    assert_true(strncmp(url, "http://", 7) == 0 && strstr(url, ".jpeg"));
    ask_for(face_port(), "GET", path, "", NULL, &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(reply_header(&r, "content-type"), "image/jpeg");
    reply_finish(&r);
    yyjson_doc_free(doc);
}

static void what_is_wrong_is_said_with_param_and_code(void **state)
{
    (void)state;
    static const struct { const char *body, *param, *code, *words; } cases[] = {
        { "{\"n\":1}", "prompt", NULL, "nothing given" },
        { "{\"prompt\":\"x\",\"size\":\"65x64\"}", "size", "invalid_size", "65x64 given" },
        { "{\"prompt\":\"x\",\"size\":\"big\"}", "size", "invalid_size", "big given" },
        { "{\"prompt\":\"x\",\"n\":11}", "n", NULL, "from 1 to 10" },
        { "{\"prompt\":\"x\",\"n\":\"2x\"}", "n", NULL, "2x given" },
        { "{\"prompt\":[\"x\"]}", "prompt", NULL, "array" },
        { "{\"prompt\":\"x\",\"background\":\"transparent\"}", "background", NULL, "one of auto, opaque" },
        { "{\"prompt\":\"x\",\"output_format\":\"gif\"}", "output_format", NULL, "png, jpeg, webp" },
        { "{\"prompt\":\"x\",\"partial_images\":4}", "partial_images", NULL, "from 0 to 3" },
        { "{\"prompt\":\"x\",\"svg\":{}}", "svg", NULL, "does not make" },
        { "{\"prompt\":\"x\",\"loras\":[{\"path\":\"a\"}]}", "loras", NULL, "LoRA" },
        { "{\"prompt\":\"x\",\"sampler\":\"nonsense\"}", "sampler", NULL, "nonsense" },
        { "{\"prompt\":\"x\",\"seed\":-2}", "seed", NULL, "-2 given" },
        { "{\"prompt\":\"x\",\"cfg_scale\":21}", "cfg_scale", NULL, "from 0 to 20" },
        { "{\"prompt\":", NULL, NULL, "body" },
        { "[]", NULL, NULL, "object" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int status;
        yyjson_doc *doc = face_json("POST", "/v1/images/generations", cases[i].body, &status);
        yyjson_val *error = yyjson_obj_get(root(doc), "error");
        const char *message = yyjson_get_str(yyjson_obj_get(error, "message")), *param = yyjson_get_str(yyjson_obj_get(error, "param"));
        const char *code = yyjson_get_str(yyjson_obj_get(error, "code"));
        if (status != 400 || !message || !strstr(message, cases[i].words)) fail_msg("%s: %d %s", cases[i].body, status, message);
        assert_string_equal(yyjson_get_str(yyjson_obj_get(error, "type")), "invalid_request_error");
        assert_string_equal(param ? param : "-", cases[i].param ? cases[i].param : "-");
        assert_string_equal(code ? code : "-", cases[i].code ? cases[i].code : "-");
        yyjson_doc_free(doc);
    }
}

static void nulls_and_strangers_do_no_harm(void **state)
{
    (void)state;
    int status;
    yyjson_doc *doc = face_json("POST", "/v1/images/generations?api-version=2024-02-01",
                                "{\"prompt\":\"x\",\"n\":null,\"size\":\"64x64\",\"steps\":1,\"seed\":null,\"moderation\":\"low\",\"user\":\"u\",\"style\":null,"
                                "\"model\":\"gpt-image-2\",\"loras\":[],\"unheard_of\":{\"a\":1}}", &status);
    assert_int_equal(status, 200);
    yyjson_doc_free(doc);
}

static void a_failure_runs_once_and_says_so(void **state)
{
    (void)state;
    reply r = { 0 };
    ask_for(face_port(), "POST", "/v1/images/generations", "Content-Type: application/json\r\n", "{\"prompt\":\"nan-at=1\",\"size\":\"64x64\",\"steps\":2}", &r);
    assert_int_equal(r.status, 500);
    assert_string_equal(reply_header(&r, "x-should-retry"), "false");
    assert_non_null(strstr(r.body, "\"code\":\"NON_FINITE\""));
    assert_non_null(strstr(r.body, "\"type\":\"server_error\""));
    reply_finish(&r);
    assert_int_equal(fake_counted().evaluations, 1);
}

static face_part part(const char *name, const char *text)
{
    return (face_part){ name, text, strlen(text), false };
}

static void edits_take_forms_whole_and_in_chunks(void **state)
{
    (void)state;
    sdw_buf image, mask;
    sdw_buf_init(&image, 0);
    sdw_buf_init(&mask, 0);
    face_png(72, 64, -1, false, &image);
    face_png(72, 64, 255, true, &mask);
    for (int chunked = 0; chunked < 2; chunked++) {
        for (int masked = 0; masked < 2; masked++) {
            reply r = { 0 };
            face_part parts[] = { part("prompt", "a hat"), part("n", "1"), part("stream", "false"), part("steps", "2"), part("seed", "3"),
                                  { chunked ? "image[]" : "image", image.data, image.size, true }, { "mask", mask.data, mask.size, true } };
            face_multipart("/v1/images/edits", parts, masked ? 7 : 6, chunked, "", &r);
            if (r.status != 200) fail_msg("chunked %d masked %d: %d %s", chunked, masked, r.status, r.body);
            assert_non_null(strstr(r.body, "\"size\":\"72x64\""));
            reply_finish(&r);
        }
    }
    sdw_job_id ids[4];
    sdw_job_view v;
    assert_int_equal(sdw_worker_jobs(face_worker(), 0, NULL, ids, 4), 4);
    assert_int_equal(sdw_worker_job(face_worker(), &ids[0], &v, NULL), SDW_OK);
    assert_int_equal(v.kind, SDW_JOB_INPAINT);
    sdw_job_view_finish(&v);
    assert_int_equal(sdw_worker_job(face_worker(), &ids[1], &v, NULL), SDW_OK);
    assert_int_equal(v.kind, SDW_JOB_TRANSFORM);
    sdw_job_view_finish(&v);
    sdw_buf_finish(&image);
    sdw_buf_finish(&mask);
}

static void bad_pictures_are_refused_by_name(void **state)
{
    (void)state;
    sdw_buf image, solid, small;
    sdw_buf_init(&image, 0);
    sdw_buf_init(&solid, 0);
    sdw_buf_init(&small, 0);
    face_png(64, 64, -1, false, &image);
    face_png(64, 64, 255, false, &solid);
    face_png(32, 64, 255, true, &small);
    const struct { face_part parts[3]; int count; const char *words; } cases[] = {
        { { part("prompt", "x") }, 1, "image: nothing given" },
        { { part("prompt", "x"), { "image", "junk", 4, true } }, 2, "image" },
        { { { "image", image.data, image.size, true } }, 1, "prompt: nothing given" },
        { { part("prompt", "x"), { "image[]", image.data, image.size, true }, { "image[]", image.data, image.size, true } }, 3, "takes one" },
        { { part("prompt", "x"), { "image", image.data, image.size, true }, { "mask", solid.data, solid.size, true } }, 3, "no transparent pixel" },
        { { part("prompt", "x"), { "image", image.data, image.size, true }, { "mask", image.data, image.size, true } }, 3, "no transparent pixel" },
        { { part("prompt", "x"), { "image", image.data, image.size, true }, { "mask", small.data, small.size, true } }, 3, "want 64 x 64" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        reply r = { 0 };
        face_multipart("/v1/images/edits", cases[i].parts, cases[i].count, false, "", &r);
        if (r.status != 400 || !strstr(r.body, cases[i].words)) fail_msg("case %zu: %d %s", i, r.status, r.body);
        reply_finish(&r);
    }
    int status;
    yyjson_doc *doc = face_json("POST", "/v1/images/edits", "{\"prompt\":\"x\",\"images\":[{\"file_id\":\"f\"}]}", &status);
    assert_int_equal(status, 400);
    yyjson_doc_free(doc);
    doc = face_json("POST", "/v1/images/edits", "{\"prompt\":\"x\",\"images\":[{\"image_url\":\"http://127.0.0.1/x.png\"}]}", &status);
    assert_int_equal(status, 400);
    yyjson_doc_free(doc);
    reply r = { 0 };
    ask_for(face_port(), "POST", "/v1/images/generations", "Content-Type: text/plain\r\n", "x", &r);
    assert_int_equal(r.status, 415);
    reply_finish(&r);
    sdw_buf_finish(&image);
    sdw_buf_finish(&solid);
    sdw_buf_finish(&small);
}

static void variations_need_a_picture_only(void **state)
{
    (void)state;
    sdw_buf image;
    reply r = { 0 };
    sdw_buf_init(&image, 0);
    face_png(64, 64, -1, false, &image);
    face_part parts[] = { { "image", image.data, image.size, true }, part("n", "2"), part("steps", "2") };
    face_multipart("/v1/images/variations", parts, 3, false, "", &r);
    assert_int_equal(r.status, 200);
    reply_finish(&r);
    sdw_buf_finish(&image);
}

static int count_of(const char *text, const char *what)
{
    int n = 0;
    for (; (text = strstr(text, what)); text += strlen(what)) n++;
    return n;
}

static void a_stream_has_previews_and_one_end_per_picture(void **state)
{
    (void)state;
    reply r = { 0 };
    ask_for(face_port(), "POST", "/v1/images/generations", "Content-Type: application/json\r\nAccept: application/json\r\n",
            "{\"prompt\":\"step-ms=30\",\"size\":\"64x64\",\"steps\":12,\"n\":2,\"stream\":true,\"partial_images\":3}", &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(reply_header(&r, "content-type"), "text/event-stream");
    assert_int_equal(count_of(r.body, "event: image_generation.partial_image\n"), 3);
    assert_non_null(strstr(r.body, "\"partial_image_index\":2"));
    assert_int_equal(count_of(r.body, "event: image_generation.completed\n"), 2);
    assert_int_equal(count_of(r.body, "\"usage\":{"), 2);
    assert_int_equal(count_of(r.body, "\"size\":\"64x64\""), 5);
    assert_true(r.whole);
    reply_finish(&r);
    ask_for(face_port(), "POST", "/v1/images/generations", "Content-Type: application/json\r\n",
            "{\"prompt\":\"oom-at=2\",\"size\":\"64x64\",\"steps\":4,\"stream\":true}", &r);
    assert_int_equal(r.status, 200);
    assert_non_null(strstr(r.body, "event: error\ndata: {\"error\":{\"message\":"));
    assert_non_null(strstr(r.body, "VRAM_OOM"));
    reply_finish(&r);
}

static void who_leaves_cancels_the_job(void **state)
{
    (void)state;
    const char *bodies[] = { "{\"prompt\":\"hold-at=2\",\"size\":\"64x64\",\"steps\":9}", "{\"prompt\":\"hold-at=2\",\"size\":\"64x64\",\"steps\":9,\"stream\":true}" };
    for (unsigned i = 0; i < 2; i++) {
        char request[512];
        snprintf(request, sizeof request, "POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                 strlen(bodies[i]), bodies[i]);
        int fd = client_open(face_port());
        client_text(fd, request);
        assert_true(fake_wait_held());
        client_close(fd);
        assert_true(face_wait_ended(i + 1));
    }
    sdw_worker_state s;
    sdw_worker_state_of(face_worker(), &s);
    assert_int_equal(s.jobs_cancelled, 2);
}

static void a_key_is_asked_in_the_shape_of_this_face(void **state)
{
    (void)state;
    face_close();
    face_open("s3cret");
    reply r = { 0 };
    const char *body = "{\"prompt\":\"x\",\"size\":\"64x64\",\"steps\":1}";
    ask_for(face_port(), "POST", "/v1/images/generations", "Content-Type: application/json\r\n", body, &r);
    assert_int_equal(r.status, 401);
    assert_non_null(strstr(r.body, "\"type\":\"authentication_error\""));
    reply_finish(&r);
    ask_for(face_port(), "POST", "/v1/images/generations", "Content-Type: application/json\r\napi-key: s3cret\r\n", body, &r);
    assert_int_equal(r.status, 200);
    reply_finish(&r);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(pictures_come_as_base64_with_their_seeds), T(more_than_eight_pictures_are_two_jobs_behind_one_answer), T(a_url_leads_to_the_picture),
        T(what_is_wrong_is_said_with_param_and_code), T(nulls_and_strangers_do_no_harm), T(a_failure_runs_once_and_says_so),
        T(edits_take_forms_whole_and_in_chunks), T(bad_pictures_are_refused_by_name), T(variations_need_a_picture_only),
        T(a_stream_has_previews_and_one_end_per_picture), T(who_leaves_cancels_the_job), T(a_key_is_asked_in_the_shape_of_this_face),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
