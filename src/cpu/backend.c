/* backend.c - the CPU as a backend: opening, memory, and the loop over a plan's ops. */
#include "tensor/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/mem.h"
#include "cpu/cpuid.h"
#include "cpu/kernels.h"
#include "cpu/narrow.h"
#include "cpu/ops.h"
#include "cpu/packed.h"
#include "cpu/weights.h"

typedef struct cpu_backend {
    sdw_backend base;
    sdw_cpu_kernels k;
    sdw_cpu_narrow narrow; /* k points to it, or not */
    sdw_cpu_pool *pool;
    char text[96];
} cpu_backend;

static const sdw_cpu_op *const op_table[SDW_OP_COUNT] = {
#define ROW(name) [SDW_OP_##name] = &sdw_cpu_op_##name,
    SDW_OP_LIST(ROW)
#undef ROW
};

static cpu_backend *self(sdw_backend *b)
{
    return (cpu_backend *)b; /* base is the first member */
}

static sdw_status set_precision(cpu_backend *b, const char *option, unsigned flags, sdw_error *err)
{
    const char *name = option ? option : getenv("SDW_PRECISION"), *what = option ? "precision" : "SDW_PRECISION", *missing = NULL;
    if (!name || !*name) return SDW_OK;
    bool choose = strcmp(name, "auto") == 0;
    int p = choose ? (int)sdw_cpu_precision_auto(flags) : sdw_cpu_precision_of(name);
    if (p < 0) return sdw_fail(err, SDW_INVALID, "%s: \"%s\", want f32, f16, bf16, int8 or auto", what, name);
    if (p == SDW_PRECISION_F32) return SDW_OK;
    if (!sdw_cpu_narrow_init(&b->narrow, (sdw_cpu_precision)p, flags, &missing)) {
        if (choose) return SDW_OK;
        return sdw_fail(err, SDW_UNSUPPORTED, "%s: %s needs a processor with %s, which this one (%s) lacks or is not allowed to use", what, name,
                        missing, sdw_cpu_isa_name(flags));
    }
    b->k.narrow = &b->narrow;
    return SDW_OK;
}

static sdw_status cpu_open(const sdw_backend_options *o, sdw_backend **ret, sdw_error *err)
{
    const char *cap = o->isa ? o->isa : getenv("SDW_CPU_MAX");
    unsigned flags = sdw_cpu_detect();
    if (cap && *cap) {
        int capped = sdw_cpu_cap(flags, cap);
        if (capped < 0)
            return sdw_fail(err, SDW_INVALID, "%s: \"%s\", want scalar, avx2 or avx512", o->isa ? "instruction set" : "SDW_CPU_MAX", cap);
        flags = (unsigned)capped;
    }
    cpu_backend *b = sdw_calloc(1, sizeof *b);
    if (!b) return sdw_fail_memory(err, "CPU backend", sizeof *b);
    b->base.api = &sdw_backend_cpu;
    sdw_cpu_kernels_init(&b->k, flags);
    if (o->plain_sums) b->k.winograd = false;
    sdw_status status = set_precision(b, o->precision, flags, err);
    if (status == SDW_OK) status = sdw_cpu_pool_create(o->threads, &b->pool, err);
    if (status != SDW_OK) {
        sdw_free(b);
        return status;
    }
    int threads = sdw_cpu_pool_threads(b->pool);
    const char *narrow = b->k.narrow ? b->k.narrow->name : "", *unit = b->k.narrow ? b->k.narrow->unit : "";
    snprintf(b->text, sizeof b->text, "CPU, %s, %s%s%s%s%d thread%s", sdw_cpu_isa_name(flags), narrow, *narrow ? " by " : "", unit, *narrow ? ", " : "",
             threads, threads == 1 ? "" : "s");
    *ret = &b->base;
    return SDW_OK;
}

static void cpu_close(sdw_backend *b)
{
    if (!b) return;
    sdw_cpu_pool_free(self(b)->pool);
    sdw_free(b);
}

static const char *cpu_describe(sdw_backend *b)
{
    return self(b)->text;
}

static const char *cpu_precision(sdw_backend *b)
{
    return self(b)->k.narrow ? self(b)->k.narrow->name : "f32";
}

static sdw_status cpu_pack(sdw_backend *b, sdw_weight **weights, size_t count, sdw_packed_fn *done, void *ctx, sdw_error *err)
{
    return sdw_cpu_pack(&self(b)->k, self(b)->pool, weights, count, done, ctx, err);
}

static void cpu_unpack(sdw_backend *b, sdw_weight *w)
{
    (void)b;
    sdw_free(w->packed);
    w->packed = NULL;
    w->packed_bytes = 0;
}

