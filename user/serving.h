/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A tapdisk on its way to serve a tap, and back.
 */
#ifndef BLKTAP_SERVING_H
#define BLKTAP_SERVING_H

#include "deadline.h"
#include "libblktap.h"

struct serving {
	unsigned int minor;
	pid_t pid;
	int pidfd;		/* so that nobody else with this pid is killed; -1: not ours */
	bool attached;
	struct deadline deadline;	/* for spawning and attaching */
};
#define SERVING_INIT	{ .pidfd = -1, .deadline = { INT64_MAX } }

/* A new tapdisk (@params may be NULL). ECHILD: it does not start, for whatever reason. */
int serving_spawn(struct serving *serving, const struct blktap_spawn_params *params,
		  struct blktap_error *err);
int serving_attach(struct serving *serving, struct blktap_error *err);
/* EINTR if blktap_cancel_on() says so. */
int serving_check_cancelled(struct blktap_error *err);

/* EBUSY: it has opened an image by now, or is about to. */
int serving_detach(const struct serving *serving);
/*
 * All the way back, cancelled or not: a tapdisk that was spawned ends. With @close, the
 * disk goes; without, it stays and is left to the next tapdisk.
 */
void serving_undo(const struct serving *serving, bool close);
/* Without undoing anything. */
void serving_done(struct serving *serving);

#endif /* BLKTAP_SERVING_H */
