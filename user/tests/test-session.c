// SPDX-License-Identifier: LGPL-2.1-or-later
/* A session from opening to closing, on a ring node that is a file in memory. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "queue.h"

#define QUEUES	2
#define NODE	"/dev/" BLKTAP_DEV_DIR "/"

static struct {
	int open_error;
	int attach_error;
	struct blktap_attach layout;
	unsigned int queue_fds, queue_fds_max;	/* given, and when they run out */
	int error;				/* of all other calls */
	unsigned long request;			/* the last of them, */
	struct blktap_start start;		/* and its arguments */
	struct blktap_enter enter, entered;	/* likewise, and what ENTER says */
} kernel;

static uint64_t page;
static struct blktap_error err;
static struct blktap_ring *ring;

/* ---------------------------------------------- these two are the C library's */

int open(const char *path, int flags, ...)
{
	va_list list;
	mode_t mode;
	int fd;

	va_start(list, flags);
	mode = va_arg(list, int);
	va_end(list);
	if (strncmp(path, NODE, strlen(NODE)) != 0)
		return openat(AT_FDCWD, path, flags, mode);
	assert_string_equal(path, NODE "blktap3");
	errno = kernel.open_error;
	if (errno)
		return -1;
	fd = memfd_create("ring", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, 16 * page), 0);
	return fd;
}

static int attach(struct blktap_attach *args)
{
	errno = kernel.attach_error;
	if (errno)
		return -1;
	*args = kernel.layout;
	return 0;
}

static int give_queue_fd(void)
{
	if (kernel.queue_fds < kernel.queue_fds_max) {
		kernel.queue_fds++;
		return dup(0);
	}
	errno = EMFILE;
	return -1;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list list;
	void *args;

	(void)fd;
	va_start(list, request);
	args = va_arg(list, void *);
	va_end(list);
	if (request == BLKTAP_IOC_ATTACH)
		return attach(args);
	if (request == BLKTAP_IOC_GET_QUEUE_FD)
		return give_queue_fd();
	kernel.request = request;
	if (request == BLKTAP_IOC_START)
		memcpy(&kernel.start, args, sizeof(kernel.start));
	if (request == BLKTAP_IOC_ENTER) {
		memcpy(&kernel.enter, args, sizeof(kernel.enter));
		memcpy(args, &kernel.entered, sizeof(kernel.entered));
	}
	errno = kernel.error;
	return errno ? -1 : 0;
}

/* ----------------------------------------------------------------------------- */

static int set_up(void **state)
{
	(void)state;
	page = sysconf(_SC_PAGESIZE);
	memset(&kernel, 0, sizeof(kernel));
	memset(&err, 0, sizeof(err));
	kernel.queue_fds_max = QUEUES;
	kernel.layout = (struct blktap_attach){
		.size = sizeof(kernel.layout), .minor = 3, .epoch = 1,
		.queues = QUEUES, .depth = 2, .max_io = 4096, .sq_entries = 2, .cq_entries = 2,
		.sqe_offset = 128, .sqe_stride = 4, .desc_offset = 256, .desc_stride = 64,
		.cqe_offset = 128, .cqe_stride = 32,
		.sq_area_stride = page, .sq_area_bytes = page,
		.cq_area = 4 * page, .cq_area_stride = page, .cq_area_bytes = page,
		.buffer_area = 8 * page, .buffer_area_stride = 2 * page,
		.buffer_area_bytes = 2 * page,
	};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	blktap_ring_close(ring);
	ring = NULL;
	return 0;
}

static void open_well(void)
{
	assert_int_equal(blktap_ring_open(&ring, 3, 0, &err), 0);
}

/* How many of the node's places are mapped. */
static unsigned int mapped(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	unsigned int count = 0;
	char line[512];

	while (fgets(line, sizeof(line), file))
		count += strstr(line, "memfd:ring") != NULL;
	fclose(file);
	return count;
}

static void open_badly(int code, const char *text)
{
	int lowest = dup(0), again;

	close(lowest);
	assert_int_equal(blktap_ring_open(&ring, 3, 0, &err), code);
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.text, text));
	assert_null(ring);
	/* Nothing is left open or mapped. */
	assert_int_equal(mapped(), 0);
	again = dup(0);
	close(again);
	assert_int_equal(again, lowest);
}

