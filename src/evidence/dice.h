/* Random numbers that can be had again: what is drawn follows from the seed alone, on every machine (xoshiro256**, D. Blackman and S. Vigna, ACM TOMS 47,
 * 2021). For resampling and simulation; secrets come from base/random.h. */
#ifndef HOB_EVIDENCE_DICE_H
#define HOB_EVIDENCE_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
    uint64_t s[4];
};

/* Any seed is a good one: splitmix64 spreads it. */
static inline struct dice dice_of(uint64_t seed)
{
    struct dice d;
    for (int i = 0; i < 4; i++) {
        uint64_t z = seed += 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        d.s[i] = z ^ (z >> 31);
    }
    return d;
}

static inline uint64_t dice_bits(struct dice *d)
{
    uint64_t *s = d->s, x = s[1] * 5, out = ((x << 7) | (x >> 57)) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 45) | (s[3] >> 19);
    return out;
}

static inline double dice_unit(struct dice *d) /* [0, 1) */
{
    return (double)(dice_bits(d) >> 11) * 0x1p-53;
}

static inline bool dice_chance(struct dice *d, double p)
{
    return dice_unit(d) < p;
}

static inline uint32_t dice_below(struct dice *d, uint32_t n) /* [0, n), n >= 1; no side is likelier by more than n / 2^32 */
{
    return (uint32_t)(((dice_bits(d) >> 32) * n) >> 32);
}

#endif
