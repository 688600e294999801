// SPDX-License-Identifier: MIT
/*
 * `agent renew`: makes a copy of a saved machine a machine of its own. Copies of one state agree on
 * everything, the time of day and all future randomness included, until somebody tells them apart.
 */
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* As many as the kernel's input pool needs to count as full (drivers/char/random.c: POOL_BITS), twice. */
#define ENTROPY_BYTES 64

static int fail(const char *doing)
{
	fprintf(stderr, "agent: %s: %s\n", doing, strerror(errno));
	return 1;
}

/* random(4): what is added with RNDADDENTROPY counts; RNDRESEEDCRNG makes the kernel use it at once. */
static int reseed(void)
{
	struct {
		struct rand_pool_info info;
		char bytes[ENTROPY_BYTES];
	} pool = { .info = { .entropy_count = 8 * ENTROPY_BYTES, .buf_size = ENTROPY_BYTES } };
	int random;

	if (fread(pool.bytes, 1, ENTROPY_BYTES, stdin) != ENTROPY_BYTES) {
		errno = EINVAL;
		return fail("reading 64 random bytes from standard input");
	}
	random = open("/dev/urandom", O_RDWR | O_CLOEXEC);
	if (random < 0)
		return fail("opening /dev/urandom");
	if (ioctl(random, RNDADDENTROPY, &pool) < 0)
		return fail("RNDADDENTROPY");
	if (ioctl(random, RNDRESEEDCRNG) < 0)
		return fail("RNDRESEEDCRNG");
	close(random);
	return 0;
}

static int set_clock(const char *text)
{
	char *rest;
	struct timespec now = { .tv_sec = strtoll(text, &rest, 10) };

	if (*rest == '.')
		now.tv_nsec = 1000000L * strtol(rest + 1, &rest, 10);
	if (*rest) {
		errno = EINVAL;
		return fail("reading the time");
	}
	return clock_settime(CLOCK_REALTIME, &now) < 0 ? fail("setting the clock") : 0;
}

/* The kernel makes it up when it is first read, which must not have happened before the state was saved. */
static int tell_boot_id(void)
{
	char id[64];
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!file || !fgets(id, sizeof(id), file))
		return fail("reading the boot id");
	fclose(file);
	printf("boot=%s", id);
	return fflush(stdout) == 0 ? 0 : fail("writing");
}

/*
 * @now: seconds since 1970, and three digits of milliseconds behind a point
 * Reads 64 random bytes from standard input and prints boot=ID.
 */
int renew(const char *now)
{
	if (reseed() || set_clock(now) || tell_boot_id())
		return 1;
	return 0;
}
