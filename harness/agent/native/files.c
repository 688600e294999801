// SPDX-License-Identifier: MIT
/* Verbs on files and descriptors. Data travels as hexadecimal, or between a file and an address. */
#include "agent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DATA_MOST (4u << 20)

static const struct name open_flags[] = {
	{ "rdonly", O_RDONLY },	     { "wronly", O_WRONLY },	  { "rdwr", O_RDWR },
	{ "create", O_CREAT },	     { "exclusive", O_EXCL },	  { "truncate", O_TRUNC },
	{ "append", O_APPEND },	     { "nonblock", O_NONBLOCK },  { "sync", O_SYNC },
	{ "dsync", O_DSYNC },	     { "direct", O_DIRECT },	  { "cloexec", O_CLOEXEC },
	{ "path", O_PATH },	     { "directory", O_DIRECTORY }, { "nofollow", O_NOFOLLOW },
	{ "tmpfile", O_TMPFILE },    { 0 },
};

static const struct name whences[] = {
	{ "set", SEEK_SET }, { "current", SEEK_CUR }, { "end", SEEK_END },
	{ "data", SEEK_DATA }, { "hole", SEEK_HOLE }, { 0 },
};

static const struct name poll_events[] = {
	{ "in", POLLIN }, { "out", POLLOUT }, { "priority", POLLPRI }, { "error", POLLERR },
	{ "hangup", POLLHUP }, { "invalid", POLLNVAL }, { 0 },
};

static void verb_open(struct request *request)
{
	const char *path = arg_text(request, 0);
	long flags = arg_flags(request, 1, open_flags);
	unsigned int mode = arg_given(request, 2) ? arg_u64(request, 2) : 0600;
	int fd;

	if (request_bad(request))
		return;
	fd = open(path, flags, mode);
	if (fd < 0)
		return reply_error("open");
	reply_i64("fd", fd);
}

static void verb_close(struct request *request)
{
	int fd = arg_int(request, 0);

	if (request_bad(request))
		return;
	if (close(fd) < 0)
		reply_error("close");
}

static void verb_dup(struct request *request)
{
	int fd = arg_int(request, 0);
	int to = arg_given(request, 1) ? arg_int(request, 1) : -1;

	if (request_bad(request))
		return;
	fd = to < 0 ? dup(fd) : dup2(fd, to);
	if (fd < 0)
		return reply_error(to < 0 ? "dup" : "dup2");
	reply_i64("fd", fd);
}

static void verb_lseek(struct request *request)
{
	int fd = arg_int(request, 0);
	off_t offset = arg_u64(request, 1);
	int whence = arg_choice(request, 2, whences);

	if (request_bad(request))
		return;
	offset = lseek(fd, offset, whence);
	if (offset < 0)
		return reply_error("lseek");
	reply_hex("offset", offset);
}

/* With an offset pread() or pwrite(), without one read() or write(). */
static ssize_t transfer(struct request *request, bool out, int fd, void *data, size_t bytes, int index)
{
	bool positioned = arg_given(request, index);
	off_t offset = positioned ? arg_u64(request, index) : 0;

	if (request_bad(request))
		return -1;
	ssize_t done = out ? positioned ? pwrite(fd, data, bytes, offset) : write(fd, data, bytes)
			   : positioned ? pread(fd, data, bytes, offset) : read(fd, data, bytes);

	if (done < 0)
		reply_error(out ? "write" : "read");
	else
		reply_u64("bytes", done);
	return done;
}

static void verb_read(struct request *request)
{
	int fd = arg_int(request, 0);
	size_t bytes = arg_count(request, 1, DATA_MOST);

	if (request_bad(request))
		return;
	uint8_t *data = malloc(bytes);

	if (!data)
		return reply_error("malloc");
	ssize_t got = transfer(request, false, fd, data, bytes, 2);

	if (got >= 0)
		reply_bytes("data", data, got);
	free(data);
}

static void verb_write(struct request *request)
{
	int fd = arg_int(request, 0);
	size_t bytes;
	uint8_t *data = arg_hex(request, 1, &bytes);

	if (!request_bad(request))
		transfer(request, true, fd, data, bytes, 2);
}

static void move_memory(struct request *request, bool out)
{
	int fd = arg_int(request, 0);
	uintptr_t address = arg_address(request, 1);
	size_t bytes = arg_size(request, 2);

	if (!request_bad(request))
		transfer(request, out, fd, (void *)address, bytes, 3);
}

static void verb_read_to(struct request *request)
{
	move_memory(request, false);
}

static void verb_write_from(struct request *request)
{
	move_memory(request, true);
}

