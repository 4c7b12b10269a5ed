/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an image driver is. One file in drivers/ each; the table is in image.c.
 *
 * An image is open once and does not change while it is. Requests reach it
 * through channels: each belongs to one thread and its loop, so that several
 * queues, and several disks, can use an image at a time without a lock.
 *
 * Calls and threads. open(), share(), resize() and close() may block and come
 * from any thread; open() and close() are the first and the last. resize() comes
 * while no request is with the image. channel_open() and channel_close() come
 * while the channel's thread is not running, and may block. All other calls come
 * from the channel's thread and must not block longer than the device itself
 * does: they hold up one disk, and no other. sync() comes from any thread, and when no
 * channel has a request; damaged() from any thread at any time. The order is channel_open, {submit,
 * kick}*, channel_close; that comes when no request is with the channel.
 */
#ifndef TAPDISK_DRIVER_H
#define TAPDISK_DRIVER_H

#include <errno.h>

#include "image-identity.h"
#include "libblktap.h"
#include "list.h"
#include "loop.h"

struct image;
struct image_driver;
struct image_table;

/* What an image can do; everything in bytes. */
struct image_limits {
	uint64_t capacity;
	uint32_t logical_block_size;	/* 512 or 4096; bytes beyond whole ones are not served */
	uint32_t physical_block_size;	/* power of 2, not below the logical one */
	uint32_t io_min;		/* 0: the physical block size */
	uint32_t io_opt;		/* 0: unknown */
	uint32_t discard_granularity;	/* 0: the physical block size */
	uint64_t max_discard;		/* per request; 0: no DISCARD */
	uint64_t max_write_zeroes;	/* per request; 0: no WRITE_ZEROES */
	bool write_cache;		/* completed writes need FLUSH to be durable */
	bool fua;			/* honours BLKTAP_REQ_FUA */
	bool fua_syncs;			/* by a sync of its own: O_DSYNC alone may not do */
	bool rotational;
	bool read_only;			/* whatever was asked for */
	/*
	 * With map(): what it tells changes in aligned units of so many bytes,
	 * which are a multiple of the logical block size; 0: it never changes.
	 */
	uint64_t map_unit;
};

/* Of files(): at most so many. */
#define IMAGE_MAX_FILES	8

enum image_place {
	IMAGE_ASK,		/* submit() finds out, or makes a place */
	IMAGE_FILE,
	IMAGE_ZERO,		/* nowhere, it reads as zeroes; not for writes */
};

/* A piece of an image, and where it lives. */
struct image_piece {
	enum image_place place;
	unsigned int file;	/* which of files() */
	uint64_t offset;	/* bytes into the file */
	uint64_t length;	/* bytes, in logical blocks */
};

struct image_params {
	const char *path;	/* what follows "type:"; valid during open() */
	bool read_only;
	bool no_direct;		/* the page cache may be used */
	bool damaged;		/* as image_driver.damaged() tells from the beginning */
	unsigned int minor;	/* of the disk that it is for */
	struct image_table *table;	/* read-only images are shared there; or NULL */
	/*
	 * What is open already; they stay the caller's. For types whose path is that of
	 * a file: the file. With @adopt, the image is in use in another process, with
	 * all that was written to it: what descriptors() gave there, as many as the
	 * driver says.
	 */
	const int *fds;
	unsigned int nr_fds;
	bool adopt;
};

/* The common head of an image; drivers embed it at the start of theirs. */
struct image {
	const struct image_driver *driver;
	char *path;
	bool read_only;
	struct image_limits limits;
	/* image.c's, for sharing */
	struct list link;
	struct image_table *table;
	unsigned int users;
	bool no_direct;
	char identity[IMAGE_IDENTITY_SIZE];	/* of its file; "": it has none */
};

/* One thread's way to an image; drivers embed it at the start of theirs. */
struct image_channel {
	struct image *image;
	struct loop *loop;
};

struct channel_params {
	struct loop *loop;
	unsigned int requests;	/* at most so many are submitted at a time */
	unsigned int minor;	/* for messages */
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

/* What the submitter tries again, as long as the request may take. */
static inline bool image_error_may_pass(int error)
{
	return error == -EAGAIN || error == -EBUSY || error == -EINTR || error == -ENOMEM;
}

struct image_driver {
	const char *name;	/* "aio" of "aio:/path" */
	int type;		/* its number in statistics, which scripts know */
	size_t request_size;	/* of the driver's request, struct image_request included */

	/* Fills *@image and its limits; head fields but the limits are the caller's. */
	int (*open)(struct image **image, const struct image_params *params,
		    struct blktap_error *err);
	/* Frees it, locks included. */
	void (*close)(struct image *image);
	/*
	 * Whether @image, which is open read-only, is what open() would give for
	 * @params: 0, or a negative errno. NULL: images are never shared.
	 */
	int (*share)(struct image *image, const struct image_params *params);
	/*
	 * Brings what was written to the image itself, if it may be in the page cache: 0,
	 * or a negative errno. NULL: it is there. May block.
	 */
	int (*sync)(struct image *image);
	/* Something was lost on that way: FLUSH fails until @image is opened anew. NULL: never. */
	bool (*damaged)(const struct image *image);
	/*
	 * Makes it @capacity bytes long (0: as it finds it); *@now is what it has
	 * then. EINVAL: smaller than it is, without @shrink. NULL: not possible.
	 */
	int (*resize)(struct image *image, uint64_t capacity, bool shrink, uint64_t *now,
		      struct blktap_error *err);

	int (*channel_open)(struct image_channel **channel, struct image *image,
			    const struct channel_params *params, struct blktap_error *err);
	void (*channel_close)(struct image_channel *channel);
	/* The submitter has checked range, alignment, read-only and the limits. */
	void (*submit)(struct image_channel *channel, struct image_request *req);
	/* Sends off what submit() has collected. May be NULL. */
	void (*kick)(struct image_channel *channel);

	/*
	 * For I/O that the kernel does by itself; both or none. files() gives the
	 * descriptors, open with O_DIRECT and not to be closed before the image is,
	 * and how many they are; none: the image cannot. map() tells of a piece that
	 * begins at @offset and is not longer than @length. It does not block and
	 * comes from any thread, also while requests are under way.
	 *
	 * What is written to a place that was told must be the image's, at once.
	 * A DISCARD or WRITE_ZEROES may take places back; no extent leads there
	 * then, but a request that came before may still be under way. So a place
	 * is never given to another unit while the image is open. A unit gets a place
	 * by a WRITE that was submitted, and map() tells of it when what was not
	 * written there reads as zeroes.
	 */
	unsigned int (*files)(struct image *image, int fds[IMAGE_MAX_FILES]);
	void (*map)(struct image *image, uint64_t offset, uint64_t length, bool write,
		    struct image_piece *piece);

	/*
	 * What another process needs of an image, besides its name, to go on with it
	 * while it is open here; NULL: nothing. No request is under way there or
	 * here, from descriptors() or open() to the close of one of the two, but
	 * before the other has begun.
	 */
	unsigned int nr_descriptors;	/* at most IMAGE_MAX_FILES */
	bool of_file;			/* the first of them is what the path names */
	void (*descriptors)(const struct image *image, int *fds);

	/* Kept for chains: which bytes does this image hold itself? NULL until then. */
	int (*block_status)(struct image *image, uint64_t offset, uint64_t length,
			    uint64_t *run, bool *present);
};

extern const struct image_driver aio_driver;
extern const struct image_driver null_driver;
extern const struct image_driver ram_driver;
extern const struct image_driver scatter_driver;

#endif /* TAPDISK_DRIVER_H */
