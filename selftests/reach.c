// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a user can reach: tries one thing and ends with its errno, or 0.
 *
 * usage: reach open PATH | write PATH | connect PATH | handed PATH | daemon FD | queue MINOR |
 *        trace PID | read PID | steal PID
 *
 * trace, read and steal take hold of a process as a debugger does, of its memory, and of
 * its standard input. connect prints what it is answered. handed connects, and has a user
 * without rights ask over that connection. daemon is one on a ring descriptor that it was
 * handed. queue makes a session, and has a user without rights try a queue's descriptor.
 */
#include "ring.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY	65534

static int try_open(const char *path)
{
	return open(path, O_RDWR | O_NONBLOCK) < 0 ? errno : 0;
}

static int try_write(const char *path)
{
	return open(path, O_WRONLY | O_NONBLOCK) < 0 ? errno : 0;
}

static bool drop_rights(void)
{
	return !setgroups(0, NULL) && !setresgid(NOBODY, NOBODY, NOBODY) &&
	       !setresuid(NOBODY, NOBODY, NOBODY);
}

static int connected(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = 10 };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return connect(fd, (void *)&address, sizeof(address)) ? -errno : fd;
}

static void print_answer(int fd)
{
	char answer[512];
	ssize_t length = recv(fd, answer, sizeof(answer), 0);

	if (length > 0)
		printf("%.*s", (int)length, answer);
}

static int try_connect(const char *path)
{
	int fd = connected(path);

	if (fd < 0)
		return -fd;
	print_answer(fd);
	return 0;
}

static int try_handed(const char *path)
{
	static const char ask[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}\n";
	int fd = connected(path);

	if (fd < 0)
		return -fd;
	if (!drop_rights() || send(fd, ask, sizeof(ask) - 1, 0) < 0)
		return errno;
	print_answer(fd);
	return 0;
}

/* All that a daemon does before it serves; the disk comes without being read. */
static int try_daemon(const char *number)
{
	struct blktap_start start;
	struct blktap_attach at;
	int fd = atoi(number), ret;
	char path[64];

	/* It has the right to the open file only, not to the node. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (open(path, O_RDWR) >= 0)
		return EEXIST;
	ring_start_init(&start, 1 << 20);
	start.flags = BLKTAP_DISK_NO_SCAN;
	ret = ring_attach(fd, &at);
	if (!ret && ring_map_cq(fd, &at, 0) == MAP_FAILED)
		ret = -errno;
	if (!ret)
		ret = ring_start(fd, &start);
	if (!ret)
		ret = ring_wait_state(fd, BLKTAP_DISK_STATE_LIVE, 10000);
	if (!ret)
		ret = ring_stop(fd);
	if (!ret)
		ret = ring_wait_state(fd, BLKTAP_DISK_STATE_NONE, 10000);
	return -ret;
}

static int use_queue(int q)
{
	struct blktap_attach at = { .size = sizeof(at) };
	struct blktap_enter enter = { .size = sizeof(enter) };
	char path[64];

	if (!drop_rights())
		return 1;
	if (ioctl(q, BLKTAP_IOC_ENTER, &enter))
		return 2;
	if (!ioctl(q, BLKTAP_IOC_ATTACH, &at) || errno != ENOTTY)
		return 3;
	if (mmap(NULL, 4096, PROT_READ, MAP_SHARED, q, 0) != MAP_FAILED)
		return 4;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", q);
	return open(path, O_RDWR) < 0 ? 0 : 5;
}

/* A descriptor of a queue takes completions, and leads to nothing else. */
static int try_queue(const char *minor)
{
	struct ring ring;
	int status = -1;
	pid_t pid;

	if (ring_open(&ring, atoi(minor)))
		return EIO;
	pid = fork();
	if (!pid)
		_exit(use_queue(ring.queues[0].fd));
	waitpid(pid, &status, 0);
	printf("step %d failed\n", WEXITSTATUS(status));
	return status ? EPERM : 0;
}

static int try_trace(const char *pid)
{
	return ptrace(PTRACE_SEIZE, atoi(pid), NULL, NULL) ? errno : 0;
}

/* Where nothing is; who may not look is not told that. */
static int try_read(const char *pid)
{
	struct iovec local = { &local, 1 }, remote = { NULL, 1 };

	if (process_vm_readv(atoi(pid), &local, 1, &remote, 1, 0) < 0 && errno != EFAULT)
		return errno;
	return 0;
}

static int try_steal(const char *pid)
{
	int pidfd = syscall(SYS_pidfd_open, atoi(pid), 0);

	if (pidfd < 0)
		return errno;
	return syscall(SYS_pidfd_getfd, pidfd, STDIN_FILENO, 0) < 0 ? errno : 0;
}

static const struct {
	const char *name;
	int (*run)(const char *what);
} tries[] = {
	{ "open", try_open },
	{ "write", try_write },
	{ "connect", try_connect },
	{ "handed", try_handed },
	{ "daemon", try_daemon },
	{ "queue", try_queue },
	{ "trace", try_trace },
	{ "read", try_read },
	{ "steal", try_steal },
};

int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; argc == 3 && i < sizeof(tries) / sizeof(tries[0]); i++)
		if (!strcmp(tries[i].name, argv[1]))
			return tries[i].run(argv[2]);
	fprintf(stderr, "see the beginning of reach.c for its usage\n");
	return 255;
}
