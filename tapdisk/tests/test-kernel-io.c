// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel is told: redirects, extents, files, in which order, and when the
 * daemon does it all.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <syslog.h>

#include <cmocka.h>

#include "world.h"
#include "../vbd-stats.h"

#define MIB	(1ULL << 20)
#define BLOCK	(64ULL << 10)	/* of scatter images here */
#define ALL	(BLKTAP_F_DATA_ON_DEMAND | BLKTAP_F_REDIRECT | BLKTAP_F_EXTENTS)

static char path[64];
static char spec[128];

static const char *make_image(const char *type, const char *options, off_t size)
{
	int fd;

	strcpy(path, "/var/tmp/tapdisk-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
	snprintf(spec, sizeof(spec), "%s:%s%s", type, path, options);
	return spec;
}

static const char *make_aio(void)
{
	return make_image("aio", "", MIB);
}

static const char *make_scatter(void)
{
	return make_image("scatter", ",block=64K,seed=7", MIB);
}

/* Its tests are about O_DIRECT, which not every file system has. */
static void open_direct(const char *image)
{
	int fds[IMAGE_MAX_FILES];

	assert_int_equal(open_image(image), 0);
	if (!world.vbd->image->driver->files(world.vbd->image, fds)) {
		close_image(0);
		unlink(path);
		skip();
	}
}

static void close_and_remove(void)
{
	assert_int_equal(close_image(0), 0);
	unlink(path);
}

static int with_all(void **state)
{
	return set_up_with(state, ALL);
}

static int with_redirects(void **state)
{
	return set_up_with(state, BLKTAP_F_REDIRECT);
}

static struct fake_queue *queue(void)
{
	return &fake_ring->queues[0];
}

/* One request; how many fragments answered it. */
static unsigned int request(uint8_t op, uint16_t flags, uint64_t offset, uint64_t length)
{
	assert_int_equal(do_request(op, flags, offset, length), length);
	return queue()->redirected[9];
}

static const struct blktap_fragment *fragment(unsigned int i)
{
	return &fake_fragments(queue(), 9)[i];
}

static void expect_file(unsigned int i, uint64_t offset, uint64_t length)
{
	assert_int_equal(fragment(i)->type, BLKTAP_FRAGMENT_FILE);
	assert_int_equal(fragment(i)->file, 5);
	assert_int_equal(fragment(i)->offset, offset);
	assert_int_equal(fragment(i)->length, length);
	assert_int_equal(fragment(i)->reserved, 0);
}

static void expect_zero(unsigned int i, uint64_t length)
{
	assert_int_equal(fragment(i)->type, BLKTAP_FRAGMENT_ZERO);
	assert_int_equal(fragment(i)->length, length);
}

/* The next call that has not been looked at yet. */
static unsigned int looked_at;

static const struct fake_call *next_call(enum fake_what what)
{
	const struct fake_call *call = &fake_calls[looked_at];

	assert_true(looked_at < fake_nr_calls);
	assert_int_equal(call->what, what);
	looked_at++;
	return call;
}

static void expect_no_call(void)
{
	assert_int_equal(looked_at, fake_nr_calls);
}

static void expect_map(uint64_t offset, uint64_t length, uint64_t file_offset)
{
	const struct fake_call *call = next_call(FAKE_MAP);

	assert_int_equal(call->offset, offset);
	assert_int_equal(call->length, length);
	assert_int_equal(call->file_offset, file_offset);
	assert_int_equal(call->slot, 5);
	assert_int_equal(call->flags, BLKTAP_FILE_READ | BLKTAP_FILE_WRITE);
}

/* All is given back, waited for, and the image is still open meanwhile. */
static void expect_end(bool extents)
{
	const struct fake_call *call;

	if (extents) {
		call = next_call(FAKE_UNMAP);
		assert_int_equal(call->offset, 0);
		assert_true(call->length == UINT64_MAX);
		assert_true(call->wait);
		assert_true(call->open);
	}
	call = next_call(FAKE_UNREGISTER);
	assert_int_equal(call->slot, 5);
	assert_true(call->wait);
	assert_true(call->open);
	expect_no_call();
}

static void expect_register(uint32_t flags)
{
	assert_int_equal(next_call(FAKE_REGISTER)->flags, flags);
}

static int switch_to(enum blktap_kernel_io mode)
{
	struct outcome outcome = { 0 };

	vbd_switch(world.vbd, mode, -1, done, &outcome);
	wait_for(&outcome);
	return outcome.err.code;
}

static int pause_now(void)
{
	struct outcome outcome = { 0 };

	vbd_pause(world.vbd, -1, done, &outcome);
	wait_for(&outcome);
	return outcome.err.code;
}

static int unpause_now(const char *image)
{
	struct outcome outcome = { 0 };

	vbd_unpause(world.vbd, image, -1, done, &outcome);
	wait_for(&outcome);
	return outcome.err.code;
}

/* ---------------------------------------------------------------- one to one */

/* A driver that grants nothing is asked for nothing. */
static void test_nothing_granted(void **state)
{
	(void)state;
	open_direct(make_aio());
	assert_int_equal(vbd_kernel_io(world.vbd), BLKTAP_KERNEL_IO_OFF);
	assert_int_equal(fake_ring->start.flags & BLKTAP_DISK_DEMAND, 0);
	assert_int_equal(request(BLKTAP_OP_READ, 0, 4096, 8192), 0);
	assert_int_equal(do_request(BLKTAP_OP_READ, BLKTAP_REQ_RETRY, 0, 4096), -EOPNOTSUPP);
	assert_int_equal(do_request(BLKTAP_OP_WRITE, BLKTAP_REQ_DEMAND, 0, 4096), -EOPNOTSUPP);
	assert_int_equal(switch_to(BLKTAP_KERNEL_IO_AUTO), 0);
	assert_int_equal(vbd_kernel_io(world.vbd), BLKTAP_KERNEL_IO_OFF);
	close_and_remove();
	assert_int_equal(fake_nr_calls, 0);
}

static void test_redirects(void **state)
{
	(void)state;
	open_direct(make_aio());
	assert_int_equal(vbd_kernel_io(world.vbd), BLKTAP_KERNEL_IO_REDIRECT);
	assert_int_equal(fake_ring->start.flags & BLKTAP_DISK_DEMAND, 0);
	assert_int_equal(request(BLKTAP_OP_READ, 0, 4096, 8192), 1);
	expect_file(0, 4096, 8192);
	world.vbd->image->limits.fua_syncs = false;
	assert_int_equal(request(BLKTAP_OP_WRITE, BLKTAP_REQ_FUA, 512, 512), 1);
	expect_file(0, 512, 512);
	/* The kernel would not sync. */
	world.vbd->image->limits.fua_syncs = true;
	assert_int_equal(request(BLKTAP_OP_WRITE, BLKTAP_REQ_FUA, 512, 512), 0);
	assert_int_equal(request(BLKTAP_OP_WRITE, 0, 512, 512), 1);
	assert_int_equal(request(BLKTAP_OP_FLUSH, 0, 0, 0), 0);
	assert_int_equal(request(BLKTAP_OP_WRITE_ZEROES, 0, 0, 4096), 0);
	/* The checks come first. */
	assert_int_equal(do_request(BLKTAP_OP_READ, 0, MIB, 512), -EIO);
	expect_register(BLKTAP_FILE_READ | BLKTAP_FILE_WRITE);
	expect_no_call();
	close_and_remove();
	expect_end(false);
}

static void test_one_extent(void **state)
{
	(void)state;
	open_direct(make_aio());
	assert_int_equal(vbd_kernel_io(world.vbd), BLKTAP_KERNEL_IO_AUTO);
	assert_int_equal(fake_ring->start.flags & BLKTAP_DISK_DEMAND, BLKTAP_DISK_DEMAND);
	expect_register(BLKTAP_FILE_READ | BLKTAP_FILE_WRITE);
	expect_map(0, MIB, 0);
	/* One that comes all the same is redirected, and maps nothing again. */
	assert_int_equal(request(BLKTAP_OP_READ, 0, 0, 4096), 1);
	assert_int_equal(request(BLKTAP_OP_WRITE_ZEROES, 0, 0, 4096), 0);
	expect_no_call();
	close_and_remove();
	expect_end(true);
}

static void test_read_only(void **state)
{
	struct vbd_open_params params = { .read_only = true, .timeout_ms = -1 };
	struct outcome outcome = { 0 };

	(void)state;
	params.image = make_aio();
	vbd_open(world.vbd, &params, done, &outcome);
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, 0);
	if (vbd_kernel_io(world.vbd) == BLKTAP_KERNEL_IO_AUTO) {
		expect_register(BLKTAP_FILE_READ);
		assert_int_equal(next_call(FAKE_MAP)->flags, BLKTAP_FILE_READ);
		assert_int_equal(fake_ring->start.flags & BLKTAP_DISK_DEMAND, 0);
		assert_int_equal(do_request(BLKTAP_OP_WRITE, 0, 0, 512), -EROFS);
	}
	close_and_remove();
}

