/* pool.c - see pool.h.
 *
 * A run is announced by one word: its generation in the high bits, a counter of items in the low ones would wrap into
 * each other, so they are two atomics. `generation` is raised after everything that describes the run was written
 * (release), workers read it first (acquire). The caller leaves the run only when every worker has left it
 * (`inside` is 0), so nothing that describes a run changes while somebody reads it. */
#define _GNU_SOURCE
#include "cpu/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "core/mem.h"

enum { SPIN_ROUNDS = 20000 }; /* about 50 us with a pause of some nanoseconds each */

struct worker {
    struct sdw_cpu_pool *pool;
    pthread_t thread;
    int index;
};

struct sdw_cpu_pool {
    int threads;             /* with the caller */
    int started;             /* workers that run */
    int spin;
    struct worker worker[SDW_CPU_THREADS_MAX];
    pthread_mutex_t mutex;   /* guards sleeping: a worker checks `generation` under it before it waits */
    pthread_cond_t wake;
    int sleepers;            /* under the mutex */
    atomic_uint generation;  /* one run each */
    atomic_int next;         /* item to hand out */
    atomic_int inside;       /* workers that have not yet left the current run */
    bool stop;               /* written before generation is raised */
    int count;
    sdw_cpu_task *task;
    void *ctx;
    const atomic_bool *cancel;
};

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void work(sdw_cpu_pool *p, int thread)
{
    for (;;) {
        if (p->cancel && atomic_load_explicit(p->cancel, memory_order_relaxed)) return;
        int i = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed);
        if (i >= p->count) return;
        p->task(p->ctx, i, thread);
    }
}

/* Returns when the generation differs from `seen`. */
static unsigned await(sdw_cpu_pool *p, unsigned seen)
{
    for (int i = 0; i < p->spin; i++) {
        unsigned now = atomic_load_explicit(&p->generation, memory_order_acquire);
        if (now != seen) return now;
        relax();
    }
    pthread_mutex_lock(&p->mutex);
    p->sleepers++;
    unsigned now;
    while ((now = atomic_load_explicit(&p->generation, memory_order_acquire)) == seen) pthread_cond_wait(&p->wake, &p->mutex);
    p->sleepers--;
    pthread_mutex_unlock(&p->mutex);
    return now;
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    sdw_cpu_pool *p = w->pool;
    unsigned seen = 0;
    for (;;) {
        seen = await(p, seen);
        if (p->stop) return NULL;
        work(p, w->index);
        atomic_fetch_sub_explicit(&p->inside, 1, memory_order_release);
    }
}

/* Raises the generation; the mutex closes the gap between a worker's last look and its wait. */
static void announce(sdw_cpu_pool *p)
{
    pthread_mutex_lock(&p->mutex);
    atomic_fetch_add_explicit(&p->generation, 1, memory_order_release);
    if (p->sleepers) pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->mutex);
}

void sdw_cpu_pool_run(sdw_cpu_pool *p, int count, sdw_cpu_task *task, void *ctx, const atomic_bool *cancel)
{
    p->count = count;
    p->task = task;
    p->ctx = ctx;
    p->cancel = cancel;
    atomic_store_explicit(&p->next, 0, memory_order_relaxed);
    if (count <= 1 || p->started == 0) {
        work(p, 0);
        return;
    }
    atomic_store_explicit(&p->inside, p->started, memory_order_relaxed);
    announce(p);
    work(p, 0);
    for (int i = 0; atomic_load_explicit(&p->inside, memory_order_acquire) != 0; i++) {
        if (i < p->spin) relax();
        else sched_yield(); /* more threads than processors: let the last one finish */
    }
}

/* A quota of the cgroup in processors, rounded up; 0 = none known. */
static int cgroup_processors(void)
{
    static const char *const paths[] = { "/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us" };
    long long quota = 0, period = 100000;
    FILE *f = fopen(paths[0], "re");
    int got = f ? fscanf(f, "%lld %lld", &quota, &period) : 0; /* "max 100000" reads nothing */
    if (f) fclose(f);
    if (!f && (f = fopen(paths[1], "re"))) {
        got = fscanf(f, "%lld", &quota) == 1 ? 2 : 0;
        fclose(f);
        if ((f = fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "re"))) {
            if (fscanf(f, "%lld", &period) != 1) got = 0;
            fclose(f);
        }
    }
    if (got != 2 || quota <= 0 || period <= 0) return 0;
    long long n = (quota + period - 1) / period;
    return n > SDW_CPU_THREADS_MAX ? SDW_CPU_THREADS_MAX : (int)n;
}

int sdw_cpu_threads_available(void)
{
    int n = 0;
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) n = CPU_COUNT(&set);
#endif
    if (n < 1) n = (int)sysconf(_SC_NPROCESSORS_ONLN);
    int quota = cgroup_processors();
    if (quota > 0 && quota < n) n = quota;
    if (n < 1) n = 1;
    return n > SDW_CPU_THREADS_MAX ? SDW_CPU_THREADS_MAX : n;
}

sdw_status sdw_cpu_pool_create(int threads, sdw_cpu_pool **ret, sdw_error *err)
{
    int available = sdw_cpu_threads_available();
    if (threads == 0) threads = available;
    if (threads < 1 || threads > SDW_CPU_THREADS_MAX)
        return sdw_fail(err, SDW_INVALID, "threads: %d, want 1 to %d", threads, SDW_CPU_THREADS_MAX);
    sdw_cpu_pool *p = sdw_calloc(1, sizeof *p);
    if (!p) return sdw_fail_memory(err, "thread pool", sizeof *p);
    p->threads = threads;
    p->spin = threads <= available ? SPIN_ROUNDS : 0;
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->wake, NULL);
    for (int i = 1; i < threads; i++) {
        p->worker[i] = (struct worker){ .pool = p, .index = i };
        if (pthread_create(&p->worker[i].thread, NULL, worker_main, &p->worker[i]) != 0) {
            sdw_cpu_pool_free(p);
            return sdw_fail(err, SDW_NO_MEMORY, "threads: the system gave %d of %d", i, threads);
        }
        p->started = i;
    }
    *ret = p;
    return SDW_OK;
}

void sdw_cpu_pool_free(sdw_cpu_pool *p)
{
    if (!p) return;
    p->stop = true;
    announce(p);
    for (int i = 1; i <= p->started; i++) pthread_join(p->worker[i].thread, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->mutex);
    sdw_free(p);
}

int sdw_cpu_pool_threads(const sdw_cpu_pool *p)
{
    return p->threads;
}
