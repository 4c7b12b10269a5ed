// SPDX-License-Identifier: GPL-2.0-only
/*
 * A session in other hands than those that attached: a descriptor that was passed on, a child
 * that inherits, a program that was started with it. It lives as long as the ring file.
 * usage: ring_heirs
 */
#include "disk_io.h"
#include "ktap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define DISK_SIZE (1 << 20)
#define PAGE 4096
#define PATTERN 0x77

static struct nl nl;
static unsigned int minor;
static int ends[2];		/* of a connection between the processes */
static pid_t *heir;		/* shared by all of them */

/* ------------------------------------------------------- what the other ones do */

/* Until it is killed. */
__attribute__((noreturn))
static void serve(struct ring *ring)
{
	struct ring_queue *q = &ring->queues[0];
	struct ring_request req;
	int ret = 0;

	while (!ret || ret == -EBUSY) {
		while (ring_next(q, &req)) {
			memset(req.data, PATTERN, req.desc.length);
			ring_complete(q, &req, req.desc.length);
		}
		ring_arm(q);
		ret = ring_enter(q, BLKTAP_ENTER_WAIT, -1, NULL);
	}
	_exit(1);
}

__attribute__((noreturn))
static void adopt(int fd, const struct blktap_attach *at)
{
	struct ring ring;

	if (ring_adopt(&ring, fd, at))
		_exit(1);
	serve(&ring);
}

union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static bool pass(int fd, const struct blktap_attach *at)
{
	struct iovec iov = { (void *)at, sizeof(*at) };
	union control control = { 0 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(ends[0], &msg, 0) == sizeof(*at);
}

__attribute__((noreturn))
static void receive(void)
{
	struct blktap_attach at;
	struct iovec iov = { &at, sizeof(at) };
	union control control;
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(ends[1], &msg, MSG_CMSG_CLOEXEC) != sizeof(at) || !CMSG_FIRSTHDR(&msg))
		_exit(1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	adopt(fd, &at);
}

/* Passes on its ring, and ends when the other one is waiting for requests. */
static int pass_on(struct ring *ring)
{
	int tries, ret = 0;

	if (!pass(ring->fd, &ring->at))
		return 1;
	for (tries = 0; tries < 1000 && ret != -EBUSY; tries++) {
		usleep(10 * 1000);
		ret = ring_enter(&ring->queues[0], 0, 0, NULL);
	}
	return ret == -EBUSY ? 0 : 2;
}

/* Ends before its child can be sure to do anything. */
static int leave_to_child(struct ring *ring)
{
	pid_t pid = fork();

	if (!pid)
		adopt(ring->fd, &ring->at);
	*heir = pid;
	return pid < 0;
}

/* Another program, with the descriptor, and what ATTACH said in a file. */
static int become_another(struct ring *ring)
{
	int at = memfd_create("attach", 0);
	char words[2][16];

	if (at < 0 || pwrite(at, &ring->at, sizeof(ring->at), 0) != sizeof(ring->at) ||
	    fcntl(ring->fd, F_SETFD, 0))
		return 1;
	snprintf(words[0], sizeof(words[0]), "%d", ring->fd);
	snprintf(words[1], sizeof(words[1]), "%d", at);
	execl("/proc/self/exe", "ring_heirs", words[0], words[1], NULL);
	return 1;
}

/* Another program, which does not get it: it is close-on-exec. */
static int forget(struct ring *ring)
{
	(void)ring;
	execlp("sleep", "sleep", "1000", NULL);
	return 1;
}

/* --------------------------------------------------------------- what is seen of it */

static uint64_t told(int attr)
{
	struct nl_attrs attrs;

	return nl_get(&nl, minor, &attrs) ? UINT64_MAX : attrs.val[attr];
}

static bool becomes(int attr, uint64_t want)
{
	int tries;

	for (tries = 0; tries < 2000 && told(attr) != want; tries++)
		usleep(10 * 1000);
	return told(attr) == want;
}

/* A process that attaches, starts a disk and then does @next. */
static pid_t begin(int (*next)(struct ring *ring))
{
	pid_t pid = fork();
	struct ring ring;

	if (pid)
		return pid;
	tap_start(&ring, minor, 0, 0, DISK_SIZE);
	_exit(next(&ring));
}

static int status_of(pid_t pid)
{
	int status = -1;

	return waitpid(pid, &status, 0) == pid ? status : -1;
}

static void new_tap(void)
{
	tap_new(&nl, &minor, 1, 4);
}

/* Somebody serves the disk, whoever had attached; and the session ends with him. */
static void goes_on(pid_t attached, pid_t by)
{
	ktap_is(told(BLKTAP_A_PID), attached, "the session is there, under the name of who attached");
	ktap_is(io_do(minor, false, 0, PAGE, PATTERN), PAGE, "and serves");
	ktap_is(nl_del(&nl, minor), -EBUSY, "the tap cannot be freed");
	kill(by, SIGKILL);
	status_of(by);
	ktap_is(told(BLKTAP_A_RECOVERY), BLKTAP_RECOVERY_FAILED, "it ends with the last who has it");
	ktap_is(io_do(minor, false, 0, PAGE, 0), -EIO, "requests fail");
	ktap_is(nl_del_wait(&nl, minor), 0, "the tap can be freed");
	nl_close(&nl);
}

static void test_passed(void)
{
	pid_t other, first;

	new_tap();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		ktap_die("socketpair: %s", strerror(errno));
	other = fork();
	if (!other)
		receive();
	first = begin(pass_on);
	ktap_is(status_of(first), 0, "passed on: while one process waits in ENTER, the other gets EBUSY");
	goes_on(first, other);
	close(ends[0]);
	close(ends[1]);
}

static void test_inherited(void)
{
	pid_t first;

	new_tap();
	first = begin(leave_to_child);
	ktap_is(status_of(first), 0, "inherited: who attached has gone, his child has not");
	goes_on(first, *heir);
}

static void test_executed(void)
{
	pid_t first;

	new_tap();
	first = begin(become_another);
	ktap(becomes(BLKTAP_A_DISK_STATE, BLKTAP_DISK_STATE_LIVE), "executed: another program");
	goes_on(first, first);
}

static void test_forgotten(void)
{
	pid_t first;

	new_tap();
	first = begin(forget);
	ktap(becomes(BLKTAP_A_RECOVERY, BLKTAP_RECOVERY_FAILED),
	     "executed without the descriptor: the session ends, though the process lives");
	ktap(!told(BLKTAP_A_PID) && !kill(first, 0), "and is nobody's");
	kill(first, SIGKILL);
	status_of(first);
	ktap_is(nl_del_wait(&nl, minor), 0, "the tap can be freed");
	nl_close(&nl);
}

static int be_another(const char *fd, const char *file)
{
	struct blktap_attach at;

	if (pread(atoi(file), &at, sizeof(at), 0) != sizeof(at))
		return 1;
	adopt(atoi(fd), &at);
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return be_another(argv[1], argv[2]);
	ktap_start();
	heir = mmap(NULL, sizeof(*heir), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (heir == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
		ktap_die("cannot prepare: %s", strerror(errno));
	test_passed();
	test_inherited();
	test_executed();
	test_forgotten();
	return ktap_finish();
}
