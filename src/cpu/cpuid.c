/* cpuid.c - CPUID and XGETBV, asked directly: compilers differ in which names their own detection knows. */
#include "cpu/cpuid.h"

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

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

unsigned sdw_cpu_detect(void)
{
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
    int fma = has(c, 12), f16c = has(c, 29), avx = has(c, 28), osxsave = has(c, 27);
    if (!osxsave || !avx || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    uint64_t saved = saved_registers();
    unsigned flags = 0;
    if ((saved & 0x6) == 0x6 && fma && f16c && has(b, 5)) flags |= SDW_CPU_AVX2;
    int avx512 = has(b, 16) && has(b, 17) && has(b, 30) && has(b, 31); /* F, DQ, BW, VL */
    if (flags && (saved & 0xe6) == 0xe6 && avx512) flags |= SDW_CPU_AVX512;
    return flags;
}
#else
unsigned sdw_cpu_detect(void)
{
    return 0;
}
#endif

static const struct { const char *name, *title; unsigned flags; } levels[] = {
    { "scalar", "scalar", 0 },
    { "avx2", "AVX2", SDW_CPU_AVX2 },
    { "avx512", "AVX-512", SDW_CPU_AVX2 | SDW_CPU_AVX512 },
};
enum { LEVELS = sizeof levels / sizeof *levels };

int sdw_cpu_cap(unsigned flags, const char *name)
{
    for (int i = 0; i < LEVELS; i++)
        if (strcmp(name, levels[i].name) == 0) return (int)(flags & levels[i].flags);
    return -1;
}

const char *sdw_cpu_isa_name(unsigned flags)
{
    int best = 0;
    for (int i = 1; i < LEVELS; i++)
        if ((flags & levels[i].flags) == levels[i].flags) best = i;
    return levels[best].title;
}
