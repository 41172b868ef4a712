/* Probes, slots, props and metrics against the real worker with an executor that needs no weights. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "fake/fake.h"
#include "server/client.h"
#include "server/prom.h"
#include "server/server.h"

static sdw_worker *worker;
static sdw_waker *waker;
static sdw_server *server;
static int port, slots = 2;

static void start(const char *model, const sdw_server_options *o)
{
    sdw_error err = { 0 };
    waker = sdw_waker_create();
    sdw_worker_options w = { .engine = { .model = model }, .executor = &fake_executor, .batch_max = slots, .wake = sdw_waker_wake, .wake_ctx = waker };
    if (sdw_worker_open(&w, &worker, &err) != SDW_OK) fail_msg("worker: %s", err.text);
    sdw_server_options own = o ? *o : (sdw_server_options){ 0 };
    own.worker = worker;
    own.waker = waker;
    own.routes = sdw_server_routes;
    if (sdw_server_start(&own, &server, &err) != SDW_OK) fail_msg("server: %s", err.text);
    port = sdw_server_port(server);
}

static void stop(void)
{
    sdw_server_stop(server, 1);
    sdw_worker_close(worker);
    sdw_waker_free(waker);
}

static int get(const char *target, reply *r)
{
    ask_for(port, "GET", target, "", NULL, r);
    return r->status;
}

static void wait_until(const char *target, int status)
{
    reply r = { 0 };
    double until = now_s() + 60;
    while (get(target, &r) != status && now_s() < until) { }
    assert_int_equal(r.status, status);
    reply_finish(&r);
}

static sdw_job_id submit(const char *prompt)
{
    sdw_job_request q = { .preview_every = 0 };
    sdw_job_id id;
    sdw_error err = { 0 };
    sdw_params_init(&q.params);
    q.params.prompt = prompt;
    q.params.width = q.params.height = 64;
    q.params.steps = 4;
    if (sdw_worker_submit(worker, &q, &id, NULL, &err) != SDW_OK) fail_msg("submit: %s", err.text);
    return id;
}

static void probes_tell_loading_ready_and_draining(void **state)
{
    (void)state;
    reply r = { 0 };
    start("fake hold-load", NULL);
    assert_int_equal(get("/livez", &r), 200);
    assert_int_equal(get("/readyz", &r), 503);
    assert_string_equal(r.body, "{\"status\":\"unavailable\",\"reasons\":[\"model loading\"]}");
    assert_int_equal(get("/startupz", &r), 503);
    assert_int_equal(get("/v1/health", &r), 503);
    assert_string_equal(r.body, "{\"error\":{\"code\":503,\"message\":\"Loading model\",\"type\":\"unavailable_error\"}}");
    fake_wait_held();
    fake_release();
    wait_until("/readyz", 200);
    assert_int_equal(get("/readyz?verbose", &r), 200);
    assert_non_null(strstr(r.body, "\"model\":\"fake hold-load\",\"state\":\"idle\",\"draining\":false,\"queued\":0,\"running\":0"));
    assert_int_equal(get("/v1/health", &r), 200);
    assert_string_equal(r.body, "{\"status\":\"ok\"}");
    assert_int_equal(get("/startupz", &r), 200);
    sdw_server_drain(server);
    assert_int_equal(get("/readyz", &r), 503);
    assert_non_null(strstr(r.body, "shutting down"));
    assert_int_equal(get("/livez", &r), 200);
    reply_finish(&r);
    stop();
}

static void probes_need_no_key_and_numbers_do(void **state)
{
    (void)state;
    reply r = { 0 };
    start("fake", &(sdw_server_options){ .api_key = "k" });
    static const char *const open[] = { "/livez", "/health", "/openapi.json", "/docs" };
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++) assert_int_equal(get(open[i], &r), 200);
    static const char *const closed[] = { "/metrics", "/slots", "/props" };
    for (size_t i = 0; i < sizeof closed / sizeof closed[0]; i++) assert_int_equal(get(closed[i], &r), 401);
    reply_finish(&r);
    stop();
}

static void slots_show_what_runs(void **state)
{
    (void)state;
    reply r = { 0 };
    start("fake", NULL);
    wait_until("/readyz", 200);
    assert_int_equal(get("/slots?fail_on_no_slot=1", &r), 200);
    assert_non_null(strstr(r.body, "[{\"id\":0,\"id_task\":null,\"is_processing\":false,\"params\":{}},{\"id\":1,"));
    sdw_job_id a = submit("a cat hold-at=2");
    assert_true(fake_wait_held());
    assert_int_equal(get("/slots?fail_on_no_slot=1", &r), 200); /* one is free */
    yyjson_doc *doc = yyjson_read(r.body, r.body_size, 0);
    yyjson_val *busy = yyjson_arr_get(yyjson_doc_get_root(doc), 0), *idle = yyjson_arr_get(yyjson_doc_get_root(doc), 1);
    assert_int_equal(yyjson_arr_size(yyjson_doc_get_root(doc)), 2);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(busy, "id_task")), a.text);
    assert_true(yyjson_is_true(yyjson_obj_get(busy, "is_processing")));
    assert_int_equal(yyjson_get_int(yyjson_obj_get(yyjson_obj_get(busy, "params"), "steps")), 4);
    assert_true(yyjson_is_false(yyjson_obj_get(idle, "is_processing")));
    yyjson_doc_free(doc);
    sdw_worker_cancel(worker, &a, NULL);
    fake_release();
    stop();
    slots = 1;
    start("fake", NULL);
    slots = 2;
    wait_until("/readyz", 200);
    a = submit("a cat hold-at=2");
    assert_true(fake_wait_held());
    assert_int_equal(get("/slots?fail_on_no_slot=1", &r), 503);
    assert_non_null(strstr(r.body, "no slot available"));
    assert_int_equal(get("/slots?fail_on_no_slot=0", &r), 200);
    sdw_worker_cancel(worker, &a, NULL);
    fake_release();
    stop();
    start("fake", &(sdw_server_options){ .no_slots = true, .no_metrics = true });
    assert_int_equal(get("/slots", &r), 501);
    assert_non_null(strstr(r.body, "not_supported_error"));
    assert_int_equal(get("/metrics", &r), 501);
    reply_finish(&r);
    stop();
}

