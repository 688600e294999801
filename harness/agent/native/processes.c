// SPDX-License-Identifier: MIT
/* Verbs on this process itself: its limits, its user, what it has used. */
#include "agent.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

static const struct name limits[] = {
	{ "nofile", RLIMIT_NOFILE }, { "as", RLIMIT_AS },     { "memlock", RLIMIT_MEMLOCK },
	{ "data", RLIMIT_DATA },     { "stack", RLIMIT_STACK }, { "core", RLIMIT_CORE },
	{ "nproc", RLIMIT_NPROC },   { "fsize", RLIMIT_FSIZE }, { 0 },
};

static void verb_pid(struct request *request)
{
	(void)request;
	reply_u64("pid", getpid());
	reply_u64("parent", getppid());
	reply_u64("uid", geteuid());
	reply_u64("gid", getegid());
}

static void verb_usage(struct request *request)
{
	struct rusage usage;

	(void)request;
	if (getrusage(RUSAGE_SELF, &usage) < 0)
		return reply_error("getrusage");
	reply_u64("minorFaults", usage.ru_minflt);
	reply_u64("majorFaults", usage.ru_majflt);
	reply_u64("involuntarySwitches", usage.ru_nivcsw);
	reply_u64("maxRssKilobytes", usage.ru_maxrss);
}

static void reply_limit(const char *key, rlim_t value)
{
	if (value == RLIM_INFINITY)
		reply_text(key, "unlimited");
	else
		reply_hex(key, value);
}

/* Answers the limits as they were before. */
static void verb_rlimit(struct request *request)
{
	static const struct name unlimited[] = { { "unlimited", (long)RLIM_INFINITY }, { 0 } };
	int resource = arg_choice(request, 0, limits);
	struct rlimit before, after;

	if (arg_given(request, 1))
		after.rlim_cur = arg_choice(request, 1, unlimited);
	if (arg_given(request, 2))
		after.rlim_max = arg_choice(request, 2, unlimited);
	if (request_bad(request))
		return;
	if (getrlimit(resource, &before) < 0)
		return reply_error("getrlimit");
	if (!arg_given(request, 2))
		after.rlim_max = before.rlim_max;
	if (arg_given(request, 1) && setrlimit(resource, &after) < 0)
		return reply_error("setrlimit");
	reply_limit("soft", before.rlim_cur);
	reply_limit("hard", before.rlim_max);
}

static void verb_sleep_ms(struct request *request)
{
	int milliseconds = arg_int(request, 0);

	if (!request_bad(request) && milliseconds < 0)
		request_complain(request, "a negative time");
	if (!request_bad(request))
		wait_for(-1, 0, milliseconds);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int signal)
{
	(void)signal;
	alarms++;
}

/* Not restarting: whoever is interrupted has to be able to stand it. */
static void verb_alarm(struct request *request)
{
	struct sigaction action = { .sa_handler = on_alarm };
	int microseconds = arg_int(request, 0);
	struct itimerval every = { .it_interval.tv_usec = microseconds % 1000000,
				   .it_interval.tv_sec = microseconds / 1000000 };

	if (!request_bad(request) && microseconds < 0)
		request_complain(request, "a negative time");
	if (request_bad(request))
		return;
	every.it_value = every.it_interval;
	sigaction(SIGALRM, &action, NULL);
	if (setitimer(ITIMER_REAL, &every, NULL) < 0)
		return reply_error("setitimer");
	reply_i64("signals", alarms);
	alarms = 0;
}

/* For good: user, group and no other groups. */
static void verb_setuid(struct request *request)
{
	unsigned int uid = arg_u64(request, 0);
	unsigned int gid = arg_given(request, 1) ? arg_u64(request, 1) : uid;

	if (request_bad(request))
		return;
	if (setgroups(0, NULL) < 0)
		return reply_error("setgroups");
	if (setresgid(gid, gid, gid) < 0)
		return reply_error("setresgid");
	if (setresuid(uid, uid, uid) < 0)
		return reply_error("setresuid");
	/* The change of user made /proc/self root's, and forgot whose death ends us. */
	prctl(PR_SET_DUMPABLE, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* As a program with another user's rights for a while: the groups stay, and so does who it really is. */
static void verb_seteuid(struct request *request)
{
	unsigned int uid = arg_u64(request, 0);

	if (request_bad(request))
		return;
	if (seteuid(uid) < 0)
		return reply_error("seteuid");
	prctl(PR_SET_DUMPABLE, 1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* The program begins again in the same process; its hello is the answer. */
static void verb_exec_self(struct request *request)
{
	char *const arguments[] = { AGENT_NAME, NULL };

	(void)request;
	reply_last_words();
	execv("/proc/self/exe", arguments);
	reply_error("execve");
}

const struct verb process_verbs[] = {
	{ "pid", "", "process, parent, user and group", verb_pid },
	{ "usage", "", "page faults and involuntary switches so far", verb_usage },
	{ "rlimit", "RESOURCE [SOFT] [HARD]", "answers a limit, then sets it", verb_rlimit },
	{ "sleep-ms", "MILLISECONDS", "sleeps", verb_sleep_ms },
	{ "alarm", "MICROSECONDS", "a signal again and again, 0 for none; answers how many came so far",
	  verb_alarm },
	{ "setuid", "UID [GID]", "becomes another user, for good", verb_setuid },
	{ "seteuid", "UID", "works with another user's rights, and remains who it was", verb_seteuid },
	{ "exec-self", "", "executes the agent anew in this process; its hello is the answer",
	  verb_exec_self },
	{ 0 },
};
