/* kernels_avx2.c - products and softmax with AVX2 and FMA. */
#include "cpu/kernels.h"

void sdw_cpu_kernels_avx2(sdw_cpu_kernels *k)
{
    (void)k;
}