static void props_name_the_model_and_no_path(void **state)
{
    (void)state;
    reply r = { 0 };
    start("/some/where/fake", NULL);
    wait_until("/readyz", 200);
    assert_int_equal(get("/props", &r), 200);
    yyjson_doc *doc = yyjson_read(r.body, r.body_size, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(root, "model_path")), "fake");
    assert_int_equal(yyjson_get_int(yyjson_obj_get(root, "total_slots")), 2);
    assert_true(yyjson_get_int(yyjson_obj_get(yyjson_obj_get(root, "default_generation_settings"), "steps")) > 0);
    assert_null(strstr(r.body, "/some"));
    yyjson_doc_free(doc);
    ask_for(port, "POST", "/props", "", "{}", &r);
    assert_int_equal(r.status, 405);
    reply_finish(&r);
    stop();
}

/* ---- metrics ---- */

/* The value of the series that begins with exactly this text; -1 if there is none. */
static double value_of(const char *text, const char *series)
{
    size_t size = strlen(series);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, series, size) == 0 && line[size] == ' ') return atof(line + size + 1);
    }
    return -1;
}

/* Families are announced once and in one piece, every line is whole. */
static void check_form(const char *text)
{
    char family[128] = "", seen[16384] = "\n";
    assert_int_equal(text[strlen(text) - 1], '\n');
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        char name[128], word[160];
        if (sscanf(line, "# HELP %127s", name) == 1) {
            snprintf(word, sizeof word, "\n%s\n", name);
            if (strstr(seen, word)) fail_msg("%s stands twice", name);
            snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s\n", name);
            snprintf(family, sizeof family, "%s", name);
        } else if (sscanf(line, "# TYPE %127s", name) == 1) {
            assert_string_equal(name, family);
        } else if (*line != '#') {
            assert_true(strncmp(line, family, strlen(family)) == 0);
            const char *end = strchr(line, '\n'), *space = memrchr(line, ' ', (size_t)(end - line));
            char *rest;
            strtod(space + 1, &rest);
            assert_ptr_equal(rest, end);
        }
    }
}

