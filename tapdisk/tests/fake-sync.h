/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fdatasync() as the kernel has it when pages cannot be written back: the first who asks is
 * told, and the pages are clean. Include it once per program.
 */
#ifndef TAPDISK_TESTS_FAKE_SYNC_H
#define TAPDISK_TESTS_FAKE_SYNC_H

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

static struct {
	atomic_int lost;	/* the errno that is still to be told */
	atomic_uint calls;
	atomic_uint slow_us;	/* until who was told hears of it */
} fake_sync;

static inline void fake_sync_reset(void)
{
	fake_sync.lost = 0;
	fake_sync.calls = 0;
	fake_sync.slow_us = 0;
}

int fdatasync(int fd)
{
	int error = fcntl(fd, F_GETFL) < 0 ? EBADF : atomic_exchange(&fake_sync.lost, 0);

	fake_sync.calls++;
	if (!error)
		return 0;
	usleep(fake_sync.slow_us);
	errno = error;
	return -1;
}

#endif /* TAPDISK_TESTS_FAKE_SYNC_H */
