/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An image with a loop of its own, and requests that are waited for.
 */
#ifndef TAPDISK_TESTS_HARNESS_H
#define TAPDISK_TESTS_HARNESS_H

#include <stdlib.h>
#include <string.h>

#include "image.h"
#include "loop.h"

struct harness {
	struct loop *loop;
	struct image *image;
	struct image_channel *channel;
	struct blktap_error err;
};

static int harness_open(struct harness *h, const char *spec, bool read_only, bool no_direct)
{
	struct image_params params = {
		.read_only = read_only,
		.no_direct = no_direct,
		.minor = 65535,
	};
	int ret;

	memset(h, 0, sizeof(*h));
	ret = image_open(&h->image, spec, &params, &h->err);
	if (ret)
		return ret;
	assert_int_equal(loop_new(&h->loop), 0);
	assert_int_equal(h->image->driver->channel_open(&h->channel, h->image,
			 &(struct channel_params){ .loop = h->loop, .requests = 64, .minor = 65535 },
			 &h->err), 0);
	return 0;
}

static void harness_close(struct harness *h)
{
	h->image->driver->channel_close(h->channel);
	image_close(h->image);
	loop_free(h->loop);
}

struct harness_request {
	struct image_request *io;
	bool done;
	int error;
};

static void harness_done(struct image_request *io, int error)
{
	struct harness_request *r = io->owner;

	assert_false(r->done);
	r->done = true;
	r->error = error;
}

static void harness_submit(struct harness *h, struct harness_request *r, uint8_t op,
			   uint16_t flags, uint64_t offset, uint64_t length, void *data)
{
	r->io = calloc(1, h->image->driver->request_size);
	r->done = false;
	r->io->op = op;
	r->io->flags = flags;
	r->io->offset = offset;
	r->io->length = length;
	r->io->data = data;
	r->io->done = harness_done;
	r->io->owner = r;
	h->image->driver->submit(h->channel, r->io);
}

static int harness_wait(struct harness *h, struct harness_request *r)
{
	if (h->image->driver->kick)
		h->image->driver->kick(h->channel);
	while (!r->done)
		assert_int_equal(loop_turn(h->loop, 5000), 0);
	free(r->io);
	return r->error;
}

static int harness_do(struct harness *h, uint8_t op, uint16_t flags, uint64_t offset,
		      uint64_t length, void *data)
{
	struct harness_request r;

	harness_submit(h, &r, op, flags, offset, length, data);
	return harness_wait(h, &r);
}

static inline char *harness_buffer(size_t bytes, int fill)
{
	char *buffer = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);

	memset(buffer, fill, bytes);
	return buffer;
}

#endif /* TAPDISK_TESTS_HARNESS_H */
