/* Starting: names, flags, exit codes, and what answers before the model is there. Acceptance checks 1 to 7. */
#include "service/harness.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static char out[8192], err[8192];

/* A port that was free a moment ago. */
static const char *free_port(void)
{
    static char text[8];
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    close(fd);
    snprintf(text, sizeof text, "%d", ntohs(a.sin_port));
    return text;
}

static void check_01_build_info_is_one_word(void **state)
{
    (void)state;
#ifdef NDEBUG
    const char *word = "release\n";
#else
    const char *word = "debug\n";
#endif
    assert_int_equal(run(sdw(), ARGS("--build-info"), NO_ENV, out, err, sizeof out), 0);
    assert_string_equal(out, word);
    assert_int_equal(run(sdw(), ARGS("--nonsense", "--build-info", "--port", "x"), NO_ENV, out, err, sizeof out), 0);
    assert_string_equal(out, word);
}

static void check_02_usage_errors_exit_2_and_unknown_versions_1(void **state)
{
    (void)state;
    assert_int_equal(run(sdw(), ARGS("--nonsense"), NO_ENV, out, err, sizeof out), 2);
    assert_int_equal(run(sdw(), ARGS("--port", "0"), NO_ENV, out, err, sizeof out), 2);
    assert_non_null(strstr(err, "no model given"));
    assert_int_equal(run(sdw(), ARGS("--sd-version", "bogus", "--port", "0"), NO_ENV, out, err, sizeof out), 1);
    assert_non_null(strstr(err, "Error: Invalid input: Unknown SD version: bogus. Supported: v1-5,"));
    assert_int_equal(run(sdw(), ARGS("serve", "--port", "0"), ARGS("USE_F16=maybe"), out, err, sizeof out), 2);
    assert_non_null(strstr(err, "USE_F16: 'maybe' given, want true, false, 1, 0, yes or no"));
    assert_int_equal(run(sdw(), ARGS("serve", "--port", "0"), ARGS("PORT=70000", "SDW_MAX_QUEUE=0"), out, err, sizeof out), 2);
    assert_non_null(strstr(err, "SDW_MAX_QUEUE: '0' given"));
    assert_int_equal(run(sdw(), ARGS("serve", "--bind-addr", "192.0.2.1", "--port", "0"), NO_ENV, out, err, sizeof out), 1);
    assert_int_equal(run(sdw(), ARGS("--help"), NO_ENV, out, err, sizeof out), 0);
    assert_int_equal(run(sdw(), ARGS("--version"), NO_ENV, out, err, sizeof out), 0);
}

/* Does the process show these words in its argument vector, one after the other? */
static bool shows(const service *s, const char *one, const char *two)
{
    char path[64], words[4096];
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)s->pid);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t size = fread(words, 1, sizeof words, f), n = strlen(one) + 1, k = strlen(two) + 1;
    fclose(f);
    for (size_t i = 0; i + n + k <= size; i++)
        if (!memcmp(words + i, one, n) && !memcmp(words + i + n, two, k)) return true;
    return false;
}

static void check_03_a_hive_starts_it_by_its_own_name(void **state)
{
    (void)state;
    const char *port = free_port(), *model = tiny_model();
    service s = start_as(sdw(), "worker-cpu-8080", ARGS("--worker-id", "worker-cpu-8080", "--model", model, "--device", "0", "--port", port,
                         "--queen-url", "http://127.0.0.1:9"), NO_ENV);
    reply r = { 0 };
    assert_int_equal(s.port, atoi(port));
    wait_ready(&s);
    assert_true(shows(&s, "--model", model));
    get(s.port, "/info", "", &r);
    expect(&r, 200, "\"id\":\"worker-cpu-8080\"");
    assert_string_equal(value_of(r.body, "model_id"), model);
    assert_string_equal(value_of(r.body, "device"), "cpu:0");
    assert_string_equal(value_of(r.body, "status"), "ready");
    assert_int_equal(stop(&s, SIGTERM, NULL), 0);
    reply_finish(&r);
}

