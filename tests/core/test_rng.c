/* Noise streams: known answers of the published generators, of torch, and the bytes of ours.
 * With SDW_ORACLE_DIR the whole of its rng.safetensors is compared as well. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "core/rng.h"
#include "core/rng_math.h"
#include "core/sha256.h"

#define CPU_TOLERANCE 2e-6
#define PHILOX_TOLERANCE 4e-6

static double worst(const float *a, const float *b, size_t n)
{
    double max = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        if (!(d <= max)) max = d; /* a NaN is the worst of all */
    }
    return max;
}

static void mersenne_twister_gives_the_numbers_of_the_cxx_standard(void **state)
{
    (void)state;
    sdw_mt19937 m;
    sdw_mt19937_init(&m, 5489);
    assert_int_equal(sdw_mt19937_next(&m), 3499211612u);
    uint32_t x = 0;
    for (int i = 2; i <= 10000; i++) x = sdw_mt19937_next(&m);
    assert_int_equal(x, 4123659995u);
}

static void philox_gives_the_numbers_of_its_authors(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], want[4];
    } rows[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { ~0u, ~0u, ~0u, ~0u }, { ~0u, ~0u }, { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 }, { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t got[4];
        sdw_philox4x32_10(rows[i].counter, rows[i].key, got);
        assert_memory_equal(got, rows[i].want, sizeof got);
    }
}

static void log_sine_and_cosine_agree_with_the_c_library(void **state)
{
    (void)state;
    double log_error = 0, turn_error = 0;
    for (int i = 1; i <= 200000; i++) {
        double x = i / 200000.0, s, c;
        double want = log(x);
        log_error = fmax(log_error, fabs(sdw_rng_log(x) - want) / fmax(fabs(want), 1e-300));
        sdw_rng_sincos((x - 0.5) * 16, &s, &c);
        turn_error = fmax(turn_error, fmax(fabs(s - sin((x - 0.5) * 16)), fabs(c - cos((x - 0.5) * 16))));
    }
    assert_true(sdw_rng_log(1) == 0);
    assert_true(fabs(sdw_rng_log(0x1p-53) + 53 * log(2)) < 1e-14);
    assert_true(fabs(sdw_rng_log(1 - 0x1p-53) + 0x1p-53) < 1e-31);
    assert_true(log_error < 1e-15);
    assert_true(turn_error < 1e-15);
}

/* torch.randn: kind, seed, then the lengths of one or two draws in a row, and the values. */
typedef struct torch_row {
    sdw_rng_kind kind;
    uint64_t seed;
    int draw[2];
    float want[32];
} torch_row;

static const torch_row torch_rows[] = {
    { SDW_RNG_TORCH_CPU, 42, { 5 }, { 0.336690366f, 0.128809407f, 0.234462366f, 0.23033303f, -1.12285638f } },
    { SDW_RNG_TORCH_CPU, 0, { 16 },
      { -1.12583983f, -1.1523602f, -0.250578582f, -0.433878809f, 0.848710358f, 0.692009151f, -0.31601277f, -2.11521935f,
        0.322274923f, -1.26333475f, 0.349983186f, 0.30813393f, 0.119841509f, 1.2376579f, 1.11677718f, -0.247278154f } },
    { SDW_RNG_TORCH_CPU, 1234567890123, { 17 },
      { -0.568541527f, -0.900267363f, -0.884423196f, 0.237164453f, 2.34467816f, 0.821328104f, 0.318775892f, 1.1996249f,
        0.955523431f, -1.14591253f, -0.158893481f, -0.30613029f, -0.316086978f, 0.0572914407f, -0.034776099f,
        0.1027923f, 0.499670327f } },
    { SDW_RNG_TORCH_CPU, 3, { 16, 16 },
      { -0.076644294f, 0.35988152f, -0.782016814f, 0.0715277344f, 0.664839387f, -0.286780298f, 1.62055075f, -1.59670806f,
        -0.0516809635f, -0.305975705f, 0.248501748f, -0.222560838f, 0.91315192f, 0.204341114f, 0.573984683f,
        0.416331291f, 0.261501163f, 0.931124449f, -0.514461994f, -1.65166545f, 1.04602277f, 0.522186995f, -0.166809157f,
        0.0530334003f, 0.563763022f, 2.25655723f, 1.86926007f, -1.1952343f, 0.997922421f, 0.459180444f, 2.43639708f,
        -0.146808177f } },
    { SDW_RNG_TORCH_CPU, 3, { 10, 20 },
      { 0.803276062f, 0.174833387f, 0.0889780968f, -0.613718033f, 0.0461824499f, -1.36825919f, 0.337495089f, 1.01111591f,
        -1.43517935f, 0.977431774f, 1.04602277f, 0.522186995f, -0.166809157f, 0.0530334003f, -1.19631958f, 1.02799654f,
        0.0718910918f, -0.184476197f, -1.51588452f, 0.91251725f, 0.253887087f, -0.69236362f, 0.56159389f, -0.248146832f,
        -1.07996094f, 0.591621757f, 0.724239349f, -0.349177331f, -0.528988004f, -0.689474463f } },
    { SDW_RNG_TORCH_CUDA, 42, { 5 }, { 0.194018796f, 2.16137362f, -0.172050223f, 0.849060118f, -1.92439902f } },
    { SDW_RNG_TORCH_CUDA, 9223372036854775807, { 17 },
      { -0.844214857f, 1.74274611f, 1.16978168f, -0.892703235f, 0.96265161f, 0.683007956f, -0.0976334736f, -1.3625505f,
        1.66951108f, 0.00250315527f, 1.27803469f, -1.45821726f, 0.288919836f, -1.91400206f, 0.0799450278f,
        0.0741158426f, 0.142101899f } },
};

