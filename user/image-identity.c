// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "image-identity.h"

/* Inodes are used again at once, when a file has gone; a time does not come again. */
static void describe_file(const struct statx *st, char *identity)
{
	int used = snprintf(identity, IMAGE_IDENTITY_SIZE, "file %u:%u %llu", st->stx_dev_major,
			    st->stx_dev_minor, (unsigned long long)st->stx_ino);

	if (st->stx_mask & STATX_BTIME)
		snprintf(identity + used, IMAGE_IDENTITY_SIZE - used, " born %lld.%09u",
			 (long long)st->stx_btime.tv_sec, st->stx_btime.tv_nsec);
}

/* 0: it is not told. */
static unsigned long long read_seq(const struct statx *st, const char *where)
{
	CLEANUP_CLOSE int fd = -1;
	char path[96], text[24] = "";

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", st->stx_rdev_major,
		 st->stx_rdev_minor, where);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return 0;
	return strtoull(text, NULL, 10);
}

static void describe_device(const struct statx *st, char *identity)
{
	unsigned long long seq = read_seq(st, "diskseq");
	int used = snprintf(identity, IMAGE_IDENTITY_SIZE, "device %u:%u", st->stx_rdev_major,
			    st->stx_rdev_minor);

	if (!seq)
		seq = read_seq(st, "../diskseq");
	if (seq)
		snprintf(identity + used, IMAGE_IDENTITY_SIZE - used, " seq %llu", seq);
}

int image_identity(int fd, const char *path, char identity[IMAGE_IDENTITY_SIZE])
{
	struct statx st;

	identity[0] = '\0';
	if (statx(fd, path, AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &st) != 0)
		return -errno;
	if (S_ISREG(st.stx_mode))
		describe_file(&st, identity);
	else if (S_ISBLK(st.stx_mode))
		describe_device(&st, identity);
	else
		return S_ISDIR(st.stx_mode) ? -EISDIR : -EINVAL;
	return 0;
}
