/* rng.h - noise whose numbers a user already knows: the streams of PyTorch's CPU and CUDA generators.
 *
 * A seed is a public promise. The draws follow torch.randn in float32: the uniforms behind them are equal bit for
 * bit, the normals to about 2e-6 (torch itself differs by that much between machines, because it takes log, sine and
 * cosine from vector libraries). Ours are computed in double without the C library and rounded once, so that a seed
 * gives the same bytes on every machine, whatever the instruction set (core/rng_math.h). */
#ifndef SDW_CORE_RNG_H
#define SDW_CORE_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/rng_bits.h"
#include "core/status.h"

/* X(constant, name, summary) */
#define SDW_RNG_LIST(X)                                                                             \
    X(TORCH_CPU, "torch-cpu", "PyTorch's CPU generator (MT19937); looks at the low 32 bits of a seed") \
    X(TORCH_CUDA, "torch-cuda", "PyTorch's CUDA generator (Philox 4x32-10); looks at all 64 bits")

typedef enum sdw_rng_kind {
#define SDW_RNG_ENUM(constant, name, summary) SDW_RNG_##constant,
    SDW_RNG_LIST(SDW_RNG_ENUM)
#undef SDW_RNG_ENUM
    SDW_RNG_COUNT
} sdw_rng_kind;

/* A generator in the caller's storage: plain data, owns nothing, one thread at a time. Copying it forks the stream. */
typedef struct sdw_rng {
    sdw_rng_kind kind;
    uint64_t seed;
    sdw_mt19937 mt;          /* torch-cpu */
    bool has_spare;          /* torch-cpu: `spare` is the second half of the last short draw's last pair */
    double spare;
    uint32_t call;           /* torch-cuda: draws made so far */
} sdw_rng;

const char *sdw_rng_name(sdw_rng_kind kind);    /* "torch-cpu"; "" for a value outside the list */
const char *sdw_rng_summary(sdw_rng_kind kind);
/* SDW_INVALID with the known names if `name` is none of them. */
sdw_status sdw_rng_from_name(const char *name, sdw_rng_kind *ret_kind, sdw_error *err);

void sdw_rng_init(sdw_rng *r, sdw_rng_kind kind, uint64_t seed);

/* Fills dst with n standard normals: one torch.randn of n elements in memory order. How values are drawn depends on n
 * (a draw of 32 is not two draws of 16), so a caller draws a tensor in one call, as the reference does.
 * torch-cuda: equal to torch as long as one launch gives each element its own thread, which holds for 4-channel latents
 * up to 2048 x 2048 pixels on large GPUs; beyond that the numbering of Stable Diffusion web UIs is followed. */
void sdw_rng_normal(sdw_rng *r, float *dst, size_t n);

/* A seed from the operating system, below 2^32: such a seed is the same in every generator and survives JSON numbers. */
sdw_status sdw_rng_random_seed(uint64_t *ret_seed, sdw_error *err);

#endif
