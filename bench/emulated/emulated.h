/* emulated.h - AVX512-FP16 for machines that have AVX-512 without it: the sums of the instructions to the bit, so that what f16 does to
 * pictures can be measured without the processor that it is for (a picture takes 5 times as long as in f32). Never part of the product. */
#ifndef SDW_BENCH_EMULATED_EMULATED_H
#define SDW_BENCH_EMULATED_EMULATED_H

#include "cpu/narrow.h"

/* Fills n as for SDW_PRECISION_F16 on a processor with AVX512-FP16; n->unit says that it is emulated. Needs SDW_CPU_AVX512. */
void emulated_fp16(sdw_cpu_narrow *n);

#endif
