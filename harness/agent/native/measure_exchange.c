// SPDX-License-Identifier: MIT
/*
 * A word that goes to and fro between two processes, through one mapping against another. One of them
 * answers, the other one asks and takes the time. Nobody waits in the kernel, so that what is measured is
 * the memory; who waits for long gives up, for the other process may have died.
 */
#include "measure.h"
#include "signature.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#define WARM_UPS 5
#define PATIENCE_NS 10000000000ull
#define LOOKS 4096		/* before the clock is asked, and others may run */

/* Odd: a question. Its successor: the answer. All ones end it. */
#define OVER UINT32_MAX

static uint32_t *sides[SIDES];
static uint64_t ns[SIDES][SAMPLES_MOST];

static uint32_t look(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void say(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* False when nothing has come for long. */
static bool still_patient(uint64_t since)
{
	sched_yield();
	return now() - since < PATIENCE_NS;
}

static bool wait_until(const uint32_t *word, uint32_t value)
{
	uint64_t since = now();

	for (size_t looks = 1; look(word) != value; looks++)
		if (looks % LOOKS == 0 && !still_patient(since))
			return false;
	return true;
}

struct asked {
	size_t samples, trips;
	uint64_t seed;
	bool answered;
};

static bool take_sample(int side, size_t sample, struct asked *asked)
{
	/* Far from OVER, and never what was answered last time. */
	uint32_t question = (mix(asked->seed + sample) & UINT32_MAX / 4) | 1;
	uint64_t start = now();

	for (size_t trip = 0; trip < asked->trips; trip++, question += 2) {
		say(sides[side], question);
		if (!wait_until(sides[side], question + 1))
			return false;
	}
	ns[side][sample] = now() - start;
	return true;
}

static void ask(void *context)
{
	struct asked *asked = context;
	bool answered = true;

	for (size_t warm_up = 0; warm_up < WARM_UPS && answered; warm_up++)
		answered = take_sample(0, 0, asked) && take_sample(1, 0, asked);
	for (size_t sample = 0; sample < asked->samples && answered; sample++) {
		int first = first_side(asked->seed, sample);

		answered = take_sample(first, sample, asked) &&
			   take_sample(!first, sample, asked);
	}
	say(sides[0], OVER);
	asked->answered = answered;
}

static void answer(void *context)
{
	uint64_t *answers = context, since = now(), looks = 0;

	for (;;)
		for (int side = 0; side < SIDES; side++) {
			uint32_t word = look(sides[side]);

			if (word == OVER)
				return;
			if (word & 1) {
				say(sides[side], word + 1);
				++*answers;
				looks = 0;
				since = now();
			} else if (++looks % LOOKS == 0 && !still_patient(since)) {
				return;
			}
		}
}

static void verb_answer_words(struct request *request)
{
	uint64_t answers = 0;

	sides[0] = (uint32_t *)arg_address(request, 0);
	sides[1] = (uint32_t *)arg_address(request, 1);
	if (request_bad(request))
		return;
	reply_flush();
	if (guarded(answer, &answers, sides[0]))
		reply_u64("answers", answers);
}

static void verb_measure_exchange(struct request *request)
{
	struct asked asked = { 0 };

	sides[0] = (uint32_t *)arg_address(request, 0);
	sides[1] = (uint32_t *)arg_address(request, 1);
	asked.samples = arg_count(request, 2, SAMPLES_MOST);
	asked.trips = arg_count(request, 3, 1u << 20);
	asked.seed = arg_u64(request, 4);
	if (request_bad(request))
		return;
	reply_flush();
	if (!guarded(ask, &asked, sides[0]))
		return;
	if (!asked.answered) {
		errno = ETIMEDOUT;
		return reply_error("answer-words");
	}
	reply_order(asked.seed, asked.samples);
	reply_samples("a", ns[0], asked.samples);
	reply_samples("b", ns[1], asked.samples);
	reply_clock();
}

const struct verb measure_exchange_verbs[] = {
	{ "answer-words", "A B", "answers the questions of a process that measures an exchange", verb_answer_words },
	{ "measure-exchange", "A B SAMPLES TRIPS SEED", "a word to and fro through A against through B",
	  verb_measure_exchange },
	{ 0 },
};
