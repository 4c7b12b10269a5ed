// SPDX-License-Identifier: GPL-2.0-only
/* Blocks in a scattered order: what is read, and where it lies. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

#include "harness.h"

#define BLOCK	4096ULL
#define BLOCKS	64U

static struct harness h;
static char path[64];

/* A store full of what nobody may ever read. */
static int set_up(void **state)
{
	char *old = harness_buffer(BLOCK, 'o');
	unsigned int i;
	int fd;

	(void)state;
	strcpy(path, "/var/tmp/tapdisk-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	for (i = 0; i < BLOCKS; i++)
		assert_int_equal(write(fd, old, BLOCK), BLOCK);
	close(fd);
	free(old);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

static int open_with(const char *options)
{
	char spec[128];

	snprintf(spec, sizeof(spec), "scatter:%s%s", path, options);
	return harness_open(&h, spec, false, false);
}

static void open_small(void)
{
	assert_int_equal(open_with(",block=4K,seed=3"), 0);
}

static int do_op(uint8_t op, uint16_t flags, uint64_t offset, uint64_t length, void *data)
{
	return harness_do(&h, op, flags, offset, length, data);
}

static void write_bytes(uint64_t offset, uint64_t length, int byte)
{
	char *data = harness_buffer(length, byte);

	assert_int_equal(do_op(BLKTAP_OP_WRITE, 0, offset, length, data), 0);
	free(data);
}

static void expect_bytes(uint64_t offset, uint64_t length, int byte)
{
	char *data = harness_buffer(length, '?');
	uint64_t i;

	assert_int_equal(do_op(BLKTAP_OP_READ, 0, offset, length, data), 0);
	for (i = 0; i < length; i++)
		assert_int_equal(data[i], byte);
	free(data);
}

static struct image_piece map(uint64_t offset, uint64_t length, bool write)
{
	struct image_piece piece;

	h.image->driver->map(h.image, offset, length, write, &piece);
	assert_true(piece.length >= 1 && piece.length <= length);
	return piece;
}

/* What the file has at the place of a block. */
static int byte_in_file(uint64_t offset)
{
	struct image_piece piece = map(offset, 1, false);
	int fd = open(path, O_RDONLY);
	char byte;

	assert_int_equal(piece.place, IMAGE_FILE);
	assert_int_equal(pread(fd, &byte, 1, piece.offset), 1);
	close(fd);
	return byte;
}

static void test_limits(void **state)
{
	(void)state;
	open_small();
	assert_int_equal(h.image->limits.capacity, BLOCKS * BLOCK);
	assert_int_equal(h.image->limits.map_unit, BLOCK);
	harness_close(&h);
	assert_int_equal(open_with(",size=64K,block=8K"), 0);
	assert_int_equal(h.image->limits.capacity, 65536);
	harness_close(&h);
}

static void test_bad_options(void **state)
{
	static const char *const bad[] = {
		",", ",x", ",block=", ",block=5000", ",block=2048", ",block=128M", ",size=1M",
		",size=-1", ",seed=x", ",block=4K,", ",block=512K", "",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(open_with(bad[i]), -EINVAL);
	strcat(path, "-");
	assert_int_equal(open_with(",block=4K"), -ENOENT);
	path[strlen(path) - 1] = '\0';
}

/* What was in the store before is never seen, also beside what was written. */
static void test_nothing_old_is_read(void **state)
{
	(void)state;
	open_small();
	expect_bytes(0, BLOCKS * BLOCK, 0);
	write_bytes(3 * BLOCK + 512, 512, 'n');
	expect_bytes(3 * BLOCK, 512, 0);
	expect_bytes(3 * BLOCK + 512, 512, 'n');
	expect_bytes(3 * BLOCK + 1024, BLOCK - 1024, 0);
	write_bytes(3 * BLOCK + 1024, 512, 'm');
	expect_bytes(3 * BLOCK + 512, 512, 'n');
	harness_close(&h);
}

static void test_requests_over_blocks(void **state)
{
	(void)state;
	open_small();
	write_bytes(BLOCK - 512, 2 * BLOCK, 'a');
	expect_bytes(0, BLOCK - 512, 0);
	expect_bytes(BLOCK - 512, 2 * BLOCK, 'a');
	expect_bytes(3 * BLOCK - 512, 512, 0);
	assert_int_equal(byte_in_file(2 * BLOCK), 'a');
	harness_close(&h);
}

/* All places are used, each once, and not in order. */
static void test_places(void **state)
{
	bool used[BLOCKS] = { false };
	unsigned int i, in_order = 0;

	(void)state;
	open_small();
	write_bytes(0, BLOCKS * BLOCK, 'a');
	for (i = 0; i < BLOCKS; i++) {
		struct image_piece piece = map(i * BLOCK, BLOCK, true);

		assert_int_equal(piece.place, IMAGE_FILE);
		assert_int_equal(piece.length, BLOCK);
		assert_int_equal(piece.offset % BLOCK, 0);
		assert_in_range(piece.offset / BLOCK, 0, BLOCKS - 1);
		assert_false(used[piece.offset / BLOCK]);
		used[piece.offset / BLOCK] = true;
		in_order += piece.offset == i * BLOCK;
	}
	assert_in_range(in_order, 0, BLOCKS / 4);
	harness_close(&h);
}

static void test_map(void **state)
{
	struct image_piece piece;

	(void)state;
	open_small();
	assert_int_equal(map(512, 8192, false).place, IMAGE_ZERO);
	assert_int_equal(map(512, 8192, false).length, BLOCK - 512);
	assert_int_equal(map(512, 512, true).place, IMAGE_ASK);
	write_bytes(0, 512, 'a');
	piece = map(512, 8192, true);
	assert_int_equal(piece.place, IMAGE_FILE);
	assert_int_equal(piece.length, BLOCK - 512);
	assert_int_equal(piece.offset % BLOCK, 512);
	assert_int_equal(map(512, 512, false).offset, piece.offset);
	assert_int_equal(map(512, 512, false).length, 512);
	harness_close(&h);
}

static void test_discard(void **state)
{
	uint64_t place;

	(void)state;
	open_small();
	write_bytes(0, 3 * BLOCK, 'a');
	place = map(BLOCK, BLOCK, true).offset;
	assert_int_equal(do_op(BLKTAP_OP_DISCARD, 0, 512, 2 * BLOCK, NULL), 0);
	expect_bytes(0, 512, 'a');
	expect_bytes(512, 2 * BLOCK, 0);
	expect_bytes(2 * BLOCK + 512, BLOCK - 512, 'a');
	/* A whole block has no place, a part was cleared in its own. */
	assert_int_equal(map(BLOCK, BLOCK, false).place, IMAGE_ZERO);
	assert_int_equal(map(BLOCK, BLOCK, true).place, IMAGE_ASK);
	assert_int_equal(map(0, BLOCK, true).place, IMAGE_FILE);
	/* It gets the same again, and what was there is not seen. */
	write_bytes(BLOCK, 512, 'b');
	assert_int_equal(map(BLOCK, BLOCK, true).offset, place);
	expect_bytes(BLOCK + 512, BLOCK - 512, 0);
	harness_close(&h);
}

static void test_write_zeroes(void **state)
{
	(void)state;
	open_small();
	write_bytes(0, 2 * BLOCK, 'a');
	assert_int_equal(do_op(BLKTAP_OP_WRITE_ZEROES, BLKTAP_REQ_NOUNMAP, 0, BLOCK, NULL), 0);
	assert_int_equal(map(0, BLOCK, false).place, IMAGE_FILE);
	assert_int_equal(do_op(BLKTAP_OP_WRITE_ZEROES, 0, BLOCK, BLOCK, NULL), 0);
	assert_int_equal(map(BLOCK, BLOCK, false).place, IMAGE_ZERO);
	expect_bytes(0, 2 * BLOCK, 0);
	assert_int_equal(do_op(BLKTAP_OP_FLUSH, 0, 0, 0, NULL), 0);
	harness_close(&h);
}

/* Many at a time, in blocks that do not have a place yet: none loses another's data. */
static void test_first_writes_together(void **state)
{
	struct harness_request requests[64];
	char *data[64];
	unsigned int i;

	(void)state;
	open_small();
	for (i = 0; i < 64; i++) {
		data[i] = harness_buffer(512, 'A' + i % 26);
		harness_submit(&h, &requests[i], BLKTAP_OP_WRITE, 0, i * 512, 512, data[i]);
	}
	for (i = 0; i < 64; i++)
		assert_int_equal(harness_wait(&h, &requests[i]), 0);
	for (i = 0; i < 64; i++) {
		expect_bytes(i * 512, 512, 'A' + i % 26);
		free(data[i]);
	}
	harness_close(&h);
}

/* A failed write leaves no block behind that could be read. */
static void test_store_cut_short(void **state)
{
	char *data = harness_buffer(BLOCK, 'a');
	unsigned int i, failed = 0;

	(void)state;
	open_small();
	assert_int_equal(truncate(path, 0), 0);
	expect_bytes(0, BLOCK, 0);
	write_bytes(0, BLOCK, 'a');
	assert_int_equal(truncate(path, 0), 0);
	for (i = 0; i < 2; i++)
		failed += do_op(BLKTAP_OP_READ, 0, i * BLOCK, BLOCK, data) != 0;
	assert_int_equal(failed, 1);
	free(data);
	harness_close(&h);
}

#define TEST(test)	cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_limits),
		TEST(test_bad_options),
		TEST(test_nothing_old_is_read),
		TEST(test_requests_over_blocks),
		TEST(test_places),
		TEST(test_map),
		TEST(test_discard),
		TEST(test_write_zeroes),
		TEST(test_first_writes_together),
		TEST(test_store_cut_short),
	};

	blktap_log_init("test", BLKTAP_LOG_STDERR, LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
