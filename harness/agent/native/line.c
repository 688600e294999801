// SPDX-License-Identifier: MIT
/*
 * `agent line`: runs programs for a host that is reached without a network, one after another, over
 * standard input in both directions: a virtio port in a guest. A port does not tell its other side who
 * closed it, nor carries it how a program ended; so what comes from here is framed by NULs, which the
 * programs that write to the port themselves never write (JSON, and the kernel's escaped log).
 *
 * From the host, a call: an empty line, and a line `MODE ENVIRONMENT ARGUMENTS BYTES INPUT` of CALL_BYTES bytes,
 * numbers in hexadecimal; then BYTES bytes, the variables and the arguments, each ended by a NUL; then:
 *   s   what the program reads: the port is its standard input and output
 *   r   INPUT bytes, which are all that it reads
 * To the host, where a word stands behind a NUL:
 *   ready              the next call may come; before there has been a host this waits for one
 *   out N, err N       N bytes of its output follow, in mode r; in mode s its output comes as it is
 *   end HOW N          how it ended, an exit code or a signal's name; mode s: N bytes, its last complaints
 */
#include "agent.h"

#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT STDIN_FILENO
#define CALL_BYTES 30
#define CALL_MOST (4u << 20)
#define COMPLAINTS_MOST 4096
#define PIECE 32768

struct call {
	char mode;
	unsigned int variables, arguments, bytes;
	unsigned int input;		/* bytes of it that have not come yet */
	char *text;
	char **words;			/* the variables, NULL, the arguments, NULL */
};

static bool read_all(void *to, size_t bytes)
{
	for (char *at = to; bytes > 0;) {
		ssize_t got = input_read(at, bytes);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		bytes -= got;
	}
	return true;
}

static bool tell(const char *word, const char *how, size_t bytes)
{
	char text[64];
	int length = snprintf(text, sizeof(text), "%c%s %s%s%zu\n", 0, word, how, *how ? " " : "", bytes);

	return write_all(PORT, text, length);
}

static bool split(struct call *call)
{
	char *at = call->text, *end = at + call->bytes;
	size_t word = 0;

	for (unsigned int left = call->variables + call->arguments; left > 0; left--) {
		char *stop = memchr(at, '\0', end - at);

		if (!stop)
			return false;
		call->words[word++] = at;
		word += word == call->variables;
		at = stop + 1;
	}
	return at == end;
}

static bool parse(const char *line, struct call *call)
{
	return sscanf(line, "%c %4x %4x %8x %8x", &call->mode, &call->variables, &call->arguments, &call->bytes,
		      &call->input) == 5 &&
	       (call->mode == 's' || call->mode == 'r') && call->variables && call->arguments &&
	       call->bytes <= CALL_MOST;
}

/* What a program that died has not read comes before a call. False when the host is gone. */
static bool receive_header(struct call *call)
{
	char line[CALL_BYTES];
	size_t bytes = 0;

	for (;;) {
		char byte;

		if (!read_all(&byte, 1))
			return false;
		if (byte != '\n') {
			if (bytes < CALL_BYTES)
				line[bytes++] = byte;
			continue;
		}
		if (bytes == CALL_BYTES - 1) {
			line[bytes] = '\0';
			if (parse(line, call))
				return true;
		}
		bytes = 0;
	}
}

static struct command command_of(const struct call *call)
{
	return (struct command){ .variables = call->words, .arguments = call->words + call->variables + 1 };
}

/* False when the host is gone, or talks of something else. */
static bool receive(struct call *call)
{
	if (!receive_header(call))
		return false;
	call->text = malloc(call->bytes + 1);
	call->words = calloc(call->variables + call->arguments + 2, sizeof(char *));
	return call->text && call->words && read_all(call->text, call->bytes) && split(call);
}

/* For want of memory or descriptors: the next one may have them. */
static bool tell_refusal(void)
{
	return tell("end", "126", 0);
}

static bool tell_end(int status, const char *complaints, size_t bytes)
{
	char how[24];

	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "SIG%s", sigabbrev_np(WTERMSIG(status)));
	else
		snprintf(how, sizeof(how), "%d", WEXITSTATUS(status));
	return tell("end", how, bytes) && write_all(PORT, complaints, bytes);
}

static void shut(int *fd)
{
	close(*fd);
	*fd = -1;
}

/* The last of what is there to be read; false at the end. */
static bool keep_last(int fd, char *kept, size_t *bytes)
{
	char piece[COMPLAINTS_MOST];
	ssize_t got = read(fd, piece, sizeof(piece));
	size_t over;

	if (got <= 0)
		return false;
	over = *bytes + got > COMPLAINTS_MOST ? *bytes + got - COMPLAINTS_MOST : 0;
	memmove(kept, kept + over, *bytes - over);
	memcpy(kept + *bytes - over, piece, got);
	*bytes += got - over;
	return true;
}

/*
 * The program has the port to itself until it ends. Nobody else may even poll it: whoever asks whether
 * there is something to read takes it off the queue, and who waits in read() is not woken up
 * (drivers/char/virtio_console.c: port_has_data, in_intr).
 */
