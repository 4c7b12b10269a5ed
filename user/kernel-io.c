// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * I/O by the kernel: files, extents, and the data of writes on demand.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "libblktap.h"

/* A signal ends the wait, and not what is waited for: the call can be repeated. */
static int call_undisturbed(int fd, unsigned long request, void *args)
{
	int ret;

	do {
		ret = ioctl(fd, request, args);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

/* Whether the wait was given up, though what was asked for has been done. */
static bool wait_failed(int code)
{
	return code == -EINTR || code == -ENOMEM;
}

int blktap_ring_register_file(struct blktap_ring *ring, int fd, uint32_t flags, uint32_t *slot,
			      struct blktap_error *err)
{
	struct blktap_register_file args = { .size = sizeof(args), .flags = flags, .fd = fd };
	int code = call_undisturbed(blktap_ring_fd(ring), BLKTAP_IOC_REGISTER_FILE, &args);

	if (code)
		return blktap_error_set(err, code, "tapdev%u: the kernel does not take its file: %s",
					blktap_ring_minor(ring), strerror(-code));
	*slot = args.slot;
	return 0;
}

int blktap_ring_unregister_file(struct blktap_ring *ring, uint32_t slot, bool wait,
				struct blktap_error *err)
{
	struct blktap_unregister_file args = {
		.size = sizeof(args),
		.flags = wait ? BLKTAP_UNMAP_WAIT : 0,
		.slot = slot,
	};
	int code = 0;

	if (ioctl(blktap_ring_fd(ring), BLKTAP_IOC_UNREGISTER_FILE, &args) < 0)
		code = -errno;
	/* The slot is free: what is left is the wait. */
	if (wait && wait_failed(code))
		return blktap_ring_unmap_extent(ring, 0, UINT64_MAX, true, err);
	if (!code)
		return 0;
	return blktap_error_set(err, code, "tapdev%u: the kernel does not give back file %u: %s",
				blktap_ring_minor(ring), slot, strerror(-code));
}

int blktap_ring_map_extent(struct blktap_ring *ring, const struct blktap_extent *extent,
			   struct blktap_error *err)
{
	struct blktap_map_extent args = {
		.size = sizeof(args),
		.flags = extent->flags,
		.offset = extent->offset,
		.length = extent->length,
		.file_offset = extent->file_offset,
		.slot = extent->slot,
	};
	int code = call_undisturbed(blktap_ring_fd(ring), BLKTAP_IOC_MAP_EXTENT, &args);

	if (!code)
		return 0;
	return blktap_error_set(err, code, "tapdev%u: %llu bytes at %llu cannot be mapped: %s",
				blktap_ring_minor(ring), (unsigned long long)extent->length,
				(unsigned long long)extent->offset, strerror(-code));
}

int blktap_ring_unmap_extent(struct blktap_ring *ring, uint64_t offset, uint64_t length,
			     bool wait, struct blktap_error *err)
{
	struct blktap_unmap_extent args = {
		.size = sizeof(args),
		.flags = wait ? BLKTAP_UNMAP_WAIT : 0,
		.offset = offset,
		.length = length,
	};
	static const struct timespec pause = { .tv_nsec = 10000000 };
	int code = call_undisturbed(blktap_ring_fd(ring), BLKTAP_IOC_UNMAP_EXTENT, &args);

	/* Whoever waits relies on it. */
	while (wait && wait_failed(code)) {
		nanosleep(&pause, NULL);
		code = call_undisturbed(blktap_ring_fd(ring), BLKTAP_IOC_UNMAP_EXTENT, &args);
	}
	if (!code)
		return 0;
	return blktap_error_set(err, code, "tapdev%u: the kernel does not give back its map: %s",
				blktap_ring_minor(ring), strerror(-code));
}

int blktap_queue_fetch(struct blktap_queue *queue, const struct blktap_request *req)
{
	struct blktap_fetch args = {
		.size = sizeof(args),
		.tag = req->tag,
		.generation = req->generation,
	};

	return call_undisturbed(blktap_queue_fd(queue), BLKTAP_IOC_FETCH, &args);
}
