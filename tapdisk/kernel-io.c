// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mode of a disk, the files of its image that the kernel has, and redirects.
 */
#include <errno.h>
#include <stdlib.h>
#include <syslog.h>

#include "kernel-io.h"

struct kernel_io {
	struct blktap_ring *ring;
	struct image *image;
	unsigned int files;		/* registered */
	uint32_t slots[IMAGE_MAX_FILES];
	struct extents *extents;	/* NULL: not granted, or no files */
	enum blktap_kernel_io mode;	/* changes while lanes are drained */
};

/* --------------------------------------------------------------------- modes */

enum blktap_kernel_io kernel_io_possible(const struct blktap_ring *ring, struct image *image)
{
	uint64_t granted = blktap_ring_features(ring);
	int fds[IMAGE_MAX_FILES];

	if (!(granted & BLKTAP_F_REDIRECT) || !image->driver->map ||
	    !image->driver->files(image, fds))
		return BLKTAP_KERNEL_IO_OFF;
	return granted & BLKTAP_F_EXTENTS ? BLKTAP_KERNEL_IO_AUTO : BLKTAP_KERNEL_IO_REDIRECT;
}

enum blktap_kernel_io kernel_io_mode(const struct kernel_io *kio)
{
	return kio ? kio->mode : BLKTAP_KERNEL_IO_OFF;
}

/* ------------------------------------------------------------ begin and end */

static void give_back_files(struct kernel_io *kio)
{
	struct blktap_error err;

	while (kio->files)
		if (blktap_ring_unregister_file(kio->ring, kio->slots[--kio->files], true, &err) &&
		    err.code != -ENODEV)
			blktap_log(LOG_ERR, "%s", err.text);
}

static int register_files(struct kernel_io *kio, struct blktap_error *err)
{
	uint32_t flags = BLKTAP_FILE_READ | (kio->image->read_only ? 0 : BLKTAP_FILE_WRITE);
	int fds[IMAGE_MAX_FILES];
	unsigned int count = kio->image->driver->files(kio->image, fds);
	int ret;

	while (kio->files < count) {
		ret = blktap_ring_register_file(kio->ring, fds[kio->files], flags,
						&kio->slots[kio->files], err);
		if (ret)
			return ret;
		kio->files++;
	}
	return 0;
}

static enum blktap_kernel_io begin(struct kernel_io *kio, enum blktap_kernel_io mode)
{
	struct blktap_error err;

	if (mode == BLKTAP_KERNEL_IO_OFF || !register_files(kio, &err))
		return mode;
	blktap_log(LOG_NOTICE, "%s; %s is served by the daemon alone", err.text,
		   kio->image->path);
	give_back_files(kio);
	return BLKTAP_KERNEL_IO_OFF;
}

void kernel_io_begin(struct kernel_io *kio, enum blktap_kernel_io mode)
{
	enum blktap_kernel_io possible = kernel_io_possible(kio->ring, kio->image);

	kio->mode = begin(kio, mode < possible ? mode : possible);
}

/* Extents are an extra: without memory for them, there are redirects. */
void kernel_io_prepare(struct kernel_io *kio, uint64_t capacity)
{
	if (kio->mode == BLKTAP_KERNEL_IO_AUTO &&
	    extents_new(&kio->extents, kio->ring, kio->image, kio->slots, capacity))
		kio->mode = BLKTAP_KERNEL_IO_REDIRECT;
}

void kernel_io_map(struct kernel_io *kio)
{
	if (kernel_io_mode(kio) != BLKTAP_KERNEL_IO_AUTO)
		return;
	extents_allow(kio->extents);
	extents_map_all(kio->extents);
}

void kernel_io_end(struct kernel_io *kio)
{
	if (!kio)
		return;
	kio->mode = BLKTAP_KERNEL_IO_OFF;
	if (kio->extents)
		extents_unmap_all(kio->extents);
	extents_free(kio->extents);
	kio->extents = NULL;
	give_back_files(kio);
}

