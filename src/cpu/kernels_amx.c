/* kernels_amx.c - int8 and bf16 on AMX: products of tiles, 1,024 multiply-adds of bf16 and 2,048 of bytes a cycle and core at
 * best. Written as assembly: the compilers' own macros do not say that they touch memory. */
#include "cpu/narrow_isa.h"

#if defined(__AMX_TILE__)

#include <string.h>

#define TILE_ZERO(t) __asm__ volatile("tilezero %%tmm" #t ::: "memory")
#define TILE_LOAD(t, from, stride) \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t ::"r"((const void *)(from)), "r"((ptrdiff_t)(stride)) : "memory")
#define TILE_STORE(t, to, stride) \
    __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)" ::"r"((void *)(to)), "r"((ptrdiff_t)(stride)) : "memory")
#define TILE_BYTES_US(sum, rows, panel) __asm__ volatile("tdpbusd %%tmm" #panel ", %%tmm" #rows ", %%tmm" #sum ::: "memory")
#define TILE_BYTES_SU(sum, rows, panel) __asm__ volatile("tdpbsud %%tmm" #panel ", %%tmm" #rows ", %%tmm" #sum ::: "memory")
#define TILE_BF16(sum, rows, panel) __asm__ volatile("tdpbf16ps %%tmm" #panel ", %%tmm" #rows ", %%tmm" #sum ::: "memory")

#include "cpu/amx_products.h"

/* The operand of ldtilecfg. */
typedef struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_config;

static void begin(void)
{
    _Alignas(64) tile_config c = { .palette = 1 };
    for (int i = 0; i < 8; i++) {
        c.row_bytes[i] = AMX_BYTES;
        c.rows[i] = AMX_SIDE;
    }
    __asm__ volatile("ldtilecfg %0" ::"m"(c) : "memory");
}

/* A thread that holds tiles makes every switch of threads dearer. */
static void end(void)
{
    __asm__ volatile("tilerelease" ::: "memory");
}

static double peak_of(long rounds, float *ret, bool bytes)
{
    begin();
    amx_zero(true);
    for (long i = 0; i < 4; i++) {
        TILE_ZERO(4);
        TILE_ZERO(5);
        TILE_ZERO(6);
        TILE_ZERO(7);
    }
    for (long i = 0; i < rounds; i++) {
        if (bytes) {
            TILE_BYTES_US(0, 4, 6);
            TILE_BYTES_US(1, 4, 7);
            TILE_BYTES_US(2, 5, 6);
            TILE_BYTES_US(3, 5, 7);
        } else {
            TILE_BF16(0, 4, 6);
            TILE_BF16(1, 4, 7);
            TILE_BF16(2, 5, 6);
            TILE_BF16(3, 5, 7);
        }
    }
    _Alignas(64) float sum[AMX_ROWS * AMX_COLUMNS];
    amx_store(sum, true);
    end();
    *ret += sum[0];
    return 2.0 * 4 * AMX_SIDE * AMX_SIDE * (bytes ? AMX_BYTES : AMX_BYTES / 2) * (double)rounds;
}

static double peak_int8(long rounds, float *ret)
{
    return peak_of(rounds, ret, true);
}

static double peak_bf16(long rounds, float *ret)
{
    return peak_of(rounds, ret, false);
}

static void enter(sdw_cpu_narrow *n)
{
    n->unit = "AMX";
    n->nr = AMX_COLUMNS;
    n->mr = AMX_ROWS;
    n->rows_read = AMX_SIDE;
    n->step_unit = AMX_BYTES / n->size;
    n->begin = begin;
    n->end = end;
    sdw_cpu_narrow_avx512_attention(n);
}

void sdw_cpu_narrow_amx_int8(sdw_cpu_narrow *n)
{
    enter(n);
    n->row = sdw_cpu_row_int8_avx512;
    n->weights = sdw_cpu_weights_int8_avx512;
    n->tile = amx_tile_int8;
    n->scores = amx_scores_int8;
    n->outer = amx_outer_int8;
    n->peak = peak_int8;
}

void sdw_cpu_narrow_amx_bf16(sdw_cpu_narrow *n)
{
    enter(n);
    n->row = sdw_cpu_row_bf16_avx512;
    n->weights = sdw_cpu_weights_bf16_avx512;
    n->tile = amx_tile_bf16;
    n->scores = amx_scores_bf16;
    n->outer = amx_outer_bf16;
    n->peak = peak_bf16;
    n->winograd_wins = false; /* sixteen times the rate of f32 beats a quarter of the products */
}

#else

void sdw_cpu_narrow_amx_int8(sdw_cpu_narrow *n)
{
    (void)n;
}

void sdw_cpu_narrow_amx_bf16(sdw_cpu_narrow *n)
{
    (void)n;
}

#endif
