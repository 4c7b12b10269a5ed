// SPDX-License-Identifier: GPL-2.0-only
/*
 * Standard output, and the exit status.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"

int exit_status(int code)
{
	switch (-code) {
	case EPERM:
		return EACCES;		/* 1 means that spawn failed */
	case ERANGE:
		return EINVAL;
	case ECONNREFUSED:
		return ENOENT;		/* the socket is there, the tapdisk is not */
	case ECHILD:
		return 1;
	}
	return -code > 0 && -code < 256 ? -code : 1;
}

int flush_output(struct blktap_error *err)
{
	errno = EIO;
	if (!ferror(stdout) && fflush(stdout) == 0)
		return 0;
	return blktap_error_set(err, -errno, "cannot write the output: %s", strerror(errno));
}

int print_line(struct blktap_error *err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	return flush_output(err);
}

int print_disk(unsigned int minor, struct blktap_error *err)
{
	char path[64];
	int ret = blktap_disk_path(path, sizeof(path), minor);

	if (ret)
		return blktap_error_set(err, ret, "minor %u: its path is too long", minor);
	return print_line(err, "%s", path);
}
