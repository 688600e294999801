// SPDX-License-Identifier: MIT
/*
 * Finds every copy of a buffer's page signatures in physical memory, through /proc/kcore: an ELF
 * file whose segments carry the physical address of the memory they show (fs/proc/kcore.c). Only
 * the first bytes of each page are read, so that the search itself leaves no copy of a signature
 * anywhere; what it finds is read a second time after something else went through the same buffers.
 */
#include "agent.h"
#include "signature.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RANGES_MOST 1024
#define SIGNATURE_BYTES (8 * SIGNATURE_WORDS)

struct range {
	uint64_t physical, bytes;
	uint64_t position;	/* in the core file */
};

static struct range segments[RANGES_MOST], ram[RANGES_MOST];
static size_t segment_count, ram_count;

static struct lines text;

static int by_address(const void *left, const void *right)
{
	const struct range *a = left, *b = right;

	return a->physical < b->physical ? -1 : a->physical > b->physical;
}

/* Sorts and cuts so that no physical page is looked at twice: the kernel's image is also RAM. */
static size_t without_overlap(struct range *ranges, size_t count)
{
	uint64_t covered = 0;
	size_t kept = 0;

	qsort(ranges, count, sizeof(*ranges), by_address);
	for (size_t at = 0; at < count; at++) {
		struct range range = ranges[at];
		uint64_t end = range.physical + range.bytes;

		if (end <= covered)
			continue;
		if (range.physical < covered) {
			range.position += covered - range.physical;
			range.bytes = end - covered;
			range.physical = covered;
		}
		covered = end;
		ranges[kept++] = range;
	}
	return kept;
}

static bool read_at(int core, void *to, size_t bytes, uint64_t position)
{
	ssize_t got = pread(core, to, bytes, position);

	if (got >= 0 && (size_t)got != bytes)
		errno = EIO;
	return got >= 0 && (size_t)got == bytes;
}

/* Vmalloc and module areas have no one physical address and say -1; some kernels say 0. */
static bool is_memory(const Elf64_Phdr *header)
{
	return header->p_type == PT_LOAD && header->p_paddr != UINT64_MAX && header->p_filesz > 0 &&
	       header->p_paddr + header->p_filesz > header->p_paddr;
}

static bool read_segments(int core)
{
	Elf64_Ehdr file;
	Elf64_Phdr header;

	if (!read_at(core, &file, sizeof(file), 0)) {
		reply_error("pread");
		return false;
	}
	if (memcmp(file.e_ident, ELFMAG, SELFMAG) != 0 || file.e_ident[EI_CLASS] != ELFCLASS64 ||
	    file.e_phentsize != sizeof(header)) {
		errno = ENOEXEC;
		reply_error("elf64");
		return false;
	}
	segment_count = 0;
	for (unsigned int at = 0; at < file.e_phnum; at++) {
		if (!read_at(core, &header, sizeof(header), file.e_phoff + at * sizeof(header))) {
			reply_error("pread");
			return false;
		}
		if (!is_memory(&header))
			continue;
		if (segment_count == RANGES_MOST) {
			errno = E2BIG;
			reply_error("elf64");
			return false;
		}
		segments[segment_count++] =
			(struct range){ header.p_paddr, header.p_filesz, header.p_offset };
	}
	segment_count = without_overlap(segments, segment_count);
	return true;
}

/* The top level lines "start-end : System RAM" of /proc/iomem. */
static bool read_ram(const char *path)
{
	uint64_t first, last;
	char *line;

	ram_count = 0;
	if (!lines_open(&text, path)) {
		reply_error("open");
		return false;
	}
	while ((line = lines_next(&text)))
		if (*line != ' ' && strstr(line, " : System RAM") && ram_count < RANGES_MOST &&
		    sscanf(line, "%" SCNx64 "-%" SCNx64, &first, &last) == 2 && last > first)
			ram[ram_count++] = (struct range){ first, last - first + 1, 0 };
	lines_close(&text);
	return true;
}

