/* narrow_isa.h - the fast entries of the narrow arithmetics, one function per instruction set: each replaces what it has in a
 * table that begins as the scalar one. Only on x86-64; narrow.c says which flags lead to which. */
#ifndef SDW_CPU_NARROW_ISA_H
#define SDW_CPU_NARROW_ISA_H

#include "cpu/narrow.h"

void sdw_cpu_narrow_vnni(sdw_cpu_narrow *n);
void sdw_cpu_narrow_avx512_bf16(sdw_cpu_narrow *n);
void sdw_cpu_narrow_avx512_fp16(sdw_cpu_narrow *n);
void sdw_cpu_narrow_amx_int8(sdw_cpu_narrow *n);
void sdw_cpu_narrow_amx_bf16(sdw_cpu_narrow *n);
/* All of attention but its products, for tables with 32 columns; called by those above. */
void sdw_cpu_narrow_avx512_attention(sdw_cpu_narrow *n);

/* Conversions that several of them share. */
sdw_cpu_narrow_row_fn sdw_cpu_row_int8_avx512, sdw_cpu_row_bf16_avx512;
sdw_cpu_narrow_weights_fn sdw_cpu_weights_int8_avx512, sdw_cpu_weights_bf16_avx512;

#endif
