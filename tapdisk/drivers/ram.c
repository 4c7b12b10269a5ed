// SPDX-License-Identifier: GPL-2.0-only
/*
 * ram:SIZE[,bs=512|4096][,ro]  An image in memory, for tests.
 *
 * Memory is taken as it is written and given back by DISCARD; it is gone with
 * the close. It is that of a file without a name, so that another process can go
 * on with it. Requests are carried out while they are submitted.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cleanup.h"
#include "driver.h"
#include "memory.h"
#include "memory-file.h"

struct ram_image {
	struct image image;
	struct memory_file memory;
};

static struct ram_image *to_ram(struct image *image)
{
	return container_of(image, struct ram_image, image);
}

/* ----------------------------------------------------------- open and close */

/* Whatever mlockall() says, it need not stay in memory. */
static int get_memory(struct ram_image *ram, const struct image_params *params, uint64_t bytes)
{
	int ret = params->adopt ? memory_file_adopt(&ram->memory, params->fds[0]) :
				  memory_file_new(&ram->memory, "ram", bytes);

	if (!ret)
		munlock(ram->memory.data, ram->memory.bytes);
	return ret;
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
	ret = get_memory(ram, params, options.bytes);
	if (ret) {
		free(ram);
		return blktap_error_set(err, ret, "no memory for ram:%s: %s", params->path,
					strerror(-ret));
	}
	/* Another process may have given it another size. */
	options.bytes = ram->memory.bytes;
	memory_limits(&options, &ram->image.limits);
	*image = &ram->image;
	return 0;
}

static void ram_close(struct image *image)
{
	struct ram_image *ram = to_ram(image);

	memory_file_free(&ram->memory);
	free(ram);
}

static void ram_descriptors(const struct image *image, int *fds)
{
	fds[0] = container_of(image, struct ram_image, image)->memory.fd;
}

static int ram_resize(struct image *image, uint64_t capacity, bool shrink, uint64_t *now,
		      struct blktap_error *err)
{
	struct ram_image *ram = to_ram(image);
	int ret;

	*now = capacity ? capacity : ram->memory.bytes;
	if (*now == ram->memory.bytes)
		return 0;
	if (image->read_only)
		return blktap_error_set(err, -EOPNOTSUPP, "ram:%s is read-only", image->path);
	if (capacity < ram->memory.bytes && !shrink)
		return blktap_error_set(err, -EINVAL, "ram:%s would become smaller", image->path);
	ret = memory_file_resize(&ram->memory, capacity);
	if (ret)
		return blktap_error_set(err, ret, "no memory for ram:%s: %s", image->path,
					strerror(-ret));
	return 0;
}

/* ----------------------------------------------------------------- requests */

/* Whole pages go back to the system, the edges are cleared. */
static void clear(char *memory, uint64_t offset, uint64_t length)
{
	uint64_t page = sysconf(_SC_PAGESIZE);
	uint64_t end = offset + length;
	uint64_t first = (offset + page - 1) / page * page;
	uint64_t last = end / page * page;

	if (first >= last || madvise(memory + first, last - first, MADV_REMOVE) != 0) {
		memset(memory + offset, 0, length);
		return;
	}
	memset(memory + offset, 0, first - offset);
	memset(memory + last, 0, end - last);
}

static void ram_submit(struct image_channel *channel, struct image_request *req)
{
	char *memory = to_ram(channel->image)->memory.data;
	int error = 0;

	switch (req->op) {
	case BLKTAP_OP_READ:
		memcpy(req->data, memory + req->offset, req->length);
		break;
	case BLKTAP_OP_WRITE:
		memcpy(memory + req->offset, req->data, req->length);
		break;
	case BLKTAP_OP_FLUSH:
		break;
	case BLKTAP_OP_WRITE_ZEROES:
		if (req->flags & BLKTAP_REQ_NOUNMAP) {
			memset(memory + req->offset, 0, req->length);
			break;
		}
		/* fall through */
	case BLKTAP_OP_DISCARD:
		clear(memory, req->offset, req->length);
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
	.nr_descriptors = 1,
	.descriptors = ram_descriptors,
	.resize = ram_resize,
	.channel_open = memory_channel_open,
	.channel_close = memory_channel_close,
	.submit = ram_submit,
};
