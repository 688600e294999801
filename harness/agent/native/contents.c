// SPDX-License-Identifier: MIT
/*
 * Verbs on what memory holds. Each touches exactly the bytes it was told to, from any address, and
 * a fault on the way is its answer.
 */
#include "agent.h"
#include "signature.h"

#include <stdlib.h>
#include <string.h>

#define PEEK_MOST (4u << 20)

/* Accesses of one width at any address; volatile: one access each, in order. */
typedef volatile uint8_t any8 __attribute__((may_alias));
typedef volatile uint16_t any16 __attribute__((may_alias, aligned(1)));
typedef volatile uint32_t any32 __attribute__((may_alias, aligned(1)));
typedef volatile uint64_t any64 __attribute__((may_alias, aligned(1)));

struct span {
	uintptr_t address;
	size_t bytes;
	uint8_t *data;		/* peek, poke */
	uintptr_t source;	/* copy, compare */
	uint64_t value;		/* byte, seed or value */
	uint64_t first;		/* index of the first pattern word */
	size_t mismatches;
	size_t where;		/* offset of the first mismatch */
	uint64_t expected, got;
};

static void *pointer(const struct span *span)
{
	return (void *)span->address;
}

/* The arguments every verb here begins with. */
static struct span arg_span(struct request *request)
{
	struct span span = { .address = arg_address(request, 0), .bytes = arg_size(request, 1) };

	if (!request_bad(request) && span.bytes > UINTPTR_MAX - span.address)
		request_complain(request, "the range wraps around the address space");
	return span;
}

static void load(void *context)
{
	struct span *span = context;

	switch (span->bytes) {
	case 1:
		span->got = *(any8 *)pointer(span);
		break;
	case 2:
		span->got = *(any16 *)pointer(span);
		break;
	case 4:
		span->got = *(any32 *)pointer(span);
		break;
	case 8:
		span->got = *(any64 *)pointer(span);
		break;
	}
}

static void store(void *context)
{
	struct span *span = context;

	switch (span->bytes) {
	case 1:
		*(any8 *)pointer(span) = span->value;
		break;
	case 2:
		*(any16 *)pointer(span) = span->value;
		break;
	case 4:
		*(any32 *)pointer(span) = span->value;
		break;
	case 8:
		*(any64 *)pointer(span) = span->value;
		break;
	}
}

static struct span arg_word(struct request *request)
{
	struct span span = arg_span(request);

	if (!request_bad(request) && span.bytes != 1 && span.bytes != 2 && span.bytes != 4 && span.bytes != 8)
		request_complain(request, "the width is 1, 2, 4 or 8");
	return span;
}

static void verb_load(struct request *request)
{
	struct span span = arg_word(request);

	if (!request_bad(request) && guarded(load, &span, pointer(&span)))
		reply_hex("value", span.got);
}

static void verb_store(struct request *request)
{
	struct span span = arg_word(request);

	span.value = arg_u64(request, 2);
	if (!request_bad(request) && span.bytes < 8 && span.value >> (8 * span.bytes))
		request_complain(request, "the value is wider than %zu bytes", span.bytes);
	if (!request_bad(request))
		guarded(store, &span, pointer(&span));
}

