// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <sys/file.h>

#include "cancel.h"
#include "deadline.h"
#include "directory-lock.h"

#define LOCK_MS		10000	/* it is held for moments */
#define LOCK_STEP_MS	5

int directory_lock(int fd)
{
	struct deadline deadline = deadline_in(LOCK_MS);
	int ret;

	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (deadline_passed(deadline))
			return -ETIMEDOUT;
		ret = cancel_poll(-1, LOCK_STEP_MS);
		if (ret < 0)
			return ret;
	}
	return 0;
}
