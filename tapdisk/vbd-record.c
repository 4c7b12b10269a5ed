// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "cleanup.h"
#include "disk-seq.h"
#include "vbd-record.h"
#include "vbd.h"

#define NAME_SIZE	32
#define NS_PER_US	1000
#define MAX_BYTES	65536

int record_open_folder(const char *control)
{
	CLEANUP_FREE char *folder = strdup(control);
	char *slash = folder ? strrchr(folder, '/') : NULL;
	int fd;

	if (!slash)
		return folder ? -EINVAL : -ENOMEM;
	*slash = '\0';
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static char *describe(const struct vbd *vbd)
{
	CLEANUP_JSON json_t *json = NULL;
	uint64_t seq;

	disk_seq(vbd->minor, &seq);
	json = json_pack("{s:i, s:i, s:s, s:b, s:b, s:s, s:i, s:I, s:b, s:b, s:b, "
			 "s:s, s:I}",
			 "minor", (int)vbd->minor,
			 "pid", (int)getpid(),
			 "image", vbd->spec,
			 "read_only", vbd->params.read_only,
			 "no_direct", vbd->params.no_direct,
			 "kernel_io", blktap_kernel_io_name(vbd->kernel_io),
			 "request_timeout_ms", vbd->request_timeout_ms,
			 "spin_us", (json_int_t)(vbd->max_spin_ns / NS_PER_US),
			 "restart", vbd->restart,
			 "paused", vbd->paused,
			 "no_sandbox", vbd->env->no_sandbox,
			 /* While it is paused, that is nobody's business. */
			 "image_identity", vbd->image ? vbd->image->identity : "",
			 "disk_seq", (json_int_t)seq);
	return json ? json_dumps(json, JSON_COMPACT) : NULL;
}

static int write_file(int folder, const char *name, const char *text)
{
	CLEANUP_CLOSE int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW |
				      O_CLOEXEC, 0600);
	size_t length = strlen(text);
	ssize_t done;

	if (fd < 0)
		return -errno;
	done = write(fd, text, length);
	if (done < 0)
		return -errno;
	return (size_t)done == length ? 0 : -ENOSPC;
}

/*
 * Nobody ever sees a part of it, and of what does not hold any more nothing at all. A disk
 * has one process that writes about it.
 */
static int replace(int folder, unsigned int minor, const char *text)
{
	char name[NAME_SIZE], new[NAME_SIZE];
	int ret;

	snprintf(name, sizeof(name), "tap%u.json", minor);
	snprintf(new, sizeof(new), "tap%u.new", minor);
	ret = text ? write_file(folder, new, text) : -ENOMEM;
	if (!ret && renameat(folder, new, folder, name) != 0)
		ret = -errno;
	if (ret) {
		unlinkat(folder, new, 0);
		unlinkat(folder, name, 0);
	}
	return ret;
}

static void cannot_be_recorded(unsigned int minor, int code)
{
	blktap_log(LOG_WARNING, "tapdev%u: cannot be recorded: recovering it needs to be told the "
		   "image: %s", minor, strerror(-code));
}

void record_write(int folder, const struct vbd *vbd)
{
	CLEANUP_FREE char *text = NULL;
	int ret;

	/* Who has taken the disk over writes about it now. */
	if (folder < 0 || vbd->lost)
		return;
	text = describe(vbd);
	ret = replace(folder, vbd->minor, text);
	if (ret)
		cannot_be_recorded(vbd->minor, ret);
}

static char *read_all(int fd)
{
	struct stat st;
	char *text;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > MAX_BYTES)
		return NULL;
	text = calloc(1, st.st_size + 1);
	if (text && read(fd, text, st.st_size) == st.st_size)
		return text;
	free(text);
	return NULL;
}

char *record_read(int folder, unsigned int minor)
{
	CLEANUP_CLOSE int fd = -1;
	char name[NAME_SIZE];

	if (folder < 0)
		return NULL;
	snprintf(name, sizeof(name), "tap%u.json", minor);
	fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? NULL : read_all(fd);
}

void record_put_back(int folder, unsigned int minor, const char *before)
{
	int ret;

	if (!before) {
		record_remove(folder, minor);
		return;
	}
	ret = replace(folder, minor, before);
	if (ret)
		cannot_be_recorded(minor, ret);
}

void record_remove(int folder, unsigned int minor)
{
	char name[NAME_SIZE];

	if (folder < 0)
		return;
	snprintf(name, sizeof(name), "tap%u.json", minor);
	if (unlinkat(folder, name, 0) != 0 && errno != ENOENT)
		blktap_log(LOG_WARNING, "tapdev%u: cannot remove its record: %s", minor,
			   strerror(errno));
}
