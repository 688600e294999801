// SPDX-License-Identifier: MIT
/* Values for calls that are made up: numbers, and what the calls so far have left. */
#include "fuzz.h"

/* splitmix64: a good number also from seeds that differ in one bit. */
uint64_t fuzz_word(struct fuzz *fuzz)
{
	uint64_t mixed = fuzz->random += 0x9e3779b97f4a7c15;

	mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
	mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
	return mixed ^ mixed >> 31;
}

uint64_t fuzz_random(struct fuzz *fuzz, uint64_t below)
{
	return below ? fuzz_word(fuzz) % below : 0;
}

bool fuzz_one_in(struct fuzz *fuzz, unsigned int times)
{
	return fuzz_random(fuzz, times) == 0;
}

/* Where kernels and buffers have their borders. */
uint64_t fuzz_odd_value(struct fuzz *fuzz)
{
	uint64_t page = page_bytes();
	const uint64_t borders[] = {
		0, 1, 2, 3, 7, 63, 64, page - 1, page, page + 1, 2 * page, 1u << 20, 1u << 21,
		(1ull << 31) - 1, 1ull << 31, (1ull << 32) - page, (1ull << 32) - 1, 1ull << 32, 1ull << 44,
		1ull << 47, (1ull << 63) - 1, 1ull << 63, -(page << 1), -page, -1ull - page, -1ull,
	};
	uint64_t value = borders[fuzz_random(fuzz, sizeof(borders) / sizeof(borders[0]))];

	switch (fuzz_random(fuzz, 6)) {
	case 0:
		return fuzz_word(fuzz);
	case 1:
		return value + fuzz_random(fuzz, 17) - 8;
	case 2:
		return fuzz->number_count ? fuzz->numbers[fuzz_random(fuzz, fuzz->number_count)] : value;
	}
	return value;
}

/* Few pages most of the time, now and then enough for a large one. */
uint64_t fuzz_pages(struct fuzz *fuzz)
{
	if (fuzz_one_in(fuzz, 40))
		return 512 + fuzz_random(fuzz, 600);
	return 1 + fuzz_random(fuzz, fuzz_one_in(fuzz, 3) ? 12 : 3);
}

uint64_t fuzz_bytes(struct fuzz *fuzz)
{
	uint64_t bytes = fuzz_pages(fuzz) * page_bytes();

	return fuzz_one_in(fuzz, 4) ? bytes - fuzz_random(fuzz, page_bytes()) : bytes;
}

/* Beginnings gather at the window's front and at its large pages, so that calls meet. */
uintptr_t fuzz_place(struct fuzz *fuzz)
{
	size_t pages = fuzz->window_bytes / page_bytes();
	uint64_t page = fuzz_one_in(fuzz, 8) ? fuzz_random(fuzz, pages / 512) * 512 : fuzz_random(fuzz, 16);

	return fuzz->window + page % pages * page_bytes();
}

/* Bytes from a place on that the window has. */
size_t fuzz_range(struct fuzz *fuzz, uintptr_t place)
{
	size_t left = fuzz->window + fuzz->window_bytes - place, bytes = fuzz_pages(fuzz) * page_bytes();

	return bytes < left ? bytes : left;
}

/* One that is open, if any is; now and then one that may not be. */
int fuzz_file(struct fuzz *fuzz)
{
	unsigned int first = fuzz_random(fuzz, FUZZ_FILES);

	if (fuzz->latest_file >= 0 && fuzz_one_in(fuzz, 3))
		return fuzz->latest_file;
	if (!fuzz_one_in(fuzz, 32))
		for (unsigned int at = first; at < first + FUZZ_FILES; at++)
			if (fuzz->files[at % FUZZ_FILES] >= 0)
				return fuzz->files[at % FUZZ_FILES];
	return fuzz->files[first];
}

uint32_t fuzz_name(struct fuzz *fuzz)
{
	if (!fuzz->name_count || fuzz_one_in(fuzz, 8))
		return fuzz_random(fuzz, 8);
	if (fuzz_one_in(fuzz, 3))
		return fuzz->latest_name;
	/* Somebody else's may be near. */
	return fuzz->names[fuzz_random(fuzz, fuzz->name_count)] + (fuzz_one_in(fuzz, 6) ? fuzz_random(fuzz, 5) - 2 : 0);
}
