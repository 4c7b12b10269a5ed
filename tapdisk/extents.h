/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ranges of a disk that the kernel serves by itself.
 *
 * They are mapped in the image's units, when the disk starts and as requests show
 * what is not mapped yet. What the kernel has dropped after an error stays with
 * the daemon. While a request changes an image's map, nothing is mapped in its
 * range.
 *
 * All functions may be called from any thread; those that may block are marked.
 */
#ifndef TAPDISK_EXTENTS_H
#define TAPDISK_EXTENTS_H

#include "driver.h"

struct extents;

/* A range whose map a request is about to change. */
struct extents_change {
	struct list link;
	uint64_t offset, length;
};

/* For @capacity bytes of @image, whose files have these @slots. Nothing is mapped. */
int extents_new(struct extents **extents, struct blktap_ring *ring, struct image *image,
		const uint32_t *slots, uint64_t capacity);
void extents_free(struct extents *extents);

/* Maps what lies in the units of this range. */
void extents_map(struct extents *extents, uint64_t offset, uint64_t length);
/* The first part of the disk; the rest comes as it is used. */
void extents_map_all(struct extents *extents);
/* From now on nothing is mapped any more. Blocks until the kernel's I/O has ended. */
void extents_unmap_all(struct extents *extents);
/* Before the first mapping, and after extents_unmap_all(): there is a disk. */
void extents_allow(struct extents *extents);

/*
 * An I/O of the kernel's failed here, so nothing is mapped here any more. False:
 * it was known.
 */
bool extents_dropped(struct extents *extents, uint64_t offset, uint64_t length);

/*
 * Nothing will be mapped in a range until the end of the change. True:
 * something is, and extents_change_wait() is due before the change.
 */
bool extents_change_begin(struct extents *extents, struct extents_change *change,
			  uint64_t offset, uint64_t length);
/* Blocks until no I/O of the kernel's reaches what was mapped in the range. */
void extents_change_wait(struct extents *extents, const struct extents_change *change);
void extents_change_end(struct extents *extents, struct extents_change *change);

#endif /* TAPDISK_EXTENTS_H */
