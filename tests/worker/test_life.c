/* The worker as a whole: loading, switching and losing models, limits, stopping and closing in any state. */
#include "worker/bed.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"

/* ---- loading ---- */

static void jobs_wait_for_the_model_and_are_checked_after_it(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, &(sdw_worker_options){ .engine = { .model = "hold-load" } });
    assert_true(fake_wait_held());
    bed_wait_phase(&b, SDW_WORKER_LOADING);
    sdw_job_request fine = bed_request("fine"), large = bed_request("bytes=9000000000"), bad = bed_request("bad");
    bad.params.steps = 5000;
    assert_int_equal(bed_refused(&b, &bad, "steps", "5000"), SDW_INVALID); /* needs no model */
    sdw_job_id first = bed_submit(&b, &fine);
    fake_release();
    assert_int_equal(bed_wait_end(&b, &first), SDW_JOB_COMPLETED);
    assert_int_equal(bed_refused(&b, &large, "", "9001048576"), SDW_NO_MEMORY); /* both numbers */
    assert_int_equal(bed_refused(&b, &large, "", "4294967296"), SDW_NO_MEMORY);
    bed_close(&b);
}

/* The model is not even open yet: what it would refuse is accepted, and fails later. */
static void what_only_the_model_can_refuse_fails_after_loading(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    bed_wait_phase(&b, SDW_WORKER_IDLE);
    assert_int_equal(sdw_worker_add_model(b.w, "second", &(sdw_engine_options){ .model = "second" }, NULL), SDW_OK);
    assert_string_equal(sdw_worker_model_status(b.w, "second"), "unloaded");
    assert_null(sdw_worker_model_status(b.w, "third"));
    sdw_job_request large = bed_request("bytes=9000000000");
    large.model = "second";
    sdw_job_id id = bed_submit(&b, &large);
    assert_int_equal(bed_wait_end(&b, &id), SDW_JOB_FAILED);
    sdw_job_view v = bed_view(&b, &id);
    assert_string_equal(v.error.code, "INVALID_REQUEST");
    assert_string_equal(v.model, "second");
    sdw_job_view_finish(&v);
    large.model = "third";
    assert_int_equal(bed_refused(&b, &large, "model", "third"), SDW_NOT_FOUND);
    bed_close(&b);
}

static void a_model_that_cannot_be_loaded_fails_those_who_wait_for_it(void **state)
{
    (void)state;
    static const char *const models[] = { "fail-open", "hold-load fail-load" };
    for (int i = 0; i < 2; i++) {
        bed b;
        bed_open(&b, &(sdw_worker_options){ .engine = { .model = models[i] } });
        if (i) assert_true(fake_wait_held());
        sdw_job_request r = bed_request("waits");
        sdw_job_id id = bed_submit(&b, &r);
        fake_release();
        assert_int_equal(bed_wait_end(&b, &id), SDW_JOB_FAILED);
        sdw_job_view v = bed_view(&b, &id);
        assert_string_equal(v.error.code, "MODEL_LOAD_FAILED");
        sdw_job_view_finish(&v);
        bed_wait_phase(&b, SDW_WORKER_LOAD_FAILED);
        sdw_worker_state s;
        sdw_worker_state_of(b.w, &s);
        assert_non_null(strstr(s.load_error.text, "as asked"));
        assert_int_equal(sdw_worker_load(b.w, "good", &(sdw_engine_options){ .model = "good" }, NULL), SDW_OK);
        id = bed_submit(&b, &r);
        assert_int_equal(bed_wait_end(&b, &id), SDW_JOB_COMPLETED);
        bed_close(&b);
    }
}

