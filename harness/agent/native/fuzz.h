// SPDX-License-Identifier: MIT
/*
 * Calls made up at random. Every call is an ordinary request of the agent, made from the seed, the
 * call's number and what the calls before it left: so any of them can be left out, and what is left is
 * a program of its own.
 */
#ifndef BUFRIG_FUZZ_H
#define BUFRIG_FUZZ_H

#include "agent.h"

#define FUZZ_IOCTLS 32
#define FUZZ_FIELDS 24
#define FUZZ_ARGUMENT 256
#define FUZZ_FILES 8
#define FUZZ_VALUES 16
#define FUZZ_LINE 2048

/* One ioctl of the driver, as `fuzz-ioctl` describes it. */
struct fuzz_ioctl {
	char name[40];
	unsigned long number;
	uint8_t good[FUZZ_ARGUMENT];	/* an argument that a driver may well accept */
	size_t bytes;
	struct fuzz_field {
		unsigned int offset, bytes;
		char kind;		/* see fuzz-ioctl's help */
	} fields[FUZZ_FIELDS];
	unsigned int count;
};

/* What the calls so far have left; all of it goes when the last one was made. */
struct fuzz {
	const char *device;
	const struct fuzz_ioctl *ioctls;
	unsigned int ioctl_count;
	uint64_t random;
	uintptr_t window;		/* where everything is mapped */
	size_t window_bytes;
	int memory;			/* /proc/self/mem, or -1 */
	int files[FUZZ_FILES];		/* of the driver, and what it made; or -1 */
	int latest_file;		/* what was opened last: nothing has happened to it yet */
	uint32_t names[FUZZ_VALUES];	/* of buffers */
	uint32_t latest_name;		/* most likely there still */
	uint64_t numbers[FUZZ_VALUES];	/* sizes, addresses */
	struct fuzz_place {		/* of a buffer, as mmap() takes it */
		int file;
		uint64_t offset;
	} places[FUZZ_VALUES];
	unsigned int name_count, number_count, place_count;
};

/* A call that was made up. */
struct fuzz_call {
	char line[FUZZ_LINE];
	const char *label;		/* what it is counted as */
	const struct fuzz_ioctl *ioctl;	/* whose results count when it succeeds ... */
	int file;			/* ... on this descriptor */
	int *opens, *closes;		/* where its descriptor goes, or comes from */
	bool maps;			/* its answer says where */
};

/* fuzz_compose.c */
void fuzz_compose(struct fuzz *fuzz, uint64_t seed, uint64_t number, struct fuzz_call *call);

/* fuzz_values.c */
uint64_t fuzz_word(struct fuzz *fuzz);
uint64_t fuzz_random(struct fuzz *fuzz, uint64_t below);
bool fuzz_one_in(struct fuzz *fuzz, unsigned int times);
uint64_t fuzz_odd_value(struct fuzz *fuzz);
uint64_t fuzz_pages(struct fuzz *fuzz);
uint64_t fuzz_bytes(struct fuzz *fuzz);
uintptr_t fuzz_place(struct fuzz *fuzz);
size_t fuzz_range(struct fuzz *fuzz, uintptr_t place);
int fuzz_file(struct fuzz *fuzz);
uint32_t fuzz_name(struct fuzz *fuzz);

#endif
