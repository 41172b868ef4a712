/* entries.c - every entry of the kernel table, timed alone with its data in the cache: nanoseconds per call for each
 * instruction set of this machine. The checker (tests/check) says whether an entry is right, this whether it is worth having.
 * Usage: bench_entries [PART OF A NAME] */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cpu/cpuid.h"
#include "cpu/kernels.h"

enum { FLOATS = 1 << 16, RUNS = 9, LEVELS = 3 };

static float in[FLOATS], in2[FLOATS], out[FLOATS];
static uint16_t narrow[FLOATS];
static double moments[2][512];

static const sdw_cpu_runs nine_taps = { .stride = SDW_CPU_SEGMENT, .count = 9, .offset = { 0, 32, 64, 640, 672, 704, 1280, 1312, 1344 },
                                        .length = { 32, 32, 32, 32, 32, 32, 32, 32, 32 } };

/* One call each, on 32 columns or channels where a kernel takes any number. */
static void tile(const sdw_cpu_kernels *k) { k->tile[k->mr](in, in2, out, &nine_taps, false); }
static void tile_half(const sdw_cpu_kernels *k) { k->tile_half[k->mr](in, in2, out, &nine_taps, true); }
static void linear_with(sdw_cpu_linear_fn *fn)
{
    sdw_cpu_ahead nothing = { .every = 1 };
    fn(&(sdw_cpu_linear){ .a = in, .stride = 320, .b = in2, .c = out, .steps = 288, .ahead = &nothing });
}
static void linear_f32(const sdw_cpu_kernels *k) { linear_with(k->linear_f32[k->mr]); }
static void linear_f16(const sdw_cpu_kernels *k) { linear_with(k->linear_f16[k->mr]); }
static void linear_bf16(const sdw_cpu_kernels *k) { linear_with(k->linear_bf16[k->mr]); }
static void outer(const sdw_cpu_kernels *k) { k->outer[k->mr](in, 40, in2, 224, out, in); }
static void softmax(const sdw_cpu_kernels *k)
{
    float top[SDW_CPU_COLUMNS_MAX] = { 0 }, sum[SDW_CPU_COLUMNS_MAX] = { 0 }, alpha[SDW_CPU_COLUMNS_MAX];
    memset(out, 0, sizeof *out * 224 * (size_t)k->nr);
    k->softmax(out, 224, top, sum, alpha);
}
static void transpose(const sdw_cpu_kernels *k) { k->transpose(out, 32, in, 320, 32, 40, 0.5f); }
static void gather_with(const sdw_cpu_kernels *k, bool affine, sdw_act act)
{
    sdw_cpu_gather g = { .src = in, .stride = 320, .rows = 64, .length = SDW_CPU_SEGMENT, .act = act };
    if (affine) g.scale = in2, g.shift = in2 + 32;
    k->gather(out, &g);
}
static void gather(const sdw_cpu_kernels *k) { gather_with(k, false, SDW_ACT_NONE); }
static void gather_silu(const sdw_cpu_kernels *k) { gather_with(k, true, SDW_ACT_SILU); }
static void finish_with(const sdw_cpu_kernels *k, bool glu)
{
    sdw_cpu_finish f = { .c = in, .width = k->nr, .rows = k->mr, .columns = glu ? k->nr / 2 : k->nr, .out = out, .out_stride = 320,
                         .bias = in2, .lane = in2, .residual = glu ? NULL : in2, .residual_stride = 320, .act = glu ? SDW_ACT_GELU : SDW_ACT_NONE };
    if (glu) k->finish_glu(&f);
    else k->finish(&f);
}
static void finish(const sdw_cpu_kernels *k) { finish_with(k, false); }
static void finish_glu(const sdw_cpu_kernels *k) { finish_with(k, true); }
static void winograd_input(const sdw_cpu_kernels *k) { k->winograd_input(out, 144, in, 18 * SDW_CPU_SEGMENT, 4); }
static void winograd_weight(const sdw_cpu_kernels *k) { k->winograd_weight(out, 528, in, 512, 512); }
static void winograd_weight_f16(const sdw_cpu_kernels *k) { k->winograd_weight_f16(out, 528, narrow, 512, 512); }
static void winograd_output(const sdw_cpu_kernels *k) { k->winograd_output(out, 16 * k->nr, in, 4 * k->nr + 16, 4, k->nr); }
static void widen_f16(const sdw_cpu_kernels *k) { k->widen_f16(out, narrow, 4096); }
static void widen_bf16(const sdw_cpu_kernels *k) { k->widen_bf16(out, narrow, 4096); }
static void panel_with(sdw_cpu_panel_fn *fn, int width)
{
    int32_t row[256];
    for (int i = 0; i < 256; i++) row[i] = i;
    fn(out, width, row, in, 320, width, 256);
}
static void panel16(const sdw_cpu_kernels *k) { panel_with(k->panel16, k->nr); }
static void panel32(const sdw_cpu_kernels *k) { panel_with(k->panel32, k->nr); }
static void moments_320(const sdw_cpu_kernels *k) { k->moments(in, 320, 64, 320, moments[0], moments[1]); }
static void norm_row(const sdw_cpu_kernels *k) { k->norm_row(out, in, 1280, in2, in2 + 1280, 1e-5f); }
static void act_silu(const sdw_cpu_kernels *k) { k->act(out, in, 4096, SDW_ACT_SILU); }
static void act_gelu(const sdw_cpu_kernels *k) { k->act(out, in, 4096, SDW_ACT_GELU); }
static void add(const sdw_cpu_kernels *k) { k->add(out, in, in2, 4096); }