static void models_come_and_go_within_the_memory(void **state)
{
    (void)state;
    bed b;
    const uint64_t limit = (uint64_t)9 << 18; /* 2.25 MiB: one model of 1 MiB and half as much to work in, not two */
    bed_open(&b, &(sdw_worker_options){ .engine = { .model = "a", .memory_limit = limit } });
    bed_wait_phase(&b, SDW_WORKER_IDLE);
    fake_reset_counts();
    assert_int_equal(sdw_worker_add_model(b.w, "b", &(sdw_engine_options){ .model = "b", .memory_limit = limit }, NULL), SDW_OK);
    sdw_job_request r = bed_request("first"), other = bed_request("other");
    other.model = "b";
    sdw_job_id ids[3] = { bed_submit(&b, &r), bed_submit(&b, &other), bed_submit(&b, &r) };
    for (int i = 0; i < 3; i++) assert_int_equal(bed_wait_end(&b, &ids[i]), SDW_JOB_COMPLETED);
    fake_counts c = fake_counted();
    assert_int_equal(c.loads, 2);   /* b, and a again */
    assert_int_equal(c.unloads, 2); /* a for b, b for a */
    assert_string_equal(sdw_worker_model_status(b.w, "a"), "loaded");
    assert_string_equal(sdw_worker_model_status(b.w, "b"), "unloaded");
    assert_int_equal(sdw_worker_unload(b.w, "a", NULL), SDW_OK);
    bed_wait_phase(&b, SDW_WORKER_NO_MODEL);
    assert_int_equal(sdw_worker_unload(b.w, "c", NULL), SDW_NOT_FOUND);
    sdw_job_id again = bed_submit(&b, &r);
    assert_int_equal(bed_wait_end(&b, &again), SDW_JOB_COMPLETED);
    sdw_worker_model_info *info;
    assert_true(sdw_worker_model(b.w, &info));
    assert_string_equal(sdw_worker_model_info_of(info)->family, "sd15");
    sdw_worker_model_info_free(info);
    bed_close(&b);
    assert_int_equal(fake_counted().models, 0);
}

static void a_new_model_takes_effect_after_the_running_jobs(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    sdw_job_request r = bed_request("hold-at=2");
    sdw_job_id running = bed_submit(&b, &r);
    assert_true(fake_wait_held());
    assert_int_equal(sdw_worker_load(b.w, "new", &(sdw_engine_options){ .model = "new" }, NULL), SDW_OK);
    sdw_job_request later = bed_request("later");
    sdw_job_id second = bed_submit(&b, &later);
    assert_string_equal(sdw_worker_model_status(b.w, "new"), "loading");
    fake_release();
    assert_int_equal(bed_wait_end(&b, &running), SDW_JOB_COMPLETED);
    assert_int_equal(bed_wait_end(&b, &second), SDW_JOB_COMPLETED);
    sdw_job_view v = bed_view(&b, &second);
    assert_string_equal(v.model, "new");
    sdw_job_view_finish(&v);
    bed_close(&b);
}

/* ---- limits ---- */

static void a_full_queue_refuses_and_an_idle_engine_does_not_count(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, &(sdw_worker_options){ .queue_max = 1, .batch_max = 1 });
    bed_wait_phase(&b, SDW_WORKER_IDLE);
    sdw_job_request r = bed_request("hold-at=1"), other = bed_request("other");
    sdw_job_id running = bed_submit(&b, &r), waiting = bed_submit(&b, &other); /* at once: the first does not wait */
    assert_true(fake_wait_held());
    bed_wait_status(&b, &running, SDW_JOB_RUNNING);
    assert_int_equal(bed_refused(&b, &other, "", "the limit is 1"), SDW_BUSY);
    assert_int_equal(sdw_worker_cancel(b.w, &waiting, NULL), SDW_OK);
    waiting = bed_submit(&b, &other);
    fake_release();
    assert_int_equal(bed_wait_end(&b, &waiting), SDW_JOB_COMPLETED);
    bed_close(&b);
}

static void the_bytes_of_waiting_inputs_are_bounded(void **state)
{
    (void)state;
    bed b;
    uint8_t pixels[64 * 64 * 3] = { 0 };
    sdw_picture init = { 64, 64, 3, pixels };
    bed_open(&b, &(sdw_worker_options){ .queue_bytes_max = 2 * sizeof pixels, .batch_max = 1 });
    sdw_job_request hold = bed_request("hold-at=1"), r = bed_request("x");
    sdw_job_id running = bed_submit(&b, &hold);
    assert_true(fake_wait_held());
    r.params.init_image = &init;
    r.params.width = r.params.height = 0;
    sdw_job_id waiting = bed_submit(&b, &r);
    assert_int_equal(bed_refused(&b, &r, "", "bytes of input"), SDW_BUSY);
    fake_release();
    assert_int_equal(bed_wait_end(&b, &waiting), SDW_JOB_COMPLETED);
    waiting = bed_submit(&b, &r); /* there is room again */
    assert_int_equal(bed_wait_end(&b, &waiting), SDW_JOB_COMPLETED);
    assert_int_equal(bed_wait_end(&b, &running), SDW_JOB_COMPLETED);
    bed_close(&b);
}

static bool is_forgotten(bed *b, void *id)
{
    uint64_t n;
    bool ended;
    return sdw_worker_last_event(b->w, id, &n, &ended, NULL) == SDW_NOT_FOUND;
}

