/* rng.c - normals from bits, in torch's order of consumption (ATen: normal_fill, normal_distribution, curand_normal4).
 *
 * Details that decide every later number of a stream:
 *  - torch-cpu, n >= 16: n uniforms of 24 bits first, then Box-Muller in blocks of 16 (angle 8 places behind radius);
 *    if n is no multiple of 16, the last 16 places are drawn anew, over values already there.
 *  - torch-cpu, n < 16: one normal at a time from uniforms of 53 bits; the second of a pair is kept for the next short
 *    draw, and a long draw in between neither uses nor drops it.
 *  - torch-cuda: each draw has its number in the counter, each element its own; a draw consumes one number whatever n. */
#include "core/rng.h"

#include <math.h>
#include <string.h>

#include "core/rng_math.h"
#include "core/uuid.h"

#define BLOCK 16
#define TWO_PI 6.28318530717958647692
#define INV_2_POW_24 5.9604644775390625e-8
#define INV_2_POW_53 1.1102230246251565404e-16

static const char *const names[SDW_RNG_COUNT] = {
#define NAME(constant, name, summary) name,
    SDW_RNG_LIST(NAME)
#undef NAME
};

static const char *const summaries[SDW_RNG_COUNT] = {
#define SUMMARY(constant, name, summary) summary,
    SDW_RNG_LIST(SUMMARY)
#undef SUMMARY
};

static bool is_kind(sdw_rng_kind kind)
{
    return (unsigned)kind < SDW_RNG_COUNT;
}

const char *sdw_rng_name(sdw_rng_kind kind)
{
    return is_kind(kind) ? names[kind] : "";
}

const char *sdw_rng_summary(sdw_rng_kind kind)
{
    return is_kind(kind) ? summaries[kind] : "";
}

sdw_status sdw_rng_from_name(const char *name, sdw_rng_kind *ret_kind, sdw_error *err)
{
    for (int k = 0; k < SDW_RNG_COUNT; k++) {
        if (strcmp(name, names[k]) != 0) continue;
        *ret_kind = (sdw_rng_kind)k;
        return SDW_OK;
    }
    return sdw_fail_field(err, SDW_INVALID, "rng", "random generator \"%.40s\": want torch-cpu or torch-cuda", name);
}

void sdw_rng_init(sdw_rng *r, sdw_rng_kind kind, uint64_t seed)
{
    *r = (sdw_rng){ .kind = kind, .seed = seed };
    sdw_mt19937_init(&r->mt, (uint32_t)seed);
}

/* Box and Muller, Ann. Math. Stat. 29 (1958): two uniforms become two normals. u in (0, 1], angle in radians. */
static void box_muller(double u, double angle, double *ret_cos, double *ret_sin)
{
    double radius = sqrt(-2 * sdw_rng_log(u)), s, c;
    sdw_rng_sincos(angle, &s, &c);
    *ret_cos = radius * c;
    *ret_sin = radius * s;
}

/* 16 places filled with uniforms in [0, 1) become 16 normals; 1 - u keeps zero out of the logarithm. */
static void normal_block(float *p)
{
    for (int j = 0; j < BLOCK / 2; j++) {
        double c, s;
        box_muller(1 - (double)p[j], TWO_PI * (double)p[j + BLOCK / 2], &c, &s);
        p[j] = (float)c;
        p[j + BLOCK / 2] = (float)s;
    }
}

static void uniforms(sdw_mt19937 *m, float *dst, size_t n)
{
    for (size_t i = 0; i < n; i++) dst[i] = (float)((sdw_mt19937_next(m) & 0xffffffu) * INV_2_POW_24);
}

static void cpu_long(sdw_rng *r, float *dst, size_t n)
{
    uniforms(&r->mt, dst, n);
    for (size_t i = 0; i + BLOCK <= n; i += BLOCK) normal_block(dst + i);
    if (n % BLOCK == 0) return;
    uniforms(&r->mt, dst + n - BLOCK, BLOCK);
    normal_block(dst + n - BLOCK);
}

static double uniform_53(sdw_mt19937 *m)
{
    uint64_t high = sdw_mt19937_next(m);
    uint64_t low = sdw_mt19937_next(m);
    return (double)((high << 32 | low) & 0x1fffffffffffffu) * INV_2_POW_53;
}

static void cpu_short(sdw_rng *r, float *dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double value = r->spare;
        if (!r->has_spare) {
            double turn = uniform_53(&r->mt);
            double u = uniform_53(&r->mt);
            box_muller(1 - u, TWO_PI * turn, &value, &r->spare);
        }
        r->has_spare = !r->has_spare;
        dst[i] = (float)value;
    }
}

/* curand's Box-Muller in its float32 steps, so that u and the angle are its own bits; only log and sine are ours. */
static float cuda_normal(uint32_t x0, uint32_t x1)
{
    const float inv_2_pow_32 = 2.3283064e-10f, inv_2_pow_32_2pi = 2.3283064e-10f * 6.2831855f;
    float u = (float)x0 * inv_2_pow_32 + inv_2_pow_32 / 2;
    float angle = (float)x1 * inv_2_pow_32_2pi + inv_2_pow_32_2pi / 2;
    double c, s;
    box_muller((double)u, (double)angle, &c, &s);
    return (float)s;
}

static void cuda(sdw_rng *r, float *dst, size_t n)
{
    const uint32_t key[2] = { (uint32_t)r->seed, (uint32_t)(r->seed >> 32) };
    for (size_t i = 0; i < n; i++) {
        const uint32_t counter[4] = { r->call, 0, (uint32_t)i, (uint32_t)((uint64_t)i >> 32) };
        uint32_t x[4];
        sdw_philox4x32_10(counter, key, x);
        dst[i] = cuda_normal(x[0], x[1]);
    }
    r->call++;
}

void sdw_rng_normal(sdw_rng *r, float *dst, size_t n)
{
    if (n == 0) return;
    if (r->kind == SDW_RNG_TORCH_CUDA) cuda(r, dst, n);
    else if (n >= BLOCK) cpu_long(r, dst, n);
    else cpu_short(r, dst, n);
}

sdw_status sdw_rng_random_seed(uint64_t *ret_seed, sdw_error *err)
{
    uint32_t seed;
    sdw_status status = sdw_random_bytes(&seed, sizeof seed, err);
    if (status == SDW_OK) *ret_seed = seed;
    return status;
}