static void verb_cat(struct request *request)
{
	const char *path = arg_text(request, 0);
	size_t most = arg_given(request, 1) ? arg_count(request, 1, DATA_MOST) : 1u << 20;
	size_t bytes = 0;
	ssize_t got = 1;
	int fd;

	if (request_bad(request))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return reply_error("open");
	char *text = malloc(most + 1);

	/* One byte more than asked for tells whether there is more. */
	while (text && bytes <= most && got > 0) {
		got = read(fd, text + bytes, most + 1 - bytes);
		if (got > 0)
			bytes += got;
		else if (got < 0 && errno == EINTR)
			got = 1;
	}
	if (!text || got < 0) {
		reply_error(text ? "read" : "malloc");
	} else {
		reply_bool("whole", bytes <= most);
		reply_text_n("text", text, bytes <= most ? bytes : most);
	}
	free(text);
	close(fd);
}

static void verb_stat(struct request *request)
{
	const char *path = arg_text(request, 0);
	struct stat status;

	if (request_bad(request))
		return;
	if (stat(path, &status) < 0)
		return reply_error("stat");
	char mode[16];

	snprintf(mode, sizeof(mode), "%04o", status.st_mode & 07777);
	reply_text("mode", mode);
	reply_text("type", S_ISREG(status.st_mode)    ? "file"
			   : S_ISDIR(status.st_mode)  ? "directory"
			   : S_ISCHR(status.st_mode)  ? "character device"
			   : S_ISBLK(status.st_mode)  ? "block device"
			   : S_ISFIFO(status.st_mode) ? "pipe"
						      : "other");
	reply_u64("uid", status.st_uid);
	reply_u64("gid", status.st_gid);
	reply_hex("bytes", status.st_size);
	reply_u64("major", major(status.st_rdev));
	reply_u64("minor", minor(status.st_rdev));
}

static void verb_truncate(struct request *request)
{
	int fd = arg_int(request, 0);
	off_t bytes = arg_u64(request, 1);

	if (request_bad(request))
		return;
	if (ftruncate(fd, bytes) < 0)
		reply_error("ftruncate");
}

static void verb_poll(struct request *request)
{
	int fd = arg_int(request, 0);
	short events = arg_flags(request, 1, poll_events);
	int milliseconds = arg_int(request, 2);

	if (request_bad(request))
		return;
	events = wait_for(fd, events, milliseconds);
	reply_open("events", '[');
	for (const struct name *event = poll_events; event->name; event++)
		if (events & event->value)
			reply_text(NULL, event->name);
	reply_close(']');
}

static void verb_fds(struct request *request)
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;
	unsigned int count = 0;

	(void)request;
	if (!directory)
		return reply_error("opendir");
	reply_open("open", '[');
	while ((entry = readdir(directory))) {
		int fd = atoi(entry->d_name);
		char link[512];
		ssize_t length;

		if (entry->d_name[0] == '.' || fd == dirfd(directory))
			continue;
		length = readlinkat(dirfd(directory), entry->d_name, link, sizeof(link));
		reply_open(NULL, '{');
		reply_i64("fd", fd);
		reply_text_n("file", link, length < 0 ? 0 : length);
		reply_close('}');
		count++;
	}
	reply_close(']');
	reply_u64("count", count);
	closedir(directory);
}

const struct verb file_verbs[] = {
	{ "open", "PATH FLAGS [MODE]", "opens a file; flags as in rdwr,cloexec", verb_open },
	{ "close", "FD", "closes a descriptor", verb_close },
	{ "dup", "FD [TO]", "duplicates a descriptor", verb_dup },
	{ "lseek", "FD OFFSET WHENCE", "whence is set, current, end, data or hole", verb_lseek },
	{ "read", "FD BYTES [OFFSET]", "reads into the answer", verb_read },
	{ "write", "FD HEX [OFFSET]", "writes bytes given here", verb_write },
	{ "read-to", "FD ADDRESS BYTES [OFFSET]", "reads to an address; the kernel writes there", verb_read_to },
	{ "write-from", "FD ADDRESS BYTES [OFFSET]", "writes from an address; the kernel reads there",
	  verb_write_from },
	{ "cat", "PATH [BYTES]", "the text of a file, cut after BYTES", verb_cat },
	{ "stat", "PATH", "type, mode, owner, size, device number", verb_stat },
	{ "truncate", "FD BYTES", "sets a file's length", verb_truncate },
	{ "poll", "FD EVENTS MILLISECONDS", "waits for events of one descriptor", verb_poll },
	{ "fds", "", "the open descriptors", verb_fds },
	{ 0 },
};