static void results_are_forgotten_oldest_first(void **state)
{
    (void)state;
    bed b;
    sdw_job_id id[4], list[8];
    bed_open(&b, &(sdw_worker_options){ .results_max = 2 });
    sdw_job_request r = bed_request("kept for a while");
    for (int i = 0; i < 4; i++) {
        id[i] = bed_submit(&b, &r);
        assert_int_equal(bed_wait_end(&b, &id[i]), SDW_JOB_COMPLETED);
        if (i >= 2) bed_wait(&b, is_forgotten, &id[i - 2]);
    }
    assert_int_equal(sdw_worker_jobs(b.w, 0, NULL, list, 8), 2);
    assert_string_equal(list[0].text, id[3].text);
    assert_int_equal(sdw_worker_jobs(b.w, 0, &list[0], list + 4, 4), 1);
    assert_string_equal(list[4].text, id[2].text);
    assert_int_equal(sdw_worker_jobs(b.w, 1u << SDW_JOB_FAILED, NULL, list, 8), 0);
    sdw_job_view v = bed_view(&b, &id[3]);
    sdw_blob *blob;
    sdw_job_id job;
    int index;
    assert_int_equal(sdw_worker_output(b.w, &v.outputs[0].id, &blob, &job, &index, NULL), SDW_OK);
    assert_string_equal(job.text, id[3].text);
    assert_int_equal(index, 0);
    sdw_blob_unref(blob);
    assert_int_equal(sdw_worker_output_delete(b.w, &v.outputs[0].id, NULL), SDW_OK);
    assert_int_equal(sdw_worker_picture(b.w, &id[3], 0, &blob, NULL), SDW_NOT_FOUND);
    sdw_job_view_finish(&v);
    bed_close(&b);
}

static void results_are_forgotten_in_time(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, &(sdw_worker_options){ .result_ttl_s = 0.05 });
    sdw_job_request r = bed_request("soon gone");
    sdw_job_id id = bed_submit(&b, &r), other;
    for (int i = 0; i < 100000; i++) { /* jobs that end wake us; it is the time that forgets the first */
        if (is_forgotten(&b, &id)) break;
        other = bed_submit(&b, &r);
        bed_wait(&b, is_forgotten, &other);
    }
    assert_true(is_forgotten(&b, &id));
    bed_close(&b);
}

static void a_picture_without_pixels_is_refused_by_name(void **state)
{
    (void)state;
    bed b;
    sdw_picture init = { 64, 64, 3, NULL };
    bed_open(&b, NULL);
    sdw_job_request r = bed_request("x");
    r.params.init_image = &init;
    assert_int_equal(bed_refused(&b, &r, "init_image", "64 x 64"), SDW_INVALID);
    bed_close(&b);
}

static void timeouts_are_capped_by_the_workers(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, &(sdw_worker_options){ .job_timeout_s = 0.05 });
    sdw_job_request r = bed_request("stall-at=1");
    r.timeout_s = 1;
    assert_int_equal(bed_refused(&b, &r, "timeout_s", "at most 0.05"), SDW_INVALID);
    r.timeout_s = 0;
    sdw_job_id id = bed_submit(&b, &r);
    assert_int_equal(bed_wait_end(&b, &id), SDW_JOB_FAILED);
    bed_close(&b);
}

/* ---- stopping ---- */

static bool has_stopped(bed *b, void *ctx)
{
    (void)ctx;
    return sdw_worker_stopped(b->w);
}

static void stopping_now_interrupts_a_stalled_step(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, &(sdw_worker_options){ .batch_max = 1 });
    sdw_job_request r = bed_request("stall-at=2"), other = bed_request("queued");
    sdw_job_id running = bed_submit(&b, &r), queued = bed_submit(&b, &other);
    assert_true(fake_wait_held());
    sdw_worker_stop(b.w, SDW_STOP_NOW);
    bed_wait(&b, has_stopped, NULL);
    assert_int_equal(bed_status(&b, &running), SDW_JOB_WAS_CANCELLED);
    assert_int_equal(bed_status(&b, &queued), SDW_JOB_WAS_CANCELLED);
    assert_int_equal(bed_refused(&b, &other, "", "shutting down"), SDW_CANCELLED);
    bed_close(&b);
}

