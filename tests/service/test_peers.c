/* What other programs of this kind got wrong, tried on this one through every face: the answer is an error that names the
 * thing, or the right result, and the service goes on. The rest of that list is tested where it belongs (docs/service.md). */
#include "service/harness.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

static service fake, real; /* without weights; a small model that draws */

static int start_services(void **state)
{
    (void)state;
    fake_model("fake");
    fake = start_loaded(sdw_fake(), ARGS("--model-path", "fake", "--max-batch", "2"));
    real = start_loaded(sdw(), ARGS("--model", tiny_model()));
    return 0;
}

static int stop_services(void **state)
{
    (void)state;
    assert_int_equal(stop(&fake, SIGTERM, NULL), 0);
    assert_int_equal(stop(&real, SIGTERM, NULL), 0);
    return 0;
}

static void lives(int port)
{
    reply r = { 0 };
    get(port, "/health", "", &r);
    expect(&r, 200, "healthy");
    reply_finish(&r);
}

/* ---- prompts ---- */

/* `unit` over and over, in a request of `face`; freed by the caller. */
static char *request_of(const char *face, const char *unit, size_t size)
{
    char *prompt = calloc(1, size + 1), *body = calloc(1, size + 200);
    assert_true(prompt && body);
    for (size_t i = 0; i < size; i++) prompt[i] = unit[i % strlen(unit)];
    snprintf(body, size + 200, strcmp(face, "openai") ? "{\"steps\":1,\"width\":64,\"height\":64,\"prompt\":\"%s\"}" : "{\"steps\":1,\"size\":\"64x64\",\"prompt\":\"%s\"}", prompt);
    free(prompt);
    return body;
}

static const struct { const char *face, *path; int refused; } faces[] = {
    { "native", "/execute", 400 }, { "openai", "/v1/images/generations", 400 }, { "sdapi", "/sdapi/v1/txt2img", 422 },
};

static void n01_odd_weights_are_text_or_an_error(void **state)
{
    (void)state;
    static const char *const prompts[] = { "(a:.)", "(a:..)", "(a:1e999)", "(a:nan)", "(a:inf)", "(a:-)", "(a:1.1.1)", "(a", "a)", "((((((((a", "[[[a:2]", "(:1)", "()",
                                           "(a:1", "\\\\(a:1.5", "(a:0)", "(a:99999999999999999999)" };
    reply r = { 0 };
    for (size_t i = 0; i < sizeof prompts / sizeof *prompts; i++) {
        char body[300];
        snprintf(body, sizeof body, "{\"prompt\":\"%s\",\"steps\":1,\"width\":64,\"height\":64}", prompts[i]);
        post(real.port, "/sdapi/v1/txt2img", body, &r);
        if (r.status != 200 && r.status != 422 && r.status != 400) fail_msg("%s: %d %.200s", prompts[i], r.status, r.body);
        if (r.status != 200) assert_non_null(strstr(r.body, "prompt"));
    }
    char *deep = request_of("sdapi", "(", 5000);
    post(real.port, "/sdapi/v1/txt2img", deep, &r);
    assert_true(r.status == 200 || r.status == 400 || r.status == 422);
    free(deep);
    reply_finish(&r);
    lives(real.port);
}

static void n02_long_prompts_take_time_in_proportion_and_have_a_limit(void **state)
{
    (void)state;
    static const char *const units[] = { "word ", "(word:1.2) ", "<tag>", "((((", "a,b;c. " };
    static const size_t sizes[] = { 31000, 45000, 100000 };
    reply r = { 0 };
    for (size_t f = 0; f < sizeof faces / sizeof *faces; f++)
        for (size_t u = 0; u < sizeof units / sizeof *units; u++)
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                char *body = request_of(faces[f].face, units[u], sizes[i]);
                double begun = now_s();
                post(fake.port, faces[f].path, body, &r);
                double seconds = now_s() - begun;
                if (r.status != (sizes[i] > 32000 ? faces[f].refused : 200)) fail_msg("%s, %zu of '%s': %d %.200s", faces[f].face, sizes[i], units[u], r.status, r.body);
                if (sizes[i] > 32000) assert_non_null(strstr(r.body, "32000"));
                if (seconds > 10) fail_msg("%zu of '%s' took %g s", sizes[i], units[u], seconds);
                free(body);
            }
    reply_finish(&r);
    lives(fake.port);
}

