/* No memory at the nth allocation of a job's life, in every thread that works on it: the job ends with a code, or well;
 * the worker goes on, and the next job gets its picture. */
#include "worker/bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

#define FOLDER "memory-state"

static void check_next(bed *b)
{
    sdw_job_request r = bed_request("the next one");
    r.params.seed = 5;
    r.params.has_seed = 1;
    sdw_job_id id = bed_submit(b, &r);
    assert_int_equal(bed_wait_end(b, &id), SDW_JOB_COMPLETED);
    size_t size;
    uint8_t *pixels = bed_pixels(b, &id, 0, &size);
    assert_true(size > 0);
    sdw_free(pixels);
}

/* As bed_wait_end, without asking for a view: that would allocate too. */
static bool has_ended(bed *b, void *id)
{
    uint64_t number;
    bool ended = false;
    if (sdw_worker_last_event(b->w, id, &number, &ended, NULL) != SDW_OK) fail_msg("the job is gone");
    return ended;
}

/* Whether the nth allocation was made. */
static bool one_life(bed *b, size_t nth, const char *prompt, int *failed)
{
    sdw_job_request r = bed_request(prompt);
    r.preview_every = 1;
    r.params.count = 2;
    sdw_job_id id;
    sdw_mem_fail_at(nth, false);
    sdw_status s = sdw_worker_submit(b->w, &r, &id, NULL, NULL);
    if (s == SDW_OK) bed_wait(b, has_ended, &id);
    bool happened = sdw_mem_count() >= nth;
    sdw_mem_fail_at(0, false);
    if (s != SDW_OK) {
        assert_int_equal(s, SDW_NO_MEMORY);
        ++*failed;
        return happened;
    }
    sdw_job_view v = bed_view(b, &id);
    if (v.status == SDW_JOB_FAILED) {
        ++*failed;
        if (strcmp(v.error.code, "VRAM_OOM") != 0) fail_msg("allocation %zu: %s: %s", nth, v.error.code, v.error.message);
        assert_true(v.error.message[0] != '\0');
    } else {
        assert_int_equal(v.status, SDW_JOB_COMPLETED);
        assert_int_equal(v.output_count, 2);
    }
    sdw_job_view_finish(&v);
    return happened;
}

static void lives(const sdw_worker_options *o, size_t step, size_t most)
{
    bed b;
    int failed = 0;
    bed_open(&b, o);
    bed_wait_phase(&b, SDW_WORKER_IDLE);
    for (size_t nth = 1; nth < most; nth += step) {
        bool happened = one_life(&b, nth, "a job", &failed);
        if (nth % (step * 10) == 1) check_next(&b);
        if (!happened) break;
    }
    check_next(&b);
    assert_true(failed > 10);
    bed_close(&b);
}

static void a_job_without_memory_ends_with_a_code(void **state)
{
    (void)state;
    lives(NULL, 1, 1000);
}

static void the_same_with_a_state_folder(void **state)
{
    (void)state;
    assert_int_equal(system("rm -rf " FOLDER), 0);
    lives(&(sdw_worker_options){ .state_dir = FOLDER }, 1, 2000);
    /* All that ended is still there. */
    bed b;
    sdw_job_id ids[4];
    bed_open(&b, &(sdw_worker_options){ .state_dir = FOLDER });
    assert_int_equal(sdw_worker_jobs(b.w, 1u << SDW_JOB_COMPLETED, NULL, ids, 4), 4);
    assert_int_equal(sdw_worker_jobs(b.w, 1u << SDW_JOB_QUEUED | 1u << SDW_JOB_RUNNING, NULL, ids, 4), 0);
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_without_memory_ends_with_a_code),
        cmocka_unit_test(the_same_with_a_state_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
