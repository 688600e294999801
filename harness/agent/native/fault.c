// SPDX-License-Identifier: MIT
/*
 * Faults as facts: a SIGBUS, SIGSEGV or SIGILL inside guarded() ends the guarded body and becomes
 * the answer. Anywhere else it ends the agent, which says what it was doing.
 */
#include "agent.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void reply_fault_open(void);
void reply_fault_close(const char *signal);

static sigjmp_buf landing;
static volatile sig_atomic_t armed;
static siginfo_t caught;

static const struct {
	int signal;
	int code;
	const char *name;
} codes[] = {
	{ SIGBUS, BUS_ADRALN, "BUS_ADRALN" },	 { SIGBUS, BUS_ADRERR, "BUS_ADRERR" },
	{ SIGBUS, BUS_OBJERR, "BUS_OBJERR" },	 { SIGBUS, BUS_MCEERR_AR, "BUS_MCEERR_AR" },
	{ SIGBUS, BUS_MCEERR_AO, "BUS_MCEERR_AO" }, { SIGSEGV, SEGV_MAPERR, "SEGV_MAPERR" },
	{ SIGSEGV, SEGV_ACCERR, "SEGV_ACCERR" }, { SIGILL, ILL_ILLOPC, "ILL_ILLOPC" },
	{ SIGILL, ILL_ILLOPN, "ILL_ILLOPN" },	 { SIGILL, ILL_PRVOPC, "ILL_PRVOPC" },
};

static const char *signal_name(int signal)
{
	return signal == SIGBUS ? "SIGBUS" : signal == SIGSEGV ? "SIGSEGV" : "SIGILL";
}

static void code_name(const siginfo_t *info, char *text, size_t bytes)
{
	for (size_t at = 0; at < sizeof(codes) / sizeof(codes[0]); at++)
		if (codes[at].signal == info->si_signo && codes[at].code == info->si_code) {
			snprintf(text, bytes, "%s", codes[at].name);
			return;
		}
	snprintf(text, bytes, "%d", info->si_code);
}

static void last_words(const siginfo_t *info)
{
	char text[256];
	int length = snprintf(text, sizeof(text), "agent: %s at %p while serving: %.160s\n",
			      signal_name(info->si_signo), info->si_addr, current_request());

	if (write(STDERR_FILENO, text, length) < 0)
		return;
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void)context;
	/* si_code <= 0: somebody sent the signal; it says nothing about memory. */
	if (armed && info->si_code > 0) {
		caught = *info;
		armed = 0;
		siglongjmp(landing, 1);
	}
	last_words(info);
	reply_last_words();
	struct sigaction fatal = { .sa_handler = SIG_DFL };

	sigaction(signal, &fatal, NULL);
	raise(signal);
}

/*
 * The answer of a fault. `offset` is how far behind `base` the address lies, where that makes
 * sense: the address of a SIGILL is an instruction's.
 */
static void reply_fault(const volatile void *base)
{
	uintptr_t address = (uintptr_t)caught.si_addr;
	char code[24];

	code_name(&caught, code, sizeof(code));
	reply_fault_open();
	reply_text("signal", signal_name(caught.si_signo));
	reply_text("code", code);
	reply_hex("address", address);
	if (caught.si_signo != SIGILL && address >= (uintptr_t)base)
		reply_hex("offset", address - (uintptr_t)base);
	reply_fault_close(signal_name(caught.si_signo));
}

bool guarded(void (*body)(void *), void *context, const volatile void *base)
{
	if (sigsetjmp(landing, 0)) {
		reply_fault(base);
		return false;
	}
	armed = 1;
	body(context);
	armed = 0;
	return true;
}

static void nothing(void *context)
{
	(void)context;
}

void fault_install(void)
{
	static char stack[65536];
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	/* SA_NODEFER: the handler leaves by a jump that restores no signal mask. */
	struct sigaction action = { .sa_sigaction = on_fault,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

	sigaltstack(&alternate, NULL);
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGILL, &action, NULL);
	/* What guarded() writes to is there from now on: counted faults are to be those of the memory. */
	guarded(nothing, NULL, NULL);
}
