/* A model by its name: fetched while the service answers already. The hub is a fake one on loopback that serves a small
 * random model. */
#include "service/harness.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "fake_hub/fake_hub.h"

static fake_hub *hub;
static char endpoint[128], home[256], cache[300];

static int start_hub(void **state)
{
    (void)state;
    char command[600];
    tiny_model();
    snprintf(command, sizeof command, "rm -rf hub-root home && mkdir -p hub-root/org home && cp -r tiny-sd15 hub-root/org/tiny && cp -r tiny-sd15 hub-root/org/other");
    assert_int_equal(system(command), 0);
    hub = fake_hub_start(&(fake_hub_options){ 0 });
    fake_hub_add_folder(hub, "hub-root");
    snprintf(endpoint, sizeof endpoint, "HF_ENDPOINT=%s", fake_hub_url(hub));
    char *here = realpath("home", NULL);
    assert_non_null(here);
    snprintf(home, sizeof home, "HOME=%s", here);
    snprintf(cache, sizeof cache, "HF_HOME=%s/hf", here);
    free(here);
    return 0;
}

static int stop_hub(void **state)
{
    (void)state;
    fake_hub_stop(hub);
    return 0;
}

/* Of all files below it. */
static long long bytes_below(const char *folder)
{
    char command[200];
    long long bytes = 0;
    snprintf(command, sizeof command, "find %s -type f -printf '%%s\n' | awk '{ n += $1 } END { print n }'", folder);
    FILE *f = popen(command, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%lld", &bytes), 1);
    pclose(f);
    return bytes;
}

static service serve(const char *const *args)
{
    return start_env(sdw(), args, ARGS(endpoint, home, cache));
}

static void a_model_is_fetched_while_the_service_answers(void **state)
{
    (void)state;
    const fake_rule slow = { .host = FAKE_FILES, .trickle_ms = 60, .trickle_bytes = 131072 };
    reply r = { 0 };
    fake_hub_rule(hub, &slow);
    service s = serve(ARGS("--model", "org/tiny"));
    get(s.port, "/ready", "", &r);
    expect(&r, 503, "\"reason\":\"model loading\"");
    get(s.port, "/v1/models", "", &r);
    expect(&r, 200, "{\"id\":\"org/tiny\",\"object\":\"model\",");
    stream loading = open_stream(s.port, "/v1/loading/progress", "");
    const char *id = submit(s.port, gen(2));
    stream_end(&loading, 60);
    assert_non_null(strstr(loading.text, "data: {\"stage\":\"downloading\",\"file\":\""));
    assert_non_null(strstr(loading.text, "\"bytes_total\":"));
    assert_true(ends_with(loading.text, "data: {\"stage\":\"ready\"}\n\ndata: [DONE]\n\n"));
    char *text = whole_stream(s.port, id, "", "");
    assert_true(ends_with(text, "data: [DONE]\n\n"));
    get(s.port, "/info", "", &r);
    assert_string_equal(value_of(r.body, "model_id"), "org/tiny");
    get(s.port, "/metrics", "", &r);
    const char *total = strstr(r.body, "\nsdw_hub_download_bytes_total ");
    assert_non_null(total);
    assert_true(strtoll(total + 30, NULL, 10) == bytes_below("home/hf/hub/models--org--tiny/blobs"));
    close_stream(&loading);
    free(text);
    assert_int_equal(stop(&s, SIGTERM, NULL), 0);
    reply_finish(&r);
}

static void a_model_that_nobody_has_ends_the_program(void **state)
{
    (void)state;
    service s = serve(ARGS("--model", "org/nowhere"));
    assert_int_equal(stop(&s, 0, NULL), 1);
    char *log = read_file(s.log);
    assert_non_null(strstr(log, "Error: "));
    assert_non_null(strstr(log, "org/nowhere"));
    free(log);
}

static double seconds_to_stop_a_download(void *ctx)
{
    double seconds;
    (void)ctx;
    service s = serve(ARGS("--model", "org/other"));
    stream loading = open_stream(s.port, "/v1/loading/progress", "");
    assert_true(stream_until(&loading, "\"stage\":\"downloading\"", 20));
    assert_int_equal(stop(&s, SIGTERM, &seconds), 0);
    close_stream(&loading);
    return seconds;
}

static void a_signal_ends_a_download(void **state)
{
    (void)state;
    fake_hub_no_rules(hub);
    fake_hub_rule(hub, &(fake_rule){ .host = FAKE_FILES, .trickle_ms = 500 });
    best_of_five(seconds_to_stop_a_download, NULL, 0, 2.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_is_fetched_while_the_service_answers),
        cmocka_unit_test(a_model_that_nobody_has_ends_the_program),
        cmocka_unit_test(a_signal_ends_a_download),
    };
    return cmocka_run_group_tests(tests, start_hub, stop_hub);
}