/* What the page cache may hold, and what has no file, is the daemon's. */
static void test_images_without_files(void **state)
{
	struct vbd_open_params params = { .no_direct = true, .timeout_ms = -1 };
	struct outcome outcome = { 0 };

	(void)state;
	assert_int_equal(open_image("ram:1M"), 0);
	assert_int_equal(vbd_kernel_io(world.vbd), BLKTAP_KERNEL_IO_OFF);
	assert_int_equal(request(BLKTAP_OP_READ, 0, 0, 4096), 0);
	assert_int_equal(close_image(0), 0);
	params.image = make_aio();
	vbd_open(world.vbd, &params, done, &outcome);
	wait_for(&outcome);
	assert_int_equal(vbd_kernel_io(world.vbd), BLKTAP_KERNEL_IO_OFF);
	close_and_remove();
	expect_no_call();
}

static void test_refused_file(void **state)
{
	(void)state;
	fake_register_error = -ELOOP;
	open_direct(make_aio());
	assert_int_equal(vbd_kernel_io(world.vbd), BLKTAP_KERNEL_IO_OFF);
	assert_int_equal(request(BLKTAP_OP_READ, 0, 0, 4096), 0);
	close_and_remove();
	expect_no_call();
}

static void test_refused_extent(void **state)
{
	(void)state;
	fake_map_error = -ENOSPC;
	open_direct(make_aio());
	expect_register(BLKTAP_FILE_READ | BLKTAP_FILE_WRITE);
	assert_int_equal(request(BLKTAP_OP_READ, 0, 0, 4096), 1);
	close_and_remove();
	expect_end(true);
}

