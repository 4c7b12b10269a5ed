// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors, and processes that have them. */
#include "fuzz_daemon.h"
#include "fuzz_value.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Arguments: which tap's node, how. */
FUZZ_RUN(fuzz_open)
{
	static const int flags[] = { O_RDWR, O_RDONLY, O_WRONLY, O_RDWR | O_NONBLOCK, O_PATH };
	char path[64];

	(void)call;
	snprintf(path, sizeof(path), "/dev/" BLKTAP_RING_NAME,
		 args[0] % 8 ? d->setup->minor : d->setup->other);
	fuzz_add_fd(d, open(path, flags[args[1] % 5] | O_CLOEXEC));
}

/* Those that were there before are the next round's, too, but this process' copies. */
FUZZ_RUN(fuzz_close)
{
	unsigned int index = args[0] % d->nr_fds;

	(void)call;
	close(d->fds[index]);
	if (args[1] % 2 && d->ring.at.queues)
		close(d->ring.fd);
}

FUZZ_RUN(fuzz_dup)
{
	int fd = fuzz_pick_fd(d, args[0]);

	(void)call;
	fuzz_add_fd(d, args[1] % 4 ? dup(fd) : fcntl(fd, F_DUPFD_CLOEXEC, 200));
}

/* Leaves a descriptor in a socket, where it stays open with nobody. */
FUZZ_RUN(fuzz_send)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { "x", 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int fd = args[2] % 4 == 3 ? d->pair[1] : fuzz_pick_fd(d, args[0]);

	(void)call;
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	sendmsg(d->pair[0], &msg, MSG_DONTWAIT);
	if (args[1] % 4 == 1)
		close(fd);
	/* With its end closed, the socket in itself is for the kernel to find. */
	if (args[1] % 4 == 2)
		close(d->pair[1]);
}

/* Arguments: way, descriptor, events, another descriptor. */
FUZZ_RUN(fuzz_poll)
{
	struct pollfd p = { .fd = fuzz_pick_fd(d, args[1]), .events = args[2] | POLLPRI };
	struct epoll_event event = { .events = EPOLLIN | EPOLLPRI | (args[2] % 2 ? EPOLLET : 0) };
	int set;

	(void)call;
	if (args[0] % 2) {
		poll(&p, 1, args[3] % 4);
		return;
	}
	/* Sets are among the descriptors, and so within each other. */
	set = args[3] ? fuzz_pick_fd(d, args[3]) : epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(set, EPOLL_CTL_ADD, p.fd, &event);
	epoll_wait(set, &event, 1, args[2] % 4);
	if (!args[3])
		fuzz_add_fd(d, set);
}

/* A disk is left alone: one's own would wait for oneself, whom nobody could kill then. */
static bool may_wait(int fd)
{
	struct stat st;

	return fstat(fd, &st) || S_ISBLK(st.st_mode);
}

/* Arguments: descriptor, call, number. */
FUZZ_RUN(fuzz_rw)
{
	int fd = fuzz_pick_fd(d, args[0]);
	char path[32], data[512];
	struct stat st;

	(void)call;
	if (may_wait(fd))
		return;
	fcntl(fd, F_SETFL, O_NONBLOCK | fcntl(fd, F_GETFL));
	switch (args[1] % 8) {
	case 0:
		read(fd, data, args[2]);
		break;
	case 1:
		lseek(fd, args[2], args[2] % 5);
		break;
	case 2:
		fsync(fd);
		break;
	case 3:
		fstat(fd, &st);
		break;
	case 4:
		fcntl(fd, F_SETFL, args[2] * 64);
		break;
	case 5:
		fallocate(fd, args[2] % 4, 0, 4096);
		break;
	case 6:
		syncfs(fd);
		break;
	case 7:
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
		fd = open(path, O_RDONLY);
		read(fd, data, sizeof(data));
		close(fd);
		break;
	}
}

/* A child has the descriptors, and with MADV_DOFORK the memory, and outlives the daemon. */
FUZZ_RUN(fuzz_fork)
{
	struct ring_queue *q = fuzz_pick_queue(d, args[1]);
	unsigned int turns = args[0];

	(void)call;
	if (fork())
		return;
	for (; q && turns; turns--) {
		q->buffer[4096UL * turns % q->ring->at.buffer_area_bytes]++;
		ring_enter(q, 0, 0, NULL);
	}
	for (;;)
		pause();
}

FUZZ_RUN(fuzz_die)
{
	(void)d;
	(void)call;
	if (args[0] % 4)
		_exit(0);
	kill(getpid(), SIGKILL);
}
