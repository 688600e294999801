// SPDX-License-Identifier: MIT
/*
 * The 64 bytes that mark a page, and the pseudo-random words everything else is filled with.
 * harness/agent/signature.ts is the twin of this file; a selftest compares them.
 */
#ifndef BUFRIG_SIGNATURE_H
#define BUFRIG_SIGNATURE_H

#include <stdint.h>

#define SIGNATURE_WORDS 8
#define GOLDEN_GAMMA 0x9e3779b97f4a7c15ull

/* The finalizer of splitmix64 (Steele, Lea, Flood 2014): a bijection on 64-bit words. */
static inline uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* Word `word` of the signature of page `page` under `nonce`. */
static inline uint64_t signature_word(uint64_t nonce, uint64_t page, unsigned int word)
{
	if (word == 0)
		return mix(nonce);
	if (word == 1)
		return nonce ^ page;
	return mix(nonce + GOLDEN_GAMMA * (SIGNATURE_WORDS * page + word));
}

/* Word `index` of the pattern with this seed: the index-th output of splitmix64. */
static inline uint64_t pattern_word(uint64_t seed, uint64_t index)
{
	return mix(seed + GOLDEN_GAMMA * (index + 1));
}

/* Memory holds little-endian words on every machine. */
static inline uint64_t little_endian(uint64_t value)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return __builtin_bswap64(value);
#else
	return value;
#endif
}

#endif
