// SPDX-License-Identifier: GPL-2.0-only
/*
 * The size of a raw image that is open: whether it still is what it was, and
 * giving it another one.
 */
#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "raw.h"

static int size_of(const struct raw *raw, uint64_t *bytes)
{
	struct stat st;

	if (raw->block_device)
		return ioctl(raw->fd, BLKGETSIZE64, bytes) ? -errno : 0;
	if (fstat(raw->fd, &st) != 0)
		return -errno;
	*bytes = st.st_size;
	return 0;
}

int raw_share(const struct raw *raw, const struct image_limits *limits,
	      const struct image_params *params)
{
	int fd = params->nr_fds ? params->fds[0] : -1;
	struct blktap_error err;
	struct stat named, open;
	uint64_t bytes;

	if (fd >= 0 ? fstat(fd, &named) : stat(params->path, &named))
		return -errno;
	if (fstat(raw->fd, &open) != 0)
		return -errno;
	if (!raw_same_file(&named, &open) || size_of(raw, &bytes) || bytes != limits->capacity)
		return -ESTALE;
	return params->adopt ? 0 : raw_check_not_itself(&named, params, &err);
}

static int check_new_size(const struct raw *raw, const struct image *image, uint64_t capacity,
			  bool shrink, struct blktap_error *err)
{
	uint64_t now;
	int ret = size_of(raw, &now);

	if (ret)
		return blktap_error_set(err, ret, "cannot measure %s: %s", image->path,
					strerror(-ret));
	if (capacity == now)
		return 0;
	/* A device keeps what the disk does not take. */
	if (capacity < now && !shrink && !raw->block_device)
		return blktap_error_set(err, -EINVAL, "%s is larger, %llu bytes, and would lose "
					"what is beyond", image->path, (unsigned long long)now);
	if (raw->block_device && capacity > now)
		return blktap_error_set(err, -EOPNOTSUPP, "the block device %s has %llu bytes; "
					"give it more first", image->path,
					(unsigned long long)now);
	if (image->read_only)
		return blktap_error_set(err, -EOPNOTSUPP, "%s is open read-only", image->path);
	return 1;
}

int raw_resize(struct raw *raw, const struct image *image, uint64_t capacity, bool shrink,
	       uint64_t *now, struct blktap_error *err)
{
	int ret;

	if (!capacity) {
		ret = size_of(raw, now);
		if (ret)
			return blktap_error_set(err, ret, "cannot measure %s: %s", image->path,
						strerror(-ret));
		*now -= *now % image->limits.logical_block_size;
		return 0;
	}
	*now = capacity;
	ret = check_new_size(raw, image, capacity, shrink, err);
	/* Of a block device the disk takes a part. */
	if (ret <= 0 || raw->block_device)
		return ret < 0 ? ret : 0;
	if (ftruncate(raw->fd, capacity) == 0)
		return 0;
	return blktap_error_set(err, -errno, "cannot make %s %llu bytes long: %s", image->path,
				(unsigned long long)capacity, strerror(errno));
}
