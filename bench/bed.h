/* bed.h - one op on random numbers, run and timed: shared by the kernel benches. */
#ifndef SDW_BENCH_BED_H
#define SDW_BENCH_BED_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/mem.h"
#include "tensor/backend.h"
#include "tensor/plan.h"

typedef enum bench_kind { BENCH_CONV, BENCH_LINEAR, BENCH_GLU, BENCH_ATTENTION } bench_kind;

/* What is measured. conv: rows lanes of h x w pixels, in -> out channels. linear and glu: rows x in -> out (glu: 2 * out
 * weights rows). attention: rows lanes, h queries, w keys, `in` heads of `out` values. */
typedef struct bench_case {
    const char *name;
    bench_kind kind;
    int rows, h, w, in, out;
    int up;   /* conv: the input is half as large and widened while it is read */
    int norm; /* conv: group norm and SiLU on the way in; linear: behind a layer norm, which is not timed and in narrow arithmetics
                 leaves packed rows */
} bench_case;

/* The shapes named in the speed goals: SD 1.5 at 512x512 with guidance, and its decoder. */
static const bench_case bench_cases[] = {
    { "conv 320 at 64x64, 2 rows", BENCH_CONV, 2, 64, 64, 320, 320, 0, 0 },
    { "conv 640 at 32x32, 2 rows", BENCH_CONV, 2, 32, 32, 640, 640, 0, 0 },
    { "conv 1280 at 16x16, 2 rows", BENCH_CONV, 2, 16, 16, 1280, 1280, 0, 0 },
    { "conv 1280 at 8x8, 2 rows", BENCH_CONV, 2, 8, 8, 1280, 1280, 0, 0 },
    { "conv 512 at 64x64, 1 row", BENCH_CONV, 1, 64, 64, 512, 512, 0, 0 },
    { "conv 512 at 128x128, 1 row", BENCH_CONV, 1, 128, 128, 512, 512, 0, 0 },
    { "conv 128 at 512x512, 1 row", BENCH_CONV, 1, 512, 512, 128, 128, 0, 0 },
    { "  the same, norm and SiLU", BENCH_CONV, 1, 512, 512, 128, 128, 0, 1 },
    { "conv 256 at 512x512, upsampled", BENCH_CONV, 1, 512, 512, 256, 256, 1, 0 },
    { "linear 4096x320x320", BENCH_LINEAR, 4096, 1, 1, 320, 320, 0, 0 },
    { "linear 4096x320x2560", BENCH_LINEAR, 4096, 1, 1, 320, 2560, 0, 0 },
    { "linear 4096x1280x320", BENCH_LINEAR, 4096, 1, 1, 1280, 320, 0, 0 },
    { "linear 77x768x3072", BENCH_LINEAR, 77, 1, 1, 768, 3072, 0, 0 },
    { "linear 1024x640x5120", BENCH_LINEAR, 1024, 1, 1, 640, 5120, 0, 0 },
    { "linear 256x1280x10240", BENCH_LINEAR, 256, 1, 1, 1280, 10240, 0, 0 },
    { "linear 4096x1280x1280", BENCH_LINEAR, 4096, 1, 1, 1280, 1280, 0, 0 },
    { "linear 4096x320x320, packed", BENCH_LINEAR, 4096, 1, 1, 320, 320, 0, 1 },
    { "linear 4096x320x2560, packed", BENCH_LINEAR, 4096, 1, 1, 320, 2560, 0, 1 },
    { "linear 4096x1280x320, packed", BENCH_LINEAR, 4096, 1, 1, 1280, 320, 0, 1 },
    { "linear 1024x640x5120, packed", BENCH_LINEAR, 1024, 1, 1, 640, 5120, 0, 1 },
    { "linear 256x1280x10240, packed", BENCH_LINEAR, 256, 1, 1, 1280, 10240, 0, 1 },
    { "linear 4096x1280x1280, packed", BENCH_LINEAR, 4096, 1, 1, 1280, 1280, 0, 1 },
    { "glu 8192x320x1280, GELU", BENCH_GLU, 8192, 1, 1, 320, 1280, 0, 0 },
    { "attention 4096x4096, 8 of 40", BENCH_ATTENTION, 2, 4096, 4096, 8, 40, 0, 0 },
    { "attention 1024x1024, 8 of 80", BENCH_ATTENTION, 2, 1024, 1024, 8, 80, 0, 0 },
    { "attention 4096x77, 8 of 40", BENCH_ATTENTION, 2, 4096, 77, 8, 40, 0, 0 },
    { "attention 4096x4096, 1 of 512", BENCH_ATTENTION, 1, 4096, 4096, 1, 512, 0, 0 },
};
enum { BENCH_CASES = sizeof bench_cases / sizeof *bench_cases };

