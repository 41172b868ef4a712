/* Who shares an evaluation with whom, and in which order jobs start and advance; with the fake executor, whose holds make
 * every order certain. */
#include "worker/bed.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"

static double started(bed *b, const sdw_job_id *id)
{
    sdw_job_view v = bed_view(b, id);
    double at = v.started_at;
    sdw_job_view_finish(&v);
    return at;
}

static void jobs_of_one_size_share_evaluations_and_one_that_comes_late_joins(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, &(sdw_worker_options){ .batch_max = 4 });
    sdw_job_request r = bed_request("hold-at=2");
    sdw_job_id first = bed_submit(&b, &r);
    assert_true(fake_wait_held()); /* in its second step */
    fake_reset_counts();
    sdw_job_request late = bed_request("late");
    late.params.sampler = "heun";
    late.params.steps = 6;
    sdw_job_id second = bed_submit(&b, &late);
    fake_release();
    assert_int_equal(bed_wait_end(&b, &first), SDW_JOB_COMPLETED);
    assert_int_equal(bed_wait_end(&b, &second), SDW_JOB_COMPLETED);
    fake_counts c = fake_counted();
    assert_int_equal(c.widest, 2);
    assert_int_equal(c.evaluations, 6); /* the second step's was counted before */
    bed_close(&b);
}

static void jobs_of_two_sizes_take_turns(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, &(sdw_worker_options){ .batch_max = 4 });
    sdw_job_request r = bed_request("hold-at=1"), large = bed_request("large hold-at=1");
    r.params.steps = large.params.steps = 8;
    large.params.width = 128;
    sdw_job_id first = bed_submit(&b, &r);
    assert_true(fake_wait_held());
    sdw_job_id second = bed_submit(&b, &large);
    fake_release();
    bed_wait_status(&b, &second, SDW_JOB_RUNNING);
    assert_true(fake_wait_held()); /* the large one, in its first step: the first has not run to its end before */
    assert_int_equal(bed_status(&b, &first), SDW_JOB_RUNNING);
    sdw_job_view v = bed_view(&b, &first);
    assert_true(v.step < 8);
    sdw_job_view_finish(&v);
    fake_release();
    assert_int_equal(bed_wait_end(&b, &first), SDW_JOB_COMPLETED);
    assert_int_equal(bed_wait_end(&b, &second), SDW_JOB_COMPLETED);
    assert_int_equal(fake_counted().widest <= 2, 1);
    bed_close(&b);
}

static void jobs_start_in_the_order_of_their_posts(void **state)
{
    (void)state;
    enum { N = 10 };
    bed b;
    sdw_job_id id[N];
    bed_open(&b, &(sdw_worker_options){ .batch_max = 2 });
    sdw_job_request r = bed_request("hold-at=1");
    id[0] = bed_submit(&b, &r);
    assert_true(fake_wait_held());
    for (int i = 1; i < N; i++) {
        sdw_job_request other = bed_request("other");
        other.params.width = i % 3 ? 64 : 128;
        other.params.count = i == 4 ? 2 : 0; /* does not fit beside another: those behind it must wait too */
        id[i] = bed_submit(&b, &other);
    }
    sdw_job_view v = bed_view(&b, &id[N - 1]);
    assert_int_equal(v.queue_position, N - 1);
    sdw_job_view_finish(&v);
    fake_release();
    for (int i = 0; i < N; i++) assert_int_equal(bed_wait_end(&b, &id[i]), SDW_JOB_COMPLETED);
    for (int i = 1; i < N; i++) assert_true(started(&b, &id[i]) >= started(&b, &id[i - 1]));
    bed_close(&b);
}

static void pictures_of_one_request_advance_together(void **state)
{
    (void)state;
    bed b;
    char story[64];
    size_t size;
    bed_open(&b, &(sdw_worker_options){ .batch_max = 2, .preview_every = 1 });
    fake_reset_counts();
    sdw_job_request r = bed_request("five hold-at=2");
    r.params.count = 5;
    r.params.seed = 9;
    r.params.has_seed = 1;
    sdw_job_id id = bed_submit(&b, &r);
    for (int i = 0; i < 5; i++) { /* every picture is held, before the last second evaluation is done */
        assert_true(fake_wait_held());
        sdw_job_view held = bed_view(&b, &id);
        assert_int_equal(held.step, 1);
        sdw_job_view_finish(&held);
        fake_release();
    }
    bed_story(&b, &id, false, story, sizeof story);
    assert_string_equal(story, "ppppCD"); /* each step once */
    assert_int_equal(fake_counted().widest, 2);
    assert_int_equal(fake_counted().evaluations, 4 * 3);
    sdw_job_view v = bed_view(&b, &id);
    assert_int_equal(v.output_count, 5);
    for (int i = 0; i < 5; i++) {
        uint8_t *pixels = bed_pixels(&b, &id, i, &size);
        assert_int_equal(v.outputs[i].seed, 9 + i);
        assert_int_equal(pixels[0], fake_byte(9 + (uint64_t)i, 0));
        sdw_free(pixels);
    }
    sdw_job_view_finish(&v);
    bed_close(&b);
}

