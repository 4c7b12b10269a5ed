/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The process that recovers disks by itself: one for each control directory.
 */
#ifndef TAP_CTL_SUPERVISOR_H
#define TAP_CTL_SUPERVISOR_H

#include "libblktap.h"

/* Becomes the only one; the descriptor of the lock. EEXIST: there is one. */
int supervisor_lock(struct blktap_error *err);

/* Makes sure that one runs. */
int supervisor_ensure(struct blktap_error *err);

/*
 * Goes on in the background; the caller's process ends well, here. What it had open but
 * for @keep is closed.
 */
int supervisor_detach(int keep, struct blktap_error *err);

#endif /* TAP_CTL_SUPERVISOR_H */
