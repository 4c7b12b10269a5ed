// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What is opened here because the tapdisk may not.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "passing.h"
#include "ring.h"

#define ASK_MS	10000

bool passing_wanted(pid_t pid)
{
	CLEANUP_JSON json_t *version = NULL;
	json_t *features, *feature;
	size_t i;

	if (blktap_ctl_version(pid, &version, ASK_MS, NULL) || !json_object_get(version, "user"))
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

/* As tapdisk does it: a block device that is written to is claimed. */
static int open_file(const char *path, bool read_only)
{
	int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (read_only ? O_RDONLY : O_RDWR);
	struct stat st;

	if (stat(path, &st) != 0)
		return -1;
	if (S_ISBLK(st.st_mode) && !read_only)
		flags |= O_EXCL;
	return open(path, flags);
}

int passing_image(const char *image, bool read_only, struct blktap_error *err)
{
	static const char type[] = "aio:";
	const char *path = image + strlen(type);
	int fd;

	if (strncmp(image, type, strlen(type)) != 0)
		return blktap_error_set(err, -EACCES, "%s: the tapdisk's user may not open it, and "
					"only aio: images can be passed", image);
	fd = open_file(path, read_only);
	if (fd >= 0)
		return fd;
	return blktap_error_set(err, -errno, errno == EBUSY ? "%s is mounted or used by another disk" :
				"cannot open %s: %m", path);
}

static const struct blktap_vbd_info *find_minor(const struct blktap_vbd_info *vbds, size_t count,
						unsigned int minor)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (vbds[i].minor == (int)minor && vbds[i].path)
			return &vbds[i];
	return NULL;
}

int passing_paused_image(pid_t pid, unsigned int minor, const char *image,
			 struct blktap_error *err)
{
	const struct blktap_vbd_info *vbd;
	CLEANUP_FREE char *own = NULL;
	struct blktap_vbd_info *vbds;
	size_t count;
	int ret;

	ret = blktap_ctl_list(pid, &vbds, &count, ASK_MS, err);
	if (ret)
		return ret;
	vbd = find_minor(vbds, count, minor);
	if (!vbd)
		ret = blktap_error_set(err, -ENODEV, "tapdev%u has no image", minor);
	else if (!image && asprintf(&own, "%s:%s", vbd->type, vbd->path) < 0)
		ret = blktap_error_set(err, -ENOMEM, "no memory for tapdev%u", minor);
	else
		ret = passing_image(image ? image : own, vbd->read_only, err);
	blktap_vbd_info_free(vbds, count);
	return ret;
}
