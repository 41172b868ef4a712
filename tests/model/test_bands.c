/* The autoencoder in bands computes the bytes that it computes with one op a layer, at heights that no band divides, and needs
 * less memory for it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/mem.h"
#include "model/vae.h"
#include "tensor/plan.h"

enum { WEIGHTS_MAX = 400 };

typedef struct bed {
    sdw_backend *backend;
    sdw_arena arena;
    sdw_vae vae;
    sdw_binder binder;
    float *values[WEIGHTS_MAX];
} bed;

static float random_value(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (float)(*seed >> 8) / 16777216.0f - 0.5f;
}

/* Names and shapes alone: enough for a plan. */
static void open_shapes(bed *b, const char *isa, int threads, const sdw_vae_config *config)
{
    sdw_error err = { 0 };
    *b = (bed){ 0 };
    if (sdw_backend_cpu.open(&(sdw_backend_options){ .isa = isa, .threads = threads }, &b->backend, &err) != SDW_OK) fail_msg("%s", err.text);
    b->binder = (sdw_binder){ .arena = &b->arena, .part = "vae" };
    sdw_vae_walk(&b->binder, config, &b->vae);
    assert_int_equal(sdw_binder_finish(&b->binder, &err), SDW_OK);
    assert_in_range(b->binder.count, 1, WEIGHTS_MAX);
}

static void open_bed(bed *b, const char *isa, int threads)
{
    static const sdw_vae_config config = { .level_count = 4, .channels = { 32, 64, 128, 128 }, .resnets = 1, .latent_channels = 4, .groups = 8,
                                           .quant = true, .post_quant = true, .mid_attention = true, .scaling_factor = 1 };
    sdw_error err = { 0 };
    uint32_t seed = 1;
    open_shapes(b, isa, threads, &config);
    for (int i = 0; i < b->binder.count; i++) {
        sdw_weight *w = b->binder.list[i];
        int64_t n = w->out * w->in * w->k * w->k;
        float scale = w->role == SDW_ROLE_VECTOR ? 1 : 3.0f / (float)(w->in * w->k);
        b->values[i] = sdw_malloc((size_t)n * sizeof(float));
        assert_non_null(b->values[i]);
        for (int64_t j = 0; j < n; j++) b->values[i][j] = random_value(&seed) * scale;
        w->source_count = 1;
        w->source[0] = (sdw_weight_source){ .data = b->values[i], .dtype = SDW_F32, .rows = w->out };
    }
    sdw_status s = b->backend->api->pack(b->backend, b->binder.list, (size_t)b->binder.count, NULL, NULL, &err);
    if (s != SDW_OK) fail_msg("%s", err.text);
}

static void close_bed(bed *b)
{
    for (int i = 0; i < b->binder.count; i++) {
        b->backend->api->unpack(b->backend, b->binder.list[i]);
        sdw_free(b->values[i]);
    }
    b->backend->api->close(b->backend);
    sdw_arena_finish(&b->arena);
}

typedef struct result {
    float *values;
    size_t count, activation_bytes;
    int ops;
} result;

/* The pool holds junk at first, so nothing is right by luck. */
static result run(bed *b, bool decode, const sdw_bands *bands, int h, int w)
{
    sdw_error err = { 0 };
    sdw_graph *g = sdw_graph_create(&err);
    sdw_vae_io io;
    sdw_plan *plan = NULL;
    void *pool = NULL;
    uint32_t seed = 7;
    if (decode) sdw_vae_record_decode(g, &b->vae, bands, h, w, &io);
    else sdw_vae_record_encode(g, &b->vae, bands, h, w, &io);
    if (sdw_plan_create(g, b->backend, &plan, &err) != SDW_OK) fail_msg("%s", err.text);
    size_t small = (size_t)h * (size_t)w, large = 64 * small, in_count = decode ? 4 * small : 3 * large;
    result r = { .count = decode ? 3 * large : 8 * small, .activation_bytes = plan->activation_bytes, .ops = g->op_count };
    float *in = sdw_malloc(in_count * sizeof *in);
    r.values = sdw_malloc(r.count * sizeof *r.values);
    assert_true(in && r.values);
    for (size_t i = 0; i < in_count; i++) in[i] = random_value(&seed) * 4;
    assert_int_equal(b->backend->api->alloc(b->backend, plan->pool_bytes, &pool, &err), SDW_OK);
    memset(pool, 0x7f, plan->pool_bytes);
    sdw_plan_bind(plan, io.in, in);
    sdw_plan_bind(plan, io.out, r.values);
    if (sdw_plan_run(plan, b->backend, pool, NULL, &err) != SDW_OK) fail_msg("%s", err.text);
    b->backend->api->free(b->backend, pool);
    sdw_plan_free(plan);
    sdw_free(in);
    return r;
}

