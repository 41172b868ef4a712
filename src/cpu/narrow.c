/* narrow.c - which arithmetic a machine offers, and how steps are cut into blocks. */
#include "cpu/narrow.h"

#include <string.h>

#include "cpu/cpuid.h"
#include "cpu/narrow_isa.h"

/* One way to compute a precision; the first whose flags are there is taken. */
typedef struct way {
    sdw_cpu_precision precision;
    unsigned flags;
    void (*enter)(sdw_cpu_narrow *n);
} way;

static const way ways[] = {
#if defined(__x86_64__)
    { SDW_PRECISION_INT8, SDW_CPU_AMX_INT8, sdw_cpu_narrow_amx_int8 },
    { SDW_PRECISION_BF16, SDW_CPU_AMX_BF16, sdw_cpu_narrow_amx_bf16 },
    { SDW_PRECISION_F16, SDW_CPU_FP16, sdw_cpu_narrow_avx512_fp16 },
    { SDW_PRECISION_INT8, SDW_CPU_VNNI, sdw_cpu_narrow_vnni },
    { SDW_PRECISION_BF16, SDW_CPU_BF16, sdw_cpu_narrow_avx512_bf16 },
#endif
    { SDW_PRECISION_F32, 0, NULL }, /* ends the list */
};
enum { WAYS = sizeof ways / sizeof *ways };

static const char *const names[SDW_PRECISIONS] = { "f32", "f16", "bf16", "int8" };

static const char *const missing[SDW_PRECISIONS] = {
    [SDW_PRECISION_F16] = "AVX512-FP16",
    [SDW_PRECISION_BF16] = "AVX512-BF16 or AMX-BF16",
    [SDW_PRECISION_INT8] = "AVX512-VNNI or AMX-INT8",
};

int sdw_cpu_precision_of(const char *name)
{
    for (int i = 0; i < SDW_PRECISIONS; i++)
        if (strcmp(name, names[i]) == 0) return i;
    return -1;
}

const char *sdw_cpu_precision_name(sdw_cpu_precision p)
{
    return names[p];
}

sdw_cpu_precision sdw_cpu_precision_auto(unsigned flags)
{
    if (flags & SDW_CPU_AMX_BF16) return SDW_PRECISION_BF16;
    if (flags & SDW_CPU_FP16) return SDW_PRECISION_F16;
    return flags & SDW_CPU_BF16_FAST ? SDW_PRECISION_BF16 : SDW_PRECISION_F32;
}

bool sdw_cpu_narrow_init(sdw_cpu_narrow *n, sdw_cpu_precision p, unsigned flags, const char **ret_missing)
{
    sdw_cpu_narrow_scalar(n, p);
    for (int i = 0; i < WAYS; i++) {
        if (ways[i].precision != p || !ways[i].enter || (flags & ways[i].flags) != ways[i].flags) continue;
        n->outer = NULL; /* unless it brings its own: the scalar one has other columns */
        ways[i].enter(n);
        return true;
    }
    *ret_missing = missing[p];
    return flags == 0;
}

static int granule(const sdw_cpu_narrow *n)
{
    return SDW_CPU_NARROW_GRANULE / n->size;
}

int sdw_cpu_narrow_padded(const sdw_cpu_narrow *n, int steps)
{
    int g = granule(n);
    return (steps + g - 1) / g * g;
}

/* Nearly equal blocks of whole granules. */
static int most(const sdw_cpu_narrow *n, int steps)
{
    int blocks = (steps + SDW_CPU_NARROW_BLOCK - 1) / SDW_CPU_NARROW_BLOCK;
    return sdw_cpu_narrow_padded(n, (steps + blocks - 1) / blocks);
}

int sdw_cpu_narrow_blocks(const sdw_cpu_narrow *n, int steps)
{
    int each = most(n, steps);
    return (steps + each - 1) / each;
}

int sdw_cpu_narrow_block_steps(const sdw_cpu_narrow *n, int steps, int block)
{
    int each = most(n, steps), rest = steps - block * each;
    return rest < each ? rest : each;
}

size_t sdw_cpu_narrow_panel_bytes(const sdw_cpu_narrow *n, int steps, int taps)
{
    size_t bytes = sdw_cpu_narrow_head_bytes(n);
    for (int i = 0; i < sdw_cpu_narrow_blocks(n, steps); i++)
        bytes += (size_t)taps * sdw_cpu_narrow_run_bytes(n, sdw_cpu_narrow_padded(n, sdw_cpu_narrow_block_steps(n, steps, i)));
    return bytes;
}
