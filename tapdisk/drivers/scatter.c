// SPDX-License-Identifier: GPL-2.0-only
/*
 * scatter:/path[,block=2M][,size=SIZE][,seed=N]  Blocks in a scattered order, for
 * tests of what formats with a map of blocks have in common.
 *
 * A raw file or block device is a store of places, one block each. The first write
 * to a block of the image gives it the next place of a shuffled list; a block
 * without a place reads as zeroes. The map is in memory only, which another process
 * can go on with: after a close, and so after a pause, everything reads as zeroes.
 *
 * A block that is discarded has no place for its readers, but gets the same one
 * again at its next write: see driver.h on what may still be under way to it.
 * Requests are carried out by threads, which wait for each other at a block.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "cleanup.h"
#include "memory-file.h"
#include "raw.h"
#include "workers.h"

#define THREADS		8
#define DEFAULT_BLOCK	(2ULL << 20)
#define MAX_BLOCK	(64ULL << 20)	/* what raw_execute() writes zeroes to at once */
#define MAX_PLACES	(1U << 28)

/* A block's entry: its place + 1 (0: none yet) and two flags. */
#define HAS_DATA	1U	/* else it reads as zeroes */
#define BUSY		2U	/* a thread changes it */
#define PLACE_SHIFT	2

/* What is lost with the last close. */
struct scatter_map {
	uint32_t places;
	uint32_t next;			/* in the list of places; under the image's lock */
	atomic_uint entries[];		/* by block; changed under the lock */
};

struct scatter_image {
	struct image image;
	struct raw raw;
	uint64_t block;			/* bytes */
	uint32_t blocks;
	uint32_t places;
	uint32_t *list;			/* of places, shuffled */
	pthread_mutex_t lock;
	pthread_cond_t idle;		/* a block is not busy any more */
	struct memory_file memory;	/* of the map */
	struct scatter_map *map;
};

struct scatter_channel {
	struct image_channel channel;
	struct workers *workers;
};

struct scatter_request {
	struct image_request req;
	struct scatter_image *scatter;
	struct work work;
	int error;
};

/* The part of a request that lies in one block. */
struct part {
	uint32_t block;
	uint64_t skip;		/* bytes into the block */
	uint64_t length;	/* bytes */
	char *data;
};

static struct scatter_image *to_scatter(struct image *image)
{
	return container_of(image, struct scatter_image, image);
}

/* ------------------------------------------------------------------- options */

struct options {
	char path[PATH_MAX];
	uint64_t block, size, seed;
};

static bool take_option(const char *word, size_t length, struct options *options)
{
	static const struct { const char *name; size_t field; } known[] = {
		{ "block=", offsetof(struct options, block) },
		{ "size=", offsetof(struct options, size) },
		{ "seed=", offsetof(struct options, seed) },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(known); i++) {
		size_t skip = strlen(known[i].name);

		if (length > skip && memcmp(word, known[i].name, skip) == 0)
			return !blktap_parse_size(word + skip, length - skip,
						  (void *)((char *)options + known[i].field));
	}
	return false;
}

static int parse_options(const char *text, struct options *options, struct blktap_error *err)
{
	size_t length = strcspn(text, ",");

	*options = (struct options){ .block = DEFAULT_BLOCK };
	if (length >= sizeof(options->path))
		return blktap_error_set(err, -ENAMETOOLONG, "scatter:%s: too long a name", text);
	memcpy(options->path, text, length);
	while (text[length] == ',') {
		text += length + 1;
		length = strcspn(text, ",");
		if (!take_option(text, length, options))
			return blktap_error_set(err, -EINVAL, "scatter:%s: %.*s is no option",
						options->path, (int)length, text);
	}
	return 0;
}

static int check_options(const struct options *options, const struct image_limits *limits,
			 struct blktap_error *err)
{
	uint64_t block = options->block;

