/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Taking over all VBDs of another tapdisk, one after the other.
 */
#ifndef TAPDISK_TAKEOVER_H
#define TAPDISK_TAKEOVER_H

#include "tapdisk.h"

/* @err: NULL on success. The takeover is gone. */
typedef void (*takeover_done)(void *data, const struct blktap_error *err);

/*
 * Ends when tapdisk @pid has nothing left, or at the first VBD that cannot be had: it
 * and those after it stay where they are, those before it stay here. Without any VBD
 * this process ends then. Takes @fd, a connection to it; negative: one is made.
 * @timeout_ms negative: no limit. EBUSY: one is under way; @done is called after
 * success only.
 */
int takeover_start(struct tapdisk *tapdisk, pid_t pid, int fd, int timeout_ms,
		   takeover_done done, void *data, struct blktap_error *err);
/* Takes @fd, the ring node of @minor, for a takeover: this process may not open it. */
int takeover_pass_ring(struct tapdisk *tapdisk, unsigned int minor, int fd);
/* Those that were not used. */
void takeover_drop_rings(struct tapdisk *tapdisk);
/* Ends it before the next VBD, or at once. With @why, unless something else came first. */
void takeover_cancel(struct takeover *takeover, const char *why);
/* The session of its VBD has ended: to be freed now. */
void takeover_lost(struct takeover *takeover, struct vbd *vbd);

#endif /* TAPDISK_TAKEOVER_H */
