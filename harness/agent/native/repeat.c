// SPDX-License-Identifier: MIT
/*
 * Requests made over and over without a line for each: what hundreds of thousands of calls came to
 * is counted, and their answers are dropped. Children that repeat run at the same time.
 *
 * A request can refer to what an ioctl before it in the same round left in its argument: `$1:48:8` is
 * the little-endian number of 8 bytes at byte 48 that the first request left, and `<1:36:4>`, in the
 * middle of an ioctl's bytes, is those four bytes as they are.
 */
#include "agent.h"
#include "measure.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMES_MOST 10000000
#define STEPS_MOST 16
#define FAILURES_MOST 16
#define LINE_MOST 1024
#define DATA_MOST 256

/* One of the requests, what it left this time, and how often it failed in which way. */
static struct step {
	char *line;
	uint8_t data[DATA_MOST];
	size_t bytes;
	uint64_t ok;
	uint64_t ns;		/* of all rounds, with what it takes to read the line */
	struct {
		char name[24];
		uint64_t times;
	} failures[FAILURES_MOST];
} steps[STEPS_MOST];

static void forget_steps(unsigned int count)
{
	while (count--) {
		free(steps[count].line);
		steps[count] = (struct step){ 0 };
	}
}

/* Takes the requests, separated by a lone `;`, from the line behind the count. 0 when it is none. */
static unsigned int take_steps(struct request *request)
{
	const char *at = request->rest + strspn(request->rest, " ");
	unsigned int count = 0;

	at += strcspn(at, " ");
	while (*at) {
		const char *end;

		at += strspn(at, " ");
		end = strstr(at, " ; ");
		if (!end)
			end = at + strlen(at);
		if (end == at || end - at > LINE_MOST || count == STEPS_MOST) {
			request_complain(request, "1 to %d requests of 1 to %d bytes", STEPS_MOST, LINE_MOST);
			break;
		}
		steps[count].line = strndup(at, end - at);
		if (!steps[count++].line) {
			reply_error("strndup");
			break;
		}
		at = *end ? end + 2 : end;
	}
	if (!count)
		request_complain(request, "no request to repeat");
	return count;
}

static void count_failure(struct step *step, const char *name)
{
	int at = 0;

	/* The last entry counts whatever found no other. */
	while (at < FAILURES_MOST - 1 && step->failures[at].times && strcmp(step->failures[at].name, name))
		at++;
	snprintf(step->failures[at].name, sizeof(step->failures[at].name), "%s",
		 at == FAILURES_MOST - 1 ? "others" : name);
	step->failures[at].times++;
}

/* Puts what a reference names behind `to`; returns the reference's end, or NULL when it names nothing. */
static const char *expand(const char *from, char *to)
{
	bool raw = *from == '<';
	unsigned int at, offset, bytes;
	uint64_t value = 0;
	int length = 0;

	if (sscanf(from + 1, "%u:%u:%u%n", &at, &offset, &bytes, &length) != 3 || at < 1 || at > STEPS_MOST ||
	    bytes < 1 || bytes > sizeof(value) || offset > steps[at - 1].bytes || bytes > steps[at - 1].bytes - offset ||
	    (raw && from[1 + length] != '>'))
		return NULL;
	for (unsigned int i = 0; i < bytes; i++) {
		uint8_t byte = steps[at - 1].data[offset + i];

		value |= (uint64_t)byte << 8 * i;
		if (raw)
			to += sprintf(to, "%02x", byte);
	}
	if (!raw)
		sprintf(to, "0x%" PRIx64, value);
	return from + 1 + length + raw;
}

/* The request as it is in this round; NULL, with a failure counted, when it refers to nothing. */
static char *line_of(struct step *step)
{
	static char line[LINE_MOST + 32];
	const char *from = step->line;
	size_t used = 0;

	while (*from && used < LINE_MOST) {
		if (*from != '$' && *from != '<') {
			line[used++] = *from++;
			continue;
		}
		from = expand(from, line + used);
		if (!from) {
			count_failure(step, "no-reference");
			return NULL;
		}
		used += strlen(line + used);
	}
	line[used] = '\0';
	return line;
}

/* Runs it once. False when it is no request at all; the answer says why. */
static bool run_step(struct step *step, unsigned long number)
{
	struct request request = { .number = number };
	uint64_t start;
	char *line;

	step->bytes = 0;
	line = line_of(step);
	if (!line)
		return true;
	start = now();
	reply_begin(number);
	serve_line(&request, line);
	step->ns += now() - start;
	if (request.bad || !request.verb)
		return false;
	if (reply_failed()) {
		count_failure(step, reply_failure());
		return true;
	}
	step->ok++;
	step->bytes = ioctl_argument(step->data, sizeof(step->data));
	return true;
}

static void reply_steps(unsigned int count)
{
	reply_open("steps", '[');
	for (unsigned int at = 0; at < count; at++) {
		reply_open(NULL, '{');
		reply_u64("ok", steps[at].ok);
		reply_open("failed", '{');
		for (int kind = 0; kind < FAILURES_MOST && steps[at].failures[kind].times; kind++)
			reply_u64(steps[at].failures[kind].name, steps[at].failures[kind].times);
		reply_close('}');
		reply_close('}');
	}
	reply_close(']');
	reply_open("ns", '[');
	for (unsigned int at = 0; at < count; at++)
		reply_u64(NULL, steps[at].ns);
	reply_close(']');
}

static void verb_repeat(struct request *request)
{
	static bool busy;
	size_t times = arg_count(request, 0, TIMES_MOST);
	unsigned int count;
	bool good = true;

	if (busy)
		request_complain(request, "a repetition in a repetition");
	if (request_bad(request))
		return;
	count = take_steps(request);
	if (request_bad(request) || reply_failed())
		return forget_steps(count);
	ioctl_argument(steps[0].data, 0);
	busy = true;
	for (size_t round = 0; good && round < times; round++)
		for (unsigned int at = 0; good && at < count; at++)
			good = run_step(&steps[at], request->number);
	busy = false;
	if (good) {
		reply_begin(request->number);
		reply_steps(count);
	}
	forget_steps(count);
}

const struct verb repeat_verbs[] = {
	{ "repeat", "TIMES REQUEST ...",
	  "requests separated by a lone ; over and over; answers how often each failed, and the time each took",
	  verb_repeat },
	{ 0 },
};
