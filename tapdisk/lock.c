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

static int locked_elsewhere(bool writing, const char *path, struct blktap_error *err)
{
	return blktap_error_set(err, -EAGAIN, "%s is open for %s elsewhere", path,
				writing ? "writing" : "reading");
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
	return locked_elsewhere(locked_for_writing(fd), path, err);
}

int lock_passed_image(int fd, bool read_only, const char *path, struct blktap_error *err)
{
	struct flock lock = {
		.l_type = read_only ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};

	/* This asks for the process: a lock of the open file itself is in its way, too. */
	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		return locked_elsewhere(lock.l_type == F_WRLCK, path, err);
	return lock_image(fd, read_only, path, err);
}
