/* Jobs and their streams, with a small model that really draws. Acceptance checks 8 to 16 and 21 to 30. */
#define _GNU_SOURCE 1 /* strcasestr */
#include "service/harness.h"

#include <stdio.h>

static service s;
static int port;

static int start_service(void **state)
{
    (void)state;
    s = start_loaded(sdw(), ARGS("--model", tiny_model(), "--max-body", "8M"));
    port = s.port;
    return 0;
}

static int stop_service(void **state)
{
    (void)state;
    return stop(&s, SIGTERM, NULL);
}

static char *image_of(const char *id)
{
    char *text = whole_stream(port, id, "", ""), *complete = strstr(text, "event: complete\n");
    if (!complete) fail_msg("no complete: %.400s", text);
    char *image = long_value_of(complete, "image");
    free(text);
    return image;
}

static void check_08_alphabetical_keys_are_accepted(void **state)
{
    (void)state;
    reply r = { 0 };
    char want[160];
    post(port, "/v1/jobs", "{\"guidance_scale\":7.5,\"height\":64,\"hive_id\":\"localhost\",\"loras\":[],\"model\":\"stable-diffusion-v1-5\","
         "\"negative_prompt\":null,\"operation\":\"image_generation\",\"prompt\":\"a photo of a cat\",\"seed\":42,\"steps\":4,\"width\":64}", &r);
    expect(&r, 200, NULL);
    const char *id = value_of(r.body, "job_id");
    assert_int_equal(strlen(id), 40);
    assert_memory_equal(id, "job-", 4);
    assert_int_equal(strspn(id + 4, "0123456789abcdef-"), 36);
    snprintf(want, sizeof want, "{\"job_id\":\"%s\",\"sse_url\":\"/v1/jobs/%s/stream\"}", id, id);
    assert_string_equal(r.body, want);
    reply_finish(&r);
}

static int position(const char *text, const char *part)
{
    const char *at = strstr(text, part);
    return at ? (int)(at - text) : -1;
}

static void check_09_a_stream_has_every_step_and_the_previews(void **state)
{
    (void)state;
    const char *id = submit(port, gen(20));
    stream j = open_job(port, id, "");
    stream_end(&j, 60);
    assert_int_equal(j.status, 200);
    assert_non_null(strcasestr(j.head, "content-type: text/event-stream\r\n"));
    assert_non_null(strcasestr(j.head, "cache-control: no-cache"));
    assert_null(strcasestr(j.head, "x-accel-buffering"));
    assert_null(strcasestr(j.head, "\r\nconnection:"));
    assert_int_equal(count_of(j.text, "event: progress\n"), 20);
    assert_int_equal(count_of(j.text, "event: complete\n"), 1);
    static const int previews[] = { 1, 6, 11, 16, 20 };
    assert_int_equal(count_of(j.text, "event: preview\n"), 5);
    for (int i = 1; i <= 20; i++) {
        char part[64];
        snprintf(part, sizeof part, "\"step\":%d,\"total\":20,\"type\":\"progress\"", i);
        assert_int_equal(count_of(j.text, part), 1);
    }
    for (int i = 0; i < 5; i++) {
        char progress[64], preview[64];
        snprintf(progress, sizeof progress, "\"step\":%d,\"total\":20,\"type\":\"progress\"", previews[i]);
        snprintf(preview, sizeof preview, "\"step\":%d,\"total\":20,\"type\":\"preview\"", previews[i]);
        assert_true(position(j.text, preview) > position(j.text, progress));
    }
    assert_true(ends_with(j.text, "}\n\ndata: [DONE]\n\n"));
    close_stream(&j);
}

/* Takes the id lines out; each must be one more than the last. */
static void strip_ids(char *text)
{
    unsigned long last = 0;
    char *to = text;
    for (char *line = text; *line;) {
        char *end = strchr(line, '\n') + 1;
        if (!strncmp(line, "id: ", 4)) {
            unsigned long n = strtoul(line + 4, NULL, 10);
            assert_int_equal(n, last + 1);
            last = n;
        } else {
            memmove(to, line, (size_t)(end - line));
            to += end - line;
        }
        line = end;
    }
    *to = '\0';
    assert_true(last > 5);
}

