// SPDX-License-Identifier: MIT
/*
 * Making up one call. Most of them are almost right, because what is wrong altogether is refused at
 * the door; the rest is anything. Nothing here may harm the agent itself: memory is touched inside of
 * the window only, and no advice is given that takes pages from the machine.
 */
#include "fuzz.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void say(struct fuzz_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct fuzz_call *call, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(call->line, sizeof(call->line), format, arguments);
	va_end(arguments);
}

static uint64_t field_value(struct fuzz *fuzz, const struct fuzz_field *field, uint64_t good)
{
	if (fuzz_one_in(fuzz, 60))
		return fuzz_odd_value(fuzz);
	switch (field->kind) {
	case 'n':
		return fuzz_one_in(fuzz, 3) ? good : fuzz_name(fuzz);
	case 'b':
		return fuzz_one_in(fuzz, 2) ? good : fuzz_bytes(fuzz);
	case 'r':
		return fuzz_one_in(fuzz, 2) ? good : fuzz_one_in(fuzz, 3) ? fuzz_random(fuzz, 5 * page_bytes()) : fuzz_random(fuzz, 5) * page_bytes();
	case 'f':
		return fuzz_one_in(fuzz, 4) ? good ^ 1u << fuzz_random(fuzz, 3) : good;
	case 'c':
		return fuzz_one_in(fuzz, 3) ? fuzz_random(fuzz, 5) : good;
	case 'a':
		return fuzz_one_in(fuzz, 4) ? 1ull << fuzz_random(fuzz, 24) : good;
	}
	return good;
}

static uint64_t read_field(const uint8_t *data, const struct fuzz_field *field)
{
	uint64_t value = 0;

	for (unsigned int at = 0; at < field->bytes; at++)
		value |= (uint64_t)data[field->offset + at] << 8 * at;
	return value;
}

/* Room for a descriptor; where there is none, the call becomes one that makes it. */
static bool has_room(struct fuzz *fuzz, struct fuzz_call *call)
{
	int *slot = &fuzz->files[fuzz_random(fuzz, FUZZ_FILES)];

	for (int at = 0; at < FUZZ_FILES; at++)
		if (fuzz->files[at] < 0)
			return true;
	say(call, "close %d", *slot);
	call->closes = slot;
	return false;
}

static bool tells(const struct fuzz_ioctl *ioctl, char kind)
{
	for (unsigned int at = 0; at < ioctl->count; at++)
		if (ioctl->fields[at].kind == kind)
			return true;
	return false;
}

/* Those that make buffers more often than others: without any there is little to call. */
static const struct fuzz_ioctl *some_ioctl(struct fuzz *fuzz)
{
	unsigned int first = fuzz_random(fuzz, fuzz->ioctl_count);

	if (fuzz_one_in(fuzz, 5))
		for (unsigned int at = first; at < first + fuzz->ioctl_count; at++)
			if (tells(&fuzz->ioctls[at % fuzz->ioctl_count], 'N'))
				return &fuzz->ioctls[at % fuzz->ioctl_count];
	return &fuzz->ioctls[first];
}

static void make_ioctl(struct fuzz *fuzz, struct fuzz_call *call)
{
	const struct fuzz_ioctl *ioctl = some_ioctl(fuzz);
	unsigned long number = ioctl->number;
	uint8_t data[FUZZ_ARGUMENT];
	size_t bytes = ioctl->bytes;
	int used;

	if (tells(ioctl, 'D') && !has_room(fuzz, call))
		return;
	memcpy(data, ioctl->good, bytes);
	for (unsigned int at = 0; at < ioctl->count; at++) {
		const struct fuzz_field *field = &ioctl->fields[at];
		uint64_t value = field_value(fuzz, field, read_field(data, field));

		for (unsigned int byte = 0; byte < field->bytes; byte++)
			data[field->offset + byte] = value >> 8 * byte;
	}
	call->label = ioctl->name;
	call->ioctl = ioctl;
	if (fuzz_one_in(fuzz, 20)) {
		number = fuzz_one_in(fuzz, 2) ? number ^ 1ul << fuzz_random(fuzz, 32) : fuzz_random(fuzz, 1ull << 32);
		call->label = "ioctl of any number";
		call->ioctl = NULL;
	}
	if (fuzz_one_in(fuzz, 30))
		bytes = fuzz_random(fuzz, bytes);
	call->file = fuzz_file(fuzz);
	used = snprintf(call->line, sizeof(call->line), "ioctl %d 0x%lx ", call->file, number);
	for (size_t at = 0; at < bytes; at++)
		used += snprintf(call->line + used, sizeof(call->line) - used, "%02x", data[at]);
	if (!bytes)
		snprintf(call->line + used, sizeof(call->line) - used, "%%");
}

