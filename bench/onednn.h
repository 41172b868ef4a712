/* onednn.h - the same product by oneDNN, side by side: convolutions (direct, Winograd, bytes) and matrix products (f32, bytes), each
 * in the memory format that the library likes best, no conversion counted; bytes: u8 times s8 with a scale per output, to f32.
 * Quantised: the same, from an f32 input as it lies in our tensors, brought to bytes by the library with one scale that is known
 * before (ours looks for one in every row). Needs -DWITH_ONEDNN=ON; otherwise nothing is there. */
#ifndef SDW_BENCH_ONEDNN_H
#define SDW_BENCH_ONEDNN_H

#include <stdbool.h>

#include "bed.h"

typedef enum onednn_way { ONEDNN_DIRECT, ONEDNN_WINOGRAD, ONEDNN_BYTES, ONEDNN_QUANTISED } onednn_way;

#if defined(SDW_WITH_ONEDNN)

enum { ONEDNN_BUILT = 1 };

#include <oneapi/dnnl/dnnl.h>

typedef struct onednn_bed {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t primitive; /* NULL: the library declines */
    dnnl_memory_t memory[4];    /* source, weights, bias, destination */
    void *data[4];
    dnnl_primitive_t quantise;  /* input to source; NULL: the source is there */
    dnnl_memory_t input;
    void *input_data;
} onednn_bed;

static inline void onednn_need(dnnl_status_t s, const char *what)
{
    if (s == dnnl_success) return;
    fprintf(stderr, "bench: oneDNN: %s: status %d\n", what, (int)s);
    exit(1);
}

static inline dnnl_memory_desc_t onednn_desc(dnnl_data_type_t type, int rank, int64_t a, int64_t b, int64_t c, int64_t d)
{
    const dnnl_dims_t dims = { a, b, c, d };
    dnnl_memory_desc_t m;
    onednn_need(dnnl_memory_desc_init_by_tag(&m, rank, dims, type, rank == 1 ? dnnl_a : dnnl_format_tag_any), "memory");
    return m;
}

/* Types of one way: source, weights, bias and destination. */
static inline dnnl_data_type_t onednn_type(onednn_way way, int part)
{
    return way < ONEDNN_BYTES || part > 1 ? dnnl_f32 : part == 0 ? dnnl_u8 : dnnl_s8;
}

/* A scale per output, as quantised weights have. */
static inline dnnl_primitive_attr_t onednn_attr(const bench_case *c, onednn_way way)
{
    dnnl_primitive_attr_t attr = NULL;
    float scale[1 << 14];
    onednn_need(dnnl_primitive_attr_create(&attr), "attributes");
    for (int i = 0; i < c->out; i++) scale[i] = 0.001f;
    if (way >= ONEDNN_BYTES) onednn_need(dnnl_primitive_attr_set_output_scales(attr, c->out, 1 << 1, scale), "scales");
    return attr;
}

static inline dnnl_primitive_desc_t onednn_create(const onednn_bed *b, const bench_case *c, onednn_way way, const void *d)
{
    dnnl_primitive_attr_t attr = onednn_attr(c, way);
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t s = dnnl_primitive_desc_create(&pd, d, attr, b->engine, NULL);
    dnnl_primitive_attr_destroy(attr);
    return s == dnnl_success ? pd : NULL;
}

static inline dnnl_primitive_desc_t onednn_conv(const onednn_bed *b, const bench_case *c, onednn_way way)
{
    const dnnl_dims_t one = { 1, 1 };
    dnnl_memory_desc_t src = onednn_desc(onednn_type(way, 0), 4, c->rows, c->in, c->h, c->w), weights = onednn_desc(onednn_type(way, 1), 4, c->out, c->in, 3, 3);
    dnnl_memory_desc_t bias = onednn_desc(onednn_type(way, 2), 1, c->out, 0, 0, 0), dst = onednn_desc(onednn_type(way, 3), 4, c->rows, c->out, c->h, c->w);
    dnnl_convolution_desc_t d;
    onednn_need(dnnl_convolution_forward_desc_init(&d, dnnl_forward_inference, way == ONEDNN_WINOGRAD ? dnnl_convolution_winograd : dnnl_convolution_direct,
                                                   &src, &weights, &bias, &dst, one, one, one), "convolution");
    return onednn_create(b, c, way, &d);
}

static inline dnnl_primitive_desc_t onednn_product(const onednn_bed *b, const bench_case *c, onednn_way way)
{
    dnnl_memory_desc_t src = onednn_desc(onednn_type(way, 0), 2, c->rows, c->in, 0, 0), weights = onednn_desc(onednn_type(way, 1), 2, c->out, c->in, 0, 0);
    dnnl_memory_desc_t bias = onednn_desc(onednn_type(way, 2), 1, c->out, 0, 0, 0), dst = onednn_desc(onednn_type(way, 3), 2, c->rows, c->out, 0, 0);
    dnnl_inner_product_desc_t d;
    onednn_need(dnnl_inner_product_forward_desc_init(&d, dnnl_forward_inference, &src, &weights, &bias, &dst), "product");
    return onednn_create(b, c, way, &d);
}

