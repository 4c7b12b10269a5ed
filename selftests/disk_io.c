// SPDX-License-Identifier: GPL-2.0-only
#include "disk_io.h"
#include "ktap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

static struct ring *session;	/* the one that was begun last */

static void *io_thread(void *arg)
{
	struct io *io = arg;
	ssize_t n;

	if (io->write)
		n = pwrite(io->fd, io->buf, io->length, io->offset);
	else
		n = pread(io->fd, io->buf, io->length, io->offset);
	io->result = n < 0 ? -errno : n;
	__atomic_store_n(&io->over, true, __ATOMIC_RELEASE);
	return NULL;
}

static void start(struct io *io, unsigned int minor, int pattern, size_t odd, int flags)
{
	io->fd = ring_open_disk(minor, O_RDWR | O_DIRECT | flags);
	if (io->fd < 0)
		ktap_die("cannot open the disk: %s", strerror(-io->fd));
	io->buf = (char *)aligned_alloc(PAGE, (io->length / PAGE + 2) * PAGE) + odd;
	memset(io->buf, io->write ? pattern : 0xee, io->length);
	if (pthread_create(&io->thread, NULL, io_thread, io))
		ktap_die("cannot make a thread");
}

void io_start(struct io *io, unsigned int minor, bool write, uint64_t offset, size_t length,
	      int pattern, int flags)
{
	*io = (struct io){ .write = write, .offset = offset, .length = length };
	start(io, minor, pattern, 0, flags);
}

void io_start_odd(struct io *io, unsigned int minor, bool write, uint64_t offset,
		  size_t length, int pattern, size_t odd)
{
	*io = (struct io){ .write = write, .offset = offset, .length = length };
	start(io, minor, pattern, odd, 0);
}

__attribute__((format(printf, 1, 2), noreturn))
static void give_up(const char *fmt, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	if (session)
		ring_close(session);
	ktap_die("the test cannot go on");
}

long io_end(struct io *io)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 20;
	if (pthread_timedjoin_np(io->thread, NULL, &end))
		give_up("%s of %zu bytes at %llu does not end", io->write ? "write" : "read",
			io->length, (unsigned long long)io->offset);
	close(io->fd);
	return io->result;
}

bool io_is(const struct io *io, size_t from, size_t length, int pattern)
{
	size_t i;

	for (i = from; i < from + length; i++) {
		if ((unsigned char)io->buf[i] != pattern) {
			printf("# byte %zu is %#x, expected %#x\n", i, (unsigned char)io->buf[i],
			       pattern);
			return false;
		}
	}
	return true;
}

void io_free(struct io *io)
{
	free((void *)((uintptr_t)io->buf & ~(uintptr_t)(PAGE - 1)));
}

long io_do(unsigned int minor, bool write, uint64_t offset, size_t length, int pattern)
{
	struct io io;
	long ret;

	io_start(&io, minor, write, offset, length, pattern, 0);
	ret = io_end(&io);
	if (ret == (long)length && !write && !io_is(&io, 0, length, pattern))
		ret = -EILSEQ;
	io_free(&io);
	return ret;
}

static void new_tap(struct nl *nl, unsigned int *minor, unsigned int queues, unsigned int depth,
		    uint32_t on_death)
{
	int got = -1;

	if (nl_open(nl) || nl_new_tap(nl, &got, queues, depth, on_death))
		ktap_die("cannot allocate a tap: %s", nl->text);
	*minor = got;
}

void tap_new(struct nl *nl, unsigned int *minor, unsigned int queues, unsigned int depth)
{
	new_tap(nl, minor, queues, depth, BLKTAP_ON_DEATH_FAIL);
}

void tap_new_holding(struct nl *nl, unsigned int *minor, unsigned int queues, unsigned int depth)
{
	new_tap(nl, minor, queues, depth, BLKTAP_ON_DEATH_HOLD);
}

void tap_start(struct ring *ring, unsigned int minor, uint64_t features, uint32_t flags,
	       uint64_t size)
{
	struct blktap_start start;
	int ret = ring_open_with(ring, minor, features);

	ring_start_init(&start, size);
	start.flags = BLKTAP_DISK_NO_SCAN | flags;
	if (!ret)
		ret = ring_start(ring->fd, &start);
	if (!ret)
		ret = ring_wait_state(ring->fd, BLKTAP_DISK_STATE_LIVE, 20000);
	if (ret)
		ktap_die("cannot start the disk: %s", strerror(-ret));
	session = ring;
}

void tap_stop(struct ring *ring)
{
	struct timespec nap = { .tv_nsec = 10 * 1000 * 1000 };
	int tries, ret = -EBUSY;

	for (tries = 0; tries < 500 && ret == -EBUSY; tries++) {
		ret = ring_stop(ring->fd);
		if (ret)
			nanosleep(&nap, NULL);
	}
	if (!ret)
		ret = ring_wait_state(ring->fd, BLKTAP_DISK_STATE_NONE, 20000);
	if (ret)
		ktap_die("cannot stop the disk: %s", strerror(-ret));
	session = NULL;
	ring_close(ring);
}

struct ring_queue *tap_take(struct ring *ring, struct ring_request *req)
{
	unsigned int n = ring->at.queues, i;
	struct pollfd p[n];

	for (;;) {
		for (i = 0; i < n; i++) {
			if (ring_next(&ring->queues[i], req))
				return &ring->queues[i];
			ring_arm(&ring->queues[i]);
			p[i] = (struct pollfd){ ring->queues[i].fd, POLLIN, 0 };
		}
		if (poll(p, n, 10000) <= 0)
			give_up("no request came");
	}
}

void tap_serve_until(struct ring *ring, struct io *io)
{
	const struct timespec nap = { .tv_nsec = 1000 * 1000 };
	struct ring_request req;
	unsigned int i;

	while (!__atomic_load_n(&io->over, __ATOMIC_ACQUIRE)) {
		for (i = 0; i < ring->at.queues; i++) {
			if (ring_next(&ring->queues[i], &req))
				ring_complete(&ring->queues[i], &req, req.desc.length);
			tap_enter(&ring->queues[i], NULL);
		}
		nanosleep(&nap, NULL);
	}
}

void tap_enter(struct ring_queue *q, struct blktap_enter *out)
{
	int ret = ring_enter(q, 0, 0, out);

	if (ret)
		give_up("ENTER: %s", strerror(-ret));
}

int backing_open(const char *path)
{
	int fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		ktap_die("%s: %s", path, strerror(errno));
	return fd;
}

int backing_byte(uint64_t offset)
{
	return offset / PAGE % 250 + 1;
}

void backing_fill(int fd, uint64_t size)
{
	char *buf = aligned_alloc(PAGE, PAGE);
	uint64_t at;

	for (at = 0; at < size; at += PAGE) {
		memset(buf, backing_byte(at), PAGE);
		if (pwrite(fd, buf, PAGE, at) != PAGE)
			ktap_die("cannot fill the backing file: %s", strerror(errno));
	}
	free(buf);
}

bool backing_is(int fd, uint64_t offset, size_t length, int pattern)
{
	char *buf = aligned_alloc(PAGE, (length / PAGE + 1) * PAGE);
	bool good = pread(fd, buf, length, offset) == (ssize_t)length;
	size_t i;

	for (i = 0; good && i < length; i++)
		good = (unsigned char)buf[i] == pattern;
	if (!good)
		printf("# backing at %llu: byte %#x, expected %#x\n",
		       (unsigned long long)(offset + (i ? i - 1 : 0)),
		       (unsigned char)buf[i ? i - 1 : 0], pattern);
	free(buf);
	return good;
}
