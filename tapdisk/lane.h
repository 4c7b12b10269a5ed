/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The data path of one queue: takes its requests, hands them to the image, and
 * answers. It has a thread of its own, so that an image that does not answer holds
 * up no other disk and no control call, and so that queues do not wait for each
 * other.
 *
 * All functions are the owner's, called from its loop; so are the callbacks.
 */
#ifndef TAPDISK_LANE_H
#define TAPDISK_LANE_H

#include "driver.h"
#include "kernel-io.h"
#include "stats.h"

struct lane;

struct lane_params {
	struct loop *owner;		/* where the callbacks run */
	bool thread;			/* false: requests are served on that loop, too */
	struct blktap_ring *ring;
	unsigned int index;		/* of the queue */
	struct image *image;		/* NULL: every request fails */
	struct kernel_io *kio;		/* NULL: the image does it all */
	int request_timeout_ms;	/* for trying again; negative: without limit */
	uint32_t max_spin_ns;		/* to look for requests before sleeping */
	struct queue_stats *stats;

	/* No request is with the image, and none is taken: of the last drain. */
	void (*drained)(void *data);
	/* The session has ended; nothing is left but to drain. */
	void (*lost)(void *data, int code);
	void *data;
};

/* It waits for lane_resume(). */
int lane_start(struct lane **lane, const struct lane_params *params, struct blktap_error *err);

/* Takes no more requests, and calls drained() when those it has are answered. */
void lane_drain(struct lane *lane);
/* Goes on. drained() will not be called, even if it was about to be. */
void lane_resume(struct lane *lane, uint64_t capacity);
/* From now on requests fail at once; those with the image do as they do. */
void lane_fail_requests(struct lane *lane);

/*
 * After drained(): ends the thread, without waiting for it. That and the rest may
 * come from another thread if lane_threaded(), for then nothing else knows of it
 * any more.
 */
void lane_stop(struct lane *lane);
/* After lane_stop(). May block. */
void lane_free(struct lane *lane);
bool lane_threaded(const struct lane *lane);

#endif /* TAPDISK_LANE_H */
