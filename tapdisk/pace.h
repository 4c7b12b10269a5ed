/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a thread waits for its queue: how long it looks for requests before it
 * sleeps, and whether its waking up may push aside what runs.
 *
 * Spinning saves the wake-up when the next request is near. As long as short waits
 * follow each other it pays; a long one ends it. The kernel lets nobody spin on a
 * processor that somebody else wants.
 *
 * A thread that pushes aside the submitter at its first request gets them one by
 * one, with two switches for each. So it asks not to (SCHED_BATCH), and gets all
 * of them when the submitter sleeps. Beside somebody who does not sleep, that
 * would take until his time slice is over: then it is a normal thread for a while.
 */
#ifndef TAPDISK_PACE_H
#define TAPDISK_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "libblktap.h"

struct pace {
	uint32_t max_spin_ns;	/* 0: never */
	uint32_t spin_ns;	/* for the next wait */
	bool modest;		/* does not push others aside */
	unsigned int delays;	/* that were too long, */
	uint64_t since;		/* nanoseconds; from then on */
	uint64_t bold_until;	/* nanoseconds; not modest before */
};

void pace_init(struct pace *pace, uint32_t max_spin_ns);

/*
 * A wait has ended, or there was none. @now in nanoseconds. True if @pace->modest
 * has changed.
 */
bool pace_waited(struct pace *pace, const struct blktap_wait *wait, uint64_t now);

#endif /* TAPDISK_PACE_H */
