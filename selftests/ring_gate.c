// SPDX-License-Identifier: GPL-2.0-only
/*
 * What HOLD, RELEASE and STOP do in the midst of submissions: the block layer looks whether it
 * may go on between one request and the next. The daemon sleeps until it is woken; it keeps
 * no data.
 * usage: ring_gate DEVICE, a block device of 1 MiB or more that is fast
 */
#include "disk_io.h"
#include "ktap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define DISK_SIZE (1 << 20)
#define PAGE 4096
#define BOTH (BLKTAP_FILE_READ | BLKTAP_FILE_WRITE)
#define WRITERS 8
#define HOLDS 800
#define STOPS 60
#define LIMIT 20		/* seconds */

static struct nl nl;
static unsigned int minor;
static struct ring ring;
static int backing;
static int slot;

/* --- the daemon -------------------------------------------------------------- */

static struct {
	pthread_t thread;
	int stop;		/* an eventfd */
} server;

static void *daemon_thread(void *arg)
{
	struct ring_queue *q = &ring.queues[0];
	struct pollfd p[2] = { { q->fd, POLLIN, 0 }, { server.stop, POLLIN, 0 } };
	struct ring_request req;

	(void)arg;
	while (!p[1].revents) {
		while (ring_next(q, &req))
			ring_complete(q, &req, req.desc.length);
		tap_enter(q, NULL);
		if (ring_arm(q))
			poll(p, 2, -1);
	}
	return NULL;
}

static void daemon_start(unsigned int depth)
{
	tap_new(&nl, &minor, 1, depth);
	tap_start(&ring, minor, BLKTAP_F_EXTENTS | BLKTAP_F_HOLD, 0, DISK_SIZE);
	slot = ring_register(ring.fd, backing, BOTH);
	if (slot < 0)
		ktap_die("cannot register the device");
	server.stop = eventfd(0, EFD_CLOEXEC);
	pthread_create(&server.thread, NULL, daemon_thread, NULL);
}

static void daemon_end(void)
{
	uint64_t one = 1;

	if (write(server.stop, &one, sizeof(one)) != sizeof(one))
		ktap_die("cannot stop the daemon");
	pthread_join(server.thread, NULL);
	close(server.stop);
	tap_stop(&ring);
	ktap_is(nl_del_wait(&nl, minor), 0, "the tap can be freed");
	nl_close(&nl);
}

/* --- submitters ------------------------------------------------------------------ */

static struct {
	pthread_t threads[WRITERS + 1];
	unsigned int nr;
	bool stop;
	unsigned long writes;
	unsigned long errors;
} load;

static bool goes_on(bool good)
{
	__atomic_add_fetch(good ? &load.writes : &load.errors, 1, __ATOMIC_RELAXED);
	return !__atomic_load_n(&load.stop, __ATOMIC_RELAXED);
}

/* Every other block at once: many requests, none of which can be part of another. */
static bool write_back(int fd, const char *block)
{
	bool good = true;
	off_t at;

	for (at = 0; at < DISK_SIZE; at += 2 * PAGE)
		good = pwrite(fd, block, PAGE, at) == PAGE && good;
	return !sync_file_range(fd, 0, DISK_SIZE, SYNC_FILE_RANGE_WRITE |
				SYNC_FILE_RANGE_WAIT_AFTER) && good;
}

static void *many_at_once(void *arg)
{
	int fd = ring_open_disk(minor, O_RDWR);

	while (goes_on(write_back(fd, arg)))
		;
	close(fd);
	return NULL;
}

static void *one_at_a_time(void *arg)
{
	unsigned int seed = (uintptr_t)pthread_self();
	int fd = ring_open_disk(minor, O_RDWR | O_DIRECT);

	/* Blocks that nobody has in the page cache. */
	while (goes_on(pwrite(fd, arg, PAGE, (rand_r(&seed) % (DISK_SIZE / PAGE) | 1) * PAGE) ==
		       PAGE))
		;
	close(fd);
	return NULL;
}

static char *block;

/* One with many requests, and @more with one. */
static void load_start(unsigned int more)
{
	memset(&load, 0, sizeof(load));
	load.nr = more + 1;
	pthread_create(&load.threads[0], NULL, many_at_once, block);
	while (more)
		pthread_create(&load.threads[more--], NULL, one_at_a_time, block);
}

static void load_end(void)
{
	unsigned int i;

	__atomic_store_n(&load.stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < load.nr; i++)
		pthread_join(load.threads[i], NULL);
}

/* --- what comes in between ---------------------------------------------------------- */

/* Up to 3 ms, and each time another moment. */
static void nap(unsigned int n)
{
	struct timespec ts = { .tv_nsec = 1000 * (n * 37 % 3000) };

	nanosleep(&ts, NULL);
}

static void nothing(int sig)
{
	(void)sig;
}

static bool hold_and_unmap(void)
{
	int ret;

	if (ring_hold(ring.fd))
		return false;
	alarm(LIMIT);
	ret = ring_unmap_extent(ring.fd, BLKTAP_UNMAP_WAIT, 0, UINT64_MAX);
	alarm(0);
	return !ring_release(ring.fd) && !ret;
}

/* As a pause does it. */
static void test_hold(unsigned int depth, unsigned int writers, uint64_t mapped)
{
	bool good = true;
	unsigned int n;

	daemon_start(depth);
	load_start(writers);
	for (n = 0; n < HOLDS && good; n++) {
		if (ring_map_extent(ring.fd, slot, BOTH, 0, mapped, 0))
			ktap_die("cannot map");
		nap(n);
		good = hold_and_unmap();
	}
	load_end();
	ktap(good && load.writes && !load.errors,
	     "%u tags, %u more submitters: %u times held and unmapped in %lu writes", depth,
	     writers, n, load.writes);
	daemon_end();
}

/* Its requests fail or are served, and it goes. */
static bool stop_by_force(unsigned int n)
{
	struct blktap_start start;
	int ret;

	load_start(0);
	nap(n);
	ret = ring_stop_force(ring.fd);
	if (!ret)
		ret = ring_wait_state(ring.fd, BLKTAP_DISK_STATE_NONE, LIMIT * 1000);
	load_end();
	if (ret)
		return false;

	ring_start_init(&start, DISK_SIZE);
	start.flags = BLKTAP_DISK_NO_SCAN;
	return !ring_start(ring.fd, &start) &&
	       !ring_wait_state(ring.fd, BLKTAP_DISK_STATE_LIVE, LIMIT * 1000);
}

static void test_stop(void)
{
	bool good = true;
	unsigned int n;

	daemon_start(32);
	for (n = 0; n < STOPS && good; n++)
		good = stop_by_force(n);
	ktap(good, "%u times stopped by force, while its daemon sleeps", n);
	daemon_end();
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = nothing };

	ktap_start();
	if (argc != 2)
		ktap_die("usage: ring_gate DEVICE");
	backing = backing_open(argv[1]);
	block = aligned_alloc(PAGE, PAGE);
	memset(block, 0x77, PAGE);
	sigaction(SIGALRM, &act, NULL);

	test_hold(32, 0, DISK_SIZE);
	test_hold(2, WRITERS, DISK_SIZE);
	test_stop();

	free(block);
	return ktap_finish();
}