/* ------------------------------------------------------- after an error below */

static void test_retry_goes_to_the_image(void **state)
{
	struct fake_queue *q = queue();
	char data[4096];
	int fd;

	(void)state;
	open_direct(make_aio());
	looked_at = fake_nr_calls;
	memset(fake_data(q, 9), 'r', 4096);
	assert_int_equal(request(BLKTAP_OP_WRITE, BLKTAP_REQ_RETRY, 8192, 4096), 0);
	fd = open(path, O_RDONLY);
	assert_int_equal(pread(fd, data, sizeof(data), 8192), 4096);
	close(fd);
	assert_int_equal(data[0], 'r');
	assert_int_equal(data[4095], 'r');
	/* What was dropped is not mapped again, by no other request either. */
	assert_int_equal(request(BLKTAP_OP_WRITE, 0, 8192, 4096), 1);
	expect_no_call();
	/* But when somebody asks for it. */
	assert_int_equal(switch_to(BLKTAP_KERNEL_IO_AUTO), 0);
	next_call(FAKE_UNMAP);
	next_call(FAKE_UNREGISTER);
	next_call(FAKE_REGISTER);
	expect_map(0, MIB, 0);
	close_and_remove();
}

/* ------------------------------------------------------------- data on demand */

static void test_fetch(void **state)
{
	struct fake_queue *q = queue();
	char data[4096];
	int fd;

	(void)state;
	open_direct(make_aio());
	assert_int_equal(request(BLKTAP_OP_WRITE, BLKTAP_REQ_DEMAND, 0, 4096), 1);
	assert_int_equal(q->fetched, 0);
	assert_int_equal(request(BLKTAP_OP_WRITE, BLKTAP_REQ_DEMAND | BLKTAP_REQ_RETRY, 0, 4096), 0);
	assert_int_equal(q->fetched, 1);
	fd = open(path, O_RDONLY);
	assert_int_equal(pread(fd, data, sizeof(data), 0), 4096);
	close(fd);
	assert_int_equal(data[0], 'f');
	assert_int_equal(do_request(BLKTAP_OP_WRITE, BLKTAP_REQ_DEMAND, MIB, 512), -EIO);
	assert_int_equal(q->fetched, 1);
	assert_int_equal(switch_to(BLKTAP_KERNEL_IO_OFF), 0);
	assert_int_equal(request(BLKTAP_OP_WRITE, BLKTAP_REQ_DEMAND, 0, 4096), 0);
	assert_int_equal(q->fetched, 2);
	close_and_remove();
}

