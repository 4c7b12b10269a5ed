// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What is opened here because the tapdisk may not.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "aside.h"
#include "cleanup.h"
#include "passing.h"
#include "record.h"
#include "ring.h"
#include "trusted-path.h"

#define ASK_MS	10000

bool passing_wanted(pid_t pid, struct deadline deadline)
{
	CLEANUP_JSON json_t *version = NULL;
	json_t *features, *feature;
	size_t i;

	if (blktap_ctl_version(pid, &version, deadline_step(deadline, ASK_MS), NULL) ||
	    !json_object_get(version, "user"))
		return false;
	features = json_object_get(version, "features");
	json_array_foreach(features, i, feature)
		if (json_is_string(feature) && !strcmp(json_string_value(feature), "descriptors"))
			return true;
	return false;
}

int passing_ring(unsigned int minor, struct blktap_error *err)
{
	return ring_open_node(minor, err);
}

/* -------------------------------------------------------------------------- a file */

static int open_failed(const char *path, struct blktap_error *err)
{
	return blktap_error_set(err, -errno, errno == EBUSY ? "%s is mounted or used by another disk" :
				"cannot open %s: %m", path);
}

/* To open something else can have effects of its own. */
static int check_type(const struct stat *st, const char *path, struct blktap_error *err)
{
	if (S_ISREG(st->st_mode) || S_ISBLK(st->st_mode))
		return 0;
	if (S_ISDIR(st->st_mode))
		return blktap_error_set(err, -EISDIR, "%s is a directory", path);
	return blktap_error_set(err, -EINVAL, "%s is neither a file nor a block device", path);
}

static bool is_same_file(int fd, const struct stat *before)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_dev == before->st_dev &&
	       st.st_ino == before->st_ino && st.st_rdev == before->st_rdev &&
	       (st.st_mode & S_IFMT) == (before->st_mode & S_IFMT);
}

/* As tapdisk does it: a block device that is written to is claimed, which it cannot see. */
static int open_found(const struct trusted_path *found, const char *path, bool read_only,
		      struct blktap_error *err)
{
	int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW |
		    (read_only ? O_RDONLY : O_RDWR);
	CLEANUP_CLOSE int fd = -1;
	int ret = check_type(&found->st, path, err);

	if (ret)
		return ret;
	if (S_ISBLK(found->st.st_mode) && !read_only)
		flags |= O_EXCL;
	fd = openat(found->folder, found->name, flags);
	if (fd < 0)
		return open_failed(path, err);
	if (!is_same_file(fd, &found->st))
		return blktap_error_set(err, -ESTALE, "%s was replaced while it was opened", path);
	return TAKE_FD(fd);
}

/* The tapdisk's user must not choose what root opens for it. */
static int open_file(const char *path, bool read_only, struct blktap_error *err)
{
	struct trusted_path found;
	int ret = trusted_path_follow(&found, path, err);

	if (ret)
		return ret;
	ret = open_found(&found, path, read_only, err);
	close(found.folder);
	return ret;
}

/* ------------------------------------------------------ whose storage may not answer */

struct passing {
	struct aside aside;
	char *path;
	bool read_only;
	int fd;			/* or a negative errno, with @err */
	char identity[IMAGE_IDENTITY_SIZE];
	struct blktap_error err;
};

static void do_open(struct aside *aside)
{
	struct passing *passing = (struct passing *)aside;

	passing->fd = open_file(passing->path, passing->read_only, &passing->err);
	if (passing->fd >= 0)
		image_identity(passing->fd, "", passing->identity);
}

static void free_passing(struct aside *aside)
{
	struct passing *passing = (struct passing *)aside;

	if (passing->fd >= 0)
		close(passing->fd);
	free(passing->path);
	free(passing);
}

static struct passing *new_passing(const char *path, bool read_only)
{
	struct passing *passing = calloc(1, sizeof(*passing));

	if (!passing)
		return NULL;
	passing->aside.call = do_open;
	passing->aside.release = free_passing;
	passing->read_only = read_only;
	passing->fd = -1;
	passing->path = strdup(path);
	if (passing->path)
		return passing;
	free(passing);
	return NULL;
}

static int take(struct passing *passing, char identity[IMAGE_IDENTITY_SIZE],
		struct blktap_error *err)
{
	if (passing->fd < 0) {
		if (err)
			*err = passing->err;
		return passing->fd;
	}
	strcpy(identity, passing->identity);
	return TAKE_FD(passing->fd);
}

static int not_opened(const char *path, int code, struct blktap_error *err)
{
	switch (code) {
	case -EINTR:
		return blktap_error_set(err, code, "interrupted while %s was opened", path);
	case -ETIMEDOUT:
		return blktap_error_set(err, code, "cannot open %s: its storage does not answer",
					path);
	default:
		return blktap_error_set(err, code, "cannot open %s: %s", path, strerror(-code));
	}
}

static int open_until(const char *path, bool read_only, struct deadline deadline,
		      char identity[IMAGE_IDENTITY_SIZE], struct blktap_error *err)
{
	struct passing *passing = new_passing(path, read_only);
	int ret;

	if (!passing)
		return not_opened(path, -ENOMEM, err);
	ret = aside_run(&passing->aside, deadline);
	ret = ret ? not_opened(path, ret, err) : take(passing, identity, err);
	aside_put(&passing->aside);
	return ret;
}

/* ------------------------------------------------------------------------ an image */

int passing_image(const char *image, bool read_only, struct deadline deadline,
		  char identity[IMAGE_IDENTITY_SIZE], struct blktap_error *err)
{
	static const char type[] = "aio:";

	identity[0] = '\0';
	if (strncmp(image, type, strlen(type)) != 0)
		return blktap_error_set(err, -EACCES, "%s: the tapdisk's user may not open it, and "
					"only aio: images can be passed", image);
	return open_until(image + strlen(type), read_only, deadline, identity, err);
}

/*
 * Of what the tapdisk itself says nothing is believed: it is the record, which such a
 * tapdisk cannot write, that tells what it was given.
 */
int passing_paused_image(pid_t pid, unsigned int minor, const char *image,
			 struct deadline deadline, char identity[IMAGE_IDENTITY_SIZE],
			 struct blktap_error *err)
{
	struct blktap_record *record;
	int ret;

	identity[0] = '\0';
	ret = blktap_record_read(minor, &record, err);
	if (ret)
		return ret;
	if (!record_is_of(record->pid, minor, pid))
		ret = blktap_error_set(err, -EACCES, "tapdev%u: its record is of tapdisk %d, so "
				       "nothing is opened for tapdisk %d", minor,
				       (int)record->pid, (int)pid);
	else
		ret = passing_image(image ? image : record->open.image, record->open.read_only,
				    deadline, identity, err);
	blktap_record_free(record);
	return ret;
}
