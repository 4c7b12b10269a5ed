// SPDX-License-Identifier: LGPL-2.1-or-later
/* The calls on a ring node, with a kernel that is a function of this test. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "queue.h"

#define F_ALL	(BLKTAP_F_DATA_ON_DEMAND | BLKTAP_F_REDIRECT | BLKTAP_F_EXTENTS)

static struct {
	uint64_t has;			/* features that it has built */
	uint64_t asked[64];
	uint32_t flags;			/* of the last ATTACH */
	uint32_t pid;
	uint32_t session;		/* whose the tap is; 0: nobody asks */
	bool older;			/* and knows none */
	unsigned int attaches;
	struct blktap_attach layout;	/* what ATTACH returns */

	int errors[8];			/* of the calls, one after the other */
	unsigned int calls;
	unsigned long requests[8];
	union {
		struct blktap_register_file reg;
		struct blktap_unregister_file unreg;
		struct blktap_map_extent map;
		struct blktap_unmap_extent unmap;
		struct blktap_fetch fetch;
		struct blktap_hold hold;
	} args[8];
} kernel;

static int attach(struct blktap_attach *args)
{
	kernel.asked[kernel.attaches++] = args->features;
	kernel.flags = args->flags;
	kernel.pid = args->pid;
	if (args->flags && kernel.older) {
		errno = EINVAL;
		return -1;
	}
	if (args->features & ~kernel.has) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (args->pid && kernel.session && args->pid != kernel.session) {
		errno = ESTALE;
		return -1;
	}
	kernel.layout.size = args->size;
	kernel.layout.features = args->features;
	kernel.layout.flags = args->flags;
	*args = kernel.layout;
	return 0;
}

/* These two take the place of the C library's, this one for ring nodes alone. */
int open(const char *path, int flags, ...)
{
	va_list list;
	mode_t mode;

	if (strncmp(path, "/dev/" BLKTAP_DEV_DIR "/", strlen("/dev/" BLKTAP_DEV_DIR "/")) == 0)
		return dup(0);
	va_start(list, flags);
	mode = va_arg(list, int);
	va_end(list);
	return openat(AT_FDCWD, path, flags, mode);
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
	kernel.requests[kernel.calls] = request;
	memcpy(&kernel.args[kernel.calls], args, _IOC_SIZE(request));
	if (request == BLKTAP_IOC_REGISTER_FILE)
		((struct blktap_register_file *)args)->slot = 11;
	errno = kernel.errors[kernel.calls++];
	return errno ? -1 : 0;
}

static int set_up(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	return 0;
}

/* ------------------------------------------------------------------- features */

/* The layout is nonsense: what counts is what was asked for before it was found out. */
static int open_ring(uint64_t features)
{
	struct blktap_ring *ring;

	return blktap_ring_open(&ring, 3, features, NULL);
}

static void test_features(void **state)
{
	(void)state;
	kernel.has = F_ALL;
	kernel.layout.minor = 3;
	assert_int_equal(open_ring(F_ALL), -EPROTO);
	assert_int_equal(kernel.attaches, 1);
	assert_int_equal(kernel.asked[0], F_ALL);
}

static void test_older_module(void **state)
{
	(void)state;
	assert_int_equal(open_ring(F_ALL), -EPROTO);
	assert_int_equal(kernel.attaches, 8);
	assert_int_equal(kernel.asked[7], 0);
}

static void test_some_features(void **state)
{
	(void)state;
	kernel.has = BLKTAP_F_REDIRECT | BLKTAP_F_HOLD;
	assert_int_equal(open_ring(F_ALL), -EPROTO);
	assert_int_equal(kernel.asked[kernel.attaches - 1], BLKTAP_F_REDIRECT);
}

static void test_no_features(void **state)
{
	(void)state;
	kernel.has = F_ALL;
	assert_int_equal(open_ring(0), -EPROTO);
	assert_int_equal(kernel.attaches, 1);
	assert_int_equal(kernel.asked[0], 0);
}

