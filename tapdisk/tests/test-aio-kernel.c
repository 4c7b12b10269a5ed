// SPDX-License-Identifier: GPL-2.0-only
/*
 * aio: with a kernel that is short of memory, interrupted, or does things in parts.
 * What it says to io_submit(), to fdatasync() and of each request is the test's; only
 * worker threads touch the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/aio-ring.h"
#include "fake-sync.h"
#include "harness.h"

#define LENGTH	16384
#define ROOM	64		/* events in the ring */
#define MANY	200
#define WHOLE	INT64_MAX	/* the result that was asked for */

static struct {
	struct aio_ring *ring;
	unsigned int magic;
	int setup_error;		/* of all attempts but those that are small */
	unsigned int setups, setup_events;

	int answers[MANY];		/* of io_submit(), one after the other; then it takes all */
	unsigned int answer_count, submits;
	int64_t results[MANY];		/* of the requests; then each is done */
	unsigned int result_count, taken, got;
	struct {
		int64_t offset;
		uint64_t length;
		int rw_flags;
		bool flush;
	} asked[MANY];
} kernel;

static char path[64], spec[80];
static struct harness h;
static char *data;

/* ------------------------------------------------------- in place of libaio */

int io_setup(int events, io_context_t *ctx)
{
	kernel.setups++;
	kernel.setup_events = events;
	if (kernel.setup_error && (kernel.setup_error != EAGAIN || events > 16))
		return -kernel.setup_error;
	kernel.ring = calloc(1, sizeof(*kernel.ring) + ROOM * sizeof(struct io_event));
	*kernel.ring = (struct aio_ring){
		.nr = ROOM, .magic = kernel.magic, .header_length = sizeof(*kernel.ring),
	};
	*ctx = (void *)kernel.ring;
	return 0;
}

int io_destroy(io_context_t ctx)
{
	assert_ptr_equal(ctx, kernel.ring);
	free(kernel.ring);
	kernel.ring = NULL;
	return 0;
}

static void take(struct iocb *iocb)
{
	unsigned int nr = kernel.taken++;
	int64_t result = nr < kernel.result_count ? kernel.results[nr] : WHOLE;
	struct io_event *event = &kernel.ring->events[kernel.ring->tail];
	bool flush = iocb->aio_lio_opcode == IO_CMD_FDSYNC;

	assert_true(nr < MANY);
	kernel.asked[nr].offset = flush ? 0 : iocb->u.c.offset;
	kernel.asked[nr].length = flush ? 0 : iocb->u.c.nbytes;
	kernel.asked[nr].rw_flags = iocb->aio_rw_flags;
	kernel.asked[nr].flush = flush;
	event->data = iocb->data;
	event->res = result == WHOLE ? kernel.asked[nr].length : (unsigned long)result;
	kernel.ring->tail = (kernel.ring->tail + 1) % ROOM;
	eventfd_write(iocb->u.c.resfd, 1);
}

int io_submit(io_context_t ctx, long count, struct iocb **iocbs)
{
	unsigned int nr = kernel.submits++;
	long answer = nr < kernel.answer_count ? kernel.answers[nr] : count, i;

	assert_ptr_equal(ctx, kernel.ring);
	for (i = 0; i < answer && i < count; i++)
		take(iocbs[i]);
	return answer < count ? answer : count;
}

int io_getevents(io_context_t ctx, long least, long count, struct io_event *events,
		 struct timespec *timeout)
{
	assert_ptr_equal(ctx, kernel.ring);
	assert_int_equal(least, 0);
	assert_int_equal(count, 1);
	assert_non_null(timeout);
	kernel.got++;
	return aio_ring_take(ctx, events);
}

/* ------------------------------------------------------------------- frame */

static int set_up(void **state)
{
	const char *base = getenv("TMPDIR");
	int fd;

	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	fake_sync_reset();
	kernel.magic = AIO_RING_MAGIC;
	snprintf(path, sizeof(path), "%s/tapdisk-XXXXXX",
		 base && strlen(base) < 32 ? base : "/var/tmp");
	fd = mkstemp(path);
	if (fd < 0 || ftruncate(fd, LENGTH * 4) != 0)
		return -1;
	close(fd);
	snprintf(spec, sizeof(spec), "aio:%s", path);
	data = harness_buffer(LENGTH, 'd');
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(data);
	return unlink(path);
}

