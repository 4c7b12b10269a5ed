// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks on images. Those of open file descriptions: they end with the last
 * close, are taken along when a descriptor is passed, and are not lost when
 * another descriptor of the same file is closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lock.h"

bool locked_for_writing(int fd)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_WRLCK;
}

int lock_image(int fd, bool read_only, const char *path, struct blktap_error *err)
{
	struct flock lock = {
		.l_type = read_only ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};
	int code;

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	code = -errno;
	if (code != -EAGAIN && code != -EACCES)
		return blktap_error_set(err, code, "cannot lock %s: %s", path, strerror(-code));
	if (locked_for_writing(fd))
		return blktap_error_set(err, -EAGAIN, "%s is open for writing elsewhere", path);
	return blktap_error_set(err, -EAGAIN, "%s is open for reading elsewhere", path);
}
