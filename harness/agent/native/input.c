// SPDX-License-Identifier: MIT
/*
 * Lines from stdin. The buffer takes in requests also while an answer is being written, so that a
 * client that sends without reading cannot wedge the pair.
 */
#include "agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES 65536
#define BUFFER_MOST (64u << 20)

static char *buffer;
static size_t capacity, start, end;
static size_t searched;		/* no line end before this */
static bool ended;

void input_reset(void)
{
	start = end = searched = 0;
	ended = false;
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
	got = read(STDIN_FILENO, buffer + end, READ_BYTES);
	if (got > 0)
		end += got;
	else if (got == 0 || (errno != EINTR && errno != EAGAIN))
		ended = true;
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

/*
 * A last line without its end is not a request: it may have been cut by a broken link.
 * The line stays in place until the next call: nothing reads input while a verb runs, and an
 * answer is only written when the verb is done with its arguments.
 */
char *input_line(void)
{
	char *line, *stop;

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
	*stop = '\0';
	if (stop > line && stop[-1] == '\r')
		stop[-1] = '\0';
	start = searched = stop + 1 - buffer;
	return line;
}
