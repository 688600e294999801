// SPDX-License-Identifier: MIT
/*
 * Has the kernel give back what it keeps of things that are gone, for whoever counts memory. All of it is as
 * good as lost to who looks at one moment only, and none of it is. What this kernel does not have is left out.
 */
#include "agent.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool tell(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool told = fd >= 0 && write(fd, text, 1) == 1;

	if (fd >= 0)
		close(fd);
	return told;
}

/*
 * What vfree() was given keeps its addresses, and KASAN's shadow of them, until there is enough of it (mm/vmalloc.c:
 * lazy_max_pages), or memory becomes read-only (arch/arm64/mm/pageattr.c: change_memory_common; x86 likewise:
 * change_page_attr_set_clr). That of a socket's filter does (include/linux/filter.h: bpf_prog_lock_ro), unless the
 * kernel only has translated ones (CONFIG_BPF_JIT_ALWAYS_ON), which share what was made read-only before.
 */
static void give_back_addresses(void)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, UINT_MAX);
	struct sock_fprog filter = { .len = 1, .filter = &all };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	(void)!setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
	close(fd);
}

/* Waits for an RCU grace period (kernel/sched/membarrier.c). */
static void let_readers_pass(void)
{
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

/*
 * Pages of small objects that are all gone. KASAN keeps the objects, so that a use after free hits nobody else
 * (mm/kasan/quarantine.c), and empties that, too (kasan_cache_shrink). Returns how many caches there are with any.
 */
static unsigned int shrink_caches(void)
{
	unsigned int caches = 0;
	struct lines lines;
	char *line;

	if (!lines_open(&lines, "/proc/slabinfo"))
		return 0;
	while ((line = lines_next(&lines))) {
		char path[512];
		char name[256];
		unsigned long objects;

		if (sscanf(line, "%255s %*u %lu", name, &objects) != 2 || objects == 0)
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", name);
		if (tell(path, "1"))
			caches++;
	}
	lines_close(&lines);
	return caches;
}

static void verb_settle(struct request *request)
{
	(void)request;
	/* One of the shrinkers has what kfree_rcu() put off freed at once (kernel/rcu/tree.c: kfree_rcu_shrink_scan). */
	tell("/proc/sys/vm/drop_caches", "2");
	give_back_addresses();
	/* Once for the grace period that was asked for, once for the work that it waits for. */
	let_readers_pass();
	let_readers_pass();
	reply_u64("caches", shrink_caches());
}

const struct verb settle_verbs[] = {
	{ "settle", "",
	  "the kernel gives back what it keeps of memory and objects that are gone; answers of how many caches",
	  verb_settle },
	{ 0 },
};
