// SPDX-License-Identifier: MIT
/*
 * Runs calls that were made up (fuzz_compose.c), tens of thousands for one request. How they end is
 * counted and otherwise no matter: whether the kernel lived through it is for others to say.
 *
 *   fuzz-ioctl NAME NUMBER HEX 0:4:s 8:8:b ...	what the driver understands; once for each ioctl
 *   fuzz /dev/contigbuf 42 0-9999			10,000 calls of seed 42
 *   fuzz-lines /dev/contigbuf 42 17,230,4711	the requests that these calls are; the last is not made
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Far below the places the kernel chooses, so that nothing of the agent's gets in between. */
#define WINDOW (sizeof(void *) == 8 ? (uintptr_t)(1ull << 36) : (uintptr_t)(1ul << 30))
#define WINDOW_BYTES (8ul << 20)
#define COUNTERS 64
/* Above every limit of descriptors that a process has by itself. */
#define OPEN_MOST 4096

static struct fuzz_ioctl ioctls[FUZZ_IOCTLS];
static unsigned int ioctl_count;

static struct counter {
	char label[40];
	uint64_t ok, failed;
} counters[COUNTERS];

static void count(const char *label, bool ok)
{
	size_t length = strcspn(label, " ");
	struct counter *counter = counters;

	if (strncmp(label, "ioctl ", 6) == 0)
		length = strlen(label);
	while (counter < counters + COUNTERS - 1 && counter->label[0] &&
	       (strncmp(counter->label, label, length) || counter->label[length]))
		counter++;
	snprintf(counter->label, sizeof(counter->label), "%.*s", (int)length, label);
	*(ok ? &counter->ok : &counter->failed) += 1;
}

static void reply_counters(void)
{
	reply_open("did", '{');
	for (struct counter *counter = counters; counter < counters + COUNTERS && counter->label[0]; counter++) {
		reply_open(counter->label, '{');
		reply_u64("ok", counter->ok);
		reply_u64("failed", counter->failed);
		reply_close('}');
	}
	reply_close('}');
}

static bool open_before[OPEN_MOST];

static void begin(struct fuzz *fuzz, const char *device)
{
	memset(counters, 0, sizeof(counters));
	*fuzz = (struct fuzz){ .device = device, .ioctls = ioctls, .ioctl_count = ioctl_count,
			       .window = WINDOW, .window_bytes = WINDOW_BYTES, .memory = -1,
			       .latest_file = -1 };
	for (int at = 0; at < FUZZ_FILES; at++)
		fuzz->files[at] = -1;
	for (int fd = 0; fd < OPEN_MOST; fd++)
		open_before[fd] = fcntl(fd, F_GETFD) >= 0;
	munmap((void *)WINDOW, WINDOW_BYTES);
}

/* Some ioctls of any number, and at any address, open files that nobody hears of. */
static void end(void)
{
	munmap((void *)WINDOW, WINDOW_BYTES);
	for (int fd = 0; fd < OPEN_MOST; fd++)
		if (!open_before[fd])
			close(fd);
}

/* The next entry of a table of FUZZ_VALUES: a free one, or one that is given up. */
static unsigned int slot_in(struct fuzz *fuzz, unsigned int *used)
{
	return *used < FUZZ_VALUES ? (*used)++ : fuzz_random(fuzz, FUZZ_VALUES);
}

static void take_result(struct fuzz *fuzz, char kind, uint64_t value, int file)
{
	int slot = 0;

	switch (kind) {
	case 'N':
		fuzz->latest_name = value;
		fuzz->names[slot_in(fuzz, &fuzz->name_count)] = value;
		break;
	case 'V':
		fuzz->numbers[slot_in(fuzz, &fuzz->number_count)] = value;
		break;
	case 'O':
		fuzz->places[slot_in(fuzz, &fuzz->place_count)] = (struct fuzz_place){ file, value };
		break;
	case 'D':
		/* There is a free one: fuzz_compose.c has seen to it. */
		while (slot < FUZZ_FILES - 1 && fuzz->files[slot] >= 0)
			slot++;
		fuzz->files[slot] = value;
		fuzz->places[slot_in(fuzz, &fuzz->place_count)] = (struct fuzz_place){ value, 0 };
	}
}