static void an_abandoned_job_ends_once_while_the_engine_is_still_inside(void **state)
{
    (void)state;
    bed b;
    sdw_worker_stats stats;
    bed_open(&b, NULL);
    sdw_job_request r = bed_request("deaf-at=1 deaf-ms=700");
    sdw_job_id id = bed_submit(&b, &r);
    assert_true(fake_wait_deaf());
    sdw_worker_stop(b.w, SDW_STOP_NOW);
    assert_false(sdw_worker_stopped(b.w));
    sdw_worker_abandon(b.w);
    assert_true(sdw_worker_stopped(b.w));
    assert_int_equal(bed_status(&b, &id), SDW_JOB_WAS_CANCELLED);
    sdw_worker_state s;
    do sdw_worker_state_of(b.w, &s);
    while (s.running > 0); /* the engine lets go of it */
    char story[64];
    bed_story(&b, &id, false, story, sizeof story);
    assert_string_equal(story, "X");
    sdw_worker_stats_of(b.w, &stats);
    assert_int_equal(stats.jobs[SDW_JOB_GENERATION][2], 1);
    bed_close(&b);
}

static void draining_lets_running_jobs_end_and_may_be_cut_short(void **state)
{
    (void)state;
    for (int cut = 0; cut < 2; cut++) {
        bed b;
        bed_open(&b, &(sdw_worker_options){ .batch_max = 1 });
        sdw_job_request r = bed_request("hold-at=2"), other = bed_request("queued");
        sdw_job_id running = bed_submit(&b, &r), queued = bed_submit(&b, &other);
        assert_true(fake_wait_held());
        sdw_worker_stop(b.w, SDW_STOP_DRAIN);
        assert_int_equal(bed_wait_end(&b, &queued), SDW_JOB_WAS_CANCELLED);
        assert_false(sdw_worker_stopped(b.w));
        if (cut) sdw_worker_stop(b.w, SDW_STOP_NOW);
        else fake_release();
        assert_int_equal(bed_wait_end(&b, &running), cut ? SDW_JOB_WAS_CANCELLED : SDW_JOB_COMPLETED);
        bed_wait(&b, has_stopped, NULL);
        bed_close(&b);
    }
}

static void closing_joins_everything_in_any_state(void **state)
{
    (void)state;
    static const char *const prompts[] = { "hold-at=1", "stall-at=3", "slices=10000 decode-ms=1", "text-ms=10000", "step-ms=10000" };
    bed b;
    bed_open(&b, &(sdw_worker_options){ .engine = { .model = "hold-load" } });
    assert_true(fake_wait_held());
    bed_close(&b); /* while loading */
    for (size_t i = 0; i < sizeof prompts / sizeof *prompts; i++) {
        bed_open(&b, NULL);
        sdw_job_request r = bed_request(prompts[i]);
        r.preview = i == 1 ? SDW_PREVIEW_VAE : SDW_PREVIEW_LATENT;
        r.preview_every = 1;
        sdw_job_id id = bed_submit(&b, &r);
        for (int k = 0; k < 5; k++) bed_submit(&b, &r);
        bed_wait_status(&b, &id, SDW_JOB_RUNNING);
        bed_close(&b);
        assert_int_equal(fake_counted().jobs, 0);
        assert_int_equal(fake_counted().models, 0);
    }
    for (int i = 0; i < 20; i++) { /* at any moment */
        bed_open(&b, NULL);
        sdw_job_request r = bed_request("any");
        for (int k = 0; k < i; k++) bed_submit(&b, &r);
        bed_close(&b);
    }
    assert_int_equal(fake_counted().jobs, 0);
    sdw_worker_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_wait_for_the_model_and_are_checked_after_it),
        cmocka_unit_test(what_only_the_model_can_refuse_fails_after_loading),
        cmocka_unit_test(a_model_that_cannot_be_loaded_fails_those_who_wait_for_it),
        cmocka_unit_test(models_come_and_go_within_the_memory),
        cmocka_unit_test(a_new_model_takes_effect_after_the_running_jobs),
        cmocka_unit_test(a_full_queue_refuses_and_an_idle_engine_does_not_count),
        cmocka_unit_test(the_bytes_of_waiting_inputs_are_bounded),
        cmocka_unit_test(results_are_forgotten_oldest_first),
        cmocka_unit_test(results_are_forgotten_in_time),
        cmocka_unit_test(a_picture_without_pixels_is_refused_by_name),
        cmocka_unit_test(timeouts_are_capped_by_the_workers),
        cmocka_unit_test(stopping_now_interrupts_a_stalled_step),
        cmocka_unit_test(an_abandoned_job_ends_once_while_the_engine_is_still_inside),
        cmocka_unit_test(draining_lets_running_jobs_end_and_may_be_cut_short),
        cmocka_unit_test(closing_joins_everything_in_any_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
