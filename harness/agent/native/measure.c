// SPDX-License-Identifier: MIT
/*
 * Throughput of one mapping against another in one process: the same code, only the pointer
 * differs. Samples of both sides alternate in random order, and the memory's contents are checked
 * against what they must be, so that a kernel that read the wrong memory, or none, cannot look fast.
 */
#include "measure.h"
#include "signature.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define WARM_UPS 5
#define SAMPLE_NS 5000000ull		/* at least, unless asked otherwise */
#define PASSES_MOST (1u << 24)

static struct counters counters_now(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return (struct counters){ usage.ru_minflt, usage.ru_majflt, usage.ru_nivcsw };
}

void count_now(struct counters *counters)
{
	*counters = counters_now();
}

void count_since(const struct counters *before, struct counters *sum)
{
	struct counters after = counters_now();

	sum->minor += after.minor - before->minor;
	sum->major += after.major - before->major;
	sum->switches += after.switches - before->switches;
}

int first_side(uint64_t seed, size_t sample)
{
	return mix(seed + GOLDEN_GAMMA * sample) & 1;
}

static cpu_set_t allowed;
static int pinned_to = -1;

bool pin(void)
{
	cpu_set_t one;
	int cpu = sched_getcpu();

	reply_flush();	/* a measurement takes its time */
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0 || sched_setaffinity(0, sizeof(one), &one) < 0) {
		reply_error("sched_setaffinity");
		return false;
	}
	pinned_to = cpu;
	return true;
}

void unpin(void)
{
	sched_setaffinity(0, sizeof(allowed), &allowed);
}

/* The smallest step the clock makes, and what asking it costs. */
void reply_clock(void)
{
	uint64_t step = UINT64_MAX, start = now(), last = start;

	for (int call = 0; call < 1000; call++) {
		uint64_t time = now();

		if (time != last && time - last < step)
			step = time - last;
		last = time;
	}
	reply_open("clock", '{');
	reply_u64("stepNs", step == UINT64_MAX ? 0 : step);
	reply_u64("costNs", (last - start) / 1000);
	reply_close('}');
	reply_i64("cpu", pinned_to);
}

void reply_samples(const char *key, const uint64_t *samples, size_t count)
{
	reply_open(key, '[');
	for (size_t sample = 0; sample < count; sample++)
		reply_u64(NULL, samples[sample]);
	reply_close(']');
}

void reply_counters(const struct counters *counters)
{
	reply_u64("minorFaults", counters->minor);
	reply_u64("majorFaults", counters->major);
}

void reply_order(uint64_t seed, size_t samples)
{
	char order[2 * SAMPLES_MOST];

	for (size_t sample = 0; sample < samples; sample++) {
		int first = first_side(seed, sample);

		order[2 * sample] = 'a' + first;
		order[2 * sample + 1] = 'b' - first;
	}
	reply_text_n("order", order, 2 * samples);
}

enum kernel { READ, WRITE, COPY_FROM, COPY_TO, STRIDE, SCATTERED, CHAIN };

static const struct name kernels[] = {
	{ "read", READ }, { "write", WRITE }, { "copy-from", COPY_FROM }, { "copy-to", COPY_TO },
	{ "stride", STRIDE }, { "scattered", SCATTERED }, { "chain", CHAIN }, { 0 },
};

static struct measurement {
	enum kernel kernel;
	word_t *side[SIDES];
	word_t *scratch;
	size_t words, samples, passes;
	size_t step, steps;		/* words in one, and how many there are */
	uint64_t seed, least;
	uint64_t pattern_sum;		/* of what one pass of a reading kernel reads */
	uint64_t ns[SIDES][SAMPLES_MOST];
	uint64_t switches[SIDES][SAMPLES_MOST];
	struct counters counters[SIDES];
	size_t wrong[SIDES];
	uint64_t expected[SIDES], got[SIDES];	/* of the first wrong sample */
} measured;

static void write_pattern(word_t *to)
{
	for (size_t at = 0; at < measured.words; at += measured.step)
		to[at] = pattern_word(measured.seed, at);
}

/* Runs the kernel over one side; returns the sum that tells whether it did its work. */
static uint64_t run_kernel(word_t *side, uint64_t base)
{
	const size_t words = measured.words;
	uint64_t sum = 0;

	for (size_t pass = 0; pass < measured.passes; pass++) {
		switch (measured.kernel) {
		case READ:
			sum += read_words(side, words);
			break;
		case WRITE:
			write_words(side, words, base);
			break;
		case COPY_FROM:
			copy_words(measured.scratch, side, words);
			break;
		case COPY_TO:
			copy_words(side, measured.scratch, words);
			break;
		case STRIDE:
			sum += read_steps(side, measured.steps, measured.step);
			break;
		case SCATTERED:
			sum += read_scattered(side, measured.steps, measured.step);
			break;
		case CHAIN:
			sum += read_chain(side, measured.steps, measured.step);
			break;
		}
		__asm__ volatile("" ::: "memory");
	}
	return sum;
}

static void judge_sample(int side, uint64_t sum, uint64_t base)
{
	const uint64_t words = measured.words;
	uint64_t expected = measured.pattern_sum;

	switch (measured.kernel) {
	case READ:
	case STRIDE:
	case SCATTERED:
	case CHAIN:
		expected *= measured.passes;
		break;
	case WRITE:
		expected = words * base + words * (words - 1) / 2;
		sum = read_words(measured.side[side], words);
		break;
	case COPY_FROM:
		sum = read_words(measured.scratch, words);
		break;
	case COPY_TO:
		sum = read_words(measured.side[side], words);
		break;
	}
	if (sum != expected && measured.wrong[side]++ == 0) {
		measured.expected[side] = expected;
		measured.got[side] = sum;
	}
}

