/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Raw files and block devices: opening them, what they can do, and requests
 * carried out by calls that block.
 */
#ifndef TAPDISK_DRIVERS_RAW_H
#define TAPDISK_DRIVERS_RAW_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "driver.h"

struct raw {
	int fd;
	bool block_device;
	bool direct;		/* O_DIRECT is set */
	bool read_only;
	uint32_t block_size;	/* logical, bytes */
	unsigned int minor;	/* for messages, as the path */
	char *path;
	pthread_mutex_t flushing;	/* the page cache: one at a time */
	atomic_bool damaged;	/* the page cache has lost something; set under the lock */
};

/*
 * Opens, locks and measures an image. What cannot be an image is found out
 * before it is opened: directories, pipes, character devices.
 */
int raw_open(struct raw *raw, struct image_limits *limits, const struct image_params *params,
	     struct blktap_error *err);
void raw_close(struct raw *raw);

/* As image_driver.share(), .resize() and .sync(). */
int raw_share(const struct raw *raw, const struct image_limits *limits,
	      const struct image_params *params);
int raw_resize(struct raw *raw, const struct image *image, uint64_t capacity, bool shrink,
	       uint64_t *now, struct blktap_error *err);
int raw_sync(struct raw *raw);

/* Parts of raw_open(): */
bool raw_same_file(const struct stat *a, const struct stat *b);
/* A disk that is left over from a dead tapdisk must not become its own image. */
int raw_check_not_itself(const struct stat *st, const struct image_params *params,
			 struct blktap_error *err);

/* The part of raw_open() that asks what the image can do; sets raw->direct too. */
int raw_limits(struct raw *raw, struct image_limits *limits, const struct image_params *params,
	       struct blktap_error *err);

/*
 * The error of a request that ends at @end: a block device that was unplugged, or has
 * shrunk, says ENOSPC, but there is no use in making space.
 */
int raw_error(const struct raw *raw, int error, uint64_t end);

/* Likewise of a FLUSH: none that is worth another try. */
int raw_flush_error(int error);

/* BLKTAP_OP_*: 0 when all of it is done, or a negative errno. */
int raw_execute(struct raw *raw, uint8_t op, uint16_t flags, uint64_t offset,
		uint64_t length, void *data);

#endif /* TAPDISK_DRIVERS_RAW_H */
