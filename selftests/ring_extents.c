// SPDX-License-Identifier: GPL-2.0-only
/*
 * Extents: what the kernel serves from files and what comes to the daemon, which is a
 * thread that serves from memory.
 * usage: ring_extents BACKING BACKING [SLOW], files or block devices of 4 MiB; the
 * last needs more than a second for each write.
 */
#include "disk_io.h"
#include "ktap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define DISK_SIZE (1 << 20)
#define BACKING_SIZE (4 << 20)
#define PAGE 4096
#define RAM_BYTE 0xdd
#define BOTH (BLKTAP_FILE_READ | BLKTAP_FILE_WRITE)
#define WAIT BLKTAP_UNMAP_WAIT

static struct nl nl, events;
static unsigned int minor;
static struct ring ring;
static int backing, other;
static int slot, other_slot;

/* --- the daemon -------------------------------------------------------------- */

static struct {
	pthread_t thread;
	bool stop;
	char ram[DISK_SIZE];
	unsigned long requests;
	unsigned long flushes;
	unsigned long retries;
} server;

static void serve(struct ring_queue *q, const struct ring_request *req)
{
	const struct blktap_desc *d = &req->desc;

	if (d->op == BLKTAP_OP_READ)
		memcpy(req->data, server.ram + d->offset, d->length);
	if (d->op == BLKTAP_OP_WRITE)
		memcpy(server.ram + d->offset, req->data, d->length);
	__atomic_add_fetch(&server.requests, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&server.flushes, d->op == BLKTAP_OP_FLUSH, __ATOMIC_RELAXED);
	__atomic_add_fetch(&server.retries, !!(d->flags & BLKTAP_REQ_RETRY), __ATOMIC_RELAXED);
	ring_complete(q, req, d->length);
}

static void *daemon_thread(void *arg)
{
	unsigned int n = ring.at.queues, i;
	struct ring_request req;
	struct pollfd p[n];

	(void)arg;
	while (!__atomic_load_n(&server.stop, __ATOMIC_RELAXED)) {
		for (i = 0; i < n; i++) {
			while (ring_next(&ring.queues[i], &req))
				serve(&ring.queues[i], &req);
			tap_enter(&ring.queues[i], NULL);
			ring_arm(&ring.queues[i]);
			p[i] = (struct pollfd){ ring.queues[i].fd, POLLIN, 0 };
		}
		poll(p, n, 20);
	}
	return NULL;
}

static void daemon_start(uint32_t flags)
{
	tap_start(&ring, minor, BLKTAP_F_EXTENTS, flags, DISK_SIZE);
	slot = ring_register(ring.fd, backing, BOTH);
	other_slot = ring_register(ring.fd, other, BOTH);
	if (slot < 0 || other_slot < 0)
		ktap_die("cannot register the backings");
	memset(server.ram, RAM_BYTE, DISK_SIZE);
	server.stop = false;
	pthread_create(&server.thread, NULL, daemon_thread, NULL);
}

static void daemon_end(void)
{
	__atomic_store_n(&server.stop, true, __ATOMIC_RELAXED);
	pthread_join(server.thread, NULL);
	tap_stop(&ring);
}

static unsigned long asked(void)
{
	return __atomic_load_n(&server.requests, __ATOMIC_RELAXED);
}

/* --- helpers ------------------------------------------------------------------ */

static void map(int to, uint32_t flags, uint64_t offset, uint64_t length, uint64_t file_offset)
{
	int ret = ring_map_extent(ring.fd, to, flags, offset, length, file_offset);

	if (ret)
		ktap_die("MAP_EXTENT: %s", strerror(-ret));
}

static void unmap(uint64_t offset, uint64_t length)
{
	int ret = ring_unmap_extent(ring.fd, WAIT, offset, length);

	if (ret)
		ktap_die("UNMAP_EXTENT: %s", strerror(-ret));
}

static uint64_t value(int attr)
{
	struct nl_attrs attrs;

	return nl_get(&nl, minor, &attrs) ? UINT64_MAX : attrs.val[attr];
}

/* A read that must bring @pattern, from the kernel or from the server. */
static void reads(const char *what, bool by_daemon, uint64_t offset, size_t length, int pattern)
{
	uint64_t served = value(BLKTAP_A_IOS_EXTENT);
	unsigned long before = asked();
	long ret = io_do(minor, false, offset, length, pattern);

	ktap(ret == (long)length && (asked() > before) == by_daemon &&
	     (value(BLKTAP_A_IOS_EXTENT) > served) == !by_daemon, "%s", what);
}