int kernel_io_new(struct kernel_io **kio, struct blktap_ring *ring, struct image *image)
{
	*kio = calloc(1, sizeof(**kio));
	if (!*kio)
		return -ENOMEM;
	(*kio)->ring = ring;
	(*kio)->image = image;
	(*kio)->mode = BLKTAP_KERNEL_IO_OFF;
	return 0;
}

void kernel_io_free(struct kernel_io *kio)
{
	free(kio);
}

/* ----------------------------------------------------------------- redirects */

static struct blktap_fragment to_fragment(const struct kernel_io *kio,
					  const struct image_piece *piece)
{
	if (piece->place == IMAGE_ZERO)
		return (struct blktap_fragment){
			.type = BLKTAP_FRAGMENT_ZERO,
			.length = piece->length,
		};
	return (struct blktap_fragment){
		.type = BLKTAP_FRAGMENT_FILE,
		.file = kio->slots[piece->file],
		.offset = piece->offset,
		.length = piece->length,
	};
}

/* Whether @next goes on where @last ends; then it becomes part of it. */
static bool join(struct blktap_fragment *last, const struct blktap_fragment *next)
{
	if (last->type != next->type || last->file != next->file)
		return false;
	if (last->type == BLKTAP_FRAGMENT_FILE && last->offset + last->length != next->offset)
		return false;
	last->length += next->length;
	return true;
}

static unsigned int fill_in(struct kernel_io *kio, const struct blktap_request *req,
			    struct blktap_fragment *fragments, unsigned int max)
{
	const struct image_driver *driver = kio->image->driver;
	uint64_t done = 0;
	unsigned int count = 0;

	while (done < req->length) {
		struct blktap_fragment next;
		struct image_piece piece;

		driver->map(kio->image, req->offset + done, req->length - done,
			    req->op == BLKTAP_OP_WRITE, &piece);
		if (piece.place == IMAGE_ASK)
			return 0;
		next = to_fragment(kio, &piece);
		done += piece.length;
		if (count && join(&fragments[count - 1], &next))
			continue;
		if (count == max)
			return 0;
		fragments[count++] = next;
	}
	return count;
}

static bool transfers(const struct blktap_request *req)
{
	return req->op == BLKTAP_OP_READ || req->op == BLKTAP_OP_WRITE;
}

/* The kernel would write with O_DSYNC, and no more. */
static bool needs_sync(const struct kernel_io *kio, const struct blktap_request *req)
{
	return (req->flags & BLKTAP_REQ_FUA) && kio->image->limits.fua_syncs;
}

unsigned int kernel_io_redirect(struct kernel_io *kio, const struct blktap_request *req,
				struct blktap_fragment *fragments, unsigned int max)
{
	if (kernel_io_mode(kio) < BLKTAP_KERNEL_IO_REDIRECT || !transfers(req) ||
	    (req->flags & BLKTAP_REQ_RETRY) || needs_sync(kio, req))
		return 0;
	return fill_in(kio, req, fragments, max);
}

/* ------------------------------------------------------------------- extents */

void kernel_io_used(struct kernel_io *kio, const struct blktap_request *req)
{
	if (kernel_io_mode(kio) == BLKTAP_KERNEL_IO_AUTO)
		extents_map(kio->extents, req->offset, req->length);
}

bool kernel_io_failed(struct kernel_io *kio, const struct blktap_request *req)
{
	return kio && kio->extents && extents_dropped(kio->extents, req->offset, req->length);
}

bool kernel_io_changes(const struct kernel_io *kio, const struct blktap_request *req)
{
	return kio && kio->extents && kio->image->limits.map_unit && req->length &&
	       (req->op == BLKTAP_OP_DISCARD || req->op == BLKTAP_OP_WRITE_ZEROES);
}

bool kernel_io_change_begin(struct kernel_io *kio, struct extents_change *change,
			    const struct blktap_request *req)
{
	return extents_change_begin(kio->extents, change, req->offset, req->length);
}

void kernel_io_change_wait(struct kernel_io *kio, const struct extents_change *change)
{
	extents_change_wait(kio->extents, change);
}

void kernel_io_change_end(struct kernel_io *kio, struct extents_change *change)
{
	extents_change_end(kio->extents, change);
}
