/* cpuid.c - CPUID and XGETBV, asked directly: compilers differ in which names their own detection knows. */
#include "cpu/cpuid.h"

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

enum {
    TILES_SAVED = 3 << 17,            /* of saved_registers: tile configuration and data */
    ARCH_REQUEST_PERMISSION = 0x1023, /* ARCH_REQ_XCOMP_PERM of arch_prctl(2) */
    TILE_DATA = 18,
};

/* Register sets that the operating system saves: bit 1 xmm, 2 ymm, 5 to 7 mask and zmm. */
static uint64_t saved_registers(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static int has(uint32_t word, int bit)
{
    return (int)(word >> bit & 1);
}

/* Linux gives the tiles' large state to a process that asks; asking again is harmless. */
static int tiles_allowed(void)
{
#if defined(__linux__) && defined(SYS_arch_prctl)
    return syscall(SYS_arch_prctl, ARCH_REQUEST_PERMISSION, TILE_DATA) == 0;
#else
    return 0;
#endif
}

static int made_by_amd(void)
{
    uint32_t a, b = 0, c = 0, d = 0;
    return __get_cpuid(0, &a, &b, &c, &d) && b == 0x68747541 && d == 0x69746e65 && c == 0x444d4163; /* AuthenticAMD */
}

/* Flags of the narrow products, when AVX-512 is there. */
static unsigned detect_narrow(uint64_t saved)
{
    uint32_t a, b, c, d, a1 = 0, b1, c1, d1;
    unsigned flags = 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    if (a < 1 || !__get_cpuid_count(7, 1, &a1, &b1, &c1, &d1)) a1 = 0;
    if (has(c, 11)) flags |= SDW_CPU_VNNI;
    if (has(a1, 5)) flags |= SDW_CPU_BF16 | (made_by_amd() ? SDW_CPU_BF16_FAST : 0);
    if (has(d, 23)) flags |= SDW_CPU_FP16;
    if (has(d, 24) && (saved & TILES_SAVED) == TILES_SAVED && tiles_allowed())
        flags |= (has(d, 25) ? SDW_CPU_AMX_INT8 : 0) | (has(d, 22) ? SDW_CPU_AMX_BF16 : 0);
    return flags;
}

unsigned sdw_cpu_detect(void)
{
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
    int fma = has(c, 12), f16c = has(c, 29), avx = has(c, 28), osxsave = has(c, 27);
    if (!osxsave || !avx || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    uint64_t saved = saved_registers();
    unsigned flags = 0;
    if ((saved & 0x6) == 0x6 && fma && f16c && has(b, 5)) flags |= SDW_CPU_AVX2 | (made_by_amd() ? SDW_CPU_WIDENS_FREE : 0);
    int avx512 = has(b, 16) && has(b, 17) && has(b, 30) && has(b, 31); /* F, DQ, BW, VL */
    if (flags && (saved & 0xe6) == 0xe6 && avx512) flags |= SDW_CPU_AVX512 | detect_narrow(saved);
    return flags;
}
#else
unsigned sdw_cpu_detect(void)
{
    return 0;
}
#endif

/* flags: what makes the level; kept: what a cap at it lets through. */
static const struct { const char *name, *title; unsigned flags, kept; } levels[] = {
    { "scalar", "scalar", 0, 0 },
    { "avx2", "AVX2", SDW_CPU_AVX2, SDW_CPU_AVX2 | SDW_CPU_WIDENS_FREE },
    { "avx512", "AVX-512", SDW_CPU_AVX2 | SDW_CPU_AVX512, ~(unsigned)(SDW_CPU_AMX_INT8 | SDW_CPU_AMX_BF16) },
};
enum { LEVELS = sizeof levels / sizeof *levels };

int sdw_cpu_cap(unsigned flags, const char *name)
{
    for (int i = 0; i < LEVELS; i++)
        if (strcmp(name, levels[i].name) == 0) return (int)(flags & levels[i].kept);
    return -1;
}

const char *sdw_cpu_isa_name(unsigned flags)
{
    int best = 0;
    for (int i = 1; i < LEVELS; i++)
        if ((flags & levels[i].flags) == levels[i].flags) best = i;
    return levels[best].title;
}
