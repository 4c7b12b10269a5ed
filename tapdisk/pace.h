/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a thread waits for its queue: whether it looks for requests before it
 * sleeps, and whether its waking up may push aside what runs.
 *
 * Spinning saves the wake-up when the next request is near. Whether that pays
 * depends on who submits: it does if he waits for the answer, not if he is busy
 * with the next request. So it is tried: now and then, short windows with and
 * without it take turns, and the better one goes on. The kernel lets nobody spin
 * on a processor that somebody else wants.
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
	bool pays;		/* spinning does, by the last trial */
	bool modest;		/* does not push others aside */

	/* Windows of time: those of a trial, then a long one. */
	unsigned int window;
	uint64_t window_began;	/* nanoseconds; 0: at the next wait */
	unsigned int waits;	/* in this window; likewise */
	uint64_t requests;
	struct pace_score {
		uint64_t requests;
		uint64_t ns;
	} without, with;	/* spinning */

	unsigned int delays;	/* that were too long, */
	uint64_t since;		/* nanoseconds; from then on */
	uint64_t bold_until;	/* nanoseconds; not modest before */
};

void pace_init(struct pace *pace, uint32_t max_spin_ns);

/* For the next wait, as blktap_wait.spin_ns. */
uint32_t pace_spin(const struct pace *pace);

/*
 * A wait has ended, with so many requests, or there was none. @now in nanoseconds.
 * True if @pace->modest has changed.
 */
bool pace_waited(struct pace *pace, const struct blktap_wait *wait, unsigned int requests,
		 uint64_t now);

#endif /* TAPDISK_PACE_H */