/* With a pointer to anywhere: nothing, the kernel, code, or the buffers themselves. */
static void make_ioctl_at(struct fuzz *fuzz, struct fuzz_call *call)
{
	unsigned long number = fuzz->ioctls[fuzz_random(fuzz, fuzz->ioctl_count)].number;
	uintptr_t argument = fuzz_one_in(fuzz, 2) ? fuzz_place(fuzz) + fuzz_random(fuzz, page_bytes()) :
					       (uintptr_t)fuzz_odd_value(fuzz);

	say(call, "ioctl-at %d 0x%lx 0x%" PRIxPTR, fuzz_file(fuzz), number, argument);
}

static void make_open(struct fuzz *fuzz, struct fuzz_call *call)
{
	static const char *const access[] = { "rdwr", "rdwr", "rdwr", "rdonly", "wronly", "rdwr,nonblock" };
	int *slot = &fuzz->files[fuzz_random(fuzz, FUZZ_FILES)];

	if (*slot >= 0 && fuzz_one_in(fuzz, 3)) {
		say(call, "close %d", *slot);
		call->closes = slot;
		return;
	}
	/* Most are open most of the time. */
	if (*slot >= 0)
		return make_ioctl(fuzz, call);
	call->opens = slot;
	if (fuzz_one_in(fuzz, 4) && fuzz_file(fuzz) >= 0)
		say(call, "dup %d", fuzz_file(fuzz));
	else
		say(call, "open %s %s", fuzz->device, access[fuzz_random(fuzz, 6)]);
}

static void make_mmap(struct fuzz *fuzz, struct fuzz_call *call)
{
	static const char *const protections[] = { "rw", "rw", "rw", "rw", "r", "r", "none", "w", "rwx" };
	static const char *const kinds[] = { "shared", "shared", "shared", "shared", "shared", "private",
					     "shared-validate", "shared,populate", "shared,locked",
					     "private,noreserve", "shared,sync" };
	uintptr_t place = fuzz_place(fuzz);
	size_t bytes = fuzz_one_in(fuzz, 16) ? (size_t)fuzz_odd_value(fuzz) : fuzz_range(fuzz, place);
	const char *where = fuzz_one_in(fuzz, 4) ? "" : fuzz_one_in(fuzz, 6) ? ",fixed-noreplace" : ",fixed";
	int file = fuzz_file(fuzz);
	uint64_t offset = 0;

	if (fuzz->place_count && !fuzz_one_in(fuzz, 6)) {
		const struct fuzz_place *known = &fuzz->places[fuzz_random(fuzz, fuzz->place_count)];

		offset = known->offset;
		file = fuzz_one_in(fuzz, 12) ? file : known->file;
	}
	if (fuzz_one_in(fuzz, 4))
		offset += fuzz_random(fuzz, 6) * page_bytes();
	if (fuzz_one_in(fuzz, 24))
		offset = fuzz_odd_value(fuzz);
	/* What is to go to a fixed place must fit there. */
	if (bytes > fuzz->window + fuzz->window_bytes - place)
		where = "";
	call->maps = true;
	say(call, "mmap 0x%zx %s %s%s %d 0x%" PRIx64 " 0x%" PRIxPTR, bytes, protections[fuzz_random(fuzz, 9)],
	    kinds[fuzz_random(fuzz, 11)], where, file, offset, place);
}

static void make_mremap(struct fuzz *fuzz, struct fuzz_call *call)
{
	static const char *const flags[] = { "none", "maymove", "maymove,dontunmap", "maymove,fixed",
					     "maymove,fixed", "maymove,fixed,dontunmap" };
	unsigned int how = fuzz_random(fuzz, 6);
	uintptr_t from = fuzz_place(fuzz), to = fuzz_place(fuzz);
	size_t bytes = fuzz_range(fuzz, from), wanted = fuzz_one_in(fuzz, 3) ? fuzz_range(fuzz, to) : bytes;

	if (wanted > fuzz->window + fuzz->window_bytes - to)
		wanted = page_bytes();
	if (fuzz_one_in(fuzz, 20))
		bytes = 0;
	call->maps = true;
	say(call, "mremap 0x%" PRIxPTR " 0x%zx 0x%zx %s 0x%" PRIxPTR, from, bytes, wanted, flags[how], to);
}

/* Calls on a range of the window, and what they want to know besides. */
static void make_range_call(struct fuzz *fuzz, struct fuzz_call *call)
{
	static const char *const calls[][2] = {
		{ "munmap", "" }, { "munmap", "" }, { "munmap", "" }, { "munmap", "" },
		{ "mprotect", " none" }, { "mprotect", " r" }, { "mprotect", " rw" }, { "mprotect", " rw" },
		{ "mprotect", " rwx" }, { "mlock", "" }, { "munlock", "" }, { "msync", " sync" },
		{ "msync", " async,invalidate" }, { "mincore", "" },
	};
	unsigned int which = fuzz_random(fuzz, sizeof(calls) / sizeof(calls[0]));
	uintptr_t place = fuzz_place(fuzz);
	size_t bytes = fuzz_range(fuzz, place);

	if (fuzz_one_in(fuzz, 24))
		bytes = fuzz_one_in(fuzz, 2) ? 0 : SIZE_MAX - page_bytes() + 1 - fuzz_random(fuzz, 2);
	if (fuzz_one_in(fuzz, 24))
		place += 1 + fuzz_random(fuzz, page_bytes() - 1);
	if (place + bytes > fuzz->window + fuzz->window_bytes)
		bytes = bytes > fuzz->window_bytes ? bytes : page_bytes();
	say(call, "%s 0x%" PRIxPTR " 0x%zx%s", calls[which][0], place, bytes, calls[which][1]);
}

