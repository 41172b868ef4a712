/* kernels.c - speed of the CPU backend's heavy ops, as shares of the f32 multiply-add peak, with other ways to the same result
 * beside them: convolutions without Winograd, narrow arithmetics that the machine has, and oneDNN when built with it.
 * Usage: bench_kernels [THREADS [PART OF A NAME [TITLE OF A WAY]...]]. SDW_CPU_MAX caps the instruction set.
 *
 * Rounds are interleaved (peak, then each way once) and timed by processor time over threads, so that other programs disturb
 * all columns alike; a cell is the median over rounds of that round's rate over that round's peak;
 * the last columns are medians of our rate over oneDNN's of the same round. */
#include <unistd.h>

#include "bed.h"
#include "onednn.h"

enum { ROUNDS_MAX = 41, ROUNDS_MIN = 5 };

/* Ways to the same product: ours by the backend's options, oneDNN's by the library's; `against`: whose rate ours is held against. */
enum { OURS, PLAIN, WIDE, BF16, F16, INT8, OURS_END, DIRECT = OURS_END, WINOGRAD, BYTES, QUANTISED, WAYS };
static const struct { const char *title; sdw_backend_options options; onednn_way onednn; int against; } table[WAYS] = {
    [OURS] = { .title = "f32", .options = { .precision = "f32" } },
    [PLAIN] = { .title = "f32, plain sums", .options = { .precision = "f32", .plain_sums = true } },
    [WIDE] = { .title = "f32, F32 weights", .options = { .precision = "f32" } },
    [BF16] = { .title = "bf16", .options = { .precision = "bf16" } },
    [F16] = { .title = "f16", .options = { .precision = "f16" } },
    [INT8] = { .title = "int8", .options = { .precision = "int8" } },
    [DIRECT] = { .title = "oneDNN direct", .onednn = ONEDNN_DIRECT, .against = OURS },
    [WINOGRAD] = { .title = "oneDNN Winograd", .onednn = ONEDNN_WINOGRAD, .against = OURS },
    [BYTES] = { .title = "oneDNN u8s8", .onednn = ONEDNN_BYTES, .against = INT8 },
    [QUANTISED] = { .title = "the same of f32", .onednn = ONEDNN_QUANTISED, .against = INT8 },
};

typedef struct ways {
    int threads;
    bench_bed ours[OURS_END];
    onednn_bed onednn[WAYS];
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
    if (way < OURS_END) bench_run(&w->ours[way]);
    else onednn_run(&w->onednn[way]);
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

/* f32 is opened in any case: it knows how many operations there are. */
static void open_ways(ways *w, sdw_backend *const *backend, const bool *shown, const bench_case *c)
{
    for (int i = 0; i < OURS_END; i++) {
        w->has[i] = shown[i] && (i != PLAIN || c->kind == BENCH_CONV) && (i != WIDE || c->kind == BENCH_LINEAR || c->kind == BENCH_GLU);
        if (w->has[i] || i == OURS) bench_open(&w->ours[i], backend[i], c, i == WIDE ? SDW_F32 : SDW_F16);
    }
    for (int i = OURS_END; i < WAYS; i++) w->has[i] = shown[i] && onednn_open(&w->onednn[i], c, table[i].onednn);
}

static void close_ways(ways *w)
{
    for (int i = 0; i < WAYS; i++)
        if (i >= OURS_END) onednn_close(&w->onednn[i]);
        else if (w->has[i] || i == OURS) bench_close(&w->ours[i]);
}

static void measure(sdw_backend *const *backend, const bool *shown, const bench_case *c)
{
    static double share[WAYS][ROUNDS_MAX], rate[WAYS][ROUNDS_MAX], against[WAYS][ROUNDS_MAX];
    ways w = { .threads = backend[OURS]->api->threads(backend[OURS]) };
    open_ways(&w, backend, shown, c);
    double flop = w.ours[OURS].plan->flop, first[WAYS] = { 0 }, total = 0;
    for (int i = 0; i < WAYS; i++)
        if (w.has[i]) run_way(&w, i), first[i] = time_way(&w, i, 1);
    int rounds = 0;
    while (rounds < ROUNDS_MAX && (total < 1.5 || rounds < ROUNDS_MIN)) {
        double peak = backend[OURS]->api->measure_peak(backend[OURS]);
        for (int i = 0; i < WAYS; i++) {
            if (!w.has[i]) continue;
            int repeats = first[i] < 0.02 ? (int)(0.02 / first[i]) + 1 : 1;
            double seconds = time_way(&w, i, repeats);
            total += seconds * repeats;
            rate[i][rounds] = flop / seconds * 1e-9;
            share[i][rounds] = 100 * rate[i][rounds] / peak;
            if (i >= OURS_END && w.has[table[i].against]) against[i][rounds] = rate[table[i].against][rounds] / rate[i][rounds];
        }
        rounds++;
    }
    printf("%-34s", c->name);
    for (int i = 0; i < WAYS; i++)
        if (w.has[i]) print_cell(bench_time_of(share[i], rounds).median, bench_time_of(rate[i], rounds).median);
        else if (shown[i]) print_cell(0, 0);
    for (int i = OURS_END; i < WAYS; i++)
        if (w.has[i] && w.has[table[i].against]) printf("  %s/%s %.2f", table[table[i].against].title, table[i].title, bench_time_of(against[i], rounds).median);
    printf("  (%d rounds)\n", rounds);
    fflush(stdout);
    close_ways(&w);
}

/* NULL: the machine has no instructions for it. */
static sdw_backend *open_backend(int threads, int way)
{
    sdw_error err = { 0 };
    sdw_backend *backend = NULL;
    sdw_backend_options o = table[way].options;
    o.threads = threads;
    sdw_status status = sdw_backend_cpu.open(&o, &backend, &err);
    if (status != SDW_OK && status != SDW_UNSUPPORTED) bench_fail(&err);
    return backend;
}

/* The columns: what can be had, of the ways with the given titles or, without any, of all. */
static void choose(sdw_backend *const *backend, char *const *titles, bool *ret_shown)
{
    for (int i = 0; i < WAYS; i++) {
        bool named = !titles[0];
        for (int j = 0; titles[j]; j++) named = named || !strcmp(table[i].title, titles[j]);
        ret_shown[i] = named && (i < OURS_END ? backend[i] != NULL : ONEDNN_BUILT);
    }
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
    sdw_backend *backend[OURS_END];
    for (int i = 0; i < OURS_END; i++) backend[i] = open_backend(threads, i);
    set_openmp(backend[OURS]->api->threads(backend[OURS]), argv);
    bool shown[WAYS];
    choose(backend, argc > 3 ? argv + 3 : &(char *){ NULL }, shown);
    printf("%s, peak %.0f GFLOP/s; GFLOP/s and share of the f32 peak\n%-34s", backend[OURS]->api->describe(backend[OURS]),
           backend[OURS]->api->measure_peak(backend[OURS]), "");
    for (int i = 0; i < WAYS; i++)
        if (shown[i]) printf("  %15s", table[i].title);
    putchar('\n');
    for (int i = 0; i < BENCH_CASES; i++)
        if (argc < 3 || strstr(bench_cases[i].name, argv[2])) measure(backend, shown, &bench_cases[i]);
    for (int i = 0; i < OURS_END; i++)
        if (backend[i]) backend[i]->api->close(backend[i]);
    return 0;
}