static void check_10_bytes_are_exact_with_and_without_ids(void **state)
{
    (void)state;
    static const char first[] = "event: progress\ndata: {\"percent\":5.0,\"step\":1,\"total\":20,\"type\":\"progress\"}\n\n";
    const char *id = submit(port, gen(20));
    char *plain = whole_stream(port, id, "", ""), *again = whole_stream(port, id, "", "");
    char *at = strstr(plain, "event: progress\n");
    assert_non_null(at);
    assert_memory_equal(at, first, sizeof first - 1);
    assert_null(strstr(plain, "\nid:"));
    assert_string_equal(plain, again);
    char *with = whole_stream(port, id, "", "Accept: text/event-stream\r\n"), *asked = whole_stream(port, id, "?ids=1", "");
    assert_memory_equal(with, "id: 1\n", 6);
    assert_string_equal(with, asked);
    int events = count_of(plain, "\n\n");
    assert_int_equal(count_of(with, "id: "), events);
    strip_ids(with);
    assert_string_equal(with, plain);
    free(plain), free(again), free(with), free(asked);
}

static void check_11_complete_holds_a_png(void **state)
{
    (void)state;
    int width, height;
    char *text = whole_stream(port, submit(port, gen(4)), "", ""), *complete = strstr(text, "event: complete\n");
    assert_non_null(complete);
    char *image = long_value_of(complete, "image");
    picture_size(image, &width, &height);
    assert_int_equal(width, 64);
    assert_int_equal(height, 64);
    assert_memory_equal(image, "iVBORw0KGgo", 11);
    assert_string_equal(value_of(complete, "seed"), "42");
    assert_string_equal(value_of(complete, "format"), "png");
    assert_string_equal(value_of(complete, "model"), tiny_model());
    assert_null(strchr(text, '\r'));
    free(image), free(text);
}

static void check_12_the_same_request_gives_the_same_picture(void **state)
{
    (void)state;
    char *one = image_of(submit(port, gen(4))), *two = image_of(submit(port, gen(4)));
    assert_true(strlen(one) > 200);
    assert_string_equal(one, two);
    free(one), free(two);
}

static void check_13_a_drawn_seed_is_told_and_repeats(void **state)
{
    (void)state;
    char *text = whole_stream(port, submit(port, gen_prompt(2, "x")), "", ""), *complete = strstr(text, "event: complete\n");
    assert_non_null(complete);
    char *one = long_value_of(complete, "image"), body[256];
    unsigned long long seed = strtoull(value_of(complete, "seed"), NULL, 10);
    assert_true(seed < (1ull << 53) - 8);
    snprintf(body, sizeof body, "{\"operation\":\"image_generation\",\"prompt\":\"x\",\"steps\":2,\"width\":64,\"height\":64,\"seed\":%llu}", seed);
    char *two = image_of(submit(port, body));
    assert_string_equal(one, two);
    free(text), free(one), free(two);
}

static void check_14_the_first_generations_bytes(void **state)
{
    (void)state;
    static const char first[] = "data: {\"event\":\"progress\",\"step\":1,\"total\":4}\n\n";
    reply r = { 0 };
    char target[128];
    const char *id = submit(port, gen(4));
    char *text = whole_stream(port, id, "?format=g1", ""), *legacy = whole_stream(port, id, "?format=legacy", "");
    assert_memory_equal(text, first, sizeof first - 1);
    assert_int_equal(count_of(text, "\"event\":\"progress\""), 4);
    assert_int_equal(count_of(text, "data: {\"event\":\"complete\",\"image_base64\":\""), 1);
    assert_true(ends_with(text, "\"}\n\ndata: [DONE]\n\n"));
    assert_int_equal(count_of(text, "event: "), 0);
    assert_string_equal(text, legacy);
    snprintf(target, sizeof target, "/v1/jobs/%s/stream?format=xyz", id);
    get(port, target, "", &r);
    expect(&r, 400, "\"code\":\"INVALID_REQUEST\"");
    reply_finish(&r);
    free(text), free(legacy);
}