static void a_neighbour_that_fails_or_is_cancelled_takes_nobody_along(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, &(sdw_worker_options){ .batch_max = 4 });
    sdw_job_request hold = bed_request("hold-at=1"), nan = bed_request("nan-at=2"), goner = bed_request("goner hold-at=60"), fine = bed_request("fine");
    goner.params.steps = 100;
    sdw_job_id first = bed_submit(&b, &hold);
    assert_true(fake_wait_held());
    sdw_job_id second = bed_submit(&b, &nan), third = bed_submit(&b, &goner), fourth = bed_submit(&b, &fine);
    fake_release();
    bed_wait_status(&b, &third, SDW_JOB_RUNNING);
    assert_int_equal(bed_wait_end(&b, &second), SDW_JOB_FAILED);
    assert_int_equal(sdw_worker_cancel(b.w, &third, NULL), SDW_OK);
    assert_int_equal(bed_wait_end(&b, &third), SDW_JOB_WAS_CANCELLED);
    assert_int_equal(bed_wait_end(&b, &first), SDW_JOB_COMPLETED);
    assert_int_equal(bed_wait_end(&b, &fourth), SDW_JOB_COMPLETED);
    bed_close(&b);
}

/* Cancelling one of two that share a stalled evaluation must wait for it: the other one wants its result. */
static void a_shared_evaluation_is_not_interrupted_for_one_of_its_jobs(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, &(sdw_worker_options){ .batch_max = 2 });
    sdw_job_request r = bed_request("hold-at=1 text-ms=1"), other = bed_request("other hold-at=2");
    sdw_job_id first = bed_submit(&b, &r);
    assert_true(fake_wait_held());
    sdw_job_id second = bed_submit(&b, &other);
    fake_release();
    bed_wait_status(&b, &second, SDW_JOB_RUNNING);
    assert_true(fake_wait_held()); /* in the second's second evaluation, which both share */
    assert_int_equal(sdw_worker_cancel(b.w, &first, NULL), SDW_OK);
    assert_int_equal(bed_status(&b, &first), SDW_JOB_RUNNING);
    fake_release();
    assert_int_equal(bed_wait_end(&b, &first), SDW_JOB_WAS_CANCELLED);
    assert_int_equal(bed_wait_end(&b, &second), SDW_JOB_COMPLETED);
    bed_close(&b);
}

static void a_shared_evaluation_is_interrupted_when_all_its_jobs_are_cancelled(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, &(sdw_worker_options){ .batch_max = 2 });
    sdw_job_request r = bed_request("hold-at=1"), other = bed_request("other stall-at=2");
    r.params.steps = 20;
    sdw_job_id first = bed_submit(&b, &r);
    assert_true(fake_wait_held());
    sdw_job_id second = bed_submit(&b, &other);
    fake_release();
    bed_wait_status(&b, &second, SDW_JOB_RUNNING);
    assert_true(fake_wait_held()); /* stalled for ever, with both */
    assert_int_equal(sdw_worker_cancel(b.w, &first, NULL), SDW_OK);
    assert_int_equal(sdw_worker_cancel(b.w, &second, NULL), SDW_OK);
    assert_int_equal(bed_wait_end(&b, &first), SDW_JOB_WAS_CANCELLED);
    assert_int_equal(bed_wait_end(&b, &second), SDW_JOB_WAS_CANCELLED);
    bed_close(&b);
}

static void a_batch_that_does_not_fit_is_made_smaller(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, &(sdw_worker_options){ .batch_max = 8 });
    fake_reset_counts();
    sdw_job_request r = bed_request("rows-max=3");
    r.params.count = 7;
    sdw_job_id id = bed_submit(&b, &r);
    assert_int_equal(bed_wait_end(&b, &id), SDW_JOB_COMPLETED);
    assert_int_equal(fake_counted().widest, 3);
    assert_int_equal(fake_counted().evaluations, 4 * 3);
    bed_close(&b);
}