/* Leaves the test where files are not past the page cache. */
static void begin(void)
{
	int fds[IMAGE_MAX_FILES];

	assert_int_equal(harness_open(&h, spec, false, false), 0);
	if (!h.image->driver->files(h.image, fds)) {
		harness_close(&h);
		skip();
	}
}

static void answers(const int *list, unsigned int count)
{
	memcpy(kernel.answers, list, count * sizeof(*list));
	kernel.answer_count = count;
}

static void result_is(int64_t result)
{
	kernel.results[kernel.result_count++] = result;
}

static int write_all(uint16_t flags)
{
	return harness_do(&h, BLKTAP_OP_WRITE, flags, 0, LENGTH, data);
}

static bool in_file(void)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char byte = 0;
	ssize_t got = pread(fd, &byte, 1, LENGTH - 1);

	close(fd);
	return got == 1 && byte == 'd';
}

/* ------------------------------------------------------------------- tests */

static void test_whole(void **state)
{
	(void)state;
	begin();
	assert_int_equal(write_all(0), 0);
	assert_int_equal(kernel.taken, 1);
	assert_int_equal(kernel.got, 0);
	harness_close(&h);
}

/* Nothing is in flight that could make room: it is tried again after a while. */
static void test_short_of_memory(void **state)
{
	static const int none[] = { -EAGAIN, 0, -ENOMEM };

	(void)state;
	begin();
	answers(none, 3);
	assert_int_equal(write_all(0), 0);
	assert_int_equal(kernel.submits, 4);
	assert_int_equal(kernel.taken, 1);
	harness_close(&h);
}

/* It stays so: a thread does it. */
static void test_out_of_memory(void **state)
{
	unsigned int i;

	(void)state;
	begin();
	for (i = 0; i < MANY; i++)
		kernel.answers[kernel.answer_count++] = -EAGAIN;
	assert_int_equal(write_all(0), 0);
	assert_true(kernel.submits > 50);
	assert_int_equal(kernel.taken, 0);
	assert_true(in_file());
	harness_close(&h);
}

/* Some are taken: what is left goes when these are done. */
static void test_room_for_one(void **state)
{
	static const int one[] = { 1, -EAGAIN, 1, -EAGAIN };
	struct harness_request r[3];
	unsigned int i;

	(void)state;
	begin();
	answers(one, 4);
	for (i = 0; i < 3; i++)
		harness_submit(&h, &r[i], BLKTAP_OP_WRITE, 0, i * 4096, 4096, data);
	for (i = 0; i < 3; i++)
		assert_int_equal(harness_wait(&h, &r[i]), 0);
	assert_int_equal(kernel.taken, 3);
	assert_int_equal(kernel.submits, 5);
	for (i = 0; i < 3; i++)
		assert_int_equal(kernel.asked[i].offset, i * 4096);
	harness_close(&h);
}

static void test_interrupted(void **state)
{
	static const int interrupted[] = { -EINTR, -EINTR };

	(void)state;
	begin();
	answers(interrupted, 2);
	assert_int_equal(write_all(0), 0);
	assert_int_equal(kernel.submits, 3);
	harness_close(&h);
}

/* One that the kernel does not like fails alone. */
static void test_refused(void **state)
{
	static const int refused[] = { -EBADF };
	struct harness_request bad, good;

	(void)state;
	begin();
	answers(refused, 1);
	harness_submit(&h, &bad, BLKTAP_OP_WRITE, 0, 0, 4096, data);
	harness_submit(&h, &good, BLKTAP_OP_WRITE, 0, 4096, 4096, data);
	assert_int_equal(harness_wait(&h, &bad), -EBADF);
	assert_int_equal(harness_wait(&h, &good), 0);
	assert_int_equal(kernel.asked[0].offset, 4096);
	harness_close(&h);
}

/* Direct I/O goes on where a block begins. */
static void test_in_parts(void **state)
{
	(void)state;
	begin();
	result_is(8192 + 100);
	result_is(4096);
	assert_int_equal(write_all(0), 0);
	assert_int_equal(kernel.taken, 3);
	assert_int_equal(kernel.asked[1].offset, 8192);
	assert_int_equal(kernel.asked[1].length, LENGTH - 8192);
	assert_int_equal(kernel.asked[2].offset, 8192 + 4096);
	assert_int_equal(kernel.asked[2].length, LENGTH - 8192 - 4096);
	harness_close(&h);
}

