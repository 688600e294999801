// SPDX-License-Identifier: MIT
/*
 * What the kernel tells about physical pages: pagemap, kpageflags, kpagecount. Pagemap reads 0 for
 * every mapping without refcounted pages (VM_PFNMAP), that is, for the usual driver.
 */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define ENTRIES 4096
#define PAGES_MOST (1u << 24)
#define PAGEMAP_FRAME 0x007fffffffffffffull	/* bits 0 to 54 */
#define PAGEMAP_PRESENT (1ull << 63)

static uint64_t entries[ENTRIES];

/* Calls `each` for entry after entry of a file of 64-bit entries. */
static bool read_entries(const char *path, uint64_t first, size_t count,
			 void (*each)(uint64_t index, uint64_t entry))
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		reply_error("open");
		return false;
	}
	for (size_t done = 0; done < count;) {
		size_t want = count - done < ENTRIES ? count - done : ENTRIES;
		ssize_t got = pread(fd, entries, want * 8, (first + done) * 8);

		if (got < 8) {
			if (got >= 0)
				errno = ENXIO;	/* behind the end */
			reply_error("pread");
			break;
		}
		for (ssize_t at = 0; at < got / 8; at++)
			each(first + done + at, entries[at]);
		done += got / 8;
	}
	close(fd);
	return !reply_failed();
}

/* A run of entries that go on as the first began. */
static struct run {
	uint64_t first, count, entry;
} run;
static uint64_t run_base;

static void pagemap_flush(void)
{
	uint64_t frame = run.entry & PAGEMAP_PRESENT ? run.entry & PAGEMAP_FRAME : 0;

	if (run.count == 0)
		return;
	reply_open(NULL, '{');
	reply_u64("page", run.first - run_base);
	reply_u64("pages", run.count);
	reply_bool("present", run.entry & PAGEMAP_PRESENT);
	if (frame)
		reply_hex("physical", frame * page_bytes());
	else
		reply_null("physical");
	reply_hex("flags", run.entry & ~PAGEMAP_FRAME);
	reply_close('}');
	run.count = 0;
}

static void pagemap_entry(uint64_t index, uint64_t entry)
{
	bool counts = run.entry & PAGEMAP_PRESENT && run.entry & PAGEMAP_FRAME;

	if (run.count && entry == run.entry + (counts ? run.count : 0)) {
		run.count++;
		return;
	}
	pagemap_flush();
	run = (struct run){ .first = index, .count = 1, .entry = entry };
}

static void verb_pagemap(struct request *request)
{
	uintptr_t address = arg_address(request, 0);
	size_t count = arg_count(request, 1, PAGES_MOST);

	if (request_bad(request))
		return;
	run.count = 0;
	run_base = address / page_bytes();
	reply_open("runs", '[');
	read_entries("/proc/self/pagemap", run_base, count, pagemap_entry);
	pagemap_flush();
	reply_close(']');
}

static void same_flush(void)
{
	if (run.count == 0)
		return;
	reply_open(NULL, '{');
	reply_hex("physical", run.first * page_bytes());
	reply_u64("pages", run.count);
	reply_hex("value", run.entry);
	reply_close('}');
	run.count = 0;
}

static void same_entry(uint64_t index, uint64_t entry)
{
	if (run.count && entry == run.entry) {
		run.count++;
		return;
	}
	same_flush();
	run = (struct run){ .first = index, .count = 1, .entry = entry };
}

static void frame_entries(struct request *request, const char *path)
{
	uint64_t physical = arg_u64(request, 0);
	size_t count = arg_count(request, 1, PAGES_MOST);

	if (request_bad(request))
		return;
	run.count = 0;
	reply_open("runs", '[');
	read_entries(path, physical / page_bytes(), count, same_entry);
	same_flush();
	reply_close(']');
}

static void verb_kpageflags(struct request *request)
{
	frame_entries(request, "/proc/kpageflags");
}

static void verb_kpagecount(struct request *request)
{
	frame_entries(request, "/proc/kpagecount");
}

const struct verb physical_verbs[] = {
	{ "pagemap", "ADDRESS PAGES", "/proc/self/pagemap, as runs", verb_pagemap },
	{ "kpageflags", "PHYSICAL-ADDRESS PAGES", "/proc/kpageflags, as runs", verb_kpageflags },
	{ "kpagecount", "PHYSICAL-ADDRESS PAGES", "/proc/kpagecount, as runs", verb_kpagecount },
	{ 0 },
};
