// SPDX-License-Identifier: GPL-2.0-only
/*
 * aio: images, in files of their own below TMPDIR.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "harness.h"

#define MIB	(1 << 20)
#define TMPFS	0x01021994

static char directory[64];
static char spec[128];
static const char *path;

static int set_up(void **state)
{
	const char *base = getenv("TMPDIR");

	(void)state;
	snprintf(directory, sizeof(directory), "%s/tapdisk-XXXXXX",
		 base && strlen(base) < 32 ? base : "/var/tmp");
	if (!mkdtemp(directory))
		return -1;
	snprintf(spec, sizeof(spec), "aio:%s/image", directory);
	path = spec + 4;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	umount2(directory, MNT_DETACH);
	unlink(path);
	return rmdir(directory);
}

static void make_file(off_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

static blkcnt_t blocks(void)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_blocks;
}

static void expect_failure(const char *what, int code, const char *text)
{
	struct harness h;

	assert_int_equal(harness_open(&h, what, false, false), code);
	assert_int_equal(h.err.code, code);
	if (!strstr(h.err.text, text))
		fail_msg("\"%s\" does not say \"%s\"", h.err.text, text);
}

static void test_refusals(void **state)
{
	(void)state;
	expect_failure("aio:/does/not/exist", -ENOENT, "/does/not/exist does not exist");
	expect_failure("aio:/", -EISDIR, "/ is a directory");
	expect_failure("aio:/dev/null", -EINVAL, "neither a file nor a block device");
	make_file(0);
	expect_failure(spec, -EINVAL, "is empty");
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	expect_failure(spec, -EINVAL, "neither a file nor a block device");
}

static void check_round_trip(bool no_direct)
{
	char *out = harness_buffer(MIB, 0), *in = harness_buffer(MIB, 0);
	struct harness h;
	unsigned int i;

	for (i = 0; i < MIB; i++)
		out[i] = i * 7 + i / 512;
	make_file(2 * MIB + 512);
	assert_int_equal(harness_open(&h, spec, false, no_direct), 0);
	assert_int_equal(h.image->limits.capacity, 2 * MIB + 512);
	assert_int_equal(harness_do(&h, BLKTAP_OP_WRITE, 0, 512, MIB, out), 0);
	assert_int_equal(harness_do(&h, BLKTAP_OP_WRITE, BLKTAP_REQ_FUA, MIB + 512, MIB, out), 0);
	assert_int_equal(harness_do(&h, BLKTAP_OP_FLUSH, 0, 0, 0, NULL), 0);
	assert_int_equal(harness_do(&h, BLKTAP_OP_READ, 0, 512, MIB, in), 0);
	assert_memory_equal(in, out, MIB);
	/* the last block of all */
	memset(in, 0, MIB);
	assert_int_equal(harness_do(&h, BLKTAP_OP_READ, 0, 2 * MIB, 512, in), 0);
	assert_memory_equal(in, out + MIB - 512, 512);
	harness_close(&h);
	free(in);
	free(out);
}

static void test_direct(void **state)
{
	(void)state;
	check_round_trip(false);
}

static void test_page_cache(void **state)
{
	(void)state;
	check_round_trip(true);
}

/* More than the context holds and than a batch takes. */
static void test_many_at_once(void **state)
{
	enum { COUNT = 500 };
	static struct harness_request requests[COUNT];
	char *out = harness_buffer(COUNT * 4096, 0), *in = harness_buffer(COUNT * 4096, 0);
	struct harness h;
	unsigned int i;

	(void)state;
	for (i = 0; i < COUNT; i++)
		memset(out + i * 4096, i, 4096);
	make_file(COUNT * 4096);
	assert_int_equal(harness_open(&h, spec, false, false), 0);
	for (i = 0; i < COUNT; i++)
		harness_submit(&h, &requests[i], BLKTAP_OP_WRITE, 0, i * 4096, 4096,
			       out + i * 4096);
	for (i = 0; i < COUNT; i++)
		assert_int_equal(harness_wait(&h, &requests[i]), 0);
	for (i = 0; i < COUNT; i++)
		harness_submit(&h, &requests[i], BLKTAP_OP_READ, 0, i * 4096, 4096,
			       in + i * 4096);
	for (i = 0; i < COUNT; i++)
		assert_int_equal(harness_wait(&h, &requests[i]), 0);
	assert_memory_equal(in, out, COUNT * 4096);
	harness_close(&h);
	free(in);
	free(out);
}

