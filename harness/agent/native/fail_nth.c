// SPDX-License-Identifier: MIT
/*
 * Lets allocations inside the kernel fail: the n-th one of each request that follows. The kernel
 * counts for the calling thread only and stops after one (Documentation/fault-injection, fail-nth).
 */
#include "agent.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Of the calling thread, so that a forked child opens its own. */
#define FAIL_NTH "/proc/thread-self/fail-nth"

static unsigned long nth;
static unsigned long failed;
static unsigned long most;		/* allocations counted in one request */
static int counter = -1;
static int depth;			/* a repetition is a request that serves requests */

/* Right before a request is carried out: what the agent itself allocates must not be counted. */
void fail_nth_begin(void)
{
	if (depth++ || !nth)
		return;
	counter = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	if (counter >= 0)
		dprintf(counter, "%lu", nth);
}

/* The kernel counts down and stays at 0 once it has let one fail. */
void fail_nth_end(void)
{
	char text[24] = "";
	unsigned long left;

	if (--depth || counter < 0)
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

/* A child is born in the middle of its parent's request, and nobody lets its allocations fail. */
void fail_nth_reset(void)
{
	if (counter >= 0)
		close(counter);
	counter = -1;
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
	reply_u64("failed", failed);
	reply_u64("counted", most);
	nth = wanted;
	failed = most = 0;
}

const struct verb fail_nth_verbs[] = {
	{ "fail-nth", "N",
	  "from the next request on the kernel's N-th allocation in each one fails, 0 ends that; "
	  "answers in how many requests one failed since the last time, and up to which one of a request "
	  "the kernel counted",
	  verb_fail_nth },
	{ 0 },
};
