/* With a state folder the process may go and come again: what was accepted is not lost. Acceptance check 39, its last
 * part, and what http-apis 2.2 promises across restarts. */
#include "service/harness.h"

#include <stdio.h>

static const char *folder(const char *name)
{
    char command[200];
    snprintf(command, sizeof command, "rm -rf '%s'", name); /* of an earlier run of this test */
    assert_int_equal(system(command), 0);
    return name;
}

static char *image_of(int port, const char *id)
{
    char *text = whole_stream(port, id, "", ""), *complete = strstr(text, "event: complete\n");
    if (!complete) fail_msg("no complete: %.400s", text);
    char *image = long_value_of(complete, "image");
    free(text);
    return image;
}

/* Long enough to be running when it is stopped: over a second on a fast machine. */
static const char long_job[] = "{\"prompt\":\"a photo of a cat\",\"seed\":42,\"steps\":150,\"width\":128,\"height\":128}";

typedef struct stopped { const char *model; char id[64], queued[64]; } stopped;

/* From the signal to the end of a service with a running job and a queued one, which are kept. */
static double seconds_to_stop(void *ctx)
{
    stopped *jobs = ctx;
    char kept[160];
    service s = start_loaded(sdw(), ARGS("--model", jobs->model, "--state", folder("state-kept"), "--max-batch", "1"));
    snprintf(jobs->id, sizeof jobs->id, "%s", submit(s.port, long_job));
    snprintf(jobs->queued, sizeof jobs->queued, "%s", submit(s.port, gen(2)));
    stream j = open_job(s.port, jobs->id, "Accept: text/event-stream\r\n"), q = open_job(s.port, jobs->queued, "");
    assert_true(stream_until(&j, "event: progress", 20));
    double begun = now_s();
    kill(s.pid, SIGTERM);
    snprintf(kept, sizeof kept, "\n\ndata: [ERROR] Worker is shutting down, job %s is kept\n\n", jobs->id);
    assert_true(ends_with(stream_end(&j, 5), kept)); /* without a number, and without event: error */
    assert_null(strstr(j.text, "event: error"));
    snprintf(kept, sizeof kept, "data: [ERROR] Worker is shutting down, job %s is kept\n\n", jobs->queued);
    assert_true(ends_with(stream_end(&q, 5), kept));
    assert_int_equal(stop(&s, 0, NULL), 0);
    close_stream(&j), close_stream(&q);
    return now_s() - begun;
}

static void check_39_a_kept_job_ends_its_stream_and_runs_again(void **state)
{
    (void)state;
    stopped jobs = { .model = tiny_model() };
    best_of_five(seconds_to_stop, &jobs, 0, 2.0);
    service s = start_loaded(sdw(), ARGS("--model", jobs.model, "--state", "state-kept", "--max-batch", "1"));
    char *again = image_of(s.port, jobs.id), *alone = image_of(s.port, submit(s.port, long_job));
    assert_string_equal(again, alone);
    char *text = whole_stream(s.port, jobs.queued, "", "");
    assert_true(ends_with(text, "data: [DONE]\n\n"));
    free(text), free(again), free(alone);
    assert_int_equal(stop(&s, SIGTERM, NULL), 0);
}

static void results_and_keys_survive_a_kill(void **state)
{
    (void)state;
    char id[64], url[96];
    reply r = { 0 };
    const char *dir = folder("state-killed"), *keyed = JSON_TYPE "Idempotency-Key: once\r\n";
    service s = start_loaded(sdw_fake(), ARGS("--model-path", fake_model("fake"), "--state", dir));
    ask_for(s.port, "POST", "/v1/jobs", keyed, gen(2), &r);
    expect(&r, 200, "job_id");
    snprintf(id, sizeof id, "%s", value_of(r.body, "job_id"));
    wait_status(s.port, id, "completed");
    get(s.port, "/v1/outputs", "", &r);
    snprintf(url, sizeof url, "%s", value_of(r.body, "url"));
    assert_int_equal(stop(&s, SIGKILL, NULL), 128 + SIGKILL);
    s = start_loaded(sdw_fake(), ARGS("--model-path", "fake", "--state", dir));
    wait_status(s.port, id, "completed");
    get(s.port, url, "", &r);
    expect(&r, 200, NULL);
    assert_string_equal(reply_header(&r, "content-type"), "image/png");
    ask_for(s.port, "POST", "/v1/jobs", keyed, gen(2), &r);
    expect(&r, 200, id);
    assert_string_equal(reply_header(&r, "idempotency-replayed"), "true");
    ask_for(s.port, "POST", "/v1/jobs", keyed, gen(3), &r);
    expect(&r, 422, "IDEMPOTENCY_MISMATCH");
    char *text = whole_stream(s.port, id, "", "");
    assert_int_equal(count_of(text, "event: complete\n"), 1);
    assert_true(ends_with(text, "data: [DONE]\n\n"));
    free(text);
    assert_int_equal(stop(&s, SIGTERM, NULL), 0);
    reply_finish(&r);
}

static void a_state_folder_has_one_owner(void **state)
{
    (void)state;
    char out[4096], err[4096], pid[32];
    service s = start_loaded(sdw_fake(), ARGS("--model-path", "fake", "--state", folder("state-owned")));
    assert_int_equal(run(sdw_fake(), ARGS("--model-path", "fake", "--port", "0", "--state", "state-owned"), NO_ENV, out, err, sizeof out), 1);
    snprintf(pid, sizeof pid, "%d", (int)s.pid);
    assert_non_null(strstr(err, "Error: "));
    assert_non_null(strstr(err, pid));
    assert_int_equal(stop(&s, SIGTERM, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_39_a_kept_job_ends_its_stream_and_runs_again),
        cmocka_unit_test(results_and_keys_survive_a_kill),
        cmocka_unit_test(a_state_folder_has_one_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