static void check_04_flags_of_both_generations_start_it(void **state)
{
    (void)state;
    char where[128];
    snprintf(where, sizeof where, "SD_MODEL_V1_5=%s", tiny_model());
    reply r = { 0 };
    service s = start_as(sdw(), NULL, ARGS("--worker-id", "W", "--sd-version", "v1-5", "--port", "0", "--callback-url", "http://127.0.0.1:9/x",
                         "--use-f16"), ARGS(where));
    wait_ready(&s);
    get(s.port, "/info", "", &r);
    expect(&r, 200, "\"model_id\":\"stable-diffusion-v1-5\"");
    assert_int_equal(stop(&s, SIGTERM, NULL), 0);
    s = start_as(sdw(), NULL, ARGS("--model", "sd-v1-5", "--port=0", "--bind-addr", "127.0.0.1"), ARGS(where));
    wait_ready(&s);
    get(s.port, "/info", "", &r);
    expect(&r, 200, "\"model_id\":\"sd-v1-5\"");
    assert_int_equal(stop(&s, SIGINT, NULL), 0);
    reply_finish(&r);
}

static void check_05_everything_answers_while_the_model_loads(void **state)
{
    (void)state;
    service s = start(sdw_fake(), ARGS("--model-path", fake_model("fake hold-load")));
    reply r = { 0 };
    get(s.port, "/", "", &r);
    expect(&r, 200, "<!doctype html>");
    get(s.port, "/health", "", &r);
    expect(&r, 200, "\"status\":\"healthy\"");
    get(s.port, "/ready", "", &r);
    expect(&r, 503, "\"ready\":false,\"reason\":\"model loading\"");
    get(s.port, "/v1/ready", "", &r);
    expect(&r, 200, "{\"ready\":false,\"state\":\"loading\",\"progress_url\":\"/v1/loading/progress\"}");
    stream loading = open_stream(s.port, "/v1/loading/progress", "");
    assert_true(stream_until(&loading, "data: {\"stage\":\"loading_to_vram\"", 10));
    const char *id = submit(s.port, gen(4));
    post_expect(s.port, "/v1/jobs", gen(0), 400, "Steps must be between 1 and 150");
    kill(s.pid, SIGUSR1);
    char *text = whole_stream(s.port, id, "", "");
    assert_true(ends_with(text, "data: [DONE]\n\n"));
    free(text);
    assert_true(ends_with(stream_end(&loading, 10), "data: {\"stage\":\"ready\"}\n\ndata: [DONE]\n\n"));
    close_stream(&loading);
    get(s.port, "/v1/loading/progress", "", &r);
    expect(&r, 503, "Model not loading");
    assert_int_equal(stop(&s, SIGTERM, NULL), 0);
    reply_finish(&r);
}

static void a_model_that_cannot_be_loaded_ends_the_program_and_its_streams(void **state)
{
    (void)state;
    service s = start(sdw_fake(), ARGS("--model-path", fake_model("fake fail-load load-ms=400")));
    const char *id = submit(s.port, gen(4));
    stream job = open_job(s.port, id, "");
    assert_true(stream_until(&job, "event: error", 10));
    stream_end(&job, 10);
    assert_non_null(strstr(job.text, "\"code\":\"MODEL_LOAD_FAILED\""));
    assert_non_null(strstr(job.text, "\n\ndata: [ERROR] "));
    close_stream(&job);
    assert_int_equal(stop(&s, 0, NULL), 1);
    char *log = read_file(s.log);
    assert_non_null(strstr(log, "Error: "));
    free(log);
}

