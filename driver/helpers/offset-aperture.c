// SPDX-License-Identifier: MIT
/*
 * Contiguous buffers in the device's one address space: each lies at a byte offset
 * of its own, with holes between them, and one mmap() never reaches two of them.
 * What an allocator, a debugger or a mapping library with plain offsets wants.
 *
 *   offset-aperture [-d /dev/contigbuf] [-n buffers] [-b bytes]
 *
 * Copyright (C) 2026 the bufrig authors
 */
#define _FILE_OFFSET_BITS 64 /* an offset has more than 32 bits */

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <contigbuf.h>

/* Says what failed, as the system puts it, and ends the program. */
static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static void allocate(int fd, uint64_t bytes, struct contigbuf_alloc *alloc)
{
	memset(alloc, 0, sizeof(*alloc));
	alloc->size = sizeof(*alloc);
	alloc->naming = CONTIGBUF_NAMING_APERTURE;
	alloc->bytes = bytes;
	if (ioctl(fd, CONTIGBUF_IOC_ALLOC, alloc))
		die("CONTIGBUF_IOC_ALLOC");
	printf("buffer %u: bytes %#llx to %#llx of the aperture\n", alloc->id,
	       (unsigned long long)alloc->offset,
	       (unsigned long long)(alloc->offset + alloc->allocated));
}

/* Maps a range of the aperture, writes or reads one value per page. */
static void each_page(int fd, const struct contigbuf_alloc *alloc, int write)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), at;
	char *bytes = mmap(NULL, alloc->allocated, PROT_READ | PROT_WRITE,
			   MAP_SHARED, fd, (off_t)alloc->offset);

	if (bytes == MAP_FAILED)
		die("mmap of a buffer");
	for (at = 0; at < alloc->allocated; at += page) {
		uint64_t *value = (uint64_t *)(bytes + at);

		/* The place in the aperture: no two pages have the same. */
		if (write)
			*value = alloc->offset + at;
		else if (*value != alloc->offset + at) {
			fprintf(stderr, "offset %#llx holds %#llx\n",
				(unsigned long long)(alloc->offset + at),
				(unsigned long long)*value);
			exit(EXIT_FAILURE);
		}
	}
	if (munmap(bytes, alloc->allocated))
		die("munmap");
}

/* The page after a buffer is a hole, and the driver says so. */
static void expect_hole(int fd, const struct contigbuf_alloc *alloc)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	void *beyond = mmap(NULL, page, PROT_READ, MAP_SHARED, fd,
			    (off_t)(alloc->offset + alloc->allocated));

	if (beyond == MAP_FAILED && errno == EINVAL)
		return;
	fprintf(stderr, "the page after buffer %u can be mapped\n", alloc->id);
	exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
	const char *node = "/dev/contigbuf";
	unsigned long count = 4, bytes = 1 << 20, i;
	struct contigbuf_alloc *buffers;
	int fd, option;

	while ((option = getopt(argc, argv, "d:n:b:")) != -1) {
		if (option == 'd')
			node = optarg;
		else if (option == 'n')
			count = strtoul(optarg, NULL, 0);
		else if (option == 'b')
			bytes = strtoul(optarg, NULL, 0);
		else
			return EXIT_FAILURE;
	}

	fd = open(node, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die(node);
	buffers = calloc(count ? count : 1, sizeof(*buffers));
	if (!buffers)
		die("calloc");

	for (i = 0; i < count; i++)
		allocate(fd, bytes, &buffers[i]);
	for (i = 0; i < count; i++)
		each_page(fd, &buffers[i], 1);
	for (i = 0; i < count; i++) {
		each_page(fd, &buffers[i], 0);
		expect_hole(fd, &buffers[i]);
	}

	printf("%lu buffers written and verified, the holes are holes\n", count);
	free(buffers);
	close(fd); /* frees them all: no other open file has them attached */
	return EXIT_SUCCESS;
}