static void make_madvise(struct fuzz *fuzz, struct fuzz_call *call)
{
	static const char *const advices[] = {
		"normal", "random", "sequential", "willneed", "dontneed", "free", "remove", "dontfork",
		"dofork", "mergeable", "unmergeable", "hugepage", "nohugepage", "dontdump", "dodump",
		"wipeonfork", "keeponfork", "cold", "pageout", "populate-read", "populate-write", "collapse",
	};
	uintptr_t place = fuzz_place(fuzz);

	say(call, "madvise 0x%" PRIxPTR " 0x%zx %s", place, fuzz_range(fuzz, place),
	    advices[fuzz_random(fuzz, sizeof(advices) / sizeof(advices[0]))]);
}

static void make_access(struct fuzz *fuzz, struct fuzz_call *call)
{
	uintptr_t place = fuzz_place(fuzz) + fuzz_random(fuzz, page_bytes() / 8) * 8;

	if (fuzz_one_in(fuzz, 2))
		say(call, "load 0x%" PRIxPTR " 8", place);
	else
		say(call, "store 0x%" PRIxPTR " 8 0x%" PRIx64, place, fuzz_word(fuzz));
}

/* As a debugger does it, through the driver's own access(). */
static void make_memory(struct fuzz *fuzz, struct fuzz_call *call)
{
	uintptr_t place = fuzz_place(fuzz) + fuzz_random(fuzz, page_bytes());

	if (fuzz->memory < 0) {
		say(call, "open /proc/self/mem rdwr");
		call->opens = &fuzz->memory;
	} else if (fuzz_one_in(fuzz, 2)) {
		say(call, "read %d %d 0x%" PRIxPTR, fuzz->memory, (int)(1 + fuzz_random(fuzz, 64)), place);
	} else {
		say(call, "write %d %016" PRIx64 " 0x%" PRIxPTR, fuzz->memory, fuzz_word(fuzz), place);
	}
}

static void make_file_call(struct fuzz *fuzz, struct fuzz_call *call)
{
	static const char *const whences[] = { "set", "current", "end", "data", "hole" };
	int file = fuzz_file(fuzz);

	switch (fuzz_random(fuzz, 6)) {
	case 0:
		say(call, "read %d %d", file, (int)(1 + fuzz_random(fuzz, 64)));
		break;
	case 1:
		say(call, "write %d 00112233 0x%" PRIx64, file, fuzz_odd_value(fuzz) >> 1);
		break;
	case 2:
		say(call, "lseek %d 0x%" PRIx64 " %s", file, fuzz_odd_value(fuzz) >> 1, whences[fuzz_random(fuzz, 5)]);
		break;
	case 3:
		say(call, "poll %d in,out 0", file);
		break;
	case 4:
		say(call, "syscall fcntl 0x%x 0x%x 0x%x", file, 
		    (int)(1 + fuzz_random(fuzz, 15)), (int)fuzz_random(fuzz, 4));	/* 0 would duplicate it */
		break;
	default:
		say(call, "cat /proc/self/fdinfo/%d", file < 0 ? 0 : file);
	}
}

static void make_fork(struct fuzz *fuzz, struct fuzz_call *call)
{
	(void)fuzz;
	say(call, "fork-end");
}

/* Each with its weight. */
static const struct {
	unsigned int weight;
	void (*make)(struct fuzz *fuzz, struct fuzz_call *call);
} makers[] = {
	{ 34, make_ioctl }, { 3, make_ioctl_at }, { 10, make_open }, { 16, make_mmap }, { 5, make_mremap },
	{ 12, make_range_call }, { 6, make_madvise }, { 10, make_access }, { 4, make_memory },
	{ 5, make_file_call }, { 1, make_fork },
};

void fuzz_compose(struct fuzz *fuzz, uint64_t seed, uint64_t number, struct fuzz_call *call)
{
	unsigned int total = 0, at = 0;
	uint64_t chosen;

	fuzz->random = seed;
	fuzz->random = fuzz_word(fuzz) ^ number * 0xd1342543de82ef95;
	for (size_t maker = 0; maker < sizeof(makers) / sizeof(makers[0]); maker++)
		total += makers[maker].weight;
	chosen = fuzz_random(fuzz, total);
	while (chosen >= makers[at].weight)
		chosen -= makers[at++].weight;
	memset(call, 0, sizeof(*call));
	makers[at].make(fuzz, call);
}
