// SPDX-License-Identifier: MIT
/*
 * A contiguous buffer as a dma-buf: a file descriptor that other drivers import
 * and other processes map, with no need to know about contigbuf. It keeps the
 * memory alive on its own.
 *
 *   dma-buf [-d /dev/contigbuf] [-b bytes]
 *
 * Copyright (C) 2026 the bufrig authors
 */
#include <fcntl.h>
#include <linux/dma-buf.h>
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

/* Makes a buffer, exports it, and lets go of everything but the dma-buf. */
static int export_buffer(const char *node, uint64_t bytes)
{
	struct contigbuf_export export_;
	struct contigbuf_alloc alloc;
	int fd = open(node, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die(node);
	memset(&alloc, 0, sizeof(alloc));
	alloc.size = sizeof(alloc);
	alloc.naming = CONTIGBUF_NAMING_FD;
	alloc.bytes = bytes;
	if (ioctl(fd, CONTIGBUF_IOC_ALLOC, &alloc))
		die("CONTIGBUF_IOC_ALLOC");

	memset(&export_, 0, sizeof(export_));
	export_.size = sizeof(export_);
	export_.fd_flags = O_RDWR | O_CLOEXEC;
	if (ioctl(fd, CONTIGBUF_IOC_EXPORT, &export_))
		die("CONTIGBUF_IOC_EXPORT");
	if (close(fd))
		die("close");
	printf("buffer %u is dma-buf fd %d\n", alloc.id, export_.fd);
	return export_.fd;
}

/* Brackets the CPU's accesses, for devices that do not snoop its caches. */
static void synchronise(int fd, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	if (ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync))
		die("DMA_BUF_IOCTL_SYNC");
}

static uint32_t *map(int fd, uint64_t bytes, int protection)
{
	void *words = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);

	if (words == MAP_FAILED)
		die("mmap of the dma-buf");
	return (uint32_t *)words;
}

static uint32_t expected(uint64_t word)
{
	return (uint32_t)word * 0x9e3779b1u + 1;
}

static void write_all(int fd, uint64_t bytes)
{
	uint32_t *words = map(fd, bytes, PROT_READ | PROT_WRITE);
	uint64_t i;

	synchronise(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE);
	for (i = 0; i < bytes / sizeof(*words); i++)
		words[i] = expected(i);
	synchronise(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
	if (munmap(words, bytes))
		die("munmap");
}

static void check_all(int fd, uint64_t bytes)
{
	uint32_t *words = map(fd, bytes, PROT_READ);
	uint64_t i;

	synchronise(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
	for (i = 0; i < bytes / sizeof(*words); i++) {
		if (words[i] == expected(i))
			continue;
		fprintf(stderr, "word %llu is %#x instead of %#x\n",
			(unsigned long long)i, words[i], expected(i));
		exit(EXIT_FAILURE);
	}
	synchronise(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ);
	if (munmap(words, bytes))
		die("munmap");
}

int main(int argc, char **argv)
{
	const char *node = "/dev/contigbuf";
	unsigned long requested = 4 << 20;
	int fd, option;
	off_t bytes;

	while ((option = getopt(argc, argv, "d:b:")) != -1) {
		if (option == 'd')
			node = optarg;
		else if (option == 'b')
			requested = strtoul(optarg, NULL, 0);
		else
			return EXIT_FAILURE;
	}

	fd = export_buffer(node, requested);
	bytes = lseek(fd, 0, SEEK_END); /* a dma-buf knows its size */
	if (bytes < 0)
		die("lseek");
	write_all(fd, (uint64_t)bytes);
	check_all(fd, (uint64_t)bytes);
	printf("%lld bytes written, verified and released\n", (long long)bytes);
	if (close(fd))
		die("close of the dma-buf");
	return EXIT_SUCCESS;
}