/* A naturally aligned word is exchanged in one atomic step; true tells that it was as expected. */
static void exchange(void *context)
{
	struct span *span = context;

	span->got = span->expected;
	if (span->bytes == 8)
		__atomic_compare_exchange_n((uint64_t *)pointer(span), &span->got, span->value, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	else {
		uint32_t seen = span->expected;

		__atomic_compare_exchange_n((uint32_t *)pointer(span), &seen, (uint32_t)span->value, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
		span->got = seen;
	}
}

static void verb_exchange(struct request *request)
{
	struct span span = arg_span(request);

	span.expected = arg_u64(request, 2);
	span.value = arg_u64(request, 3);
	if (!request_bad(request) && span.bytes != 4 && span.bytes != 8)
		request_complain(request, "the width is 4 or 8");
	if (!request_bad(request) && guarded(exchange, &span, pointer(&span)))
		reply_hex("value", span.got);
}

static void peek(void *context)
{
	struct span *span = context;

	memcpy(span->data, pointer(span), span->bytes);
}

static void poke(void *context)
{
	struct span *span = context;

	memcpy(pointer(span), span->data, span->bytes);
}

static void verb_peek(struct request *request)
{
	struct span span = arg_span(request);

	if (!request_bad(request) && span.bytes > PEEK_MOST)
		request_complain(request, "more than %u bytes", PEEK_MOST);
	if (request_bad(request))
		return;
	span.data = malloc(span.bytes + 1);
	if (!span.data)
		return reply_error("malloc");
	if (guarded(peek, &span, pointer(&span)))
		reply_bytes("data", span.data, span.bytes);
	free(span.data);
}

static void verb_poke(struct request *request)
{
	struct span span = { .address = arg_address(request, 0) };

	span.data = arg_hex(request, 1, &span.bytes);
	if (!request_bad(request))
		guarded(poke, &span, pointer(&span));
}

static void fill(void *context)
{
	struct span *span = context;

	memset(pointer(span), span->value, span->bytes);
}

static void verb_fill(struct request *request)
{
	struct span span = arg_span(request);

	span.value = arg_u64(request, 2);
	if (!request_bad(request) && span.value > 255)
		request_complain(request, "a byte is at most 255");
	if (!request_bad(request))
		guarded(fill, &span, pointer(&span));
}

static void copy(void *context)
{
	struct span *span = context;

	memmove(pointer(span), (const void *)span->source, span->bytes);
}

/* The destination comes first, as in memcpy(). A fault's offset counts from there. */
static void verb_copy(struct request *request)
{
	struct span span = arg_span(request);

	span.source = arg_address(request, 2);
	if (!request_bad(request))
		guarded(copy, &span, pointer(&span));
}

static void mismatch(struct span *span, size_t where, uint64_t expected, uint64_t got)
{
	if (span->mismatches++ == 0) {
		span->where = where;
		span->expected = expected;
		span->got = got;
	}
}

static void compare(void *context)
{
	struct span *span = context;
	const any8 *left = pointer(span), *right = (const any8 *)span->source;

	for (size_t at = 0; at < span->bytes; at++)
		if (left[at] != right[at])
			mismatch(span, at, right[at], left[at]);
}

static void scan_byte(void *context)
{
	struct span *span = context;
	const any8 *byte = pointer(span);
	const uint64_t expected = 0x0101010101010101ull * (span->value & 255);
	size_t at = 0;

	while (at < span->bytes) {
		/* By words where they are equal, by bytes to count the others. */
		if ((span->address + at) % 8 == 0 && span->bytes - at >= 8 &&
		    *(any64 *)(byte + at) == expected) {
			at += 8;
			continue;
		}
		if (byte[at] != span->value)
			mismatch(span, at, span->value, byte[at]);
		at++;
	}
}

static void pattern(void *context)
{
	struct span *span = context;
	any64 *word = pointer(span);

	for (size_t at = 0; at < span->bytes / 8; at++)
		word[at] = little_endian(pattern_word(span->value, span->first + at));
}

static void verify_pattern(void *context)
{
	struct span *span = context;
	const any64 *word = pointer(span);

	for (size_t at = 0; at < span->bytes / 8; at++) {
		uint64_t expected = pattern_word(span->value, span->first + at);
		uint64_t got = little_endian(word[at]);

		if (got != expected)
			mismatch(span, 8 * at, expected, got);
	}
}

/* The unit is one byte or one word; so are the mismatches counted. */
static void reply_comparison(const struct span *span, size_t unit)
{
	reply_u64("compared", span->bytes / unit);
	reply_u64("mismatches", span->mismatches);
	if (span->mismatches == 0)
		return;
	reply_open("first", '{');
	reply_u64("offset", span->where);
	reply_hex("expected", span->expected);
	reply_hex("got", span->got);
	reply_close('}');
}

static void verb_compare(struct request *request)
{
	struct span span = arg_span(request);

	span.source = arg_address(request, 2);
	if (!request_bad(request) && guarded(compare, &span, pointer(&span)))
		reply_comparison(&span, 1);
}

static void verb_scan_byte(struct request *request)
{
	struct span span = arg_span(request);

	span.value = arg_u64(request, 2);
	if (!request_bad(request) && span.value > 255)
		request_complain(request, "a byte is at most 255");
	if (!request_bad(request) && guarded(scan_byte, &span, pointer(&span)))
		reply_comparison(&span, 1);
}

static struct span arg_pattern(struct request *request)
{
	struct span span = arg_span(request);

	span.value = arg_u64(request, 2);
	span.first = arg_given(request, 3) ? arg_u64(request, 3) : 0;
	if (!request_bad(request) && span.bytes % 8)
		request_complain(request, "a pattern is made of whole words of 8 bytes");
	return span;
}

static void verb_pattern(struct request *request)
{
	struct span span = arg_pattern(request);

	if (!request_bad(request))
		guarded(pattern, &span, pointer(&span));
}

static void verb_verify_pattern(struct request *request)
{
	struct span span = arg_pattern(request);

	if (!request_bad(request) && guarded(verify_pattern, &span, pointer(&span)))
		reply_comparison(&span, 8);
}

const struct verb content_verbs[] = {
	{ "load", "ADDRESS WIDTH", "one load of 1, 2, 4 or 8 bytes", verb_load },
	{ "store", "ADDRESS WIDTH VALUE", "one store of 1, 2, 4 or 8 bytes", verb_store },
	{ "exchange", "ADDRESS WIDTH EXPECTED VALUE", "one atomic compare and exchange of 4 or 8 bytes",
	  verb_exchange },
	{ "peek", "ADDRESS BYTES", "the bytes in hexadecimal", verb_peek },
	{ "poke", "ADDRESS HEX", "stores bytes", verb_poke },
	{ "fill", "ADDRESS BYTES BYTE", "sets every byte, with memset()", verb_fill },
	{ "copy", "ADDRESS BYTES SOURCE", "copies from SOURCE to ADDRESS, with memmove()", verb_copy },
	{ "compare", "ADDRESS BYTES EXPECTED-AT", "compares two ranges byte by byte", verb_compare },
	{ "scan-byte", "ADDRESS BYTES BYTE", "looks for anything else", verb_scan_byte },
	{ "pattern", "ADDRESS BYTES SEED [FIRST-WORD]", "pseudo-random words", verb_pattern },
	{ "verify-pattern", "ADDRESS BYTES SEED [FIRST-WORD]", "compares with those words",
	  verb_verify_pattern },
	{ 0 },
};
