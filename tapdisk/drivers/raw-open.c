// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opening a raw image: only what can be an image, only once for writing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cleanup.h"
#include "lock.h"
#include "raw.h"

static int open_error(const char *path, int code, struct blktap_error *err)
{
	switch (code) {
	case -ENOENT:
		return blktap_error_set(err, code, "%s does not exist", path);
	case -EACCES:
	case -EPERM:
		return blktap_error_set(err, -EACCES, geteuid() ? "%s: not permitted to this tapdisk's "
					"user, and no descriptor of it came along" :
					"%s: not permitted", path);
	case -EBUSY:
		return blktap_error_set(err, code, "%s is mounted or used by another disk", path);
	default:
		return blktap_error_set(err, code, "cannot open %s: %s", path, strerror(-code));
	}
}

static int check_type(const struct stat *st, const char *path, struct blktap_error *err)
{
	if (S_ISREG(st->st_mode) || S_ISBLK(st->st_mode))
		return 0;
	if (S_ISDIR(st->st_mode))
		return blktap_error_set(err, -EISDIR, "%s is a directory", path);
	return blktap_error_set(err, -EINVAL, "%s is neither a file nor a block device", path);
}

/* The whole disk of a partition, or the device itself. */
static dev_t whole_disk(dev_t dev)
{
	unsigned int major, minor;
	char path[96];
	FILE *file;
	int fields;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", major(dev), minor(dev));
	if (access(path, F_OK) != 0)
		return dev;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../dev", major(dev), minor(dev));
	file = fopen(path, "re");
	if (!file)
		return dev;
	fields = fscanf(file, "%u:%u", &major, &minor);
	fclose(file);
	return fields == 2 ? makedev(major, minor) : dev;
}

int raw_check_not_itself(const struct stat *st, const struct image_params *params,
			 struct blktap_error *err)
{
	dev_t below = S_ISBLK(st->st_mode) ? st->st_rdev : st->st_dev;
	struct stat disk;
	char path[64];

	if (blktap_disk_path(path, sizeof(path), params->minor) ||
	    stat(path, &disk) != 0 || !S_ISBLK(disk.st_mode))
		return 0;
	if (whole_disk(below) != disk.st_rdev)
		return 0;
	return blktap_error_set(err, -ELOOP, "%s lies on tapdev%u, whose image it would be",
				params->path, params->minor);
}

static bool raw_was_passed(const struct image_params *params)
{
	return params->nr_fds && !params->adopt;
}

bool raw_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       (a->st_mode & S_IFMT) == (b->st_mode & S_IFMT) && a->st_rdev == b->st_rdev;
}

/* A block device that we write to is claimed, as a mount would do. */
static int open_flags(const struct stat *st, bool read_only)
{
	int flags = O_CLOEXEC | O_NOCTTY | (read_only ? O_RDONLY : O_RDWR);

	if (S_ISREG(st->st_mode))
		flags |= O_NONBLOCK;	/* were it replaced by a pipe meanwhile */
	else if (!read_only)
		flags |= O_EXCL;
	return flags;
}

/* Another tapdisk holds the claim, or a mount does. */
static int busy_error(const char *path, struct blktap_error *err)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && locked_for_writing(fd))
		return blktap_error_set(err, -EAGAIN, "%s is open for writing elsewhere", path);
	return open_error(path, -EBUSY, err);
}

/* What somebody else has opened has to be as we would have done that. */
static int check_flags(int fd, bool read_only, const char *path, struct blktap_error *err)
{
	int flags = fcntl(fd, F_GETFL);
	int mode = flags & O_ACCMODE;

	if (flags >= 0 && !(flags & (O_PATH | O_APPEND)) &&
	    (mode == O_RDWR || (read_only && mode == O_RDONLY)))
		return 0;
	return blktap_error_set(err, -EBADF, "the descriptor that came for %s is not open for %s",
				path, read_only ? "reading" : "reading and writing");
}

static int take_passed(struct raw *raw, const struct image_params *params,
		       struct blktap_error *err)
{
	struct stat st;
	int ret;

