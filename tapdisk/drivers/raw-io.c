// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests to a raw image by calls that block. What is worth another try (EAGAIN,
 * EINTR) is tried again by the lane, as long as the request may take; but no flush.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#include "cleanup.h"
#include "raw.h"

static const char zeroes[65536] __attribute__((aligned(4096)));

/* ------------------------------------------------------------ read and write */

/*
 * What a short transfer is good for: O_DIRECT can go on at block boundaries only.
 * Nothing at all is the end of a file that somebody has cut.
 */
static ssize_t usable(const struct raw *raw, ssize_t done, uint64_t wanted)
{
	if ((uint64_t)done != wanted && raw->direct)
		done -= done % raw->block_size;
	return done ? done : -EIO;
}

static ssize_t transfer(const struct raw *raw, bool write, char *data, uint64_t length,
			uint64_t offset)
{
	return write ? pwrite(raw->fd, data, length, offset) :
		       pread(raw->fd, data, length, offset);
}

int raw_error(const struct raw *raw, int error, uint64_t end)
{
	uint64_t size;

	if (error != -ENOSPC || !raw->block_device)
		return error;
	return ioctl(raw->fd, BLKGETSIZE64, &size) == 0 && size >= end ? error : -EIO;
}

static int transfer_all(const struct raw *raw, bool write, char *data, uint64_t length,
			uint64_t offset)
{
	while (length) {
		ssize_t done = transfer(raw, write, data, length, offset);

		done = done < 0 ? raw_error(raw, -errno, offset + length) : usable(raw, done, length);
		if (done < 0)
			return done;
		data += done;
		offset += done;
		length -= done;
	}
	return 0;
}

static int read_all(const struct raw *raw, char *data, uint64_t length, uint64_t offset)
{
	return transfer_all(raw, false, data, length, offset);
}

static int write_all(const struct raw *raw, const char *data, uint64_t length, uint64_t offset)
{
	return transfer_all(raw, true, (char *)data, length, offset);
}

/* ----------------------------------------------------------------- flushing */

/*
 * What was lost is told once, and with O_DIRECT, too, there are pages to be written, where a
 * hole begins or ends within a block: the second try would say that all is well.
 */
int raw_flush_error(int error)
{
	return image_error_may_pass(error) ? -EIO : error;
}

static int sync_file(const struct raw *raw)
{
	return fdatasync(raw->fd) ? raw_flush_error(-errno) : 0;
}

static void note_damage(struct raw *raw, int error)
{
	raw->damaged = true;
	blktap_log(LOG_ERR, "tapdev%u: %s has lost what was written to it: %s; from now on no "
		   "flush succeeds, until it is opened anew", raw->minor, raw->path,
		   strerror(-error));
}

/*
 * What could not be written back is gone from the page cache, and who asks later is told
 * nothing of it. Nor is who asks at the same time: so they come one by one.
 */
static int flush_page_cache(struct raw *raw)
{
	int ret = -EIO;

	pthread_mutex_lock(&raw->flushing);
	if (!raw->damaged) {
		ret = sync_file(raw);
		if (ret)
			note_damage(raw, ret);
	}
	pthread_mutex_unlock(&raw->flushing);
	return ret;
}

static int flush(struct raw *raw)
{
	return raw->direct ? sync_file(raw) : flush_page_cache(raw);
}

int raw_sync(struct raw *raw)
{
	return raw->direct || raw->read_only ? 0 : flush_page_cache(raw);
}

static int write_request(struct raw *raw, uint16_t flags, const char *data,
			 uint64_t length, uint64_t offset)
{
	int ret = write_all(raw, data, length, offset);

	if (!ret && (flags & BLKTAP_REQ_FUA))
		ret = flush(raw);
	return ret;
}

/* ----------------------------------------------------- discard, write zeroes */

static int allocate(const struct raw *raw, int mode, uint64_t offset, uint64_t length)
{
	return fallocate(raw->fd, mode | FALLOC_FL_KEEP_SIZE, offset, length) ? -errno : 0;
}

static int discard(const struct raw *raw, uint64_t offset, uint64_t length)
{
	uint64_t range[2] = { offset, length };

	if (!raw->block_device)
		return allocate(raw, FALLOC_FL_PUNCH_HOLE, offset, length);
	return ioctl(raw->fd, BLKDISCARD, range) == 0 ? 0 : -errno;
}

static int write_out_zeroes(const struct raw *raw, uint64_t offset, uint64_t length)
{
	int ret = 0;

	while (length && !ret) {
		uint64_t step = length < sizeof(zeroes) ? length : sizeof(zeroes);

		ret = write_all(raw, zeroes, step, offset);
		offset += step;
		length -= step;
	}
	return ret;
}

static int write_zeroes(const struct raw *raw, uint16_t flags, uint64_t offset, uint64_t length)
{
	int ret = -EOPNOTSUPP;

	if (!(flags & BLKTAP_REQ_NOUNMAP))
		ret = allocate(raw, FALLOC_FL_PUNCH_HOLE, offset, length);
	if (ret == -EOPNOTSUPP)
		ret = allocate(raw, FALLOC_FL_ZERO_RANGE, offset, length);
	if (ret == -EOPNOTSUPP)
		ret = write_out_zeroes(raw, offset, length);
	return ret;
}

int raw_execute(struct raw *raw, uint8_t op, uint16_t flags, uint64_t offset,
		uint64_t length, void *data)
{
	switch (op) {
	case BLKTAP_OP_READ:
		return read_all(raw, data, length, offset);
	case BLKTAP_OP_WRITE:
		return write_request(raw, flags, data, length, offset);
	case BLKTAP_OP_FLUSH:
		return flush(raw);
	case BLKTAP_OP_DISCARD:
		return discard(raw, offset, length);
	case BLKTAP_OP_WRITE_ZEROES:
		return write_zeroes(raw, flags, offset, length);
	default:
		return -EOPNOTSUPP;
	}
}
