// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Where things are.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "paths.h"

const char *blktap_control_dir(void)
{
	const char *dir = secure_getenv("BLKTAP_CONTROL_DIR");

	return dir && *dir ? dir : BLKTAP_CONTROL_DIR;
}

int control_dir_refused(int code, struct blktap_error *err)
{
	switch (code) {
	case -EINVAL:
		return blktap_error_set(err, code,
					"the control directory's name is not an absolute path: %s",
					blktap_control_dir());
	case -ENAMETOOLONG:
		return blktap_error_set(err, code, "the control directory's name is too long: %s",
					blktap_control_dir());
	case -EPERM:
		return blktap_error_set(err, -EACCES,
					"the control directory %s is not safe: other users may write into it",
					blktap_control_dir());
	}
	return blktap_error_set(err, code, "cannot use the control directory %s: %s",
				blktap_control_dir(), strerror(-code));
}

static int check_length(int length, size_t size)
{
	return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

/* Tapdisks have another working directory. */
static bool is_relative(void)
{
	return blktap_control_dir()[0] != '/';
}

/*
 * Whoever may write there could put sockets of his own in the place of tapdisks'. That
 * it is not there is for others to find out: the first tapdisk makes it.
 */
static int check_directory(void)
{
	struct stat st;

	if (is_relative())
		return -EINVAL;
	if (lstat(blktap_control_dir(), &st) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return -EPERM;
	return st.st_mode & 0022 ? -EPERM : 0;
}

int control_dir_check(struct blktap_error *err)
{
	int ret = check_directory();

	return ret ? control_dir_refused(ret, err) : 0;
}

int blktap_control_path(char *buf, size_t size, pid_t pid)
{
	int ret = check_directory();

	if (ret)
		return ret;
	return check_length(snprintf(buf, size, "%s/ctl%d", blktap_control_dir(), (int)pid),
			    size);
}

int blktap_disk_path(char *buf, size_t size, unsigned int minor)
{
	return check_length(snprintf(buf, size, "/dev/" BLKTAP_DISK_NAME, minor), size);
}
