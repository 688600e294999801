// SPDX-License-Identifier: MIT
/* A program that runs for somebody else: how it begins, and how it ends. */
#ifndef BUFRIG_PROGRAM_H
#define BUFRIG_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

/* Descriptors are -1 when there is nothing left to do with them. */
struct program {
	pid_t pid;
	int pidfd;
	int in, out, err;		/* the other ends of its pipes, for those who gave it any */
	int status;			/* as of waitpid(), once it is reaped */
};

/* What runs, with which variables: lists that end with NULL. */
struct command {
	char **variables;
	char **arguments;
};

/*
 * Takes over the descriptors that the program gets, which may be one and the same. False, and nothing runs, for
 * want of memory or descriptors. That there is no such program is told by its status, as by a shell.
 */
bool program_start(struct program *program, const struct command *command, int in, int out, int err);

/* Kills it, and all that it has started, unless they have left its session. */
void program_stop(const struct program *program);

/* Waits for its end. */
void program_reap(struct program *program);

#endif