/* Every family of the specification, but those of a GPU, which there is none of here. */
static void every_family_is_there(const char *text)
{
    static const char *const family[] = {
        "sdw_build_info gauge", "sdw_http_requests_total counter", "sdw_http_request_duration_seconds histogram", "sdw_jobs_total counter",
        "sdw_job_queue_duration_seconds histogram", "sdw_job_run_duration_seconds histogram", "sdw_stage_duration_seconds histogram",
        "sdw_denoise_steps_total counter", "sdw_images_total counter", "sdw_pixels_total counter", "sdw_queue_depth gauge", "sdw_queue_capacity gauge",
        "sdw_jobs_running gauge", "sdw_slots gauge", "sdw_model_loaded gauge", "sdw_model_load_duration_seconds gauge", "sdw_model_memory_bytes gauge",
        "sdw_hub_download_bytes_total counter", "sdw_cache_hits_total counter", "sdw_preview_frames_total counter", "process_cpu_seconds_total counter",
        "process_resident_memory_bytes gauge", "process_virtual_memory_bytes gauge", "process_open_fds gauge", "process_max_fds gauge",
        "process_start_time_seconds gauge",
    };
    for (size_t i = 0; i < sizeof family / sizeof *family; i++) {
        char line[128];
        snprintf(line, sizeof line, "# TYPE %s\n", family[i]);
        if (!strstr(text, line)) fail_msg("no family %s", family[i]);
    }
}