static void test_discard_and_zeroes(void **state)
{
	struct harness h;
	blkcnt_t full;
	char *data;

	(void)state;
	make_file(MIB);
	assert_int_equal(harness_open(&h, spec, false, false), 0);
	if (!h.image->limits.max_discard) {
		harness_close(&h);
		skip();
	}
	data = harness_buffer(MIB, 'd');
	assert_int_equal(harness_do(&h, BLKTAP_OP_WRITE, 0, 0, MIB, data), 0);
	full = blocks();
	assert_true(full >= MIB / 512);
	assert_int_equal(harness_do(&h, BLKTAP_OP_DISCARD, 0, 0, MIB / 4, NULL), 0);
	assert_int_equal(full - blocks(), MIB / 4 / 512);
	assert_int_equal(harness_do(&h, BLKTAP_OP_WRITE_ZEROES, 0, MIB / 4, MIB / 4, NULL), 0);
	assert_int_equal(full - blocks(), MIB / 2 / 512);
	/* kept allocated */
	assert_int_equal(harness_do(&h, BLKTAP_OP_WRITE_ZEROES, BLKTAP_REQ_NOUNMAP, MIB / 2,
				    MIB / 4, NULL), 0);
	assert_int_equal(full - blocks(), MIB / 2 / 512);
	assert_int_equal(harness_do(&h, BLKTAP_OP_READ, 0, 0, MIB, data), 0);
	assert_int_equal(data[0] | data[MIB / 4] | data[MIB / 2] | data[MIB / 4 * 3 - 1], 0);
	assert_int_equal(data[MIB / 4 * 3], 'd');
	harness_close(&h);
	free(data);
}

static void test_locks(void **state)
{
	struct harness writer, reader, other;

	(void)state;
	make_file(MIB);
	assert_int_equal(harness_open(&writer, spec, false, false), 0);
	expect_failure(spec, -EAGAIN, "is open for writing elsewhere");
	assert_int_equal(harness_open(&reader, spec, true, false), -EAGAIN);
	harness_close(&writer);
	assert_int_equal(harness_open(&reader, spec, true, false), 0);
	assert_int_equal(harness_open(&other, spec, true, false), 0);
	expect_failure(spec, -EAGAIN, "is open for reading elsewhere");
	harness_close(&reader);
	expect_failure(spec, -EAGAIN, "is open for reading elsewhere");
	harness_close(&other);
	assert_int_equal(harness_open(&writer, spec, false, false), 0);
	harness_close(&writer);
}

static void test_read_only(void **state)
{
	struct harness h;

	(void)state;
	make_file(MIB);
	assert_int_equal(chmod(path, 0400), 0);
	assert_int_equal(harness_open(&h, spec, true, false), 0);
	assert_true(h.image->read_only);
	assert_int_equal(h.image->limits.max_discard, 0);
	assert_int_equal(h.image->limits.max_write_zeroes, 0);
	assert_false(h.image->limits.write_cache);
	harness_close(&h);
}

/* Somebody cuts the file under us: an error, and no hang. */
static void check_cut(bool no_direct)
{
	char *data = harness_buffer(MIB, 1);
	struct harness h;

	make_file(MIB);
	assert_int_equal(harness_open(&h, spec, false, no_direct), 0);
	assert_int_equal(truncate(path, 8192), 0);
	assert_int_equal(harness_do(&h, BLKTAP_OP_READ, 0, 0, 8192, data), 0);
	assert_int_equal(harness_do(&h, BLKTAP_OP_READ, 0, 4096, 8192, data), -EIO);
	assert_int_equal(harness_do(&h, BLKTAP_OP_READ, 0, MIB / 2, 4096, data), -EIO);
	harness_close(&h);
	free(data);
}

static void test_cut_file(void **state)
{
	(void)state;
	check_cut(false);
	check_cut(true);
}

