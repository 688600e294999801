// SPDX-License-Identifier: MIT
/*
 * Finds every copy of a buffer's page signatures in physical memory, through /proc/kcore. Memory is
 * read in blocks, or by a small read for each page: which of them is faster, by up to five times,
 * differs between kernels and emulated CPUs, so it is tried.
 *
 * Reading makes copies, and a copy must not be taken for a page. Ours lie at no page's start and are
 * wiped. The kernel's go through a page of its own, one after the other, so that page shows what was
 * read just before it; therefore a find that repeats the one before, or another one of the same block, is
 * read again, after something else went through there.
 */
#include "core_map.h"
#include "measure.h"
#include "signature.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define SIGNATURE_BYTES (8 * SIGNATURE_WORDS)
#define BLOCK_BYTES 262144
#define ASIDE 512		/* off the start of a page, where signatures are looked for */

struct search {
	int core;
	uint64_t nonce, pages, head;
	uint64_t scanned;	/* bytes of physical memory */
	uint64_t strays;	/* signatures of pages that were not asked for */
	uint64_t unreadable;	/* pages */
	uint64_t previous;	/* the page found last */
	bool by_heads;		/* read the start of each page only */
};

#define NO_PAGE UINT64_MAX

/* A run of pages of the buffer that lie behind each other, as [first page, address, count]. */
static struct {
	uint64_t page, physical, count;
} run;

static void flush_run(void)
{
	if (run.count == 0)
		return;
	reply_open(NULL, '[');
	reply_u64(NULL, run.page);
	reply_hex(NULL, run.physical);
	reply_u64(NULL, run.count);
	reply_close(']');
	run.count = 0;
}

static void sighting(uint64_t page, uint64_t physical)
{
	if (run.count && page == run.page + run.count &&
	    physical == run.physical + run.count * page_bytes()) {
		run.count++;
		return;
	}
	flush_run();
	run.page = page;
	run.physical = physical;
	run.count = 1;
}

static struct {
	char aside[ASIDE];
	uint64_t words[BLOCK_BYTES / 8];
} block __attribute__((aligned(65536)));

/* Volatile: a compiler may drop stores that nobody reads, but a witness may. */
static void wipe(void)
{
	volatile uint64_t *words = block.words;

	for (size_t at = 0; at < BLOCK_BYTES / 8; at++)
		words[at] = 0;
}

/* Reads the first bytes of each page of a block; the others stay as they are. */
static bool read_heads(int core, uint64_t position, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += page_bytes())
		if (!read_at(core, &block.words[at / 8], SIGNATURE_BYTES, position + at))
			return false;
	return true;
}

static bool read_block(const struct search *search, uint64_t position, size_t bytes)
{
	if (search->by_heads)
		return read_heads(search->core, position, bytes);
	return read_at(search->core, block.words, bytes, position);
}

static uint64_t time_of(const struct search *search, const struct range *range)
{
	uint64_t best = UINT64_MAX;

	for (int round = 0; round < 3; round++) {
		uint64_t start = now();

		if (!read_block(search, range->position, BLOCK_BYTES))
			return UINT64_MAX;
		uint64_t took = now() - start;

		best = took < best ? took : best;
	}
	return best;
}

/* A wrong choice costs time and nothing else. */
static void choose_reading(struct search *search)
{
	for (size_t at = 0; at < segment_count; at++) {
		if (segments[at].bytes < BLOCK_BYTES)
			continue;
		uint64_t whole = time_of(search, &segments[at]);

		search->by_heads = true;
		search->by_heads = time_of(search, &segments[at]) < whole;
		break;
	}
	wipe();
}

static bool signed_here(const struct search *search, const uint64_t *words, uint64_t *page)
{
	*page = little_endian(words[1]) ^ search->nonce;
	for (unsigned int word = 0; word < SIGNATURE_WORDS; word++)
		if (little_endian(words[word]) != signature_word(search->nonce, *page, word))
			return false;
	return true;
}

/*
 * The bytes behind the signature first: if the page is the kernel's own, through which all reads
 * go, they take the signature's place there.
 */
static bool still_there(const struct search *search, uint64_t position)
{
	uint64_t *words = block.words, page;

	return read_at(search->core, words, SIGNATURE_BYTES, position + SIGNATURE_BYTES) &&
	       read_at(search->core, words, SIGNATURE_BYTES, position) &&
	       signed_here(search, words, &page);
}

struct find {
	uint64_t offset, page;
};

static bool repeats(const struct search *search, const struct find *finds, size_t at)
{
	if (finds[at].page == search->previous)
		return true;
	for (size_t before = 0; before < at; before++)
		if (finds[before].page == finds[at].page)
			return true;
	return false;
}

