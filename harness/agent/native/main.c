// SPDX-License-Identifier: MIT
/*
 * The loop: hello, then one answer per line until stdin ends.
 *
 *   agent         serves requests
 *   agent kmsg    follows the kernel's log
 *   agent renew   makes a restored guest one of its own
 *   agent put     writes standard input into a file
 *   agent line    runs programs, itself among them, for a host beyond a guest's port
 */
#include "agent.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <unistd.h>

static void verb_help(struct request *request);

static const struct verb main_verbs[] = {
	{ "help", "", "lists the verbs", verb_help },
	{ "mark", "TEXT", "writes TEXT to the kernel's log", verb_mark },
	{ 0 },
};

static const struct verb *const tables[] = {
	main_verbs, file_verbs, ioctl_verbs, mapping_verbs, content_verbs, sign_verbs, vma_verbs,
	physical_verbs, kcore_verbs, process_verbs, child_verbs, measure_verbs, measure_touch_verbs,
	measure_exchange_verbs, syscall_verbs, bus_master_verbs, repeat_verbs, failing_verbs, fuzz_verbs, thread_verbs,
	settle_verbs,
};

#define TABLES (sizeof(tables) / sizeof(tables[0]))

static const char *serving = "";

const char *current_request(void)
{
	return serving;
}

static const struct verb *find_verb(const char *name)
{
	for (size_t table = 0; table < TABLES; table++)
		for (const struct verb *verb = tables[table]; verb->name; verb++)
			/* Looked through for each request, and strcmp() is a call. */
			if (*verb->name == *name && strcmp(verb->name, name) == 0)
				return verb;
	return NULL;
}

void list_verbs(void)
{
	for (size_t table = 0; table < TABLES; table++)
		for (const struct verb *verb = tables[table]; verb->name; verb++)
			reply_text(NULL, verb->name);
}

static void verb_help(struct request *request)
{
	(void)request;
	reply_open("verbs", '[');
	for (size_t table = 0; table < TABLES; table++)
		for (const struct verb *verb = tables[table]; verb->name; verb++) {
			reply_open(NULL, '{');
			reply_text("verb", verb->name);
			reply_text("arguments", verb->usage);
			reply_text("purpose", verb->purpose);
			reply_close('}');
		}
	reply_close(']');
}

static void hello(void)
{
	struct utsname name;

	reply_begin(0);
	reply_text("name", AGENT_NAME);
	reply_u64("protocol", AGENT_PROTOCOL);
	reply_u64("pid", getpid());
	reply_u64("pageBytes", page_bytes());
	reply_u64("pointerBytes", sizeof(void *));
	if (uname(&name) == 0) {
		reply_text("machine", name.machine);
		reply_text("kernelRelease", name.release);
	}
	reply_open("verbs", '[');
	list_verbs();
	reply_close(']');
	reply_end();
	reply_flush();
}

static void complain(const struct request *request)
{
	char text[512];

	snprintf(text, sizeof(text), "%s%s%s: %s", request->verb->name, *request->verb->usage ? " " : "",
		 request->verb->usage, request->complaint);
	reply_usage(text);
}

void serve_line(struct request *request, char *line)
{
	request_parse(request, line);
	if (!request->bad)
		request->verb = find_verb(line);
	if (request->bad) {
		reply_usage(request->complaint);
	} else if (!request->verb) {
		reply_usage("no such verb; help lists them");
	} else {
		if (request_fits_usage(request)) {
			failing_begin();
			request->verb->run(request);
			failing_end();
		}
		if (request->bad)
			complain(request);
	}
}

static void answer(unsigned long number, char *line)
{
	struct request request = { .number = number };

	reply_begin(number);
	serve_line(&request, line);
	reply_end();
}

int serve(void)
{
	unsigned long number = 0;
	char *line;

	hello();
	while ((line = input_line())) {
		serving = line;
		answer(++number, line);
		serving = "";
		/*
		 * Answers to requests that came together leave together: a write for each takes three
		 * times as long. But none is kept back for long: when the next request hangs in the
		 * kernel, the client must be able to tell about where.
		 */
		if (!input_has_line() || reply_is_due())
			reply_flush();
	}
	/* The line that ends the input looked like a further request. */
	reply_flush();
	return 0;
}

size_t page_bytes(void)
{
	static size_t bytes;

	if (!bytes)
		bytes = sysconf(_SC_PAGESIZE);
	return bytes;
}

/* The program's own first-touch faults must not be counted as those of the memory under test. */
static void warm_text(void)
{
	extern const char __executable_start, etext;

	for (const volatile char *at = &__executable_start; at < &etext; at += page_bytes())
		(void)*at;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc == 2 && strcmp(argv[1], "kmsg") == 0)
		return follow_kernel_log();
	if (argc == 3 && strcmp(argv[1], "renew") == 0)
		return renew(argv[2]);
	if (argc == 3 && strcmp(argv[1], "put") == 0)
		return put_file(argv[2]);
	if (argc == 2 && strcmp(argv[1], "line") == 0)
		return answer_calls();
	if (argc != 1) {
		fprintf(stderr, "usage: %s [kmsg | renew SECONDS.MMM | put FILE | line]\n", argv[0]);
		return 2;
	}
	/* Blocked in a driver nobody sees the end of stdin; the end of who started us is the same. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fault_install();
	warm_text();
	return serve();
}