/* ----------------------------------------------------- pause, resize, switching */

static void test_pause(void **state)
{
	struct stat st, other;
	char first[64];

	(void)state;
	open_direct(make_aio());
	looked_at = fake_nr_calls;
	strcpy(first, path);
	assert_int_equal(pause_now(), 0);
	expect_end(true);
	assert_int_equal(unpause_now(make_aio()), 0);
	assert_int_equal(fstat(next_call(FAKE_REGISTER)->fd, &st), 0);
	assert_int_equal(stat(path, &other), 0);
	assert_int_equal(st.st_ino, other.st_ino);
	expect_map(0, MIB, 0);
	close_and_remove();
	expect_end(true);
	unlink(first);
}

static pthread_t waiting_in;
static unsigned int waits;

static void note_thread(void)
{
	waiting_in = pthread_self();
	waits++;
}

/* The kernel may take its time; the loop does not wait with it. */
static void test_waits_elsewhere(void **state)
{
	(void)state;
	open_direct(make_aio());
	waits = 0;
	fake_unmapping = note_thread;
	assert_int_equal(pause_now(), 0);
	assert_int_equal(waits, 1);
	assert_false(pthread_equal(waiting_in, pthread_self()));
	close_and_remove();
}

static void test_resize(void **state)
{
	struct outcome outcome = { 0 };

	(void)state;
	open_direct(make_aio());
	looked_at = fake_nr_calls;
	vbd_resize(world.vbd, MIB / 2, true, -1, done, &outcome);
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, 0);
	assert_true(next_call(FAKE_UNMAP)->wait);
	assert_true(next_call(FAKE_UNREGISTER)->wait);
	expect_register(BLKTAP_FILE_READ | BLKTAP_FILE_WRITE);
	expect_map(0, MIB / 2, 0);
	close_and_remove();
	expect_end(true);
}

static off_t size_then;

static void note_size(void)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	size_then = st.st_size;
}

/* What is cut off must not be written to any more. */
static void test_unmapped_before_cut(void **state)
{
	struct outcome outcome = { 0 };

	(void)state;
	open_direct(make_aio());
	fake_unmapping = note_size;
	size_then = 0;
	vbd_resize(world.vbd, MIB / 2, true, -1, done, &outcome);
	wait_for(&outcome);
	assert_int_equal(size_then, MIB);
	close_and_remove();
}

static void test_switch(void **state)
{
	(void)state;
	assert_int_equal(switch_to(BLKTAP_KERNEL_IO_OFF), -EINVAL);
	open_direct(make_aio());
	looked_at = fake_nr_calls;
	assert_int_equal(switch_to(BLKTAP_KERNEL_IO_OFF), 0);
	assert_int_equal(vbd_kernel_io(world.vbd), BLKTAP_KERNEL_IO_OFF);
	expect_end(true);
	assert_int_equal(request(BLKTAP_OP_READ, 0, 0, 4096), 0);
	assert_int_equal(switch_to(BLKTAP_KERNEL_IO_REDIRECT), 0);
	expect_register(BLKTAP_FILE_READ | BLKTAP_FILE_WRITE);
	expect_no_call();
	assert_int_equal(request(BLKTAP_OP_READ, 0, 0, 4096), 1);
	expect_no_call();
	assert_int_equal(pause_now(), 0);
	expect_end(false);
	assert_int_equal(switch_to(BLKTAP_KERNEL_IO_AUTO), 0);
	expect_no_call();
	assert_int_equal(unpause_now(NULL), 0);
	expect_register(BLKTAP_FILE_READ | BLKTAP_FILE_WRITE);
	expect_map(0, MIB, 0);
	close_and_remove();
}

