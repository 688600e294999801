// SPDX-License-Identifier: MIT
/*
 * Children: forks of the agent that inherit everything and serve requests over a socket. The parent
 * relays lines to them, and passes descriptors over a second socket. A child dies with its parent.
 */
#include "agent.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN_MOST 4096

static struct child {
	pid_t pid;		/* 0: free */
	int lines;		/* requests and answers */
	int link;		/* descriptors */
	char *answers;		/* read, not yet passed on */
	size_t used, capacity;
} children[CHILDREN_MOST];

static int link_to_parent = -1;

static void forget(struct child *child)
{
	close(child->lines);
	close(child->link);
	free(child->answers);
	*child = (struct child){ 0 };
}

static void become_child(int lines, int link)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t at = 0; at < CHILDREN_MOST; at++)
		if (children[at].pid)
			forget(&children[at]);
	if (link_to_parent >= 0)
		close(link_to_parent);
	link_to_parent = link;
	dup2(lines, STDIN_FILENO);
	dup2(lines, STDOUT_FILENO);
	close(lines);
	input_reset();
	reply_reset();
	failing_reset();
	_exit(serve());
}

/* One line from the child, its end cut off; NULL when the child is no more. */
static char *child_line(struct child *child)
{
	size_t searched = 0;

	for (;;) {
		char *stop = child->used > searched
				     ? memchr(child->answers + searched, '\n', child->used - searched)
				     : NULL;
		ssize_t got;

		if (stop) {
			*stop = '\0';
			return child->answers;
		}
		searched = child->used;
		if (child->capacity - child->used < 4096) {
			size_t capacity = (child->capacity + 4096) * 2;
			char *grown = realloc(child->answers, capacity);

			if (!grown)
				return NULL;
			child->answers = grown;
			child->capacity = capacity;
		}
		wait_for(child->lines, POLLIN, -1);
		got = read(child->lines, child->answers + child->used, child->capacity - child->used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return NULL;
		child->used += got;
	}
}

static void drop_line(struct child *child)
{
	size_t bytes = strlen(child->answers) + 1;

	memmove(child->answers, child->answers + bytes, child->used - bytes);
	child->used -= bytes;
}

static void reply_ending(struct child *child)
{
	int status = 0, pidfd;

	failing_over();
	pidfd = syscall(SYS_pidfd_open, child->pid, 0);
	if (pidfd >= 0) {
		wait_for(pidfd, POLLIN, -1);
		close(pidfd);
	}
	while (waitpid(child->pid, &status, 0) < 0)
		if (errno != EINTR) {
			reply_error("waitpid");
			break;
		}
	if (WIFSIGNALED(status)) {
		char name[24];

		snprintf(name, sizeof(name), "SIG%s", sigabbrev_np(WTERMSIG(status)));
		reply_null("code");
		reply_text("signal", name);
	} else {
		reply_i64("code", WEXITSTATUS(status));
		reply_null("signal");
	}
	forget(child);
}

/* The child's line as it is, or how it ended; then its number is free again. */
static void reply_answer(struct child *child)
{
	char *line;

	failing_over();
	line = child_line(child);
	if (line) {
		reply_raw("answer", line, strlen(line));
		drop_line(child);
		return;
	}
	reply_open("died", '{');
	reply_ending(child);
	reply_close('}');
}

static struct child *arg_child(struct request *request, int index)
{
	int number = arg_int(request, index);

	if (request_bad(request))
		return NULL;
	if (number < 1 || number > CHILDREN_MOST || !children[number - 1].pid) {
		request_complain(request, "there is no child %d", number);
		return NULL;
	}
	return &children[number - 1];
}

static struct child *free_child(void)
{
	for (size_t at = 0; at < CHILDREN_MOST; at++)
		if (!children[at].pid)
			return &children[at];
	errno = EAGAIN;
	return NULL;
}

static void verb_fork(struct request *request)
{
	struct child *child = free_child();
	int lines[2], link[2];

	(void)request;
	if (!child)
		return reply_error("fork");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, lines) < 0)
		return reply_error("socketpair");
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, link) < 0) {
		reply_error("socketpair");
		close(lines[0]);
		close(lines[1]);
		return;
	}
	pid_t pid = fork();

	if (pid == 0) {
		close(lines[0]);
		close(link[0]);
		become_child(lines[1], link[1]);
	}
	int cause = errno;

	close(lines[1]);
	close(link[1]);
	if (pid < 0) {
		close(lines[0]);
		close(link[0]);
		errno = cause;
		return reply_error("fork");
	}
	*child = (struct child){ .pid = pid, .lines = lines[0], .link = link[0] };
	reply_u64("child", child - children + 1);
	reply_u64("pid", pid);
	reply_answer(child);	/* its hello */
}

