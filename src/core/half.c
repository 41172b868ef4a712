/* half.c - narrow floats, bit by bit. The specification of every faster conversion. */
#include "core/half.h"

#include <math.h>
#include <string.h>

static uint32_t bits_of(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static float float_of(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* Widens sign | exponent (e bits) | mantissa (m bits) with IEEE rules, subnormals included. */
static float widen(uint32_t h, int e, int m)
{
    uint32_t sign = (h >> (e + m)) << 31;
    uint32_t exponent = (h >> m) & ((1u << e) - 1), mantissa = h & ((1u << m) - 1);
    int bias = (1 << (e - 1)) - 1;
    if (exponent == (1u << e) - 1) return float_of(sign | 0x7f800000u | mantissa << (23 - m));
    if (exponent == 0) {
        float f = ldexpf((float)mantissa, 1 - bias - m);
        return sign ? -f : f;
    }
    return float_of(sign | (exponent + (uint32_t)(127 - bias)) << 23 | mantissa << (23 - m));
}

/* Narrows a finite |f| to an integer code of exponent and mantissa, rounding half to even; may carry into the next
 * exponent, which is the right answer (up to infinity's code). */
static uint32_t narrow_magnitude(uint32_t u, int e, int m)
{
    int bias = (1 << (e - 1)) - 1;
    int exponent = (int)(u >> 23) - 127 + bias;
    uint32_t mantissa = (u & 0x7fffffu) | (u >> 23 ? 0x800000u : 0);
    int shift = 23 - m;
    if (exponent <= 0) shift += 1 - exponent; /* subnormal in the narrow type */
    if (shift > 31) return 0;
    uint32_t kept = mantissa >> shift, rest = mantissa & ((1u << shift) - 1), half = 1u << (shift - 1);
    if (rest > half || (rest == half && (kept & 1))) kept++;
    return exponent > 0 ? ((uint32_t)(exponent - 1) << m) + kept : kept;
}

float sdw_f16_to_f32(uint16_t h)
{
    return widen(h, 5, 10);
}

uint16_t sdw_f32_to_f16(float f)
{
    uint32_t u = bits_of(f), sign = u >> 16 & 0x8000u, magnitude = u & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return (uint16_t)(sign | 0x7e00u);
    uint32_t code = magnitude >= 0x47800000u ? 0x7c00u : narrow_magnitude(magnitude, 5, 10); /* 65536 and up */
    return (uint16_t)(sign | code);
}

float sdw_bf16_to_f32(uint16_t h)
{
    return float_of((uint32_t)h << 16);
}

uint16_t sdw_f32_to_bf16(float f)
{
    uint32_t u = bits_of(f);
    if ((u & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(u >> 16 | 0x40u);
    return (uint16_t)((u + 0x7fffu + (u >> 16 & 1)) >> 16);
}

float sdw_f8e4m3_to_f32(uint8_t h)
{
    if ((h & 0x7f) == 0x7f) return float_of((uint32_t)(h & 0x80) << 24 | 0x7fc00000u);
    if ((h >> 3 & 15) == 15) { /* e4m3fn uses the top exponent for numbers */
        float f = ldexpf((float)(8 + (h & 7)), 8 - 3);
        return h & 0x80 ? -f : f;
    }
    return widen(h, 4, 3);
}

uint8_t sdw_f32_to_f8e4m3(float f)
{
    uint32_t u = bits_of(f), sign = u >> 24 & 0x80u, magnitude = u & 0x7fffffffu;
    uint32_t code = magnitude >= 0x43f00000u ? 0x7fu : narrow_magnitude(magnitude, 4, 3); /* 480: half-way past 448 */
    return (uint8_t)(sign | (code > 0x7fu ? 0x7fu : code));
}

float sdw_f8e5m2_to_f32(uint8_t h)
{
    return widen(h, 5, 2);
}

uint8_t sdw_f32_to_f8e5m2(float f)
{
    uint32_t u = bits_of(f), sign = u >> 24 & 0x80u, magnitude = u & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return (uint8_t)(sign | 0x7fu);
    uint32_t code = magnitude >= 0x47800000u ? 0x7cu : narrow_magnitude(magnitude, 5, 2);
    return (uint8_t)(sign | code);
}
