// SPDX-License-Identifier: GPL-2.0-only
/*
 * ram:SIZE[,bs=512|4096][,ro]  An image in the memory of the process, for tests.
 *
 * Memory is taken as it is written and given back by DISCARD; it is gone with
 * the close. Requests are carried out while they are submitted.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cleanup.h"
#include "driver.h"
#include "memory.h"

struct ram_image {
	struct image image;
	char *memory;
	uint64_t bytes;
};

static struct ram_image *to_ram(struct image *image)
{
	return container_of(image, struct ram_image, image);
}

/* ----------------------------------------------------------- open and close */

/* Whatever mlockall() says, the pages come when they are written. */
static void *map_memory(uint64_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	munlock(memory, bytes);
	madvise(memory, bytes, MADV_DONTDUMP);
	return memory;
}

static int ram_open(struct image **image, const struct image_params *params,
		    struct blktap_error *err)
{
	struct memory_options options;
	struct ram_image *ram;
	int ret = memory_options("ram", params, &options, err);

	if (ret)
		return ret;
	ram = calloc(1, sizeof(*ram));
	if (!ram)
		return blktap_error_set(err, -ENOMEM, "no memory for ram:%s", params->path);
	ram->bytes = options.bytes;
	ram->memory = map_memory(options.bytes);
	if (!ram->memory) {
		free(ram);
		return blktap_error_set(err, -ENOMEM, "no address space for ram:%s",
					params->path);
	}
	memory_limits(&options, &ram->image.limits);
	*image = &ram->image;
	return 0;
}

static void ram_close(struct image *image)
{
	struct ram_image *ram = to_ram(image);

	munmap(ram->memory, ram->bytes);
	free(ram);
}

static int ram_resize(struct image *image, uint64_t capacity, bool shrink, uint64_t *now,
		      struct blktap_error *err)
{
	struct ram_image *ram = to_ram(image);
	void *memory;

	*now = capacity ? capacity : ram->bytes;
	if (*now == ram->bytes)
		return 0;
	if (image->read_only)
		return blktap_error_set(err, -EOPNOTSUPP, "ram:%s is read-only", image->path);
	if (capacity < ram->bytes && !shrink)
		return blktap_error_set(err, -EINVAL, "ram:%s would become smaller", image->path);
	memory = mremap(ram->memory, ram->bytes, capacity, MREMAP_MAYMOVE);
	if (memory == MAP_FAILED)
		return blktap_error_set(err, -errno, "no address space for ram:%s", image->path);
	ram->memory = memory;
	ram->bytes = capacity;
	return 0;
}

/* ----------------------------------------------------------------- requests */

/* Whole pages go back to the system, the edges are cleared. */
static void clear(struct ram_image *ram, uint64_t offset, uint64_t length)
{
	uint64_t page = sysconf(_SC_PAGESIZE);
	uint64_t end = offset + length;
	uint64_t first = (offset + page - 1) / page * page;
	uint64_t last = end / page * page;

	if (first >= last ||
	    madvise(ram->memory + first, last - first, MADV_DONTNEED) != 0) {
		memset(ram->memory + offset, 0, length);
		return;
	}
	memset(ram->memory + offset, 0, first - offset);
	memset(ram->memory + last, 0, end - last);
}

static void ram_submit(struct image_channel *channel, struct image_request *req)
{
	struct ram_image *ram = to_ram(channel->image);
	int error = 0;

	switch (req->op) {
	case BLKTAP_OP_READ:
		memcpy(req->data, ram->memory + req->offset, req->length);
		break;
	case BLKTAP_OP_WRITE:
		memcpy(ram->memory + req->offset, req->data, req->length);
		break;
	case BLKTAP_OP_FLUSH:
		break;
	case BLKTAP_OP_WRITE_ZEROES:
		if (req->flags & BLKTAP_REQ_NOUNMAP) {
			memset(ram->memory + req->offset, 0, req->length);
			break;
		}
		/* fall through */
	case BLKTAP_OP_DISCARD:
		clear(ram, req->offset, req->length);
		break;
	default:
		error = -EOPNOTSUPP;
	}
	req->done(req, error);
}

const struct image_driver ram_driver = {
	.name = "ram",
	.type = 5,
	.request_size = sizeof(struct image_request),
	.open = ram_open,
	.close = ram_close,
	.resize = ram_resize,
	.channel_open = memory_channel_open,
	.channel_close = memory_channel_close,
	.submit = ram_submit,
};