/* The f32 input and its way to the bytes of the source. */
static inline void onednn_quantise(onednn_bed *b, const bench_case *c, const dnnl_memory_desc_t *source, uint32_t *seed)
{
    bool conv = c->kind == BENCH_CONV;
    const dnnl_dims_t pixels = { c->rows, c->in, c->h, c->w }, rows = { c->rows, c->in };
    const float scale = 100;
    dnnl_memory_desc_t m;
    onednn_need(dnnl_memory_desc_init_by_tag(&m, conv ? 4 : 2, conv ? pixels : rows, dnnl_f32, conv ? dnnl_acdb : dnnl_ab), "memory");
    size_t bytes = dnnl_memory_desc_get_size(&m);
    float *data = sdw_aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    for (size_t i = 0; i < bytes / sizeof *data; i++) data[i] = bench_random(seed);
    b->input_data = data;
    onednn_need(dnnl_memory_create(&b->input, &m, b->engine, data), "memory");
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    onednn_need(dnnl_primitive_attr_create(&attr), "attributes");
    onednn_need(dnnl_primitive_attr_set_output_scales(attr, 1, 0, &scale), "scale");
    onednn_need(dnnl_reorder_primitive_desc_create(&pd, &m, b->engine, source, b->engine, attr), "conversion");
    onednn_need(dnnl_primitive_create(&b->quantise, pd), "conversion");
    dnnl_primitive_desc_destroy(pd);
    dnnl_primitive_attr_destroy(attr);
}

/* false: not a kind, or not a way, that the library has. */
static inline bool onednn_open(onednn_bed *b, const bench_case *c, onednn_way way)
{
    static const dnnl_query_t parts[] = { dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_weights_md, dnnl_query_dst_md };
    *b = (onednn_bed){ 0 };
    if (c->up || (c->norm && c->kind == BENCH_CONV) || (c->kind != BENCH_CONV && c->kind != BENCH_LINEAR) || (way == ONEDNN_WINOGRAD && c->kind != BENCH_CONV)) return false;
    onednn_need(dnnl_engine_create(&b->engine, dnnl_cpu, 0), "engine");
    onednn_need(dnnl_stream_create(&b->stream, b->engine, dnnl_stream_default_flags), "stream");
    dnnl_primitive_desc_t pd = c->kind == BENCH_CONV ? onednn_conv(b, c, way) : onednn_product(b, c, way);
    if (!pd) return false;
    uint32_t seed = 3;
    for (int i = 0; i < 4; i++) {
        const dnnl_memory_desc_t *m = dnnl_primitive_desc_query_md(pd, parts[i], i == 2);
        size_t bytes = dnnl_memory_desc_get_size(m);
        b->data[i] = sdw_aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
        bool wide = onednn_type(way, i) == dnnl_f32;
        for (size_t j = 0; wide && j < bytes / 4; j++) ((float *)b->data[i])[j] = bench_random(&seed);
        for (size_t j = 0; !wide && j < bytes; j++) ((uint8_t *)b->data[i])[j] = (uint8_t)(bench_random(&seed) * 20 + 20);
        onednn_need(dnnl_memory_create(&b->memory[i], m, b->engine, b->data[i]), "memory");
    }
    onednn_need(dnnl_primitive_create(&b->primitive, pd), "primitive");
    if (way == ONEDNN_QUANTISED) onednn_quantise(b, c, dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0), &seed);
    dnnl_primitive_desc_destroy(pd);
    return true;
}

static inline void onednn_run(onednn_bed *b)
{
    const dnnl_exec_arg_t args[] = { { DNNL_ARG_SRC, b->memory[0] }, { DNNL_ARG_WEIGHTS, b->memory[1] }, { DNNL_ARG_BIAS, b->memory[2] },
                                     { DNNL_ARG_DST, b->memory[3] } };
    const dnnl_exec_arg_t conversion[] = { { DNNL_ARG_FROM, b->input }, { DNNL_ARG_TO, b->memory[0] } };
    if (b->quantise) onednn_need(dnnl_primitive_execute(b->quantise, b->stream, 2, conversion), "conversion");
    onednn_need(dnnl_primitive_execute(b->primitive, b->stream, 4, args), "run");
    onednn_need(dnnl_stream_wait(b->stream), "wait");
}

static inline void onednn_close(onednn_bed *b)
{
    if (b->primitive) dnnl_primitive_destroy(b->primitive);
    if (b->quantise) dnnl_primitive_destroy(b->quantise);
    if (b->input) dnnl_memory_destroy(b->input);
    sdw_free(b->input_data);
    for (int i = 0; i < 4; i++) {
        if (b->memory[i]) dnnl_memory_destroy(b->memory[i]);
        sdw_free(b->data[i]);
    }
    if (b->stream) dnnl_stream_destroy(b->stream);
    if (b->engine) dnnl_engine_destroy(b->engine);
}

#else

enum { ONEDNN_BUILT = 0 };
typedef struct onednn_bed { int none; } onednn_bed;

static inline bool onednn_open(onednn_bed *b, const bench_case *c, onednn_way way)
{
    (void)b, (void)c, (void)way;
    return false;
}

static inline void onednn_run(onednn_bed *b)
{
    (void)b;
}

static inline void onednn_close(onednn_bed *b)
{
    (void)b;
}

#endif
#endif
