/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Disks that nobody serves, and taking them on.
 */
#ifndef TAP_CTL_HELD_H
#define TAP_CTL_HELD_H

#include <limits.h>

#include "libblktap.h"

struct held {
	unsigned int minor;
	uint32_t recovery;	/* BLKTAP_RECOVERY_HELD or _FAILED */
	pid_t of;		/* the tapdisk that it had; 0: there is no record */
	char user[LOGIN_NAME_MAX];	/* whose that was; "": root's */
	bool no_sandbox;	/* nor was it confined */
	bool paused;
	bool restart;
};

/* Those of one tapdisk next to each other. free() *@disks. */
int held_list(struct held **disks, size_t *count, struct blktap_error *err);

/* Whether they were one tapdisk's: a pid alone may have been that of two, one after the other. */
bool held_together(const struct held *a, const struct held *b);

/*
 * Recovers @disks, in the order of held_list(): those that were one tapdisk's with one, except
 * that one whose image hangs holds up no other, whosever it was. @told is called for each, with
 * the outcome, from one thread at a time. ENOMEM: it is not.
 */
int held_recover(const struct held *disks, size_t count, int timeout_ms,
		 void (*told)(const struct held *disk, pid_t pid, const struct blktap_error *err,
			      void *data), void *data);

#endif /* TAP_CTL_HELD_H */