/* What of RAM no segment shows: there the search could not look. Whole pages only. */
static uint64_t reply_unseen(void)
{
	uint64_t total = 0, mask = page_bytes() - 1;

	reply_open("unseen", '[');
	for (size_t at = 0; at < ram_count; at++) {
		uint64_t from = (ram[at].physical + mask) & ~mask;
		uint64_t end = (ram[at].physical + ram[at].bytes) & ~mask;

		for (size_t segment = 0; from < end; segment++) {
			bool none = segment == segment_count || segments[segment].physical >= end;
			uint64_t stop = none ? end : segments[segment].physical;

			if (stop > from) {
				reply_open(NULL, '{');
				reply_hex("physical", from);
				reply_hex("bytes", stop - from);
				reply_close('}');
				total += stop - from;
			}
			if (none)
				break;
			if (segments[segment].physical + segments[segment].bytes > from)
				from = segments[segment].physical + segments[segment].bytes;
		}
	}
	reply_close(']');
	return total;
}

struct search {
	int core;
	uint64_t nonce, pages, head;
	uint64_t scanned;	/* bytes of physical memory */
	uint64_t strays;	/* signatures of pages that were not asked for */
	uint64_t unreadable;	/* pages */
};

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

/*
 * The kernel reads through a page of its own, and into a buffer of ours: if either is the page
 * being looked at, it shows what passed through it last. So the ELF header goes through both first.
 */
static bool still_there(const struct search *search, uint64_t position, uint64_t *page)
{
	static uint64_t words[SIGNATURE_WORDS];
	bool same = false;

	if (read_at(search->core, words, sizeof(words), 0) &&
	    read_at(search->core, words, sizeof(words), position)) {
		*page = little_endian(words[1]) ^ search->nonce;
		same = true;
		for (unsigned int word = 0; word < SIGNATURE_WORDS; word++)
			same = same && little_endian(words[word]) == signature_word(search->nonce, *page, word);
	}
	/* Volatile: a compiler may drop stores nobody reads, but our page may be read by a witness. */
	for (unsigned int word = 0; word < SIGNATURE_WORDS; word++)
		((volatile uint64_t *)words)[word] = 0;
	return same;
}

static void search_range(struct search *search, const struct range *range)
{
	uint64_t mask = page_bytes() - 1;
	uint64_t from = (range->physical + mask) & ~mask;
	uint64_t end = (range->physical + range->bytes) & ~mask;

	for (uint64_t physical = from; physical < end; physical += page_bytes()) {
		uint64_t position = range->position + (physical - range->physical);
		uint64_t head, page;

		search->scanned += page_bytes();
		if (!read_at(search->core, &head, sizeof(head), position)) {
			search->unreadable++;
			continue;
		}
		if (little_endian(head) != search->head || !still_there(search, position, &page))
			continue;
		if (page < search->pages)
			sighting(page, physical);
		else
			search->strays++;
	}
}

static void verb_kcore_find(struct request *request)
{
	struct search search = { .nonce = arg_u64(request, 0) };
	const char *path = arg_given(request, 2) ? arg_text(request, 2) : "/proc/kcore";
	const char *iomem = arg_given(request, 3) ? arg_text(request, 3) : "/proc/iomem";

	search.pages = arg_count(request, 1, SIZE_MAX);
	search.head = mix(search.nonce);
	if (request_bad(request))
		return;
	search.core = open(path, O_RDONLY | O_CLOEXEC);
	if (search.core < 0)
		return reply_error("open");
	if (read_segments(search.core) && read_ram(iomem)) {
		run.count = 0;
		reply_open("runs", '[');
		for (size_t at = 0; at < segment_count; at++)
			search_range(&search, &segments[at]);
		flush_run();
		reply_close(']');
		reply_hex("scanned", search.scanned);
		reply_u64("strays", search.strays);
		reply_u64("unreadablePages", search.unreadable);
		reply_hex("unseenBytes", reply_unseen());
		reply_u64("ramRanges", ram_count);
	}
	close(search.core);
}

const struct verb kcore_verbs[] = {
	{ "kcore-find", "NONCE PAGES [CORE-FILE] [IOMEM-FILE]",
	  "every physical address at which a page's signature lies", verb_kcore_find },
	{ 0 },
};