	if (block < 4096 || block > MAX_BLOCK || (block & (block - 1)))
		return blktap_error_set(err, -EINVAL, "scatter:%s: blocks of %llu bytes, which are "
					"not a power of two from 4K to 64M", options->path,
					(unsigned long long)block);
	if (limits->capacity < block || limits->capacity / block > MAX_PLACES)
		return blktap_error_set(err, -EINVAL, "scatter:%s has %llu places for blocks, not 1 "
					"to %u", options->path,
					(unsigned long long)(limits->capacity / block), MAX_PLACES);
	if (options->size > limits->capacity / block * block)
		return blktap_error_set(err, -EINVAL, "scatter:%s has no place for %llu bytes",
					options->path, (unsigned long long)options->size);
	return 0;
}

/* --------------------------------------------------------------- open, close */

/* xorshift: the order is the same everywhere. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void shuffle(uint32_t *list, uint32_t count, uint64_t seed)
{
	uint64_t state = seed * 2 + 0x9e3779b97f4a7c15;	/* never 0 */
	uint32_t i;

	for (i = 0; i < count; i++) {
		uint32_t other = next_random(&state) % (i + 1);

		list[i] = list[other];
		list[other] = i;
	}
}

static uint64_t map_bytes(uint64_t blocks)
{
	return sizeof(struct scatter_map) + blocks * sizeof(atomic_uint);
}

static int new_map(struct scatter_image *s, uint64_t places, uint64_t blocks)
{
	int ret = memory_file_new(&s->memory, "scatter", map_bytes(blocks));

	s->map = s->memory.data;
	if (!ret)
		s->map->places = places;
	return ret;
}

/* A store that has grown since would have its places in another order. */
static int adopt_map(struct scatter_image *s, int fd, uint64_t places, uint64_t blocks)
{
	int ret = memory_file_adopt(&s->memory, fd);

	s->map = s->memory.data;
	if (ret)
		return ret;
	if (s->memory.bytes >= map_bytes(blocks) && s->map->places == places)
		return 0;
	memory_file_free(&s->memory);
	return -ESTALE;
}

static int set_up(struct scatter_image *s, const struct options *options,
		  const struct image_limits *limits, const struct image_params *params)
{
	uint64_t places = limits->capacity / options->block;
	uint64_t capacity = options->size ? options->size : places * options->block;
	uint64_t blocks = (capacity - 1) / options->block + 1;
	int ret = params->adopt ? adopt_map(s, params->fds[1], places, blocks) :
				  new_map(s, places, blocks);

	if (ret)
		return ret;
	s->list = calloc(places, sizeof(*s->list));
	if (!s->list) {
		memory_file_free(&s->memory);
		return -ENOMEM;
	}
	s->block = options->block;
	s->blocks = blocks;
	s->places = places;
	shuffle(s->list, places, options->seed);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->idle, NULL);
	s->image.limits = *limits;
	s->image.limits.capacity = capacity;
	s->image.limits.map_unit = options->block;
	s->image.limits.discard_granularity = options->block;
	s->image.limits.max_discard = limits->max_write_zeroes;
	return 0;
}

static int scatter_open(struct image **image, const struct image_params *params,
			struct blktap_error *err)
{
	struct image_params below = *params;
	struct image_limits limits;
	struct scatter_image *s;
	struct options options;
	int ret;

	ret = parse_options(params->path, &options, err);
	if (ret)
		return ret;
	s = calloc(1, sizeof(*s));
	if (!s)
		return blktap_error_set(err, -ENOMEM, "no memory for scatter:%s", options.path);
	below.path = options.path;
	ret = raw_open(&s->raw, &limits, &below, err);
	if (ret) {
		free(s);
		return ret;
	}
	ret = check_options(&options, &limits, err);
	if (!ret && set_up(s, &options, &limits, params))
		ret = blktap_error_set(err, -ENOMEM, params->adopt ?
				       "the map of scatter:%s cannot be used" :
				       "no memory for scatter:%s", options.path);
	if (ret) {
		raw_close(&s->raw);
		free(s);
		return ret;
	}
	*image = &s->image;
	return 0;
}

static void scatter_close(struct image *image)
{
	struct scatter_image *s = to_scatter(image);

	raw_close(&s->raw);
	pthread_cond_destroy(&s->idle);
	pthread_mutex_destroy(&s->lock);
	memory_file_free(&s->memory);
	free(s->list);
	free(s);
}