/* A copy that was not made must not be found to be right from the time before. */
static void clear_target(int side)
{
	if (measured.kernel == COPY_FROM)
		write_words(measured.scratch, measured.words, 0);
	else if (measured.kernel == COPY_TO)
		write_words(measured.side[side], measured.words, 0);
}

static void take_sample(int side, size_t sample, bool keep)
{
	uint64_t base = mix(measured.seed + sample), start, sum, ns;
	struct counters before, spent = { 0 };

	clear_target(side);
	count_now(&before);
	start = now();
	__asm__ volatile("" ::: "memory");
	sum = run_kernel(measured.side[side], base);
	__asm__ volatile("" ::: "memory");
	ns = now() - start;
	count_since(&before, &spent);
	judge_sample(side, sum, base);
	if (!keep)
		return;
	measured.ns[side][sample] = ns;
	measured.switches[side][sample] = spent.switches;
	measured.counters[side].minor += spent.minor;
	measured.counters[side].major += spent.major;
}

/* Of three, because one that was interrupted looks long. */
static uint64_t quickest_run(void)
{
	uint64_t quickest = UINT64_MAX;

	for (int run = 0; run < 3; run++) {
		uint64_t start = now(), ns;

		run_kernel(measured.side[1], 0);
		ns = now() - start;
		if (ns < quickest)
			quickest = ns;
	}
	return quickest;
}

/* As many passes as one sample needs to be long against the clock and the machine's noise. */
static void choose_passes(void)
{
	for (measured.passes = 1; measured.passes < PASSES_MOST; measured.passes *= 2)
		if (quickest_run() >= measured.least)
			break;
}

/* Both sides and the scratch get the same contents. */
static void write_contents(void)
{
	word_t *all[] = { measured.side[0], measured.side[1], measured.scratch };

	for (size_t each = 0; each < sizeof(all) / sizeof(all[0]); each++) {
		if (measured.kernel == CHAIN)
			write_chain(all[each], measured.steps, measured.step);
		else
			write_pattern(all[each]);
	}
	measured.pattern_sum = 0;
	for (size_t step = 0; step < measured.steps; step++)
		measured.pattern_sum += measured.kernel == CHAIN ? step
								 : pattern_word(measured.seed, step * measured.step);
}

static void measure(void *context)
{
	(void)context;
	write_contents();
	choose_passes();
	for (size_t sample = 0; sample < WARM_UPS; sample++)
		for (int side = 0; side < SIDES; side++)
			take_sample(side, sample, false);
	for (size_t sample = 0; sample < measured.samples; sample++) {
		int first = first_side(measured.seed, sample);

		take_sample(first, sample, true);
		take_sample(!first, sample, true);
	}
}

static void reply_side(const char *key, int side)
{
	reply_open(key, '{');
	reply_samples("ns", measured.ns[side], measured.samples);
	reply_samples("involuntarySwitches", measured.switches[side], measured.samples);
	reply_counters(&measured.counters[side]);
	reply_u64("wrongSamples", measured.wrong[side]);
	if (measured.wrong[side]) {
		reply_hex("expectedSum", measured.expected[side]);
		reply_hex("gotSum", measured.got[side]);
	}
	reply_close('}');
}

static void verb_measure(struct request *request)
{
	memset(&measured, 0, sizeof(measured));
	measured.kernel = arg_choice(request, 0, kernels);
	measured.side[0] = (word_t *)arg_address(request, 1);
	measured.side[1] = (word_t *)arg_address(request, 2);
	size_t bytes = arg_size(request, 3);

	measured.samples = arg_count(request, 4, SAMPLES_MOST);
	measured.seed = arg_u64(request, 5);
	measured.least = arg_given(request, 6) ? arg_u64(request, 6) : SAMPLE_NS;
	measured.step = arg_given(request, 7) ? arg_size(request, 7) / 8 : 1;
	if (!request_bad(request) && (bytes == 0 || bytes % 32))
		request_complain(request, "the length is not a multiple of 32 bytes");
	if (!request_bad(request) && (measured.step == 0 || bytes / 8 % measured.step))
		request_complain(request, "the length is not a multiple of the step, of whole words");
	if (request_bad(request))
		return;
	measured.words = bytes / 8;
	measured.steps = measured.words / measured.step;
	if (measured.kernel >= SCATTERED && measured.steps & (measured.steps - 1)) {
		request_complain(request, "the number of steps is not a power of two");
		return;
	}
	measured.scratch = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (measured.scratch == MAP_FAILED)
		return reply_error("mmap");
	madvise((void *)measured.scratch, bytes, MADV_NOHUGEPAGE);
	if (pin()) {
		if (guarded(measure, NULL, measured.side[0])) {
			reply_u64("passes", measured.passes);
			reply_order(measured.seed, measured.samples);
			reply_side("a", 0);
			reply_side("b", 1);
			reply_clock();
		}
		unpin();
	}
	munmap((void *)measured.scratch, bytes);
}

const struct verb measure_verbs[] = {
	{ "measure", "KERNEL A B BYTES SAMPLES SEED [LEAST-NS] [STEP]",
	  "read, write, copy-from, copy-to, and in steps stride, scattered or chain: A against B, in random order",
	  verb_measure },
	{ 0 },
};