static void check_15_replay_begins_where_the_client_says(void **state)
{
    (void)state;
    reply r = { 0 };
    const char *id = submit(port, gen(12)), *sse = "Accept: text/event-stream\r\n";
    stream one = open_job(port, id, sse);
    assert_true(stream_until(&one, "id: 3\n", 20));
    stream two = open_job(port, id, sse);
    stream_end(&one, 60);
    stream_end(&two, 60);
    assert_string_equal(one.text, two.text);
    char *later = whole_stream(port, id, "", "Accept: */*\r\nLast-Event-ID: 5\r\n"), *from_six = strstr(one.text, "id: 6\n");
    assert_non_null(from_six);
    assert_string_equal(later, from_six);
    char *query = whole_stream(port, id, "?last_event_id=5", "");
    assert_string_equal(query, from_six);
    char *all = whole_stream(port, id, "", "Accept: text/event-stream\r\nLast-Event-ID: x\r\n");
    assert_string_equal(all, one.text);
    get(port, "/v1/jobs/job-00000000-0000-4000-8000-000000000000/stream", "", &r);
    expect(&r, 404, "Job job-00000000-0000-4000-8000-000000000000 not found or already streaming");
    get(port, "/v1/jobs/what/stream", "", &r);
    expect(&r, 404, "Job what not found or already streaming");
    reply_finish(&r);
    close_stream(&one), close_stream(&two);
    free(later), free(query), free(all);
}

static void check_16_a_late_reader_gets_everything(void **state)
{
    (void)state;
    const char *id = submit(port, gen(8));
    wait_status(port, id, "completed");
    char *text = whole_stream(port, id, "", "");
    assert_int_equal(count_of(text, "event: progress\n"), 8);
    assert_int_equal(count_of(text, "event: complete\n"), 1);
    assert_true(ends_with(text, "data: [DONE]\n\n"));
    free(text);
}

static void check_21_what_is_no_json(void **state)
{
    (void)state;
    reply r = { 0 };
    post_expect(port, "/v1/jobs", "{", 400, "\"message\":\"Failed to parse the request body as JSON: ");
    static const char *const types[] = { "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x" };
    for (int i = 0; i < 4; i++) {
        char header[96] = "";
        if (i < 3) snprintf(header, sizeof header, "Content-Type: %s\r\n", types[i]);
        ask_for(port, "POST", "/v1/jobs", header, gen(1), &r);
        expect(&r, 415, "\"message\":\"Expected request with `Content-Type: application/json`\"");
        assert_non_null(strstr(r.body, "UNSUPPORTED_MEDIA_TYPE"));
    }
    ask_for(port, "POST", "/v1/jobs", "Content-Type: application/json; charset=utf-8\r\n", gen(1), &r);
    expect(&r, 200, NULL);
    ask_for(port, "POST", "/v1/jobs", "content-type: Application/vnd.what+JSON\r\n", gen(1), &r);
    expect(&r, 200, NULL);
    reply_finish(&r);
}

/* GEN(2) with one field changed or added. */
static const char *with(const char *field)
{
    static char text[4][400];
    static int turn;
    char *to = text[turn++ % 4];
    snprintf(to, sizeof text[0], "{\"operation\":\"image_generation\",\"hive_id\":\"localhost\",\"model\":\"m\",\"prompt\":\"a cat\",%s}", field);
    return to;
}

