// SPDX-License-Identifier: MIT
/* `agent put FILE`: writes what comes from standard input into a file that only its owner may use. */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(const char *what)
{
	fprintf(stderr, "agent: %s: %s\n", what, strerror(errno));
	return 1;
}

int put_file(const char *path)
{
	static char piece[65536];
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	ssize_t got;

	/* The file may have been there with other rights. */
	if (file < 0 || fchmod(file, 0700) < 0)
		return fail(path);
	while ((got = read(STDIN_FILENO, piece, sizeof(piece))) != 0)
		if (got < 0 && errno != EINTR)
			return fail("reading standard input");
		else if (got > 0 && !write_all(file, piece, got))
			return fail(path);
	return close(file) < 0 ? fail(path) : 0;
}