static void test_open(void **state)
{
	(void)state;
	open_well();
	assert_int_equal(blktap_ring_minor(ring), 3);
	assert_int_equal(blktap_ring_queues(ring), QUEUES);
	assert_int_equal(blktap_ring_depth(ring), 2);
	assert_int_equal(blktap_ring_max_io(ring), 4096);
	assert_int_equal(blktap_ring_features(ring), 0);
	assert_non_null(blktap_ring_queue(ring, QUEUES - 1));
	assert_null(blktap_ring_queue(ring, QUEUES));
	assert_int_equal(kernel.queue_fds, QUEUES);
	assert_true(mapped() > 0);
}

/* Each queue has places of its own in the node. */
static void test_places(void **state)
{
	unsigned int i;
	char byte;

	(void)state;
	open_well();
	for (i = 0; i < QUEUES; i++) {
		struct blktap_queue *queue = blktap_ring_queue(ring, i);

		queue->cq->cq_tail = 'a' + i;
		queue->buffer[page] = 'A' + i;
		assert_int_equal(pread(blktap_ring_fd(ring), &byte, 1, (4 + i) * page), 1);
		assert_int_equal(byte, 'a' + i);
		assert_int_equal(pread(blktap_ring_fd(ring), &byte, 1, (9 + 2 * i) * page), 1);
		assert_int_equal(byte, 'A' + i);
	}
}

static void test_no_node(void **state)
{
	(void)state;
	/* No such minor, as /sys does not know it either. */
	kernel.open_error = ENOENT;
	open_badly(-ENODEV, "no tap with minor 3");
	kernel.open_error = ENXIO;
	open_badly(-ENODEV, "no tap with minor 3");
	kernel.open_error = EPERM;
	open_badly(-EACCES, "not permitted");
	kernel.open_error = EMFILE;
	open_badly(-EMFILE, "cannot open");
}

static void test_attach_refused(void **state)
{
	(void)state;
	kernel.attach_error = EBUSY;
	open_badly(-EBUSY, "attached to another process");
	kernel.attach_error = ENODEV;
	open_badly(-ENODEV, "has been freed");
	kernel.attach_error = ENOTTY;
	open_badly(-EPROTO, "is not a blktap ring");
	kernel.attach_error = ENOMEM;
	open_badly(-ENOMEM, "cannot attach");
}

#define BAD(field, value, text)						\
	do {								\
		const struct blktap_attach good_ = kernel.layout;	\
		kernel.layout.field = (value);				\
		open_badly(-EPROTO, text);				\
		kernel.layout = good_;					\
	} while (0)

/* A module that disagrees is found out before anything is touched. */
static void test_bad_numbers(void **state)
{
	(void)state;
	BAD(minor, 4, "another minor");
	BAD(features, BLKTAP_F_REDIRECT, "not asked for");
	BAD(queues, 0, "number of queues");
	BAD(queues, 65537, "number of queues");
	BAD(depth, 0, "the depth");
	BAD(depth, BLKTAP_MAX_DEPTH + 1, "the depth");
	BAD(max_io, BLKTAP_MIN_IO - 1, "maximum I/O size");
	BAD(max_io, BLKTAP_MAX_IO + 1, "maximum I/O size");
	BAD(sq_entries, 1, "size of the submission ring");
	BAD(sq_entries, 3, "size of the submission ring");
	BAD(sq_entries, 1 << 17, "size of the submission ring");
	BAD(cq_entries, 1, "size of the completion ring");
	BAD(cq_entries, 3, "size of the completion ring");
	assert_int_equal(kernel.queue_fds, 0);
}

static void test_bad_areas(void **state)
{
	(void)state;
	BAD(sq_area, 512, "submission area");
	BAD(sq_area_bytes, 0, "submission area");
	BAD(sq_area_bytes, page + 1, "submission area");
	BAD(cq_area_stride, 0, "completion area");
	BAD(cq_area_stride, UINT64_MAX - page + 1, "completion area");
	BAD(cq_area, INT64_MAX - page + 1, "completion area");
	BAD(buffer_area_stride, page, "buffer area");
	BAD(max_io, 4 * page, "buffer area");
	BAD(sqe_offset, 64, "submission ring");
	BAD(sqe_offset, 130, "submission ring");
	BAD(sqe_offset, page - 4, "submission ring");
	BAD(sqe_stride, 2, "submission ring");
	BAD(desc_offset, page, "descriptors");
	BAD(desc_stride, 1U << 31, "descriptors");
	BAD(cqe_offset, page + 8, "completion ring");
	BAD(cqe_stride, 24, "completion ring");
	assert_int_equal(kernel.queue_fds, 0);
}

