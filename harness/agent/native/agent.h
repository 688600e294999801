// SPDX-License-Identifier: MIT
/*
 * The rig's one process on the target: what its parts offer each other.
 *
 * A request is one line, `verb argument argument...`; an answer is one line of JSON, in order.
 * A verb is a function that reads its arguments with arg_*() and writes its answer with reply_*().
 *
 * Included before any other header: files are of any size, also on 32-bit machines.
 */
#ifndef BUFRIG_AGENT_H
#define BUFRIG_AGENT_H

#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define AGENT_NAME "bufrig-agent"
#define AGENT_PROTOCOL 1

#define ARGUMENTS_MAX 64

/*
 * A byte that ends the input, at the beginning of a line: on a port (line.c) nothing else can, without
 * ending the output, too.
 */
#define END_OF_INPUT '\004'

/* One request while it is being served. */
struct request {
	unsigned long number;		/* 1 for the first line after the hello */
	const char *rest;		/* the line behind the verb, not decoded */
	int count;			/* arguments, the verb not counted */
	char *arguments[ARGUMENTS_MAX];	/* decoded */
	const struct verb *verb;
	bool bad;			/* an argument did not parse; nothing was done */
	char complaint[160];		/* which one, and why */
};

struct verb {
	const char *name;
	const char *usage;		/* the arguments, optional ones in brackets */
	const char *purpose;
	void (*run)(struct request *request);
};

/* Each table ends with an entry without a name. */
extern const struct verb file_verbs[], ioctl_verbs[], mapping_verbs[], content_verbs[], sign_verbs[],
	vma_verbs[], physical_verbs[], kcore_verbs[], process_verbs[], child_verbs[], measure_verbs[],
	measure_touch_verbs[], measure_exchange_verbs[], syscall_verbs[], bus_master_verbs[], repeat_verbs[],
	failing_verbs[], fuzz_verbs[], thread_verbs[], settle_verbs[];

/* main.c */
int serve(void);			/* serves stdin until it ends; returns the exit code */
void serve_line(struct request *request, char *line);	/* into the answer being written */
void list_verbs(void);			/* into the answer being written: an array of names */
const char *current_request(void);	/* for last words; "" between requests */

/* kmsg.c: the subcommand that follows the kernel's log. */
int follow_kernel_log(void);
void verb_mark(struct request *request);

/* renew.c: the subcommand for a guest that was restored. */
int renew(const char *now);

/* put.c: the subcommand that writes a file. */
int put_file(const char *path);

/* line.c: the subcommand that runs programs for a host beyond a port. */
int answer_calls(void);

/* input.c: lines from stdin. */
bool input_may_come_back(int fd, unsigned int *waited);	/* waits a little; milliseconds are added up */
ssize_t input_read(void *to, size_t bytes);	/* read() of stdin, whatever is behind it */
char *input_line(void);			/* next line, without its end, until the next call; or NULL */
bool input_has_line(void);
void input_fill(void);			/* one read() of what is there */
bool input_may_grow(void);
void input_reset(void);			/* forget everything, in a new child */
short wait_for(int fd, short events, int milliseconds);

/* request.c: arguments. On a bad one these set request->bad and return 0; look before acting. */
void request_parse(struct request *request, char *line);
bool request_fits_usage(struct request *request);
bool request_bad(const struct request *request);
bool request_complain(struct request *request, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

struct name {
	const char *name;
	long value;
};

bool arg_given(const struct request *request, int index);
const char *arg_text(struct request *request, int index);
uint64_t arg_u64(struct request *request, int index);
uintptr_t arg_address(struct request *request, int index);
size_t arg_size(struct request *request, int index);
/* A count between 1 and `most`, so that no request can ask for an endless answer. */
size_t arg_count(struct request *request, int index, size_t most);
int arg_int(struct request *request, int index);
/* Names or numbers joined by commas, or-ed together. */
long arg_flags(struct request *request, int index, const struct name *names);
/* Exactly one of the names, or a number. */
long arg_choice(struct request *request, int index, const struct name *names);
/* Bytes in hexadecimal; the result lives as long as the request. */
uint8_t *arg_hex(struct request *request, int index, size_t *bytes);
const char *name_of(long value, const struct name *names);	/* or NULL */

/* reply.c: the answer. Everything written after an error, fault or usage is dropped. */
void reply_begin(unsigned long number);
void reply_end(void);
bool reply_failed(void);
const char *reply_failure(void);	/* errno or signal by name; NULL when there was none */
/* Takes a number out of the answer in the making; false when it says nothing of the kind. */
bool reply_told(const char *key, uint64_t *value);
void reply_flush(void);
bool reply_is_due(void);		/* a finished answer has waited for a millisecond, or much has */
/* The same for who cannot let requests in meanwhile: a signal handler, or before execve(). */
void reply_last_words(void);
void reply_reset(void);			/* forget everything, in a new child */

void reply_error(const char *call);	/* from errno */
void reply_usage(const char *text);
void reply_u64(const char *key, uint64_t value);	/* a count; stays below 2^53 */
void reply_i64(const char *key, int64_t value);
void reply_hex(const char *key, uint64_t value);	/* an address or a 64-bit value: "0x..." */
void reply_bool(const char *key, bool value);
void reply_text(const char *key, const char *text);
void reply_text_n(const char *key, const char *text, size_t bytes);
void reply_bytes(const char *key, const uint8_t *data, size_t bytes);
void reply_null(const char *key);
void reply_raw(const char *key, const char *json, size_t bytes);
/* Inside an array the key is NULL. */
void reply_open(const char *key, char bracket);
void reply_close(char bracket);

/* fault.c: SIGBUS, SIGSEGV and SIGILL inside `body` become the answer; false when one came. */
void fault_install(void);
bool guarded(void (*body)(void *), void *context, const volatile void *base);

/* mappings.c: mmap() with any offset; false when the request cannot be put to a 32-bit kernel. */
bool map_memory(struct request *request, uintptr_t address, size_t bytes, int protection, int flags,
		int fd, uint64_t offset, void **mapped);
int arg_protection(struct request *request, int index);
int arg_map_flags(struct request *request, int index);

/* ioctls.c: takes what the last successful ioctl left in its argument; 0 bytes when it was taken. */
size_t ioctl_argument(uint8_t *data, size_t most);

/* failing.c: around each request. */
void failing_begin(void);
void failing_end(void);
void failing_over(void);		/* the rest of the request is the agent's own business */
void failing_reset(void);		/* in a new child */

/* clock.c */
uint64_t now(void);			/* ns, CLOCK_MONOTONIC_RAW */

/* text.c: what the kernel tells in text files. */
struct lines {
	int fd;
	int error;		/* the errno that reading ended with, or 0 */
	size_t start, end;
	char buffer[8192];
};
bool lines_open(struct lines *lines, const char *path);
char *lines_next(struct lines *lines);	/* NULL at the end; a longer line is cut */
bool lines_close(struct lines *lines);	/* false, with errno, when not all could be read */
bool write_all(int fd, const void *data, size_t bytes);

size_t page_bytes(void);

#endif
