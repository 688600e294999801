// SPDX-License-Identifier: MIT
/*
 * A line taken apart: verb and arguments separated by spaces, other bytes as %XX, a lone % for an
 * empty argument. The decoded arguments lie in the line itself.
 */
#include "agent.h"

#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool request_complain(struct request *request, const char *format, ...)
{
	va_list arguments;

	if (!request->bad) {
		va_start(arguments, format);
		vsnprintf(request->complaint, sizeof(request->complaint), format, arguments);
		va_end(arguments);
	}
	request->bad = true;
	return false;
}

bool request_bad(const struct request *request)
{
	return request->bad;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes in place. A zero byte cannot be part of an argument. */
static bool percent_decode(char *text)
{
	char *to = text;

	if (strcmp(text, "%") == 0) {
		*text = '\0';
		return true;
	}
	for (const char *from = text; *from; from++) {
		if (*from != '%') {
			*to++ = *from;
			continue;
		}
		int high = digit(from[1]);
		int low = high < 0 ? -1 : digit(from[2]);

		if (low < 0 || (high | low) == 0)
			return false;
		*to++ = high << 4 | low;
		from += 2;
	}
	*to = '\0';
	return true;
}

/* Leaves the verb at the start of `line`. */
void request_parse(struct request *request, char *line)
{
	static char *copy;
	char *at;

	/* The relay of requests to a child needs the line as it came. */
	free(copy);
	at = strchr(line, ' ');
	copy = strdup(at ? at + 1 : "");
	request->rest = copy ? copy : "";
	if (!at)
		return;
	*at++ = '\0';
	while (*at) {
		char *argument = at;

		at += strcspn(at, " ");
		if (*at)
			*at++ = '\0';
		if (!*argument)
			continue;
		if (request->count == ARGUMENTS_MAX) {
			request_complain(request, "more than %d arguments", ARGUMENTS_MAX);
			return;
		}
		if (!percent_decode(argument)) {
			request_complain(request, "argument %d is not well encoded", request->count + 1);
			return;
		}
		request->arguments[request->count++] = argument;
	}
}

/* The usage says how many arguments a verb takes: one a word, any number after "...". */
bool request_fits_usage(struct request *request)
{
	const char *usage = request->verb->usage;
	int most = 0;

	if (strstr(usage, "..."))
		return true;
	while (*usage) {
		usage += strcspn(usage, " ");
		usage += strspn(usage, " ");
		most++;
	}
	if (request->count > most)
		return request_complain(request, "%d arguments, at most %d", request->count, most);
	return true;
}

bool arg_given(const struct request *request, int index)
{
	return index < request->count;
}

const char *arg_text(struct request *request, int index)
{
	if (arg_given(request, index))
		return request->arguments[index];
	request_complain(request, "argument %d is missing", index + 1);
	return "";
}

static bool parse_u64(const char *text, uint64_t *value)
{
	bool negative = *text == '-';
	unsigned int base = 10;
	uint64_t sum = 0;

	text += negative;
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	}
	if (!*text)
		return false;
	for (; *text; text++) {
		int next = digit(*text);

		if (next < 0 || (unsigned int)next >= base || __builtin_mul_overflow(sum, base, &sum) ||
		    __builtin_add_overflow(sum, next, &sum))
			return false;
	}
	if (negative && sum > (uint64_t)INT64_MAX + 1)
		return false;
	*value = negative ? -sum : sum;
	return true;
}

uint64_t arg_u64(struct request *request, int index)
{
	const char *text = arg_text(request, index);
	uint64_t value = 0;

	if (!request->bad && !parse_u64(text, &value))
		request_complain(request, "argument %d is not a 64-bit number: %.60s", index + 1, text);
	return request->bad ? 0 : value;
}

uintptr_t arg_address(struct request *request, int index)
{
	uint64_t value = arg_u64(request, index);

	if (value > UINTPTR_MAX)
		request_complain(request, "argument %d does not fit a pointer of this machine", index + 1);
	return request->bad ? 0 : value;
}

size_t arg_size(struct request *request, int index)
{
	return arg_address(request, index);
}

size_t arg_count(struct request *request, int index, size_t most)
{
	size_t value = arg_size(request, index);

	if (!request->bad && (value == 0 || value > most))
		request_complain(request, "argument %d is not between 1 and %zu", index + 1, most);
	return request->bad ? 0 : value;
}

int arg_int(struct request *request, int index)
{
	int64_t value = arg_u64(request, index);

	if (!request->bad && (value < INT_MIN || value > INT_MAX))
		request_complain(request, "argument %d is not a 32-bit number", index + 1);
	return request->bad ? 0 : value;
}

static bool lookup(const char *text, size_t length, const struct name *names, long *value)
{
	char word[64];
	uint64_t number;

	if (length >= sizeof(word))
		return false;
	memcpy(word, text, length);
	word[length] = '\0';
	for (; names->name; names++)
		if (strcmp(names->name, word) == 0) {
			*value = names->value;
			return true;
		}
	if (!parse_u64(word, &number))
		return false;
	*value = number;
	return true;
}

long arg_flags(struct request *request, int index, const struct name *names)
{
	const char *text = arg_text(request, index);
	long flags = 0, flag;

	while (!request->bad) {
		size_t length = strcspn(text, ",");

		if (!lookup(text, length, names, &flag)) {
			request_complain(request, "argument %d: unknown name %.*s", index + 1,
					 (int)(length > 60 ? 60 : length), text);
			break;
		}
		flags |= flag;
		if (!text[length])
			return flags;
		text += length + 1;
	}
	return 0;
}

long arg_choice(struct request *request, int index, const struct name *names)
{
	const char *text = arg_text(request, index);
	long value = 0;

	if (!request->bad && !lookup(text, strlen(text), names, &value))
		request_complain(request, "argument %d: unknown name %.60s", index + 1, text);
	return value;
}

const char *name_of(long value, const struct name *names)
{
	for (; names->name; names++)
		if (names->value == value)
			return names->name;
	return NULL;
}

/* Decodes over the text it came in: two digits become one byte. */
uint8_t *arg_hex(struct request *request, int index, size_t *bytes)
{
	uint8_t *data = (uint8_t *)arg_text(request, index);
	const char *text = (const char *)data;
	size_t length = strlen(text);

	*bytes = 0;
	if (request->bad)
		return NULL;
	if (length % 2) {
		request_complain(request, "argument %d has half a byte", index + 1);
		return NULL;
	}
	for (size_t at = 0; at < length / 2; at++) {
		int high = digit(text[2 * at]), low = digit(text[2 * at + 1]);

		if (high < 0 || low < 0) {
			request_complain(request, "argument %d is not hexadecimal", index + 1);
			return NULL;
		}
		data[at] = high << 4 | low;
	}
	*bytes = length / 2;
	return data;
}
