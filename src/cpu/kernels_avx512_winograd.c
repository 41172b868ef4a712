/* kernels_avx512_winograd.c - Winograd's transforms with AVX-512, 16 channels at a time: see winograd_lanes.h. */
#include "cpu/kernels.h"

#if defined(__AVX512F__)

#include "cpu/avx512_lanes.h"
#include "cpu/winograd_lanes.h"

void sdw_cpu_kernels_avx512_winograd(sdw_cpu_kernels *k)
{
    enter(k);
}

#else

void sdw_cpu_kernels_avx512_winograd(sdw_cpu_kernels *k)
{
    (void)k;
}

#endif
