/* With a state folder: jobs that are stopped are kept and run again to the same bytes, finished ones are still there, and a
 * folder copied in the middle of a run is what a crash leaves behind. */
#include "worker/bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

/* A folder of its own for every test, empty. */
static const char *fresh(const char *name)
{
    static char path[128], command[160];
    snprintf(path, sizeof path, "state-%s", name);
    snprintf(command, sizeof command, "rm -rf %s", path);
    assert_int_equal(system(command), 0);
    return path;
}

static void open_state(bed *b, const char *dir, const char *model)
{
    bed_open(b, &(sdw_worker_options){ .state_dir = dir, .batch_max = 1, .engine = { .model = model }, .model_id = "the-model" });
}

static void expect_pixels(bed *b, const sdw_job_id *id, uint64_t seed)
{
    size_t size;
    uint8_t *pixels = bed_pixels(b, id, 0, &size);
    for (size_t i = 0; i < size; i++) assert_int_equal(pixels[i], fake_byte(seed, i));
    sdw_free(pixels);
}

static void a_stopped_worker_keeps_its_jobs_and_they_run_again(void **state)
{
    (void)state;
    bed b;
    uint8_t grey[64 * 64 * 3];
    memset(grey, 90, sizeof grey);
    sdw_picture init = { 64, 64, 3, grey };
    const char *dir = fresh("kept");
    open_state(&b, dir, "fake");
    sdw_job_request r = bed_request("hold-at=3"), waiting = bed_request("waits");
    waiting.params.init_image = &init;
    waiting.params.width = waiting.params.height = 0;
    waiting.tag = "a tag";
    sdw_job_id first = bed_submit(&b, &r);
    assert_true(fake_wait_held());
    sdw_job_id second = bed_submit(&b, &waiting);
    sdw_job_view v = bed_view(&b, &first), v2 = bed_view(&b, &second);
    uint64_t seed = v.seed, seed2 = v2.seed;
    assert_true(seed < ((uint64_t)1 << 53) - 8);
    sdw_worker_stop(b.w, SDW_STOP_NOW);
    sdw_event e = { .number = 0 };
    do {
        uint64_t after = e.number;
        e = bed_event(&b, &first, after);
        sdw_event_finish(&e);
    } while (e.kind != SDW_EVENT_END_KEPT);
    assert_int_equal(e.number, 0);
    assert_int_equal(bed_status(&b, &second), SDW_JOB_QUEUED);
    bed_close(&b);
    sdw_job_view_finish(&v);
    sdw_job_view_finish(&v2);

    open_state(&b, dir, "fake");
    assert_true(fake_wait_held());
    v = bed_view(&b, &second);
    assert_string_equal(v.tag, "a tag");
    assert_int_equal(v.kind, SDW_JOB_TRANSFORM);
    sdw_job_view_finish(&v);
    fake_release();
    assert_int_equal(bed_wait_end(&b, &first), SDW_JOB_COMPLETED);
    assert_int_equal(bed_wait_end(&b, &second), SDW_JOB_COMPLETED);
    expect_pixels(&b, &first, seed);
    expect_pixels(&b, &second, seed2);
    bed_close(&b);

    open_state(&b, dir, "fake"); /* and are still there in a third life */
    char story[64];
    bed_story(&b, &first, false, story, sizeof story);
    assert_string_equal(story, "CD");
    expect_pixels(&b, &first, seed);
    v = bed_view(&b, &second);
    assert_int_equal(v.status, SDW_JOB_COMPLETED);
    assert_int_equal(v.output_count, 1);
    assert_true(v.finished_at >= v.started_at && v.started_at > 0);
    assert_int_equal(sdw_worker_output_delete(b.w, &v.outputs[0].id, NULL), SDW_OK);
    sdw_job_view_finish(&v);
    bed_close(&b);

    open_state(&b, dir, "fake");
    v = bed_view(&b, &second);
    assert_int_equal(v.output_count, 0);
    sdw_job_view_finish(&v);
    bed_close(&b);
}

static void crash_copy(const char *from, const char *to)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf %s && cp -r %s %s && rm -f %s/lock", to, from, to, to);
    assert_int_equal(system(command), 0);
}

static void a_job_that_was_running_in_two_crashes_is_failed(void **state)
{
    (void)state;
    bed b;
    const char *dirs[] = { "state-crash-0", "state-crash-1", "state-crash-2" };
    fresh("crash-0");
    open_state(&b, dirs[0], "fake");
    sdw_job_request r = bed_request("hold-at=2");
    sdw_job_id id = bed_submit(&b, &r);
    for (int life = 0; life < 2; life++) {
        assert_true(fake_wait_held());
        crash_copy(dirs[life], dirs[life + 1]); /* while it runs */
        bed_close(&b);
        open_state(&b, dirs[life + 1], "fake");
    }
    assert_int_equal(bed_wait_end(&b, &id), SDW_JOB_FAILED);
    sdw_job_view v = bed_view(&b, &id);
    assert_string_equal(v.error.code, "CRASHED");
    sdw_job_view_finish(&v);
    bed_close(&b);
}