/* What a successful ioctl told, for later calls. */
static void take_results(struct fuzz *fuzz, const struct fuzz_call *call)
{
	uint8_t data[FUZZ_ARGUMENT];
	size_t bytes = ioctl_argument(data, sizeof(data));

	for (unsigned int at = 0; at < call->ioctl->count; at++) {
		const struct fuzz_field *field = &call->ioctl->fields[at];
		uint64_t value = 0;

		if (field->offset + field->bytes > bytes)
			continue;
		for (unsigned int byte = 0; byte < field->bytes; byte++)
			value |= (uint64_t)data[field->offset + byte] << 8 * byte;
		take_result(fuzz, field->kind, value, call->file);
	}
}

/* Requests in the order they were made, for fuzz-lines. */
static struct {
	char **lines;
	size_t count;
	bool wanted;
} said;

static void note(const char *line)
{
	if (!said.wanted)
		return;
	said.lines = realloc(said.lines, (said.count + 1) * sizeof(*said.lines));
	said.lines[said.count++] = strdup(line);
}

static void reply_said(void)
{
	reply_open("lines", '[');
	for (size_t at = 0; at < said.count; at++) {
		reply_text(NULL, said.lines[at]);
		free(said.lines[at]);
	}
	reply_close(']');
	free(said.lines);
	said.lines = NULL;
	said.count = 0;
}

/* Memory that was mapped elsewhere, or across the window's end, goes at once: nobody knows of it afterwards. */
static void unmap_stray(const struct fuzz *fuzz, const struct fuzz_call *call)
{
	uint64_t address = 0;
	size_t bytes = 0;
	char line[80];

	/* mmap BYTES ..., mremap ADDRESS FROM BYTES ... */
	if (!reply_told("address", &address) ||
	    (sscanf(call->line, "mmap %zx", &bytes) != 1 &&
	     sscanf(call->line, "mremap %*x %*x %zx", &bytes) != 1))
		return;
	if (address >= fuzz->window && address + bytes <= fuzz->window + fuzz->window_bytes)
		return;
	munmap((void *)(uintptr_t)address, bytes);
	snprintf(line, sizeof(line), "munmap 0x%llx 0x%zx", (unsigned long long)address, bytes);
	note(line);
}

static void make(struct fuzz *fuzz, unsigned long number, const struct fuzz_call *call)
{
	struct request request = { .number = number };
	char line[FUZZ_LINE];
	uint64_t fd;

	memcpy(line, call->line, sizeof(line));
	reply_begin(number);
	serve_line(&request, line);
	/* What the agent itself refuses, such as an offset that no system call can say, was not made. */
	count(call->label ? call->label : call->line, !request.bad && !reply_failed());
	if (call->closes) {
		if (fuzz->latest_file == *call->closes)
			fuzz->latest_file = -1;
		*call->closes = -1;
	}
	if (request.bad || reply_failed())
		return;
	if (call->opens && reply_told("fd", &fd)) {
		*call->opens = fd;
		if (call->opens != &fuzz->memory)
			fuzz->latest_file = fd;
	}
	if (call->ioctl)
		take_results(fuzz, call);
	if (call->maps)
		unmap_stray(fuzz, call);
}

/* Takes `from` or `from-to` off a list that is separated by commas; false at its end. */
static bool next_range(const char **list, uint64_t *from, uint64_t *to)
{
	char *rest;

	if (!**list)
		return false;
	*from = *to = strtoull(*list, &rest, 10);
	if (*rest == '-')
		*to = strtoull(rest + 1, &rest, 10);
	if (rest == *list || (*rest && *rest != ','))
		return false;
	*list = rest + (*rest == ',');
	return true;
}