typedef void entry_fn(const sdw_cpu_kernels *k);
#define ENTRIES(X)                                                                                                                     \
    X(tile) X(tile_half) X(linear_f32) X(linear_f16) X(linear_bf16) X(outer) X(softmax) X(transpose) X(gather) X(gather_silu) X(finish) \
    X(finish_glu) X(winograd_input) X(winograd_weight) X(winograd_weight_f16) X(winograd_output) X(widen_f16) X(widen_bf16) X(panel16)  \
    X(panel32) X(moments_320) X(norm_row) X(act_silu) X(act_gelu) X(add)
static const struct { const char *name; entry_fn *call; } entries[] = {
#define ROW(name) { #name, name },
    ENTRIES(ROW)
#undef ROW
};

static double used(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The best of some windows of a millisecond: what disturbs only makes them longer. */
static double nanoseconds(entry_fn *call, const sdw_cpu_kernels *k)
{
    int repeats = 1;
    double start = used(), best = 1;
    call(k);
    double first = used() - start;
    if (first < 1e-3) repeats = (int)(1e-3 / (first + 1e-7)) + 1;
    for (int run = 0; run < RUNS; run++) {
        start = used();
        for (int i = 0; i < repeats; i++) call(k);
        double each = (used() - start) / repeats;
        if (each < best) best = each;
    }
    return best * 1e9;
}

int main(int argc, char **argv)
{
    static const char *const levels[LEVELS] = { "scalar", "avx2", "avx512" };
    sdw_cpu_kernels k[LEVELS];
    unsigned have = sdw_cpu_detect();
    for (int i = 0; i < FLOATS; i++) {
        in[i] = (float)(i % 251) / 125 - 1;
        in2[i] = (float)(i % 127) / 63 - 1;
        narrow[i] = (uint16_t)(0x3000 + i % 1024);
    }
    printf("%-22s %12s %12s %12s  ns a call; tiles are %s\n", "", levels[0], levels[1], levels[2], "4x8, 6x16 and 14x32");
    for (int l = 0; l < LEVELS; l++) sdw_cpu_kernels_init(&k[l], (unsigned)sdw_cpu_cap(have, levels[l]));
    for (size_t e = 0; e < sizeof entries / sizeof *entries; e++) {
        if (argc > 1 && !strstr(entries[e].name, argv[1])) continue;
        printf("%-22s", entries[e].name);
        for (int l = 0; l < LEVELS; l++) {
            int want = sdw_cpu_cap(SDW_CPU_AVX2 | SDW_CPU_AVX512, levels[l]);
            if (((unsigned)want & have) == (unsigned)want) printf(" %12.0f", nanoseconds(entries[e].call, &k[l]));
            else printf(" %12s", "-");
        }
        putchar('\n');
    }
    return 0;
}
