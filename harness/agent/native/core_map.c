// SPDX-License-Identifier: MIT
/*
 * Where physical memory can be read in /proc/kcore, and where the kernel says there is memory: the
 * segments of an ELF file that carry a physical address (fs/proc/kcore.c), against /proc/iomem.
 */
#include "core_map.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RANGES_MOST 1024

struct range segments[RANGES_MOST];
size_t segment_count, ram_count;

static struct range ram[RANGES_MOST];

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

bool read_at(int core, void *to, size_t bytes, uint64_t position)
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

bool read_segments(int core)
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
bool read_ram(const char *path)
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
	if (lines_close(&text))
		return true;
	reply_error("read");
	return false;
}

/* What of RAM no segment shows: there the search could not look. Whole pages only. */
uint64_t reply_unseen(void)
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
