/* One job at a time through the worker: its events, its end, its pictures. */
#include "worker/bed.h"

#include <string.h>

#include "core/mem.h"

static void a_job_tells_every_step_and_ends_with_its_picture(void **state)
{
    (void)state;
    bed b;
    char story[64];
    size_t size;
    bed_open(&b, NULL);
    sdw_job_request r = bed_request("a cat");
    r.params.seed = 42;
    r.params.has_seed = 1;
    sdw_job_id id = bed_submit(&b, &r);
    assert_int_equal(strlen(id.text), SDW_JOB_ID_SIZE - 1);
    bed_story(&b, &id, false, story, sizeof story);
    assert_string_equal(story, "ppppCD");
    sdw_job_view v = bed_view(&b, &id);
    assert_int_equal(v.status, SDW_JOB_COMPLETED);
    assert_int_equal(v.step, 4);
    assert_int_equal(v.total, 4);
    assert_int_equal(v.seed, 42);
    assert_int_equal(v.output_count, 1);
    assert_int_equal(v.outputs[0].width, 64);
    assert_true(v.started_at >= v.created_at && v.finished_at >= v.started_at);
    assert_non_null(strstr(v.params_json, "\"prompt\":\"a cat\""));
    uint8_t *pixels = bed_pixels(&b, &id, 0, &size);
    assert_int_equal(size, 3 * 64 * 64);
    for (size_t i = 0; i < size; i++) assert_int_equal(pixels[i], fake_byte(42, i));
    sdw_free(pixels);
    sdw_job_view_finish(&v);
    bed_close(&b);
}

static void previews_come_at_every_nth_step_and_the_last(void **state)
{
    (void)state;
    bed b;
    char story[64];
    bed_open(&b, &(sdw_worker_options){ .preview_every = -1 });
    sdw_job_request r = bed_request("previews");
    r.preview_every = -1;
    r.params.steps = 12;
    sdw_job_id id = bed_submit(&b, &r);
    int steps[16], n = 0;
    bed_wait_end(&b, &id);
    sdw_event e;
    for (uint64_t after = 0; sdw_worker_event(b.w, &id, after, &e, NULL) == SDW_OK; after = e.number) {
        if (e.kind == SDW_EVENT_PREVIEW) {
            size_t size;
            assert_memory_equal(sdw_blob_bytes(e.picture, &size), "\x89PNG", 4);
            steps[n++] = e.step;
        }
        sdw_event_finish(&e);
    }
    assert_int_equal(n, 4);
    assert_int_equal(steps[0], 1);
    assert_int_equal(steps[1], 6);
    assert_int_equal(steps[2], 11);
    assert_int_equal(steps[3], 12);
    bed_story(&b, &id, false, story, sizeof story);
    assert_string_equal(story + strlen(story) - 2, "CD");
    bed_close(&b);
}

static void a_queued_job_is_cancelled_at_once_and_never_starts(void **state)
{
    (void)state;
    bed b;
    char story[64];
    bed_open(&b, &(sdw_worker_options){ .batch_max = 1 });
    sdw_job_request r = bed_request("hold-at=2");
    sdw_job_id first = bed_submit(&b, &r);
    assert_true(fake_wait_held());
    sdw_job_request r2 = bed_request("second");
    sdw_job_id second = bed_submit(&b, &r2);
    assert_int_equal(sdw_worker_cancel(b.w, &second, NULL), SDW_OK);
    bed_story(&b, &second, true, story, sizeof story);
    assert_string_equal(story, "X");
    assert_int_equal(sdw_worker_cancel(b.w, &second, NULL), SDW_NOT_FOUND);
    assert_int_equal(bed_status(&b, &first), SDW_JOB_RUNNING);
    fake_release();
    assert_int_equal(bed_wait_end(&b, &first), SDW_JOB_COMPLETED);
    bed_close(&b);
}

static void a_running_job_is_cancelled_inside_a_stalled_step(void **state)
{
    (void)state;
    bed b;
    char story[64];
    bed_open(&b, NULL);
    sdw_job_request r = bed_request("stall-at=3");
    sdw_job_id id = bed_submit(&b, &r);
    assert_true(fake_wait_held());
    assert_int_equal(sdw_worker_cancel(b.w, &id, NULL), SDW_OK);
    bed_story(&b, &id, false, story, sizeof story);
    assert_string_equal(story, "ppX");
    sdw_job_request r2 = bed_request("the next one");
    sdw_job_id next = bed_submit(&b, &r2);
    assert_int_equal(bed_wait_end(&b, &next), SDW_JOB_COMPLETED);
    bed_close(&b);
}

static void expect_failure(bed *b, const char *prompt, const char *code)
{
    char story[64];
    sdw_job_request r = bed_request(prompt);
    sdw_job_id id = bed_submit(b, &r);
    bed_story(b, &id, false, story, sizeof story);
    assert_string_equal(story, "pEF");
    sdw_job_view v = bed_view(b, &id);
    assert_int_equal(v.status, SDW_JOB_FAILED);
    assert_string_equal(v.error.code, code);
    assert_true(v.error.message[0] != '\0');
    sdw_job_view_finish(&v);
}

static void failures_of_the_engine_have_their_codes_and_the_worker_lives(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    expect_failure(&b, "nan-at=2", "NON_FINITE");
    expect_failure(&b, "oom-at=2", "VRAM_OOM");
    expect_failure(&b, "fail-at=2", "INFERENCE_FAILED");
    sdw_job_request r = bed_request("fine");
    sdw_job_id id = bed_submit(&b, &r);
    assert_int_equal(bed_wait_end(&b, &id), SDW_JOB_COMPLETED);
    bed_close(&b);
}

static void a_job_past_its_time_ends_even_inside_a_stalled_step(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL);
    sdw_job_request r = bed_request("stall-at=1");
    r.timeout_s = 0.05;
    sdw_job_id id = bed_submit(&b, &r);
    assert_int_equal(bed_wait_end(&b, &id), SDW_JOB_FAILED);
    sdw_job_view v = bed_view(&b, &id);
    assert_string_equal(v.error.code, "TIMEOUT");
    sdw_job_view_finish(&v);
    bed_close(&b);
}

static void a_model_is_described_once_it_is_open_and_not_before(void **state)
{
    (void)state;
    bed b;
    sdw_worker_model_info *m = NULL;
    sdw_worker *none;
    assert_int_equal(sdw_worker_open(&(sdw_worker_options){ .executor = &fake_executor }, &none, NULL), SDW_OK);
    for (int i = 0; i < 3; i++) assert_false(sdw_worker_model(none, &m));
    assert_null(m);
    sdw_worker_close(none);
    bed_open(&b, NULL);
    bed_wait_phase(&b, SDW_WORKER_IDLE);
    assert_true(sdw_worker_model(b.w, &m));
    assert_non_null(sdw_worker_model_info_of(m)->family);
    sdw_worker_model_info_free(m);
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_is_described_once_it_is_open_and_not_before),
        cmocka_unit_test(a_job_tells_every_step_and_ends_with_its_picture),
        cmocka_unit_test(previews_come_at_every_nth_step_and_the_last),
        cmocka_unit_test(a_queued_job_is_cancelled_at_once_and_never_starts),
        cmocka_unit_test(a_running_job_is_cancelled_inside_a_stalled_step),
        cmocka_unit_test(failures_of_the_engine_have_their_codes_and_the_worker_lives),
        cmocka_unit_test(a_job_past_its_time_ends_even_inside_a_stalled_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
