// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a raw image can do, asked from the file system or device below.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <syslog.h>
#include <unistd.h>

#include "raw.h"

#define SMALL_BLOCK	512U
#define LARGE_BLOCK	4096U
#define MAX_DISCARD	(64ULL << 20)
/* May have to be written out: a bound on what one request can cost. */
#define MAX_WRITE_ZEROES (64ULL << 20)
#define MAX_GRANULARITY	(1U << 20)

static bool power_of_two(uint64_t n)
{
	return n && !(n & (n - 1));
}

/* ------------------------------------------------------------------ O_DIRECT */

static bool set_direct(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return false;
	flags = on ? flags | O_DIRECT : flags & ~O_DIRECT;
	return fcntl(fd, F_SETFL, flags) == 0;
}

/* Can @bytes at the file's start be read with O_DIRECT? */
static bool direct_read_works(int fd, uint32_t bytes)
{
	char buffer[LARGE_BLOCK] __attribute__((aligned(4096)));
	ssize_t done;

	do {
		done = pread(fd, buffer, bytes, 0);
	} while (done < 0 && errno == EINTR);
	return done >= 0 || errno != EINVAL;
}

/* Bytes that O_DIRECT on a regular file must be aligned to; 0: not possible. */
static uint32_t direct_alignment(int fd)
{
#ifdef STATX_DIOALIGN
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) == 0 &&
	    (stx.stx_mask & STATX_DIOALIGN))
		return stx.stx_dio_mem_align <= LARGE_BLOCK ? stx.stx_dio_offset_align : 0;
#endif
	if (direct_read_works(fd, SMALL_BLOCK))
		return SMALL_BLOCK;
	return direct_read_works(fd, LARGE_BLOCK) ? LARGE_BLOCK : 0;
}

/*
 * Turns O_DIRECT on and finds the block size that goes with it. An open file that is
 * in use elsewhere stays as it is.
 */
static bool try_direct(struct raw *raw, bool adopt)
{
	uint32_t align;

	if (adopt ? !(fcntl(raw->fd, F_GETFL) & O_DIRECT) : !set_direct(raw->fd, true))
		return false;
	if (raw->block_device)
		return true;
	align = direct_alignment(raw->fd);
	if (align && align <= LARGE_BLOCK) {
		raw->block_size = align <= SMALL_BLOCK ? SMALL_BLOCK : LARGE_BLOCK;
		return true;
	}
	set_direct(raw->fd, false);
	return false;
}

/* ------------------------------------------------------------- regular files */

/*
 * Beyond the end there is nothing to lose. Any answer but "not supported" means
 * that the file system knows the operation.
 */
static bool can_punch(const struct raw *raw, uint64_t size)
{
	if (fallocate(raw->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, size,
		      LARGE_BLOCK) == 0)
		return true;
	return errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL;
}

static void file_limits(struct raw *raw, const struct stat *st, struct image_limits *limits)
{
	uint32_t fs_block = power_of_two(st->st_blksize) && st->st_blksize >= SMALL_BLOCK ?
			    (uint32_t)st->st_blksize : LARGE_BLOCK;

	limits->capacity = st->st_size;
	limits->logical_block_size = raw->block_size;
	/* More than a page confuses mkfs. */
	limits->physical_block_size = fs_block < LARGE_BLOCK ? fs_block : LARGE_BLOCK;
	if (limits->physical_block_size < raw->block_size)
		limits->physical_block_size = raw->block_size;
	limits->discard_granularity = fs_block <= MAX_GRANULARITY ? fs_block : MAX_GRANULARITY;
	if (limits->discard_granularity < raw->block_size)
		limits->discard_granularity = raw->block_size;
	if (!raw->read_only && st->st_size > 0 && can_punch(raw, st->st_size))
		limits->max_discard = MAX_DISCARD;
}

/* ------------------------------------------------------------- block devices */

