/* rng_bits.c - MT19937 and Philox 4x32-10. */
#include "core/rng_bits.h"

#define MT_MIDDLE 397
#define MT_TWIST 0x9908b0dfu
#define MT_UPPER 0x80000000u

void sdw_mt19937_init(sdw_mt19937 *m, uint32_t seed)
{
    m->word[0] = seed;
    for (uint32_t j = 1; j < SDW_MT19937_WORDS; j++) {
        uint32_t prev = m->word[j - 1];
        m->word[j] = 1812433253u * (prev ^ (prev >> 30)) + j;
    }
    m->next = SDW_MT19937_WORDS;
}

static void mt_refill(sdw_mt19937 *m)
{
    uint32_t *w = m->word;
    for (int i = 0; i < SDW_MT19937_WORDS; i++) {
        uint32_t y = (w[i] & MT_UPPER) | (w[(i + 1) % SDW_MT19937_WORDS] & ~MT_UPPER);
        w[i] = w[(i + MT_MIDDLE) % SDW_MT19937_WORDS] ^ (y >> 1) ^ (y & 1 ? MT_TWIST : 0);
    }
    m->next = 0;
}

uint32_t sdw_mt19937_next(sdw_mt19937 *m)
{
    if (m->next >= SDW_MT19937_WORDS) mt_refill(m);
    uint32_t y = m->word[m->next++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

#define PHILOX_ROUNDS 10
#define PHILOX_MUL_0 0xd2511f53u
#define PHILOX_MUL_1 0xcd9e8d57u
#define PHILOX_KEY_0 0x9e3779b9u /* golden ratio */
#define PHILOX_KEY_1 0xbb67ae85u /* sqrt(3) - 1 */

void sdw_philox4x32_10(const uint32_t counter[4], const uint32_t key[2], uint32_t ret[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        uint64_t p0 = (uint64_t)PHILOX_MUL_0 * c0, p1 = (uint64_t)PHILOX_MUL_1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        k0 += PHILOX_KEY_0;
        k1 += PHILOX_KEY_1;
    }
    ret[0] = c0, ret[1] = c1, ret[2] = c2, ret[3] = c3;
}
