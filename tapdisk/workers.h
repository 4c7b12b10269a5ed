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
	bool abandoned;				/* the workers' own */
};

/* Threads start when they are needed, at most @max_threads of them. */
int workers_new(struct workers **workers, struct loop *loop, unsigned int max_threads);

/* Waits for what is running; what has not begun is dropped, without done(). */
void workers_free(struct workers *workers);

/* Whether work is under way, or done() has yet to be called. */
bool workers_busy(struct workers *workers);

/* Without any thread to be had, run() is called here and now: slow, but right. */
void workers_submit(struct workers *workers, struct work *work);

/*
 * Nobody waits for @work, whose done() has yet to be called, and it may never end: until then
 * there may be one thread more, so that it is in nobody's way. From the loop's thread; once more
 * changes nothing.
 */
void workers_abandon(struct workers *workers, struct work *work);

#endif /* TAPDISK_WORKERS_H */