static bool relay(struct child *child, struct request *request)
{
	const char *line = request->rest + strspn(request->rest, " ");

	failing_over();
	line += strcspn(line, " ");
	line += strspn(line, " ");
	if (!*line)
		return request_complain(request, "no request for the child");
	/* When the child is dead already, the answer says so. */
	return (write_all(child->lines, line, strlen(line)) && write_all(child->lines, "\n", 1)) || true;
}

static void verb_child(struct request *request)
{
	struct child *child = arg_child(request, 0);

	if (child && relay(child, request))
		reply_answer(child);
}

static void verb_child_start(struct request *request)
{
	struct child *child = arg_child(request, 0);

	if (child)
		relay(child, request);
}

static void verb_child_answer(struct request *request)
{
	struct child *child = arg_child(request, 0);

	if (child)
		reply_answer(child);
}

static void verb_child_wait(struct request *request)
{
	struct child *child = arg_child(request, 0);

	if (child)
		reply_ending(child);
}

static void verb_child_exit(struct request *request)
{
	struct child *child = arg_child(request, 0);

	if (!child)
		return;
	shutdown(child->lines, SHUT_WR);
	reply_ending(child);
}

static void verb_child_kill(struct request *request)
{
	struct child *child = arg_child(request, 0);
	int number = arg_given(request, 1) ? arg_int(request, 1) : SIGKILL;

	if (request_bad(request))
		return;
	if (kill(child->pid, number) < 0)
		return reply_error("kill");
	reply_ending(child);
}

/* The socket to the parent, or to a child. */
static int arg_link(struct request *request, int index)
{
	if (strcmp(arg_text(request, index), "parent") == 0) {
		if (link_to_parent < 0)
			request_complain(request, "this agent has no parent");
		return link_to_parent;
	}
	struct child *child = arg_child(request, index);

	return child ? child->link : -1;
}

union rights {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

static void verb_send_fd(struct request *request)
{
	int link = arg_link(request, 0);
	int fd = arg_int(request, 1);
	char byte = 'f';
	struct iovec data = { &byte, 1 };
	union rights control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
					     .cmsg_level = SOL_SOCKET,
					     .cmsg_type = SCM_RIGHTS } };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control,
				  .msg_controllen = sizeof(control) };

	if (request_bad(request))
		return;
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	if (sendmsg(link, &message, MSG_NOSIGNAL) < 0)
		reply_error("sendmsg");
}

static void verb_receive_fd(struct request *request)
{
	int link = arg_link(request, 0);
	char byte;
	struct iovec data = { &byte, 1 };
	union rights control = { 0 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header;
	int fd;

	if (request_bad(request))
		return;
	if (recvmsg(link, &message, MSG_DONTWAIT) < 0)
		return reply_error("recvmsg");
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS) {
		errno = message.msg_flags & MSG_CTRUNC ? EMFILE : EBADMSG;
		return reply_error("recvmsg");
	}
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	reply_i64("fd", fd);
}

const struct verb child_verbs[] = {
	{ "fork", "", "a child with a copy of this process; answers its number", verb_fork },
	{ "child", "CHILD REQUEST ...", "puts a request to a child and waits for its answer", verb_child },
	{ "child-start", "CHILD REQUEST ...", "puts a request to a child and does not wait",
	  verb_child_start },
	{ "child-answer", "CHILD", "waits for the child's next answer", verb_child_answer },
	{ "child-wait", "CHILD", "waits for its end", verb_child_wait },
	{ "child-exit", "CHILD", "lets it end, and waits for that", verb_child_exit },
	{ "child-kill", "CHILD [SIGNAL]", "kills it, and waits for its end", verb_child_kill },
	{ "send-fd", "TO FD", "passes a descriptor to a child, or to `parent`", verb_send_fd },
	{ "receive-fd", "FROM", "takes a descriptor that was passed", verb_receive_fd },
	{ 0 },
};