static void check_22_steps(void **state)
{
    (void)state;
    post_expect(port, "/v1/jobs", with("\"steps\":0"), 400, "\"message\":\"Invalid input: Steps must be between 1 and 150, got 0\"");
    post_expect(port, "/v1/jobs", with("\"steps\":151"), 400, "\"message\":\"Invalid input: Steps must be between 1 and 150, got 151\"");
    static const char *const bad[] = { "20.0", "\"20\"", "null", "-1" };
    for (int i = 0; i < 4; i++) {
        char field[32];
        snprintf(field, sizeof field, "\"steps\":%s", bad[i]);
        post_expect(port, "/v1/jobs", with(field), 400, "\"message\":\"Failed to parse operation: ");
    }
}

static void check_23_ranges_and_lists_of_errors(void **state)
{
    (void)state;
    reply r = { 0 };
    post_expect(port, "/v1/jobs", "{\"operation\":\"image_generation\",\"prompt\":\"\"}", 400, "\"Invalid input: Prompt cannot be empty\"");
    post_expect(port, "/v1/jobs", with("\"width\":65,\"height\":64"), 400, "\"Invalid input: Width and height must be multiples of 8, got 65x64\"");
    post_expect(port, "/v1/jobs", with("\"width\":4096"), 400, "\"Invalid input: Width must be between 64 and 2048, got 4096\"");
    post_expect(port, "/v1/jobs", with("\"guidance_scale\":21"), 400, "Guidance scale must be between 0 and 20, got 21");
    post_expect(port, "/v1/jobs", with("\"guidance_scale\":7,\"steps\":1,\"width\":64,\"height\":64"), 200, NULL);
    post(port, "/v1/jobs", with("\"steps\":0,\"width\":7"), &r);
    expect(&r, 400, "\"errors\":[");
    assert_int_equal(count_of(r.body, "\"field\":"), 2);
    assert_true(position(r.body, "\"field\":\"steps\"") < position(r.body, "\"field\":\"width\""));
    reply_finish(&r);
}

static void check_24_seeds_keep_all_their_digits(void **state)
{
    (void)state;
    char *text = whole_stream(port, submit(port, with("\"seed\":18446744073709551615,\"steps\":1,\"width\":64,\"height\":64")), "", "");
    assert_non_null(strstr(text, "\"seed\":18446744073709551615,"));
    free(text);
    post_expect(port, "/v1/jobs", with("\"seed\":-1"), 400, "Failed to parse operation: ");
}

static void check_25_operations(void **state)
{
    (void)state;
    post_expect(port, "/v1/jobs", "{\"operation\":\"infer\",\"prompt\":\"x\"}", 400, "\"message\":\"Unsupported operation for SD worker: infer\"");
    post_expect(port, "/v1/jobs", "{\"operation\":\"ImageGeneration\",\"prompt\":\"x\",\"steps\":1,\"width\":64,\"height\":64}", 200, NULL);
    post_expect(port, "/v1/jobs", "null", 400, "Failed to parse operation: ");
}

/* A body with pictures; freed by the caller. */
static char *with_pictures(const char *fields, const char *image_key, const char *image, const char *mask_key, const char *mask)
{
    size_t room = strlen(image) + (mask ? strlen(mask) : 0) + 600;
    char *text = malloc(room);
    assert_non_null(text);
    int n = snprintf(text, room, "{\"prompt\":\"x\"%s%s,\"%s\":\"%s\"", *fields ? "," : "", fields, image_key, image);
    if (mask) n += snprintf(text + n, room - (size_t)n, ",\"%s\":\"%s\"", mask_key, mask);
    snprintf(text + n, room - (size_t)n, "}");
    return text;
}

static void expect_kind(const char *body, const char *kind)
{
    char target[80];
    reply r = { 0 };
    const char *id = submit(port, body);
    snprintf(target, sizeof target, "/v1/jobs/%s", id);
    get(port, target, "", &r);
    expect(&r, 200, NULL);
    assert_string_equal(value_of(r.body, "kind"), kind);
    char *text = whole_stream(port, id, "", "");
    assert_true(ends_with(text, "data: [DONE]\n\n"));
    free(text);
    reply_finish(&r);
}

