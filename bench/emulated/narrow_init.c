/* narrow_init.c - stands before sdw_cpu_narrow_init in programs linked with --wrap=sdw_cpu_narrow_init: on a machine with AVX-512 that
 * lacks AVX512-FP16, f16 is emulated. Everything else is as ever. */
#include "emulated.h"

#include "cpu/cpuid.h"

bool __real_sdw_cpu_narrow_init(sdw_cpu_narrow *n, sdw_cpu_precision p, unsigned flags, const char **ret_missing);
bool __wrap_sdw_cpu_narrow_init(sdw_cpu_narrow *n, sdw_cpu_precision p, unsigned flags, const char **ret_missing);

bool __wrap_sdw_cpu_narrow_init(sdw_cpu_narrow *n, sdw_cpu_precision p, unsigned flags, const char **ret_missing)
{
    if (p != SDW_PRECISION_F16 || !(flags & SDW_CPU_AVX512) || flags & SDW_CPU_FP16) return __real_sdw_cpu_narrow_init(n, p, flags, ret_missing);
    emulated_fp16(n);
    return true;
}