/* --- what goes where ------------------------------------------------------------ */

static void test_routes(void)
{
	reads("nothing is mapped: a read comes to the daemon", true, 0, PAGE, RAM_BYTE);
	map(slot, BOTH, 4 * PAGE, 8 * PAGE, 100 * PAGE);
	reads("mapped: it does not", false, 4 * PAGE, PAGE, backing_byte(100 * PAGE));
	reads("a block of it", false, 5 * PAGE + 512, 512, backing_byte(101 * PAGE));
	reads("its end", false, 11 * PAGE, PAGE, backing_byte(107 * PAGE));
	reads("before it", true, 3 * PAGE, PAGE, RAM_BYTE);
	reads("after it", true, 12 * PAGE, PAGE, RAM_BYTE);
	reads("half of it", true, 11 * PAGE, 2 * PAGE, RAM_BYTE);
	reads("the other half of it", true, 3 * PAGE, 2 * PAGE, RAM_BYTE);
	unmap(6 * PAGE, PAGE);
	reads("a hole in it", true, 6 * PAGE, PAGE, RAM_BYTE);
	reads("over the hole", true, 5 * PAGE, 3 * PAGE, RAM_BYTE);
	reads("before the hole", false, 5 * PAGE, PAGE, backing_byte(101 * PAGE));
	reads("after the hole", false, 7 * PAGE, PAGE, backing_byte(103 * PAGE));
	map(other_slot, BOTH, 7 * PAGE, PAGE, 0);
	reads("mapped to another file", false, 7 * PAGE, PAGE, 0xcc);
	reads("and not next to it", false, 8 * PAGE, PAGE, backing_byte(104 * PAGE));
	reads("over both files", true, 7 * PAGE, 2 * PAGE, RAM_BYTE);
	unmap(0, UINT64_MAX);
	reads("all is unmapped", true, 8 * PAGE, PAGE, RAM_BYTE);
}

static void test_neighbours(void)
{
	uint64_t at;
	struct io io;

	for (at = 0; at < 64 * PAGE; at += 2 * PAGE)
		map(slot, BOTH, at, 2 * PAGE, 200 * PAGE + at);
	io_start(&io, minor, false, PAGE, 62 * PAGE, 0, 0);
	at = asked();
	ktap(io_end(&io) == 62 * PAGE && asked() == at &&
	     io_is(&io, 0, PAGE, backing_byte(201 * PAGE)) &&
	     io_is(&io, 61 * PAGE, PAGE, backing_byte(12 * PAGE)),
	     "extents that continue each other serve one request");
	io_free(&io);
	map(slot, BOTH, 10 * PAGE, 2 * PAGE, 209 * PAGE);
	reads("extents that do not, do not", true, 9 * PAGE, 2 * PAGE, RAM_BYTE);
	map(slot, BLKTAP_FILE_WRITE, 10 * PAGE, 2 * PAGE, 210 * PAGE);
	reads("a part that is for writing only", true, 9 * PAGE, 2 * PAGE, RAM_BYTE);
	unmap(0, UINT64_MAX);
}

static void test_write(void)
{
	unsigned long before = asked();

	map(slot, BOTH, 0, 16 * PAGE, 300 * PAGE);
	ktap(io_do(minor, true, 2 * PAGE, 3 * PAGE, 0x5a) == 3 * PAGE && asked() == before &&
	     backing_is(backing, 302 * PAGE, 3 * PAGE, 0x5a) &&
	     backing_is(backing, 301 * PAGE, PAGE, backing_byte(301 * PAGE)) &&
	     backing_is(backing, 305 * PAGE, PAGE, backing_byte(305 * PAGE)),
	     "a write to an extent is in the file, and nowhere else");
	reads("and can be read", false, 2 * PAGE, 3 * PAGE, 0x5a);
	map(slot, BLKTAP_FILE_READ, 0, 16 * PAGE, 300 * PAGE);
	before = asked();
	ktap(io_do(minor, true, 0, PAGE, 0x6b) == PAGE && asked() > before &&
	     backing_is(backing, 300 * PAGE, PAGE, backing_byte(300 * PAGE)) &&
	     server.ram[0] == 0x6b, "a write to an extent for reading comes to the daemon");
	memset(server.ram, RAM_BYTE, PAGE);
	unmap(0, UINT64_MAX);
}

