// SPDX-License-Identifier: MIT
/*
 * Answers as lines of JSON. A verb writes the members of its result as it learns them; when it
 * fails half-way, the line is taken back to its start and says the failure instead: a result or an
 * error, never both.
 */
#include "agent.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A pipe or socket that polls writable takes this much without blocking. */
#define WRITE_BYTES 4096

#define DUE_NS 1000000
#define DUE_BYTES 65536

static char *buffer;
static size_t capacity, used;
static size_t line_start;	/* before this, answers are finished */
static volatile sig_atomic_t flushing;	/* some of them may be on their way already */
static uint64_t oldest;		/* when the first of them was */
static unsigned long line_number;
static bool failed;
static char failure[24];	/* errno or signal by name, while `failed` */
static bool comma;		/* the next member needs one before it */

static void put(const char *text, size_t bytes)
{
	if (used + bytes > capacity) {
		capacity = (used + bytes) * 2 + 4096;
		buffer = realloc(buffer, capacity);
		if (!buffer) {
			fprintf(stderr, "agent: no memory for an answer of %zu bytes\n", used + bytes);
			_exit(3);
		}
	}
	memcpy(buffer + used, text, bytes);
	used += bytes;
}

static void put_text(const char *text)
{
	put(text, strlen(text));
}

/* Every answer has several: snprintf() would be half of what a small one costs. */
static void put_number(uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = '0' + value % 10;
	while (value /= 10);
	put(digits + at, sizeof(digits) - at);
}

static void put_quoted(const char *text, size_t bytes)
{
	char escape[8];

	put("\"", 1);
	for (const char *end = text + bytes; text < end;) {
		const char *from = text;

		while (text < end && *text >= ' ' && *text < 0x7f && *text != '"' && *text != '\\')
			text++;
		put(from, text - from);
		if (text == end)
			break;
		/* A byte that is not ASCII becomes the character with its number. */
		snprintf(escape, sizeof(escape), "\\u%04x", (unsigned char)*text++);
		put_text(escape);
	}
	put("\"", 1);
}

static void member(const char *key)
{
	if (comma)
		put(",", 1);
	comma = true;
	if (!key)
		return;
	put_quoted(key, strlen(key));
	put(":", 1);
}

static void start_line(const char *kind)
{
	used = line_start;
	put_text("{\"n\":");
	put_number(line_number);
	put_text(",\"");
	put_text(kind);
	put_text("\":");
	comma = false;
}

void reply_begin(unsigned long number)
{
	line_number = number;
	failed = false;
	start_line("ok");
	put("{", 1);
}

void reply_end(void)
{
	if (!failed)
		put("}", 1);
	put("}\n", 2);
	if (line_start == 0)
		oldest = now();
	line_start = used;
}

/* An answer in the making stays. */
static void reply_drop_finished(void)
{
	memmove(buffer, buffer + line_start, used - line_start);
	used -= line_start;
	line_start = 0;
}

bool reply_is_due(void)
{
	return line_start > DUE_BYTES || (line_start > 0 && now() - oldest > DUE_NS);
}

bool reply_failed(void)
{
	return failed;
}

const char *reply_failure(void)
{
	return failed ? failure : NULL;
}

bool reply_told(const char *key, uint64_t *value)
{
	char quoted[40];
	size_t length = snprintf(quoted, sizeof(quoted), "\"%s\":", key);
	const char *at;

	put("", 1);	/* an end for strtoull() */
	used--;
	at = memmem(buffer + line_start, used - line_start, quoted, length);
	if (!at)
		return false;
	at += length;
	*value = strtoull(at + (*at == '"'), NULL, 0);
	return true;
}

void reply_reset(void)
{
	used = line_start = 0;
}

static void note_failure(const char *name)
{
	failed = true;
	snprintf(failure, sizeof(failure), "%s", name);
}

void reply_error(const char *call)
{
	int number = errno;
	const char *name = strerrorname_np(number);

	if (failed)
		return;
	start_line("error");
	put("{", 1);
	reply_text("errno", name ? name : "?");
	reply_i64("number", number);
	reply_text("call", call);
	put("}", 1);
	note_failure(name ? name : "?");
}

void reply_usage(const char *text)
{
	if (failed)
		return;
	start_line("usage");
	put_quoted(text, strlen(text));
	note_failure("usage");
}

/* fault.c: the members of a fault follow, and reply_fault_close() with the signal's name. */
void reply_fault_open(void)
{
	start_line("fault");
	put("{", 1);
}

void reply_fault_close(const char *signal)
{
	put("}", 1);
	note_failure(signal);
}

void reply_raw(const char *key, const char *json, size_t bytes)
{
	if (failed)
		return;
	member(key);
	put(json, bytes);
}

static void reply_printed(const char *key, const char *text)
{
	reply_raw(key, text, strlen(text));
}

void reply_u64(const char *key, uint64_t value)
{
	if (failed)
		return;
	member(key);
	put_number(value);
}

void reply_i64(const char *key, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	reply_printed(key, text);
}

void reply_hex(const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "\"0x%" PRIx64 "\"", value);
	reply_printed(key, text);
}

void reply_bool(const char *key, bool value)
{
	reply_printed(key, value ? "true" : "false");
}

void reply_null(const char *key)
{
	reply_printed(key, "null");
}

void reply_text_n(const char *key, const char *text, size_t bytes)
{
	if (failed)
		return;
	member(key);
	put_quoted(text, bytes);
}

void reply_text(const char *key, const char *text)
{
	reply_text_n(key, text, strlen(text));
}

void reply_bytes(const char *key, const uint8_t *data, size_t bytes)
{
	static const char digits[] = "0123456789abcdef";

	if (failed)
		return;
	member(key);
	put("\"", 1);
	for (size_t at = 0; at < bytes; at++) {
		char pair[2] = { digits[data[at] >> 4], digits[data[at] & 15] };

		put(pair, 2);
	}
	put("\"", 1);
}

void reply_open(const char *key, char bracket)
{
	if (failed)
		return;
	member(key);
	put(&bracket, 1);
	comma = false;
}

void reply_close(char bracket)
{
	if (failed)
		return;
	put(&bracket, 1);
	comma = true;
}

/*
 * Writes the finished answers; while the reader is slow, takes in its requests, or it might never
 * come to read.
 */
void reply_flush(void)
{
	size_t written = 0;

	flushing = 1;
	while (written < line_start) {
		struct pollfd streams[] = {
			{ .fd = STDOUT_FILENO, .events = POLLOUT },
			{ .fd = input_may_grow() ? STDIN_FILENO : -1, .events = POLLIN },
		};
		size_t bytes = line_start - written < WRITE_BYTES ? line_start - written : WRITE_BYTES;
		ssize_t wrote;

		if (poll(streams, 2, -1) < 0 && errno != EINTR)
			break;
		if (!streams[0].revents) {
			if (streams[1].revents)
				input_fill();
			continue;
		}
		wrote = write(STDOUT_FILENO, buffer + written, bytes);
		if (wrote > 0)
			written += wrote;
		else if (wrote < 0 && errno != EINTR && errno != EAGAIN)
			_exit(4);	/* nobody reads any more */
	}
	reply_drop_finished();
	flushing = 0;
}

/* In a signal's handler, too. A signal that somebody sent may come between the writing and the dropping. */
void reply_last_words(void)
{
	if (flushing)
		return;
	write_all(STDOUT_FILENO, buffer, line_start);
	reply_drop_finished();
}
