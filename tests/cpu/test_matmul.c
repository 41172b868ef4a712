/* test_matmul.c - where a panel is widened, how many threads share the work and in what company a row stands changes no byte of a
 * linear layer. What is right is said in test_products.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "cpu/cpuid.h"
#include "cpu/matmul.h"
#include "cpu/weights.h"

/* residual: 1 from elsewhere, 2 the output itself. */
typedef struct matmul_case {
    int rows, in, out, residual;
    bool glu;
} matmul_case;

/* Panels of half width, groups that end early, sums in blocks, one row, fewer rows than a tile, columns of a wider tensor. */
static const matmul_case cases[] = {
    { 1, 5, 3, 0, false }, { 13, 40, 48, 1, false }, { 77, 768, 700, 2, false }, { 300, 33, 100, 1, false }, { 60, 1290, 330, 0, false },
    { 29, 5200, 80, 0, false }, { 150, 320, 640, 0, true }, { 9, 770, 2 * 40, 0, true },
};
enum { CASES = sizeof cases / sizeof *cases, MORE = 7 };

typedef struct bench {
    float *in, *out, *residual, *bias;
    sdw_weight weight;
    unsigned char *raw;
    int outputs; /* columns of out */
} bench;

static float *random_floats(size_t n, uint32_t seed)
{
    float *p = sdw_malloc((n + 1) * sizeof *p);
    assert_non_null(p);
    for (size_t i = 0; i <= n; i++) {
        seed = seed * 1664525u + 1013904223u;
        p[i] = (float)(seed >> 8) / 8388608.0f - 1.0f;
    }
    return p;
}

static void set_up(bench *b, const matmul_case *c, sdw_dtype type, const sdw_cpu_kernels *k, sdw_cpu_pool *pool)
{
    size_t weights = (size_t)c->out * (size_t)c->in;
    float *values = random_floats(weights, 4);
    *b = (bench){ .outputs = c->glu ? c->out / 2 : c->out };
    size_t cells = (size_t)c->rows * (size_t)(b->outputs + MORE);
    b->in = random_floats((size_t)c->rows * (size_t)(c->in + MORE), 1);
    b->out = random_floats(cells, 2);
    b->residual = c->residual == 2 ? b->out : random_floats(cells, 3);
    b->bias = random_floats((size_t)c->out, 5);
    b->raw = sdw_malloc(weights * 4);
    assert_non_null(b->raw);
    sdw_from_f32(type, values, b->raw, weights);
    sdw_free(values);
    b->weight = (sdw_weight){ .name = "weight", .role = c->glu ? SDW_ROLE_GLU : SDW_ROLE_MATRIX, .out = c->out, .in = c->in, .k = 1, .source_count = 1 };
    b->weight.source[0] = (sdw_weight_source){ .data = b->raw, .dtype = type, .rows = c->out };
    sdw_weight *list = &b->weight;
    sdw_error err = { 0 };
    assert_int_equal(sdw_cpu_pack(k, pool, &list, 1, NULL, NULL, &err), SDW_OK);
}

static void tear_down(bench *b, bool own_residual)
{
    sdw_free(b->in);
    sdw_free(b->out);
    if (own_residual) sdw_free(b->residual);
    sdw_free(b->bias);
    sdw_free(b->raw);
    sdw_free(b->weight.packed);
}

/* Rows [first, first + rows) of a case; the caller frees what it gets. */
static float *result_of(const matmul_case *c, sdw_dtype type, const sdw_cpu_kernels *k, int threads, int first, int rows)
{
    sdw_error err = { 0 };
    sdw_cpu_pool *pool = NULL;
    bench b;
    assert_int_equal(sdw_cpu_pool_create(threads, &pool, &err), SDW_OK);
    set_up(&b, c, type, k, pool);
    ptrdiff_t in_stride = c->in + MORE, stride = b.outputs + MORE;
    sdw_cpu_operands o = { .in = b.in + first * in_stride, .in_stride = in_stride, .weight = &b.weight, .bias = b.bias, .act = c->glu ? SDW_ACT_GELU : SDW_ACT_NONE,
                           .residual = c->residual ? b.residual + first * stride : NULL, .residual_stride = stride, .out = b.out + first * stride, .out_stride = stride };
    sdw_cpu_matmul p;
    sdw_cpu_matmul_plan(k, rows, &b.weight, threads, &p);
    void *workspace = sdw_aligned_alloc(4096, p.scratch_bytes * (size_t)threads);
    assert_non_null(workspace);
    sdw_cpu_matmul_run(k, pool, &p, &o, workspace, NULL);
    float *out = b.out;
    b.out = NULL;
    tear_down(&b, c->residual != 2);
    sdw_free(workspace);
    sdw_cpu_pool_free(pool);
    return out;
}

static void each_table(void (*fn)(const sdw_cpu_kernels *k))
{
    static const char *const levels[] = { "scalar", "avx2", "avx512" };
    unsigned have = sdw_cpu_detect();
    for (int l = 0; l < 3; l++) {
        sdw_cpu_kernels k;
        sdw_cpu_kernels_init(&k, (unsigned)sdw_cpu_cap(have, levels[l]));
        fn(&k);
    }
}

static const sdw_dtype types[] = { SDW_F32, SDW_F16, SDW_BF16 };

static void widen_both_ways(const sdw_cpu_kernels *k)
{
    for (int i = 0; i < CASES; i++)
        for (int t = 0; t < 3; t++) {
            sdw_cpu_kernels before = *k, inside = *k;
            before.widen_in_tile = false;
            inside.widen_in_tile = true;
            const matmul_case *c = &cases[i];
            size_t bytes = (size_t)c->rows * (size_t)((c->glu ? c->out / 2 : c->out) + MORE) * sizeof(float);
            float *one = result_of(c, types[t], &before, 1, 0, c->rows), *other = result_of(c, types[t], &inside, 3, 0, c->rows);
            assert_memory_equal(one, other, bytes);
            sdw_free(one);
            sdw_free(other);
        }
}

static void widening_before_or_inside_gives_the_same_bytes(void **state)
{
    (void)state;
    each_table(widen_both_ways);
}

static void compare_alone(const sdw_cpu_kernels *k)
{
    for (int i = 0; i < CASES; i++) {
        const matmul_case *c = &cases[i];
        int row = c->rows * 2 / 3, stride = (c->glu ? c->out / 2 : c->out) + MORE;
        float *all = result_of(c, SDW_F16, k, 2, 0, c->rows), *alone = result_of(c, SDW_F16, k, 1, row, 1);
        assert_memory_equal(all + row * stride, alone + row * stride, (size_t)stride * sizeof(float));
        sdw_free(all);
        sdw_free(alone);
    }
}

static void a_row_alone_equals_the_row_in_company(void **state)
{
    (void)state;
    each_table(compare_alone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widening_before_or_inside_gives_the_same_bytes),
        cmocka_unit_test(a_row_alone_equals_the_row_in_company),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
