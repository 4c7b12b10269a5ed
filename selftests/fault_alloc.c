// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every call to the driver with every allocation in it failed in turn: the calls of the
 * ring, the commands of the netlink family, reading and writing. Needs a kernel that can
 * fail allocations (CONFIG_FAULT_INJECTION); whoever starts this says which ones fail.
 * usage: fault_alloc FILE, of at least 1 MiB.
 */
#include "disk_io.h"
#include "ktap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define DISK_SIZE (1 << 20)
#define PAGE 4096
#define MOST 2000		/* allocations of one call: there are not so many */
#define BOTH (BLKTAP_FILE_READ | BLKTAP_FILE_WRITE)
#define FEATURES (BLKTAP_F_REDIRECT | BLKTAP_F_EXTENTS | BLKTAP_F_HOLD | BLKTAP_F_TAKEOVER | \
		  BLKTAP_F_DATA_ON_DEMAND)

static struct nl nl;
static unsigned int minor;
static struct ring ring, successor;
static int file, nth, slot, node = -1, qfd = -1;
static void *area;
static pid_t holder;

/* ------------------------------------------------------------------ the fault */

static void set_nth(int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%d", n);

	/* Copying this text can be what fails. */
	if (pwrite(nth, text, length, 0) != length && pwrite(nth, text, length, 0) != length)
		ktap_die("cannot ask for a fault: %s", strerror(errno));
}

/* Whether there was a fault since set_nth(). */
static bool struck(void)
{
	char text[16] = "";

	if (pread(nth, text, sizeof(text) - 1, 0) > 0)
		return atoi(text) == 0;
	if (errno != EFAULT)
		ktap_die("cannot ask for faults: %s", strerror(errno));
	return false;	/* it was this one's */
}

struct step {
	const char *what;
	int (*run)(void);	/* 0 or a negative errno */
	/* What it may have done: a failure can be that of the answer. NULL: nothing. */
	void (*undo)(void);
};

/* A call that fails names what it lacked; one may do without, too. */
static bool is_sound(int ret)
{
	return ret == 0 || ret == -ENOMEM || ret == -ENOBUFS || ret == -EAGAIN ||
	       ret == -EMSGSIZE || ret == -EFAULT;
}

/* The call's success, the one without a fault, is left in place. */
static void try_all(const struct step *step)
{
	int n, ret, failed = 0;
	bool fault;

	for (n = 1; n < MOST; n++) {
		set_nth(n);
		ret = step->run();
		fault = struck();
		set_nth(0);
		if (!fault)
			break;
		if (!is_sound(ret)) {
			ktap(false, "%s: allocation %d fails: %s", step->what, n, strerror(-ret));
			return;
		}
		failed += ret != 0;
		if (step->undo)
			step->undo();
	}
	printf("# %s: %d allocations, %d of them fatal for the call\n", step->what, n - 1, failed);
	ktap_is(ret, 0, step->what);
}

/* -------------------------------------------------------------------- netlink */

static int new_minor = -1;

static int run_features(void)
{
	struct nl_msg msg;

	nl_start(&nl, &msg, BLKTAP_CMD_GET_FEATURES, NLM_F_ACK);
	return nl_call(&nl, &msg, NULL, NULL);
}

static int run_new(void)
{
	new_minor = 77;
	return nl_new(&nl, &new_minor, 2, 16);
}

static int run_del(void)
{
	return nl_del(&nl, 77);
}

static void undo_new(void)
{
	nl_del_wait(&nl, 77);
}

static void undo_del(void)
{
	run_new();
}

static int run_get(void)
{
	struct nl_attrs attrs;

	return nl_get(&nl, minor, &attrs);
}

static int run_dump(void)
{
	return nl_dump(&nl, NULL, NULL);
}

static int end(bool force)
{
	struct nl_msg msg;

	nl_start(&nl, &msg, BLKTAP_CMD_END_SESSION, NLM_F_ACK);
	nl_put_u32(&msg, BLKTAP_A_MINOR, 77);
	if (force)
		nl_put(&msg, BLKTAP_A_FORCE, NULL, 0);
	return nl_call(&nl, &msg, NULL, NULL);
}

static int run_end(void)
{
	return end(false);
}

static int run_end_force(void)
{
	return end(true);
}

/* A process that holds the session of tap 77, until it is killed. */
static void hold_session(void)
{
	struct blktap_start start;
	int ready[2];
	char byte;

	if (holder) {
		kill(holder, SIGKILL);
		waitpid(holder, NULL, 0);
	}
	if (pipe(ready))
		ktap_die("pipe: %s", strerror(errno));
	holder = fork();
	if (!holder) {
		struct ring own;

		ring_start_init(&start, DISK_SIZE);
		start.flags = BLKTAP_DISK_NO_SCAN;
		if (ring_open_with(&own, 77, FEATURES) == 0)
			ring_start(own.fd, &start);
		if (write(ready[1], "", 1) == 1)
			pause();
		_exit(0);
	}
	if (read(ready[0], &byte, 1) != 1)
		ktap_die("the other process: %s", strerror(errno));
	close(ready[0]);
	close(ready[1]);
}