static void test_no_progress(void **state)
{
	static const int64_t results[] = { 0, 100, LENGTH + 4096 };
	unsigned int i;

	(void)state;
	begin();
	for (i = 0; i < 3; i++) {
		result_is(results[i]);
		assert_int_equal(write_all(0), -EIO);
		assert_int_equal(kernel.taken, i + 1);
	}
	result_is(4096);
	result_is(0);
	assert_int_equal(write_all(0), -EIO);
	assert_int_equal(kernel.taken, 5);
	harness_close(&h);
}

static void test_error(void **state)
{
	(void)state;
	begin();
	result_is(-ENOSPC);
	assert_int_equal(write_all(0), -ENOSPC);
	assert_false(in_file());
	harness_close(&h);
}

/* A request that comes back with EAGAIN is the lane's to try again. */
static void test_again(void **state)
{
	(void)state;
	begin();
	result_is(-EAGAIN);
	assert_int_equal(write_all(0), -EAGAIN);
	assert_int_equal(kernel.taken, 1);
	assert_int_equal(write_all(0), 0);
	assert_int_equal(kernel.taken, 2);
	harness_close(&h);
}

/* File systems that cannot sync, or write through, asynchronously. */
static void test_no_such_call(void **state)
{
	(void)state;
	begin();
	result_is(-EINVAL);
	assert_int_equal(harness_do(&h, BLKTAP_OP_FLUSH, 0, 0, 0, NULL), 0);
	assert_true(kernel.asked[0].flush);
	h.image->limits.fua_syncs = false;
	result_is(-EOPNOTSUPP);
	assert_int_equal(write_all(BLKTAP_REQ_FUA), 0);
	assert_true(in_file());
	/* These are errors of the request: */
	result_is(-EINVAL);
	assert_int_equal(write_all(0), -EINVAL);
	result_is(-EOPNOTSUPP);
	assert_int_equal(write_all(0), -EOPNOTSUPP);
	result_is(-EIO);
	assert_int_equal(harness_do(&h, BLKTAP_OP_FLUSH, 0, 0, 0, NULL), -EIO);
	harness_close(&h);
}

static int flush(void)
{
	return harness_do(&h, BLKTAP_OP_FLUSH, 0, 0, 0, NULL);
}

/* Where nothing is kept back the next one may succeed, but it is not for the lane to try. */
static void test_flush_is_not_tried_again(void **state)
{
	static const int errnos[] = { EAGAIN, EBUSY, EINTR, ENOMEM };
	unsigned int i;

	(void)state;
	begin();
	for (i = 0; i < 4; i++) {
		result_is(-errnos[i]);
		assert_int_equal(flush(), -EIO);
		assert_int_equal(flush(), 0);
		result_is(WHOLE);
		/* by a worker */
		result_is(-EINVAL);
		fake_sync.lost = errnos[i];
		assert_int_equal(flush(), -EIO);
		assert_int_equal(flush(), 0);
		result_is(WHOLE);
	}
	assert_int_equal(fake_sync.calls, 4);
	assert_false(image_damaged(h.image));
	assert_int_equal(image_sync(h.image), 0);
	assert_int_equal(fake_sync.calls, 4);
	result_is(-ENOSPC);
	assert_int_equal(flush(), -ENOSPC);
	harness_close(&h);
}

/* What the page cache has lost stays lost, whoever asks. */
static void check_loss(int error, int code, uint16_t flags)
{
	assert_int_equal(harness_open(&h, spec, false, true), 0);
	assert_int_equal(write_all(0), 0);
	assert_int_equal(flush(), 0);
	assert_int_equal(write_all(BLKTAP_REQ_FUA), 0);
	assert_false(image_damaged(h.image));
	fake_sync.lost = error;
	assert_int_equal(flags ? write_all(flags) : flush(), code);
	assert_true(image_damaged(h.image));
	assert_int_equal(flush(), -EIO);
	assert_int_equal(write_all(BLKTAP_REQ_FUA), -EIO);
	assert_int_equal(image_sync(h.image), -EIO);
	/* The rest goes on. */
	assert_int_equal(write_all(0), 0);
	assert_int_equal(harness_do(&h, BLKTAP_OP_READ, 0, 0, LENGTH, data), 0);
	harness_close(&h);
	assert_int_equal(harness_open(&h, spec, false, true), 0);
	assert_int_equal(flush(), 0);
	harness_close(&h);
}