static size_t cpu_packed_bytes(sdw_backend *b, const sdw_weight *w)
{
    return sdw_cpu_packed_bytes(&self(b)->k, w);
}

static void cpu_arrange(sdw_backend *b, sdw_graph *g)
{
    sdw_cpu_choose_packed(&self(b)->k, g);
}

static sdw_status cpu_prepare(sdw_backend *b, sdw_op *op, sdw_arena *arena, sdw_error *err)
{
    const sdw_cpu_op *row = op_table[op->kind];
    op->workspace = 0;
    op->choice = NULL;
    return row->prepare ? row->prepare(&self(b)->k, sdw_cpu_pool_threads(self(b)->pool), op, arena, err) : SDW_OK;
}

static sdw_status cpu_alloc(sdw_backend *b, size_t bytes, void **ret, sdw_error *err)
{
    (void)b;
    void *p = sdw_pages_alloc(bytes ? bytes : 1);
    if (!p) return sdw_fail_memory(err, "activations", bytes);
    *ret = p;
    return SDW_OK;
}

static void cpu_free(sdw_backend *b, void *p)
{
    (void)b;
    sdw_free(p);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool stopped(const atomic_bool *cancel)
{
    return cancel && atomic_load_explicit(cancel, memory_order_relaxed);
}

static sdw_status cpu_run(sdw_backend *b, sdw_op *const *ops, int count, void *workspace, const atomic_bool *cancel, double *seconds,
                          sdw_error *err)
{
    sdw_cpu_call call = { .k = &self(b)->k, .pool = self(b)->pool, .workspace = workspace, .cancel = cancel };
    double before = seconds ? now() : 0;
    for (int i = 0; i < count; i++) {
        call.op = ops[i];
        sdw_status status = op_table[ops[i]->kind]->run(&call, err);
        if (status != SDW_OK) return status;
        if (stopped(cancel)) return sdw_fail(err, SDW_CANCELLED, "stopped at operation %d of %d, as asked", i + 1, count);
        if (!seconds) continue;
        double after = now();
        seconds[i] = after - before;
        before = after;
    }
    return SDW_OK;
}

/* ---- peak ---- */

enum { PEAK_WINDOWS = 60 };

struct peak {
    const sdw_cpu_kernels *k;
    long rounds;
    double best[SDW_CPU_THREADS_MAX]; /* flop per second */
    float sink[SDW_CPU_THREADS_MAX];
};

static double thread_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void peak_item(void *ctx, int index, int thread)
{
    struct peak *p = ctx;
    (void)index;
    double start = thread_seconds(), flop = p->k->peak(p->rounds, &p->sink[thread]), rate = flop / (thread_seconds() - start);
    if (rate > p->best[thread]) p->best[thread] = rate;
}

/* Short windows on all threads at once, timed by the processor time of each: what other programs take is not counted, and
 * the best window of a thread is the one they disturbed least. A thread that got none counts as the mean of the others. */
static double cpu_measure_peak(sdw_backend *b)
{
    struct peak *p = sdw_calloc(1, sizeof *p);
    if (!p) return 0;
    int threads = sdw_cpu_pool_threads(self(b)->pool), seen = 0;
    double start = now(), rounds = 1000, sum = 0;
    p->k = &self(b)->k;
    while (now() - start < 0.02) p->k->peak((long)rounds, &p->sink[0]); /* the clock settles */
    start = thread_seconds();
    for (int i = 0; i < 50; i++) p->k->peak((long)rounds, &p->sink[0]);
    p->rounds = (long)(rounds * 50 * 0.003 / (thread_seconds() - start)) + 1; /* a window of 3 ms */
    sdw_cpu_pool_run(self(b)->pool, PEAK_WINDOWS * threads, peak_item, p, NULL);
    for (int i = 0; i < threads; i++) {
        sum += p->best[i];
        seen += p->best[i] > 0;
    }
    sdw_free(p);
    return seen ? sum / seen * threads * 1e-9 : 0;
}

static int cpu_threads(sdw_backend *b)
{
    return sdw_cpu_pool_threads(self(b)->pool);
}

const sdw_backend_api sdw_backend_cpu = {
    .name = "cpu",
    .open = cpu_open,
    .close = cpu_close,
    .describe = cpu_describe,
    .precision = cpu_precision,
    .pack = cpu_pack,
    .unpack = cpu_unpack,
    .packed_bytes = cpu_packed_bytes,
    .arrange = cpu_arrange,
    .prepare = cpu_prepare,
    .alloc = cpu_alloc,
    .free = cpu_free,
    .run = cpu_run,
    .threads = cpu_threads,
    .measure_peak = cpu_measure_peak,
};
