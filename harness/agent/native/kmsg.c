// SPDX-License-Identifier: MIT
/*
 * The kernel's log: a bookmark written into it, and `agent kmsg`, which follows it from the oldest
 * record the kernel still has. One line per record, as /dev/kmsg gives it
 * (Documentation/ABI/testing/dev-kmsg); the lines of a record's dictionary follow behind tabs, which
 * a record never contains. The line `overrun` stands for records that were lost.
 */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RECORD_MOST 8192

static bool write_record(char *record, size_t bytes)
{
	while (bytes > 0 && record[bytes - 1] == '\n')
		bytes--;
	for (size_t at = 0; at + 1 < bytes; at++)
		if (record[at] == '\n') {
			record[at] = '\t';
			/* A dictionary line begins with a space. */
			if (record[at + 1] == ' ') {
				memmove(record + at + 1, record + at + 2, bytes - at - 2);
				bytes--;
			}
		}
	record[bytes++] = '\n';
	return write_all(STDOUT_FILENO, record, bytes);
}

/* Passes on every record there is now. */
static bool drain(int log)
{
	static char record[RECORD_MOST + 1];

	for (;;) {
		ssize_t got = read(log, record, RECORD_MOST);

		if (got > 0) {
			if (!write_record(record, got))
				return false;
		} else if (got < 0 && errno == EPIPE) {
			if (!write_all(STDOUT_FILENO, "overrun\n", 8))
				return false;
		} else if (got < 0 && errno == EINTR) {
			continue;
		} else if (got < 0 && errno == EAGAIN) {
			return true;
		} else {
			fprintf(stderr, "agent: reading /dev/kmsg: %s\n", got ? strerror(errno) : "its end");
			return false;
		}
	}
}

int follow_kernel_log(void)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	unsigned int waited = 0;
	char told[256];

	if (log < 0) {
		fprintf(stderr, "agent: opening /dev/kmsg: %s\n", strerror(errno));
		return 1;
	}
	for (;;) {
		struct pollfd streams[] = {
			{ .fd = log, .events = POLLIN },
			{ .fd = STDIN_FILENO, .events = POLLIN },
		};

		if (!drain(log))
			return 1;
		if (poll(streams, 2, -1) < 0 && errno != EINTR)
			return 1;
		/* Meanwhile the log is still followed. */
		if (streams[1].revents & POLLHUP && input_may_come_back(STDIN_FILENO, &waited))
			continue;
		waited = 0;
		if (!streams[1].revents)
			continue;
		ssize_t got = input_read(told, sizeof(told));

		if (got <= 0 || memchr(told, END_OF_INPUT, got))
			/* What was logged before our end is still ours to pass on. */
			return drain(log) ? 0 : 1;
	}
}

/*
 * Opened anew each time: the kernel limits the rate of records per open file
 * (kernel/printk/printk.c:devkmsg_write) and drops the others without a word. The newline ends the
 * record: one without may still be continued, and is not shown to readers until the next one comes
 * (kernel/printk/printk_ringbuffer.c:prb_commit).
 */
void verb_mark(struct request *request)
{
	const char *text = arg_text(request, 0);
	char record[RECORD_MOST];
	int length = snprintf(record, sizeof(record), "%s\n", text), log;

	if (!request_bad(request) && length >= RECORD_MOST)
		request_complain(request, "more than %d bytes", RECORD_MOST - 2);
	if (request_bad(request))
		return;
	log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (log < 0)
		return reply_error("open");
	/* One write() is one record; stdio would ask for the position first, which this file refuses. */
	if (write(log, record, length) < 0)
		reply_error("write");
	close(log);
}