static void scatter_descriptors(const struct image *image, int *fds)
{
	const struct scatter_image *s = container_of(image, struct scatter_image, image);

	fds[0] = s->raw.fd;
	fds[1] = s->memory.fd;
}

static int scatter_sync(struct image *image)
{
	return raw_sync(&to_scatter(image)->raw);
}

static bool scatter_damaged(const struct image *image)
{
	return container_of(image, struct scatter_image, image)->raw.damaged;
}

/* -------------------------------------------------------------------- blocks */

static uint64_t place_offset(const struct scatter_image *s, uint32_t entry)
{
	return ((entry >> PLACE_SHIFT) - 1) * s->block;
}

/* Waits until nobody else changes the block, and returns its entry. */
static uint32_t claim(struct scatter_image *s, uint32_t block)
{
	uint32_t entry;

	pthread_mutex_lock(&s->lock);
	while ((entry = s->map->entries[block]) & BUSY)
		pthread_cond_wait(&s->idle, &s->lock);
	s->map->entries[block] = entry | BUSY;
	pthread_mutex_unlock(&s->lock);
	return entry;
}

static void release(struct scatter_image *s, uint32_t block, uint32_t entry)
{
	pthread_mutex_lock(&s->lock);
	s->map->entries[block] = entry;
	pthread_cond_broadcast(&s->idle);
	pthread_mutex_unlock(&s->lock);
}

/* There are as many places as blocks, or more. */
static uint32_t take_place(struct scatter_image *s)
{
	uint32_t place;

	pthread_mutex_lock(&s->lock);
	place = s->list[s->map->next++];
	pthread_mutex_unlock(&s->lock);
	return (place + 1) << PLACE_SHIFT;
}

static int execute(struct scatter_image *s, uint8_t op, uint16_t flags, uint32_t entry,
		   const struct part *part)
{
	return raw_execute(&s->raw, op, flags, place_offset(s, entry) + part->skip, part->length,
			   part->data);
}

/* Readers see it when all of it can be read. */
static int write_first(struct scatter_image *s, uint16_t flags, const struct part *part)
{
	const struct part whole = { .length = s->block };
	uint32_t entry = claim(s, part->block);
	int ret = 0;

	if (!(entry >> PLACE_SHIFT))
		entry |= take_place(s);
	if (!(entry & HAS_DATA))
		ret = execute(s, BLKTAP_OP_WRITE_ZEROES, 0, entry, &whole);
	if (!ret)
		ret = execute(s, BLKTAP_OP_WRITE, flags, entry, part);
	release(s, part->block, ret ? entry : entry | HAS_DATA);
	return ret;
}

static int write_part(struct scatter_image *s, uint16_t flags, const struct part *part)
{
	uint32_t entry = s->map->entries[part->block];

	if ((entry & (HAS_DATA | BUSY)) == HAS_DATA)
		return execute(s, BLKTAP_OP_WRITE, flags, entry, part);
	return write_first(s, flags, part);
}

static int read_part(struct scatter_image *s, const struct part *part)
{
	uint32_t entry = s->map->entries[part->block];

	if (entry & HAS_DATA)
		return execute(s, BLKTAP_OP_READ, 0, entry, part);
	memset(part->data, 0, part->length);
	return 0;
}

/* A whole block loses its place, a part is written to. */
static int clear_part(struct scatter_image *s, uint16_t flags, const struct part *part)
{
	bool whole = part->length == s->block && !(flags & BLKTAP_REQ_NOUNMAP);
	uint32_t entry = claim(s, part->block);
	int ret = 0;

	if (whole)
		entry &= ~HAS_DATA;
	else if (entry & HAS_DATA)
		ret = execute(s, BLKTAP_OP_WRITE_ZEROES, flags, entry, part);
	release(s, part->block, entry);
	return ret;
}

/* ------------------------------------------------------------------ requests */

static int run_part(struct scatter_image *s, const struct image_request *req,
		    const struct part *part)
{
	switch (req->op) {
	case BLKTAP_OP_READ:
		return read_part(s, part);
	case BLKTAP_OP_WRITE:
		return write_part(s, req->flags, part);
	default:
		return clear_part(s, req->flags, part);
	}
}

