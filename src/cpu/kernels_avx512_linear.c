/* kernels_avx512_linear.c - products of linear layers with AVX-512, up to 14 rows times 2 vectors of 16: see linear_lanes.h. */
#include "cpu/kernels.h"

#if defined(__AVX512F__)

#include "cpu/avx512_lanes.h"

#define SDW_LINEAR_EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#include "cpu/linear_lanes.h"

void sdw_cpu_kernels_avx512_linear(sdw_cpu_kernels *k)
{
    enter(k);
}

#else

void sdw_cpu_kernels_avx512_linear(sdw_cpu_kernels *k)
{
    (void)k;
}

#endif
