/* kernels.c - speed of the CPU backend's heavy ops, as shares of the multiply-add peak measured in the same run.
 * Usage: bench_kernels [THREADS [PART OF A NAME]]. SDW_CPU_MAX caps the instruction set. */
#include "bed.h"

enum { RUNS_MAX = 64 };

static void measure(sdw_backend *backend, const bench_case *c)
{
    bench_bed b;
    double seconds[RUNS_MAX], total = 0;
    int runs = 0;
    bench_open(&b, backend, c);
    double flop = b.plan->flop;
    bench_run(&b);
    double peak = backend->api->measure_peak(backend);
    while (runs < RUNS_MAX && (total < 0.5 || runs < 5)) total += seconds[runs++] = bench_run(&b);
    double after = backend->api->measure_peak(backend);
    if (after > peak) peak = after;
    bench_time t = bench_time_of(seconds, runs);
    printf("%-34s %9.2f ms  %7.1f GFLOP/s  %5.1f %%  best %5.1f %%  (peak %.0f, %d runs)\n", c->name, 1e3 * t.median, flop / t.median * 1e-9,
           100 * flop / t.median * 1e-9 / peak, 100 * flop / t.min * 1e-9 / peak, peak, runs);
    fflush(stdout);
    bench_close(&b);
}

int main(int argc, char **argv)
{
    sdw_error err = { 0 };
    sdw_backend *backend = NULL;
    sdw_backend_options o = { .threads = argc > 1 ? atoi(argv[1]) : 0 };
    if (sdw_backend_cpu.open(&o, &backend, &err) != SDW_OK) bench_fail(&err);
    printf("%s\n", backend->api->describe(backend));
    for (int i = 0; i < BENCH_CASES; i++)
        if (argc < 3 || strstr(bench_cases[i].name, argv[2])) measure(backend, &bench_cases[i]);
    backend->api->close(backend);
    return 0;
}
