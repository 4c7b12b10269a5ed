/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BLKTAP_TAP_WAIT_H
#define BLKTAP_TAP_WAIT_H

#include "deadline.h"
#include "libblktap.h"

/*
 * Asks the kernel for @minor until @reached says so, or the tap is gone. ETIMEDOUT and
 * EINTR, without a sentence; what else asking gives.
 */
int tap_wait(struct blktap_nl *nl, unsigned int minor,
	     bool (*reached)(const struct blktap_tap *tap), struct deadline deadline,
	     struct blktap_error *err);

#endif /* BLKTAP_TAP_WAIT_H */
