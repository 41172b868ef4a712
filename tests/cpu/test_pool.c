/* The thread pool: every item once, on a thread of the team, whatever the number of threads; also run under the thread
 * sanitizer, which sees unguarded hand-overs that no result shows. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

#include "core/status.h"
#include "cpu/pool.h"

enum { ITEMS_MAX = 1000 };

typedef struct work {
    int plain[ITEMS_MAX]; /* written by one item each, read by the caller after the run: no atomics on purpose */
    int threads;
    atomic_int strangers; /* thread numbers outside the team */
    atomic_int begun;
    atomic_bool cancel;
    int cancel_at; /* as many items begin before the one that cancels; -1 for none */
} work;

static void count_item(void *ctx, int index, int thread)
{
    work *w = ctx;
    w->plain[index]++;
    if (thread < 0 || thread >= w->threads) atomic_fetch_add(&w->strangers, 1);
    int order = atomic_fetch_add(&w->begun, 1);
    if (w->cancel_at < 0) return;
    if (order == w->cancel_at) atomic_store(&w->cancel, true);
    while (order > w->cancel_at && !atomic_load(&w->cancel)) sched_yield(); /* so that none can run on meanwhile */
}

static sdw_cpu_pool *new_pool(int threads)
{
    sdw_cpu_pool *pool = NULL;
    sdw_error err = { 0 };
    assert_int_equal(sdw_cpu_pool_create(threads, &pool, &err), SDW_OK);
    assert_non_null(pool);
    return pool;
}

static void every_item_runs_once_with_any_number_of_threads(void **state)
{
    (void)state;
    static const int threads[] = { 1, 2, 3, 8 }, counts[] = { 0, 1, 2, 7, 64, ITEMS_MAX };
    static work w;
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        sdw_cpu_pool *pool = new_pool(threads[t]);
        assert_int_equal(sdw_cpu_pool_threads(pool), threads[t]);
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            w = (work){ .threads = threads[t], .cancel_at = -1 };
            sdw_cpu_pool_run(pool, counts[c], count_item, &w, &w.cancel);
            for (int i = 0; i < ITEMS_MAX; i++) assert_int_equal(w.plain[i], i < counts[c]);
            assert_int_equal(atomic_load(&w.strangers), 0);
        }
        sdw_cpu_pool_free(pool);
    }
}

/* An op reads what the op before it wrote, on whatever thread: each run must see all of the last one. */
static void add_neighbours(void *ctx, int index, int thread)
{
    int *rows = ctx; /* rows[0..63] the last run's, rows[64..127] this run's */
    (void)thread;
    rows[64 + index] = rows[(index + 63) % 64] + rows[(index + 1) % 64];
}

static void a_run_sees_all_results_of_the_run_before(void **state)
{
    (void)state;
    sdw_cpu_pool *pool = new_pool(4);
    int rows[128] = { 0 };
    for (int i = 0; i < 64; i++) rows[i] = 1;
    for (int run = 1; run <= 20; run++) {
        sdw_cpu_pool_run(pool, 64, add_neighbours, rows, NULL);
        for (int i = 0; i < 64; i++) {
            assert_int_equal(rows[64 + i], 1 << run);
            rows[i] = rows[64 + i];
        }
    }
    sdw_cpu_pool_free(pool);
}

static void cancelled_work_leaves_the_rest_out_and_the_pool_usable(void **state)
{
    (void)state;
    static work w;
    sdw_cpu_pool *pool = new_pool(4);
    w = (work){ .threads = 4, .cancel_at = 10 };
    sdw_cpu_pool_run(pool, ITEMS_MAX, count_item, &w, &w.cancel);
    /* Each of the four may have taken one more item before it saw the flag. */
    assert_in_range(atomic_load(&w.begun), 11, 11 + 3);

    w = (work){ .threads = 4, .cancel_at = -1 };
    atomic_store(&w.cancel, true);
    sdw_cpu_pool_run(pool, ITEMS_MAX, count_item, &w, &w.cancel);
    assert_int_equal(atomic_load(&w.begun), 0);

    atomic_store(&w.cancel, false);
    sdw_cpu_pool_run(pool, ITEMS_MAX, count_item, &w, &w.cancel);
    assert_int_equal(atomic_load(&w.begun), ITEMS_MAX);
    sdw_cpu_pool_free(pool);
}

/* Item 0 goes on only when all others have run: whoever has it can reach none of its own chunk, so others must take them. */
static void first_waits_for_all_others(void *ctx, int index, int thread)
{
    work *w = ctx;
    time_t begun = time(NULL);
    (void)thread;
    if (index != 0) {
        w->plain[index]++;
        atomic_fetch_add(&w->begun, 1);
        return;
    }
    while (atomic_load(&w->begun) < w->cancel_at && time(NULL) - begun < 60) sched_yield();
    w->plain[0] = atomic_load(&w->begun);
}

static void items_of_a_busy_thread_are_taken_by_others(void **state)
{
    (void)state;
    static work w;
    static const int threads[] = { 2, 3, 8 };
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        sdw_cpu_pool *pool = new_pool(threads[t]);
        for (int run = 0; run < 20; run++) {
            w = (work){ .threads = threads[t], .cancel_at = ITEMS_MAX - 1 };
            sdw_cpu_pool_run(pool, ITEMS_MAX, first_waits_for_all_others, &w, NULL);
            assert_int_equal(w.plain[0], ITEMS_MAX - 1);
            for (int i = 1; i < ITEMS_MAX; i++) assert_int_equal(w.plain[i], 1);
        }
        sdw_cpu_pool_free(pool);
    }
}

/* Many more threads than processors, and runs so short that most of the team comes too late for them. */
static void late_threads_miss_a_run_and_nothing_else(void **state)
{
    (void)state;
    static work w;
    sdw_cpu_pool *pool = new_pool(20);
    for (int run = 0; run < 2000; run++) {
        w = (work){ .threads = 20, .cancel_at = -1 };
        sdw_cpu_pool_run(pool, 2 + run % 30, count_item, &w, NULL);
        for (int i = 0; i < 32; i++) assert_int_equal(w.plain[i], i < 2 + run % 30);
    }
    sdw_cpu_pool_free(pool);
}

static void pools_come_and_go(void **state)
{
    (void)state;
    static work w;
    for (int i = 0; i < 50; i++) {
        sdw_cpu_pool *pool = new_pool(1 + i % 5);
        w = (work){ .threads = 1 + i % 5, .cancel_at = -1 };
        if (i % 3) sdw_cpu_pool_run(pool, 5, count_item, &w, NULL);
        assert_int_equal(atomic_load(&w.begun), i % 3 ? 5 : 0);
        sdw_cpu_pool_free(pool);
    }
    sdw_cpu_pool_free(NULL);
    assert_in_range(sdw_cpu_threads_available(), 1, SDW_CPU_THREADS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_runs_once_with_any_number_of_threads),
        cmocka_unit_test(a_run_sees_all_results_of_the_run_before),
        cmocka_unit_test(cancelled_work_leaves_the_rest_out_and_the_pool_usable),
        cmocka_unit_test(items_of_a_busy_thread_are_taken_by_others),
        cmocka_unit_test(late_threads_miss_a_run_and_nothing_else),
        cmocka_unit_test(pools_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
