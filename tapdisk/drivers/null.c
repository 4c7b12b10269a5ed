// SPDX-License-Identifier: GPL-2.0-only
/*
 * null:SIZE[,bs=512|4096][,ro]  Nothing at all: for measuring what the way to an
 * image costs. Writes are lost. Reads leave the buffer as it is: what comes back
 * is zeroes or what the disk's own requests left there.
 */
#include <errno.h>
#include <stdlib.h>

#include "memory.h"

static int null_open(struct image **image, const struct image_params *params,
		     struct blktap_error *err)
{
	struct memory_options options;
	struct image *new;
	int ret = memory_options("null", params, &options, err);

	if (ret)
		return ret;
	new = calloc(1, sizeof(*new));
	if (!new)
		return blktap_error_set(err, -ENOMEM, "no memory for null:%s", params->path);
	memory_limits(&options, &new->limits);
	*image = new;
	return 0;
}

static void null_close(struct image *image)
{
	free(image);
}

static void null_submit(struct image_channel *channel, struct image_request *req)
{
	(void)channel;
	req->done(req, 0);
}

const struct image_driver null_driver = {
	.name = "null",
	.type = 16,
	.request_size = sizeof(struct image_request),
	.open = null_open,
	.close = null_close,
	.channel_open = memory_channel_open,
	.channel_close = memory_channel_close,
	.submit = null_submit,
};
