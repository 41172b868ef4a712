/* Several models within a memory budget: the one that was used longest ago makes room, and comes back when a job wants it. */
#include "worker/bed.h"

#include <stdio.h>
#include <string.h>

#define MIB ((uint64_t)1 << 20)

static const char *const names[] = { "first", "second", "third" };

/* The fake's weights are 1 MiB, and a model is loaded only where half as much again stays free: two fit into 3 MiB. */
static void open_three(bed *b)
{
    sdw_worker_options o = { .engine = { .model = "fake-first", .memory_limit = 3 * MIB }, .model_id = names[0] };
    bed_open(b, &o);
    bed_wait_phase(b, SDW_WORKER_IDLE);
    for (int i = 1; i < 3; i++) {
        char path[32];
        snprintf(path, sizeof path, "fake-%s", names[i]);
        const sdw_engine_options engine = { .model = path, .memory_limit = 3 * MIB };
        assert_int_equal(sdw_worker_add_model(b->w, names[i], &engine, NULL), SDW_OK);
    }
}

static void run_on(bed *b, const char *model)
{
    sdw_job_request r = bed_request("x");
    r.model = model;
    sdw_job_id id = bed_submit(b, &r);
    assert_int_equal(bed_wait_end(b, &id), SDW_JOB_COMPLETED);
    sdw_job_view v = bed_view(b, &id);
    assert_string_equal(v.model, model);
    sdw_job_view_finish(&v);
}

static void expect(bed *b, const char *first, const char *second, const char *third)
{
    const char *want[] = { first, second, third };
    for (int i = 0; i < 3; i++) {
        const char *status = sdw_worker_model_status(b->w, names[i]);
        if (!status || strcmp(status, want[i])) fail_msg("%s is %s, want %s", names[i], status ? status : "unknown", want[i]);
    }
}

static void the_model_used_longest_ago_makes_room(void **state)
{
    (void)state;
    bed b;
    open_three(&b);
    expect(&b, "loaded", "unloaded", "unloaded");
    run_on(&b, "first");
    run_on(&b, "second");
    expect(&b, "loaded", "loaded", "unloaded");
    run_on(&b, "first"); /* now the second is the older one */
    run_on(&b, "third");
    expect(&b, "loaded", "unloaded", "loaded");
    run_on(&b, "second");
    expect(&b, "unloaded", "loaded", "loaded");
    run_on(&b, "first");
    expect(&b, "loaded", "loaded", "unloaded");
    bed_close(&b);
}

static void jobs_of_other_models_wait_their_turn_and_none_is_lost(void **state)
{
    (void)state;
    bed b;
    sdw_job_id ids[9];
    open_three(&b);
    for (int i = 0; i < 9; i++) {
        sdw_job_request r = bed_request("step-ms=1");
        r.model = names[i % 3];
        ids[i] = bed_submit(&b, &r);
    }
    for (int i = 0; i < 9; i++) {
        assert_int_equal(bed_wait_end(&b, &ids[i]), SDW_JOB_COMPLETED);
        sdw_job_view v = bed_view(&b, &ids[i]);
        assert_string_equal(v.model, names[i % 3]);
        sdw_job_view_finish(&v);
    }
    bed_close(&b);
}

static void an_unknown_model_is_refused(void **state)
{
    (void)state;
    bed b;
    sdw_job_id id;
    sdw_submit_answer answer;
    sdw_error err = { 0 };
    open_three(&b);
    sdw_job_request r = bed_request("x");
    r.model = "fourth";
    assert_int_equal(sdw_worker_submit(b.w, &r, &id, &answer, &err), SDW_NOT_FOUND);
    assert_non_null(strstr(err.text, "fourth"));
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_model_used_longest_ago_makes_room),
        cmocka_unit_test(jobs_of_other_models_wait_their_turn_and_none_is_lost),
        cmocka_unit_test(an_unknown_model_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