/* Requests that come meanwhile stay in the rings, and are served in the new mode. */
static void test_switch_under_load(void **state)
{
	struct fake_queue *q = queue();
	struct outcome outcome = { 0 };
	unsigned int i;

	(void)state;
	open_direct(make_aio());
	for (i = 0; i < 64; i++)
		fake_submit(q, i, BLKTAP_OP_READ, 0, i * 4096, 4096);
	vbd_switch(world.vbd, BLKTAP_KERNEL_IO_OFF, -1, done, &outcome);
	for (i = 64; i < 100; i++)
		fake_submit(q, i, BLKTAP_OP_READ, 0, i * 4096, 4096);
	wait_for(&outcome);
	assert_int_equal(outcome.err.code, 0);
	complete_all(q, 100 - q->completed);
	for (i = 64; i < 100; i++) {
		assert_int_equal(q->results[i], 4096);
		assert_int_equal(q->redirected[i], 0);
	}
	close_and_remove();
}

static void test_session_ends(void **state)
{
	(void)state;
	open_direct(make_aio());
	looked_at = fake_nr_calls;
	vbd_session_lost(world.vbd, "test");
	while (!world.gone)
		turn(2000);
	expect_end(true);
	unlink(path);
}

/* -------------------------------------------------------------------- scattered */

/* Where a block lies, by the driver. */
static uint64_t place(unsigned int block)
{
	struct image_piece piece;

	world.vbd->image->driver->map(world.vbd->image, block * BLOCK, BLOCK, true, &piece);
	assert_int_equal(piece.place, IMAGE_FILE);
	return piece.offset;
}

static void test_scattered(void **state)
{
	struct fake_queue *q = queue();

	(void)state;
	open_direct(make_scatter());
	expect_register(BLKTAP_FILE_READ | BLKTAP_FILE_WRITE);
	/* Nothing is there: reads are zeroes by the kernel. */
	assert_int_equal(request(BLKTAP_OP_READ, 0, BLOCK - 4096, 8192), 1);
	expect_zero(0, 8192);
	expect_no_call();
	/* The first write makes a place, by the daemon; then the kernel knows it. */
	assert_int_equal(request(BLKTAP_OP_WRITE, BLKTAP_REQ_DEMAND, 4096, 4096), 0);
	assert_int_equal(q->fetched, 1);
	expect_map(0, BLOCK, place(0));
	/* The whole block, and once. */
	assert_int_equal(request(BLKTAP_OP_WRITE, BLKTAP_REQ_DEMAND, 8192, 4096), 1);
	expect_file(0, place(0) + 8192, 4096);
	assert_int_equal(q->fetched, 1);
	expect_no_call();
	/* One that is partly there is answered in parts, or not by places at all. */
	assert_int_equal(request(BLKTAP_OP_READ, 0, BLOCK - 4096, 8192), 2);
	expect_file(0, place(0) + BLOCK - 4096, 4096);
	expect_zero(1, 4096);
	assert_int_equal(request(BLKTAP_OP_WRITE, 0, BLOCK - 4096, 8192), 0);
	expect_map(BLOCK, BLOCK, place(1));
	assert_int_not_equal(place(0) + BLOCK, place(1));
	assert_int_equal(request(BLKTAP_OP_WRITE, 0, BLOCK - 4096, 8192), 2);
	close_and_remove();
	expect_end(true);
}

/* A discard takes places back: first from the kernel, then in the driver. */
static uint64_t place_then;

static void note_place(void)
{
	place_then = place(2);
}

static void test_discard(void **state)
{
	const struct fake_call *call;
	uint64_t was;

	(void)state;
	open_direct(make_scatter());
	assert_int_equal(request(BLKTAP_OP_WRITE, 0, 2 * BLOCK, 4096), 0);
	was = place(2);
	looked_at = fake_nr_calls;
	place_then = 0;
	fake_unmapping = note_place;
	assert_int_equal(request(BLKTAP_OP_DISCARD, 0, BLOCK, 2 * BLOCK), 0);
	fake_unmapping = NULL;
	call = next_call(FAKE_UNMAP);
	assert_int_equal(call->offset, BLOCK);
	assert_int_equal(call->length, 2 * BLOCK);
	assert_true(call->wait);
	assert_int_equal(place_then, was);
	assert_int_equal(request(BLKTAP_OP_READ, 0, 2 * BLOCK, 4096), 1);
	expect_zero(0, 4096);
	/* Nothing was mapped there any more: there is nobody to wait for. */
	assert_int_equal(request(BLKTAP_OP_DISCARD, 0, BLOCK, 2 * BLOCK), 0);
	expect_no_call();
	assert_int_equal(request(BLKTAP_OP_WRITE, 0, 2 * BLOCK, 4096), 0);
	expect_map(2 * BLOCK, BLOCK, place(2));
	close_and_remove();
}

