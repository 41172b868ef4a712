/* bed.h - a bed for op tests: a graph with bound inputs, weights from random numbers, one run on a chosen backend.
 * Everything is filled from a fixed generator, so that two beds with the same calls hold the same numbers. */
#ifndef SDW_TESTS_CPU_BED_H
#define SDW_TESTS_CPU_BED_H

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "tensor/backend.h"
#include "tensor/plan.h"

enum { BED_BOUND_MAX = 16, BED_WEIGHTS_MAX = 8 };

typedef struct bed {
    sdw_backend *backend;
    sdw_graph *graph;
    sdw_plan *plan;
    float *bound[BED_BOUND_MAX];
    size_t bound_floats[BED_BOUND_MAX];
    int bounds;
    sdw_weight weight[BED_WEIGHTS_MAX];
    void *raw[BED_WEIGHTS_MAX];  /* source bytes, row-major as in a file */
    float *exact[BED_WEIGHTS_MAX]; /* the same as f32 */
    int weights;
    uint32_t seed;
} bed;

static inline float bed_random(uint32_t *seed) /* about normal, mean 0, deviation 1 */
{
    float sum = 0;
    for (int i = 0; i < 4; i++) {
        *seed = *seed * 1664525u + 1013904223u;
        sum += (float)(*seed >> 8) / 16777216.0f - 0.5f;
    }
    return sum * 1.7320508f;
}

static inline void bed_open_with(bed *b, const sdw_backend_options *options)
{
    sdw_error err = { 0 };
    sdw_backend_options o = *options;
    if (!o.precision) o.precision = "f32"; /* whatever the environment says */
    *b = (bed){ .seed = 1 };
    if (sdw_backend_cpu.open(&o, &b->backend, &err) != SDW_OK) fail_msg("%s", err.text);
    b->graph = sdw_graph_create(&err);
    assert_non_null(b->graph);
}

static inline void bed_open(bed *b, const char *isa, int threads)
{
    bed_open_with(b, &(sdw_backend_options){ .threads = threads, .isa = isa });
}

static inline void bed_close(bed *b)
{
    for (int i = 0; i < b->bounds; i++) sdw_free(b->bound[i]);
    for (int i = 0; i < b->weights; i++) {
        b->backend->api->unpack(b->backend, &b->weight[i]);
        sdw_free(b->raw[i]);
        sdw_free(b->exact[i]);
    }
    if (b->plan) sdw_plan_free(b->plan);
    else sdw_graph_free(b->graph);
    b->backend->api->close(b->backend);
}

/* A bound tensor of random values. */
static inline sdw_tensor *bed_input(bed *b, int n, int h, int w, int c)
{
    int index = -1;
    sdw_tensor *t = sdw_graph_bound(b->graph, n, h, w, c, &index);
    assert_int_equal(index, b->bounds);
    size_t count = (size_t)n * (size_t)h * (size_t)w * (size_t)c;
    b->bound_floats[index] = count;
    b->bound[index] = sdw_aligned_alloc(64, (count * 4 + 127) / 64 * 64);
    assert_non_null(b->bound[index]);
    for (size_t i = 0; i < count; i++) b->bound[index][i] = bed_random(&b->seed);
    b->bounds++;
    return t;
}

static inline sdw_weight *bed_weight(bed *b, sdw_role role, int64_t out, int64_t in, int k, sdw_dtype type, float scale)
{
    int i = b->weights++;
    size_t count = (size_t)(out * in * k * k);
    b->raw[i] = sdw_malloc(count * 4 + 1);
    b->exact[i] = sdw_malloc(count * 4);
    for (size_t j = 0; j < count; j++) b->exact[i][j] = bed_random(&b->seed) * scale + (role == SDW_ROLE_VECTOR ? 0.5f : 0);
    sdw_from_f32(type, b->exact[i], (char *)b->raw[i] + 1, count); /* files promise no alignment */
    sdw_to_f32(type, (char *)b->raw[i] + 1, b->exact[i], count);
    b->weight[i] = (sdw_weight){ .name = "weight", .role = role, .out = out, .in = in, .k = k, .source_count = 1, .narrowest = role == SDW_ROLE_VECTOR ? 0 : 8 };
    b->weight[i].source[0] = (sdw_weight_source){ .data = (char *)b->raw[i] + 1, .dtype = type, .rows = out };
    return &b->weight[i];
}

static inline const float *bed_exact(const bed *b, const sdw_weight *w)
{
    return w ? b->exact[w - b->weight] : NULL;
}

/* Plans and runs. Bound tensors made by bed_input hold the results of ops that wrote to them. */
static inline sdw_status bed_run_status(bed *b, sdw_error *err)
{
    sdw_weight *list[BED_WEIGHTS_MAX];
    for (int i = 0; i < b->weights; i++) list[i] = &b->weight[i];
    sdw_status status = b->backend->api->pack(b->backend, list, (size_t)b->weights, NULL, NULL, err);
    if (status != SDW_OK) return status;
    sdw_graph *g = b->graph;
    b->graph = NULL;
    if ((status = sdw_plan_create(g, b->backend, &b->plan, err)) != SDW_OK) return status;
    for (int i = 0; i < b->bounds; i++) sdw_plan_bind(b->plan, i, b->bound[i]);
    void *pool = NULL;
    if ((status = b->backend->api->alloc(b->backend, b->plan->pool_bytes, &pool, err)) != SDW_OK) return status;
    memset(pool, 0x7f, b->plan->pool_bytes); /* junk: 3.4e38 as float */
    status = sdw_plan_run(b->plan, b->backend, pool, NULL, err);
    b->backend->api->free(b->backend, pool);
    return status;
}

static inline void bed_run(bed *b)
{
    sdw_error err = { 0 };
    if (bed_run_status(b, &err) != SDW_OK) fail_msg("%s", err.text);
}

static inline double bed_distance(const float *a, const double *want, size_t n) /* relative L2 */
{
    double error = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)a[i] - want[i];
        error += d * d;
        norm += want[i] * want[i];
        if (!isfinite(a[i])) return INFINITY;
    }
    return sqrt(error / (norm > 0 ? norm : 1));
}

#endif