/* ----------------------------------------------------------------------- ring */

static int run_open(void)
{
	node = ring_open_node(minor);
	return node < 0 ? node : 0;
}

static void undo_open(void)
{
	if (node >= 0)
		close(node);
	node = -1;
}

static int run_attach(void)
{
	struct blktap_attach at = { .size = sizeof(at), .features = FEATURES };
	int ret;

	ret = ioctl(node, BLKTAP_IOC_ATTACH, &at) < 0 ? -errno : 0;
	return ret;
}

/* A file attaches once. */
static void undo_attach(void)
{
	close(node);
	node = ring_open_node(minor);
}

static int run_queue_fd(void)
{
	qfd = ring_queue_fd(ring.fd, 0);
	return qfd < 0 ? qfd : 0;
}

static void undo_queue_fd(void)
{
	if (qfd >= 0)
		close(qfd);
	qfd = -1;
}

static int run_map(void)
{
	area = ring_map_cq(ring.fd, &ring.at, 0);
	return area == MAP_FAILED ? -errno : 0;
}

static void undo_map(void)
{
	if (area != MAP_FAILED)
		munmap(area, ring.at.cq_area_bytes);
}

static int run_start(void)
{
	struct blktap_start start;

	ring_start_init(&start, DISK_SIZE);
	start.flags = BLKTAP_DISK_NO_SCAN | BLKTAP_DISK_DEMAND;
	return ring_start(ring.fd, &start);
}

static int run_stop(void)
{
	return ring_stop(ring.fd);
}

/* EBUSY while it is being added, or probed. */
static void undo_start(void)
{
	int tries = 500;

	while (tries-- && ring_stop(ring.fd) == -EBUSY)
		usleep(10000);
	ring_wait_state(ring.fd, BLKTAP_DISK_STATE_NONE, 20000);
}

static void undo_stop(void)
{
	ring_wait_state(ring.fd, BLKTAP_DISK_STATE_NONE, 20000);
	run_start();
	ring_wait_state(ring.fd, BLKTAP_DISK_STATE_LIVE, 20000);
}

static int run_state(void)
{
	struct blktap_state state;

	return ring_state(ring.fd, &state);
}

static int run_resize(void)
{
	int ret;

	ret = ring_resize(ring.fd, 2 * DISK_SIZE);

	return ret ? ret : ring_resize(ring.fd, DISK_SIZE);
}

static int run_hold(void)
{
	return ring_hold(ring.fd);
}

static int run_release(void)
{
	return ring_release(ring.fd);
}

static void undo_hold(void)
{
	ring_release(ring.fd);
}

static void undo_release(void)
{
	ring_hold(ring.fd);
}

static int run_enter(void)
{
	return ring_enter(&ring.queues[0], 0, 0, NULL);
}

static int run_wait(void)
{
	struct blktap_enter arg = {
		.size = sizeof(arg), .flags = BLKTAP_ENTER_WAIT | BLKTAP_ENTER_ALSO,
		.timeout = 1000000, .fd = ring.fd,
	};
	int ret = ioctl(ring.queues[0].fd, BLKTAP_IOC_ENTER, &arg) < 0 ? -errno : 0;

	return ret == -ETIME ? 0 : ret;
}

static int run_register(void)
{
	slot = ring_register(ring.fd, file, BOTH);
	return slot < 0 ? slot : 0;
}

/* The first slot is the one that was to be told. */
static void undo_register(void)
{
	ring_unregister(ring.fd, 0, 0);
}

static int run_extent(void)
{
	return ring_map_extent(ring.fd, slot, BOTH, DISK_SIZE / 2, PAGE, 0);
}

static int run_unmap(void)
{
	return ring_unmap_extent(ring.fd, 0, 0, UINT64_MAX);
}

static void undo_unmap(void)
{
	run_extent();
}

/* Without memory there is no wait, but the range is unmapped. */
static int run_unmap_wait(void)
{
	return ring_unmap_extent(ring.fd, BLKTAP_UNMAP_WAIT, 0, UINT64_MAX);
}

static int run_succeed(void)
{
	return ring_succeed(&successor, minor, FEATURES);
}

static void undo_succeed(void)
{
	if (successor.queues)
		ring_close(&successor);
	successor.queues = NULL;
}

static const struct step netlink_steps[] = {
	{ "GET_FEATURES", run_features, NULL },
	{ "NEW_TAP", run_new, undo_new },
	{ "GET_TAP", run_get, NULL },
	{ "GET_TAP, all", run_dump, NULL },
	{ "END_SESSION", run_end, hold_session },
};

static const struct step session_steps[] = {
	{ "opening the ring node", run_open, undo_open },
	{ "ATTACH", run_attach, undo_attach },
};

static const struct step start_steps[] = {
	{ "GET_QUEUE_FD", run_queue_fd, undo_queue_fd },
	{ "mmap", run_map, undo_map },
	{ "START", run_start, undo_start },
};

