/* Memory that is refused once, at every place in turn: the job fails or is refused, the worker lives on. And many jobs in a
 * row leave nothing behind. */
#include "worker/bed.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "engine/tiny.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* Asks for nothing that allocates. */
static bool has_ended(bed *b, void *ctx)
{
    uint64_t number;
    bool ended = false;
    return sdw_worker_last_event(b->w, ctx, &number, &ended, NULL) != SDW_OK || ended;
}

static void expect_good_end(bed *b, const sdw_job_id *id, size_t nth)
{
    sdw_job_view v = bed_view(b, id);
    if (v.status == SDW_JOB_FAILED && strcmp(v.error.code, "VRAM_OOM") != 0)
        fail_msg("allocation %zu fails: the job ends with %s (%s), want VRAM_OOM", nth, v.error.code, v.error.message);
    if (v.status != SDW_JOB_FAILED && v.status != SDW_JOB_COMPLETED) fail_msg("allocation %zu fails: the job is %s", nth, sdw_job_status_name(v.status));
    sdw_job_view_finish(&v);
}

/* One job with the nth allocation refused, then one that must succeed. Returns how many allocations there were. */
static size_t fail_one(bed *b, const sdw_job_request *r, size_t nth, bool sticky)
{
    sdw_job_id id;
    sdw_error err = { 0 };
    sdw_mem_fail_at(nth, sticky);
    sdw_status status = sdw_worker_submit(b->w, r, &id, NULL, &err);
    if (status == SDW_OK) bed_wait(b, has_ended, &id);
    size_t count = sdw_mem_count();
    sdw_mem_fail_at(0, false);
    if (status == SDW_OK) expect_good_end(b, &id, nth);
    else if (status != SDW_NO_MEMORY) fail_msg("allocation %zu fails: submit says %s (%s)", nth, sdw_status_name(status), err.text);
    sdw_job_id next = bed_submit(b, r);
    if (bed_wait_end(b, &next) != SDW_JOB_COMPLETED) {
        sdw_job_view v = bed_view(b, &next);
        fail_msg("after allocation %zu failed the next job ends with %s (%s)", nth, v.error.code, v.error.message);
    }
    return count;
}

static void refused_memory_fails_a_job_at_most(void **state)
{
    (void)state;
    bed b;
    sdw_worker_options o = { .preview_every = 1 };
    bed_open(&b, &o);
    bed_wait_phase(&b, SDW_WORKER_IDLE);
    sdw_job_request r = bed_request("faults warn");
    r.preview_every = 2;
    r.params.count = 2;
    r.tag = "tag";
    const char *notes[] = { "a note", NULL };
    r.notes = notes;
    size_t count = 0, nth = 0;
    do count = fail_one(&b, &r, ++nth, false);
    while (count >= nth); /* until there is no nth any more */
    assert_true(count > 50);
    print_message("%zu allocations of a job refused in turn\n", count);
    for (nth = 1; nth <= count; nth += 7) fail_one(&b, &r, nth, true);
    bed_close(&b);
    assert_int_equal(fake_counted().jobs, 0);
}

static void refused_memory_in_the_engine_fails_a_job_at_most(void **state)
{
    (void)state;
    bed b;
#if defined(__SANITIZE_THREAD__)
    skip(); /* the same path as above with other callees; minutes under this sanitizer */
#endif
    tiny_write("sd15", &(tiny_options){ .kind = TINY_SD15 });
    bed_open(&b, &(sdw_worker_options){ .executor = &sdw_executor_engine, .engine = { .model = "sd15", .threads = 2 } });
    bed_wait_phase(&b, SDW_WORKER_IDLE);
    sdw_job_request r = { .params = tiny_params("faults"), .preview_every = 1 };
    size_t count = fail_one(&b, &r, 0, false), step = count / (SANITIZED ? 10 : 40) + 1;
    for (size_t nth = 1; nth <= count; nth += step) fail_one(&b, &r, nth, false);
    print_message("%zu allocations of a job, every %zuth refused\n", count, step);
    bed_close(&b);
}

static void a_thousand_jobs_leave_nothing_behind(void **state)
{
    (void)state;
    enum { JOBS = 1000, WARM = 200, AT_ONCE = 20 };
    bed b;
    size_t before = 0;
    sdw_job_id id[AT_ONCE];
    bed_open(&b, &(sdw_worker_options){ .results_max = 8, .batch_max = 4 });
    for (int i = 0; i < JOBS; i += AT_ONCE) {
        sdw_job_request r = bed_request(i % 100 ? "many" : "nan-at=3");
        r.preview_every = 2;
        for (int k = 0; k < AT_ONCE; k++) {
            r.params.width = k % 3 ? 64 : 128;
            id[k] = bed_submit(&b, &r);
        }
        for (int k = 0; k < AT_ONCE; k++) bed_wait(&b, has_ended, &id[k]);
        if (i == WARM) before = mallinfo2().uordblks;
    }
    size_t after = mallinfo2().uordblks;
    sdw_worker_state s;
    sdw_worker_state_of(b.w, &s);
    assert_int_equal(s.jobs_completed + s.jobs_failed, JOBS);
    assert_int_equal(s.queued + s.running, 0);
    print_message("heap after %d jobs: %zu bytes, after %d: %zu\n", WARM, before, JOBS, after);
    if (!SANITIZED) assert_true(after < before + (1 << 20)); /* what 8 results hold varies by some pictures */
    bed_close(&b);
    assert_int_equal(fake_counted().jobs, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_memory_fails_a_job_at_most),
        cmocka_unit_test(refused_memory_in_the_engine_fails_a_job_at_most),
        cmocka_unit_test(a_thousand_jobs_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