	raw->fd = fcntl(params->fds[0], F_DUPFD_CLOEXEC, 3);
	if (raw->fd < 0 || fstat(raw->fd, &st) != 0)
		return open_error(params->path, -errno, err);
	ret = check_type(&st, params->path, err);
	if (!ret)
		ret = check_flags(raw->fd, params->read_only, params->path, err);
	if (!ret)
		ret = raw_check_not_itself(&st, params, err);
	raw->block_device = S_ISBLK(st.st_mode);
	raw->read_only = params->read_only;
	return ret;
}

static int open_file(struct raw *raw, const struct image_params *params,
		     struct blktap_error *err)
{
	const char *path = params->path;
	struct stat before, st;
	int ret;

	if (raw_was_passed(params))
		return take_passed(raw, params, err);
	if (stat(path, &before) != 0)
		return open_error(path, -errno, err);
	ret = check_type(&before, path, err);
	if (!ret)
		ret = raw_check_not_itself(&before, params, err);
	if (ret)
		return ret;
	raw->fd = open(path, open_flags(&before, params->read_only));
	if (raw->fd < 0)
		return errno == EBUSY ? busy_error(path, err) : open_error(path, -errno, err);
	if (fstat(raw->fd, &st) != 0)
		return open_error(path, -errno, err);
	if (!raw_same_file(&before, &st))
		return blktap_error_set(err, -ESTALE, "%s was replaced while it was opened", path);
	raw->block_device = S_ISBLK(st.st_mode);
	return 0;
}

/* The same open file, with its lock or claim and its O_DIRECT. Nobody asks for its name. */
static int adopt_file(struct raw *raw, const struct image_params *params, struct blktap_error *err)
{
	struct stat st;
	int ret;

	raw->fd = fcntl(params->fds[0], F_DUPFD_CLOEXEC, 3);
	if (raw->fd < 0 || fstat(raw->fd, &st) != 0)
		return open_error(params->path, -errno, err);
	ret = check_type(&st, params->path, err);
	raw->block_device = S_ISBLK(st.st_mode);
	return ret;
}

/*
 * The kernel's own I/O to a block device goes past its page cache: what others have
 * left there must be written before, and what they find there later be read anew.
 */
static void empty_page_cache(const struct raw *raw)
{
	if (!raw->block_device || !raw->direct)
		return;
	fsync(raw->fd);
	posix_fadvise(raw->fd, 0, 0, POSIX_FADV_DONTNEED);
}

void raw_close(struct raw *raw)
{
	if (raw->fd >= 0) {
		empty_page_cache(raw);
		close(raw->fd);
	}
	raw->fd = -1;
	pthread_mutex_destroy(&raw->flushing);
	free(TAKE_POINTER(raw->path));
}

static int lock(const struct raw *raw, const struct image_params *params, struct blktap_error *err)
{
	if (raw_was_passed(params))
		return lock_passed_image(raw->fd, params->read_only, params->path, err);
	/* With what is adopted the lock is there: it belongs to the open file. */
	return lock_image(raw->fd, params->read_only, params->path, err);
}

int raw_open(struct raw *raw, struct image_limits *limits, const struct image_params *params,
	     struct blktap_error *err)
{
	int ret;

	*raw = (struct raw){
		.fd = -1,
		.read_only = params->read_only,
		.minor = params->minor,
		.damaged = params->damaged,
		.flushing = PTHREAD_MUTEX_INITIALIZER,
	};
	/* The daemon's folder is not the one where somebody typed the name. */
	if (params->path[0] != '/')
		return blktap_error_set(err, -EINVAL, "%s: give the whole path, from / on",
					params->path);
	raw->path = strdup(params->path);
	if (!raw->path)
		return blktap_error_set(err, -ENOMEM, "no memory for %s", params->path);
	ret = params->adopt ? adopt_file(raw, params, err) : open_file(raw, params, err);
	if (!ret)
		ret = lock(raw, params, err);
	if (!ret)
		ret = raw_limits(raw, limits, params, err);
	if (!ret && !params->adopt)
		empty_page_cache(raw);
	if (ret)
		raw_close(raw);
	return ret;
}