static void write_model(const char *folder, const char *text)
{
    char command[256];
    snprintf(command, sizeof command, "mkdir -p %s && printf %%s %s >%s/model_index.json", folder, text, folder);
    assert_int_equal(system(command), 0);
}

static void a_job_for_another_model_is_not_run_with_this_one(void **state)
{
    (void)state;
    static const char *const models[] = { "model-b", "model-a" };
    write_model("model-a", "one");
    write_model("model-b", "two");
    for (int i = 0; i < 2; i++) { /* another model of the same name; a name that is not known */
        bed b;
        const char *dir = fresh("model");
        open_state(&b, dir, "model-a");
        bed_wait_phase(&b, SDW_WORKER_IDLE);
        sdw_job_request r = bed_request("hold-at=1");
        sdw_job_id id = bed_submit(&b, &r);
        assert_true(fake_wait_held());
        bed_close(&b);
        bed_open(&b, &(sdw_worker_options){ .state_dir = dir, .engine = { .model = models[i] }, .model_id = i ? "renamed" : "the-model" });
        assert_int_equal(bed_wait_end(&b, &id), SDW_JOB_FAILED);
        sdw_job_view v = bed_view(&b, &id);
        assert_string_equal(v.error.code, "MODEL_CHANGED");
        sdw_job_view_finish(&v);
        bed_close(&b);
    }
}

static void a_key_gives_the_same_job_again_also_after_a_restart(void **state)
{
    (void)state;
    bed b;
    sdw_job_id id, again;
    sdw_submit_answer answer;
    sdw_error err = { 0 };
    const char *dir = fresh("keys");
    open_state(&b, dir, "fake");
    sdw_job_request r = bed_request("keyed");
    r.idempotency_scope = "/v1/jobs";
    r.idempotency_key = "abc";
    r.body_hash[0] = 1;
    assert_int_equal(sdw_worker_submit(b.w, &r, &id, &answer, &err), SDW_OK);
    assert_int_equal(answer, SDW_SUBMIT_ACCEPTED);
    for (int life = 0; life < 2; life++) {
        assert_int_equal(sdw_worker_submit(b.w, &r, &again, &answer, &err), SDW_OK);
        assert_int_equal(answer, SDW_SUBMIT_REPLAYED);
        assert_string_equal(id.text, again.text);
        r.body_hash[0] = 2;
        assert_int_equal(sdw_worker_submit(b.w, &r, &again, &answer, &err), SDW_EXISTS);
        r.body_hash[0] = 1;
        if (life) break;
        assert_int_equal(bed_wait_end(&b, &id), SDW_JOB_COMPLETED);
        bed_close(&b);
        open_state(&b, dir, "fake");
    }
    bed_close(&b);
}

static void a_folder_has_one_owner(void **state)
{
    (void)state;
    bed b;
    sdw_worker *w;
    sdw_error err = { 0 };
    const char *dir = fresh("owner");
    open_state(&b, dir, "fake");
    assert_int_equal(sdw_worker_open(&(sdw_worker_options){ .state_dir = dir, .executor = &fake_executor }, &w, &err), SDW_BUSY);
    bed_close(&b);
}

static void a_cancelled_job_stays_cancelled(void **state)
{
    (void)state;
    bed b;
    const char *dir = fresh("cancelled");
    open_state(&b, dir, "fake");
    sdw_job_request r = bed_request("hold-at=1"), other = bed_request("queued");
    sdw_job_id running = bed_submit(&b, &r), queued = bed_submit(&b, &other);
    assert_true(fake_wait_held());
    assert_int_equal(sdw_worker_cancel(b.w, &running, NULL), SDW_OK);
    assert_int_equal(sdw_worker_cancel(b.w, &queued, NULL), SDW_OK);
    bed_wait_end(&b, &running);
    bed_close(&b);
    open_state(&b, dir, "fake");
    assert_int_equal(bed_status(&b, &running), SDW_JOB_WAS_CANCELLED);
    assert_int_equal(bed_status(&b, &queued), SDW_JOB_WAS_CANCELLED);
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stopped_worker_keeps_its_jobs_and_they_run_again),
        cmocka_unit_test(a_job_that_was_running_in_two_crashes_is_failed),
        cmocka_unit_test(a_job_for_another_model_is_not_run_with_this_one),
        cmocka_unit_test(a_key_gives_the_same_job_again_also_after_a_restart),
        cmocka_unit_test(a_folder_has_one_owner),
        cmocka_unit_test(a_cancelled_job_stays_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
