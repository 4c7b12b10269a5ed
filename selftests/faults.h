/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Allocations that fail, the n-th of a thread or of the kernel's workers, one after the
 * other. fault.sh says which kinds of them, and below which functions.
 */
#ifndef FAULTS_H
#define FAULTS_H

#include "ktap.h"

#include <stdbool.h>
#include <stddef.h>

#define FAULTS_MOST 2000	/* allocations of one call: there are not so many */

/* Of the calling thread; the descriptor is its own. */
void faults_open(void);
void faults_close(void);
void faults_set(int n);		/* 0: none */
bool faults_struck(void);	/* since it was set; ends it */

/* Of each of the kernel's workers. */
void faults_set_workers(int n);
bool faults_struck_workers(void);

/* A call that fails names what it lacked; one may do without, too. */
bool faults_sound(int ret);

struct faults_step {
	const char *what;
	int (*run)(void);	/* 0 or a negative errno */
	/* What it may have done: a failure can be that of the answer. NULL: nothing. */
	void (*undo)(void);
	int least;		/* so many allocations are there to fail, and more */
};

/* Whether all goes well. Its success, the one without a fault, is left in place. */
bool faults_try(const struct faults_step *step);
/* The same with the faults of the workers. */
bool faults_try_workers(const struct faults_step *step);

/* A result for each step. */
static inline void faults_try_all(const struct faults_step *steps, size_t count,
				  bool (*try)(const struct faults_step *step))
{
	size_t i;

	for (i = 0; i < count; i++)
		ktap(try(&steps[i]), "%s", steps[i].what);
}

#define FAULTS_TRY(steps) faults_try_all(steps, sizeof(steps) / sizeof((steps)[0]), faults_try)
#define FAULTS_TRY_WORKERS(steps) \
	faults_try_all(steps, sizeof(steps) / sizeof((steps)[0]), faults_try_workers)

#endif
