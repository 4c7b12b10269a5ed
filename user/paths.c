// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Where things are.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "libblktap.h"

const char *blktap_control_dir(void)
{
	const char *dir = secure_getenv("BLKTAP_CONTROL_DIR");

	return dir && *dir ? dir : BLKTAP_CONTROL_DIR;
}

static int check_length(int length, size_t size)
{
	return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

int blktap_control_path(char *buf, size_t size, pid_t pid)
{
	return check_length(snprintf(buf, size, "%s/ctl%d", blktap_control_dir(), (int)pid),
			    size);
}

int blktap_disk_path(char *buf, size_t size, unsigned int minor)
{
	return check_length(snprintf(buf, size, "/dev/" BLKTAP_DISK_NAME, minor), size);
}
