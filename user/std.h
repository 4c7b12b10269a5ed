/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BLKTAP_STD_H
#define BLKTAP_STD_H

#include <fcntl.h>
#include <unistd.h>

/*
 * Puts /dev/null in place of a closed standard input, output or error, so that
 * no socket or disk gets one of these numbers. Call first in main(). With
 * O_RDONLY, writing to what was closed still fails.
 */
static inline void std_keep(int flags)
{
	int fd;

	do {
		fd = open("/dev/null", flags);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

#endif /* BLKTAP_STD_H */
