/* pool.c - what the thread pool costs: an empty run, and runs like those of a step, while other threads want the processors.
 * Usage: bench_pool [THREADS [HOGS...]]: with no hogs, then with that many (20). Each line is the median over rounds of
 * about 0.1 s: wall time of a run, and processor time of the pool's threads in it. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "cpu/pool.h"

enum { ROUNDS = 21, HOGS_MAX = 256 };

static double read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void nothing(void *ctx, int index, int thread)
{
    (void)ctx, (void)index, (void)thread;
}

/* Processor time, so that an item is the same work however often it is put aside. */
static void busy(void *ctx, int index, int thread)
{
    double seconds = *(const double *)ctx, start = read_clock(CLOCK_THREAD_CPUTIME_ID);
    (void)index, (void)thread;
    while (read_clock(CLOCK_THREAD_CPUTIME_ID) - start < seconds) {}
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(sdw_cpu_pool *pool, const char *name, int items, double item_seconds)
{
    double wall[ROUNDS], used[ROUNDS];
    sdw_cpu_task *task = item_seconds > 0 ? busy : nothing;
    for (int i = 0; i < ROUNDS; i++) {
        double start = read_clock(CLOCK_MONOTONIC), cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID), end;
        int runs = 0;
        do {
            sdw_cpu_pool_run(pool, items, task, &item_seconds, NULL);
            runs++;
        } while ((end = read_clock(CLOCK_MONOTONIC)) - start < 0.1);
        wall[i] = (end - start) / runs;
        used[i] = (read_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu) / runs;
    }
    qsort(wall, ROUNDS, sizeof *wall, by_value);
    qsort(used, ROUNDS, sizeof *used, by_value);
    printf("  %-34s %10.1f us wall %10.1f us processor\n", name, wall[ROUNDS / 2] * 1e6, used[ROUNDS / 2] * 1e6);
    fflush(stdout);
}

/* Other programs: each wants a processor for itself. */
static void start_hogs(pid_t *hog, int count)
{
    for (int i = 0; i < count; i++)
        if ((hog[i] = fork()) == 0)
            for (;;) {}
}

static void stop_hogs(const pid_t *hog, int count)
{
    for (int i = 0; i < count; i++)
        if (hog[i] > 0) {
            kill(hog[i], SIGKILL);
            waitpid(hog[i], NULL, 0);
        }
}

int main(int argc, char **argv)
{
    static pid_t hog[HOGS_MAX];
    sdw_cpu_pool *pool = NULL;
    sdw_error err = { 0 };
    for (int i = 1; i < (argc > 2 ? argc : 3); i++) {
        int hogs = i == 1 ? 0 : argc > 2 ? atoi(argv[i]) : 20;
        if (hogs > HOGS_MAX) hogs = HOGS_MAX;
        start_hogs(hog, hogs);
        if (sdw_cpu_pool_create(argc > 1 ? atoi(argv[1]) : 0, &pool, &err) != SDW_OK) {
            fprintf(stderr, "bench_pool: %s\n", err.text);
            stop_hogs(hog, hogs);
            return 1;
        }
        printf("%d threads, %d other programs\n", sdw_cpu_pool_threads(pool), hogs);
        measure(pool, "empty run of 2 items", 2, 0);
        measure(pool, "empty run of 64 items", 64, 0);
        measure(pool, "64 items of 5 us", 64, 5e-6);
        measure(pool, "16 items of 100 us", 16, 100e-6);
        measure(pool, "16 items of 1 ms", 16, 1e-3);
        sdw_cpu_pool_free(pool);
        stop_hogs(hog, hogs);
    }
    return 0;
}
