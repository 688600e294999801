// SPDX-License-Identifier: MIT
/* Reading the kernel's text files line by line, without touching the heap. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

bool lines_open(struct lines *lines, const char *path)
{
	lines->start = lines->end = 0;
	lines->error = 0;
	lines->fd = open(path, O_RDONLY | O_CLOEXEC);
	return lines->fd >= 0;
}

bool lines_close(struct lines *lines)
{
	close(lines->fd);
	lines->fd = -1;
	errno = lines->error;
	return lines->error == 0;
}

char *lines_next(struct lines *lines)
{
	const size_t most = sizeof(lines->buffer) - 1;

	for (;;) {
		char *line = lines->buffer + lines->start;
		char *stop = memchr(line, '\n', lines->end - lines->start);
		ssize_t got;

		if (!stop && lines->end - lines->start == most)
			stop = lines->buffer + most;
		if (stop) {
			*stop = '\0';
			lines->start = stop - lines->buffer + (stop < lines->buffer + lines->end);
			return line;
		}
		memmove(lines->buffer, line, lines->end - lines->start);
		lines->end -= lines->start;
		lines->start = 0;
		got = read(lines->fd, lines->buffer + lines->end, most - lines->end);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			lines->error = errno;
		if (got <= 0)
			return NULL;
		lines->end += got;
	}
}

bool write_all(int fd, const void *data, size_t bytes)
{
	const char *at = data;

	while (bytes > 0) {
		ssize_t wrote = write(fd, at, bytes);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return false;
		at += wrote;
		bytes -= wrote;
	}
	return true;
}