static void test_flush(void)
{
	unsigned long flushes = server.flushes;
	struct io io;

	map(slot, BOTH, 0, DISK_SIZE, 0);
	io_start(&io, minor, true, 310 % 256 * PAGE, PAGE, 0x77, O_DSYNC);
	ktap(io_end(&io) == PAGE && server.flushes > flushes,
	     "a flush comes to the daemon though all is mapped");
	io_free(&io);
	unmap(0, UINT64_MAX);
}

static void test_many(void)
{
	unsigned long before;
	bool good = true;
	uint64_t at;
	int i;

	/* Blocks swapped in pairs: no two continue each other. */
	for (at = 0; at < DISK_SIZE; at += PAGE)
		map(slot, BLKTAP_FILE_READ, at, PAGE, (500 * PAGE + at) ^ PAGE);
	before = asked();
	for (i = 0; i < 64 && good; i++) {
		at = i * 7 % (DISK_SIZE / PAGE) * PAGE;
		good = io_do(minor, false, at, PAGE, backing_byte((500 * PAGE + at) ^ PAGE)) == PAGE;
	}
	ktap(good && asked() == before && value(BLKTAP_A_EXTENTS) == DISK_SIZE / PAGE,
	     "as many extents as pages, each leads to its own");
	ktap(!ring_unregister(ring.fd, slot, WAIT) && value(BLKTAP_A_EXTENTS) == 0,
	     "with the file, all go");
	reads("and the daemon serves", true, 0, PAGE, RAM_BYTE);
	slot = ring_register(ring.fd, backing, BOTH);
}

static void test_odd_memory(void)
{
	uint64_t retries = value(BLKTAP_A_IOS_RETRY);
	bool by_daemon;
	struct io io;
	unsigned long before = asked();

	map(slot, BOTH, 0, DISK_SIZE, 0);
	io_start_odd(&io, minor, false, 20 * PAGE, PAGE, 0, 16);
	io_end(&io);
	by_daemon = asked() > before;
	ktap(io.result == PAGE && io_is(&io, 0, PAGE, by_daemon ? RAM_BYTE : backing_byte(20 * PAGE)) &&
	     value(BLKTAP_A_IOS_RETRY) == retries && value(BLKTAP_A_EXTENTS) == 1,
	     "memory at byte 16 of a page%s, no error", by_daemon ? ": by the daemon" : "");
	io_free(&io);
	unmap(0, UINT64_MAX);
}

/* --- errors ---------------------------------------------------------------------- */

static bool dropped_event(uint64_t *offset, uint64_t *length, uint64_t *error)
{
	struct pollfd p = { .fd = events.fd, .events = POLLIN };
	char buf[8192] __attribute__((aligned(8)));
	struct nl_attrs attrs;

	while (poll(&p, 1, 10000) == 1) {
		if (recv(events.fd, buf, sizeof(buf), 0) <= 0)
			return false;
		nl_parse((struct nlmsghdr *)buf, &attrs);
		if (attrs.val[BLKTAP_A_EVENT] != BLKTAP_EVENT_EXTENT_DROPPED ||
		    attrs.val[BLKTAP_A_MINOR] != minor)
			continue;
		*offset = attrs.val[BLKTAP_A_EXTENT_OFFSET];
		*length = attrs.val[BLKTAP_A_EXTENT_LENGTH];
		*error = attrs.val[BLKTAP_A_ERROR];
		return true;
	}
	return false;
}

static void test_dropped(bool write)
{
	unsigned long retries = server.retries;
	uint64_t offset, length, error;

	map(slot, BOTH, 0, 8 * PAGE, 0);
	map(slot, BOTH, 8 * PAGE, 4 * PAGE, 1ULL << 60);
	ktap(io_do(minor, write, 9 * PAGE, PAGE, RAM_BYTE) == PAGE && server.retries == retries + 1,
	     "a %s that fails comes to the daemon with RETRY, and ends well",
	     write ? "write" : "read");
	ktap(dropped_event(&offset, &length, &error) && offset == 8 * PAGE && length == 4 * PAGE &&
	     error, "an event tells the extent that was dropped");
	reads("the extent is gone", true, 8 * PAGE, PAGE, RAM_BYTE);
	reads("its neighbour is not", false, 7 * PAGE, PAGE, backing_byte(7 * PAGE));
	unmap(0, UINT64_MAX);
}

