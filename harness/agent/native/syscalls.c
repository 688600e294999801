// SPDX-License-Identifier: MIT
/*
 * System calls without a verb of their own, for checks that need one of them once. Arguments are
 * plain numbers; strings and structures are put into memory with poke and passed by address.
 */
#include "agent.h"

#include <sys/syscall.h>
#include <unistd.h>

/* Newer than some C libraries; these numbers are the same on every architecture. */
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#ifndef SYS_mseal
#define SYS_mseal 462
#endif

#define CALL(name) { #name, SYS_##name }

static const struct name calls[] = {
	CALL(capset),		CALL(close_range),	CALL(dup3),		CALL(epoll_create1),	CALL(epoll_ctl),
	CALL(eventfd2),		CALL(fallocate),	CALL(fsync),		CALL(futex),
	CALL(delete_module),	CALL(getppid),		CALL(io_uring_register), CALL(io_uring_setup),
	CALL(finit_module),	CALL(getdents64),	CALL(kill),
	CALL(memfd_create),	CALL(mkdirat),		CALL(mlock2),		CALL(mlockall),
	CALL(move_pages),	CALL(mseal),		CALL(munlockall),	CALL(openat),
	CALL(perf_event_open),	CALL(pidfd_getfd),	CALL(pidfd_open),	CALL(pipe2),
	CALL(prctl),
	CALL(process_madvise),	CALL(process_vm_readv),	CALL(process_vm_writev), CALL(ptrace),
	CALL(readv),		CALL(reboot),		CALL(remap_file_pages),	CALL(sched_yield),	CALL(splice),
	CALL(unlinkat),		CALL(unshare),		CALL(userfaultfd),	CALL(vmsplice),		CALL(writev),
#ifdef SYS_mbind
	CALL(mbind),
#endif
#ifdef SYS_fcntl64
	{ "fcntl", SYS_fcntl64 },
#else
	CALL(fcntl),
#endif
	{ 0 },
};

static void verb_syscall(struct request *request)
{
	long number = arg_choice(request, 0, calls);
	const char *name = name_of(number, calls);
	uintptr_t arguments[6] = { 0 };
	long returned;

	for (int at = 0; at < 6 && arg_given(request, at + 1); at++)
		arguments[at] = arg_address(request, at + 1);
	if (request_bad(request))
		return;
	returned = syscall(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
			   arguments[5]);
	if (returned == -1)
		return reply_error(name ? name : "syscall");
	reply_hex("returned", returned);
}

const struct verb syscall_verbs[] = {
	{ "syscall", "NAME [A] [B] [C] [D] [E] [F]", "any system call; numbers and addresses as they are",
	  verb_syscall },
	{ 0 },
};
