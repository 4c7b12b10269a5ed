// SPDX-License-Identifier: GPL-2.0-only
/* Mapping the areas of the ring node, and what else can be done to memory. */
#include "fuzz_daemon.h"
#include "fuzz_value.h"

#include <sys/mman.h>

/* Bytes of an area: part of it, or something odd. */
static size_t length_in(const struct fuzz_map *area, uint8_t arg)
{
	if (fuzz_is_odd(arg))
		return fuzz_odd(arg);
	return arg % 4 ? 4096UL * (arg % 32) : area->bytes;
}

static char *place_in(const struct fuzz_map *area, uint8_t arg)
{
	return area->at + 4096UL * (arg % 8 ? 0 : arg);
}

/* Arguments: area, queue, protection, flags, length, offset, descriptor. */
FUZZ_RUN(fuzz_mmap)
{
	static const int flags[] = {
		MAP_SHARED, MAP_SHARED | MAP_POPULATE, MAP_PRIVATE, MAP_SHARED | MAP_LOCKED,
		MAP_SHARED_VALIDATE, MAP_SHARED | MAP_NORESERVE,
	};
	const struct blktap_attach *at = &d->ring.at;
	const uint64_t areas[][3] = {
		{ at->buffer_area, at->buffer_area_stride, at->buffer_area_bytes },
		{ at->cq_area, at->cq_area_stride, at->cq_area_bytes },
		{ at->sq_area, at->sq_area_stride, at->sq_area_bytes },
	};
	const uint64_t *area = areas[args[0] % 3];
	struct fuzz_map map = { .bytes = area[2] };
	uint64_t offset = area[0] + args[1] % 3 * area[1];
	int fd = args[6] ? fuzz_pick_fd(d, args[6]) : d->ring.fd;

	(void)call;
	map.bytes = length_in(&map, args[4]);
	offset += fuzz_is_odd(args[5]) ? fuzz_odd(args[5]) : 4096ULL * (args[5] % 4);
	if (map.bytes > 1 << 30 && args[3] % 6)
		return;
	map.at = mmap(NULL, map.bytes, args[2] % 4 ? PROT_READ | PROT_WRITE : args[2] / 4 % 8,
		      flags[args[3] % 6], fd, offset);
	if (map.at != MAP_FAILED && d->nr_maps < FUZZ_MAPS)
		d->maps[d->nr_maps++] = map;
}

/* Arguments of all these: area, place, length, and their own. */
FUZZ_RUN(fuzz_munmap)
{
	struct fuzz_map area;

	(void)call;
	if (fuzz_pick_area(d, args[0], &area) && length_in(&area, args[2]) <= area.bytes)
		munmap(place_in(&area, args[1]), length_in(&area, args[2]));
}

FUZZ_RUN(fuzz_mprotect)
{
	struct fuzz_map area;

	(void)call;
	if (fuzz_pick_area(d, args[0], &area) && length_in(&area, args[2]) <= area.bytes)
		mprotect(place_in(&area, args[1]), length_in(&area, args[2]), args[3] % 8);
}

FUZZ_RUN(fuzz_madvise)
{
	static const int advice[] = {
		MADV_DONTNEED, MADV_DOFORK, MADV_DONTFORK, MADV_DODUMP, MADV_HUGEPAGE,
		MADV_WILLNEED, MADV_FREE, MADV_REMOVE, MADV_MERGEABLE, MADV_COLD, MADV_PAGEOUT,
		MADV_POPULATE_READ, MADV_POPULATE_WRITE,
	};
	struct fuzz_map area;

	(void)call;
	if (fuzz_pick_area(d, args[0], &area) && length_in(&area, args[2]) <= area.bytes)
		madvise(place_in(&area, args[1]), length_in(&area, args[2]),
			advice[args[3] % (sizeof(advice) / sizeof(advice[0]))]);
}

FUZZ_RUN(fuzz_mremap)
{
	struct fuzz_map area;
	size_t old, new;
	void *at;

	(void)call;
	if (!fuzz_pick_area(d, args[0], &area))
		return;
	old = args[4] % 4 ? length_in(&area, args[2]) : 0;
	new = length_in(&area, args[3]);
	if (new > 1 << 30)
		return;
	at = mremap(place_in(&area, args[1]), old, new, args[4] % 2 ? MREMAP_MAYMOVE : 0);
	if (at != MAP_FAILED && d->nr_maps < FUZZ_MAPS)
		d->maps[d->nr_maps++] = (struct fuzz_map){ at, new };
}

/* Arguments: area, place, how many pages, whether it writes, step. */
FUZZ_RUN(fuzz_touch)
{
	unsigned int pages = 1 + args[2] % 32;
	struct fuzz_map area;
	size_t at;

	(void)call;
	if (!fuzz_pick_area(d, args[0], &area))
		return;
	for (at = args[1] * 4096UL; pages-- && at < area.bytes; at += (1 + args[4]) * 4096UL) {
		volatile char *byte = area.at + at;

		if (args[3] % 2)
			*byte = 1;
		else
			(void)*byte;
	}
}
