/* pool.c - see pool.h.
 *
 * One word, the gate, says it all: the number of the run, whether it is open, and how many workers are inside. The caller writes
 * everything that describes a run, then opens the gate under a new number (release). A worker enters by adding itself to
 * the open gate (acquire), at most once per run, works, and takes itself out (release). When its own search for items comes
 * back empty, every item is done or in the hands of a worker inside: the caller closes the gate, so that late workers stay
 * outside, and waits until it is empty. Nothing that describes a run changes while somebody may read it. */
#define _GNU_SOURCE
#include "cpu/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "core/mem.h"
#include "cpu/processors.h"

enum {
    SPIN_NS_MAX = 50000,  /* about what sleeping and being woken costs */
    SPIN_NS_MIN = 1000,
    SPIN_ROUNDS = 16,     /* between two looks at the clock */
    NODES_MAX = 64,
    LINE = 64,            /* bytes; threads do not share one */
};

#define GATE_OPEN (UINT64_C(1) << 16)
#define GATE_INSIDE (GATE_OPEN - 1)
#define GATE_RUN (UINT64_C(1) << 32)

struct worker {
    _Alignas(LINE) atomic_ullong chunk; /* items not begun: the first in the low half, the end in the high half */
    struct sdw_cpu_pool *pool;
    pthread_t thread;
    int index;
    int64_t spin_ns;                    /* before it sleeps; its own */
};

struct sdw_cpu_pool {
    struct worker *worker;   /* `threads` of them; the first is the caller */
    int threads, started;    /* started: workers that run */
    int64_t spin_ns_max;     /* 0: more threads than processors, never spin */
    pthread_mutex_t mutex;   /* who sleeps has looked at the gate under it */
    pthread_cond_t wake, empty;
    int sleepers;            /* workers; under the mutex */
    atomic_bool waiting;     /* the caller sleeps until the gate is empty */
    atomic_bool stop;
    int count;               /* of the run */
    sdw_cpu_task *task;
    void *ctx;
    const atomic_bool *cancel;
    _Alignas(LINE) atomic_ullong gate;
};

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- items ---- */

static int chunk_first(uint64_t chunk)
{
    return (int)(uint32_t)chunk;
}

static int chunk_end(uint64_t chunk)
{
    return (int)(chunk >> 32);
}

/* One item from either end of a chunk; -1: it is empty. */
static int take(struct worker *w, bool from_end)
{
    unsigned long long chunk = atomic_load_explicit(&w->chunk, memory_order_relaxed);
    while (chunk_first(chunk) < chunk_end(chunk)) {
        unsigned long long rest = from_end ? chunk - (1ull << 32) : chunk + 1;
        if (atomic_compare_exchange_weak_explicit(&w->chunk, &chunk, rest, memory_order_relaxed, memory_order_relaxed))
            return from_end ? chunk_end(rest) : chunk_first(chunk);
    }
    return -1;
}

/* Its own next item, else the last of the nearest that has one. */
static int find_item(sdw_cpu_pool *p, int thread)
{
    int item = take(&p->worker[thread], false);
    for (int i = 1; i < p->threads && item < 0; i++) item = take(&p->worker[(thread + i) % p->threads], true);
    return item;
}

static void work(sdw_cpu_pool *p, int thread)
{
    for (;;) {
        if (p->cancel && atomic_load_explicit(p->cancel, memory_order_relaxed)) return;
        int item = find_item(p, thread);
        if (item < 0) return;
        p->task(p->ctx, item, thread);
    }
}

/* ---- workers ---- */

/* Inside the open run if it is not the one numbered *run; *run is its number then. */
static bool enter(sdw_cpu_pool *p, uint64_t *run)
{
    unsigned long long gate = atomic_load_explicit(&p->gate, memory_order_relaxed);
    while ((gate & GATE_OPEN) && gate / GATE_RUN != *run)
        if (atomic_compare_exchange_weak_explicit(&p->gate, &gate, gate + 1, memory_order_acquire, memory_order_relaxed)) {
            *run = gate / GATE_RUN;
            return true;
        }
    return false;
}