static void draws_are_those_of_torch(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof torch_rows / sizeof torch_rows[0]; i++) {
        const torch_row *row = &torch_rows[i];
        float got[32];
        sdw_rng r;
        sdw_rng_init(&r, row->kind, row->seed);
        sdw_rng_normal(&r, got, (size_t)row->draw[0]);
        sdw_rng_normal(&r, got + row->draw[0], (size_t)row->draw[1]);
        double limit = row->kind == SDW_RNG_TORCH_CPU ? CPU_TOLERANCE : PHILOX_TOLERANCE;
        assert_true(worst(got, row->want, (size_t)(row->draw[0] + row->draw[1])) <= limit);
    }
}

/* The second call of web UIs' Philox noise with seed 0, to the four digits that are published. */
static void a_second_cuda_draw_takes_the_next_call_number(void **state)
{
    (void)state;
    static const float want[4] = { 0.1808f, -0.5523f, 0.9238f, -0.7350f };
    float got[4];
    sdw_rng r;
    sdw_rng_init(&r, SDW_RNG_TORCH_CUDA, 0);
    sdw_rng_normal(&r, got, 4);
    sdw_rng_normal(&r, got, 4);
    assert_true(worst(got, want, 4) < 1e-4);
}

/* The kept half of a pair survives a long draw and comes out first afterwards. */
static void a_spare_normal_waits_for_the_next_short_draw(void **state)
{
    (void)state;
    float pair[2], first, long_draw[16], second, wanted_long[16], waste[2];
    sdw_rng r, plain;
    sdw_rng_init(&plain, SDW_RNG_TORCH_CPU, 7);
    r = plain;
    sdw_rng_normal(&plain, pair, 2);
    sdw_rng_normal(&plain, wanted_long, 16);
    sdw_rng_normal(&r, &first, 1);
    sdw_rng_normal(&r, long_draw, 16);
    sdw_rng_normal(&r, &second, 1);
    assert_true(first == pair[0] && second == pair[1]);
    assert_memory_equal(long_draw, wanted_long, sizeof long_draw);
    sdw_rng_normal(&r, waste, 0);
    assert_memory_equal(&r.mt, &plain.mt, sizeof r.mt);
}

static void the_cpu_stream_sees_32_bits_of_a_seed_and_the_cuda_stream_64(void **state)
{
    (void)state;
    for (int kind = 0; kind < SDW_RNG_COUNT; kind++) {
        float low[16], high[16];
        sdw_rng r;
        sdw_rng_init(&r, (sdw_rng_kind)kind, 5);
        sdw_rng_normal(&r, low, 16);
        sdw_rng_init(&r, (sdw_rng_kind)kind, 5 + (UINT64_C(1) << 32));
        sdw_rng_normal(&r, high, 16);
        assert_int_equal(memcmp(low, high, sizeof low) == 0, kind == SDW_RNG_TORCH_CPU);
    }
}

/* Compilers, levels of optimisation and instruction sets must not show in the noise. */
static void noise_is_the_same_bytes_on_every_machine(void **state)
{
    (void)state;
    static const char *const want[SDW_RNG_COUNT] = {
        "040558ca4dc8a2edac81d5215b690acab7297d561579f4bd65d9db4a91701bff",
        "396ca8904bd24b6c84af8909104522fad61b2a04a38834e974faa4be169a6464",
    };
    static const size_t draws[] = { 65536, 7, 5, 1003 };
    static float noise[65536 + 7 + 5 + 1003];
    for (int kind = 0; kind < SDW_RNG_COUNT; kind++) {
        char hex[SDW_SHA256_HEX_SIZE];
        float *to = noise;
        sdw_rng r;
        sdw_rng_init(&r, (sdw_rng_kind)kind, 42);
        for (size_t i = 0; i < sizeof draws / sizeof draws[0]; to += draws[i++]) sdw_rng_normal(&r, to, draws[i]);
        assert_int_equal(sdw_sha256_bytes(noise, sizeof noise, hex, NULL), SDW_OK);
        assert_string_equal(hex, want[kind]);
    }
}

