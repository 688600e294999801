// SPDX-License-Identifier: MIT
/* Verbs that change the address space. The kernel is asked directly: the C library checks nothing. */
#include "agent.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_COLD
#define MADV_COLD 20
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif

static const struct name protections[] = {
	{ "none", PROT_NONE },
	{ "r", PROT_READ },
	{ "w", PROT_WRITE },
	{ "x", PROT_EXEC },
	{ "rw", PROT_READ | PROT_WRITE },
	{ "rx", PROT_READ | PROT_EXEC },
	{ "wx", PROT_WRITE | PROT_EXEC },
	{ "rwx", PROT_READ | PROT_WRITE | PROT_EXEC },
	{ 0 },
};

static const struct name map_flags[] = {
	{ "shared", MAP_SHARED },	  { "private", MAP_PRIVATE },
	{ "shared-validate", MAP_SHARED_VALIDATE }, { "anonymous", MAP_ANONYMOUS },
	{ "fixed", MAP_FIXED },		  { "fixed-noreplace", MAP_FIXED_NOREPLACE },
	{ "populate", MAP_POPULATE },	  { "nonblock", MAP_NONBLOCK },
	{ "noreserve", MAP_NORESERVE },	  { "locked", MAP_LOCKED },
	{ "hugetlb", MAP_HUGETLB },	  { "sync", MAP_SYNC },
	{ "stack", MAP_STACK },		  { "growsdown", MAP_GROWSDOWN },
	{ 0 },
};

static const struct name remap_flags[] = {
	{ "none", 0 }, { "maymove", MREMAP_MAYMOVE }, { "fixed", MREMAP_FIXED },
	{ "dontunmap", MREMAP_DONTUNMAP }, { 0 },
};

static const struct name advices[] = {
	{ "normal", MADV_NORMAL },	{ "random", MADV_RANDOM },
	{ "sequential", MADV_SEQUENTIAL }, { "willneed", MADV_WILLNEED },
	{ "dontneed", MADV_DONTNEED },	{ "free", MADV_FREE },
	{ "remove", MADV_REMOVE },	{ "dontfork", MADV_DONTFORK },
	{ "dofork", MADV_DOFORK },	{ "mergeable", MADV_MERGEABLE },
	{ "unmergeable", MADV_UNMERGEABLE }, { "hugepage", MADV_HUGEPAGE },
	{ "nohugepage", MADV_NOHUGEPAGE }, { "dontdump", MADV_DONTDUMP },
	{ "dodump", MADV_DODUMP },	{ "wipeonfork", MADV_WIPEONFORK },
	{ "keeponfork", MADV_KEEPONFORK }, { "cold", MADV_COLD },
	{ "pageout", MADV_PAGEOUT },	{ "populate-read", MADV_POPULATE_READ },
	{ "populate-write", MADV_POPULATE_WRITE }, { "collapse", MADV_COLLAPSE },
	{ "guard-install", MADV_GUARD_INSTALL }, { "guard-remove", MADV_GUARD_REMOVE },
	{ "hwpoison", MADV_HWPOISON },	{ "soft-offline", MADV_SOFT_OFFLINE },
	{ 0 },
};

static const struct name sync_flags[] = {
	{ "sync", MS_SYNC }, { "async", MS_ASYNC }, { "invalidate", MS_INVALIDATE }, { 0 },
};

/*
 * mmap() with any 64-bit offset. A 32-bit kernel takes it in units of 4096 bytes in 32 bits; what
 * does not fit there cannot be asked, and is not asked.
 */
bool map_memory(struct request *request, uintptr_t address, size_t bytes, int protection, int flags,
		int fd, uint64_t offset, void **mapped)
{
#ifdef SYS_mmap2
	if (offset % 4096 || offset / 4096 > UINT32_MAX)
		return request_complain(request, "a 32-bit machine has no system call for this offset");
	*mapped = (void *)syscall(SYS_mmap2, address, bytes, protection, flags, fd,
				  (unsigned long)(offset / 4096));
#else
	(void)request;
	*mapped = (void *)syscall(SYS_mmap, address, bytes, protection, flags, fd, offset);
#endif
	return true;
}

int arg_protection(struct request *request, int index)
{
	return arg_choice(request, index, protections);
}

int arg_map_flags(struct request *request, int index)
{
	return arg_flags(request, index, map_flags);
}