typedef struct bench_bed {
    sdw_backend *backend;
    sdw_graph *graph;
    sdw_plan *plan;
    void *pool;
    float *bound[8];
    int bounds;
    sdw_weight weight[4];
    void *raw[4];
    int weights;
    sdw_dtype weight_type;
    uint32_t seed;
} bench_bed;

static inline double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline void bench_fail(const sdw_error *err)
{
    fprintf(stderr, "bench: %s\n", err->text);
    exit(1);
}

static inline float bench_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (float)(*seed >> 8) / 16777216.0f - 0.5f;
}

static inline sdw_tensor *bench_input(bench_bed *b, int n, int h, int w, int c)
{
    int i = b->bounds;
    sdw_tensor *t = sdw_graph_bound(b->graph, n, h, w, c, &i);
    size_t count = (size_t)n * (size_t)h * (size_t)w * (size_t)c;
    void *p = NULL;
    sdw_error err = { 0 };
    if (b->backend->api->alloc(b->backend, count * 4, &p, &err) != SDW_OK) bench_fail(&err);
    b->bound[i] = p;
    for (size_t j = 0; j < count; j++) b->bound[i][j] = bench_random(&b->seed);
    b->bounds++;
    return t;
}

static inline sdw_weight *bench_weight(bench_bed *b, sdw_role role, int64_t out, int64_t in, int k)
{
    int i = b->weights++;
    size_t count = (size_t)(out * in * k * k), size = sdw_dtype_size(b->weight_type);
    char *raw = sdw_malloc(count * size);
    for (size_t j = 0; j < count; j++) {
        float v = bench_random(&b->seed) * 0.1f;
        sdw_from_f32(b->weight_type, &v, raw + j * size, 1);
    }
    b->raw[i] = raw;
    b->weight[i] = (sdw_weight){ .name = "weight", .role = role, .out = out, .in = in, .k = k, .source_count = 1, .narrowest = role == SDW_ROLE_VECTOR ? 0 : 8 };
    b->weight[i].source[0] = (sdw_weight_source){ .data = raw, .dtype = b->weight_type, .rows = out };
    return &b->weight[i];
}