/* --- under load --------------------------------------------------------------------- */

static struct {
	bool stop;
	unsigned long writes;
	long error;
} load;

static void *load_thread(void *arg)
{
	unsigned int seed = (uintptr_t)arg;
	char *buf = aligned_alloc(PAGE, 4 * PAGE);
	int fd = ring_open_disk(minor, O_RDWR | O_DIRECT);

	while (!__atomic_load_n(&load.stop, __ATOMIC_RELAXED)) {
		off_t at = rand_r(&seed) % (DISK_SIZE / PAGE - 4) * PAGE;

		memset(buf, rand_r(&seed), 4 * PAGE);
		if (pwrite(fd, buf, 4 * PAGE, at) != 4 * PAGE)
			__atomic_store_n(&load.error, errno, __ATOMIC_RELAXED);
		__atomic_add_fetch(&load.writes, 1, __ATOMIC_RELAXED);
	}
	close(fd);
	free(buf);
	return NULL;
}

static void read_all(int fd, char *buf)
{
	if (pread(fd, buf, DISK_SIZE, 0) != DISK_SIZE)
		ktap_die("cannot read the backing: %s", strerror(errno));
}

static void wait_for_writes(unsigned long n)
{
	unsigned long end = __atomic_load_n(&load.writes, __ATOMIC_RELAXED) + n;
	struct timespec nap = { .tv_nsec = 1000 * 1000 };

	while (__atomic_load_n(&load.writes, __ATOMIC_RELAXED) < end)
		nanosleep(&nap, NULL);
}

/*
 * As a snapshot does it: writes go on, the map moves from one file to another or to the
 * daemon, and what was acknowledged as unmapped does not change any more.
 */
static bool quiet_after(int (*leave)(int from, int to), int from, int to, char *before,
			char *after)
{
	int fd = from == slot ? backing : other;

	wait_for_writes(20);
	if (leave(from, to))
		return false;
	read_all(fd, before);
	wait_for_writes(40);
	read_all(fd, after);
	return !memcmp(before, after, DISK_SIZE);
}

static int leave_by_unmap(int from, int to)
{
	(void)from;
	(void)to;
	return ring_unmap_extent(ring.fd, WAIT, 0, UINT64_MAX);
}

/* Another map takes its place at once; then the wait. */
static int leave_by_map(int from, int to)
{
	(void)from;
	map(to, BOTH, 0, DISK_SIZE, 0);
	/* Nothing is unmapped by this, it only waits. */
	return ring_unmap_extent(ring.fd, WAIT, 1 << 30, PAGE);
}