static void leave(sdw_cpu_pool *p)
{
    unsigned long long before = atomic_fetch_sub(&p->gate, 1);
    if ((before & GATE_INSIDE) != 1 || !atomic_load(&p->waiting)) return;
    pthread_mutex_lock(&p->mutex);
    pthread_cond_signal(&p->empty);
    pthread_mutex_unlock(&p->mutex);
}

/* How long to spin next time: as long as it may be worth it if this wait would have been met, half as long if not. */
static void learn(int64_t *spin_ns, int64_t waited_ns, int64_t most)
{
    *spin_ns = waited_ns <= most ? most : *spin_ns / 2 < SPIN_NS_MIN && most >= SPIN_NS_MIN ? SPIN_NS_MIN : *spin_ns / 2;
}

/* Until it is inside a new run (true) or the pool ends. */
static bool await(struct worker *w, uint64_t *run)
{
    sdw_cpu_pool *p = w->pool;
    int64_t begun = now_ns();
    bool in = false;
    while (!(in = enter(p, run)) && !atomic_load_explicit(&p->stop, memory_order_relaxed) && now_ns() - begun < w->spin_ns)
        for (int i = 0; i < SPIN_ROUNDS; i++) relax();
    if (!in) {
        pthread_mutex_lock(&p->mutex);
        p->sleepers++;
        while (!(in = enter(p, run)) && !atomic_load(&p->stop)) pthread_cond_wait(&p->wake, &p->mutex);
        p->sleepers--;
        pthread_mutex_unlock(&p->mutex);
    }
    learn(&w->spin_ns, now_ns() - begun, p->spin_ns_max);
    return in;
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    uint64_t run = 0;
    while (await(w, &run)) {
        work(w->pool, w->index);
        leave(w->pool);
    }
    return NULL;
}

/* ---- runs ---- */

/* Opens the gate under the next number and wakes as many sleepers as there are items for. */
static void open_gate(sdw_cpu_pool *p, int wanted)
{
    uint64_t run = (atomic_load_explicit(&p->gate, memory_order_relaxed) / GATE_RUN + 1) & UINT32_MAX;
    pthread_mutex_lock(&p->mutex); /* closes the gap between a worker's last look and its wait */
    atomic_store_explicit(&p->gate, run * GATE_RUN | GATE_OPEN, memory_order_release);
    if (wanted >= p->sleepers) pthread_cond_broadcast(&p->wake);
    else
        for (int i = 0; i < wanted; i++) pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->mutex);
}

static bool is_empty(sdw_cpu_pool *p)
{
    return (atomic_load(&p->gate) & GATE_INSIDE) == 0;
}

static void close_gate(sdw_cpu_pool *p)
{
    struct worker *caller = &p->worker[0];
    atomic_fetch_and(&p->gate, ~GATE_OPEN);
    if (is_empty(p)) return;
    int64_t begun = now_ns();
    while (!is_empty(p) && now_ns() - begun < caller->spin_ns)
        for (int i = 0; i < SPIN_ROUNDS; i++) relax();
    if (!is_empty(p)) {
        pthread_mutex_lock(&p->mutex);
        atomic_store(&p->waiting, true); /* before the look at the gate: who leaves last sees it, or is seen */
        while (!is_empty(p)) pthread_cond_wait(&p->empty, &p->mutex);
        atomic_store(&p->waiting, false);
        pthread_mutex_unlock(&p->mutex);
    }
    learn(&caller->spin_ns, now_ns() - begun, p->spin_ns_max);
}

static void run_alone(sdw_cpu_pool *p)
{
    for (int i = 0; i < p->count; i++) {
        if (p->cancel && atomic_load_explicit(p->cancel, memory_order_relaxed)) return;
        p->task(p->ctx, i, 0);
    }
}

void sdw_cpu_pool_run(sdw_cpu_pool *p, int count, sdw_cpu_task *task, void *ctx, const atomic_bool *cancel)
{
    p->count = count;
    p->task = task;
    p->ctx = ctx;
    p->cancel = cancel;
    if (count <= 1 || p->started == 0) {
        run_alone(p);
        return;
    }
    for (int i = 0; i < p->threads; i++) {
        uint64_t first = (uint64_t)count * (uint64_t)i / (uint64_t)p->threads, end = (uint64_t)count * (uint64_t)(i + 1) / (uint64_t)p->threads;
        atomic_store_explicit(&p->worker[i].chunk, end << 32 | first, memory_order_relaxed);
    }
    open_gate(p, count - 1);
    work(p, 0);
    close_gate(p);
}