static void metrics_count_requests_jobs_and_the_process(void **state)
{
    (void)state;
    reply r = { 0 };
    start("fake", NULL);
    wait_until("/readyz", 200);
    sdw_job_id good = submit("a cat"), bad = submit("a cat fail-at=2");
    double until = now_s() + 10;
    sdw_worker_stats stats = { 0 };
    while (stats.jobs[SDW_JOB_GENERATION][0] + stats.jobs[SDW_JOB_GENERATION][1] < 2 && now_s() < until) sdw_worker_stats_of(worker, &stats);
    (void)good, (void)bad;
    get("/livez", &r);
    get("/livez", &r);
    get("/nope", &r);
    assert_int_equal(get("/metrics", &r), 200);
    assert_string_equal(reply_header(&r, "content-type"), "text/plain; version=0.0.4; charset=utf-8");
    check_form(r.body);
    every_family_is_there(r.body);
    assert_true(value_of(r.body, "sdw_hub_download_bytes_total") == 0);
    assert_true(value_of(r.body, "sdw_cache_hits_total{cache=\"model\"}") == 2);
    assert_true(value_of(r.body, "sdw_cache_hits_total{cache=\"text_embed\"}") == 0);
    assert_true(value_of(r.body, "sdw_jobs_total{kind=\"generation\",outcome=\"completed\"}") == 1);
    assert_true(value_of(r.body, "sdw_jobs_total{kind=\"generation\",outcome=\"failed\"}") == 1);
    assert_true(value_of(r.body, "sdw_images_total{kind=\"generation\",model=\"fake\"}") == 1);
    assert_true(value_of(r.body, "sdw_job_run_duration_seconds_count{kind=\"generation\",model=\"fake\"}") == 2);
    assert_true(value_of(r.body, "sdw_job_run_duration_seconds_bucket{kind=\"generation\",model=\"fake\",le=\"+Inf\"}") == 2);
    assert_true(value_of(r.body, "sdw_job_queue_duration_seconds_count") == 2);
    assert_true(value_of(r.body, "sdw_stage_duration_seconds_count{stage=\"denoise\"}") >= 4);
    assert_true(value_of(r.body, "sdw_stage_duration_seconds_count{stage=\"load\"}") == 1);
    assert_true(value_of(r.body, "sdw_http_requests_total{route=\"/livez\",method=\"GET\",code=\"200\"}") == 2);
    assert_true(value_of(r.body, "sdw_http_requests_total{route=\"none\",method=\"other\",code=\"404\"}") == 1);
    assert_true(value_of(r.body, "sdw_http_request_duration_seconds_count{route=\"/livez\"}") == 2);
    assert_true(value_of(r.body, "sdw_slots") == 2);
    assert_true(value_of(r.body, "sdw_queue_capacity") == 128);
    assert_true(value_of(r.body, "process_open_fds") > 5);
    assert_true(value_of(r.body, "process_resident_memory_bytes") > 1e6);
    assert_true(value_of(r.body, "process_start_time_seconds") > 1.6e9);
    assert_null(strstr(r.body, "a cat"));
    ask_for(port, "GET", "/metrics", "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n", NULL, &r);
    assert_string_equal(reply_header(&r, "content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert_non_null(strstr(r.body, "# TYPE sdw_jobs counter\n"));
    assert_string_equal(r.body + r.body_size - 6, "# EOF\n");
    reply_finish(&r);
    stop();
}

static void the_text_format_is_escaped_and_cumulative(void **state)
{
    (void)state;
    sdw_buf out = { 0 };
    sdw_prom p = { .out = &out };
    sdw_prom_family(&p, "x_total", SDW_PROM_COUNTER, "Help.");
    sdw_prom_labels(&p, "a", "q\"b\\c\nd", "b", "", NULL);
    sdw_prom_count(&p, 18446744073709551615u);
    sdw_prom_value(&p, 0.25); /* labels hold for one value */
    sdw_prom_family(&p, "h", SDW_PROM_HISTOGRAM, "Help.");
    sdw_prom_labels(&p, "k", "v", NULL);
    sdw_prom_histogram(&p, (double[]){ .5, 2 }, 2, (uint64_t[]){ 3, 0, 4 }, 17.5);
    sdw_prom_finish(&p);
    assert_string_equal(out.data,
                        "# HELP x_total Help.\n# TYPE x_total counter\nx_total{a=\"q\\\"b\\\\c\\nd\",b=\"\"} 18446744073709551615\nx_total 0.25\n"
                        "# HELP h Help.\n# TYPE h histogram\nh_bucket{k=\"v\",le=\"0.5\"} 3\nh_bucket{k=\"v\",le=\"2\"} 3\n"
                        "h_bucket{k=\"v\",le=\"+Inf\"} 7\nh_sum{k=\"v\"} 17.5\nh_count{k=\"v\"} 7\n");
    sdw_buf_finish(&out);
}

static void a_label_that_is_too_long_stays_closed(void **state)
{
    (void)state;
    sdw_buf out = { 0 };
    sdw_prom p = { .out = &out };
    char text[2000];
    memset(text, '"', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    sdw_prom_family(&p, "x", SDW_PROM_GAUGE, "Help.");
    sdw_prom_labels(&p, "a", text, "b", text, NULL);
    sdw_prom_count(&p, 1);
    assert_string_equal(out.data + out.size - 5, "\"} 1\n");
    assert_true(out.size < 700);
    sdw_buf_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probes_tell_loading_ready_and_draining),
        cmocka_unit_test(probes_need_no_key_and_numbers_do),
        cmocka_unit_test(slots_show_what_runs),
        cmocka_unit_test(props_name_the_model_and_no_path),
        cmocka_unit_test(metrics_count_requests_jobs_and_the_process),
        cmocka_unit_test(the_text_format_is_escaped_and_cumulative),
        cmocka_unit_test(a_label_that_is_too_long_stays_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