/* The long decoding is cut into slices, and the other's steps lie between them. */
static void a_long_decoding_lets_others_go_on(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, &(sdw_worker_options){ .batch_max = 2 });
    sdw_job_request slow = bed_request("slices=10000 decode-ms=2"), quick = bed_request("quick");
    slow.params.steps = 1;
    sdw_job_id first = bed_submit(&b, &slow);
    bed_wait_status(&b, &first, SDW_JOB_RUNNING);
    sdw_job_id second = bed_submit(&b, &quick);
    sdw_event e = { .number = 0 };
    do { /* the quick one makes all its steps while the slow one decodes */
        uint64_t after = e.number;
        e = bed_event(&b, &second, after);
        sdw_event_finish(&e);
    } while (!(e.kind == SDW_EVENT_PROGRESS && e.step == 4));
    assert_int_equal(bed_status(&b, &first), SDW_JOB_RUNNING);
    assert_int_equal(sdw_worker_cancel(b.w, &first, NULL), SDW_OK);
    assert_int_equal(bed_wait_end(&b, &first), SDW_JOB_WAS_CANCELLED);
    assert_int_equal(bed_wait_end(&b, &second), SDW_JOB_COMPLETED);
    bed_close(&b);
}

static void a_job_ends_its_steps_early_when_asked(void **state)
{
    (void)state;
    bed b;
    char story[64];
    bed_open(&b, NULL);
    sdw_job_request r = bed_request("hold-at=3");
    r.params.steps = 50;
    sdw_job_id id = bed_submit(&b, &r);
    assert_true(fake_wait_held());
    assert_int_equal(sdw_worker_finish_early(b.w, &id, NULL), SDW_OK);
    fake_release();
    bed_story(&b, &id, false, story, sizeof story);
    assert_string_equal(story, "pppCD");
    assert_int_equal(sdw_worker_finish_early(b.w, &id, NULL), SDW_NOT_FOUND);
    bed_close(&b);
}

static void a_transform_reports_the_steps_of_the_request(void **state)
{
    (void)state;
    uint8_t pixels[64 * 64 * 3] = { 0 };
    sdw_picture init = { 64, 64, 3, pixels };
    bed b;
    bed_open(&b, NULL);
    sdw_job_request r = bed_request("transform");
    r.params.width = r.params.height = 0;
    r.params.init_image = &init;
    r.params.steps = 8;
    r.params.strength = 0.6;
    sdw_job_id id = bed_submit(&b, &r);
    sdw_event e = { .number = 0 };
    do {
        uint64_t after = e.number;
        e = bed_event(&b, &id, after);
        sdw_event_finish(&e);
    } while (e.kind != SDW_EVENT_PROGRESS);
    assert_int_equal(e.step, 5);
    assert_int_equal(e.total, 8);
    assert_int_equal(bed_wait_end(&b, &id), SDW_JOB_COMPLETED);
    sdw_job_view v = bed_view(&b, &id);
    assert_int_equal(v.kind, SDW_JOB_TRANSFORM);
    assert_int_equal(v.step, 8);
    sdw_job_view_finish(&v);
    bed_close(&b);
}

static void decoded_previews_come_beside_the_steps_and_the_last_is_the_result(void **state)
{
    (void)state;
    bed b;
    int steps[16], n = 0;
    bed_open(&b, NULL);
    sdw_job_request r = bed_request("decoded");
    r.preview = SDW_PREVIEW_VAE;
    r.preview_every = 5;
    r.params.steps = 20;
    sdw_job_id id = bed_submit(&b, &r);
    bed_wait_end(&b, &id);
    sdw_event e;
    for (uint64_t after = 0; sdw_worker_event(b.w, &id, after, &e, NULL) == SDW_OK; after = e.number) {
        if (e.kind == SDW_EVENT_PREVIEW) steps[n++] = e.step;
        sdw_event_finish(&e);
    }
    assert_int_equal(n, 5);
    assert_int_equal(steps[0], 1);
    assert_int_equal(steps[3], 16);
    assert_int_equal(steps[4], 20);
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_of_one_size_share_evaluations_and_one_that_comes_late_joins),
        cmocka_unit_test(jobs_of_two_sizes_take_turns),
        cmocka_unit_test(jobs_start_in_the_order_of_their_posts),
        cmocka_unit_test(pictures_of_one_request_advance_together),
        cmocka_unit_test(a_neighbour_that_fails_or_is_cancelled_takes_nobody_along),
        cmocka_unit_test(a_shared_evaluation_is_not_interrupted_for_one_of_its_jobs),
        cmocka_unit_test(a_shared_evaluation_is_interrupted_when_all_its_jobs_are_cancelled),
        cmocka_unit_test(a_batch_that_does_not_fit_is_made_smaller),
        cmocka_unit_test(a_long_decoding_lets_others_go_on),
        cmocka_unit_test(a_job_ends_its_steps_early_when_asked),
        cmocka_unit_test(a_transform_reports_the_steps_of_the_request),
        cmocka_unit_test(decoded_previews_come_beside_the_steps_and_the_last_is_the_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