static void test_no_space(void **state)
{
	struct harness h;
	char *data;

	(void)state;
	if (mount("none", directory, "tmpfs", 0, "size=512k") != 0)
		skip();
	data = harness_buffer(MIB, 1);
	make_file(4 * MIB);
	assert_int_equal(harness_open(&h, spec, false, false), 0);
	assert_int_equal(harness_do(&h, BLKTAP_OP_WRITE, 0, 0, MIB, data), -ENOSPC);
	assert_int_equal(harness_do(&h, BLKTAP_OP_DISCARD, 0, 0, MIB, NULL), 0);
	assert_int_equal(harness_do(&h, BLKTAP_OP_WRITE, 0, 0, 65536, data), 0);
	/* no ZERO_RANGE on tmpfs: written out */
	memset(data, 2, MIB);
	assert_int_equal(harness_do(&h, BLKTAP_OP_WRITE_ZEROES, BLKTAP_REQ_NOUNMAP, 512, 65024,
				    NULL), 0);
	assert_int_equal(harness_do(&h, BLKTAP_OP_READ, 0, 0, 65536, data), 0);
	assert_int_equal(data[511], 1);
	assert_int_equal(data[512] | data[65535], 0);
	harness_close(&h);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(umount(directory), 0);
	make_file(0);
	free(data);
}

static void test_file_size_limit(void **state)
{
	struct rlimit old, small = { MIB / 2, RLIM_INFINITY };
	struct harness h;
	char *data;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	if (old.rlim_max != RLIM_INFINITY)
		skip();
	data = harness_buffer(MIB, 1);
	signal(SIGXFSZ, SIG_IGN);
	make_file(MIB);
	assert_int_equal(harness_open(&h, spec, false, false), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(harness_do(&h, BLKTAP_OP_WRITE, 0, 0, MIB, data), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(harness_do(&h, BLKTAP_OP_WRITE, 0, 0, MIB, data), 0);
	harness_close(&h);
	free(data);
}

static int resize(struct harness *h, uint64_t capacity, bool shrink, uint64_t *now)
{
	return h->image->driver->resize(h->image, capacity, shrink, now, &h->err);
}

static off_t file_size(void)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/* What would be lost has to be asked for. */
static void test_resize(void **state)
{
	struct harness h;
	uint64_t now;

	(void)state;
	make_file(2 * MIB);
	assert_int_equal(harness_open(&h, spec, false, false), 0);
	assert_int_equal(resize(&h, MIB, false, &now), -EINVAL);
	assert_non_null(strstr(h.err.text, "would lose"));
	assert_int_equal(file_size(), 2 * MIB);
	assert_int_equal(resize(&h, 2 * MIB, false, &now), 0);
	assert_int_equal(resize(&h, MIB, true, &now), 0);
	assert_int_equal(now, MIB);
	assert_int_equal(file_size(), MIB);
	assert_int_equal(resize(&h, 3 * MIB, false, &now), 0);
	assert_int_equal(file_size(), 3 * MIB);
	/* Larger than any file. */
	assert_int_equal(resize(&h, INT64_MAX - 511, false, &now), -EFBIG);
	/* What it has now: of a block that is there in part, nothing. */
	assert_int_equal(truncate(path, 3 * MIB + 100), 0);
	assert_int_equal(resize(&h, 0, false, &now), 0);
	assert_int_equal(now, 3 * MIB);
	harness_close(&h);
}

static void test_resize_read_only(void **state)
{
	struct harness h;
	uint64_t now;

	(void)state;
	make_file(2 * MIB);
	assert_int_equal(harness_open(&h, spec, true, false), 0);
	assert_int_equal(resize(&h, 3 * MIB, false, &now), -EOPNOTSUPP);
	assert_int_equal(resize(&h, MIB, true, &now), -EOPNOTSUPP);
	assert_int_equal(resize(&h, 2 * MIB, false, &now), 0);
	assert_int_equal(file_size(), 2 * MIB);
	harness_close(&h);
}

/* A loop device over the file, in @device; false if there is none to be had. */
static bool make_device(char *device, size_t size)
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), file, loop, number;
	bool ok;

	if (control < 0)
		return false;
	number = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	snprintf(device, size, "aio:/dev/loop%d", number);
	loop = open(device + 4, O_RDWR | O_CLOEXEC);
	file = open(path, O_RDWR | O_CLOEXEC);
	ok = number >= 0 && loop >= 0 && file >= 0 && ioctl(loop, LOOP_SET_FD, file) == 0;
	close(loop);
	close(file);
	return ok;
}

