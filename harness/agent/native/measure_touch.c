// SPDX-License-Identifier: MIT
/*
 * What it costs to get memory: map, touch every page once, unmap; a file against anonymous memory
 * of small pages, pairs in random order. And what a system call costs, an ioctl against getppid().
 */
#include "measure.h"

#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum part { MAP, TOUCH, UNMAP, PARTS };

static struct touching {
	struct request *request;
	int fd, flags;
	uint64_t offset, seed;
	size_t bytes, samples;
	bool writing, failed;
	uint64_t ns[SIDES][PARTS][SAMPLES_MOST];
	uint64_t faults[SIDES][SAMPLES_MOST];
	uint64_t switches[SIDES][SAMPLES_MOST];
	struct counters counters[SIDES];
	size_t wrong[SIDES];
} touching;

static void *map_side(int side)
{
	void *mapped = MAP_FAILED;

	if (side == 0) {
		if (!map_memory(touching.request, 0, touching.bytes, PROT_READ | PROT_WRITE, touching.flags,
				touching.fd, touching.offset, &mapped))
			return MAP_FAILED;
	} else {
		mapped = mmap(NULL, touching.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	}
	if (mapped == MAP_FAILED)
		reply_error("mmap");
	return mapped;
}

static __attribute__((noinline)) uint64_t touch_pages(volatile uint8_t *start, size_t bytes, size_t step,
						      bool writing)
{
	uint64_t sum = 0;

	for (size_t at = 0; at < bytes; at += step)
		if (writing)
			start[at] = at / step;
		else
			sum += start[at];
	return sum;
}

/* Every page must hold what was written to it, and not to another. */
static bool pages_hold(const volatile uint8_t *start, size_t bytes, size_t step)
{
	for (size_t at = 0; at < bytes; at += step)
		if (start[at] != (uint8_t)(at / step))
			return false;
	return true;
}

static bool take_sample(int side, size_t sample)
{
	uint64_t times[PARTS + 1];
	struct counters before, spent = { 0 };
	void *mapped = MAP_FAILED;

	count_now(&before);
	times[0] = now();
	mapped = map_side(side);
	if (mapped == MAP_FAILED)
		return false;
	times[MAP + 1] = now();
	if (side == 1)
		madvise(mapped, touching.bytes, MADV_NOHUGEPAGE);
	uint64_t start = now();

	touch_pages(mapped, touching.bytes, page_bytes(), touching.writing);
	times[TOUCH + 1] = now();
	count_since(&before, &spent);
	if (touching.writing && !pages_hold(mapped, touching.bytes, page_bytes()))
		touching.wrong[side]++;
	uint64_t unmap = now();

	munmap(mapped, touching.bytes);
	times[UNMAP + 1] = now();
	touching.ns[side][MAP][sample] = times[MAP + 1] - times[0];
	touching.ns[side][TOUCH][sample] = times[TOUCH + 1] - start;
	touching.ns[side][UNMAP][sample] = times[UNMAP + 1] - unmap;
	touching.faults[side][sample] = spent.minor;
	touching.switches[side][sample] = spent.switches;
	touching.counters[side].minor += spent.minor;
	touching.counters[side].major += spent.major;
	return true;
}

static void measure_touching(void *context)
{
	(void)context;
	/* The first pair warms up; its slot is used again. */
	touching.failed = !take_sample(0, 0) || !take_sample(1, 0);
	memset(touching.counters, 0, sizeof(touching.counters));
	memset(touching.wrong, 0, sizeof(touching.wrong));
	for (size_t sample = 0; sample < touching.samples && !touching.failed; sample++) {
		int first = first_side(touching.seed, sample);

		touching.failed = !take_sample(first, sample) || !take_sample(!first, sample);
	}
}

static void reply_side(const char *key, int side)
{
	reply_open(key, '{');
	reply_samples("mapNs", touching.ns[side][MAP], touching.samples);
	reply_samples("touchNs", touching.ns[side][TOUCH], touching.samples);
	reply_samples("unmapNs", touching.ns[side][UNMAP], touching.samples);
	reply_samples("faults", touching.faults[side], touching.samples);
	reply_samples("involuntarySwitches", touching.switches[side], touching.samples);
	reply_counters(&touching.counters[side]);
	reply_u64("wrongSamples", touching.wrong[side]);
	reply_close('}');
}

static void verb_measure_touch(struct request *request)
{
	static const struct name ways[] = { { "read", 0 }, { "write", 1 }, { 0 } };

	memset(&touching, 0, sizeof(touching));
	touching.request = request;
	touching.fd = arg_int(request, 0);
	touching.offset = arg_u64(request, 1);
	touching.bytes = arg_count(request, 2, SIZE_MAX / page_bytes()) * page_bytes();
	touching.samples = arg_count(request, 3, SAMPLES_MOST);
	touching.seed = arg_u64(request, 4);
	touching.writing = arg_given(request, 5) ? arg_choice(request, 5, ways) : true;
	touching.flags = arg_given(request, 6) ? arg_map_flags(request, 6) : MAP_SHARED;
	if (request_bad(request) || !pin())
		return;
	if (guarded(measure_touching, NULL, NULL) && !touching.failed) {
		reply_order(touching.seed, touching.samples);
		reply_side("a", 0);
		reply_side("b", 1);
		reply_clock();
	}
	unpin();
}

#define CALLS 256	/* in one sample */

static void verb_measure_ioctl(struct request *request)
{
	int fd = arg_int(request, 0);
	unsigned long number = arg_address(request, 1);
	uintptr_t argument = arg_address(request, 2);
	size_t samples = arg_count(request, 3, SAMPLES_MOST);
	uint64_t seed = arg_u64(request, 4);
	size_t failures = 0;

	if (request_bad(request) || !pin())
		return;
	for (size_t sample = 0; sample < samples; sample++)
		for (int turn = 0; turn < SIDES; turn++) {
			int side = first_side(seed, sample) ^ turn;
			uint64_t start = now();

			for (int call = 0; call < CALLS; call++)
				if (side == 0)
					failures += ioctl(fd, number, argument) < 0;
				else
					syscall(SYS_getppid);
			touching.ns[side][0][sample] = now() - start;
		}
	reply_u64("callsPerSample", CALLS);
	reply_u64("failures", failures);
	reply_order(seed, samples);
	reply_samples("a", touching.ns[0][0], samples);
	reply_samples("b", touching.ns[1][0], samples);
	reply_clock();
	unpin();
}

const struct verb measure_touch_verbs[] = {
	{ "measure-touch", "FD OFFSET PAGES SAMPLES SEED [HOW] [FLAGS]",
	  "map, first touch and unmap of a file against anonymous memory", verb_measure_touch },
	{ "measure-ioctl", "FD REQUEST ARGUMENT SAMPLES SEED", "an ioctl against getppid()",
	  verb_measure_ioctl },
	{ 0 },
};