/* ---- names and numbers ---- */

static void n05_names_lead_nowhere_else(void **state)
{
    (void)state;
    static const char *const names[] = { "../secret", "/etc/passwd", "..", "a/../../secret", "\\u0000x", "lora.safetensors/../../x", "~/x" };
    char body[400];
    reply r = { 0 };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(body, sizeof body, "{\"prompt\":\"x\",\"loras\":[{\"path\":\"%s\"}]}", names[i]);
        post_expect(fake.port, "/v1/jobs", body, 400, "\"field\":\"loras\"");
        post(fake.port, "/v1/images/generations", body, &r);
        assert_int_equal(r.status, 400);
        snprintf(body, sizeof body, "{\"prompt\":\"x <lora:%s:1>\",\"steps\":1}", names[i]);
        post(fake.port, "/sdapi/v1/txt2img", body, &r);
        assert_int_equal(r.status, 422);
        snprintf(body, sizeof body, "{\"sd_model_checkpoint\":\"%s\"}", names[i]);
        post_expect(fake.port, "/sdapi/v1/options", body, 404, "Checkpoint not found");
        snprintf(body, sizeof body, "{\"model\":\"%s\"}", names[i]);
        post(fake.port, "/v1/models/load", body, &r);
        if (r.status != 404 && r.status != 400) fail_msg("load %s: %d", names[i], r.status);
        post(fake.port, "/v1/models/pull", body, &r);
        if (r.status != 400 && r.status != 404) fail_msg("pull %s: %d", names[i], r.status);
        snprintf(body, sizeof body, "{\"prompt\":\"x\",\"alwayson_scripts\":{\"%s\":{\"args\":[1]}}}", names[i]);
        post(fake.port, "/sdapi/v1/txt2img", body, &r);
        assert_int_equal(r.status, 422);
    }
    ask_for(fake.port, "DELETE", "/v1/models/..%2f..%2fetc", "", NULL, &r);
    assert_true(r.status == 400 || r.status == 404);
    get(fake.port, "/v1/outputs/..%2f..%2fetc%2fpasswd", "", &r);
    assert_true(r.status == 400 || r.status == 404);
    reply_finish(&r);
    lives(fake.port);
}

static void n07_sizes_and_counts_are_refused_before_anything_is_made(void **state)
{
    (void)state;
    static const char *const wrong[] = { "0", "-8", "65", "2056", "100000000", "4294967296", "1e9", "64.5" };
    char body[300];
    reply r = { 0 };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(body, sizeof body, "{\"prompt\":\"x\",\"steps\":1,\"width\":%s,\"height\":64}", wrong[i]);
        post(fake.port, "/v1/jobs", body, &r);
        if (r.status != 400) fail_msg("native width %s: %d", wrong[i], r.status);
        post(fake.port, "/sdapi/v1/txt2img", body, &r);
        if (r.status != 422) fail_msg("sdapi width %s: %d", wrong[i], r.status);
        snprintf(body, sizeof body, "{\"prompt\":\"x\",\"steps\":1,\"size\":\"%sx64\"}", wrong[i]);
        post_expect(fake.port, "/v1/images/generations", body, 400, "invalid_size");
    }
    post_expect(fake.port, "/v1/images/generations", "{\"prompt\":\"x\",\"n\":11}", 400, "\"param\":\"n\"");
    post_expect(fake.port, "/v1/jobs", "{\"prompt\":\"x\",\"num_samples\":9}", 400, "num_samples");
    post_expect(fake.port, "/v1/jobs", "{\"prompt\":\"x\",\"steps\":151}", 400, "steps");
    reply_finish(&r);
}

