// SPDX-License-Identifier: GPL-2.0-only
/*
 * Extents by units of the image. What is mapped is noted here, so that a unit is
 * mapped once, however many of its requests come by the daemon all the same.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "extents.h"

/* What a disk's start may take; more would hold up the others. */
#define FIRST_PIECES	1024
/* An image that tells of smaller pieces is better served by redirects. */
#define MAX_UNITS	(1ULL << 32)

struct extents {
	struct blktap_ring *ring;
	struct image *image;
	uint32_t slots[IMAGE_MAX_FILES];
	uint32_t flags;		/* BLKTAP_FILE_* */
	uint64_t capacity;
	uint64_t unit;		/* bytes */
	uint64_t units;
	pthread_mutex_t lock;
	/* below: under the lock */
	bool allowed;		/* to map */
	bool full;		/* the kernel takes no more */
	unsigned char *mapped;	/* a bit per unit */
	unsigned char *dropped;
	struct list changes;
};

/* --------------------------------------------------------------------- bits */

static bool test_unit(const unsigned char *bits, uint64_t unit)
{
	return bits[unit / 8] & 1 << unit % 8;
}

static void set_unit(unsigned char *bits, uint64_t unit)
{
	bits[unit / 8] |= 1 << unit % 8;
}

static void clear_unit(unsigned char *bits, uint64_t unit)
{
	bits[unit / 8] &= ~(1 << unit % 8);
}

static size_t bytes_of_bits(const struct extents *e)
{
	return (e->units + 7) / 8;
}

/* The units that a range has a part in. */
struct units {
	uint64_t first, end;
};

static struct units units_of(const struct extents *e, uint64_t offset, uint64_t length)
{
	struct units units = {
		.first = offset / e->unit,
		.end = (offset + length - 1) / e->unit + 1,
	};

	if (units.end > e->units)
		units.end = e->units;
	return units;
}

/* ------------------------------------------------------------------- mapping */

static bool is_changing(const struct extents *e, uint64_t unit)
{
	const struct extents_change *change;

	list_for_each(change, &e->changes, link) {
		struct units units = units_of(e, change->offset, change->length);

		if (unit >= units.first && unit < units.end)
			return true;
	}
	return false;
}

static bool may_map(const struct extents *e, uint64_t unit)
{
	return !test_unit(e->mapped, unit) && !test_unit(e->dropped, unit) &&
	       !is_changing(e, unit);
}

static void refused(struct extents *e, const struct blktap_error *err)
{
	e->full = true;
	if (err->code != -ENODEV)
		blktap_log(LOG_NOTICE, "%s; %s is served with fewer extents", err->text,
			   e->image->path);
}

/* True if @extent is one with nothing in it, or grew by the piece at @offset. */
static bool extend(const struct extents *e, struct blktap_extent *extent, uint64_t offset,
		   const struct image_piece *piece)
{
	uint32_t slot = e->slots[piece->file];

	if (!extent->length) {
		*extent = (struct blktap_extent){
			.offset = offset,
			.length = piece->length,
			.slot = slot,
			.file_offset = piece->offset,
			.flags = e->flags,
		};
		return true;
	}
	if (extent->slot != slot || extent->offset + extent->length != offset ||
	    extent->file_offset + extent->length != piece->offset)
		return false;
	extent->length += piece->length;
	return true;
}

/* Whole units only, so that a bit says it all. */
static void send(struct extents *e, struct blktap_extent *extent)
{
	struct blktap_error err;
	struct units units;
	uint64_t i;

	if (!extent->length || e->full)
		return;
	units = units_of(e, extent->offset, extent->length);
	if (blktap_ring_map_extent(e->ring, extent, &err)) {
		refused(e, &err);
		return;
	}
	for (i = units.first; i < units.end; i++)
		set_unit(e->mapped, i);
	extent->length = 0;
}

static uint64_t unit_bytes(const struct extents *e, uint64_t unit)
{
	uint64_t offset = unit * e->unit;

	return e->capacity - offset < e->unit ? e->capacity - offset : e->unit;
}

/* A unit that does not lie in one piece is not for an extent. */
static void map_unit(struct extents *e, uint64_t unit, struct blktap_extent *extent)
{
	uint64_t offset = unit * e->unit, bytes = unit_bytes(e, unit);
	struct image_piece piece;

	e->image->driver->map(e->image, offset, bytes, !e->image->read_only, &piece);
	if (piece.place != IMAGE_FILE || piece.length != bytes)
		return;
	if (extend(e, extent, offset, &piece))
		return;
	send(e, extent);
	extent->length = 0;
	extend(e, extent, offset, &piece);
}

