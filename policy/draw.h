/* draw.h - random numbers from a seed: the same seed gives the same numbers on every machine.
 *
 * splitmix64: one word of state; any seed is good, and the streams of neighbouring seeds have
 * nothing in common. Not for secrets. Blocks, allocates: never. */
#ifndef PLM_DRAW_H
#define PLM_DRAW_H

#include <stdint.h>

static inline uint64_t draw_bits(uint64_t *seed)
{
	uint64_t bits = *seed += UINT64_C(0x9e3779b97f4a7c15);
	bits = (bits ^ bits >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	bits = (bits ^ bits >> 27) * UINT64_C(0x94d049bb133111eb);
	return bits ^ bits >> 31;
}

/* Each of 0 to n - 1 alike; n at least 1. 2^32 numbers do not divide evenly into n parts: the
 * surplus is drawn again. A remainder (bits % n) would favour the lower numbers. */
static inline uint32_t draw_below(uint64_t *seed, uint32_t n)
{
	uint64_t scaled = (draw_bits(seed) >> 32) * n;
	if ((uint32_t)scaled < n) /* perhaps in the surplus: the division is rarely needed */
		for (uint32_t too_many = -n % n; (uint32_t)scaled < too_many;)
			scaled = (draw_bits(seed) >> 32) * n;
	return (uint32_t)(scaled >> 32);
}

/* At least 0, below 1. */
static inline double draw_share(uint64_t *seed)
{
	return (double)(draw_bits(seed) >> 11) * 0x1p-53;
}

#endif