/* One block of memory that lies at `position` in the file. */
static void search_block(struct search *search, uint64_t physical, uint64_t position, size_t bytes)
{
	static struct find finds[BLOCK_BYTES / 4096];
	const size_t stride = page_bytes() / 8;
	size_t found = 0;

	for (size_t word = 0; word < bytes / 8; word += stride) {
		if (little_endian(block.words[word]) != search->head)
			continue;
		if (signed_here(search, &block.words[word], &finds[found].page))
			finds[found++].offset = 8 * word;
	}
	if (found == 0)
		return;
	wipe();
	for (size_t at = 0; at < found; at++) {
		uint64_t page = finds[at].page;

		if (repeats(search, finds, at) && !still_there(search, position + finds[at].offset))
			continue;
		search->previous = page;
		if (page < search->pages)
			sighting(page, physical + finds[at].offset);
		else
			search->strays++;
	}
	wipe();
}

static void search_range(struct search *search, const struct range *range)
{
	uint64_t mask = page_bytes() - 1;
	uint64_t from = (range->physical + mask) & ~mask;
	uint64_t end = (range->physical + range->bytes) & ~mask;
	size_t most = BLOCK_BYTES;

	while (from < end) {
		uint64_t position = range->position + (from - range->physical);
		size_t bytes = end - from < most ? end - from : most;

		if (read_block(search, position, bytes)) {
			search_block(search, from, position, bytes);
			most = BLOCK_BYTES;
		} else if (bytes > page_bytes()) {
			/* Something in there cannot be read: go on page by page until it is past. */
			most = page_bytes();
			continue;
		} else {
			search->unreadable++;
		}
		search->scanned += bytes;
		from += bytes;
	}
}

/* The part of the segments that lies in one range of physical addresses. */
static void search_within(struct search *search, uint64_t physical, uint64_t bytes)
{
	uint64_t end = physical + bytes < physical ? UINT64_MAX : physical + bytes;

	for (size_t at = 0; at < segment_count; at++) {
		struct range part = segments[at];
		uint64_t part_end = part.physical + part.bytes;

		if (part_end <= physical || part.physical >= end)
			continue;
		if (part.physical < physical) {
			part.position += physical - part.physical;
			part.physical = physical;
		}
		part.bytes = (part_end < end ? part_end : end) - part.physical;
		search_range(search, &part);
	}
}

static struct search arg_search(struct request *request)
{
	struct search search = { .nonce = arg_u64(request, 0), .previous = NO_PAGE };

	search.pages = arg_count(request, 1, SIZE_MAX);
	search.head = mix(search.nonce);
	return search;
}

static bool open_core(struct search *search, const char *path)
{
	reply_flush();	/* a search takes its time */
	search->core = open(path, O_RDONLY | O_CLOEXEC);
	if (search->core < 0) {
		reply_error("open");
		return false;
	}
	if (read_segments(search->core))
		return true;
	close(search->core);
	return false;
}

static void reply_search(const struct search *search)
{
	reply_hex("scanned", search->scanned);
	reply_u64("strays", search->strays);
	reply_u64("unreadablePages", search->unreadable);
}

static void verb_kcore_find(struct request *request)
{
	struct search search = arg_search(request);
	const char *path = arg_given(request, 2) ? arg_text(request, 2) : "/proc/kcore";
	const char *iomem = arg_given(request, 3) ? arg_text(request, 3) : "/proc/iomem";

	if (request_bad(request) || !open_core(&search, path))
		return;
	if (read_ram(iomem)) {
		choose_reading(&search);
		run.count = 0;
		reply_open("runs", '[');
		search_within(&search, 0, UINT64_MAX);
		flush_run();
		reply_close(']');
		reply_search(&search);
		reply_hex("unseenBytes", reply_unseen());
		reply_u64("ramRanges", ram_count);
	}
	close(search.core);
}

/* No more than the given ranges: fast, where somebody has an idea; finding nothing says nothing. */
static void verb_kcore_look(struct request *request)
{
	struct search search = arg_search(request);
	unsigned int ranges = 0;

	while (arg_given(request, 2 + 2 * ranges))
		ranges++;
	for (unsigned int at = 0; at < ranges; at++) {
		arg_u64(request, 2 + 2 * at);
		arg_u64(request, 3 + 2 * at);
	}
	if (request_bad(request) || !open_core(&search, "/proc/kcore"))
		return;
	run.count = 0;
	reply_open("runs", '[');
	for (unsigned int at = 0; at < ranges; at++)
		search_within(&search, arg_u64(request, 2 + 2 * at), arg_u64(request, 3 + 2 * at));
	flush_run();
	reply_close(']');
	reply_search(&search);
	close(search.core);
}

const struct verb kcore_verbs[] = {
	{ "kcore-find", "NONCE PAGES [CORE-FILE] [IOMEM-FILE]",
	  "every physical address at which a page's signature lies", verb_kcore_find },
	{ "kcore-look", "NONCE PAGES [PHYSICAL BYTES]...",
	  "the same within some ranges of physical addresses only", verb_kcore_look },
	{ 0 },
};