static void test_barrier(const char *what, int (*leave)(int from, int to), bool remap)
{
	char *before = aligned_alloc(PAGE, DISK_SIZE), *after = aligned_alloc(PAGE, DISK_SIZE);
	pthread_t threads[4];
	int round, from = slot, to = other_slot;
	bool good = true;
	uintptr_t i;

	memset(&load, 0, sizeof(load));
	map(from, BOTH, 0, DISK_SIZE, 0);
	for (i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, load_thread, (void *)(i + 1));
	for (round = 0; round < 12 && good; round++) {
		good = quiet_after(leave, from, to, before, after);
		if (!remap)
			map(to, BOTH, 0, DISK_SIZE, 0);
		from = to;
		to = from == slot ? other_slot : slot;
	}
	__atomic_store_n(&load.stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	ktap(good && round == 12 && !load.error, "%s: %lu writes, no error", what, load.writes);
	unmap(0, UINT64_MAX);
	free(before);
	free(after);
}

/* Small changes of the map while it is in use; all data stays right. */
static void test_churn(void)
{
	unsigned int seed = 7;
	pthread_t threads[2];
	uintptr_t i;
	int n;

	memset(&load, 0, sizeof(load));
	for (i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, load_thread, (void *)(i + 1));
	for (n = 0; n < 3000; n++) {
		uint64_t at = rand_r(&seed) % 200 * PAGE, length = (1 + rand_r(&seed) % 50) * PAGE;

		if (n % 3)
			map(n % 2 ? slot : other_slot, BOTH, at, length, at);
		else
			ring_unmap_extent(ring.fd, n % 64 ? 0 : WAIT, at, length);
	}
	__atomic_store_n(&load.stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	ktap(!load.error && load.writes, "3000 changes of the map under load: no error");
	unmap(0, UINT64_MAX);
	ktap(value(BLKTAP_A_EXTENTS) == 0, "and none is left");
}

static void nothing(int sig)
{
	(void)sig;
}

/* A wait that takes long can be broken off, and begun again. */
static void test_interrupted(const char *path)
{
	struct itimerval timer = { .it_value.tv_usec = 200000 };
	struct sigaction act = { .sa_handler = nothing };
	int slow = backing_open(path), slow_slot;
	uint64_t before = value(BLKTAP_A_IOS_EXTENT);
	bool under_way, over;
	struct io io;

	slow_slot = ring_register(ring.fd, slow, BOTH);
	sigaction(SIGALRM, &act, NULL);
	map(slow_slot, BOTH, 0, 8 * PAGE, 0);
	io_start(&io, minor, true, 0, PAGE, 1, 0);
	setitimer(ITIMER_REAL, &timer, NULL);
	pause();
	ktap_is(ring_unmap_extent(ring.fd, 0, 0, UINT64_MAX), 0, "UNMAP_EXTENT without WAIT");
	setitimer(ITIMER_REAL, &timer, NULL);
	ktap_is(ring_unmap_extent(ring.fd, WAIT, 0, UINT64_MAX), -EINTR,
		"UNMAP_EXTENT, WAIT, interrupted");
	under_way = value(BLKTAP_A_IOS_EXTENT) == before;
	setitimer(ITIMER_REAL, &timer, NULL);
	ktap_is(ring_unregister(ring.fd, slow_slot, WAIT), -EINTR,
		"UNREGISTER_FILE, WAIT, interrupted");
	under_way = under_way && value(BLKTAP_A_IOS_EXTENT) == before;
	ktap_is(ring_unmap_extent(ring.fd, WAIT, 0, PAGE), 0, "UNMAP_EXTENT, WAIT, to its end");
	over = value(BLKTAP_A_IOS_EXTENT) == before + 1;
	ktap(io_end(&io) == PAGE && under_way && over, "the write was under way, then it is over");
	io_free(&io);
	close(slow);
}

/* The disk goes and comes: the map was the old disk's. */
static void test_restart(void)
{
	map(slot, BOTH, 0, DISK_SIZE, 0);
	daemon_end();
	daemon_start(0);
	ktap(value(BLKTAP_A_EXTENTS) == 0, "a new disk begins without extents");
	reads("and comes to the daemon", true, 0, PAGE, RAM_BYTE);
}

int main(int argc, char **argv)
{
	char *cc = aligned_alloc(PAGE, PAGE);
	uint64_t at;

	ktap_start();
	if (argc != 3 && argc != 4)
		ktap_die("usage: ring_extents BACKING BACKING [SLOW]");
	backing = backing_open(argv[1]);
	backing_fill(backing, BACKING_SIZE);
	other = backing_open(argv[2]);
	memset(cc, 0xcc, PAGE);
	for (at = 0; at < DISK_SIZE; at += PAGE)
		if (pwrite(other, cc, PAGE, at) != PAGE)
			ktap_die("cannot fill %s", argv[2]);
	tap_new(&nl, &minor, 2, 32);
	if (nl_open(&events) || nl_subscribe(&events))
		ktap_die("cannot listen");
	daemon_start(BLKTAP_DISK_WRITE_CACHE);
	test_routes();
	test_neighbours();
	test_write();
	test_flush();
	test_many();
	test_odd_memory();
	backing_fill(backing, BACKING_SIZE);
	test_dropped(false);
	test_dropped(true);
	test_barrier("the map moves to the daemon under load", leave_by_unmap, false);
	test_barrier("the map moves to another file under load", leave_by_map, true);
	test_churn();
	if (argc == 4)
		test_interrupted(argv[3]);
	test_restart();
	daemon_end();
	ktap_is(nl_del_wait(&nl, minor), 0, "the tap can be freed");
	nl_close(&nl);
	nl_close(&events);
	free(cc);
	return ktap_finish();
}