static void remove_device(const char *device)
{
	int loop = open(device + 4, O_RDWR | O_CLOEXEC);

	ioctl(loop, LOOP_CLR_FD);
	close(loop);
}

/* The disk takes a part of a device, and no more than there is. */
static void test_resize_device(void **state)
{
	struct harness h;
	char device[32];
	uint64_t now;

	(void)state;
	make_file(2 * MIB);
	if (!make_device(device, sizeof(device)))
		skip();
	assert_int_equal(harness_open(&h, device, false, false), 0);
	assert_int_equal(resize(&h, MIB, false, &now), 0);
	assert_int_equal(now, MIB);
	assert_int_equal(resize(&h, 2 * MIB + 512, false, &now), -EOPNOTSUPP);
	assert_int_equal(resize(&h, 0, false, &now), 0);
	assert_int_equal(now, 2 * MIB);
	harness_close(&h);
	remove_device(device);
}

static void test_block_device(void **state)
{
	struct harness h, other;
	char *data, device[32];
	int claim;

	(void)state;
	make_file(2 * MIB);
	if (!make_device(device, sizeof(device)))
		skip();
	data = harness_buffer(MIB, 'b');
	assert_int_equal(harness_open(&h, device, false, false), 0);
	assert_int_equal(h.image->limits.capacity, 2 * MIB);
	assert_int_equal(harness_do(&h, BLKTAP_OP_WRITE, BLKTAP_REQ_FUA, MIB, MIB, data), 0);
	assert_int_equal(harness_do(&h, BLKTAP_OP_FLUSH, 0, 0, 0, NULL), 0);
	if (h.image->limits.max_discard)
		assert_int_equal(harness_do(&h, BLKTAP_OP_DISCARD, 0, MIB, MIB / 4, NULL), 0);
	assert_int_equal(harness_do(&h, BLKTAP_OP_WRITE_ZEROES, 0, MIB + MIB / 4, MIB / 4, NULL),
			 0);
	assert_int_equal(harness_do(&h, BLKTAP_OP_WRITE_ZEROES, BLKTAP_REQ_NOUNMAP,
				    MIB + MIB / 2, MIB / 4, NULL), 0);
	assert_int_equal(harness_do(&h, BLKTAP_OP_READ, 0, MIB, MIB, data), 0);
	assert_int_equal(data[MIB / 4] | data[MIB / 4 * 3 - 1], 0);
	assert_int_equal(data[MIB / 4 * 3], 'b');
	expect_failure(device, -EAGAIN, "is open for writing elsewhere");
	assert_int_equal(harness_open(&other, device, true, false), -EAGAIN);
	harness_close(&h);

	/* as a mount would have it */
	claim = open(device + 4, O_RDONLY | O_EXCL | O_CLOEXEC);
	assert_true(claim >= 0);
	expect_failure(device, -EBUSY, "is mounted or used by another disk");
	assert_int_equal(harness_open(&h, device, true, false), 0);
	harness_close(&h);
	close(claim);
	remove_device(device);
	free(data);
}

static int pass(struct image **image, int fd, bool read_only, struct image_table *table)
{
	struct blktap_error err;
	struct image_params params = {
		.read_only = read_only, .minor = 65535, .table = table, .fds = &fd, .nr_fds = 1,
	};

	/* The path is no more than a name. */
	return image_open(image, "aio:/nowhere/image", &params, &err);
}

/* Opened by somebody else, with @flags. */
static int open_passed(struct image **image, int flags, bool read_only, struct image_table *table)
{
	int fd = open(path, flags | O_CLOEXEC), ret;

	assert_true(fd >= 0);
	ret = pass(image, fd, read_only, table);
	close(fd);
	return ret;
}