static bool serve_call(const struct call *call)
{
	struct program program = { .pidfd = -1 };
	struct command command = command_of(call);
	char complaints[COMPLAINTS_MOST];
	size_t bytes = 0;
	int err[2];

	if (pipe2(err, O_CLOEXEC) < 0)
		return tell_refusal();
	if (!program_start(&program, &command, PORT, PORT, err[1])) {
		close(err[0]);
		return tell_refusal();
	}
	fcntl(err[0], F_SETFL, O_NONBLOCK);
	while (program.pidfd >= 0) {
		struct pollfd streams[] = {
			{ .fd = err[0], .events = POLLIN },
			{ .fd = program.pidfd, .events = POLLIN },
		};

		if (poll(streams, 2, -1) < 0)
			continue;
		if (streams[0].revents && !keep_last(err[0], complaints, &bytes))
			shut(&err[0]);
		if (streams[1].revents)
			program_reap(&program);
	}
	/* Whom it left behind could write into the next call. */
	program_stop(&program);
	while (err[0] >= 0 && keep_last(err[0], complaints, &bytes))
		;
	if (err[0] >= 0)
		close(err[0]);
	return tell_end(program.status, complaints, bytes);
}

/* Passes on what the program has written; false when the host has gone. */
static bool pass_on(int *fd, const char *word)
{
	static char piece[PIECE];
	ssize_t got = read(*fd, piece, sizeof(piece));

	if (got < 0 && errno == EINTR)
		return true;
	if (got > 0)
		return tell(word, "", got) && write_all(PORT, piece, got);
	shut(fd);
	return true;
}

/* What came for the program and was not taken yet. */
struct input {
	char piece[PIECE];
	size_t start, end;
};

/* One that does not want to read any more does not keep the rest from being taken off the line. */
static bool feed(struct program *program, struct input *input, struct call *call, bool readable)
{
	if (readable) {
		size_t most = call->input < PIECE ? call->input : PIECE;
		ssize_t got = input_read(input->piece, most);

		if (got <= 0)
			return got < 0 && errno == EINTR;
		call->input -= got;
		input->start = 0;
		input->end = got;
	}
	if (program->in >= 0 && input->start < input->end) {
		ssize_t wrote = write(program->in, input->piece + input->start, input->end - input->start);

		if (wrote > 0)
			input->start += wrote;
		else if (wrote < 0 && errno != EAGAIN && errno != EINTR)
			shut(&program->in);
	}
	if (program->in < 0)
		input->start = input->end;
	if (program->in >= 0 && input->start == input->end && call->input == 0)
		shut(&program->in);
	return true;
}

/* The program's streams are pipes; it is over when they are, too. False when the host has gone. */
static bool attend(struct program *program, struct call *call)
{
	static struct input input;
	unsigned int waited = 0;

	input.start = input.end = 0;
	fcntl(program->in, F_SETFL, O_NONBLOCK);
	while (feed(program, &input, call, false)) {
		bool wanting = call->input > 0 && input.start == input.end;
		struct pollfd streams[] = {
			{ .fd = PORT, .events = wanting ? POLLIN : 0 },
			{ .fd = input.start < input.end ? program->in : -1, .events = POLLOUT },
			{ .fd = program->out, .events = POLLIN },
			{ .fd = program->err, .events = POLLIN },
			{ .fd = program->pidfd, .events = POLLIN },
		};

		if (program->pidfd < 0 && program->out < 0 && program->err < 0 && call->input == 0)
			return true;
		if (poll(streams, 5, -1) < 0)
			continue;
		if (streams[0].revents & ~POLLIN) {
			if (!input_may_come_back(PORT, &waited))
				return false;
			continue;
		}
		waited = 0;
		if (streams[0].revents && !feed(program, &input, call, true))
			return false;
		if (streams[2].revents && !pass_on(&program->out, "out"))
			return false;
		if (streams[3].revents && !pass_on(&program->err, "err"))
			return false;
		if (streams[4].revents)
			program_reap(program);
	}
	return false;
}

static bool run_call(struct call *call)
{
	struct program program = { .pidfd = -1 };
	struct command command = command_of(call);
	int in[2], out[2], err[2];

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		return false;
	program.in = in[1];
	program.out = out[0];
	program.err = err[0];
	if (!program_start(&program, &command, in[0], out[1], err[1]))
		return false;
	if (attend(&program, call))
		return tell_end(program.status, "", 0);
	program_stop(&program);
	return false;
}

/* Serves calls until there is no host any more: one that has left does not come back. */
int answer_calls(void)
{
	int adjust = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	bool there = true;

	/* Killed for want of memory it would leave the host waiting for an answer. */
	if (adjust >= 0) {
		(void)!write(adjust, "-1000", 5);
		close(adjust);
	}
	while (there && write_all(PORT, "\0ready\n", 7)) {
		struct call call = { 0 };

		there = receive(&call) && (call.mode == 's' ? serve_call(&call) : run_call(&call));
		free(call.text);
		free(call.words);
	}
	return 0;
}