static bool is_list(const char *list)
{
	uint64_t from, to;

	while (next_range(&list, &from, &to))
		if (to < from)
			return false;
	return !*list;
}

static void run(struct request *request, bool lines)
{
	static struct fuzz fuzz;
	static struct fuzz_call call;
	const char *device = arg_text(request, 0);
	uint64_t seed = arg_u64(request, 1), from, to, made = 0;
	const char *list = arg_text(request, 2);

	if (!ioctl_count)
		request_complain(request, "fuzz-ioctl comes first");
	if (!request_bad(request) && !is_list(list))
		request_complain(request, "argument 3 is no list as in 1,5-9");
	if (request_bad(request))
		return;
	begin(&fuzz, device);
	said.wanted = lines;
	while (next_range(&list, &from, &to))
		for (uint64_t number = from; number <= to; number++, made++) {
			fuzz_compose(&fuzz, seed, number, &call);
			note(call.line);
			if (!lines || *list || number < to)
				make(&fuzz, request->number, &call);
		}
	end();
	reply_begin(request->number);
	reply_u64("calls", made);
	if (lines)
		reply_said();
	else
		reply_counters();
}

static void verb_fuzz(struct request *request)
{
	run(request, false);
}

static void verb_fuzz_lines(struct request *request)
{
	run(request, true);
}

static void verb_fuzz_ioctl(struct request *request)
{
	struct fuzz_ioctl *ioctl = &ioctls[ioctl_count];
	const char *name = arg_text(request, 0);
	unsigned long number = arg_address(request, 1);
	size_t bytes = 0;
	const uint8_t *good = arg_hex(request, 2, &bytes);

	if (ioctl_count == FUZZ_IOCTLS || bytes > FUZZ_ARGUMENT || request->count - 3 > FUZZ_FIELDS)
		request_complain(request, "more than %d ioctls, %d bytes or %d fields", FUZZ_IOCTLS, FUZZ_ARGUMENT,
				 FUZZ_FIELDS);
	if (request_bad(request))
		return;
	*ioctl = (struct fuzz_ioctl){ .number = number, .bytes = bytes, .count = request->count - 3 };
	snprintf(ioctl->name, sizeof(ioctl->name), "ioctl %s", name);
	memcpy(ioctl->good, good, bytes);
	for (unsigned int at = 0; at < ioctl->count; at++) {
		struct fuzz_field *field = &ioctl->fields[at];

		if (sscanf(arg_text(request, at + 3), "%u:%u:%c", &field->offset, &field->bytes, &field->kind) != 3 ||
		    field->bytes > 8 || field->offset + field->bytes > bytes) {
			request_complain(request, "argument %u is no field of these bytes", at + 4);
			return;
		}
	}
	ioctl_count++;
}

static void verb_fork_end(struct request *request)
{
	pid_t pid = fork();

	(void)request;
	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return reply_error("fork");
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

const struct verb fuzz_verbs[] = {
	{ "fuzz-ioctl", "NAME NUMBER HEX FIELD ...",
	  "what fuzz may call: a good argument, and its fields OFFSET:BYTES:KIND; kinds are n the name of a "
	  "buffer, b bytes of a buffer, a alignment, r a place in it, f flags, c one of few, s anything else, and "
	  "on success N a name, O an mmap offset, V another number, D a descriptor",
	  verb_fuzz_ioctl },
	{ "fuzz", "DEVICE SEED CALLS", "makes up calls and makes them; CALLS are numbers as in 0-9999 or 3,17,20-29",
	  verb_fuzz },
	{ "fuzz-lines", "DEVICE SEED CALLS", "the same calls as requests; the last one is made up and not made",
	  verb_fuzz_lines },
	{ "fork-end", "", "a child with a copy of this process that ends at once", verb_fork_end },
	{ 0 },
};
