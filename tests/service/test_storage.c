/* A disk without room, as the clients of the real program see it. Files cannot grow beyond a limit here: a write that
 * fails for that is told like one on a full disk. */
#include "service/harness.h"

#include <stdio.h>
#include <sys/resource.h>

enum { FILE_BYTES = 24000 };

/* The program inherits the limit; the test itself goes on without. */
static service start_limited(void)
{
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = FILE_BYTES;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    service s = start_loaded(sdw_fake(), ARGS("--model", fake_model("fake"), "--state", "full-state", "--max-batch", "1"));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    return s;
}

static const char *body_of(int i)
{
    static char body[8000];
    char filler[3001];
    memset(filler, 'x', sizeof filler - 1);
    filler[sizeof filler - 1] = '\0';
    snprintf(body, sizeof body, "{\"prompt\":\"%s\",\"seed\":%d,\"steps\":1,\"width\":64,\"height\":64}", filler, i);
    return body;
}

static void a_full_disk_is_503_for_new_jobs_and_nothing_for_the_others(void **state)
{
    (void)state;
    char ids[32][64];
    int accepted = 0;
    reply r = { 0 };
    assert_int_equal(system("rm -rf full-state"), 0);
    service s = start_limited();
    for (; accepted < 32; accepted++) {
        post(s.port, "/v1/jobs", body_of(accepted), &r);
        if (r.status != 200) break;
        snprintf(ids[accepted], sizeof ids[0], "%s", value_of(r.body, "job_id"));
        reply_finish(&r);
    }
    assert_in_range(accepted, 1, 31);
    expect(&r, 503, "\"code\":\"STORAGE_FULL\"");
    assert_string_equal(reply_header(&r, "Retry-After"), "5");
    reply_finish(&r);
    for (int i = 0; i < accepted; i++) wait_status(s.port, ids[i], "completed");
    get(s.port, "/health", "", &r);
    expect(&r, 200, "healthy");
    reply_finish(&r);
    assert_int_equal(stop(&s, SIGKILL, NULL), 128 + SIGKILL);
    /* With room again all of them are there. */
    s = start_loaded(sdw_fake(), ARGS("--model", fake_model("fake"), "--state", "full-state"));
    for (int i = 0; i < accepted; i++) wait_status(s.port, ids[i], "completed");
    wait_status(s.port, submit(s.port, body_of(99)), "completed");
    assert_int_equal(stop(&s, SIGTERM, NULL), 0);
}

static void a_result_without_room_fails_its_job_with_a_code(void **state)
{
    (void)state;
    char *text;
    assert_int_equal(system("rm -rf full-state"), 0);
    service s = start_limited();
    const char *large = submit(s.port, "{\"prompt\":\"large\",\"seed\":1,\"steps\":1,\"width\":1024,\"height\":1024,\"preview_every\":0}");
    const char *small = submit(s.port, gen(2));
    wait_status(s.port, large, "failed");
    wait_status(s.port, small, "completed");
    text = whole_stream(s.port, large, "", "");
    assert_non_null(strstr(text, "event: error\n"));
    assert_non_null(strstr(text, "\"code\":\"STORAGE_FULL\""));
    assert_non_null(strstr(text, "data: [ERROR] "));
    free(text);
    assert_int_equal(stop(&s, SIGTERM, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_is_503_for_new_jobs_and_nothing_for_the_others),
        cmocka_unit_test(a_result_without_room_fails_its_job_with_a_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
