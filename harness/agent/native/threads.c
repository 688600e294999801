// SPDX-License-Identifier: MIT
/*
 * Threads of the agent that make the same few calls over and over, while requests are served as ever. They
 * touch memory through system calls only (pread() and pwrite() of a file of their own), so that what they
 * may not access is an error and no signal.
 */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define THREADS_MAX 4
#define STEPS_MAX 6
#define NUMBERS_MAX 6

enum { CLOSE, FILL, IOCTL, LOOK, MMAP, MPROTECT, MREMAP, MUNMAP, YIELD };

static const struct name calls[] = {
	{ "close", CLOSE },	{ "fill", FILL },	{ "ioctl", IOCTL },	{ "look", LOOK },
	{ "mmap", MMAP },	{ "mprotect", MPROTECT }, { "mremap", MREMAP },	{ "munmap", MUNMAP },
	{ "yield", YIELD },	{ 0 },
};

struct step {
	long call;
	uintptr_t numbers[NUMBERS_MAX];
	unsigned long ok, failed;
};

static struct thread {
	pthread_t id;
	bool begun;
	unsigned long rounds;
	int zeros, sink;	/* where bytes come from and go to */
	int count;
	struct step steps[STEPS_MAX];
} threads[THREADS_MAX];

static bool succeeds(const struct thread *thread, const struct step *step)
{
	const uintptr_t *n = step->numbers;
	void *at = (void *)n[0];

	switch (step->call) {
	case CLOSE:
		return close(n[0]) == 0;
	case FILL:
		return pread(thread->zeros, at, n[1], 0) == (ssize_t)n[1];
	case IOCTL:
		return ioctl(n[0], n[1], n[2]) >= 0;
	case LOOK:
		return pwrite(thread->sink, at, n[1], 0) == (ssize_t)n[1];
	case MMAP:
		return mmap(at, n[1], n[2], n[3], n[4], n[5]) != MAP_FAILED;
	case MPROTECT:
		return mprotect(at, n[1], n[2]) == 0;
	case MREMAP:
		return mremap(at, n[1], n[2], n[3], n[4]) != MAP_FAILED;
	case MUNMAP:
		return munmap(at, n[1]) == 0;
	default:
		return sched_yield() == 0;
	}
}

static void *work(void *context)
{
	struct thread *thread = context;

	for (unsigned long round = 0; round < thread->rounds; round++)
		for (int at = 0; at < thread->count; at++) {
			struct step *step = &thread->steps[at];

			if (succeeds(thread, step))
				step->ok++;
			else
				step->failed++;
		}
	return NULL;
}

/* `CALL [NUMBER]...`, with a semicolon between two. */
static void read_steps(struct request *request, struct thread *thread)
{
	struct step *step = NULL;
	int numbers = 0;

	for (int at = 1; arg_given(request, at) && !request_bad(request); at++) {
		if (strcmp(arg_text(request, at), ";") == 0) {
			step = NULL;
			continue;
		}
		if (step == NULL) {
			if (thread->count == STEPS_MAX) {
				request_complain(request, "more than %d calls", STEPS_MAX);
				return;
			}
			step = &thread->steps[thread->count++];
			step->call = arg_choice(request, at, calls);
			numbers = 0;
		} else if (numbers == NUMBERS_MAX) {
			request_complain(request, "more than %d numbers", NUMBERS_MAX);
		} else {
			step->numbers[numbers++] = arg_address(request, at);
		}
	}
	if (thread->count == 0)
		request_complain(request, "no call");
}

static void verb_thread_begin(struct request *request)
{
	struct thread fresh = { .rounds = arg_u64(request, 0), .zeros = -1, .sink = -1 };
	int at = 0;

	read_steps(request, &fresh);
	while (at < THREADS_MAX && threads[at].begun)
		at++;
	if (at == THREADS_MAX)
		request_complain(request, "%d threads are at work", THREADS_MAX);
	if (request_bad(request))
		return;
	fresh.zeros = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	fresh.sink = memfd_create("sink", MFD_CLOEXEC);
	fresh.begun = fresh.zeros >= 0 && fresh.sink >= 0;
	threads[at] = fresh;
	if (!fresh.begun || (errno = pthread_create(&threads[at].id, NULL, work, &threads[at])) != 0) {
		threads[at].begun = false;
		reply_error("beginning a thread");
		close(fresh.zeros);
		close(fresh.sink);
		return;
	}
	reply_u64("thread", at);
}

static void verb_thread_end(struct request *request)
{
	size_t at = arg_u64(request, 0);
	struct thread *thread = &threads[at % THREADS_MAX];

	if (at >= THREADS_MAX || !thread->begun)
		request_complain(request, "no such thread");
	if (request_bad(request))
		return;
	pthread_join(thread->id, NULL);
	thread->begun = false;
	close(thread->zeros);
	close(thread->sink);
	reply_open("steps", '[');
	for (int step = 0; step < thread->count; step++) {
		reply_open(NULL, '{');
		reply_u64("ok", thread->steps[step].ok);
		reply_u64("failed", thread->steps[step].failed);
		reply_close('}');
	}
	reply_close(']');
}

const struct verb thread_verbs[] = {
	{ "thread-begin", "ROUNDS CALL [NUMBER]... [; CALL [NUMBER]...]...",
	  "makes the calls over and over in a thread: close, fill, ioctl, look, mmap, mprotect, mremap, munmap, "
	  "yield",
	  verb_thread_begin },
	{ "thread-end", "THREAD", "waits for a thread, and tells how its calls ended", verb_thread_end },
	{ 0 },
};