static void test_passed(void **state)
{
	struct image_table *table;
	struct image *image, *other;

	(void)state;
	make_file(MIB);
	assert_int_equal(open_passed(&image, O_RDONLY, false, NULL), -EBADF);
	assert_int_equal(open_passed(&image, O_WRONLY, true, NULL), -EBADF);
	assert_int_equal(open_passed(&image, O_RDWR | O_APPEND, false, NULL), -EBADF);
	assert_int_equal(open_passed(&image, O_PATH, true, NULL), -EBADF);
	assert_int_equal(open_passed(&image, O_RDWR, false, NULL), 0);
	assert_int_equal(image->limits.capacity, MIB);
	assert_int_equal(open_passed(&other, O_RDONLY, true, NULL), -EAGAIN);
	image_close(image);

	assert_int_equal(image_table_new(&table), 0);
	assert_int_equal(open_passed(&image, O_RDONLY, true, table), 0);
	assert_int_equal(open_passed(&other, O_RDONLY, true, table), 0);
	assert_ptr_equal(image, other);
	image_close(other);
	assert_int_equal(unlink(path), 0);
	make_file(MIB);
	assert_int_equal(open_passed(&other, O_RDONLY, true, table), 0);
	assert_ptr_not_equal(image, other);
	image_close(other);
	image_close(image);
	image_table_free(table);
}

/* One open file has one lock, however many disks it is passed for. */
static void test_passed_twice(void **state)
{
	struct image *image, *other;
	int fd;

	(void)state;
	make_file(MIB);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pass(&image, fd, false, NULL), 0);
	assert_int_equal(pass(&other, fd, false, NULL), -EAGAIN);
	assert_int_equal(pass(&other, fd, true, NULL), -EAGAIN);
	/* That has not weakened it. */
	assert_int_equal(open_passed(&other, O_RDONLY, true, NULL), -EAGAIN);
	close(fd);
	image_close(image);

	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pass(&image, fd, true, NULL), 0);
	assert_int_equal(pass(&other, fd, false, NULL), -EAGAIN);
	close(fd);
	image_close(image);
}

static void test_passed_directory(void **state)
{
	struct blktap_error err;
	int fd = open(directory, O_RDONLY | O_CLOEXEC);
	struct image_params params = {
		.read_only = true, .minor = 65535, .fds = &fd, .nr_fds = 1,
	};
	struct image *image;

	(void)state;
	assert_int_equal(image_open(&image, spec, &params, &err), -EISDIR);
	assert_int_equal(close(fd), 0);
}

static void check_shrunk(const char *device, bool no_direct)
{
	char *data = harness_buffer(4096, 'b');
	struct harness h;
	int loop;

	assert_int_equal(truncate(path, 2 * MIB), 0);
	loop = open(device + 4, O_RDWR | O_CLOEXEC);
	assert_int_equal(ioctl(loop, LOOP_SET_CAPACITY), 0);
	assert_int_equal(harness_open(&h, device, false, no_direct), 0);
	assert_int_equal(truncate(path, MIB), 0);
	assert_int_equal(ioctl(loop, LOOP_SET_CAPACITY), 0);
	close(loop);
	assert_int_equal(harness_do(&h, BLKTAP_OP_WRITE, 0, MIB, 4096, data), -EIO);
	assert_int_equal(harness_do(&h, BLKTAP_OP_READ, 0, MIB, 4096, data), -EIO);
	assert_int_equal(harness_do(&h, BLKTAP_OP_WRITE, 0, MIB - 4096, 4096, data), 0);
	harness_close(&h);
	free(data);
}

/* As one does that is unplugged. The kernel's word for it is ENOSPC. */
static void test_device_that_shrinks(void **state)
{
	char device[32];

	(void)state;
	make_file(2 * MIB);
	if (!make_device(device, sizeof(device)))
		skip();
	check_shrunk(device, false);
	check_shrunk(device, true);
	remove_device(device);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	TEST(test_direct),
	TEST(test_page_cache),
	TEST(test_many_at_once),
	TEST(test_discard_and_zeroes),
	TEST(test_locks),
	TEST(test_read_only),
	TEST(test_cut_file),
	TEST(test_no_space),
	TEST(test_file_size_limit),
	TEST(test_resize),
	TEST(test_resize_read_only),
	TEST(test_resize_device),
	TEST(test_block_device),
	TEST(test_device_that_shrinks),
	TEST(test_refusals),
	TEST(test_passed),
	TEST(test_passed_twice),
	TEST(test_passed_directory),
};

int main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
