/* cpuid.h - which instruction sets this processor and this operating system offer. */
#ifndef SDW_CPU_CPUID_H
#define SDW_CPU_CPUID_H

/* Bits of a capability set. AVX2 stands for AVX2 + FMA + F16C, AVX512 for F + BW + VL + DQ with the system saving the
 * wide registers: the pairs that real machines have. Each wider one includes the one before. */
enum {
    SDW_CPU_AVX2 = 1 << 0,
    SDW_CPU_AVX512 = 1 << 1,
};

/* What the machine has; 0 elsewhere than on x86-64. Any thread. */
unsigned sdw_cpu_detect(void);
/* Flags left when capped at `name` ("scalar", "avx2", "avx512"); -1 if it is none of them. */
int sdw_cpu_cap(unsigned flags, const char *name);
/* "scalar", "AVX2" or "AVX-512": the widest of the set. */
const char *sdw_cpu_isa_name(unsigned flags);

#endif