static int run_parts(struct scatter_image *s, const struct image_request *req)
{
	uint64_t done = 0;
	int ret = 0;

	while (done < req->length && !ret) {
		uint64_t offset = req->offset + done;
		struct part part = {
			.block = offset / s->block,
			.skip = offset % s->block,
			.data = req->data ? (char *)req->data + done : NULL,
		};

		part.length = s->block - part.skip;
		if (part.length > req->length - done)
			part.length = req->length - done;
		ret = run_part(s, req, &part);
		done += part.length;
	}
	return ret;
}

static void run(struct work *work)
{
	struct scatter_request *r = container_of(work, struct scatter_request, work);

	if (r->req.op == BLKTAP_OP_FLUSH)
		r->error = raw_execute(&r->scatter->raw, BLKTAP_OP_FLUSH, 0, 0, 0, NULL);
	else
		r->error = run_parts(r->scatter, &r->req);
}

static void run_done(struct work *work)
{
	struct scatter_request *r = container_of(work, struct scatter_request, work);

	r->req.done(&r->req, r->error);
}

static void scatter_submit(struct image_channel *channel, struct image_request *req)
{
	struct scatter_channel *own = container_of(channel, struct scatter_channel, channel);
	struct scatter_request *r = container_of(req, struct scatter_request, req);

	r->scatter = to_scatter(channel->image);
	r->work.run = run;
	r->work.done = run_done;
	workers_submit(own->workers, &r->work);
}

/* ------------------------------------------------------------ for the kernel */

static unsigned int scatter_files(struct image *image, int fds[IMAGE_MAX_FILES])
{
	const struct raw *raw = &to_scatter(image)->raw;

	fds[0] = raw->fd;
	return raw->direct ? 1 : 0;
}

/* Its length is that to the end of the block. */
static struct image_piece piece_at(struct scatter_image *s, uint64_t offset, bool write)
{
	uint32_t entry = s->map->entries[offset / s->block];
	uint64_t skip = offset % s->block;
	struct image_piece piece = { .place = IMAGE_ASK, .length = s->block - skip };

	if ((entry & (HAS_DATA | BUSY)) == HAS_DATA) {
		piece.place = IMAGE_FILE;
		piece.offset = place_offset(s, entry) + skip;
	} else if (!(entry & HAS_DATA) && !write) {
		piece.place = IMAGE_ZERO;
	}
	return piece;
}

static void scatter_map(struct image *image, uint64_t offset, uint64_t length, bool write,
			struct image_piece *piece)
{
	*piece = piece_at(to_scatter(image), offset, write);
	if (piece->length > length)
		piece->length = length;
}

/* ------------------------------------------------------------------ channels */

static void scatter_channel_close(struct image_channel *channel)
{
	struct scatter_channel *own = container_of(channel, struct scatter_channel, channel);

	workers_free(own->workers);
	free(own);
}

static int scatter_channel_open(struct image_channel **channel, struct image *image,
				const struct channel_params *params, struct blktap_error *err)
{
	struct scatter_channel *own = calloc(1, sizeof(*own));
	int ret = own ? workers_new(&own->workers, params->loop, THREADS) : -ENOMEM;

	if (ret) {
		free(own);
		return blktap_error_set(err, ret, "cannot serve scatter:%s: %s", image->path,
					strerror(-ret));
	}
	own->channel = (struct image_channel){ .image = image, .loop = params->loop };
	*channel = &own->channel;
	return 0;
}

const struct image_driver scatter_driver = {
	.name = "scatter",
	.type = 17,
	.request_size = sizeof(struct scatter_request),
	.open = scatter_open,
	.close = scatter_close,
	.nr_descriptors = 2,
	.of_file = true,
	.descriptors = scatter_descriptors,
	.sync = scatter_sync,
	.damaged = scatter_damaged,
	.channel_open = scatter_channel_open,
	.channel_close = scatter_channel_close,
	.submit = scatter_submit,
	.files = scatter_files,
	.map = scatter_map,
};
