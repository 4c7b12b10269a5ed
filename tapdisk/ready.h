/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Going into the background, and telling the one who started us how it went.
 */
#ifndef TAPDISK_READY_H
#define TAPDISK_READY_H

#include "libblktap.h"

struct ready {
	int fd;			/* --ready-fd: gets the JSON line; -1: none */
	int parent;		/* a pipe to the foreground process; -1: none */
};

/*
 * Goes on in a background process of its own session. The foreground process
 * waits for ready_tell() and exits: with 0, or with 1 if it was an error.
 */
int ready_daemonise(struct ready *ready);

/*
 * Says that the process listens on @control, or that it cannot start. -EPIPE: the
 * one who wanted to know is gone, and nobody else knows of this process.
 */
int ready_tell(struct ready *ready, const char *control);
void ready_fail(struct ready *ready, const struct blktap_error *err);

#endif /* TAPDISK_READY_H */
