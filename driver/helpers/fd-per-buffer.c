// SPDX-License-Identifier: MIT
/*
 * One file descriptor per contiguous buffer: the descriptor is the buffer, maps
 * at offset 0, and keeps the memory alive. A second process gets at it by id.
 *
 *   fd-per-buffer [-d /dev/contigbuf] [-b bytes]
 *
 * Copyright (C) 2026 the bufrig authors
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <contigbuf.h>

static const char *node = "/dev/contigbuf";

/* Says what failed, as the system puts it, and ends the program. */
static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static int open_node(void)
{
	int fd = open(node, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die(node);
	return fd;
}

static uint32_t allocate(int fd, uint64_t bytes)
{
	struct contigbuf_alloc alloc;

	memset(&alloc, 0, sizeof(alloc));
	alloc.size = sizeof(alloc);
	alloc.naming = CONTIGBUF_NAMING_FD;
	alloc.bytes = bytes;
	if (ioctl(fd, CONTIGBUF_IOC_ALLOC, &alloc))
		die("CONTIGBUF_IOC_ALLOC");
	return alloc.id;
}

static void attach(int fd, uint32_t id)
{
	struct contigbuf_attach attach;

	memset(&attach, 0, sizeof(attach));
	attach.size = sizeof(attach);
	attach.naming = CONTIGBUF_NAMING_FD;
	attach.id = id;
	if (ioctl(fd, CONTIGBUF_IOC_ATTACH, &attach))
		die("CONTIGBUF_IOC_ATTACH");
}

/* The descriptor alone tells what it is: id 0 means "the buffer of this fd". */
static uint64_t size_of(int fd)
{
	struct contigbuf_info info;

	memset(&info, 0, sizeof(info));
	info.size = sizeof(info);
	if (ioctl(fd, CONTIGBUF_IOC_INFO, &info))
		die("CONTIGBUF_IOC_INFO");
	printf("fd %d is buffer %u: %llu of %llu bytes used\n", fd, info.id,
	       (unsigned long long)info.bytes,
	       (unsigned long long)info.allocated);
	return info.allocated;
}

static uint32_t *map(int fd, uint64_t bytes, int protection)
{
	void *words = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);

	if (words == MAP_FAILED)
		die("mmap");
	return (uint32_t *)words;
}

static uint32_t expected(uint64_t word)
{
	return (uint32_t)word * 0x9e3779b1u + 1;
}

static void check(const uint32_t *words, uint64_t count, const char *who)
{
	uint64_t i;

	for (i = 0; i < count; i++) {
		if (words[i] == expected(i))
			continue;
		fprintf(stderr, "%s: word %llu is %#x instead of %#x\n", who,
			(unsigned long long)i, words[i], expected(i));
		exit(EXIT_FAILURE);
	}
	printf("%s: %llu words verified\n", who, (unsigned long long)count);
}

/* What another program would do that was told nothing but the id. */
static void reader(uint32_t id)
{
	int fd = open_node();
	uint64_t bytes;

	attach(fd, id);
	bytes = size_of(fd);
	check(map(fd, bytes, PROT_READ), bytes / sizeof(uint32_t),
	      "second process");
	exit(EXIT_SUCCESS);
}

int main(int argc, char **argv)
{
	unsigned long requested = 4 << 20;
	uint64_t bytes, i;
	uint32_t *words, id;
	int fd, option, status;
	pid_t child;

	while ((option = getopt(argc, argv, "d:b:")) != -1) {
		if (option == 'd')
			node = optarg;
		else if (option == 'b')
			requested = strtoul(optarg, NULL, 0);
		else
			return EXIT_FAILURE;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);

	fd = open_node();
	id = allocate(fd, requested);
	bytes = size_of(fd);
	words = map(fd, bytes, PROT_READ | PROT_WRITE);
	for (i = 0; i < bytes / sizeof(*words); i++)
		words[i] = expected(i);

	child = fork();
	if (child < 0)
		die("fork");
	if (!child)
		reader(id);
	if (waitpid(child, &status, 0) < 0)
		die("waitpid");
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		fprintf(stderr, "the second process failed\n");
		return EXIT_FAILURE;
	}

	/* The mapping needs neither the descriptor nor the id. */
	if (close(fd))
		die("close");
	check(words, bytes / sizeof(*words), "after close");
	if (munmap(words, bytes))
		die("munmap");
	printf("buffer %u written, shared, verified and released\n", id);
	return EXIT_SUCCESS;
}
