// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "directory-lock.h"
#include "links.h"

/* ------------------------------------------------------------------- directory */

static int directory_refused(int code, struct blktap_error *err)
{
	if (code == -EINTR)
		return blktap_error_set(err, code, "interrupted");
	return blktap_error_set(err, code, "cannot use %s/links: %s", blktap_control_dir(),
				strerror(-code));
}

static int open_directory(bool make)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/links", blktap_control_dir()) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 || errno != ENOENT || !make)
		return fd < 0 ? -errno : fd;
	if (mkdir(blktap_control_dir(), 0700) && errno != EEXIST)
		return -errno;
	/* Whoever could open it could keep it locked. */
	if (mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The directory of the records, for this process alone until it is closed. */
static int open_locked(bool make)
{
	CLEANUP_CLOSE int fd = open_directory(make);
	int ret = fd < 0 ? fd : directory_lock(fd);

	return ret ? ret : TAKE_FD(fd);
}

/* --------------------------------------------------------------------- records */

static void record_name(char *buf, size_t size, unsigned int minor)
{
	snprintf(buf, size, "%u", minor);
}

/* Whether @name is a symbolic link to @target. */
static bool links_to(int directory, const char *name, const char *target)
{
	char found[PATH_MAX];
	ssize_t length = readlinkat(directory, name, found, sizeof(found));

	return length >= 0 && (size_t)length == strlen(target) &&
	       memcmp(found, target, length) == 0;
}

/* The folder of @name, an absolute path, whose last part is in *@base. */
static int open_folder(const char *name, const char **base)
{
	const char *slash = strrchr(name, '/');
	char folder[PATH_MAX];
	int fd;

	if (!slash)
		return -EINVAL;
	*base = slash + 1;
	snprintf(folder, sizeof(folder), "%.*s/", (int)(slash - name), name);
	fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/*
 * The owner of a folder on the way may put another one into its place: what is
 * looked at has to be what is removed.
 */
static int remove_if_ours(const char *name, const char *disk)
{
	const char *base = NULL;
	CLEANUP_CLOSE int folder = open_folder(name, &base);

	if (folder < 0 || !links_to(folder, base, disk))
		return 0;
	return unlinkat(folder, base, 0) && errno != ENOENT ? -errno : 0;
}

/* Removes the link that is remembered, if it is still ours, and the record. */
static int forget(int directory, unsigned int minor, struct blktap_error *err)
{
	char record[16], name[PATH_MAX], disk[64];
	ssize_t length;
	int ret;

	record_name(record, sizeof(record), minor);
	blktap_disk_path(disk, sizeof(disk), minor);
	length = readlinkat(directory, record, name, sizeof(name) - 1);
	if (length < 0)
		return errno == ENOENT ? 0 : directory_refused(-errno, err);
	name[length] = '\0';
	ret = remove_if_ours(name, disk);
	if (ret)
		return blktap_error_set(err, ret, "cannot remove %s: %s", name, strerror(-ret));
	if (unlinkat(directory, record, 0) && errno != ENOENT)
		return directory_refused(-errno, err);
	return 0;
}

/* ----------------------------------------------------------------------- making */

static int make_absolute(const char *name, char *buf, struct blktap_error *err)
{
	char here[PATH_MAX];
	int length;

	if (!*name)
		return blktap_error_set(err, -EINVAL, "a link's name is empty");
	if (name[0] == '/')
		length = snprintf(buf, PATH_MAX, "%s", name);
	else if (getcwd(here, sizeof(here)))
		length = snprintf(buf, PATH_MAX, "%s/%s", here, name);
	else
		return blktap_error_set(err, -errno, "cannot tell the working directory: %s",
					strerror(errno));
	if (length >= PATH_MAX)
		return blktap_error_set(err, -ENAMETOOLONG, "a link's name is too long");
	return 0;
}

static int make_link(const char *name, unsigned int minor, struct blktap_error *err)
{
	char disk[64];

	blktap_disk_path(disk, sizeof(disk), minor);
	if (symlink(disk, name) == 0)
		return 0;
	if (errno != EEXIST)
		return blktap_error_set(err, -errno, "cannot make %s: %s", name, strerror(errno));
	if (links_to(AT_FDCWD, name, disk))
		return 0;
	return blktap_error_set(err, -EEXIST, "%s exists, and is no link to %s", name, disk);
}

/* The record comes first: no link is ever there that nobody remembers. */
static int remember(int directory, unsigned int minor, const char *name, struct blktap_error *err)
{
	char record[16];
	int ret;

	record_name(record, sizeof(record), minor);
	if (symlinkat(name, directory, record))
		return directory_refused(-errno, err);
	ret = make_link(name, minor, err);
	if (ret)
		unlinkat(directory, record, 0);
	return ret;
}

int link_renew(unsigned int minor, const char *name, struct blktap_error *err)
{
	CLEANUP_CLOSE int directory = -1;
	char absolute[PATH_MAX];
	int ret;

	ret = name ? make_absolute(name, absolute, err) : 0;
	if (ret)
		return ret;
	directory = open_locked(name);
	if (directory == -ENOENT && !name)
		return 0;
	if (directory < 0)
		return directory_refused(directory, err);
	ret = forget(directory, minor, err);
	if (!ret && name)
		ret = remember(directory, minor, absolute, err);
	return ret;
}

/* --------------------------------------------------------------------- removing */

static bool look(int directory, unsigned int minor, struct stat *record)
{
	char name[16];

	record_name(name, sizeof(name), minor);
	return fstatat(directory, name, record, AT_SYMLINK_NOFOLLOW) == 0;
}

void link_look(unsigned int minor, struct link_mark *mark)
{
	CLEANUP_CLOSE int directory = open_directory(false);

	mark->there = directory >= 0 && look(directory, minor, &mark->record);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

int link_remove(unsigned int minor, const struct link_mark *mark, struct blktap_error *err)
{
	CLEANUP_CLOSE int directory = -1;
	struct stat now;

	if (!mark->there)
		return 0;
	directory = open_locked(false);
	if (directory < 0)
		return directory == -ENOENT ? 0 : directory_refused(directory, err);
	if (!look(directory, minor, &now) || !is_same(&now, &mark->record))
		return 0;
	return forget(directory, minor, err);
}
