// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "trusted-path.h"

#define MAX_LINKS	40	/* as the kernel's */
#define FOLDER		(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define REFUSED		"nothing in it is opened for a tapdisk with a user of its own"

struct walk {
	int folder;
	char rest[PATH_MAX];	/* from there on */
	unsigned int links;
};

/* ------------------------------------------------------------------------ owners */

static bool is_trusted(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

static bool is_shared(const struct stat *folder)
{
	return folder->st_mode & 022;
}

static void name_folder(int fd, char name[PATH_MAX])
{
	char link[40];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, name, PATH_MAX - 1);
	if (length < 0)
		length = snprintf(name, PATH_MAX, "a folder on the way");
	name[length] = '\0';
}

static void name_user(uid_t uid, char *name, size_t size)
{
	struct passwd entry, *found = NULL;
	char buffer[4096];

	if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) || !found)
		snprintf(name, size, "user %u", uid);
	else
		snprintf(name, size, "%s", found->pw_name);
}

static int check_folder(int fd, struct stat *st, struct blktap_error *err)
{
	char name[PATH_MAX], owner[64];

	if (fstat(fd, st) != 0)
		return blktap_error_set(err, -errno, "a folder cannot be looked at: %m");
	if (is_trusted(st->st_uid) && (!is_shared(st) || st->st_mode & S_ISVTX))
		return 0;
	name_folder(fd, name);
	name_user(st->st_uid, owner, sizeof(owner));
	if (!is_trusted(st->st_uid))
		return blktap_error_set(err, -EPERM, "%s is %s's: " REFUSED, name, owner);
	return blktap_error_set(err, -EPERM, "%s may be written by others: " REFUSED, name);
}

/* A file of root's that has several names may have got this one from anybody. */
static int check_entry(int fd, const struct stat *folder, const struct trusted_path *found,
		       struct blktap_error *err)
{
	const struct stat *st = &found->st;
	char name[PATH_MAX];

	if (!is_shared(folder) ||
	    (is_trusted(st->st_uid) && (S_ISDIR(st->st_mode) || st->st_nlink == 1)))
		return 0;
	name_folder(fd, name);
	return blktap_error_set(err, -EPERM, "%s may be written by others, who may have made %s: it "
				"is not opened for a tapdisk with a user of its own", name,
				found->name);
}

/* ------------------------------------------------------------------------- walking */

static int failed(const char *path, int code, struct blktap_error *err)
{
	return blktap_error_set(err, code, "cannot open %s: %s", path, strerror(-code));
}

/* 1, or 0: there is none left. */
static int take_name(struct walk *walk, char name[NAME_MAX + 1])
{
	const char *from = walk->rest + strspn(walk->rest, "/");
	size_t length = strcspn(from, "/");

	if (length > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, from, length);
	name[length] = '\0';
	memmove(walk->rest, from + length, strlen(from + length) + 1);
	return length > 0;
}

static int enter(struct walk *walk, const char *name)
{
	int fd = openat(walk->folder, name, FOLDER);

	if (fd < 0)
		return -errno;
	close(walk->folder);
	walk->folder = fd;
	return 0;
}

static int follow_link(struct walk *walk, int link)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t length = readlinkat(link, "", target, sizeof(target));

	if (length < 0)
		return -errno;
	if (++walk->links > MAX_LINKS)
		return -ELOOP;
	if (snprintf(rest, sizeof(rest), "%.*s%s", (int)length, target, walk->rest) >=
	    (int)sizeof(rest))
		return -ENAMETOOLONG;
	strcpy(walk->rest, rest);
	return rest[0] == '/' ? enter(walk, "/") : 0;
}

/* 1: that is it. */
static int pass(struct walk *walk, int entry, const struct trusted_path *found)
{
	if (S_ISLNK(found->st.st_mode))
		return follow_link(walk, entry);
	if (S_ISDIR(found->st.st_mode))
		return enter(walk, found->name);
	return walk->rest[0] ? -ENOTDIR : 1;
}

/* All of them have been taken: it is the folder itself. */
static int end_here(const struct walk *walk, struct trusted_path *found)
{
	strcpy(found->name, ".");
	return fstat(walk->folder, &found->st) == 0 ? 1 : -errno;
}

static int look(const struct walk *walk, struct trusted_path *found, int *entry)
{
	*entry = openat(walk->folder, found->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return *entry < 0 || fstat(*entry, &found->st) != 0 ? -errno : 0;
}

static int step(struct walk *walk, struct trusted_path *found, const char *path,
		struct blktap_error *err)
{
	CLEANUP_CLOSE int entry = -1;
	struct stat folder;
	int ret = take_name(walk, found->name);

	if (ret <= 0) {
		ret = ret ? ret : end_here(walk, found);
		return ret < 0 ? failed(path, ret, err) : ret;
	}
	ret = check_folder(walk->folder, &folder, err);
	if (ret)
		return ret;
	ret = look(walk, found, &entry);
	if (ret)
		return failed(path, ret, err);
	ret = check_entry(walk->folder, &folder, found, err);
	if (ret)
		return ret;
	ret = pass(walk, entry, found);
	return ret < 0 ? failed(path, ret, err) : ret;
}

int trusted_path_follow(struct trusted_path *found, const char *path, struct blktap_error *err)
{
	struct walk walk = { .folder = -1 };
	int ret = 0;

	if (path[0] != '/')
		return blktap_error_set(err, -EINVAL, "%s: give the whole path, from / on", path);
	if (snprintf(walk.rest, sizeof(walk.rest), "%s", path) >= (int)sizeof(walk.rest))
		return failed(path, -ENAMETOOLONG, err);
	walk.folder = open("/", FOLDER);
	if (walk.folder < 0)
		return failed(path, -errno, err);
	while (!ret)
		ret = step(&walk, found, path, err);
	if (ret < 0)
		close(walk.folder);
	else
		found->folder = walk.folder;
	return ret < 0 ? ret : 0;
}
