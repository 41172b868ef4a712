/* cpuid.h - which instruction sets this processor and this operating system offer. */
#ifndef SDW_CPU_CPUID_H
#define SDW_CPU_CPUID_H

/* Bits of a capability set. AVX2 stands for AVX2 + FMA + F16C, AVX512 for F + BW + VL + DQ with the system saving the
 * wide registers: the pairs that real machines have. Each wider one includes the one before. */
enum {
    SDW_CPU_AVX2 = 1 << 0,
    SDW_CPU_AVX512 = 1 << 1,
    /* Narrow products beyond AVX-512, each alone. */
    SDW_CPU_VNNI = 1 << 2,      /* AVX512-VNNI: bytes */
    SDW_CPU_BF16 = 1 << 3,      /* AVX512-BF16 */
    SDW_CPU_BF16_FAST = 1 << 4, /* ... at twice the rate of f32, as AMD's do; Intel's run it at half the rate */
    SDW_CPU_FP16 = 1 << 5,      /* AVX512-FP16 */
    SDW_CPU_AMX_INT8 = 1 << 6,
    SDW_CPU_AMX_BF16 = 1 << 7,
    /* With AVX2 or AVX-512: turning 16-bit numbers into f32 takes no time from multiply-adds, as on AMD's; Intel's do both in the
     * same units. */
    SDW_CPU_WIDENS_FREE = 1 << 8,
};

/* What the machine has and the system lets the process use (on Linux the first call asks for the AMX tiles); 0 elsewhere than on
 * x86-64. Any thread. */
unsigned sdw_cpu_detect(void);
/* Flags left when capped at `name` ("scalar", "avx2", "avx512", which keeps the narrow products of AVX-512 but no AMX);
 * -1 if it is none of them. */
int sdw_cpu_cap(unsigned flags, const char *name);
/* "scalar", "AVX2" or "AVX-512": the widest of the set. */
const char *sdw_cpu_isa_name(unsigned flags);

#endif
