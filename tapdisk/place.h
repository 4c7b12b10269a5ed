/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where and how the calling thread runs: near the submitters of a queue or where
 * it may, modestly or not.
 */
#ifndef TAPDISK_PLACE_H
#define TAPDISK_PLACE_H

#include <stdbool.h>

#include "libblktap.h"

#define PLACE_CPUS	8192
#define PLACE_WORDS	(PLACE_CPUS / (8 * sizeof(unsigned long)))

struct place {
	bool near, modest;			/* how it is now */
	unsigned long queue[PLACE_WORDS];	/* processors of its submitters */
	unsigned long free[PLACE_WORDS];	/* where it may run */
	unsigned long last[PLACE_WORDS];	/* what was set last */
};

/*
 * Learns about the queue. False: being near makes no difference, or is not known:
 * the disk must have been started.
 */
bool place_init(struct place *place, struct blktap_ring *ring, unsigned int queue);

/* Changes what differs. Whoever else moves the thread meanwhile has his way. */
void place_set(struct place *place, bool near, bool modest);

#endif /* TAPDISK_PLACE_H */
