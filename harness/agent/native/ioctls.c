// SPDX-License-Identifier: MIT
/*
 * ioctl() with raw bytes: what they mean is described in TypeScript, next to the driver's profile.
 */
#include "agent.h"

#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define ARGUMENT_MOST 65536
#define UNTIL_MOST 10000000

/*
 * A place for the bytes that ends where readable memory ends: a driver that copies more than it was
 * given gets EFAULT instead of its way.
 */
static uint8_t *place_argument(const uint8_t *data, size_t bytes)
{
	static uint8_t *area;

	if (!area) {
		void *mapped = mmap(NULL, ARGUMENT_MOST + page_bytes(), PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (mapped == MAP_FAILED || mprotect((uint8_t *)mapped + ARGUMENT_MOST, page_bytes(), PROT_NONE))
			return NULL;
		area = mapped;
	}
	return memcpy(area + ARGUMENT_MOST - bytes, data, bytes);
}

/* What the last ioctl left in its argument, until it is asked for. */
static const uint8_t *left;
static size_t left_bytes;

size_t ioctl_argument(uint8_t *data, size_t most)
{
	size_t bytes = left_bytes < most ? left_bytes : most;

	if (bytes)
		memcpy(data, left, bytes);
	left_bytes = 0;
	return bytes;
}

static void verb_ioctl(struct request *request)
{
	int fd = arg_int(request, 0);
	unsigned long number = arg_address(request, 1);
	size_t bytes = 0;
	const uint8_t *data = arg_given(request, 2) ? arg_hex(request, 2, &bytes) : NULL;
	uint8_t *place = NULL;
	int returned;

	if (bytes > ARGUMENT_MOST)
		request_complain(request, "more than %d bytes", ARGUMENT_MOST);
	if (request_bad(request))
		return;
	if (data) {
		place = place_argument(data, bytes);
		if (!place)
			return reply_error("mmap");
	}
	returned = ioctl(fd, number, place);
	if (returned < 0)
		return reply_error("ioctl");
	reply_i64("returned", returned);
	reply_bytes("data", place, bytes);
	left = place;
	left_bytes = bytes;
}

/*
 * For what is only there for a moment, or not yet: the first answer comes from right after it appeared,
 * sooner than any request over the wire could ask.
 */
static void verb_ioctl_until(struct request *request)
{
	int fd = arg_int(request, 0);
	unsigned long number = arg_address(request, 1);
	size_t bytes = 0;
	const uint8_t *data = arg_hex(request, 2, &bytes);
	size_t most = arg_count(request, 3, UNTIL_MOST);
	uint8_t *place = NULL;
	int returned = -1;
	size_t failed = 0;

	if (bytes > ARGUMENT_MOST)
		request_complain(request, "more than %d bytes", ARGUMENT_MOST);
	if (request_bad(request))
		return;
	do {
		place = place_argument(data, bytes);
		if (!place)
			return reply_error("mmap");
		returned = ioctl(fd, number, place);
	} while (returned < 0 && ++failed < most);
	if (returned < 0)
		return reply_error("ioctl");
	reply_u64("failed", failed);
	reply_bytes("data", place, bytes);
}

static void verb_ioctl_at(struct request *request)
{
	int fd = arg_int(request, 0);
	unsigned long number = arg_address(request, 1);
	uintptr_t address = arg_address(request, 2);
	int returned;

	if (request_bad(request))
		return;
	returned = ioctl(fd, number, address);
	if (returned < 0)
		return reply_error("ioctl");
	reply_i64("returned", returned);
}

const struct verb ioctl_verbs[] = {
	{ "ioctl", "FD REQUEST [HEX]", "passes a pointer to these bytes; answers what became of them",
	  verb_ioctl },
	{ "ioctl-until", "FD REQUEST HEX TIMES", "the same until it succeeds; answers how often it failed before",
	  verb_ioctl_until },
	{ "ioctl-at", "FD REQUEST ARGUMENT", "passes a number or any address as it is", verb_ioctl_at },
	{ 0 },
};
