/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a thread waits for its queue. There are three ways:
 *
 *   far	anywhere: it works beside the submitter, and being woken on another
 *		processor costs an interrupt
 *   near	on the submitter's processor: no interrupt, but they take turns
 *   spin	anywhere, and it looks for requests before it sleeps: no wake-up if the
 *		next request is near, for the price of processor time
 *
 * Which is best depends on who submits, on the machine and on what else it does. So
 * it is tried: now and then, short windows of each take turns, and the one with the
 * most requests goes on. Far is what others are measured by.
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

enum pace_way { PACE_FAR, PACE_NEAR, PACE_SPIN };
#define PACE_WAYS 3

struct pace {
	uint32_t max_spin_ns;	/* 0: never spins */
	bool can_be_near;
	enum pace_way best;	/* by the last trial */
	bool modest;		/* does not push others aside */

	/* Windows of time: those of a trial, then a long one. */
	unsigned int window;
	uint64_t window_began;	/* nanoseconds; 0: at the next wait */
	unsigned int waits;	/* in this window; likewise */
	uint64_t requests;
	struct pace_score {
		uint64_t requests;
		uint64_t ns;
	} scores[PACE_WAYS];

	unsigned int delays;	/* that were too long, in a row */
	uint64_t bold_until;	/* nanoseconds; not modest before */
};

void pace_init(struct pace *pace, uint32_t max_spin_ns, bool can_be_near);

/* For the next wait. */
enum pace_way pace_way(const struct pace *pace);
/* As blktap_wait.spin_ns; never 0, which would not measure. */
uint32_t pace_spin(const struct pace *pace);

/* A wait has ended, with so many requests. @now in nanoseconds. */
void pace_waited(struct pace *pace, const struct blktap_wait *wait, unsigned int requests,
		 uint64_t now);

#endif /* TAPDISK_PACE_H */