static void n09_unknown_values_are_refused_with_the_list(void **state)
{
    (void)state;
    post_expect(fake.port, "/v1/jobs", "{\"prompt\":\"x\",\"sampler\":\"nope\"}", 400, "euler_a");
    post_expect(fake.port, "/v1/jobs", "{\"prompt\":\"x\",\"schedule\":\"nope\"}", 400, "karras");
    post_expect(fake.port, "/v1/jobs", "{\"prompt\":\"x\",\"format\":\"nope\"}", 400, "webp");
    post_expect(fake.port, "/v1/images/generations", "{\"prompt\":\"x\",\"sampler\":\"nope\"}", 400, "euler_a");
    post_expect(fake.port, "/sdapi/v1/txt2img", "{\"prompt\":\"x\",\"sampler_name\":\"nope\"}", 400, "Sampler not found");
}

static void n10_n12_seeds_and_ids_are_drawn_from_the_system(void **state)
{
    (void)state;
    enum { COUNT = 20 };
    char id[COUNT][64], seed[COUNT][32];
    for (int i = 0; i < COUNT; i++) snprintf(id[i], sizeof id[0], "%s", submit(fake.port, "{\"prompt\":\"x\",\"steps\":1,\"width\":64,\"height\":64}"));
    for (int i = 0; i < COUNT; i++) {
        char *text = whole_stream(fake.port, id[i], "", "");
        snprintf(seed[i], sizeof seed[0], "%s", value_of(strstr(text, "event: complete"), "seed"));
        free(text);
        for (int k = 0; k < i; k++)
            if (!strcmp(seed[i], seed[k]) || !strncmp(id[i], id[k], 20)) fail_msg("%s %s, %s %s", id[i], seed[i], id[k], seed[k]);
    }
}

/* ---- many at once ---- */

static void n11_everything_answers_beside_many_slow_calls(void **state)
{
    (void)state;
    enum { CALLS = 40 };
    static const char body[] = "{\"prompt\":\"step-ms=30\",\"steps\":10,\"width\":64,\"height\":64,\"size\":\"64x64\"}";
    char request[600];
    int fd[CALLS];
    reply r = { 0 };
    for (int i = 0; i < CALLS; i++) {
        fd[i] = client_open(fake.port);
        snprintf(request, sizeof request, "POST %s HTTP/1.1\r\nHost: localhost\r\n" JSON_TYPE "Content-Length: %zu\r\n\r\n%s", i % 2 ? "/sdapi/v1/txt2img" : "/v1/images/generations", strlen(body), body);
        client_text(fd[i], request);
    }
    double worst = 0;
    for (int i = 0; i < 30; i++) {
        double begun = now_s();
        get(fake.port, "/health", "", &r);
        expect(&r, 200, "healthy");
        get(fake.port, "/sdapi/v1/progress", "", &r);
        expect(&r, 200, "progress");
        get(fake.port, "/v1/jobs?limit=500", "", &r);
        expect(&r, 200, "queued");
        if (now_s() - begun > worst) worst = now_s() - begun;
    }
    if (worst > 2) fail_msg("three short answers took %g s", worst);
    get(fake.port, "/v1/jobs?status=queued&limit=1", "", &r); /* the newest: of one queue for all faces */
    char target[128];
    snprintf(target, sizeof target, "/v1/jobs/%s", value_of(r.body, "job_id"));
    ask_for(fake.port, "DELETE", target, "", NULL, &r);
    expect(&r, 200, "cancelled");
    int done = 0, cancelled = 0;
    for (int i = 0; i < CALLS; i++) {
        r.rest_size = 0;
        client_reply(fd[i], false, 60, &r);
        if (r.status == 200) done++;
        else cancelled++;
        client_close(fd[i]);
    }
    assert_int_equal(done, CALLS - 1);
    assert_int_equal(cancelled, 1);
    reply_finish(&r);
}

