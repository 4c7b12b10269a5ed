// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of images, sizes, and images in memory.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "harness.h"

static void test_types(void **state)
{
	const struct image_driver *driver;
	struct blktap_error err;
	const char *path;

	(void)state;
	assert_int_equal(image_find_driver("aio:/a:b", &driver, &path, &err), 0);
	assert_string_equal(driver->name, "aio");
	assert_string_equal(path, "/a:b");
	assert_int_equal(image_find_driver("/a", &driver, &path, &err), -EINVAL);
	assert_int_equal(image_find_driver(":/a", &driver, &path, &err), -EINVAL);
	assert_int_equal(image_find_driver("aio:", &driver, &path, &err), -EINVAL);
	assert_int_equal(image_find_driver("", &driver, &path, &err), -EINVAL);
	assert_int_equal(image_find_driver("ai:/a", &driver, &path, &err), -ENOENT);
	assert_string_equal(err.text, "there is no image type ai; this tapdisk has aio, null, ram, scatter");
	assert_int_equal(image_find_driver("aioo:/a", &driver, &path, &err), -ENOENT);
	assert_int_equal(image_find_driver("vhd:/a", &driver, &path, &err), -EOPNOTSUPP);
	assert_string_equal(err.text, "image type vhd is not built into this tapdisk, which has "
			    "aio, null, ram, scatter");
}

static void test_ram_options(void **state)
{
	static const struct { const char *spec; int ret; } cases[] = {
		{ "ram:", -EINVAL },
		{ "ram:0", -EINVAL },
		{ "ram:64M,", -EINVAL },
		{ "ram:64M,bs=1024", -EINVAL },
		{ "ram:64M,rox", -EINVAL },
		{ "ram:/x", -EINVAL },
		{ "ram:9999999T", -EFBIG },
		{ "ram:8191P", -EINVAL },
	};
	struct harness h;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(harness_open(&h, cases[i].spec, false, false), cases[i].ret);
		assert_int_equal(h.err.code, cases[i].ret);
	}
	assert_int_equal(harness_open(&h, "ram:64M,bs=4096,ro", false, false), 0);
	assert_true(h.image->read_only);
	assert_int_equal(h.image->limits.logical_block_size, 4096);
	assert_int_equal(h.image->limits.capacity, 64 << 20);
	assert_int_equal(h.image->limits.max_discard, 0);
	assert_string_equal(h.image->path, "64M,bs=4096,ro");
	harness_close(&h);
}

static void test_ram_keeps_data(void **state)
{
	char *out = harness_buffer(8192, 'x'), *in = harness_buffer(8192, 1);
	struct harness h;

	(void)state;
	assert_int_equal(harness_open(&h, "ram:1M", false, false), 0);
	assert_int_equal(harness_do(&h, BLKTAP_OP_READ, 0, 0, 8192, in), 0);
	assert_int_equal(in[0] | in[8191], 0);
	assert_int_equal(harness_do(&h, BLKTAP_OP_WRITE, BLKTAP_REQ_FUA, 512, 8192, out), 0);
	assert_int_equal(harness_do(&h, BLKTAP_OP_FLUSH, 0, 0, 0, NULL), 0);
	assert_int_equal(harness_do(&h, BLKTAP_OP_READ, 0, 512, 8192, in), 0);
	assert_memory_equal(in, out, 8192);
	assert_int_equal(harness_do(&h, 99, 0, 0, 512, in), -EOPNOTSUPP);
	harness_close(&h);
	free(in);
	free(out);
}

/* Exactly the range becomes zero, at whatever page boundaries. */
static void test_ram_discard(void **state)
{
	static const struct { uint64_t offset, length; } ranges[] = {
		{ 512, 512 }, { 3584, 1024 }, { 4096, 4096 }, { 512, 16384 }, { 0, 65536 },
		{ 8192, 512 }, { 7680, 4608 },
	};
	char *all = harness_buffer(65536, 'y'), *in = harness_buffer(65536, 0);
	struct harness h;
	size_t i, j;

	(void)state;
	assert_int_equal(harness_open(&h, "ram:64K", false, false), 0);
	for (i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		uint8_t op = i % 2 ? BLKTAP_OP_DISCARD : BLKTAP_OP_WRITE_ZEROES;

		assert_int_equal(harness_do(&h, BLKTAP_OP_WRITE, 0, 0, 65536, all), 0);
		assert_int_equal(harness_do(&h, op, 0, ranges[i].offset, ranges[i].length, NULL),
				 0);
		assert_int_equal(harness_do(&h, BLKTAP_OP_READ, 0, 0, 65536, in), 0);
		for (j = 0; j < 65536; j++)
			assert_int_equal(in[j], j >= ranges[i].offset &&
					 j < ranges[i].offset + ranges[i].length ? 0 : 'y');
	}
	harness_close(&h);
	free(all);
	free(in);
}

/* Two images have nothing in common. */
static void test_ram_is_private(void **state)
{
	char *out = harness_buffer(512, 'z'), *in = harness_buffer(512, 1);
	struct harness a, b;

	(void)state;
	assert_int_equal(harness_open(&a, "ram:4K", false, false), 0);
	assert_int_equal(harness_open(&b, "ram:4K", false, false), 0);
	assert_int_equal(harness_do(&a, BLKTAP_OP_WRITE, 0, 0, 512, out), 0);
	assert_int_equal(harness_do(&b, BLKTAP_OP_READ, 0, 0, 512, in), 0);
	assert_int_equal(in[0], 0);
	harness_close(&a);
	harness_close(&b);
	free(in);
	free(out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_ram_options),
		cmocka_unit_test(test_ram_keeps_data),
		cmocka_unit_test(test_ram_discard),
		cmocka_unit_test(test_ram_is_private),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