/* A write that ends while a discard waits maps nothing: it would be out of date. */
static struct image_driver holding;
static struct image_request *held;

static void hold(struct image_channel *channel, struct image_request *req)
{
	if (req->op == BLKTAP_OP_DISCARD)
		held = req;
	else
		scatter_driver.submit(channel, req);
}

static void test_nothing_is_mapped_during_discard(void **state)
{
	struct fake_queue *q = queue();

	(void)state;
	open_direct(make_scatter());
	assert_int_equal(request(BLKTAP_OP_WRITE, 0, 2 * BLOCK, 4096), 0);
	holding = scatter_driver;
	holding.submit = hold;
	world.vbd->image->driver = &holding;
	held = NULL;
	fake_submit(q, 1, BLKTAP_OP_DISCARD, 0, 2 * BLOCK, BLOCK);
	while (!held)
		turn(2000);
	looked_at = fake_nr_calls;
	assert_int_equal(request(BLKTAP_OP_WRITE, 0, 2 * BLOCK, 4096), 1);
	assert_int_equal(request(BLKTAP_OP_WRITE, 0, 3 * BLOCK, 4096), 0);
	expect_map(3 * BLOCK, BLOCK, place(3));
	expect_no_call();
	held->done(held, 0);
	complete_all(q, 1);
	/* It was not discarded after all: its next user maps it. */
	assert_int_equal(request(BLKTAP_OP_WRITE, 0, 2 * BLOCK, 4096), 1);
	expect_map(2 * BLOCK, BLOCK, place(2));
	world.vbd->image->driver = &scatter_driver;
	close_and_remove();
}

/* Blocks that are next to each other in the file, too, are one extent. */
static void one_to_one(struct image *image, uint64_t offset, uint64_t length, bool write,
		       struct image_piece *piece)
{
	(void)image;
	(void)write;
	*piece = (struct image_piece){
		.place = offset < 4 * BLOCK ? IMAGE_FILE : IMAGE_ASK,
		.offset = offset < 2 * BLOCK ? offset : offset + BLOCK,
		.length = length < BLOCK ? length : BLOCK,
	};
}

static void test_adjacent_units(void **state)
{
	(void)state;
	open_direct(make_scatter());
	looked_at = fake_nr_calls;
	holding = scatter_driver;
	holding.map = one_to_one;
	world.vbd->image->driver = &holding;
	assert_int_equal(switch_to(BLKTAP_KERNEL_IO_AUTO), 0);
	next_call(FAKE_UNMAP);
	next_call(FAKE_UNREGISTER);
	next_call(FAKE_REGISTER);
	expect_map(0, 2 * BLOCK, 0);
	expect_map(2 * BLOCK, 2 * BLOCK, 3 * BLOCK);
	expect_no_call();
	world.vbd->image->driver = &scatter_driver;
	close_and_remove();
}

/* More pieces than a request can have fragments. */
static void in_sectors(struct image *image, uint64_t offset, uint64_t length, bool write,
		       struct image_piece *piece)
{
	(void)image;
	(void)length;
	(void)write;
	*piece = (struct image_piece){ IMAGE_FILE, 0, MIB - offset - 512, 512 };
}

static void test_too_many_pieces(void **state)
{
	(void)state;
	open_direct(make_scatter());
	holding = scatter_driver;
	holding.map = in_sectors;
	world.vbd->image->driver = &holding;
	assert_int_equal(request(BLKTAP_OP_READ, 0, 0, FAKE_FRAGMENTS * 512), FAKE_FRAGMENTS);
	expect_file(1, MIB - 1024, 512);
	assert_int_equal(request(BLKTAP_OP_READ, 0, 0, (FAKE_FRAGMENTS + 1) * 512), 0);
	world.vbd->image->driver = &scatter_driver;
	close_and_remove();
}

