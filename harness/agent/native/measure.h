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

uint64_t now(void);			/* ns, CLOCK_MONOTONIC_RAW */
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

#endif