static void check_26_operations_are_inferred(void **state)
{
    (void)state;
    expect_kind("{\"prompt\":\"x\",\"steps\":2,\"width\":64,\"height\":64}", "image_generation");
    char *transform = with_pictures("\"steps\":4", "image", picture_base64(64, 64), NULL, NULL);
    char *inpaint = with_pictures("\"steps\":4", "image", picture_base64(64, 64), "mask", mask_base64(64, 64));
    expect_kind(transform, "image_transform");
    expect_kind(inpaint, "image_inpaint");
    service nine = start_loaded(sdw(), ARGS("--model", tiny_inpaint_model()));
    char *text = whole_stream(nine.port, submit(nine.port, inpaint), "", "");
    assert_true(ends_with(text, "data: [DONE]\n\n"));
    assert_int_equal(stop(&nine, SIGTERM, NULL), 0);
    free(text), free(transform), free(inpaint);
}

static void check_27_transforms(void **state)
{
    (void)state;
    int width, height;
    char *body = with_pictures("\"operation\":\"image_transform\",\"steps\":20,\"strength\":0.5", "input_image", picture_base64(72, 64), NULL, NULL);
    char *text = whole_stream(port, submit(port, body), "", ""), *image = long_value_of(strstr(text, "event: complete"), "image");
    assert_non_null(strstr(text, "\"step\":11,\"total\":20,\"type\":\"progress\""));
    assert_null(strstr(text, "\"step\":10,\"total\":20,\"type\":\"progress\""));
    assert_int_equal(count_of(text, "event: progress\n"), 10);
    assert_non_null(strstr(text, "\"step\":20,\"total\":20,\"type\":\"progress\""));
    picture_size(image, &width, &height);
    assert_int_equal(width, 72);
    assert_int_equal(height, 64);
    free(body), free(text), free(image);
    body = with_pictures("\"operation\":\"image_transform\",\"steps\":8,\"strength\":0.6", "input_image", picture_base64(64, 64), NULL, NULL);
    text = whole_stream(port, submit(port, body), "", "");
    const char *first = strstr(text, "event: progress\n");
    assert_non_null(first);
    assert_string_equal(value_of(first, "step"), "5");
    free(body), free(text);

    char bare[200000], url[200000];
    snprintf(bare, sizeof bare, "%s", picture_base64(64, 64));
    snprintf(url, sizeof url, "data:image/png;base64,%.190000s", bare);
    bare[strcspn(bare, "=")] = '\0';
    const char *const forms[] = { bare, url };
    for (int i = 0; i < 2; i++) {
        body = with_pictures("\"operation\":\"image_transform\",\"steps\":2", "input_image", forms[i], NULL, NULL);
        post_expect(port, "/v1/jobs", body, 200, NULL);
        free(body);
    }
    post_expect(port, "/v1/jobs", "{\"operation\":\"image_transform\",\"prompt\":\"x\",\"input_image\":\"!!\"}", 400, "Failed to decode base64 input image");
    body = with_pictures("\"operation\":\"image_transform\",\"steps\":4,\"strength\":0.0", "input_image", picture_base64(64, 64), NULL, NULL);
    text = whole_stream(port, submit(port, body), "", "");
    assert_int_equal(count_of(text, "event: progress\n"), 0); /* no step is left: the picture comes back re-encoded, and that is told */
    assert_non_null(strstr(text, "event: narration\n"));
    assert_non_null(strstr(text, "\"action\":\"warning\""));
    assert_true(ends_with(text, "data: [DONE]\n\n"));
    free(body), free(text);
}

/* A valid body of at least `size` bytes: blanks are JSON. */
static char *padded(size_t size, const char *rest)
{
    char *text = malloc(size + strlen(rest) + 2);
    assert_non_null(text);
    memset(text, ' ', size);
    text[0] = '{';
    strcpy(text + size, rest + 1);
    return text;
}

