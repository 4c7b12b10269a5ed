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

/* Small enough not to hold up the other disks. */
#define MAX_DISCARD		(64ULL << 20)
#define MAX_WRITE_ZEROES	(4ULL << 20)

struct ram_image {
	struct image image;
	char *memory;
	uint64_t bytes;
};

struct ram_options {
	uint64_t bytes;
	uint32_t block_size;
	bool read_only;
};

static struct ram_image *to_ram(struct image *image)
{
	return container_of(image, struct ram_image, image);
}

/* ------------------------------------------------------------------ options */

static bool word_is(const char *word, size_t length, const char *text)
{
	return strlen(text) == length && memcmp(word, text, length) == 0;
}

static int parse_option(const char *word, size_t length, struct ram_options *options)
{
	if (word_is(word, length, "ro"))
		options->read_only = true;
	else if (word_is(word, length, "bs=512"))
		options->block_size = 512;
	else if (word_is(word, length, "bs=4096"))
		options->block_size = 4096;
	else
		return -EINVAL;
	return 0;
}

static int parse_size(const char *word, size_t length, const char *path,
		      struct ram_options *options, struct blktap_error *err)
{
	int ret = blktap_parse_size(word, length, &options->bytes);

	if (ret == -ERANGE)
		return blktap_error_set(err, -EFBIG, "ram:%s is too large", path);
	if (ret)
		return blktap_error_set(err, ret, "ram:%s: %.*s is not a size such as 64M", path,
					(int)length, word);
	return 0;
}

static int parse_options(const char *path, struct ram_options *options,
			 struct blktap_error *err)
{
	size_t length = strcspn(path, ",");
	const char *word = path;
	int ret;

	*options = (struct ram_options){ .block_size = 512 };
	ret = parse_size(word, length, path, options, err);
	while (!ret && word[length] == ',') {
		word += length + 1;
		length = strcspn(word, ",");
		ret = parse_option(word, length, options);
		if (ret)
			blktap_error_set(err, ret, "ram:%s: unknown option %.*s", path,
					 (int)length, word);
	}
	return ret;
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

static void set_limits(const struct ram_options *options, struct image_limits *limits)
{
	uint32_t page = sysconf(_SC_PAGESIZE);

	*limits = (struct image_limits){
		.capacity = options->bytes,
		.logical_block_size = options->block_size,
		.physical_block_size = page,
		.discard_granularity = page,
		.read_only = options->read_only,
	};
	if (!options->read_only) {
		limits->max_discard = MAX_DISCARD;
		limits->max_write_zeroes = MAX_WRITE_ZEROES;
	}
}

static int ram_open(struct image **image, const struct image_params *params,
		    struct blktap_error *err)
{
	struct ram_options options;
	struct ram_image *ram;
	int ret = parse_options(params->path, &options, err);

	if (ret)
		return ret;
	if (!options.bytes)
		return blktap_error_set(err, -EINVAL, "ram:%s is empty", params->path);
	if (options.bytes > SIZE_MAX)
		return blktap_error_set(err, -EFBIG, "ram:%s is too large", params->path);
	options.read_only |= params->read_only;
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
	set_limits(&options, &ram->image.limits);
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

static int ram_channel_open(struct image_channel **channel, struct image *image,
			    const struct channel_params *params, struct blktap_error *err)
{
	struct image_channel *new = malloc(sizeof(*new));

	if (!new)
		return blktap_error_set(err, -ENOMEM, "no memory for ram:%s", image->path);
	*new = (struct image_channel){ .image = image, .loop = params->loop };
	*channel = new;
	return 0;
}

static void ram_channel_close(struct image_channel *channel)
{
	free(channel);
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
	.channel_open = ram_channel_open,
	.channel_close = ram_channel_close,
	.submit = ram_submit,
};