/* ------------------------------------------------------------------- takeover */

static void test_takeover(void **state)
{
	struct blktap_error err;
	struct blktap_ring *ring;

	(void)state;
	kernel.has = F_ALL | BLKTAP_F_TAKEOVER;
	kernel.layout.minor = 3;
	assert_int_equal(open_ring(F_ALL), -EPROTO);
	assert_int_equal(kernel.flags, 0);
	assert_int_equal(kernel.pid, 0);
	assert_int_equal(blktap_ring_take_over(&ring, -1, 3, 77, F_ALL | BLKTAP_F_TAKEOVER, &err),
			 -EPROTO);
	assert_int_equal(kernel.flags, BLKTAP_ATTACH_TAKEOVER);
	assert_int_equal(kernel.pid, 77);
	kernel.session = 78;
	assert_int_equal(blktap_ring_take_over(&ring, -1, 3, 77, BLKTAP_F_TAKEOVER, &err), -ESTALE);
	assert_string_equal(err.text, "tap 3 is not served by process 77");
	kernel.older = true;
	assert_int_equal(blktap_ring_take_over(&ring, -1, 3, 77, BLKTAP_F_TAKEOVER, &err),
			 -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "takeover"));
}

/* Fragments that would lie outside of what is mapped. */
static void test_bad_fragments(void **state)
{
	uint64_t page = sysconf(_SC_PAGESIZE);
	struct blktap_error err;
	struct blktap_ring *ring;

	(void)state;
	kernel.has = BLKTAP_F_REDIRECT;
	kernel.layout = (struct blktap_attach){
		.minor = 3, .queues = 1, .depth = 1, .max_io = 4096,
		.sq_entries = 1, .cq_entries = 1,
		.sqe_offset = 128, .sqe_stride = 4, .desc_offset = 256, .desc_stride = 64,
		.cqe_offset = 128, .cqe_stride = 32,
		.sq_area_bytes = page, .cq_area_bytes = page, .buffer_area_bytes = page,
		.fragment_offset = page - 32, .fragments = 2, .fragments_max = 1,
	};
	assert_int_equal(blktap_ring_open(&ring, 3, F_ALL, &err), -EPROTO);
	assert_non_null(strstr(err.text, "the fragments"));
	kernel.layout.fragment_offset = 256;
	kernel.layout.fragments_max = 3;
	assert_int_equal(blktap_ring_open(&ring, 3, F_ALL, &err), -EPROTO);
	assert_non_null(strstr(err.text, "the fragments"));
	/* Then it is the mapping that fails. */
	kernel.layout.fragments_max = 2;
	assert_int_not_equal(blktap_ring_open(&ring, 3, F_ALL, &err), 0);
	assert_null(strstr(err.text, "the fragments"));
}

/* ---------------------------------------------------------- files and extents */

/* The calls look at no more than its descriptor and minor. */
static char nothing[512];
static struct blktap_ring *const ring = (void *)nothing;

static void test_register(void **state)
{
	struct blktap_error err;
	uint32_t slot = 0;

	(void)state;
	kernel.errors[0] = EINTR;
	assert_int_equal(blktap_ring_register_file(ring, 9, BLKTAP_FILE_READ, &slot, &err), 0);
	assert_int_equal(kernel.calls, 2);
	assert_int_equal(slot, 11);
	assert_int_equal(kernel.args[1].reg.fd, 9);
	assert_int_equal(kernel.args[1].reg.size, sizeof(struct blktap_register_file));
	kernel.errors[2] = ELOOP;
	assert_int_equal(blktap_ring_register_file(ring, 9, BLKTAP_FILE_READ, &slot, &err), -ELOOP);
	assert_int_equal(err.code, -ELOOP);
}