static void verb_mmap(struct request *request)
{
	size_t bytes = arg_size(request, 0);
	int protection = arg_protection(request, 1);
	int flags = arg_map_flags(request, 2);
	int fd = arg_given(request, 3) ? arg_int(request, 3) : -1;
	uint64_t offset = arg_given(request, 4) ? arg_u64(request, 4) : 0;
	uintptr_t address = arg_given(request, 5) ? arg_address(request, 5) : 0;
	void *mapped = MAP_FAILED;

	if (request_bad(request) ||
	    !map_memory(request, address, bytes, protection, flags, fd, offset, &mapped))
		return;
	if (mapped == MAP_FAILED)
		return reply_error("mmap");
	reply_hex("address", (uintptr_t)mapped);
}

static void finish(long returned, const char *call)
{
	if (returned < 0)
		reply_error(call);
}

static void verb_munmap(struct request *request)
{
	uintptr_t address = arg_address(request, 0);
	size_t bytes = arg_size(request, 1);

	if (!request_bad(request))
		finish(syscall(SYS_munmap, address, bytes), "munmap");
}

static void verb_mprotect(struct request *request)
{
	uintptr_t address = arg_address(request, 0);
	size_t bytes = arg_size(request, 1);
	int protection = arg_protection(request, 2);

	if (!request_bad(request))
		finish(syscall(SYS_mprotect, address, bytes, protection), "mprotect");
}

static void verb_mremap(struct request *request)
{
	uintptr_t address = arg_address(request, 0);
	size_t from = arg_size(request, 1);
	size_t to = arg_size(request, 2);
	long flags = arg_flags(request, 3, remap_flags);
	uintptr_t target = arg_given(request, 4) ? arg_address(request, 4) : 0;
	void *mapped = MAP_FAILED;

	if (request_bad(request))
		return;
	mapped = (void *)syscall(SYS_mremap, address, from, to, flags, target);
	if (mapped == MAP_FAILED)
		return reply_error("mremap");
	reply_hex("address", (uintptr_t)mapped);
}

static void verb_madvise(struct request *request)
{
	uintptr_t address = arg_address(request, 0);
	size_t bytes = arg_size(request, 1);
	int advice = arg_choice(request, 2, advices);

	if (!request_bad(request))
		finish(syscall(SYS_madvise, address, bytes, advice), "madvise");
}

static void verb_mlock(struct request *request)
{
	uintptr_t address = arg_address(request, 0);
	size_t bytes = arg_size(request, 1);

	if (!request_bad(request))
		finish(syscall(SYS_mlock, address, bytes), "mlock");
}

static void verb_munlock(struct request *request)
{
	uintptr_t address = arg_address(request, 0);
	size_t bytes = arg_size(request, 1);

	if (!request_bad(request))
		finish(syscall(SYS_munlock, address, bytes), "munlock");
}

static void verb_msync(struct request *request)
{
	uintptr_t address = arg_address(request, 0);
	size_t bytes = arg_size(request, 1);
	int flags = arg_flags(request, 2, sync_flags);

	if (!request_bad(request))
		finish(syscall(SYS_msync, address, bytes, flags), "msync");
}

static void verb_mincore(struct request *request)
{
	uintptr_t address = arg_address(request, 0);
	size_t bytes = arg_size(request, 1);
	size_t pages = bytes / page_bytes() + !!(bytes % page_bytes());

	if (request_bad(request))
		return;
	if (pages > 1u << 20) {
		request_complain(request, "more than 2^20 pages");
		return;
	}
	unsigned char *resident = calloc(pages + 1, 1);

	if (!resident)
		return reply_error("calloc");
	if (syscall(SYS_mincore, address, bytes, resident) < 0)
		reply_error("mincore");
	else
		reply_bytes("resident", resident, pages);
	free(resident);
}

const struct verb mapping_verbs[] = {
	{ "mmap", "BYTES PROTECTION FLAGS [FD] [OFFSET] [ADDRESS]", "maps; as in mmap 8192 rw shared 3 0",
	  verb_mmap },
	{ "munmap", "ADDRESS BYTES", "unmaps", verb_munmap },
	{ "mprotect", "ADDRESS BYTES PROTECTION", "none, r, rw, rwx...", verb_mprotect },
	{ "mremap", "ADDRESS BYTES NEW-BYTES FLAGS [NEW-ADDRESS]", "flags none, maymove, fixed, dontunmap",
	  verb_mremap },
	{ "madvise", "ADDRESS BYTES ADVICE", "advice as in dontneed", verb_madvise },
	{ "mlock", "ADDRESS BYTES", "locks", verb_mlock },
	{ "munlock", "ADDRESS BYTES", "unlocks", verb_munlock },
	{ "msync", "ADDRESS BYTES FLAGS", "sync, async, invalidate", verb_msync },
	{ "mincore", "ADDRESS BYTES", "one byte a page, bit 0: resident", verb_mincore },
	{ 0 },
};
