// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "memory.h"

/* Small enough not to hold up the disk. */
#define MAX_DISCARD		(64ULL << 20)
#define MAX_WRITE_ZEROES	(4ULL << 20)

static bool word_is(const char *word, size_t length, const char *text)
{
	return strlen(text) == length && memcmp(word, text, length) == 0;
}

static int parse_option(const char *word, size_t length, struct memory_options *options)
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

static int parse_size(const char *type, const char *path, size_t length,
		      struct memory_options *options, struct blktap_error *err)
{
	int ret = blktap_parse_size(path, length, &options->bytes);

	if (ret == -ERANGE || (!ret && options->bytes > SIZE_MAX))
		return blktap_error_set(err, -EFBIG, "%s:%s is too large", type, path);
	if (ret)
		return blktap_error_set(err, ret, "%s:%s: %.*s is not a size such as 64M", type,
					path, (int)length, path);
	if (!options->bytes)
		return blktap_error_set(err, -EINVAL, "%s:%s is empty", type, path);
	return 0;
}

int memory_options(const char *type, const struct image_params *params,
		   struct memory_options *options, struct blktap_error *err)
{
	const char *word = params->path;
	size_t length = strcspn(word, ",");
	int ret;

	*options = (struct memory_options){ .block_size = 512, .read_only = params->read_only };
	ret = parse_size(type, word, length, options, err);
	while (!ret && word[length] == ',') {
		word += length + 1;
		length = strcspn(word, ",");
		ret = parse_option(word, length, options);
		if (ret)
			blktap_error_set(err, ret, "%s:%s: unknown option %.*s", type,
					 params->path, (int)length, word);
	}
	return ret;
}

void memory_limits(const struct memory_options *options, struct image_limits *limits)
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

int memory_channel_open(struct image_channel **channel, struct image *image,
			const struct channel_params *params, struct blktap_error *err)
{
	struct image_channel *new = malloc(sizeof(*new));

	if (!new)
		return blktap_error_set(err, -ENOMEM, "no memory for %s:%s", image->driver->name,
					image->path);
	*new = (struct image_channel){ .image = image, .loop = params->loop };
	*channel = new;
	return 0;
}

void memory_channel_close(struct image_channel *channel)
{
	free(channel);
}
