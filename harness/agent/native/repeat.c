// SPDX-License-Identifier: MIT
/*
 * Requests made over and over without a line for each: what hundreds of thousands of calls came to
 * is counted, and their answers are dropped. Children that repeat run at the same time.
 */
#include "agent.h"
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMES_MOST 10000000
#define STEPS_MOST 16
#define FAILURES_MOST 16

/* One of the requests, and how often it failed in which way. */
static struct step {
	char *line;
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
		if (end == at || count == STEPS_MOST) {
			request_complain(request, "1 to %d requests, not empty", STEPS_MOST);
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

/* Runs it once. False when it is no request at all; the answer says why. */
static bool run_step(struct step *step, unsigned long number)
{
	struct request request = { .number = number };
	char *line = strdup(step->line);
	uint64_t start = now();

	if (!line) {
		reply_error("strdup");
		return false;
	}
	reply_begin(number);
	serve_line(&request, line);
	step->ns += now() - start;
	free(line);
	if (request.bad || !request.verb)
		return false;
	if (reply_failed())
		count_failure(step, reply_failure());
	else
		step->ok++;
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
