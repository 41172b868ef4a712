/* half.h - conversions between f32 and the narrow floats: f16, bf16, f8 e4m3 (fn: no infinity), f8 e5m2.
 * Scalar, exact, round to nearest even. The fast versions stand in the CPU kernels and are checked against these. */
#ifndef SDW_CORE_HALF_H
#define SDW_CORE_HALF_H

#include <stdint.h>

float sdw_f16_to_f32(uint16_t h);
uint16_t sdw_f32_to_f16(float f);
float sdw_bf16_to_f32(uint16_t h);
uint16_t sdw_f32_to_bf16(float f);
float sdw_f8e4m3_to_f32(uint8_t h);
uint8_t sdw_f32_to_f8e4m3(float f); /* values over 448 become NaN, as torch does */
float sdw_f8e5m2_to_f32(uint8_t h);
uint8_t sdw_f32_to_f8e5m2(float f);

#endif
