/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel does for a disk without the daemon, or with no more than a word
 * of it: redirects, and extents. The image's driver tells where blocks live.
 *
 * The owner's calls come from one thread at a time, those of the lanes from any.
 */
#ifndef TAPDISK_KERNEL_IO_H
#define TAPDISK_KERNEL_IO_H

#include "driver.h"
#include "extents.h"

struct kernel_io;

/* What to ask for when attaching, all that can be made use of. */
#define KERNEL_IO_FEATURES \
	(BLKTAP_F_DATA_ON_DEMAND | BLKTAP_F_REDIRECT | BLKTAP_F_EXTENTS)

/* The most that the driver in the kernel and the image permit. */
enum blktap_kernel_io kernel_io_possible(const struct blktap_ring *ring, struct image *image);

/* For the time from opening an image to closing it. */
int kernel_io_new(struct kernel_io **kio, struct blktap_ring *ring, struct image *image);
/* After kernel_io_end(). */
void kernel_io_free(struct kernel_io *kio);

/*
 * While lanes are drained: registers the image's files, unless @mode is OFF. If that
 * fails it is logged, and the daemon does it all. May ask the image's server.
 */
void kernel_io_begin(struct kernel_io *kio, enum blktap_kernel_io mode);
/* Likewise, after that: for a disk of @capacity bytes. */
void kernel_io_prepare(struct kernel_io *kio, uint64_t capacity);
/* Likewise. Blocks until the kernel's I/O to the image has ended. */
void kernel_io_end(struct kernel_io *kio);

/* What is in use; OFF if @kio is NULL. */
enum blktap_kernel_io kernel_io_mode(const struct kernel_io *kio);
/* There is a disk: extents can be mapped, if the mode has them. */
void kernel_io_map(struct kernel_io *kio);

/* ------------------------------------------------------------- for lanes */

/*
 * Fills in the fragments that answer @req, at most @max, and returns how many; 0:
 * it has to be submitted to the image.
 */
unsigned int kernel_io_redirect(struct kernel_io *kio, const struct blktap_request *req,
				struct blktap_fragment *fragments, unsigned int max);
/* A READ or WRITE came by the daemon: extents for it, if there can be some. */
void kernel_io_used(struct kernel_io *kio, const struct blktap_request *req);
/* @req says that an I/O of the kernel's has failed; true if that took an extent away. */
bool kernel_io_failed(struct kernel_io *kio, const struct blktap_request *req);

/* Whether a request may change the image's map: then it is one of the three below. */
bool kernel_io_changes(const struct kernel_io *kio, const struct blktap_request *req);
/* As extents_change_*(). */
bool kernel_io_change_begin(struct kernel_io *kio, struct extents_change *change,
			    const struct blktap_request *req);
void kernel_io_change_wait(struct kernel_io *kio, const struct extents_change *change);
void kernel_io_change_end(struct kernel_io *kio, struct extents_change *change);

#endif /* TAPDISK_KERNEL_IO_H */