/* Both queues at work, in threads, with writes that make places and discards. */
static void submit_some(struct fake_queue *q, unsigned int seed)
{
	unsigned int i;

	for (i = 0; i < 16; i++) {
		uint64_t block = (seed * 7 + i * 5) % 16;
		bool discard = i % 5 == 4;

		fake_submit(q, i, discard ? BLKTAP_OP_DISCARD : BLKTAP_OP_WRITE,
			    discard ? 0 : BLKTAP_REQ_DEMAND, block * BLOCK,
			    discard ? BLOCK : 4096);
	}
}

static void wait_completed(const struct fake_queue *q, unsigned int count)
{
	while (q->completed < count)
		turn(20);
	assert_int_equal(q->completed, count);
	assert_int_equal(q->rejected, 0);
}

static void test_threads(void **state)
{
	static const enum blktap_kernel_io modes[] = {
		BLKTAP_KERNEL_IO_OFF, BLKTAP_KERNEL_IO_AUTO, BLKTAP_KERNEL_IO_REDIRECT,
		BLKTAP_KERNEL_IO_AUTO,
	};
	struct fake_queue *a = &fake_ring->queues[0], *b = &fake_ring->queues[1];
	unsigned int i, j;

	(void)state;
	world.env.threads = true;
	open_direct(make_scatter());
	for (i = 0; i < 40; i++) {
		struct outcome outcome = { 0 };

		submit_some(a, i);
		submit_some(b, i + 3);
		vbd_switch(world.vbd, modes[i % 4], -1, done, &outcome);
		while (!outcome.calls)
			turn(20);
		assert_int_equal(outcome.err.code, 0);
		assert_int_equal(vbd_kernel_io(world.vbd), modes[i % 4]);
		wait_completed(a, 16 * (i + 1));
		wait_completed(b, 16 * (i + 1));
		for (j = 0; j < 16; j++)
			assert_in_range(a->results[j], 4096, BLOCK);
	}
	close_and_remove();
}

/* ------------------------------------------------------------------ statistics */

static json_int_t counted(const char *key)
{
	json_t *stats = vbd_stats(world.vbd);
	json_int_t number =
		json_integer_value(json_object_get(json_object_get(stats, "kernel_io"), key));

	json_decref(stats);
	return number;
}

static void test_statistics(void **state)
{
	(void)state;
	open_direct(make_aio());
	request(BLKTAP_OP_READ, 0, 0, 4096);
	request(BLKTAP_OP_WRITE, 0, 0, 4096);
	request(BLKTAP_OP_FLUSH, 0, 0, 0);
	request(BLKTAP_OP_READ, BLKTAP_REQ_RETRY, 0, 4096);
	assert_int_equal(counted("redirected"), 2);
	assert_int_equal(counted("answered"), 2);
	assert_int_equal(counted("retried"), 1);
	close_and_remove();
}

static int tear_down_kio(void **state)
{
	looked_at = 0;
	return tear_down(state);
}

#define NONE(test)	cmocka_unit_test_setup_teardown(test, set_up, tear_down_kio)
#define SOME(test)	cmocka_unit_test_setup_teardown(test, with_redirects, tear_down_kio)
#define MOST(test)	cmocka_unit_test_setup_teardown(test, with_all, tear_down_kio)

static const struct CMUnitTest tests[] = {
	NONE(test_nothing_granted),
	SOME(test_redirects),
	MOST(test_one_extent),
	MOST(test_read_only),
	MOST(test_images_without_files),
	MOST(test_refused_file),
	MOST(test_refused_extent),
	MOST(test_retry_goes_to_the_image),
	MOST(test_fetch),
	MOST(test_pause),
	MOST(test_waits_elsewhere),
	MOST(test_resize),
	MOST(test_unmapped_before_cut),
	MOST(test_switch),
	MOST(test_switch_under_load),
	MOST(test_session_ends),
	MOST(test_scattered),
	MOST(test_discard),
	MOST(test_nothing_is_mapped_during_discard),
	MOST(test_adjacent_units),
	MOST(test_too_many_pieces),
	MOST(test_threads),
	MOST(test_statistics),
};

int main(void)
{
	blktap_log_init("test", BLKTAP_LOG_STDERR, LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