/* The slot is free then: the wait goes on as one for extents, until it succeeds. */
static void test_interrupted_unregister(void **state)
{
	(void)state;
	kernel.errors[0] = EINTR;
	kernel.errors[1] = ENOMEM;
	assert_int_equal(blktap_ring_unregister_file(ring, 4, true, NULL), 0);
	assert_int_equal(kernel.calls, 3);
	assert_int_equal(kernel.requests[0], BLKTAP_IOC_UNREGISTER_FILE);
	assert_int_equal(kernel.args[0].unreg.slot, 4);
	assert_int_equal(kernel.args[0].unreg.flags, BLKTAP_UNMAP_WAIT);
	assert_int_equal(kernel.requests[2], BLKTAP_IOC_UNMAP_EXTENT);
	assert_int_equal(kernel.args[2].unmap.flags, BLKTAP_UNMAP_WAIT);
	assert_true(kernel.args[2].unmap.length == UINT64_MAX);
}

static void test_map_and_unmap(void **state)
{
	const struct blktap_extent extent = {
		.offset = 4096, .length = 8192, .slot = 2, .file_offset = 512,
		.flags = BLKTAP_FILE_READ | BLKTAP_FILE_WRITE,
	};

	(void)state;
	assert_int_equal(blktap_ring_map_extent(ring, &extent, NULL), 0);
	assert_int_equal(kernel.args[0].map.offset, 4096);
	assert_int_equal(kernel.args[0].map.length, 8192);
	assert_int_equal(kernel.args[0].map.slot, 2);
	assert_int_equal(kernel.args[0].map.file_offset, 512);
	assert_int_equal(kernel.args[0].map.flags, extent.flags);
	kernel.errors[1] = EINTR;
	assert_int_equal(blktap_ring_unmap_extent(ring, 512, 1024, true, NULL), 0);
	assert_int_equal(kernel.calls, 3);
	assert_int_equal(kernel.args[2].unmap.offset, 512);
	assert_int_equal(kernel.args[2].unmap.length, 1024);
	assert_int_equal(kernel.args[2].unmap.flags, BLKTAP_UNMAP_WAIT);
	assert_int_equal(blktap_ring_unmap_extent(ring, 0, 512, false, NULL), 0);
	assert_int_equal(kernel.args[3].unmap.flags, 0);
	kernel.errors[4] = ENOSPC;
	assert_int_equal(blktap_ring_map_extent(ring, &extent, NULL), -ENOSPC);
}

static void test_hold(void **state)
{
	struct blktap_error err;

	(void)state;
	assert_int_equal(blktap_ring_hold(ring, &err), 0);
	assert_int_equal(kernel.requests[0], BLKTAP_IOC_HOLD);
	assert_int_equal(kernel.args[0].hold.size, sizeof(struct blktap_hold));
	kernel.errors[1] = EALREADY;
	assert_int_equal(blktap_ring_hold(ring, &err), -EALREADY);
	kernel.errors[2] = ENODEV;
	assert_int_equal(blktap_ring_release(ring, &err), -ENODEV);
	assert_int_equal(kernel.requests[2], BLKTAP_IOC_RELEASE);
}

static void test_fetch(void **state)
{
	const struct blktap_request req = { .tag = 7, .generation = 99 };
	struct blktap_queue queue = { .fd = -1 };

	(void)state;
	assert_int_equal(blktap_queue_fetch(&queue, &req), 0);
	assert_int_equal(kernel.args[0].fetch.tag, 7);
	assert_int_equal(kernel.args[0].fetch.generation, 99);
	kernel.errors[1] = ESTALE;
	assert_int_equal(blktap_queue_fetch(&queue, &req), -ESTALE);
}

#define TEST(test)	cmocka_unit_test_setup(test, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_features),
		TEST(test_older_module),
		TEST(test_some_features),
		TEST(test_no_features),
		TEST(test_takeover),
		TEST(test_bad_fragments),
		TEST(test_register),
		TEST(test_interrupted_unregister),
		TEST(test_map_and_unmap),
		TEST(test_hold),
		TEST(test_fetch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