static void compare(bed *b, bool decode, const sdw_bands *bands, int h, int w)
{
    result whole = run(b, decode, &sdw_bands_none, h, w), cut = run(b, decode, bands, h, w);
    assert_true(cut.ops > whole.ops);
    for (size_t i = 0; i < whole.count; i++)
        if (memcmp(&whole.values[i], &cut.values[i], sizeof(float)) != 0)
            fail_msg("%s of %d x %d: value %zu is %.9g in bands, %.9g whole", decode ? "decode" : "encode", h, w, i, (double)cut.values[i], (double)whole.values[i]);
    if (decode && bands->slide_rows && !(cut.activation_bytes < 0.8 * (double)whole.activation_bytes))
        fail_msg("decode of %d x %d: %zu bytes in bands, %zu whole", h, w, cut.activation_bytes, whole.activation_bytes);
    sdw_free(whole.values);
    sdw_free(cut.values);
}

static void bands_change_no_byte_with_plain_sums(void **state)
{
    (void)state;
    static const int sizes[][2] = { { 9, 5 }, { 11, 8 }, { 8, 13 } };
    static const sdw_bands bands[] = { { .flop_max = 2e6, .slide_rows = 4 }, { .flop_max = 1e5, .slide_rows = 12 }, { .flop_max = 1e6 } };
    bed b;
    open_bed(&b, "scalar", 2);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int decode = 0; decode < 2; decode++) compare(&b, decode, &bands[i], sizes[i][0], sizes[i][1]);
    close_bed(&b);
}

/* Sizes at which the transforms serve every band, as they do in pictures. */
static void bands_change_no_byte_with_transforms(void **state)
{
    (void)state;
    static const int sizes[][2] = { { 9, 19 }, { 13, 17 }, { 23, 24 }, { 31, 9 } };
    static const sdw_bands bands[] = { { .flop_max = 3e7, .slide_rows = 8 }, { .flop_max = 1e8, .slide_rows = 12 }, { .flop_max = 5e7, .slide_rows = 20 }, { .flop_max = 2e7, .slide_rows = 16 } };
    static const char *const isa[] = { "avx2", "avx512" };
    for (int l = 0; l < 2; l++) {
        bed b;
        open_bed(&b, isa[l], 1 + l);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (int decode = 0; decode < 2; decode++) compare(&b, decode, &bands[i], sizes[i][0], sizes[i][1]);
        close_bed(&b);
    }
}

typedef struct count {
    size_t activation_bytes;
    double flop, largest_flop;
} count;

static count count_decode(bed *b, const sdw_bands *bands, int h, int w)
{
    sdw_error err = { 0 };
    sdw_graph *g = sdw_graph_create(&err);
    sdw_plan *plan;
    sdw_vae_io io;
    sdw_vae_record_decode(g, &b->vae, bands, h, w, &io);
    if (sdw_plan_create(g, b->backend, &plan, &err) != SDW_OK) fail_msg("%s", err.text);
    count c = { .activation_bytes = plan->activation_bytes, .flop = plan->flop };
    for (int i = 0; i < g->op_count; i++)
        if (g->ops[i]->flop > c.largest_flop) c.largest_flop = g->ops[i]->flop;
    sdw_plan_free(plan);
    return c;
}

/* The published autoencoder with the bands that are used, counted from plans: at every size a decode can be cut into thirty
 * parts, and at large ones it needs 256 channels of its pixels and a quarter more, where whole layers needed 512. */
static void a_decode_of_any_size_has_small_operations_and_less_memory(void **state)
{
    (void)state;
    static const sdw_vae_config published = { .level_count = 4, .channels = { 128, 256, 512, 512 }, .resnets = 2, .latent_channels = 4, .groups = 32,
                                              .quant = true, .post_quant = true, .mid_attention = true, .scaling_factor = 1 };
    static const int sizes[][2] = { { 64, 64 }, { 128, 128 }, { 256, 256 }, { 131, 77 }, { 256, 8 }, { 8, 256 }, { 97, 250 } };
    bed b;
    open_shapes(&b, NULL, 2, &published);
    for (int i = 0; i < b.binder.count; i++) {
        sdw_weight *w = b.binder.list[i];
        w->source_count = 1;
        w->source[0] = (sdw_weight_source){ .dtype = SDW_F16, .rows = w->out };
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int h = sizes[i][0], w = sizes[i][1];
        count whole = count_decode(&b, &sdw_bands_none, h, w), cut = count_decode(&b, &sdw_bands_usual, h, w);
        double pixels = 64.0 * h * w, least = h * w < 64 * 64 ? 12 : 30;
        if (!(cut.largest_flop < cut.flop / least)) fail_msg("%d x %d: an operation of %.1f in %.1f GFLOP", h, w, cut.largest_flop / 1e9, cut.flop / 1e9);
        if (!(fabs(cut.flop - whole.flop) <= 1e-9 * whole.flop)) fail_msg("%d x %d: %.0f FLOP in bands, %.0f whole", h, w, cut.flop, whole.flop);
        if (h < 128) continue;
        if (!(cut.activation_bytes < 1.4 * 4 * 256 * pixels && cut.activation_bytes < 0.7 * (double)whole.activation_bytes))
            fail_msg("%d x %d: %zu bytes in bands, %zu whole", h, w, cut.activation_bytes, whole.activation_bytes);
    }
    close_bed(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bands_change_no_byte_with_plain_sums),
        cmocka_unit_test(bands_change_no_byte_with_transforms),
        cmocka_unit_test(a_decode_of_any_size_has_small_operations_and_less_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
