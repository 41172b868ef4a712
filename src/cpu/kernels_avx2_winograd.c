/* kernels_avx2_winograd.c - Winograd's transforms with AVX2, 8 channels at a time: see winograd_lanes.h. */
#include "cpu/kernels.h"

#if defined(__AVX2__) && defined(__FMA__)

#include "cpu/avx2_lanes.h"
#include "cpu/winograd_lanes.h"

void sdw_cpu_kernels_avx2_winograd(sdw_cpu_kernels *k)
{
    enter(k);
}

#else

void sdw_cpu_kernels_avx2_winograd(sdw_cpu_kernels *k)
{
    (void)k;
}

#endif