static void test_lost_in_page_cache(void **state)
{
	static const int errnos[] = { EAGAIN, EBUSY, EINTR, ENOMEM, EIO };
	unsigned int i;

	(void)state;
	for (i = 0; i < 5; i++) {
		check_loss(errnos[i], -EIO, 0);
		check_loss(errnos[i], -EIO, BLKTAP_REQ_FUA);
	}
	check_loss(ENOSPC, -ENOSPC, 0);
	check_loss(ENOSPC, -ENOSPC, BLKTAP_REQ_FUA);
	assert_int_equal(kernel.setups, 0);
}

/* Two at the same time, of which the kernel tells one, and that one hears of it late. */
static void test_flushes_side_by_side(void **state)
{
	struct harness_request r[2];
	unsigned int i;

	(void)state;
	assert_int_equal(harness_open(&h, spec, false, true), 0);
	fake_sync.lost = EIO;
	fake_sync.slow_us = 100000;
	for (i = 0; i < 2; i++)
		harness_submit(&h, &r[i], BLKTAP_OP_FLUSH, 0, 0, 0, NULL);
	for (i = 0; i < 2; i++)
		assert_int_equal(harness_wait(&h, &r[i]), -EIO);
	harness_close(&h);
}

/* Who wants it to be there before the image goes. */
static void test_sync(void **state)
{
	(void)state;
	assert_int_equal(harness_open(&h, spec, false, true), 0);
	assert_int_equal(image_sync(h.image), 0);
	assert_int_equal(fake_sync.calls, 1);
	fake_sync.lost = ENOMEM;
	assert_int_equal(image_sync(h.image), -EIO);
	assert_int_equal(flush(), -EIO);
	harness_close(&h);
	/* No page of it was written by a reader. */
	fake_sync.lost = EIO;
	assert_int_equal(harness_open(&h, spec, true, true), 0);
	assert_int_equal(image_sync(h.image), 0);
	harness_close(&h);
}

/* Writing through is asked for where it can be relied on; elsewhere a thread writes and syncs. */
static void test_durable(void **state)
{
	(void)state;
	begin();
	h.image->limits.fua_syncs = false;
	assert_int_equal(write_all(BLKTAP_REQ_FUA), 0);
	assert_int_equal(kernel.taken, 1);
	assert_int_equal(kernel.asked[0].rw_flags, RWF_DSYNC);
	h.image->limits.fua_syncs = true;
	assert_int_equal(write_all(0), 0);
	assert_int_equal(kernel.taken, 2);
	assert_int_equal(kernel.asked[1].rw_flags, 0);
	assert_false(in_file());
	assert_int_equal(write_all(BLKTAP_REQ_FUA), 0);
	assert_int_equal(kernel.taken, 2);
	assert_true(in_file());
	harness_close(&h);
}

/* The contexts of all processes share what there is. */
static void test_small_context(void **state)
{
	(void)state;
	kernel.setup_error = EAGAIN;
	begin();
	assert_true(kernel.setups > 1);
	assert_int_equal(kernel.setup_events, 16);
	assert_int_equal(write_all(0), 0);
	assert_int_equal(kernel.taken, 1);
	harness_close(&h);
}

static void test_no_context(void **state)
{
	(void)state;
	kernel.setup_error = ENOSYS;
	begin();
	assert_int_equal(kernel.setups, 1);
	assert_int_equal(write_all(0), 0);
	assert_int_equal(harness_do(&h, BLKTAP_OP_FLUSH, 0, 0, 0, NULL), 0);
	assert_int_equal(kernel.submits, 0);
	assert_true(in_file());
	harness_close(&h);
}

/* A ring of another layout is not looked into. */
static void test_other_ring(void **state)
{
	(void)state;
	kernel.magic = 1;
	begin();
	assert_int_equal(write_all(0), 0);
	assert_true(kernel.got > 0);
	harness_close(&h);
}

#define TEST(test)	cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_whole),
		TEST(test_short_of_memory),
		TEST(test_out_of_memory),
		TEST(test_room_for_one),
		TEST(test_interrupted),
		TEST(test_refused),
		TEST(test_in_parts),
		TEST(test_no_progress),
		TEST(test_error),
		TEST(test_again),
		TEST(test_no_such_call),
		TEST(test_flush_is_not_tried_again),
		TEST(test_lost_in_page_cache),
		TEST(test_flushes_side_by_side),
		TEST(test_sync),
		TEST(test_durable),
		TEST(test_small_context),
		TEST(test_no_context),
		TEST(test_other_ring),
	};

	blktap_log_init("test", BLKTAP_LOG_STDERR, LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
