// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the driver leaves to the kernel's workers, with every allocation in it failed in turn:
 * disks that come and go, sessions that end. See fault.sh.
 */
#include "disk_io.h"
#include "faults.h"
#include "ktap.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define DISK_SIZE (1 << 20)
#define PAGE 4096

static struct nl nl, events;
static unsigned int minor;
static struct ring ring;

static int run_start(void)
{
	struct blktap_start start;
	int ret;

	ring_start_init(&start, DISK_SIZE);
	start.flags = BLKTAP_DISK_NO_SCAN;
	ret = ring_start(ring.fd, &start);
	if (!ret)
		ret = ring_wait_state(ring.fd, BLKTAP_DISK_STATE_LIVE, 20000);
	/* A device that got no name is invalid to the kernel. */
	return ret == -EINVAL ? -ENOMEM : ret;
}

/* EBUSY while somebody looks at it. */
static int run_stop(void)
{
	int tries = 500, ret;

	while ((ret = ring_stop(ring.fd)) == -EBUSY && tries--)
		usleep(10000);
	return ret ? ret : ring_wait_state(ring.fd, BLKTAP_DISK_STATE_NONE, 20000);
}

static void undo_start(void)
{
	int ret = run_stop();

	if (ret && ret != -ENODEV)
		ktap_die("the disk stays: %s", strerror(-ret));
}

static void undo_stop(void)
{
	int ret = run_start();

	if (ret)
		ktap_die("the disk does not come back: %s", strerror(-ret));
}

static void attach(void)
{
	int ret = ring_open_with(&ring, minor, 0);

	if (ret)
		ktap_die("cannot attach: %s", strerror(-ret));
}

/* Serves the disk that the session before has left. */
static int resume(void)
{
	struct blktap_state state;
	int tries = 1000, ret = run_start();

	while (!ret && tries--) {
		ret = ring_state(ring.fd, &state);
		if (!ret && state.recovery == BLKTAP_RECOVERY_NONE)
			return 0;
		usleep(10000);
	}
	return ret ? ret : -ETIMEDOUT;
}

/* That it has ended is told a little later. */
static int run_end(void)
{
	ring_close(&ring);
	usleep(200 * 1000);
	attach();
	return resume();
}

static void undo_end(void)
{
}

static const struct faults_step steps[] = {
	{ "a disk that comes", run_start, undo_start, 50 },
	{ "a disk that goes", run_stop, undo_stop, 5 },
};

static const struct faults_step end_steps[] = {
	{ "a session that ends", run_end, undo_end, 2 },
};

/* What could not be added before is a disk like any other. */
static void test_use(void)
{
	struct io io;

	io_start(&io, minor, false, 0, PAGE, 0, 0);
	tap_serve_until(&ring, &io);
	ktap_is(io_end(&io), PAGE, "the disk can be read");
	io_free(&io);
}

int main(void)
{
	ktap_start();
	faults_open();
	/* What nobody listens to is not sent. */
	if (nl_open(&events) || nl_subscribe(&events))
		ktap_die("cannot listen");
	tap_new_holding(&nl, &minor, 1, 8);
	attach();
	FAULTS_TRY_WORKERS(steps);
	ktap_is(run_start(), 0, "the disk comes again");
	test_use();
	FAULTS_TRY_WORKERS(end_steps);
	test_use();
	ktap_is(run_stop(), 0, "it goes");
	ring_close(&ring);
	ktap_is(nl_del_wait(&nl, minor), 0, "the tap can be freed");
	return ktap_finish();
}
