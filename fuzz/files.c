// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files for fuzz targets, see files.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "cleanup.h"
#include "files.h"
#include "oracle.h"

static struct file {
	const char *path;
	off_t size;
	int fd;
} files[] = {
	{ "/a", 1 << 20, -1 }, { "/b", 2 << 20, -1 }, { "/odd", 5000, -1 },
};

static struct file put = { .fd = -1 };

static const struct file *find_file(const char *path)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++)
		if (files[i].fd >= 0 && strcmp(files[i].path, path) == 0)
			return &files[i];
	return put.fd >= 0 && strcmp(put.path, path) == 0 ? &put : NULL;
}

int __wrap_open(const char *path, int flags, ...)
{
	const struct file *file = find_file(path);
	char real[32];

	if (!file) {
		errno = ENOENT;
		return -1;
	}
	/* Locks need a description of their own for each open. */
	snprintf(real, sizeof(real), "/proc/self/fd/%d", file->fd);
	return __real_open(real, flags & ~(O_CREAT | O_NOFOLLOW));
}

int __wrap_stat(const char *path, struct stat *st)
{
	const struct file *file = find_file(path);

	return file ? fstat(file->fd, st) : __real_stat(path, st);
}

void files_reset(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++)
		PROMISE(ftruncate(files[i].fd, files[i].size) == 0, "no %s", files[i].path);
}

void files_put(const char *path, const void *data, size_t size)
{
	if (put.fd < 0)
		put.fd = memfd_create(path, MFD_CLOEXEC);
	put.path = path;
	PROMISE(put.fd >= 0 && fchmod(put.fd, 0600) == 0 && ftruncate(put.fd, 0) == 0 &&
		pwrite(put.fd, data, size, 0) == (ssize_t)size, "no %s", path);
}

void files_make(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		files[i].fd = memfd_create(files[i].path, MFD_CLOEXEC);
		PROMISE(files[i].fd >= 0, "no %s", files[i].path);
	}
	files_reset();
}