static const struct step ring_steps[] = {
	{ "GET_STATE", run_state, NULL },
	{ "RESIZE", run_resize, NULL },
	{ "ENTER", run_enter, NULL },
	{ "ENTER that waits", run_wait, NULL },
	{ "REGISTER_FILE", run_register, undo_register },
	{ "MAP_EXTENT", run_extent, NULL },
	{ "UNMAP_EXTENT", run_unmap, undo_unmap },
	{ "UNMAP_EXTENT that waits", run_unmap_wait, NULL },
	{ "HOLD", run_hold, undo_hold },
	{ "RELEASE", run_release, undo_release },
	{ "ATTACH as a successor", run_succeed, undo_succeed },
};

/* ------------------------------------------------------------------------ I/O */

/* The descriptor for faults is a thread's own. */
static int open_nth(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/fail-nth", gettid());
	return open(path, O_RDWR | O_CLOEXEC);
}

struct load {
	int fd;
	bool write;
	bool over;
	int allocations;
	int wrong;
};

static ssize_t transfer(const struct load *load, char *buf, size_t length)
{
	return load->write ? pwrite(load->fd, buf, length, 0) : pread(load->fd, buf, length, 0);
}

static void *submit(void *arg)
{
	struct load *load = arg;
	char *buf = aligned_alloc(PAGE, DISK_SIZE / 2);
	size_t lengths[] = { PAGE, DISK_SIZE / 2 }, i;
	int n;

	nth = open_nth();
	memset(buf, 'x', DISK_SIZE / 2);
	for (i = 0; i < 2; i++) {
		for (n = 1; n < MOST; n++) {
			ssize_t ret;
			bool fault;

			set_nth(n);
			ret = transfer(load, buf, lengths[i]);
			if (ret < 0)
				ret = -errno;
			fault = struck();
			set_nth(0);
			load->wrong += ret != (ssize_t)lengths[i] && !(fault && is_sound(ret));
			if (!fault)
				break;
			load->allocations++;
		}
	}
	free(buf);
	close(nth);
	__atomic_store_n(&load->over, true, __ATOMIC_RELEASE);
	return NULL;
}

static void answer_all(struct load *load)
{
	struct ring_request req;
	unsigned int i;

	while (!__atomic_load_n(&load->over, __ATOMIC_ACQUIRE)) {
		for (i = 0; i < ring.at.queues; i++) {
			struct ring_queue *q = &ring.queues[i];

			while (ring_next(q, &req)) {
				if (req.desc.flags & BLKTAP_REQ_DEMAND)
					ring_fetch(q, req.tag, req.desc.generation);
				ring_complete(q, &req, req.desc.length);
			}
			ring_arm(q);
			tap_enter(q, NULL);
		}
		usleep(200);
	}
}

static void test_io(bool write)
{
	struct load load = { .fd = ring_open_disk(minor, O_RDWR | O_DIRECT), .write = write };
	pthread_t thread;
	int own = nth;

	if (load.fd < 0 || pthread_create(&thread, NULL, submit, &load))
		ktap_die("cannot use the disk");
	answer_all(&load);
	pthread_join(thread, NULL);
	close(load.fd);
	nth = own;
	printf("# %s: %d allocations\n", write ? "writes" : "reads", load.allocations);
	ktap_is(load.wrong, 0, write ? "writes end well or say what is missing" :
		"reads end well or say what is missing");
}

/* ----------------------------------------------------------------------- main */

static void run_steps(const struct step *steps, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		try_all(&steps[i]);
}

#define RUN(steps) run_steps(steps, sizeof(steps) / sizeof((steps)[0]))

static void test_netlink(void)
{
	static const struct step force = { "END_SESSION with FORCE", run_end_force, hold_session };
	static const struct step del = { "DEL_TAP", run_del, undo_del };
	size_t i;

	for (i = 0; i < sizeof(netlink_steps) / sizeof(netlink_steps[0]); i++) {
		if (netlink_steps[i].run == run_end)
			hold_session();
		try_all(&netlink_steps[i]);
	}
	hold_session();
	try_all(&force);
	waitpid(holder, NULL, 0);
	usleep(500 * 1000);
	try_all(&del);
}

static void test_ring(void)
{
	RUN(session_steps);
	close(node);
	if (ring_open_with(&ring, minor, FEATURES))
		ktap_die("cannot attach");
	RUN(start_steps);
	ktap_is(ring_wait_state(ring.fd, BLKTAP_DISK_STATE_LIVE, 20000), 0, "the disk is live");
	RUN(ring_steps);
	undo_succeed();
	close(qfd);
	undo_map();
}

static void test_disk(void)
{
	static const struct step stop = { "STOP", run_stop, undo_stop };

	test_io(false);
	test_io(true);
	try_all(&stop);
	ring_wait_state(ring.fd, BLKTAP_DISK_STATE_NONE, 20000);
	ring_close(&ring);
}

int main(int argc, char **argv)
{
	ktap_start();
	nth = open_nth();
	if (argc != 2 || nth < 0)
		ktap_die("no file, or no faults: %s", strerror(errno));
	file = backing_open(argv[1]);
	tap_new_holding(&nl, &minor, 1, 8);
	test_netlink();
	test_ring();
	test_disk();
	ktap_is(nl_del_wait(&nl, minor), 0, "the tap can be freed");
	return ktap_finish();
}
