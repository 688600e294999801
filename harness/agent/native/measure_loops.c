// SPDX-License-Identifier: MIT
/* The loops that are timed. They stand alone, so that no compiler makes two of one. */
#include "measure.h"
#include "signature.h"

uint64_t read_words(const word_t *from, size_t words)
{
	uint64_t sum[4] = { 0 };

	for (size_t at = 0; at < words; at += 4) {
		sum[0] += from[at];
		sum[1] += from[at + 1];
		sum[2] += from[at + 2];
		sum[3] += from[at + 3];
	}
	return sum[0] + sum[1] + sum[2] + sum[3];
}

/* Word i becomes base + i, so that two pages that are one in truth spoil the sum. */
void write_words(word_t *to, size_t words, uint64_t base)
{
	for (size_t at = 0; at < words; at += 4) {
		to[at] = base + at;
		to[at + 1] = base + at + 1;
		to[at + 2] = base + at + 2;
		to[at + 3] = base + at + 3;
	}
}

void copy_words(word_t *to, const word_t *from, size_t words)
{
	for (size_t at = 0; at < words; at += 4) {
		uint64_t a = from[at], b = from[at + 1], c = from[at + 2], d = from[at + 3];

		to[at] = a;
		to[at + 1] = b;
		to[at + 2] = c;
		to[at + 3] = d;
	}
}

/* One word of each step; the steps one after another. */
uint64_t read_steps(const word_t *from, size_t steps, size_t words)
{
	uint64_t sum = 0;

	for (size_t step = 0; step < steps; step++)
		sum += from[step * words];
	return sum;
}

/* The next of a power of two of steps: all of them come once (Hull and Dobell), each far from the last. */
static size_t far_step(size_t step, size_t steps)
{
	return (step * GOLDEN_GAMMA + 1) & (steps - 1);
}

/* Each step once, in an order that no hardware foresees; where to go next does not wait for what was read. */
uint64_t read_scattered(const word_t *from, size_t steps, size_t words)
{
	uint64_t sum = 0;

	for (size_t step = 0, read = 0; read < steps; read++, step = far_step(step, steps))
		sum += from[step * words];
	return sum;
}

/* The same way, told by the memory itself: each step holds the number of the next. */
uint64_t read_chain(const word_t *from, size_t steps, size_t words)
{
	uint64_t sum = 0;

	for (size_t step = 0, read = 0; read < steps; read++) {
		/* What it holds may be wrong, and must not lead out of the memory. */
		step = from[step * words] & (steps - 1);
		sum += step;
	}
	return sum;
}

void write_chain(word_t *to, size_t steps, size_t words)
{
	for (size_t step = 0; step < steps; step++)
		to[step * words] = far_step(step, steps);
}
