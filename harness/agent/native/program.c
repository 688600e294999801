// SPDX-License-Identifier: MIT
/* Programs as an SSH server would start them: where the rig has no network, nothing else is to differ. */
#include "agent.h"

#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * As after a login of root: nothing of ours is left but the limits, which are init's for both. Only that it
 * leads its session would be a shell's part there.
 */
static void become(const struct command *command)
{
	char **arguments = command->arguments;
	static const gid_t root = 0;
	int adjust = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	const char *home;
	sigset_t none;
	int error;

	if (adjust >= 0)
		(void)!write(adjust, "0", 1);
	if (geteuid() == 0)
		setgroups(1, &root);
	sigemptyset(&none);
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	environ = command->variables;
	home = getenv("HOME");
	if (home && chdir(home) < 0)
		fprintf(stderr, "agent: %s: %s\n", home, strerror(errno));
	execvp(*arguments, arguments);
	error = errno;
	fprintf(stderr, "agent: %s: %s\n", *arguments, strerror(error));
	_exit(error == ENOENT ? 127 : 126);
}

bool program_start(struct program *program, const struct command *command, int in, int out, int err)
{
	program->pid = fork();
	if (program->pid == 0) {
		setsid();
		dup2(err, STDERR_FILENO);
		dup2(out, STDOUT_FILENO);
		dup2(in, STDIN_FILENO);
		become(command);
	}
	for (int fd = STDERR_FILENO + 1; fd <= err || fd <= out || fd <= in; fd++)
		if (fd == in || fd == out || fd == err)
			close(fd);
	if (program->pid < 0)
		return false;
	program->pidfd = syscall(SYS_pidfd_open, program->pid, 0);
	if (program->pidfd >= 0)
		return true;
	kill(program->pid, SIGKILL);
	while (waitpid(program->pid, NULL, 0) < 0 && errno == EINTR)
		;
	return false;
}

void program_stop(const struct program *program)
{
	kill(-program->pid, SIGKILL);
	/* It may not have got round to a session of its own. */
	if (program->pidfd >= 0)
		kill(program->pid, SIGKILL);
}

void program_reap(struct program *program)
{
	while (waitpid(program->pid, &program->status, 0) < 0 && errno == EINTR)
		;
	close(program->pidfd);
	program->pidfd = -1;
}
