/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The completion ring that the kernel maps for io_setup(). Reading it saves a
 * system call; io_getevents() remains for a ring of another layout.
 */
#ifndef TAPDISK_DRIVERS_AIO_RING_H
#define TAPDISK_DRIVERS_AIO_RING_H

#include <libaio.h>
#include <stdbool.h>

#define AIO_RING_MAGIC	0xa10a10a1

struct aio_ring {
	unsigned int id;
	unsigned int nr;
	unsigned int head;
	unsigned int tail;
	unsigned int magic;
	unsigned int compat_features;
	unsigned int incompat_features;
	unsigned int header_length;
	struct io_event events[];
};

static inline bool aio_ring_usable(io_context_t ctx)
{
	const struct aio_ring *ring = (const void *)ctx;

	return ring->magic == AIO_RING_MAGIC && !ring->incompat_features &&
	       ring->header_length == sizeof(*ring) && ring->nr;
}

/* Takes one completion; false if there is none. */
static inline bool aio_ring_take(io_context_t ctx, struct io_event *event)
{
	struct aio_ring *ring = (void *)ctx;
	unsigned int head = ring->head;

	if (head == __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) || head >= ring->nr)
		return false;
	*event = ring->events[head];
	__atomic_store_n(&ring->head, head + 1 == ring->nr ? 0 : head + 1, __ATOMIC_RELEASE);
	return true;
}

#endif /* TAPDISK_DRIVERS_AIO_RING_H */
