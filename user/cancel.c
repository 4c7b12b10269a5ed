// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Waits that can be ended early, say by a signal.
 */
#include <errno.h>
#include <poll.h>

#include "cancel.h"
#include "libblktap.h"

static int cancelling = -1;
static _Thread_local unsigned int suspended;

void blktap_cancel_on(int fd)
{
	cancelling = fd;
}

int cancel_fd(void)
{
	return suspended ? -1 : cancelling;
}

void cancel_suspend(void)
{
	suspended++;
}

void cancel_resume(void)
{
	suspended--;
}

int cancel_poll(int fd, int timeout_ms)
{
	struct pollfd fds[] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = cancel_fd(), .events = POLLIN },
	};
	int ret = poll(fds, 2, timeout_ms);

	if (ret > 0 && fds[1].revents)
		return -EINTR;
	return ret > 0;
}