/* Accepted, or told to come again: 100 clients that want 3 pictures each, 128 places. */
static void a_hundred_submitters_lose_nothing(void **state)
{
    (void)state;
    enum { CLIENTS = 100, EACH = 3 };
    service one = start_loaded(sdw_fake(), ARGS("--model-path", "fake", "--max-queue", "128", "--max-results", "1000"));
    char request[600];
    int left[CLIENTS], fd[CLIENTS], accepted = 0, refused = 0;
    reply r = { 0 };
    snprintf(request, sizeof request, "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\n" JSON_TYPE "Content-Length: %zu\r\n\r\n%s", strlen(gen_prompt(2, "step-ms=1")), gen_prompt(2, "step-ms=1"));
    for (int i = 0; i < CLIENTS; i++) left[i] = EACH, fd[i] = client_open(one.port);
    for (int open = CLIENTS; open > 0;) {
        for (int i = 0; i < CLIENTS; i++)
            if (left[i] > 0) client_text(fd[i], request);
        for (int i = 0; i < CLIENTS; i++) {
            if (left[i] == 0) continue;
            r.rest_size = 0;
            client_reply(fd[i], false, 20, &r);
            if (r.status == 200) accepted++, left[i]--;
            else {
                expect(&r, 429, "QUEUE_FULL");
                assert_string_equal(reply_header(&r, "retry-after"), "5");
                refused++;
            }
            if (left[i] == 0) client_close(fd[i]), open--;
        }
        poll(NULL, 0, 5);
    }
    assert_int_equal(accepted, CLIENTS * EACH);
    assert_true(refused > 0); /* 300 at once do not fit */
    double until = now_s() + 60;
    do get(one.port, "/metrics", "", &r);
    while (!strstr(r.body, "sdw_jobs_total{kind=\"generation\",outcome=\"completed\"} 300\n") && now_s() < until);
    assert_non_null(strstr(r.body, "sdw_jobs_total{kind=\"generation\",outcome=\"completed\"} 300\n"));
    get(one.port, "/v1/jobs?status=completed&limit=500", "", &r);
    assert_int_equal(count_of(r.body, "\"job_id\""), CLIENTS * EACH);
    reply_finish(&r);
    assert_int_equal(stop(&one, SIGTERM, NULL), 0);
}

/* ---- results ---- */

static void n13_a_finished_job_is_cheap_to_look_at(void **state)
{
    (void)state;
    reply r = { 0 };
    char target[128], picture[128], etag[128], header[200];
    const char *id = submit(fake.port, gen(2));
    wait_status(fake.port, id, "completed");
    snprintf(target, sizeof target, "/v1/jobs/%s", id);
    size_t bytes = 0;
    for (int i = 0; i < 1000; i++) {
        get(fake.port, target, "", &r);
        assert_int_equal(r.status, 200);
        bytes += r.body_size;
    }
    assert_true(bytes / 1000 < 1500);
    assert_null(strstr(r.body, "iVBOR"));
    snprintf(picture, sizeof picture, "%s", value_of(r.body, "url"));
    get(fake.port, picture, "", &r);
    assert_int_equal(r.status, 200);
    snprintf(etag, sizeof etag, "%s", reply_header(&r, "etag"));
    assert_non_null(strstr(reply_header(&r, "cache-control"), "immutable"));
    snprintf(header, sizeof header, "If-None-Match: %s\r\n", etag);
    get(fake.port, picture, header, &r);
    assert_int_equal(r.status, 304);
    assert_int_equal(r.body_size, 0);
    reply_finish(&r);
}

/* Of two requests under way at once each has its own settings, and the bytes that it has alone. */
static void n21_settings_belong_to_their_request(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{\"prompt\":\"a house\",\"seed\":5,\"steps\":4,\"width\":64,\"height\":64,\"sampler_name\":\"Euler a\",\"scheduler\":\"karras\",\"cfg_scale\":3}",
        "{\"prompt\":\"a boat\",\"seed\":6,\"steps\":6,\"width\":64,\"height\":64,\"sampler_name\":\"DPM++ 2M\",\"cfg_scale\":9,\"override_settings\":{\"CLIP_stop_at_last_layers\":2}}",
    };
    char *alone[2], request[2][900];
    int fd[2];
    reply r = { 0 };
    for (int i = 0; i < 2; i++) {
        post(real.port, "/sdapi/v1/txt2img", bodies[i], &r);
        assert_int_equal(r.status, 200);
        alone[i] = strndup(r.body, (size_t)(strstr(r.body, "\"parameters\"") - r.body));
        snprintf(request[i], sizeof request[i], "POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: localhost\r\n" JSON_TYPE "Content-Length: %zu\r\n\r\n%s", strlen(bodies[i]), bodies[i]);
    }
    for (int i = 0; i < 2; i++) fd[i] = client_open(real.port), client_text(fd[i], request[i]);
    for (int i = 0; i < 2; i++) {
        r.rest_size = 0;
        client_reply(fd[i], false, 60, &r);
        assert_int_equal(r.status, 200);
        if (strncmp(r.body, alone[i], strlen(alone[i])) != 0) fail_msg("request %d: another picture in company", i);
        client_close(fd[i]);
        free(alone[i]);
    }
    reply_finish(&r);
}

