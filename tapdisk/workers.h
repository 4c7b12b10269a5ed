/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A few threads for calls that block.
 */
#ifndef TAPDISK_WORKERS_H
#define TAPDISK_WORKERS_H

#include "loop.h"

struct workers;

struct work {
	struct list link;
	void (*run)(struct work *work);		/* in a thread */
	void (*done)(struct work *work);	/* later, in the loop */
};

/* Threads start when they are needed, at most @max_threads of them. */
int workers_new(struct workers **workers, struct loop *loop, unsigned int max_threads);

/* Waits for what is running; what has not begun is dropped, without done(). */
void workers_free(struct workers *workers);

/* Whether a thread is at work. */
bool workers_busy(struct workers *workers);

/* Without any thread to be had, run() is called here and now: slow, but right. */
void workers_submit(struct workers *workers, struct work *work);

#endif /* TAPDISK_WORKERS_H */
