/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an image driver is. One file in drivers/ each; the table is in image.c.
 *
 * A driver keeps no state outside of its images: several disks of one process
 * may use it at a time.
 *
 * Calls and threads. open() and close() may block and run in a thread of their
 * own; they do not touch the loop. All other calls come from the loop's thread
 * and must not block. The order is open, start, {submit, kick}*, stop, close;
 * stop comes when no request is with the driver.
 */
#ifndef TAPDISK_DRIVER_H
#define TAPDISK_DRIVER_H

#include "libblktap.h"
#include "list.h"
#include "loop.h"

struct image;
struct image_driver;

/* What an image can do; everything in bytes. */
struct image_limits {
	uint64_t capacity;
	uint32_t logical_block_size;	/* 512 or 4096; capacity is a multiple of it */
	uint32_t physical_block_size;	/* power of 2, not below the logical one */
	uint32_t io_min;		/* 0: the physical block size */
	uint32_t io_opt;		/* 0: unknown */
	uint32_t discard_granularity;	/* 0: the physical block size */
	uint64_t max_discard;		/* per request; 0: no DISCARD */
	uint64_t max_write_zeroes;	/* per request; 0: no WRITE_ZEROES */
	bool write_cache;		/* completed writes need FLUSH to be durable */
	bool fua;			/* honours BLKTAP_REQ_FUA */
	bool rotational;
	bool read_only;			/* whatever was asked for */
};

struct image_params {
	const char *path;	/* what follows "type:"; valid during open() */
	bool read_only;
	bool no_direct;		/* the page cache may be used */
	unsigned int minor;	/* of the disk that it is for */
	unsigned int requests;	/* at most so many are submitted at a time */
};

/* The common head of an image; drivers embed it at the start of theirs. */
struct image {
	struct list link;	/* in its VBD's chain, leaf first */
	const struct image_driver *driver;
	char *path;
	bool read_only;
	struct image_limits limits;
};

/*
 * A request to an image, in memory of the submitter that is followed by the
 * driver's request_size - sizeof(struct image_request) bytes of its own, not
 * initialised.
 */
struct image_request {
	uint8_t op;		/* BLKTAP_OP_* */
	uint16_t flags;		/* BLKTAP_REQ_FUA, BLKTAP_REQ_NOUNMAP */
	uint64_t offset;	/* within the image, in logical blocks */
	uint64_t length;	/* likewise; 0 for FLUSH */
	void *data;		/* READ, WRITE */
	/*
	 * Called exactly once, from submit(), kick() or the loop; @error is 0 or
	 * a negative errno. The memory is the submitter's again.
	 */
	void (*done)(struct image_request *req, int error);
	void *owner;		/* the submitter's */
};

struct image_driver {
	const char *name;	/* "aio" of "aio:/path" */
	size_t request_size;	/* of the driver's request, struct image_request included */

	/* Fills *@image and its limits; head fields but the limits are the caller's. */
	int (*open)(struct image **image, const struct image_params *params,
		    struct blktap_error *err);
	/* Frees it, locks included. */
	void (*close)(struct image *image);
	int (*start)(struct image *image, struct loop *loop, struct blktap_error *err);
	void (*stop)(struct image *image);
	/* The submitter has checked range, alignment, read-only and the limits. */
	void (*submit)(struct image *image, struct image_request *req);
	/* Sends off what submit() has collected. May be NULL. */
	void (*kick)(struct image *image);
	/* Kept for chains: which bytes does this image hold itself? NULL until then. */
	int (*block_status)(struct image *image, uint64_t offset, uint64_t length,
			    uint64_t *run, bool *present);
};

extern const struct image_driver aio_driver;
extern const struct image_driver ram_driver;

#endif /* TAPDISK_DRIVER_H */
