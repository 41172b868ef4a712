/* rng_math.h - log, sine and cosine with the same bits on every machine.
 *
 * The C library's versions change between releases and instruction sets, and one changed bit of noise is another
 * picture for the same seed. These use only +, -, *, / and integer steps of IEEE doubles, which are exactly defined;
 * the build forbids fused multiply-adds outside the kernels. Error below 1e-15 relative to the larger of 1 and the
 * result, far below the float that the result is rounded to. */
#ifndef SDW_CORE_RNG_MATH_H
#define SDW_CORE_RNG_MATH_H

/* Natural logarithm of a finite normal x > 0. */
double sdw_rng_log(double x);
/* Sine and cosine of x radians, |x| <= 8. */
void sdw_rng_sincos(double x, double *ret_sin, double *ret_cos);

#endif
