// SPDX-License-Identifier: MIT
/* The segments of /proc/kcore that show physical memory, sorted, without overlap. */
#ifndef BUFRIG_CORE_MAP_H
#define BUFRIG_CORE_MAP_H

#include "agent.h"

struct range {
	uint64_t physical, bytes;
	uint64_t position;	/* in the core file */
};

extern struct range segments[];
extern size_t segment_count;
extern size_t ram_count;	/* ranges of System RAM in /proc/iomem; without root there are none */

/* Exactly so many bytes, or false with errno. */
bool read_at(int core, void *to, size_t bytes, uint64_t position);
/* These answer the error themselves. */
bool read_segments(int core);
bool read_ram(const char *path);
/* Adds the array `unseen` to the answer: RAM that no segment shows. Returns how many bytes that is. */
uint64_t reply_unseen(void);

#endif