static void kinds_have_names_and_unknown_names_are_refused(void **state)
{
    (void)state;
    sdw_error err = { 0 };
    sdw_rng_kind kind = SDW_RNG_COUNT;
    for (int k = 0; k < SDW_RNG_COUNT; k++) {
        assert_int_equal(sdw_rng_from_name(sdw_rng_name((sdw_rng_kind)k), &kind, &err), SDW_OK);
        assert_int_equal(kind, k);
        assert_true(strlen(sdw_rng_summary(kind)) > 10);
    }
    assert_int_equal(sdw_rng_from_name("gpu", &kind, &err), SDW_INVALID);
    assert_string_equal(err.field, "rng");
    assert_string_equal(err.text, "random generator \"gpu\": want torch-cpu or torch-cuda");
    assert_string_equal(sdw_rng_name(SDW_RNG_COUNT), "");
}

static void random_seeds_fit_32_bits_and_differ(void **state)
{
    (void)state;
    uint64_t seed[8], all_or = 0;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(sdw_rng_random_seed(&seed[i], NULL), SDW_OK);
        assert_true(seed[i] <= UINT32_MAX);
        all_or |= seed[i] ^ seed[0];
    }
    assert_true(all_or != 0); /* eight equal seeds: once in 2^224 */
}

static unsigned char *read_file(const char *path, size_t *ret_size)
{
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    unsigned char *data = malloc((size_t)size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, (size_t)size, f), size);
    fclose(f);
    *ret_size = (size_t)size;
    return data;
}

/* Names are KIND.SEED.SHAPE or cpu.SEED.two_draws.A or .A_then_B; only the first 4096 values were kept. */
static double compare_vector(const char *name, const float *want, size_t n)
{
    static float got[65536];
    sdw_rng r;
    char *rest;
    size_t a = 1, b = 0;
    sdw_rng_kind kind = strncmp(name, "cpu.", 4) == 0 ? SDW_RNG_TORCH_CPU : SDW_RNG_TORCH_CUDA;
    uint64_t seed = strtoull(strchr(name, '.') + 1, &rest, 10);
    if (strncmp(rest, ".two_draws.", 11) == 0) {
        a = b = strtoull(rest + 11, &rest, 10);
        if (strncmp(rest, "_then_", 6) == 0) b = strtoull(rest + 6, &rest, 10);
    } else {
        while (*rest == '.' || *rest == 'x') a *= strtoull(rest + 1, &rest, 10);
    }
    assert_true(*rest == '\0' && a + b >= n && a + b <= 65536);
    sdw_rng_init(&r, kind, seed);
    sdw_rng_normal(&r, got, a);
    sdw_rng_normal(&r, got + a, b);
    return worst(got, want, n);
}

static void every_reference_vector_is_met(void **state)
{
    (void)state;
    const char *dir = getenv("SDW_ORACLE_DIR");
    if (!dir) {
        print_message("SDW_ORACLE_DIR is not set: the full random vectors were skipped\n");
        skip();
    }
    char path[4096];
    size_t size = 0, count = 0, i, n;
    snprintf(path, sizeof path, "%s/rng.safetensors", dir);
    unsigned char *file = read_file(path, &size);
    assert_non_null(file);
    uint64_t header = 0;
    for (int k = 7; k >= 0; k--) header = header << 8 | file[k];
    yyjson_doc *doc = yyjson_read((char *)file + 8, header, 0);
    yyjson_val *key, *value;
    yyjson_obj_foreach(yyjson_doc_get_root(doc), i, n, key, value) {
        static float want[65536];
        const char *name = yyjson_get_str(key);
        if (strcmp(name, "__metadata__") == 0) continue;
        yyjson_val *span = yyjson_obj_get(value, "data_offsets");
        size_t from = yyjson_get_uint(yyjson_arr_get(span, 0)), to = yyjson_get_uint(yyjson_arr_get(span, 1));
        assert_true(to <= size - 8 - header && to - from <= sizeof want);
        memcpy(want, file + 8 + header + from, to - from);
        double limit = name[1] == 'p' ? CPU_TOLERANCE : PHILOX_TOLERANCE, d = compare_vector(name, want, (to - from) / 4);
        if (!(d <= limit)) fail_msg("%s: off by %g, at most %g allowed", name, d, limit);
        count++;
    }
    assert_true(count > 0);
    yyjson_doc_free(doc);
    free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mersenne_twister_gives_the_numbers_of_the_cxx_standard),
        cmocka_unit_test(philox_gives_the_numbers_of_its_authors),
        cmocka_unit_test(log_sine_and_cosine_agree_with_the_c_library),
        cmocka_unit_test(draws_are_those_of_torch),
        cmocka_unit_test(a_second_cuda_draw_takes_the_next_call_number),
        cmocka_unit_test(a_spare_normal_waits_for_the_next_short_draw),
        cmocka_unit_test(the_cpu_stream_sees_32_bits_of_a_seed_and_the_cuda_stream_64),
        cmocka_unit_test(noise_is_the_same_bytes_on_every_machine),
        cmocka_unit_test(kinds_have_names_and_unknown_names_are_refused),
        cmocka_unit_test(random_seeds_fit_32_bits_and_differ),
        cmocka_unit_test(every_reference_vector_is_met),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
