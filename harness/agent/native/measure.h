// SPDX-License-Identifier: MIT
/* What every measurement shares: the clock, the pin, samples of two sides taken in random order. */
#ifndef BUFRIG_MEASURE_H
#define BUFRIG_MEASURE_H

#include "agent.h"

#define SAMPLES_MOST 4096
#define SIDES 2		/* A, the thing measured, and B, its baseline */

struct counters {
	long minor, major, switches;
};

void count_now(struct counters *counters);
void count_since(const struct counters *before, struct counters *sum);
/* Which side goes first in this pair of samples. */
int first_side(uint64_t seed, size_t sample);

/* Pins to the current CPU; unpin restores what was allowed before. */
bool pin(void);
void unpin(void);

void reply_clock(void);
void reply_samples(const char *key, const uint64_t *samples, size_t count);
void reply_counters(const struct counters *counters);
void reply_order(uint64_t seed, size_t samples);

/* measure_loops.c */
/* Volatile: one 8-byte access each, neither dropped nor widened. */
typedef volatile uint64_t word_t __attribute__((may_alias));

uint64_t read_words(const word_t *from, size_t words);
/* Word i becomes base + i, so that two pages that are one in truth spoil the sum. */
void write_words(word_t *to, size_t words, uint64_t base);
void copy_words(word_t *to, const word_t *from, size_t words);
/* One word of each step, of so many words: one after another, all over, and as the memory itself tells. */
uint64_t read_steps(const word_t *from, size_t steps, size_t words);
uint64_t read_scattered(const word_t *from, size_t steps, size_t words);
uint64_t read_chain(const word_t *from, size_t steps, size_t words);
void write_chain(word_t *to, size_t steps, size_t words);

#endif
