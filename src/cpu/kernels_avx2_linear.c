/* kernels_avx2_linear.c - products of linear layers with AVX2 and FMA, up to 6 rows times 2 vectors of 8: see linear_lanes.h. */
#include "cpu/kernels.h"

#if defined(__AVX2__) && defined(__FMA__)

#include "cpu/avx2_lanes.h"

#define SDW_LINEAR_EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6)
#include "cpu/linear_lanes.h"

void sdw_cpu_kernels_avx2_linear(sdw_cpu_kernels *k)
{
    enter(k);
}

#else

void sdw_cpu_kernels_avx2_linear(sdw_cpu_kernels *k)
{
    (void)k;
}

#endif
