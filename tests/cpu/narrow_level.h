/* narrow_level.h - whether a precision has entries of its own on this machine. */
#ifndef SDW_TESTS_CPU_NARROW_LEVEL_H
#define SDW_TESTS_CPU_NARROW_LEVEL_H

#include <stdbool.h>
#include <string.h>

#include "cpu/cpuid.h"
#include "cpu/narrow.h"

/* isa NULL: with all there is. The scalar entries are always there. */
static inline bool narrow_available(const char *precision, const char *isa)
{
    const char *missing = NULL;
    sdw_cpu_narrow n;
    int flags = isa ? sdw_cpu_cap(sdw_cpu_detect(), isa) : (int)sdw_cpu_detect();
    if ((!isa || strcmp(isa, "scalar") != 0) && flags == 0) return false;
    return sdw_cpu_narrow_init(&n, (sdw_cpu_precision)sdw_cpu_precision_of(precision), (unsigned)flags, &missing);
}

#endif
