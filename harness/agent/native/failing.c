// SPDX-License-Identifier: MIT
/*
 * Lets allocations inside the kernel fail while a request is carried out, and at no other time: the answer
 * has to get out. Either the n-th one of each request, for which the kernel counts, or whatever it has been set
 * to let fail (Documentation/fault-injection/fault-injection.rst: fail-nth, make-it-fail).
 */
#include "agent.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#if defined(__has_include) && __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#endif

/* Of the calling thread, so that a forked child opens its own. */
#define FAIL_NTH "/proc/thread-self/fail-nth"
#define MAKE_IT_FAIL "/proc/thread-self/make-it-fail"

#define STACK_ROOM (128 * 1024)

static unsigned long nth;
static unsigned long failed;
static unsigned long most;		/* allocations counted in one request */
static int counter = -1;
static int made_to_fail = -1;		/* MAKE_IT_FAIL while it is wanted */
static int depth;			/* a repetition is a request that serves requests */

/* A stack that has to grow and finds no memory for it is the end of its process. */
static void grow_stack(void)
{
	volatile char room[STACK_ROOM];

	for (size_t at = 0; at < sizeof(room); at += 1024)
		room[at] = 0;
}

/*
 * On its way back to a process the kernel writes to what the C library registered for restartable sequences. After a
 * fork that is a page to be copied, and a failure to do so kills (kernel/rseq.c: __rseq_handle_notify_resume).
 */
static void leave_restartable_sequences(void)
{
#ifdef RSEQ_SIG
	char *registered = (char *)__builtin_thread_pointer() + __rseq_offset;

	/* Who has left already is told so. */
	if (__rseq_size)
		(void)!syscall(SYS_rseq, registered, sizeof(struct rseq), RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
#endif
}

/* Right before a request is carried out: what the agent itself allocates must not be counted. */
void failing_begin(void)
{
	if (depth++ || (!nth && made_to_fail < 0))
		return;
	grow_stack();
	if (made_to_fail >= 0)
		(void)!pwrite(made_to_fail, "1", 1, 0);
	if (!nth)
		return;
	counter = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	if (counter >= 0)
		dprintf(counter, "%lu", nth);
}

/* The kernel counts down and stays at 0 once it has let one fail. */
void failing_over(void)
{
	char text[24] = "";
	unsigned long left;

	if (made_to_fail >= 0)
		(void)!pwrite(made_to_fail, "0", 1, 0);
	if (counter < 0)
		return;
	if (pread(counter, text, sizeof(text) - 1, 0) > 0) {
		left = strtoul(text, NULL, 10);
		if (left == 0)
			failed++;
		if (nth - left > most)
			most = nth - left;
	}
	(void)!pwrite(counter, "0", 1, 0);
	close(counter);
	counter = -1;
}

void failing_end(void)
{
	if (--depth == 0)
		failing_over();
}

static void close_if_open(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* A child is born in the middle of its parent's request, and nobody lets its allocations fail. */
void failing_reset(void)
{
	int own = made_to_fail < 0 ? -1 : open(MAKE_IT_FAIL, O_RDWR | O_CLOEXEC);

	if (own >= 0) {
		(void)!pwrite(own, "0", 1, 0);
		close(own);
	}
	close_if_open(&counter);
	close_if_open(&made_to_fail);
	depth = 0;
	nth = failed = most = 0;
}

static void verb_fail_nth(struct request *request)
{
	unsigned long wanted = arg_u64(request, 0);

	if (request_bad(request))
		return;
	if (wanted && access(FAIL_NTH, W_OK))
		return reply_error("access");
	if (wanted)
		leave_restartable_sequences();
	reply_u64("failed", failed);
	reply_u64("counted", most);
	nth = wanted;
	failed = most = 0;
}

static void verb_make_it_fail(struct request *request)
{
	unsigned long wanted = arg_u64(request, 0);

	if (request_bad(request))
		return;
	if (made_to_fail >= 0) {
		(void)!pwrite(made_to_fail, "0", 1, 0);
		close_if_open(&made_to_fail);
	}
	if (!wanted)
		return;
	leave_restartable_sequences();
	made_to_fail = open(MAKE_IT_FAIL, O_RDWR | O_CLOEXEC);
	if (made_to_fail < 0)
		reply_error("open");
}

const struct verb failing_verbs[] = {
	{ "fail-nth", "N",
	  "from the next request on the kernel's N-th allocation in each one fails, 0 ends that; "
	  "answers in how many requests one failed since the last time, and up to which one of a request "
	  "the kernel counted",
	  verb_fail_nth },
	{ "make-it-fail", "1|0",
	  "from the next request on what the kernel was set to let fail (task-filter) fails while one is "
	  "carried out; 0 ends that",
	  verb_make_it_fail },
	{ 0 },
};
