/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is opened here because the tapdisk may not.
 */
#ifndef BLKTAP_PASSING_H
#define BLKTAP_PASSING_H

#include "deadline.h"
#include "image-identity.h"
#include "libblktap.h"

/* Whether the tapdisk takes descriptors, and runs as a user who may need them. */
bool passing_wanted(pid_t pid, struct deadline deadline);

/* These return a descriptor or a negative errno. */

int passing_ring(unsigned int minor, struct blktap_error *err);
/*
 * @image is "type:path", @identity that of the descriptor, or empty. EACCES: its type is none
 * that can be passed; EPERM: others may change what its path leads to; ETIMEDOUT: its storage
 * has not answered; EINTR: cancelled.
 */
int passing_image(const char *image, bool read_only, struct deadline deadline,
		  char identity[IMAGE_IDENTITY_SIZE], struct blktap_error *err);
/* For a paused disk; @image NULL: the one that it had. */
int passing_paused_image(pid_t pid, unsigned int minor, const char *image,
			 struct deadline deadline, char identity[IMAGE_IDENTITY_SIZE],
			 struct blktap_error *err);

#endif /* BLKTAP_PASSING_H */
