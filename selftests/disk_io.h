/* SPDX-License-Identifier: GPL-2.0-only */
/* A daemon in the main thread, and threads that read and write its disk. */
#ifndef DISK_IO_H
#define DISK_IO_H

#include "netlink.h"
#include "ring.h"

#include <pthread.h>

struct io {
	pthread_t thread;
	bool write;
	uint64_t offset;
	size_t length;
	int fd;
	char *buf;		/* WRITE: its pattern; READ: what came */
	bool over;
	long result;		/* bytes or negative errno */
};

/* O_DIRECT; @flags are more flags of open(). */
void io_start(struct io *io, unsigned int minor, bool write, uint64_t offset, size_t length,
	      int pattern, int flags);
/* The same with memory that begins @odd bytes after a page does. */
void io_start_odd(struct io *io, unsigned int minor, bool write, uint64_t offset,
		  size_t length, int pattern, size_t odd);
/*
 * Waits for it; io->buf stays until io_free(). If it takes too long, the session and
 * the test end: a process whose own requests wait cannot be killed.
 */
long io_end(struct io *io);
bool io_is(const struct io *io, size_t from, size_t length, int pattern);
void io_free(struct io *io);
/* All at once. */
long io_do(unsigned int minor, bool write, uint64_t offset, size_t length, int pattern);

/* A tap of @queues with a disk of @size bytes, or the end of the test. */
void tap_new(struct nl *nl, unsigned int *minor, unsigned int queues, unsigned int depth);
/* The same; requests wait when its session ends. */
void tap_new_holding(struct nl *nl, unsigned int *minor, unsigned int queues,
		     unsigned int depth);
void tap_start(struct ring *ring, unsigned int minor, uint64_t features, uint32_t flags,
	       uint64_t size);
void tap_stop(struct ring *ring);	/* and the session */

/* The next request of whatever queue; ends the test if none comes. */
struct ring_queue *tap_take(struct ring *ring, struct ring_request *req);
void tap_enter(struct ring_queue *q, struct blktap_enter *out);
/* Completes whatever comes until the request is over. */
void tap_serve_until(struct ring *ring, struct io *io);

/* A backing file that is open with O_DIRECT, or the end of the test. */
int backing_open(const char *path);
/* Fills it with a pattern: each byte is that of its block of 4096, from 1 to 250. */
void backing_fill(int fd, uint64_t size);
int backing_byte(uint64_t offset);
bool backing_is(int fd, uint64_t offset, size_t length, int pattern);

#endif
