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
 * handed. queue makes a session with a disk that is written to, and has a user without
 * rights try a queue's descriptor.
 */
#include "ring.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
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
#define BLOCK	4096
#define PATTERN	0x5a

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

static int write_block(unsigned int minor)
{
	int fd = ring_open_disk(minor, O_WRONLY | O_DIRECT);
	char *block = aligned_alloc(BLOCK, BLOCK);

	memset(block, PATTERN, BLOCK);
	return fd >= 0 && write(fd, block, BLOCK) == BLOCK ? 0 : 1;
}

/* A disk whose WRITEs have no data before FETCH, and one of them that has come. */
static int begin_write(struct ring *ring, unsigned int minor, struct ring_request *req)
{
	struct blktap_start start;
	int ret = ring_open_with(ring, minor, BLKTAP_F_DATA_ON_DEMAND);
	struct pollfd p;

	if (ret)
		return ret;
	ring_start_init(&start, 1 << 20);
	start.flags = BLKTAP_DISK_NO_SCAN | BLKTAP_DISK_DEMAND;
	ret = ring_start(ring->fd, &start);
	if (!ret)
		ret = ring_wait_state(ring->fd, BLKTAP_DISK_STATE_LIVE, 10000);
	if (ret)
		return ret;
	fflush(stdout);
	if (!fork())
		_exit(write_block(minor));
	/* It stays uncovered, so that others see it, too. */
	p = (struct pollfd){ ring->queues[0].fd, POLLIN, 0 };
	return poll(&p, 1, 10000) == 1 && ring_next(&ring->queues[0], req) ? 0 : -ETIMEDOUT;
}

/* That it can poll and fetch; then, that nothing else comes of the descriptor. */
static int fetch_by_queue(struct ring_queue *q, const struct ring_request *req)
{
	struct pollfd p = { q->fd, POLLIN, 0 };
	struct blktap_attach at = { .size = sizeof(at) };
	char path[64];

	if (poll(&p, 1, 0) != 1 || p.revents != POLLIN)
		return 2;
	if (ring_fetch(q, req->tag, req->desc.generation))
		return 3;
	if (ring_fetch(q, req->tag, req->desc.generation) != -EINVAL)
		return 4;
	if (!ioctl(q->fd, BLKTAP_IOC_ATTACH, &at) || errno != ENOTTY)
		return 5;
	if (mmap(NULL, 4096, PROT_READ, MAP_SHARED, q->fd, 0) != MAP_FAILED)
		return 6;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", q->fd);
	return open(path, O_RDWR) < 0 ? 0 : 7;
}

/* The completion has been written by who has the ring mapped. */
static int enter_by_queue(struct ring_queue *q, const struct ring_request *req)
{
	struct blktap_enter enter;

	(void)req;
	return ring_enter(q, 0, 0, &enter) || enter.taken != 1 ? 8 : 0;
}

/* In a process that has the descriptor and no rights; a child has no mapping of the ring. */
static int as_nobody(int (*use)(struct ring_queue *q, const struct ring_request *req),
		     struct ring_queue *q, const struct ring_request *req)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(drop_rights() ? use(q, req) : 1);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool is_filled(const char *data, int byte)
{
	size_t i;

	for (i = 0; i < BLOCK; i++)
		if (data[i] != byte)
			return false;
	return true;
}

/* A descriptor of a queue takes completions, and leads to nothing else. */
static int try_queue(const char *minor)
{
	struct ring_request req;
	struct ring_queue *q;
	struct ring ring;
	int step, status = -1;

	if (begin_write(&ring, atoi(minor), &req))
		return EIO;
	q = &ring.queues[0];
	step = as_nobody(fetch_by_queue, q, &req);
	if (!step && !is_filled(req.data, PATTERN))
		step = 9;
	ring_complete(q, &req, req.desc.length);
	if (!step)
		step = as_nobody(enter_by_queue, q, &req);
	if (step)
		printf("step %d failed\n", step);
	if (!step && (wait(&status) < 0 || status))
		return EIO;
	if (ring_stop_force(ring.fd) || ring_wait_state(ring.fd, BLKTAP_DISK_STATE_NONE, 10000))
		return EBUSY;
	return step ? EPERM : 0;
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