/* ---- life ---- */

int sdw_cpu_threads_available(void)
{
    sdw_cpu_set allowed = sdw_cpu_allowed();
    int n = sdw_cpu_set_count(&allowed), quota = sdw_cpu_quota("");
    if (n < 1) n = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (quota > 0 && quota < n) n = quota;
    if (n < 1) n = 1;
    return n > SDW_CPU_THREADS_MAX ? SDW_CPU_THREADS_MAX : n;
}

/* Keeps workers on the nodes that their chunks belong to. The caller's thread is not ours to move. */
static void spread_over_nodes(sdw_cpu_pool *p)
{
#if defined(__linux__)
    sdw_cpu_set allowed = sdw_cpu_allowed(), node[NODES_MAX];
    int nodes = sdw_cpu_nodes("", &allowed, node, NODES_MAX), total = 0, before = 0;
    if (nodes < 2) return;
    for (int i = 0; i < nodes; i++) total += sdw_cpu_set_count(&node[i]);
    for (int i = 0; i < nodes; i++) {
        int count = sdw_cpu_set_count(&node[i]);
        cpu_set_t set;
        CPU_ZERO(&set);
        for (int c = 0; c < CPU_SETSIZE && c < SDW_CPU_PROCESSORS_MAX; c++)
            if (sdw_cpu_set_has(&node[i], c)) CPU_SET(c, &set);
        int first = (int)((int64_t)p->threads * before / total), last = (int)((int64_t)p->threads * (before + count) / total);
        for (int t = first < 1 ? 1 : first; t < last; t++) pthread_setaffinity_np(p->worker[t].thread, sizeof set, &set);
        before += count;
    }
#else
    (void)p;
#endif
}

sdw_status sdw_cpu_pool_create(int threads, sdw_cpu_pool **ret, sdw_error *err)
{
    int available = sdw_cpu_threads_available();
    if (threads == 0) threads = available;
    if (threads < 1 || threads > SDW_CPU_THREADS_MAX)
        return sdw_fail(err, SDW_INVALID, "threads: %d, want 1 to %d", threads, SDW_CPU_THREADS_MAX);
    size_t bytes = (size_t)threads * sizeof(struct worker);
    sdw_cpu_pool *p = sdw_aligned_alloc(LINE, sizeof *p);
    struct worker *workers = sdw_aligned_alloc(LINE, bytes);
    if (!p || !workers) {
        sdw_free(p);
        sdw_free(workers);
        return sdw_fail_memory(err, "thread pool", sizeof *p + bytes);
    }
    *p = (sdw_cpu_pool){ .worker = workers, .threads = threads, .spin_ns_max = threads <= available ? SPIN_NS_MAX : 0 };
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->empty, NULL);
    for (int i = 0; i < threads; i++) workers[i] = (struct worker){ .pool = p, .index = i, .spin_ns = p->spin_ns_max };
    for (int i = 1; i < threads; i++) {
        if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]) != 0) {
            sdw_cpu_pool_free(p);
            return sdw_fail(err, SDW_NO_MEMORY, "threads: the system gave %d of %d", i, threads);
        }
        p->started = i;
    }
    spread_over_nodes(p);
    *ret = p;
    return SDW_OK;
}

void sdw_cpu_pool_free(sdw_cpu_pool *p)
{
    if (!p) return;
    pthread_mutex_lock(&p->mutex);
    atomic_store(&p->stop, true);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->mutex);
    for (int i = 1; i <= p->started; i++) pthread_join(p->worker[i].thread, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_cond_destroy(&p->empty);
    pthread_mutex_destroy(&p->mutex);
    sdw_free(p->worker);
    sdw_free(p);
}

int sdw_cpu_pool_threads(const sdw_cpu_pool *p)
{
    return p->threads;
}
