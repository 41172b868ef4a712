/* kernels.c - speed of the CPU backend's heavy ops, as shares of the multiply-add peak, with other ways to the same result
 * beside them: convolutions without Winograd, and oneDNN when built with it.
 * Usage: bench_kernels [THREADS [PART OF A NAME]]. SDW_CPU_MAX caps the instruction set.
 *
 * Rounds are interleaved (peak, then each way once) and timed by processor time over threads, so that other programs disturb
 * all columns alike; a cell is the median over rounds of that round's rate over that round's peak;
 * the last columns are medians of our rate over oneDNN's of the same round. */
#include <unistd.h>

#include "bed.h"
#include "onednn.h"

enum { ROUNDS_MAX = 41, ROUNDS_MIN = 5, WAYS = 4 };

typedef struct ways {
    const bench_case *c;
    int threads;
    bench_bed ours, plain;
    onednn_bed direct, winograd;
    bool has[WAYS];
} ways;

static double used(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void run_way(ways *w, int way)
{
    if (way == 0) bench_run(&w->ours);
    else if (way == 1) bench_run(&w->plain);
    else onednn_run(way == 2 ? &w->direct : &w->winograd);
}

/* Processor seconds per thread; short ones several times. */
static double time_way(ways *w, int way, int repeats)
{
    double start = used();
    for (int i = 0; i < repeats; i++) run_way(w, way);
    return (used() - start) / w->threads / repeats;
}

static void print_cell(double share, double rate)
{
    if (share > 0) printf("  %7.1f %5.1f %%", rate, share);
    else printf("  %15s", "-");
}

static void measure(sdw_backend *backend, sdw_backend *plain, const bench_case *c)
{
    static double share[WAYS][ROUNDS_MAX], rate[WAYS][ROUNDS_MAX], against[WAYS][ROUNDS_MAX];
    ways w = { .c = c, .threads = backend->api->threads(backend) };
    bench_open(&w.ours, backend, c);
    w.has[0] = true;
    if ((w.has[1] = c->kind == BENCH_CONV)) bench_open(&w.plain, plain, c);
    w.has[2] = onednn_open(&w.direct, c, false);
    w.has[3] = onednn_open(&w.winograd, c, true);
    double flop = w.ours.plan->flop, first[WAYS] = { 0 }, total = 0;
    for (int i = 0; i < WAYS; i++)
        if (w.has[i]) run_way(&w, i), first[i] = time_way(&w, i, 1);
    int rounds = 0;
    while (rounds < ROUNDS_MAX && (total < 1.5 || rounds < ROUNDS_MIN)) {
        double peak = backend->api->measure_peak(backend);
        for (int i = 0; i < WAYS; i++) {
            if (!w.has[i]) continue;
            int repeats = first[i] < 0.02 ? (int)(0.02 / first[i]) + 1 : 1;
            double seconds = time_way(&w, i, repeats);
            total += seconds * repeats;
            rate[i][rounds] = flop / seconds * 1e-9;
            share[i][rounds] = 100 * rate[i][rounds] / peak;
            against[i][rounds] = rate[0][rounds] / rate[i][rounds];
        }
        rounds++;
    }
    printf("%-34s", c->name);
    for (int i = 0; i < WAYS; i++)
        if (w.has[i]) print_cell(bench_time_of(share[i], rounds).median, bench_time_of(rate[i], rounds).median);
        else print_cell(0, 0);
    for (int i = 2; i < WAYS; i++)
        if (w.has[i]) printf("  %5.2f", bench_time_of(against[i], rounds).median);
    printf("  (%d rounds)\n", rounds);
    fflush(stdout);
    bench_close(&w.ours);
    if (w.has[1]) bench_close(&w.plain);
    onednn_close(&w.direct);
    onednn_close(&w.winograd);
}

static sdw_backend *open_backend(int threads, bool plain_sums)
{
    sdw_error err = { 0 };
    sdw_backend *backend = NULL;
    if (sdw_backend_cpu.open(&(sdw_backend_options){ .threads = threads, .plain_sums = plain_sums }, &backend, &err) != SDW_OK) bench_fail(&err);
    return backend;
}

/* OpenMP reads its environment before main: set it and start again. Waiting threads must sleep, or they would count as
 * work. */
static void set_openmp(int threads, char **argv)
{
    char text[16];
    snprintf(text, sizeof text, "%d", threads);
    const char *now = getenv("OMP_NUM_THREADS");
    if (now && !strcmp(now, text)) return;
    setenv("OMP_NUM_THREADS", text, 1);
    setenv("OMP_WAIT_POLICY", "passive", 1);
    execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : 0;
    sdw_backend *backend = open_backend(threads, false), *plain = open_backend(threads, true);
    set_openmp(backend->api->threads(backend), argv);
    printf("%s, peak %.0f GFLOP/s; GFLOP/s and share of the peak\n%-34s  %15s  %15s  %15s  %15s  against oneDNN\n", backend->api->describe(backend),
           backend->api->measure_peak(backend), "", "sdw", "sdw, plain sums", "oneDNN direct", "oneDNN Winograd");
    for (int i = 0; i < BENCH_CASES; i++)
        if (argc < 3 || strstr(bench_cases[i].name, argv[2])) measure(backend, plain, &bench_cases[i]);
    backend->api->close(backend);
    plain->api->close(plain);
    return 0;
}
