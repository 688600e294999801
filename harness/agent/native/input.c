// SPDX-License-Identifier: MIT
/*
 * Lines from stdin. The buffer takes in requests also while an answer is being written, so that a
 * client that sends without reading cannot wedge the pair.
 */
#include "agent.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES 65536
#define BUFFER_MOST (64u << 20)
#define AWAKE_MS 5000
#define PAUSE_MS 10

static char *buffer;
static size_t capacity, start, end;
static size_t searched;		/* no line end before this */
static bool ended;

void input_reset(void)
{
	start = end = searched = 0;
	ended = false;
}

static bool is_port(int fd)
{
	char link[32], path[16];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path));
	return length > 0 && strncmp(path, "/dev/vport", strlen("/dev/vport")) == 0;
}

/*
 * A port's other side seems to be gone while the machine wakes up, until the host has been asked anew
 * (drivers/char/virtio_console.c: virtcons_freeze). False when it has been gone for long.
 */
bool input_may_come_back(int fd, unsigned int *waited)
{
	if (!is_port(fd) || *waited >= AWAKE_MS)
		return false;
	usleep(PAUSE_MS * 1000);
	*waited += PAUSE_MS;
	return true;
}

ssize_t input_read(void *to, size_t bytes)
{
	unsigned int waited = 0;
	ssize_t got;

	do
		got = read(STDIN_FILENO, to, bytes);
	while (got == 0 && input_may_come_back(STDIN_FILENO, &waited));
	return got;
}

bool input_may_grow(void)
{
	return !ended && end - start < BUFFER_MOST;
}

void input_fill(void)
{
	ssize_t got;

	if (start > 0 && start == end)
		start = end = searched = 0;
	if (capacity - end < READ_BYTES && start > 0) {
		memmove(buffer, buffer + start, end - start);
		end -= start;
		searched -= start;
		start = 0;
	}
	if (capacity - end < READ_BYTES) {
		capacity = (capacity + READ_BYTES) * 2;
		buffer = realloc(buffer, capacity);
		if (!buffer) {
			fprintf(stderr, "agent: no memory for a request of %zu bytes\n", end);
			_exit(3);
		}
	}
	got = input_read(buffer + end, READ_BYTES);
	if (got > 0)
		end += got;
	else if (got == 0 || (errno != EINTR && errno != EAGAIN))
		ended = true;
}

/*
 * Waits like poll() for one descriptor, or with -1 for time to pass; returns what it found. What was
 * answered before leaves first. Who waits does not see the end of stdin. When nobody reads our answers any
 * more, there is nothing to wait for: the client is dead or the link is gone, and this process must not stay
 * behind.
 */
short wait_for(int fd, short events, int milliseconds)
{
	struct pollfd entries[] = {
		{ .fd = fd, .events = events },
		{ .fd = STDOUT_FILENO },
	};
	const uint64_t begun = now();
	unsigned int waited = 0;

	reply_flush();
	do {
		int left = milliseconds;

		/* Signals that come again and again do not make it longer. */
		while (poll(entries, 2, left) < 0) {
			uint64_t gone = (now() - begun) / 1000000;

			if (errno != EINTR)
				return POLLERR;
			if (milliseconds > 0)
				left = gone < (uint64_t)milliseconds ? milliseconds - (int)gone : 0;
		}
		if (!entries[1].revents)
			return entries[0].revents;
	} while (input_may_come_back(STDOUT_FILENO, &waited));
	_exit(4);
}

static char *line_end(void)
{
	char *found = searched < end ? memchr(buffer + searched, '\n', end - searched) : NULL;

	searched = found ? (size_t)(found - buffer) : end;
	return found;
}

bool input_has_line(void)
{
	return line_end() != NULL;
}

/* Requests may come in while this one is served, and move the buffer under it. */
static char *own_copy(const char *line, size_t bytes)
{
	static char *copy;
	static size_t room;

	if (bytes + 1 > room) {
		room = 2 * (bytes + 1);
		free(copy);
		copy = malloc(room);
		if (!copy) {
			fprintf(stderr, "agent: no memory for a request of %zu bytes\n", bytes);
			_exit(3);
		}
	}
	memcpy(copy, line, bytes);
	copy[bytes] = '\0';
	return copy;
}

/* A last line without its end is not a request: it may have been cut by a broken link. */
char *input_line(void)
{
	char *line, *stop;
	size_t bytes;

	while (!(stop = line_end())) {
		if (ended)
			return NULL;
		if (end - start >= BUFFER_MOST) {
			fprintf(stderr, "agent: a request of more than %u bytes\n", BUFFER_MOST);
			_exit(3);
		}
		reply_flush();
		input_fill();
	}
	line = buffer + start;
	bytes = stop - line;
	if (*line == END_OF_INPUT) {
		ended = true;
		start = end;
		return NULL;
	}
	start = searched = stop + 1 - buffer;
	if (bytes > 0 && line[bytes - 1] == '\r')
		bytes--;
	return own_copy(line, bytes);
}
