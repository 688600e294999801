// SPDX-License-Identifier: MIT
/*
 * A contiguous buffer named by its physical address, for programs that hand such
 * addresses to hardware: RESOLVE tells the address of any byte, and mmap() takes
 * it for the offset. Only this open file's own buffers can be reached that way.
 * Needs CAP_SYS_RAWIO, because addresses are a secret.
 *
 *   offset-physical [-d /dev/contigbuf] [-b bytes]
 *
 * Copyright (C) 2026 the bufrig authors
 */
#define _FILE_OFFSET_BITS 64 /* an address has more than 32 bits */

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
	alloc->naming = CONTIGBUF_NAMING_PHYSICAL;
	alloc->bytes = bytes;
	if (ioctl(fd, CONTIGBUF_IOC_ALLOC, alloc))
		die("CONTIGBUF_IOC_ALLOC");
}

static struct contigbuf_resolve resolve(int fd, uint32_t id, uint64_t offset)
{
	struct contigbuf_resolve resolve;

	memset(&resolve, 0, sizeof(resolve));
	resolve.size = sizeof(resolve);
	resolve.id = id;
	resolve.offset = offset;
	if (ioctl(fd, CONTIGBUF_IOC_RESOLVE, &resolve))
		die("CONTIGBUF_IOC_RESOLVE");
	return resolve;
}

static uint64_t *map(int fd, uint64_t address, uint64_t bytes)
{
	void *words = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			   (off_t)address);

	if (words == MAP_FAILED)
		die("mmap by physical address");
	return (uint64_t *)words;
}

/* Maps each page alone, by its own address, and looks for what was written. */
static void check_pages(int fd, const struct contigbuf_alloc *alloc)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), at;

	for (at = 0; at < alloc->allocated; at += page) {
		struct contigbuf_resolve found = resolve(fd, alloc->id, at);
		uint64_t *words = map(fd, found.phys_addr, page);

		if (words[0] != found.phys_addr) {
			fprintf(stderr, "at %#llx lies the page of %#llx\n",
				(unsigned long long)found.phys_addr,
				(unsigned long long)words[0]);
			exit(EXIT_FAILURE);
		}
		if (munmap(words, page))
			die("munmap of a page");
	}
}

int main(int argc, char **argv)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), at;
	const char *node = "/dev/contigbuf";
	struct contigbuf_resolve first;
	unsigned long bytes = 1 << 20;
	struct contigbuf_alloc alloc;
	uint64_t *words;
	int fd, option;

	while ((option = getopt(argc, argv, "d:b:")) != -1) {
		if (option == 'd')
			node = optarg;
		else if (option == 'b')
			bytes = strtoul(optarg, NULL, 0);
		else
			return EXIT_FAILURE;
	}

	fd = open(node, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die(node);
	allocate(fd, bytes, &alloc);
	first = resolve(fd, alloc.id, 0);
	printf("buffer %u: %llu bytes at %#llx, for the device at %#llx\n",
	       alloc.id, (unsigned long long)first.length,
	       (unsigned long long)first.phys_addr,
	       (unsigned long long)first.dma_addr);
	if (alloc.offset != first.phys_addr) {
		fprintf(stderr, "its offset is %#llx\n",
			(unsigned long long)alloc.offset);
		return EXIT_FAILURE;
	}

	/* Contiguous: counting on from the first address is right everywhere. */
	words = map(fd, first.phys_addr, alloc.allocated);
	for (at = 0; at < alloc.allocated; at += page)
		words[at / sizeof(*words)] = first.phys_addr + at;
	check_pages(fd, &alloc);

	printf("%llu pages written and verified by their addresses\n",
	       (unsigned long long)(alloc.allocated / page));
	if (munmap(words, alloc.allocated))
		die("munmap");
	close(fd);
	return EXIT_SUCCESS;
}