static inline void bench_record(bench_bed *b, const bench_case *c)
{
    sdw_graph *g = b->graph;
    if (c->kind == BENCH_CONV) {
        sdw_tensor *x = bench_input(b, c->rows, c->up ? c->h / 2 : c->h, c->up ? c->w / 2 : c->w, c->in), *out = bench_input(b, c->rows, c->h, c->w, c->out);
        sdw_conv2d_args a = { .weight = bench_weight(b, SDW_ROLE_CONV, c->out, c->in, 3), .bias = bench_weight(b, SDW_ROLE_VECTOR, c->out, 1, 1),
                              .stride = 1, .pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1 };
        if (c->up) a.up_h = c->h, a.up_w = c->w;
        if (c->norm) a.pre = (sdw_pre){ bench_input(b, c->rows, 1, 1, 2 * c->in), SDW_ACT_SILU };
        sdw_conv2d(g, x, &a, out);
    } else if (c->kind == BENCH_ATTENTION) {
        int width = c->in * c->out;
        sdw_tensor *all = bench_input(b, c->rows, c->h, 1, c->h == c->w ? 3 * width : width), *out = bench_input(b, c->rows, c->h, 1, width);
        sdw_tensor *kv = c->h == c->w ? sdw_columns(g, all, width, 2 * width) : bench_input(b, c->rows, c->w, 1, 2 * width);
        sdw_attention_args a = { .k = sdw_columns(g, kv, 0, width), .v = sdw_columns(g, kv, width, width), .heads = c->in, .scale = 0.1f };
        sdw_attention(g, sdw_columns(g, all, 0, width), &a, out);
    } else {
        sdw_tensor *x = bench_input(b, c->rows, 1, 1, c->in), *out = bench_input(b, c->rows, 1, 1, c->out);
        int rows = c->kind == BENCH_GLU ? 2 * c->out : c->out;
        sdw_weight *w = bench_weight(b, c->kind == BENCH_GLU ? SDW_ROLE_GLU : SDW_ROLE_MATRIX, rows, c->in, 1), *bias = bench_weight(b, SDW_ROLE_VECTOR, rows, 1, 1);
        if (c->kind == BENCH_GLU) sdw_glu(g, x, &(sdw_glu_args){ .weight = w, .bias = bias, .act = SDW_ACT_GELU }, out);
        else sdw_linear(g, c->norm ? sdw_layer_norm(g, x, &(sdw_norm_args){ .eps = 1e-5f }, NULL) : x, &(sdw_linear_args){ .weight = w, .bias = bias }, out);
    }
}

/* weights: their type in the file, SDW_F16 or SDW_F32. */
static inline void bench_open(bench_bed *b, sdw_backend *backend, const bench_case *c, sdw_dtype weights)
{
    sdw_error err = { 0 };
    *b = (bench_bed){ .backend = backend, .seed = 1, .weight_type = weights };
    if (!(b->graph = sdw_graph_create(&err))) bench_fail(&err);
    bench_record(b, c);
    sdw_weight *list[4];
    for (int i = 0; i < b->weights; i++) list[i] = &b->weight[i];
    if (backend->api->pack(backend, list, (size_t)b->weights, NULL, NULL, &err) != SDW_OK) bench_fail(&err);
    if (sdw_plan_create(b->graph, backend, &b->plan, &err) != SDW_OK) bench_fail(&err);
    for (int i = 0; i < b->bounds; i++) sdw_plan_bind(b->plan, i, b->bound[i]);
    if (backend->api->alloc(backend, b->plan->pool_bytes, &b->pool, &err) != SDW_OK) bench_fail(&err);
    if (sdw_plan_run(b->plan, backend, b->pool, NULL, &err) != SDW_OK) bench_fail(&err);
}

/* The last op alone: what is before it has left its results. */
static inline double bench_run(bench_bed *b) /* seconds */
{
    sdw_error err = { 0 };
    double start = bench_now();
    if (sdw_plan_run_ops(b->plan, b->backend, b->pool, b->plan->graph->op_count - 1, 1, NULL, &err) != SDW_OK) bench_fail(&err);
    return bench_now() - start;
}

static inline void bench_close(bench_bed *b)
{
    for (int i = 0; i < b->bounds; i++) b->backend->api->free(b->backend, b->bound[i]);
    for (int i = 0; i < b->weights; i++) {
        b->backend->api->unpack(b->backend, &b->weight[i]);
        sdw_free(b->raw[i]);
    }
    b->backend->api->free(b->backend, b->pool);
    sdw_plan_free(b->plan);
}

static inline int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Median and smallest of some runs, about 0.5 s in all. */
typedef struct bench_time { double median, min; } bench_time;

static inline bench_time bench_time_of(double *seconds, int count)
{
    qsort(seconds, (size_t)count, sizeof *seconds, bench_compare);
    return (bench_time){ seconds[count / 2], seconds[0] };
}

#endif