/* ---- masks ---- */

static unsigned char *painted(const char *path, const char *body, const char *key, int *width, int *height)
{
    reply r = { 0 };
    post(real.port, path, body, &r);
    if (r.status != 200) fail_msg("%s: %d %.300s", path, r.status, r.body);
    const char *at = strstr(r.body, key);
    assert_non_null(at);
    at += strlen(key);
    char *text = strndup(at, strcspn(at, "\""));
    unsigned char *pixels = pixels_of(text, width, height);
    free(text);
    reply_finish(&r);
    return pixels;
}

/* White is painted anew in one dialect, transparent in the other. */
static void trap_4_both_kinds_of_mask_repaint_the_same_part(void **state)
{
    (void)state;
    static char body[65536];
    int w, h;
    const char *image = picture_base64(64, 64);
    snprintf(body, sizeof body, "{\"prompt\":\"x\",\"seed\":3,\"steps\":4,\"cfg_scale\":5,\"strength\":0.75,\"sampler\":\"euler\",\"scheduler\":\"karras\",\"size\":\"64x64\",\"images\":[{\"image_url\":\"data:image/png;base64,%s\"}],\"mask\":{\"image_url\":\"data:image/png;base64,%s\"}}",
             image, hole_base64(64, 64));
    unsigned char *openai = painted("/v1/images/edits", body, "\"b64_json\":\"", &w, &h);
    snprintf(body, sizeof body, "{\"prompt\":\"x\",\"seed\":3,\"steps\":4,\"cfg_scale\":5,\"denoising_strength\":0.75,\"sampler_name\":\"Euler\",\"scheduler\":\"karras\",\"width\":64,\"height\":64,\"init_images\":[\"%s\"],\"mask\":\"%s\",\"mask_blur\":0,\"inpainting_fill\":1,\"inpaint_full_res\":false,\"override_settings\":{\"randn_source\":\"CPU\"}}",
             image, mask_base64(64, 64));
    unsigned char *sdapi = painted("/sdapi/v1/img2img", body, "\"images\":[\"", &w, &h);
    assert_int_equal(w, 64);
    assert_int_equal(h, 64);
    assert_memory_equal(openai, sdapi, 64 * 64 * 3);
    unsigned char *before = pixels_of(image, &w, &h);
    int left = 0, right = 0;
    for (int i = 0; i < 64 * 64; i++) *(i % 64 < 32 ? &left : &right) += memcmp(before + 3 * i, openai + 3 * i, 3) != 0;
    assert_true(left > 32 * 64 * 9 / 10);
    assert_int_equal(right, 0);
    free(openai), free(sdapi), free(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(n01_odd_weights_are_text_or_an_error), cmocka_unit_test(n02_long_prompts_take_time_in_proportion_and_have_a_limit),
        cmocka_unit_test(n05_names_lead_nowhere_else), cmocka_unit_test(n07_sizes_and_counts_are_refused_before_anything_is_made),
        cmocka_unit_test(n09_unknown_values_are_refused_with_the_list), cmocka_unit_test(n10_n12_seeds_and_ids_are_drawn_from_the_system),
        cmocka_unit_test(n11_everything_answers_beside_many_slow_calls), cmocka_unit_test(a_hundred_submitters_lose_nothing),
        cmocka_unit_test(n13_a_finished_job_is_cheap_to_look_at), cmocka_unit_test(n21_settings_belong_to_their_request),
        cmocka_unit_test(trap_4_both_kinds_of_mask_repaint_the_same_part),
    };
    return cmocka_run_group_tests(tests, start_services, stop_services);
}
