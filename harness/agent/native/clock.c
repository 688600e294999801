// SPDX-License-Identifier: MIT
#include "agent.h"

#include <time.h>

uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC_RAW, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}