static void expect_413(const char *head, const char *body, bool chunked)
{
    reply r = { 0 };
    int fd = client_open(port);
    size_t size = strlen(body);
    char text[300];
    snprintf(text, sizeof text, chunked ? "%sTransfer-Encoding: chunked\r\n\r\n" : "%sContent-Length: %zu\r\n\r\n", head, size);
    client_text(fd, text);
    for (size_t at = 0; at < size;) { /* everything is sent before the answer is read */
        size_t n = size - at < 65536 ? size - at : 65536;
        if (chunked) snprintf(text, sizeof text, "%zx\r\n", n), client_text(fd, text);
        if (!client_send(fd, body + at, n)) break;
        if (chunked) client_text(fd, "\r\n");
        at += n;
    }
    if (chunked) client_text(fd, "0\r\n\r\n");
    client_reply(fd, false, 10, &r);
    expect(&r, 413, "Failed to buffer the request body");
    client_close(fd);
    reply_finish(&r);
}

static void check_28_large_bodies(void **state)
{
    (void)state;
    static const char head[] = "POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n";
    char *body = with_pictures("\"steps\":1", "image", picture_base64(64, 64), NULL, NULL), *large = padded((size_t)3 << 20, body);
    post_expect(port, "/v1/jobs", large, 200, NULL);
    free(large);
    large = padded((size_t)9 << 20, body);
    expect_413(head, large, false);
    expect_413(head, large, true);
    free(large), free(body);
    post_expect(port, "/v1/jobs", gen(1), 200, NULL);
}

static void check_29_the_oldest_generation_answers_in_the_post(void **state)
{
    (void)state;
    static const char request[] = "POST /execute HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 63\r\n\r\n"
                                  "{\"prompt\":\"x\",\"steps\":3,\"width\":64,\"height\":64,\"seed\":1      }  ";
    stream j = open_raw(port, request);
    stream_end(&j, 30);
    assert_int_equal(j.status, 200);
    assert_non_null(strcasestr(j.head, "text/event-stream"));
    assert_memory_equal(j.text, "event: progress\ndata: {\"step\":1,\"total_steps\":3,\"percent\":33.3}\n\n", 65);
    assert_int_equal(count_of(j.text, "event: progress\n"), 3);
    const char *complete = strstr(j.text, "event: complete\ndata: {\"image\":\"iVBOR");
    assert_non_null(complete);
    assert_string_equal(value_of(complete, "seed"), "1");
    assert_non_null(strstr(complete, "\"elapsed_ms\":"));
    assert_null(strstr(j.text, "[DONE]"));
    assert_int_equal(count_of(j.text, "event: "), 4);
    close_stream(&j);
    post_expect(port, "/execute", "{\"steps\":3}", 400, "missing field `prompt`");
    post_expect(port, "/img2img", "{\"prompt\":\"x\"}", 400, "missing field `image`");
    post_expect(port, "/inpaint", "{\"prompt\":\"x\"}", 400, "missing field `image`");
}

static void check_30_inference_is_the_same_route(void **state)
{
    (void)state;
    static const char *const targets[] = { "/v1/inference", "/v1/infer" };
    for (int i = 0; i < 2; i++) {
        reply r = { 0 };
        char target[96];
        post(port, targets[i], gen(2), &r);
        expect(&r, 200, "\"sse_url\":\"/v1/jobs/");
        snprintf(target, sizeof target, "/v1/inference/%s/stream", value_of(r.body, "job_id"));
        stream j = open_stream(port, target, "Accept: */*\r\n");
        assert_true(ends_with(stream_end(&j, 30), "data: [DONE]\n\n"));
        close_stream(&j);
        reply_finish(&r);
    }
    post_expect(port, "/v1/inference", "{\"prompt\":\"x\",\"max_tokens\":5,\"temperature\":0.7,\"top_p\":1,\"top_k\":4,\"steps\":1,\"width\":64,\"height\":64}", 200, NULL);
}

