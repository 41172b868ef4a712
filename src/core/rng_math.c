/* rng_math.c - series in plain double arithmetic. */
#include "core/rng_math.h"

#include <stdint.h>
#include <string.h>

#define LN2 0.693147180559945309417232
#define SQRT_2 1.41421356237309504880
#define TWO_OVER_PI 0.636619772367581343076
/* pi/2 in two parts; the first has 33 bits, so that its product with a small integer is exact. */
#define PI_2_HIGH 1.57079632673412561417e+00
#define PI_2_LOW 6.07710050650619224932e-11

/* x = 2^e m with sqrt(1/2) <= m < sqrt(2); log m = 2 artanh(s), s = (m-1)/(m+1), |s| < 0.172. */
double sdw_rng_log(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int e = (int)(bits >> 52) - 1023;
    bits = (bits & 0x000fffffffffffffu) | 0x3ff0000000000000u;
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m > SQRT_2) {
        m *= 0.5;
        e++;
    }
    double s = (m - 1) / (m + 1), z = s * s, sum = 0;
    for (int k = 21; k >= 1; k -= 2) sum = sum * z + 1.0 / k; /* z^11 / 23 < 1e-18 */
    return e * LN2 + 2 * s * sum;
}

/* Quarter turns are taken off first; the Taylor series run on |r| <= pi/4, where their next terms are below 1e-17. */
void sdw_rng_sincos(double x, double *ret_sin, double *ret_cos)
{
    int q = (int)(x * TWO_OVER_PI + (x < 0 ? -0.5 : 0.5));
    double r = (x - q * PI_2_HIGH) - q * PI_2_LOW, z = r * r, s = 1, c = 1;
    for (int k = 16; k >= 2; k -= 2) {
        s = 1 - s * z / (k * (k + 1)); /* r (1 - z/(2*3) (1 - z/(4*5) (...))) */
        c = 1 - c * z / (k * (k - 1)); /* 1 - z/(1*2) (1 - z/(3*4) (...)) */
    }
    s *= r;
    switch (q & 3) {
    case 0: *ret_sin = s, *ret_cos = c; break;
    case 1: *ret_sin = c, *ret_cos = -s; break;
    case 2: *ret_sin = -s, *ret_cos = -c; break;
    default: *ret_sin = -c, *ret_cos = s; break;
    }
}
