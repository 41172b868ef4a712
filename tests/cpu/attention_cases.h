/* attention_cases.h - attention on random numbers, beside its definition: shared by the tests of f32 and of narrow arithmetics. */
#ifndef SDW_TESTS_CPU_ATTENTION_CASES_H
#define SDW_TESTS_CPU_ATTENTION_CASES_H

#include "cpu/bed.h"

typedef struct attention_case {
    int n, queries, keys, heads, dim;
    bool causal, lengths, fused; /* fused: q, k, v are columns of one tensor */
    float size;                  /* of the scores, about */
} attention_case;

static const attention_case attention_cases[] = {
    { 1, 1, 1, 1, 4, .size = 1 },
    { 2, 77, 77, 3, 64, .causal = true, .fused = true, .size = 3 },
    { 2, 100, 77, 2, 40, .lengths = true, .size = 3 },
    { 1, 300, 300, 2, 40, .fused = true, .size = 8 },
    { 1, 33, 500, 1, 160, .size = 1 },
    { 1, 70, 70, 1, 512, .fused = true, .size = 20 },
    { 3, 16, 16, 4, 12, .fused = true, .size = 2 },
    { 1, 64, 31, 5, 24, .size = 2 },
    { 1, 300, 300, 1, 80, .causal = true, .size = 30 },
};
enum { ATTENTION_CASES = sizeof attention_cases / sizeof *attention_cases };

typedef struct attention_run {
    bed b;
    float *q, *k, *v;
    const float *out;
    size_t q_pitch, kv_pitch;
} attention_run;

/* Records and plans nothing but one attention. */
static inline void record_attention(attention_run *r, const attention_case *c, const sdw_backend_options *options)
{
    bed *b = &r->b;
    bed_open_with(b, options);
    int width = c->heads * c->dim;
    sdw_tensor *out = bed_input(b, c->n, c->queries, 1, width), *all = NULL, *q, *k, *v;
    if (c->fused) {
        all = bed_input(b, c->n, c->queries, 1, 3 * width);
        q = sdw_columns(b->graph, all, 0, width);
        k = sdw_columns(b->graph, all, width, width);
        v = sdw_columns(b->graph, all, 2 * width, width);
    } else {
        q = bed_input(b, c->n, c->queries, 1, width);
        all = bed_input(b, c->n, c->keys, 1, 2 * width);
        k = sdw_columns(b->graph, all, 0, width);
        v = sdw_columns(b->graph, all, width, width);
    }
    sdw_attention_args a = { .k = k, .v = v, .heads = c->heads, .scale = c->size / sqrtf((float)c->dim), .causal = c->causal };
    if (c->lengths) {
        int index = b->bounds;
        a.kv_len = bed_input(b, c->n, 1, 1, 1);
        for (int32_t i = 0; i < c->n; i++) {
            int32_t length = c->keys - 13 * i - 1;
            memcpy(b->bound[index] + i, &length, 4);
        }
    }
    sdw_attention(b->graph, q, &a, out);
    r->q = b->bound[1];
    r->q_pitch = (size_t)(c->fused ? 3 : 1) * (size_t)width;
    r->k = c->fused ? b->bound[1] + width : b->bound[2];
    r->kv_pitch = (size_t)(c->fused ? 3 : 2) * (size_t)width;
    r->v = r->k + width;
    r->out = b->bound[0];
}

static inline void run_attention(attention_run *r, const attention_case *c, const sdw_backend_options *options)
{
    record_attention(r, c, options);
    bed_run(&r->b);
}

/* Relative distance of the result from the definition, computed in double. */
static inline double check_attention(const attention_run *r, const attention_case *c)
{
    double *p = sdw_malloc((size_t)c->keys * sizeof *p), error = 0, norm = 0;
    float scale = c->size / sqrtf((float)c->dim);
    size_t width = (size_t)c->heads * (size_t)c->dim, dim = (size_t)c->dim;
    for (int n = 0; n < c->n; n++)
        for (int h = 0; h < c->heads; h++)
            for (int i = 0; i < c->queries; i++) {
                const float *q = r->q + ((size_t)n * (size_t)c->queries + (size_t)i) * r->q_pitch + (size_t)h * dim;
                int keys = c->lengths ? c->keys - 13 * n - 1 : c->keys;
                if (c->causal && keys > i + 1) keys = i + 1;
                double top = -INFINITY, total = 0;
                for (int j = 0; j < keys; j++) {
                    const float *k = r->k + ((size_t)n * (size_t)c->keys + (size_t)j) * r->kv_pitch + (size_t)h * dim;
                    p[j] = 0;
                    for (size_t d = 0; d < dim; d++) p[j] += (double)q[d] * k[d];
                    p[j] *= scale;
                    if (p[j] > top) top = p[j];
                }
                for (int j = 0; j < keys; j++) total += p[j] = exp(p[j] - top);
                for (size_t d = 0; d < dim; d++) {
                    double want = 0;
                    for (int j = 0; j < keys; j++) want += p[j] * r->v[((size_t)n * (size_t)c->keys + (size_t)j) * r->kv_pitch + (size_t)h * dim + d];
                    want /= total;
                    double diff = r->out[((size_t)n * (size_t)c->queries + (size_t)i) * width + (size_t)h * dim + d] - want;
                    error += diff * diff;
                    norm += want * want;
                }
            }
    sdw_free(p);
    return sqrt(error / norm);
}

#endif
