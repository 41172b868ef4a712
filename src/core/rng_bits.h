/* rng_bits.h - the two bit generators behind the noise: integers only, exact on every machine. */
#ifndef SDW_CORE_RNG_BITS_H
#define SDW_CORE_RNG_BITS_H

#include <stdint.h>

#define SDW_MT19937_WORDS 624

/* Mersenne Twister, 32 bits: Matsumoto and Nishimura, ACM TOMACS 8 (1998). One owner; copying the struct forks it. */
typedef struct sdw_mt19937 {
    uint32_t word[SDW_MT19937_WORDS];
    int next; /* word to hand out next; SDW_MT19937_WORDS = a new block is due */
} sdw_mt19937;

void sdw_mt19937_init(sdw_mt19937 *m, uint32_t seed);
uint32_t sdw_mt19937_next(sdw_mt19937 *m);

/* Philox 4x32 with 10 rounds: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011). A pure function:
 * the same counter and key give the same four words. */
void sdw_philox4x32_10(const uint32_t counter[4], const uint32_t key[2], uint32_t ret[4]);

#endif