static void map_units(struct extents *e, struct units units)
{
	struct blktap_extent extent = { .length = 0 };
	uint64_t i;

	pthread_mutex_lock(&e->lock);
	for (i = units.first; i < units.end && e->allowed && !e->full; i++)
		if (may_map(e, i))
			map_unit(e, i, &extent);
	if (e->allowed)
		send(e, &extent);
	pthread_mutex_unlock(&e->lock);
}

void extents_map(struct extents *e, uint64_t offset, uint64_t length)
{
	map_units(e, units_of(e, offset, length));
}

void extents_map_all(struct extents *e)
{
	struct units units = { 0, e->units < FIRST_PIECES ? e->units : FIRST_PIECES };

	map_units(e, units);
}

/* ----------------------------------------------------------------- unmapping */

static void wait_unmapped(struct extents *e, uint64_t offset, uint64_t length)
{
	struct blktap_error err;

	if (blktap_ring_unmap_extent(e->ring, offset, length, true, &err) &&
	    err.code != -ENODEV)
		blktap_log(LOG_ERR, "%s", err.text);
}

void extents_unmap_all(struct extents *e)
{
	pthread_mutex_lock(&e->lock);
	e->allowed = false;
	e->full = false;
	memset(e->mapped, 0, bytes_of_bits(e));
	pthread_mutex_unlock(&e->lock);
	wait_unmapped(e, 0, UINT64_MAX);
}

void extents_allow(struct extents *e)
{
	pthread_mutex_lock(&e->lock);
	e->allowed = true;
	pthread_mutex_unlock(&e->lock);
}

bool extents_dropped(struct extents *e, uint64_t offset, uint64_t length)
{
	struct units units = units_of(e, offset, length);
	bool new = false;
	uint64_t i;

	pthread_mutex_lock(&e->lock);
	for (i = units.first; i < units.end; i++) {
		new |= !test_unit(e->dropped, i);
		set_unit(e->dropped, i);
	}
	pthread_mutex_unlock(&e->lock);
	return new;
}

/* ------------------------------------------------------------------- changes */

bool extents_change_begin(struct extents *e, struct extents_change *change, uint64_t offset,
			  uint64_t length)
{
	struct units units = units_of(e, offset, length);
	bool any = false;
	uint64_t i;

	change->offset = offset;
	change->length = length;
	pthread_mutex_lock(&e->lock);
	for (i = units.first; i < units.end; i++) {
		/* Another change may not have waited yet for what it unmapped. */
		any |= test_unit(e->mapped, i) || is_changing(e, i);
		clear_unit(e->mapped, i);
	}
	list_add_tail(&e->changes, &change->link);
	pthread_mutex_unlock(&e->lock);
	return any;
}

void extents_change_wait(struct extents *e, const struct extents_change *change)
{
	struct units units = units_of(e, change->offset, change->length);
	uint64_t offset = units.first * e->unit;

	wait_unmapped(e, offset, (units.end - units.first - 1) * e->unit +
		      unit_bytes(e, units.end - 1));
}

void extents_change_end(struct extents *e, struct extents_change *change)
{
	pthread_mutex_lock(&e->lock);
	list_del(&change->link);
	pthread_mutex_unlock(&e->lock);
}

/* -------------------------------------------------------------- new and free */

void extents_free(struct extents *e)
{
	if (!e)
		return;
	pthread_mutex_destroy(&e->lock);
	free(e->mapped);
	free(e->dropped);
	free(e);
}

int extents_new(struct extents **extents, struct blktap_ring *ring, struct image *image,
		const uint32_t *slots, uint64_t capacity)
{
	uint64_t unit = image->limits.map_unit ? image->limits.map_unit : capacity;
	struct extents *e = calloc(1, sizeof(*e));
	unsigned int i;

	if (!e)
		return -ENOMEM;
	e->ring = ring;
	e->image = image;
	e->capacity = capacity;
	e->unit = unit;
	e->units = (capacity - 1) / unit + 1;
	e->flags = BLKTAP_FILE_READ | (image->read_only ? 0 : BLKTAP_FILE_WRITE);
	for (i = 0; i < IMAGE_MAX_FILES; i++)
		e->slots[i] = slots[i];
	list_init(&e->changes);
	pthread_mutex_init(&e->lock, NULL);
	if (e->units <= MAX_UNITS) {
		e->mapped = calloc(bytes_of_bits(e), 1);
		e->dropped = calloc(bytes_of_bits(e), 1);
	}
	if (!e->mapped || !e->dropped) {
		extents_free(e);
		return -ENOMEM;
	}
	*extents = e;
	return 0;
}