static void several_pictures_have_seeds_that_follow_each_other(void **state)
{
    (void)state;
    char *text = whole_stream(port, submit(port, with("\"num_samples\":2,\"seed\":18446744073709551615,\"steps\":2,\"width\":64,\"height\":64")), "", "");
    assert_non_null(strstr(text, "\"seeds\":[18446744073709551615,0]"));
    assert_int_equal(count_of(text, "event: progress\n"), 2);
    assert_non_null(strstr(text, "\"images\":[\"iVBOR"));
    free(text);
    post_expect(port, "/v1/jobs", with("\"num_samples\":9"), 400, "Number of samples must be between 1 and 8, got 9");
}

static void a_prompt_that_is_too_long_for_one_chunk_is_told(void **state)
{
    (void)state;
    char prompt[400] = "";
    for (int i = 0; i < 90; i++) strcat(prompt, "a ");
    char *text = whole_stream(port, submit(port, gen_prompt(1, prompt)), "", "");
    assert_non_null(strstr(text, "\"action\":\"warning\""));
    assert_true(ends_with(text, "data: [DONE]\n\n"));
    free(text);
}

static void check_42_narration_and_the_page(void **state)
{
    (void)state;
    reply r = { 0 };
    char *text = whole_stream(port, submit(port, with("\"steps\":1,\"width\":64,\"height\":64,\"what\":1")), "", "");
    const char *at = text;
    int warnings = 0;
    for (int n = 0; (at = strstr(at, "event: narration\n")); n++, at++) {
        assert_true(*value_of(at, "actor") && *value_of(at, "action") && *value_of(at, "human"));
        assert_true(*value_of(at, "job_id") && *value_of(at, "formatted"));
        warnings += !strcmp(value_of(at, "human"), "Unknown fields were ignored: what");
    }
    assert_int_equal(warnings, 1);
    free(text);
    get(port, "/", "", &r);
    expect(&r, 200, "<html");
    assert_non_null(strstr(reply_header(&r, "content-type"), "text/html"));
    assert_string_equal(reply_header(&r, "x-frame-options"), "");
    assert_non_null(strstr(reply_header(&r, "content-security-policy"), "frame-ancestors 'self' http://localhost:* http://127.0.0.1:* tauri:"));
    char etag[128], header[160];
    snprintf(etag, sizeof etag, "%s", reply_header(&r, "etag"));
    assert_true(strlen(etag) > 10);
    snprintf(header, sizeof header, "If-None-Match: %s\r\n", etag);
    get(port, "/", header, &r);
    assert_int_equal(r.status, 304);
    reply_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_08_alphabetical_keys_are_accepted),
        cmocka_unit_test(check_09_a_stream_has_every_step_and_the_previews),
        cmocka_unit_test(check_10_bytes_are_exact_with_and_without_ids),
        cmocka_unit_test(check_11_complete_holds_a_png),
        cmocka_unit_test(check_12_the_same_request_gives_the_same_picture),
        cmocka_unit_test(check_13_a_drawn_seed_is_told_and_repeats),
        cmocka_unit_test(check_14_the_first_generations_bytes),
        cmocka_unit_test(check_15_replay_begins_where_the_client_says),
        cmocka_unit_test(check_16_a_late_reader_gets_everything),
        cmocka_unit_test(check_21_what_is_no_json),
        cmocka_unit_test(check_22_steps),
        cmocka_unit_test(check_23_ranges_and_lists_of_errors),
        cmocka_unit_test(check_24_seeds_keep_all_their_digits),
        cmocka_unit_test(check_25_operations),
        cmocka_unit_test(check_26_operations_are_inferred),
        cmocka_unit_test(check_27_transforms),
        cmocka_unit_test(check_28_large_bodies),
        cmocka_unit_test(check_29_the_oldest_generation_answers_in_the_post),
        cmocka_unit_test(check_30_inference_is_the_same_route),
        cmocka_unit_test(several_pictures_have_seeds_that_follow_each_other),
        cmocka_unit_test(a_prompt_that_is_too_long_for_one_chunk_is_told),
        cmocka_unit_test(check_42_narration_and_the_page),
    };
    return cmocka_run_group_tests(tests, start_service, stop_service);
}