static uint64_t queue_limit(dev_t dev, const char *name)
{
	static const char *const places[] = { "queue", "../queue" };
	unsigned long long value = 0;
	char path[128];
	size_t i;

	for (i = 0; i < 2; i++) {
		FILE *file;
		int fields;

		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/%s", major(dev),
			 minor(dev), places[i], name);
		file = fopen(path, "re");
		if (!file)
			continue;
		fields = fscanf(file, "%llu", &value);
		fclose(file);
		return fields == 1 ? value : 0;
	}
	return 0;
}

static uint32_t device_number(int fd, unsigned long request)
{
	unsigned int value = 0;

	return ioctl(fd, request, &value) == 0 ? value : 0;
}

static uint64_t device_discard(dev_t dev)
{
	uint64_t bytes = queue_limit(dev, "discard_max_bytes");

	return bytes < MAX_DISCARD ? bytes : MAX_DISCARD;
}

static int device_limits(struct raw *raw, const struct stat *st, struct image_limits *limits)
{
	unsigned short rotational = 0;
	int block_size = 0, read_only = 0;

	if (ioctl(raw->fd, BLKGETSIZE64, &limits->capacity) != 0 ||
	    ioctl(raw->fd, BLKSSZGET, &block_size) != 0)
		return -errno;
	raw->block_size = block_size;
	limits->logical_block_size = block_size;
	limits->physical_block_size = device_number(raw->fd, BLKPBSZGET);
	if (limits->physical_block_size < raw->block_size)
		limits->physical_block_size = raw->block_size;
	limits->io_min = device_number(raw->fd, BLKIOMIN);
	limits->io_opt = device_number(raw->fd, BLKIOOPT);
	limits->discard_granularity = queue_limit(st->st_rdev, "discard_granularity");
	if (ioctl(raw->fd, BLKROTATIONAL, &rotational) == 0)
		limits->rotational = rotational;
	if (ioctl(raw->fd, BLKROGET, &read_only) == 0 && read_only)
		limits->read_only = true;
	else if (!raw->read_only)
		limits->max_discard = device_discard(st->st_rdev);
	return 0;
}

/* ---------------------------------------------------------------------- both */

/*
 * FUSE tells its server of O_DSYNC, and does no more: who takes his flags from the open
 * does not sync. What else has no block device of its own may be as careless.
 */
static bool honours_dsync(const struct raw *raw, const struct stat *st)
{
	struct statfs fs;

	if (raw->block_device)
		return true;
	return major(st->st_dev) && fstatfs(raw->fd, &fs) == 0 && fs.f_type != FUSE_SUPER_MAGIC;
}

static void refuse_requests_that_write(struct image_limits *limits)
{
	limits->max_discard = 0;
	limits->max_write_zeroes = 0;
	limits->write_cache = false;
	limits->fua = false;
}

int raw_limits(struct raw *raw, struct image_limits *limits, const struct image_params *params,
	       struct blktap_error *err)
{
	struct stat st;
	int ret = 0;

	*limits = (struct image_limits){ 0 };
	raw->block_size = SMALL_BLOCK;
	raw->direct = !params->no_direct && try_direct(raw, params->adopt);
	if (!raw->direct && !params->no_direct)
		blktap_log(LOG_NOTICE, "tapdev%u: %s cannot be read past the page cache",
			   params->minor, params->path);
	if (fstat(raw->fd, &st) != 0)
		ret = -errno;
	else if (raw->block_device)
		ret = device_limits(raw, &st, limits);
	else
		file_limits(raw, &st, limits);
	if (ret)
		return blktap_error_set(err, ret, "cannot measure %s: %s", params->path,
					strerror(-ret));
	limits->write_cache = true;
	limits->fua = true;
	limits->fua_syncs = !honours_dsync(raw, &st);
	limits->max_write_zeroes = MAX_WRITE_ZEROES;
	if (raw->read_only || limits->read_only)
		refuse_requests_that_write(limits);
	return 0;
}
