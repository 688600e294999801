// SPDX-License-Identifier: MIT
/*
 * Page signatures, and the touching of pages. A signature is made in registers and stored straight
 * into the page: a witness that searches physical memory for it must find the page and nothing else.
 */
#include "agent.h"
#include "signature.h"

#include <sys/resource.h>

#define WRONG_MOST 16

typedef volatile uint64_t word_t __attribute__((may_alias));

struct pages {
	uintptr_t address;
	size_t count;
	uint64_t nonce;
	uint64_t first;		/* index of the first page */
	int writing;
	uint8_t byte;
	size_t wrong;
	size_t wrong_page[WRONG_MOST];
	uint64_t head[WRONG_MOST], index[WRONG_MOST];
};

static struct pages arg_pages(struct request *request)
{
	struct pages pages = { .address = arg_address(request, 0),
			       .count = arg_count(request, 1, SIZE_MAX / page_bytes()) };

	return pages;
}

static word_t *page_at(const struct pages *pages, size_t page)
{
	return (word_t *)(pages->address + page * page_bytes());
}

static void sign(void *context)
{
	const struct pages *pages = context;

	for (size_t page = 0; page < pages->count; page++) {
		word_t *words = page_at(pages, page);

		for (unsigned int word = 0; word < SIGNATURE_WORDS; word++)
			words[word] =
				little_endian(signature_word(pages->nonce, pages->first + page, word));
	}
}

static bool signed_as(const word_t *words, uint64_t nonce, uint64_t index)
{
	for (unsigned int word = 0; word < SIGNATURE_WORDS; word++)
		if (little_endian(words[word]) != signature_word(nonce, index, word))
			return false;
	return true;
}

static void verify(void *context)
{
	struct pages *pages = context;

	for (size_t page = 0; page < pages->count; page++) {
		const word_t *words = page_at(pages, page);

		if (signed_as(words, pages->nonce, pages->first + page))
			continue;
		if (pages->wrong < WRONG_MOST) {
			pages->wrong_page[pages->wrong] = page;
			pages->head[pages->wrong] = little_endian(words[0]);
			pages->index[pages->wrong] = little_endian(words[1]) ^ pages->nonce;
			if (!signed_as(words, pages->nonce, pages->index[pages->wrong]))
				pages->index[pages->wrong] = UINT64_MAX;
		}
		pages->wrong++;
	}
}

static struct pages arg_signature(struct request *request)
{
	struct pages pages = arg_pages(request);

	pages.nonce = arg_u64(request, 2);
	pages.first = arg_given(request, 3) ? arg_u64(request, 3) : 0;
	if (!request_bad(request) && pages.address % 8)
		request_complain(request, "the address is not aligned");
	if (!request_bad(request) && pages.nonce == 0)
		request_complain(request, "a nonce is not 0");
	return pages;
}

static void verb_sign(struct request *request)
{
	struct pages pages = arg_signature(request);

	if (!request_bad(request))
		guarded(sign, &pages, page_at(&pages, 0));
}

/* For each of the first wrong pages: which page of the same buffer is seen instead, if any. */
static void verb_verify_sign(struct request *request)
{
	struct pages pages = arg_signature(request);

	if (request_bad(request) || !guarded(verify, &pages, page_at(&pages, 0)))
		return;
	reply_u64("pages", pages.count);
	reply_u64("mismatches", pages.wrong);
	reply_open("wrong", '[');
	for (size_t at = 0; at < pages.wrong && at < WRONG_MOST; at++) {
		reply_open(NULL, '{');
		reply_u64("page", pages.wrong_page[at]);
		if (pages.index[at] == UINT64_MAX)
			reply_null("sees");
		else
			reply_u64("sees", pages.index[at]);
		reply_hex("word", pages.head[at]);
		reply_close('}');
	}
	reply_close(']');
}

/* A run of pages that show pages behind each other, or no page of this nonce. */
static struct pages shown;
static struct {
	size_t page, count;
	uint64_t sees;		/* UINT64_MAX: none */
} run;

static void flush_run(void)
{
	if (run.count == 0)
		return;
	reply_open(NULL, '[');
	reply_u64(NULL, run.page);
	if (run.sees == UINT64_MAX)
		reply_null(NULL);
	else
		reply_u64(NULL, run.sees);
	reply_u64(NULL, run.count);
	reply_close(']');
	run.count = 0;
}

static void show(void *context)
{
	(void)context;
	for (size_t page = 0; page < shown.count; page++) {
		const word_t *words = page_at(&shown, page);
		uint64_t sees = little_endian(words[1]) ^ shown.nonce;

		if (!signed_as(words, shown.nonce, sees))
			sees = UINT64_MAX;
		if (run.count && sees == (run.sees == UINT64_MAX ? run.sees : run.sees + run.count)) {
			run.count++;
			continue;
		}
		flush_run();
		run.page = page;
		run.sees = sees;
		run.count = 1;
	}
}

static void touch(void *context)
{
	const struct pages *pages = context;

	for (size_t page = 0; page < pages->count; page++) {
		volatile uint8_t *byte = (volatile uint8_t *)page_at(pages, page);

		if (pages->writing)
			*byte = pages->byte;
		else
			(void)*byte;
	}
}

/* Which page each page shows, as runs [page, page seen or null, count]. */
static void verb_read_sign(struct request *request)
{
	shown = arg_signature(request);
	if (request_bad(request))
		return;
	run.count = 0;
	reply_open("runs", '[');
	if (!guarded(show, NULL, page_at(&shown, 0)))
		return;
	flush_run();
	reply_close(']');
}

static void verb_touch(struct request *request)
{
	static const struct name ways[] = { { "read", 0 }, { "write", 1 }, { 0 } };
	struct pages pages = arg_pages(request);
	struct rusage before, after;

	pages.writing = arg_choice(request, 2, ways);
	pages.byte = arg_given(request, 3) ? arg_u64(request, 3) : 0;
	if (request_bad(request))
		return;
	getrusage(RUSAGE_SELF, &before);
	if (!guarded(touch, &pages, page_at(&pages, 0)))
		return;
	getrusage(RUSAGE_SELF, &after);
	reply_u64("minorFaults", after.ru_minflt - before.ru_minflt);
	reply_u64("majorFaults", after.ru_majflt - before.ru_majflt);
}

const struct verb sign_verbs[] = {
	{ "sign", "ADDRESS PAGES NONCE [FIRST]", "marks each page with 64 bytes of its own", verb_sign },
	{ "verify-sign", "ADDRESS PAGES NONCE [FIRST]", "which pages do not show their own mark",
	  verb_verify_sign },
	{ "read-sign", "ADDRESS PAGES NONCE", "which page's mark each page shows", verb_read_sign },
	{ "touch", "ADDRESS PAGES HOW [BYTE]", "reads or writes one byte a page, and counts the faults",
	  verb_touch },
	{ 0 },
};
