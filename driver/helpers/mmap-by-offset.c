// SPDX-License-Identifier: MIT
/*
 * Several contiguous buffers through one open file: ALLOC returns an mmap()
 * offset for each, and offset + n is byte n of that buffer.
 *
 *   mmap-by-offset [-d /dev/contigbuf] [-n buffers] [-b bytes]
 *
 * Copyright (C) 2026 the bufrig authors
 */
#define _FILE_OFFSET_BITS 64 /* an offset has more than 32 bits */

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <contigbuf.h>

struct buffer {
	struct contigbuf_alloc alloc;
	uint32_t *words;
};

/* Says what failed, as the system puts it, and ends the program. */
static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static void allocate(int fd, uint64_t bytes, struct buffer *buffer)
{
	memset(buffer, 0, sizeof(*buffer));
	buffer->alloc.size = sizeof(buffer->alloc);
	buffer->alloc.naming = CONTIGBUF_NAMING_COOKIE;
	buffer->alloc.bytes = bytes;
	if (ioctl(fd, CONTIGBUF_IOC_ALLOC, &buffer->alloc))
		die("CONTIGBUF_IOC_ALLOC");

	buffer->words = mmap(NULL, buffer->alloc.allocated, PROT_READ | PROT_WRITE,
			     MAP_SHARED, fd, (off_t)buffer->alloc.offset);
	if (buffer->words == MAP_FAILED)
		die("mmap of the whole buffer");
	printf("buffer %u: %llu bytes at offset %#llx\n", buffer->alloc.id,
	       (unsigned long long)buffer->alloc.allocated,
	       (unsigned long long)buffer->alloc.offset);
}

/* A value that no other word of any buffer has by accident. */
static uint32_t expected(const struct buffer *buffer, uint64_t word)
{
	return buffer->alloc.id * 0x9e3779b1u + (uint32_t)word;
}

static uint64_t words_in(const struct buffer *buffer)
{
	return buffer->alloc.allocated / sizeof(uint32_t);
}

static void check(const struct buffer *buffer, const uint32_t *words,
		  uint64_t first, uint64_t count)
{
	uint64_t i;

	for (i = 0; i < count; i++) {
		if (words[i] == expected(buffer, first + i))
			continue;
		fprintf(stderr, "buffer %u, word %llu: %#x instead of %#x\n",
			buffer->alloc.id, (unsigned long long)(first + i),
			words[i], expected(buffer, first + i));
		exit(EXIT_FAILURE);
	}
}

/* The last page alone, through an offset inside the buffer. */
static void check_last_page(int fd, const struct buffer *buffer)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t start = buffer->alloc.allocated - page;
	uint32_t *words = mmap(NULL, page, PROT_READ, MAP_SHARED, fd,
			       (off_t)(buffer->alloc.offset + start));

	if (words == MAP_FAILED)
		die("mmap of the last page");
	check(buffer, words, start / sizeof(*words), page / sizeof(*words));
	if (munmap(words, page))
		die("munmap of the last page");
}

static void release(int fd, struct buffer *buffer)
{
	struct contigbuf_free free_ = { .size = sizeof(free_) };

	free_.id = buffer->alloc.id;
	if (munmap(buffer->words, buffer->alloc.allocated))
		die("munmap");
	if (ioctl(fd, CONTIGBUF_IOC_FREE, &free_))
		die("CONTIGBUF_IOC_FREE");
}

int main(int argc, char **argv)
{
	const char *node = "/dev/contigbuf";
	unsigned long count = 4, bytes = 1 << 20, i;
	struct buffer *buffers;
	uint64_t word;
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
		for (word = 0; word < words_in(&buffers[i]); word++)
			buffers[i].words[word] = expected(&buffers[i], word);
	for (i = 0; i < count; i++) {
		check(&buffers[i], buffers[i].words, 0, words_in(&buffers[i]));
		check_last_page(fd, &buffers[i]);
	}
	for (i = 0; i < count; i++)
		release(fd, &buffers[i]);

	printf("%lu buffers written, verified and freed\n", count);
	free(buffers);
	close(fd);
	return EXIT_SUCCESS;
}
