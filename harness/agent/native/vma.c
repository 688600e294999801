// SPDX-License-Identifier: MIT
/* The address space as the kernel tells it: /proc/self/maps and smaps. */
#include "agent.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct lines text;	/* too big for a stack that a test may have limited */

struct vma {
	uint64_t start, end, offset;
	char permissions[5];
	const char *path;
};

static bool parse_vma(const char *line, struct vma *vma)
{
	int at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %*s%n", &vma->start, &vma->end,
		   vma->permissions, &vma->offset, &at) < 4 || at == 0)
		return false;
	vma->path = line + at + strspn(line + at, " ");
	return true;
}

static void reply_vma(const struct vma *vma)
{
	reply_hex("start", vma->start);
	reply_hex("end", vma->end);
	reply_text("permissions", vma->permissions);
	reply_hex("offset", vma->offset);
	reply_text("path", vma->path);
}

static void verb_maps(struct request *request)
{
	struct vma vma;
	char *line;

	(void)request;
	if (!lines_open(&text, "/proc/self/maps"))
		return reply_error("open");
	reply_open("maps", '[');
	while ((line = lines_next(&text))) {
		if (!parse_vma(line, &vma))
			continue;
		reply_open(NULL, '{');
		reply_vma(&vma);
		reply_close('}');
	}
	reply_close(']');
	if (!lines_close(&text))
		reply_error("read");
}

static void reply_words(const char *key, char *words)
{
	char *rest = words, *word;

	reply_open(key, '[');
	while ((word = strsep(&rest, " ")))
		if (*word)
			reply_text(NULL, word);
	reply_close(']');
}

/* The "Key:  12 kB" lines and VmFlags of one entry of smaps, up to the next entry. */
static void reply_details(void)
{
	struct vma next;
	char *line;

	reply_open("kilobytes", '{');
	while ((line = lines_next(&text)) && !parse_vma(line, &next)) {
		char *value = strchr(line, ':');
		uint64_t kilobytes;

		if (!value)
			continue;
		*value++ = '\0';
		if (strcmp(line, "VmFlags") == 0) {
			reply_close('}');
			reply_words("flags", value);
			return;
		}
		if (sscanf(value, "%" SCNu64 " kB", &kilobytes) == 1 && strstr(value, "kB"))
			reply_u64(line, kilobytes);
	}
	reply_close('}');
}

static void verb_vma(struct request *request)
{
	uintptr_t address = arg_address(request, 0);
	struct vma vma;
	bool found = false;
	char *line;

	if (request_bad(request))
		return;
	if (!lines_open(&text, "/proc/self/smaps"))
		return reply_error("open");
	while (!found && (line = lines_next(&text)))
		found = parse_vma(line, &vma) && vma.start <= address && address < vma.end;
	reply_bool("mapped", found);
	if (found) {
		reply_vma(&vma);
		reply_details();
	}
	if (!lines_close(&text))
		reply_error("read");
}

const struct verb vma_verbs[] = {
	{ "vma", "ADDRESS", "the mapping at this address, with the kernel's flags and sizes", verb_vma },
	{ "maps", "", "all mappings", verb_maps },
	{ 0 },
};
