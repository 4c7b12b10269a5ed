/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What else a tapdisk served that had to be killed: somebody should know.
 */
#ifndef TAP_CTL_VICTIMS_H
#define TAP_CTL_VICTIMS_H

#include "libblktap.h"

struct victims {
	struct blktap_tap *taps;	/* as they were before */
	size_t count;
};

void victims_note(struct victims *victims);
/* Tells standard error if there was a kill (@killed is not 0), and forgets. */
void victims_tell(struct victims *victims, pid_t killed, unsigned int minor);

#endif /* TAP_CTL_VICTIMS_H */