static void check_06_ready_and_health_have_their_forms(void **state)
{
    (void)state;
    service s = start_loaded(sdw(), ARGS("--model", tiny_model()));
    reply r = { 0 };
    get(s.port, "/ready", "", &r);
    expect(&r, 200, "\"ready\":true");
    assert_string_equal(value_of(r.body, "state"), "idle");
    assert_string_equal(value_of(r.body, "model_loaded"), "true");
    get(s.port, "/health", "", &r);
    expect(&r, 200, "\"status\":\"healthy\"");
    const char *time = value_of(r.body, "timestamp");
    assert_int_equal(strlen(time), strlen("2025-11-03T21:00:00.123456789+00:00"));
    assert_true(ends_with(time, "+00:00"));
    assert_string_equal(value_of(r.body, "model_version"), "v1-5");
    get(s.port, "/v1/ready", "", &r);
    expect(&r, 200, "{\"ready\":true,\"state\":\"idle\",\"model_loaded\":true}");
    assert_null(strstr(r.body, "progress_url"));
    assert_int_equal(stop(&s, SIGTERM, NULL), 0);
    reply_finish(&r);
}

static void check_07_unknown_paths_and_wrong_methods(void **state)
{
    (void)state;
    service s = start(sdw_fake(), ARGS("--model-path", fake_model("fake")));
    reply r = { 0 };
    get(s.port, "/nope", "", &r);
    expect(&r, 404, NULL);
    assert_int_equal(r.body_size, 0);
    ask_for(s.port, "PUT", "/health", "", "", &r);
    expect(&r, 405, NULL);
    assert_int_equal(r.body_size, 0);
    assert_non_null(strstr(reply_header(&r, "allow"), "GET"));
    ask_for(s.port, "HEAD", "/health", "", NULL, &r);
    assert_int_equal(r.status, 200);
    assert_int_equal(stop(&s, SIGTERM, NULL), 0);
    reply_finish(&r);
}

static void the_three_places_of_an_option_have_an_order(void **state)
{
    (void)state;
    FILE *f = fopen("sdw.conf", "w");
    assert_non_null(f);
    fprintf(f, "# a comment\n\nworker-id = of the file\nmax-queue=7\n  preview-every = 3 \ncors-origin = http://a.example\ncors-origin = http://b.example\n"
               "model-path = nowhere\n");
    fclose(f);
    service s = start_env(sdw_fake(), ARGS("--model", fake_model("fake"), "--config", "sdw.conf", "--max-queue", "9"),
                          ARGS("WORKER_ID=of the environment", "SDW_MAX_QUEUE=8", "MODEL_PATH=/nowhere"));
    reply r = { 0 };
    get(s.port, "/health", "", &r);
    expect(&r, 200, "\"worker_id\":\"of the environment\"");
    get(s.port, "/v1/capabilities", "Origin: http://b.example\r\n", &r);
    expect(&r, 200, "\"max_queue\":9");
    assert_string_equal(reply_header(&r, "access-control-allow-origin"), "http://b.example");
    assert_int_equal(stop(&s, SIGTERM, NULL), 0);
    reply_finish(&r);
    f = fopen("bad.conf", "w");
    fprintf(f, "port = 0\nnonsense = 1\n");
    fclose(f);
    assert_int_equal(run(sdw(), ARGS("serve", "--config", "bad.conf"), NO_ENV, out, err, sizeof out), 2);
    assert_non_null(strstr(err, "bad.conf:2: 'nonsense' is no option"));
    f = fopen("bad.conf", "w");
    fprintf(f, "port = 99999\n");
    fclose(f);
    assert_int_equal(run(sdw(), ARGS("serve", "--config", "bad.conf"), NO_ENV, out, err, sizeof out), 2);
    assert_non_null(strstr(err, "bad.conf:1: port: '99999' given"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_01_build_info_is_one_word),
        cmocka_unit_test(check_02_usage_errors_exit_2_and_unknown_versions_1),
        cmocka_unit_test(check_03_a_hive_starts_it_by_its_own_name),
        cmocka_unit_test(check_04_flags_of_both_generations_start_it),
        cmocka_unit_test(check_05_everything_answers_while_the_model_loads),
        cmocka_unit_test(a_model_that_cannot_be_loaded_ends_the_program_and_its_streams),
        cmocka_unit_test(check_06_ready_and_health_have_their_forms),
        cmocka_unit_test(check_07_unknown_paths_and_wrong_methods),
        cmocka_unit_test(the_three_places_of_an_option_have_an_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