/* What the first queue has got is given back when the second gets nothing. */
static void test_second_queue_fails(void **state)
{
	(void)state;
	kernel.queue_fds_max = 1;
	open_badly(-EMFILE, "no descriptor for queue 1 of tap 3");
	assert_int_equal(kernel.queue_fds, 1);
}

static void test_disk_errors(void **state)
{
	struct blktap_start start = { .capacity = 8192, .logical_block_size = 512 };
	struct blktap_state disk;
	static const struct {
		int error;
		const char *start, *stop;
	} says[] = {
		{ EMEDIUMTYPE, "8192 bytes in blocks of 512", "cannot stop" },
		{ EALREADY, "started already", "cannot stop" },
		{ EBUSY, "still being removed", "still open" },
		{ ENODEV, "has ended", "no disk tapdev3" },
		{ ENOMEM, "cannot start", "cannot stop" },
	};
	size_t i;

	(void)state;
	open_well();
	for (i = 0; i < sizeof(says) / sizeof(says[0]); i++) {
		kernel.error = says[i].error;
		assert_int_equal(blktap_ring_start(ring, &start, &err), -kernel.error);
		assert_non_null(strstr(err.text, says[i].start));
		assert_int_equal(blktap_ring_stop(ring, false, &err), -kernel.error);
		assert_non_null(strstr(err.text, says[i].stop));
	}
	assert_int_equal(kernel.start.size, sizeof(start));
	assert_int_equal(blktap_ring_resize(ring, 512, &err), -ENOMEM);
	assert_non_null(strstr(err.text, "cannot resize tapdev3 to 512 bytes"));
	assert_int_equal(blktap_ring_state(ring, &disk, &err), -ENOMEM);
	assert_non_null(strstr(err.text, "cannot read the state"));
	kernel.error = 0;
	assert_int_equal(blktap_ring_start(ring, &start, &err), 0);
	assert_int_equal(blktap_ring_resize(ring, 512, &err), 0);
	assert_int_equal(blktap_ring_stop(ring, false, &err), 0);
	assert_int_equal(kernel.request, BLKTAP_IOC_STOP);
}

static void test_wait(void **state)
{
	struct blktap_wait wait = { .fd = 9, .timeout_ns = -1, .spin_ns = 7 };
	struct blktap_queue *queue;

	(void)state;
	open_well();
	queue = blktap_ring_queue(ring, 0);
	kernel.entered.ready = BLKTAP_READY_ALSO;
	kernel.entered.waited = 5;
	kernel.entered.delayed = 4;
	assert_int_equal(blktap_queue_wait(queue, &wait), 0);
	assert_int_equal(kernel.enter.flags, BLKTAP_ENTER_WAIT | BLKTAP_ENTER_ALSO);
	assert_int_equal(kernel.enter.fd, 9);
	assert_int_equal(kernel.enter.spin, 7);
	assert_true(wait.fd_ready && !wait.spun);
	assert_int_equal(wait.waited_ns, 5);
	assert_int_equal(wait.delayed_ns, 4);
	wait.fd = -1;
	assert_int_equal(blktap_queue_wait(queue, &wait), 0);
	assert_int_equal(kernel.enter.flags, BLKTAP_ENTER_WAIT);
	assert_int_equal(kernel.enter.fd, 0);
}

/* Whether an ENTER that fails has taken what was posted. */
static void test_enter_fails(void **state)
{
	static const struct {
		int error;
		bool took;
	} calls[] = { { EINTR, true }, { ETIME, true }, { ENODEV, false }, { EBUSY, false } };
	struct blktap_queue *queue;
	size_t i;

	(void)state;
	open_well();
	queue = blktap_ring_queue(ring, 0);
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		uint32_t before = queue->cq_entered;

		queue->cq_tail = before + 1;
		kernel.error = calls[i].error;
		assert_int_equal(blktap_queue_enter(queue, false, 0), -calls[i].error);
		assert_int_equal(queue->cq->cq_tail, before + 1);
		assert_int_equal(queue->cq_entered, before + calls[i].took);
		queue->cq_entered = queue->cq_tail;
	}
	queue->broken = true;
	kernel.error = 0;
	kernel.request = 0;
	assert_int_equal(blktap_queue_enter(queue, false, 0), -EPROTO);
	assert_int_equal(kernel.request, 0);
}

#define TEST(test)	cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_open),
		TEST(test_places),
		TEST(test_no_node),
		TEST(test_attach_refused),
		TEST(test_bad_numbers),
		TEST(test_bad_areas),
		TEST(test_second_queue_fails),
		TEST(test_disk_errors),
		TEST(test_wait),
		TEST(test_enter_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
