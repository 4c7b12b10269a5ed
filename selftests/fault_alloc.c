// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every call to the driver with every allocation in it failed in turn: the calls of the
 * ring and the commands of the netlink family. See fault.sh.
 * usage: fault_alloc FILE, of at least 1 MiB.
 */
#include "disk_io.h"
#include "faults.h"
#include "ktap.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define DISK_SIZE (1 << 20)
#define PAGE 4096
#define BOTH (BLKTAP_FILE_READ | BLKTAP_FILE_WRITE)
#define FEATURES (BLKTAP_F_REDIRECT | BLKTAP_F_EXTENTS | BLKTAP_F_HOLD | BLKTAP_F_TAKEOVER | \
		  BLKTAP_F_DATA_ON_DEMAND)

static struct nl nl;
static unsigned int minor;
static struct ring ring, successor;
static int file, slot, other, node = -1, qfd = -1;
static void *area;
static pid_t holder;

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

static void kill_holder(void)
{
	if (!holder)
		return;
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
	holder = 0;
}

/* A process that holds the session of tap 77, until it is killed. */
static void hold_session(void)
{
	struct blktap_start start;
	int ready[2];
	char byte;

	kill_holder();
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

static int run_del_force(void)
{
	struct nl_msg msg;

	nl_start(&nl, &msg, BLKTAP_CMD_DEL_TAP, NLM_F_ACK);
	nl_put_u32(&msg, BLKTAP_A_MINOR, 77);
	nl_put(&msg, BLKTAP_A_FORCE, NULL, 0);
	return nl_call(&nl, &msg, NULL, NULL);
}

/* It may be going: then it cannot be freed once more. */
static void wait_gone(void)
{
	int tries, ret = -EBUSY;

	for (tries = 0; tries < 2000 && ret && ret != -ENODEV; tries++) {
		ret = nl_del_wait(&nl, 77);
		usleep(10000);
	}
	if (ret && ret != -ENODEV)
		ktap_die("tap 77 stays: %s", strerror(-ret));
}

/* A tap with a session, whatever has become of the one before. */
static void renew(void)
{
	kill_holder();
	wait_gone();
	if (run_new())
		ktap_die("cannot allocate a tap: %s", nl.text);
	hold_session();
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

static int stopped;

static int run_stop(void)
{
	stopped = ring_stop(ring.fd);
	return stopped;
}

static int run_stop_force(void)
{
	stopped = ring_stop_force(ring.fd);
	return stopped;
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
	if (stopped)
		return;
	ring_wait_state(ring.fd, BLKTAP_DISK_STATE_NONE, 20000);
	run_start();
	ring_wait_state(ring.fd, BLKTAP_DISK_STATE_LIVE, 20000);
}

/* -------------------------------------------------------------------- buffers */

static char *buffers = MAP_FAILED;
static const struct ring_request *touched;
static sigjmp_buf back;

static void on_fault(int sig)
{
	siglongjmp(back, sig);
}

/* A page that cannot be had now is asked for again: nobody is told by SIGBUS, nor killed. */
static int run_touch(void)
{
	if (sigsetjmp(back, 1))
		return -EIO;
	*(volatile char *)(buffers + touched->desc.buffer) = 1;
	return 0;
}

/* In a mapping that has no tables yet. */
static void map_buffers(void)
{
	if (buffers != MAP_FAILED)
		munmap(buffers, ring.at.buffer_area_bytes);
	buffers = ring_map_buffer(ring.fd, &ring.at, 0);
	if (buffers == MAP_FAILED)
		ktap_die("cannot map the buffers: %s", strerror(errno));
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

static int unregistered;

static int run_unregister(void)
{
	unregistered = ring_unregister(ring.fd, slot, 0);
	return unregistered;
}

/* Without memory there is no wait, but the slot is free. */
static int run_unregister_wait(void)
{
	unregistered = ring_unregister(ring.fd, slot, BLKTAP_UNMAP_WAIT);
	return unregistered;
}

/* An extent of a second slot, between two of the first one, and with nothing beside it. */
static void register_between(void)
{
	int i;

	slot = ring_register(ring.fd, file, BOTH);
	for (i = 0; slot >= 0 && i < 3; i++) {
		if (ring_map_extent(ring.fd, i == 1 ? slot : other, BOTH, i * 2 * PAGE, PAGE, 0))
			slot = -1;
	}
	if (slot < 0)
		ktap_die("cannot register a file");
}

/* Whatever there was no memory for: where its file has gone, no extent is left. */
static void undo_unregister(void)
{
	struct nl_attrs attrs;

	if (nl_get(&nl, minor, &attrs))
		ktap_die("cannot look at the tap");
	if (unregistered != -EFAULT && attrs.val[BLKTAP_A_EXTENTS] > 2)
		ktap(false, "UNREGISTER_FILE takes its extents along");
	ring_unregister(ring.fd, slot, 0);
	register_between();
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

/* In "least" is what each of them cannot do without; the others may need nothing. */
static const struct faults_step netlink_steps[] = {
	{ "GET_FEATURES", run_features, NULL, 5 },
	{ "NEW_TAP", run_new, undo_new, 30 },
	{ "GET_TAP", run_get, NULL, 5 },
	{ "GET_TAP, all", run_dump, NULL, 5 },
};

static const struct faults_step end_steps[] = {
	{ "END_SESSION", run_end, hold_session, 2 },
	{ "END_SESSION with FORCE", run_end_force, hold_session, 2 },
};

static const struct faults_step del_steps[] = {
	{ "DEL_TAP", run_del, undo_del, 5 },
};

static const struct faults_step del_force_steps[] = {
	{ "DEL_TAP with FORCE", run_del_force, renew, 5 },
};

static const struct faults_step session_steps[] = {
	{ "opening the ring node", run_open, undo_open, 2 },
	{ "ATTACH", run_attach, undo_attach, 20 },
};

static const struct faults_step start_steps[] = {
	{ "GET_QUEUE_FD", run_queue_fd, undo_queue_fd, 2 },
	{ "mmap", run_map, undo_map, 1 },
	{ "START", run_start, undo_start, 20 },
};

static const struct faults_step ring_steps[] = {
	{ "GET_STATE", run_state, NULL, 0 },
	{ "RESIZE", run_resize, NULL, 0 },
	{ "ENTER", run_enter, NULL, 0 },
	{ "ENTER that waits", run_wait, NULL, 0 },
	{ "REGISTER_FILE", run_register, undo_register, 5 },
	{ "MAP_EXTENT", run_extent, NULL, 2 },
	{ "UNMAP_EXTENT", run_unmap, undo_unmap, 0 },
	{ "UNMAP_EXTENT that waits", run_unmap_wait, NULL, 2 },
	{ "HOLD", run_hold, undo_hold, 0 },
	{ "RELEASE", run_release, undo_release, 0 },
	{ "ATTACH as a successor", run_succeed, undo_succeed, 20 },
};

static const struct faults_step touch_steps[] = {
	{ "the first touch of a request's buffer", run_touch, map_buffers, 1 },
};

static const struct faults_step unregister_steps[] = {
	{ "UNREGISTER_FILE", run_unregister, undo_unregister, 1 },
	{ "UNREGISTER_FILE that waits", run_unregister_wait, undo_unregister, 3 },
};

static const struct faults_step stop_steps[] = {
	{ "STOP", run_stop, undo_stop, 0 },
	{ "STOP with FORCE", run_stop_force, undo_stop, 0 },
};

/* ----------------------------------------------------------------------- main */

static void test_netlink(void)
{
	size_t i;

	FAULTS_TRY(netlink_steps);
	for (i = 0; i < sizeof(end_steps) / sizeof(end_steps[0]); i++) {
		hold_session();
		faults_try_all(&end_steps[i], 1, faults_try);
	}
	waitpid(holder, NULL, 0);
	holder = 0;
	usleep(500 * 1000);
	FAULTS_TRY(del_steps);
	renew();
	FAULTS_TRY(del_force_steps);
	kill_holder();
	wait_gone();
}

static void test_ring(void)
{
	FAULTS_TRY(session_steps);
	close(node);
	if (ring_open_with(&ring, minor, FEATURES))
		ktap_die("cannot attach");
	FAULTS_TRY(start_steps);
	ktap_is(ring_wait_state(ring.fd, BLKTAP_DISK_STATE_LIVE, 20000), 0, "the disk is live");
	FAULTS_TRY(ring_steps);
	undo_succeed();
	close(qfd);
	undo_map();
}

static void test_touch(void)
{
	struct sigaction act = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	struct ring_request req;
	struct ring_queue *q;
	struct io io;

	sigaction(SIGBUS, &act, NULL);
	io_start(&io, minor, false, 0, PAGE, 0, 0);
	q = tap_take(&ring, &req);
	touched = &req;
	map_buffers();
	FAULTS_TRY(touch_steps);
	memset(req.data, 0x42, PAGE);
	ktap(buffers[req.desc.buffer] == 0x42, "it is the request's page");
	ring_complete(q, &req, req.desc.length);
	tap_enter(q, NULL);
	ktap(io_end(&io) == PAGE && io_is(&io, 0, PAGE, 0x42), "which is read");
	io_free(&io);
	munmap(buffers, ring.at.buffer_area_bytes);
}

static void test_files(void)
{
	size_t i;

	other = slot;
	for (i = 0; i < sizeof(unregister_steps) / sizeof(unregister_steps[0]); i++) {
		register_between();
		faults_try_all(&unregister_steps[i], 1, faults_try);
	}
}

static void test_stop(void)
{
	size_t i;

	for (i = 0; i < sizeof(stop_steps) / sizeof(stop_steps[0]); i++) {
		faults_try_all(&stop_steps[i], 1, faults_try);
		/* The next one is to have a disk, too. */
		undo_stop();
	}
	run_stop_force();
	ktap_is(ring_wait_state(ring.fd, BLKTAP_DISK_STATE_NONE, 20000), 0, "the disk goes");
	ring_close(&ring);
}

int main(int argc, char **argv)
{
	ktap_start();
	if (argc != 2)
		ktap_die("usage: fault_alloc FILE");
	faults_open();
	file = backing_open(argv[1]);
	tap_new_holding(&nl, &minor, 1, 8);
	test_netlink();
	test_ring();
	test_touch();
	test_files();
	test_stop();
	ktap_is(nl_del_wait(&nl, minor), 0, "the tap can be freed");
	return ktap_finish();
}
