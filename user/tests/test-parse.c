// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What people and files write: sizes, UUIDs, /proc/devices.
 */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "major.h"

static void test_sizes(void **state)
{
	static const struct { const char *text; uint64_t bytes; } right[] = {
		{ "0", 0 }, { "1", 1 }, { "007", 7 }, { "4k", 4096 }, { "1M", 1 << 20 },
		{ "2G", 2ULL << 30 }, { "1t", 1ULL << 40 }, { "9223372036854775807", INT64_MAX },
	};
	static const char *const wrong[] = {
		"", "K", "-1", "+1", " 1", "1 ", "1KB", "1P", "0x10", "1.5G", "1\xcb",
	};
	static const char *const large[] = {
		"9223372036854775808", "18446744073709551616", "8388608T", "99999999999999999999K",
	};
	uint64_t bytes;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(right) / sizeof(*right); i++) {
		assert_int_equal(blktap_parse_size(right[i].text, strlen(right[i].text), &bytes), 0);
		assert_true(bytes == right[i].bytes);
	}
	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(blktap_parse_size(wrong[i], strlen(wrong[i]), &bytes), -EINVAL);
	for (i = 0; i < sizeof(large) / sizeof(*large); i++)
		assert_int_equal(blktap_parse_size(large[i], strlen(large[i]), &bytes), -ERANGE);
	/* Only as much as is said. */
	assert_int_equal(blktap_parse_size("12Kx", 3, &bytes), 0);
	assert_true(bytes == 12 << 10);
}

static void test_uuids(void **state)
{
	static const char text[] = "01234567-89ab-cdef-fedc-ba9876543210";
	static const char *const wrong[] = {
		"", "0123", "01234567-89ab-cdef-fedc-ba987654321", "0123456789abcdeffedcba987654321g",
		"01234567-89ab-cdef-fedc-ba98765432101", "012345678-9ab-cdef-fedc-ba9876543210",
		"01234567-89ab-cdef-fedcba-9876543210",
	};
	char formatted[BLKTAP_UUID_TEXT];
	uint8_t uuid[BLKTAP_UUID_LEN];
	size_t i;

	(void)state;
	assert_int_equal(blktap_parse_uuid("0123456789ABCDEFfedcba9876543210", uuid), 0);
	assert_int_equal(uuid[0], 0x01);
	assert_int_equal(uuid[15], 0x10);
	blktap_format_uuid(uuid, formatted);
	assert_string_equal(formatted, text);
	memset(uuid, 0, sizeof(uuid));
	assert_int_equal(blktap_parse_uuid(text, uuid), 0);
	blktap_format_uuid(uuid, formatted);
	assert_string_equal(formatted, text);
	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_int_equal(blktap_parse_uuid(wrong[i], uuid), -EINVAL);
}

static int find(bool character, const char *name)
{
	static char text[] = "Character devices:\n  1 mem\n246 blktap2\n247 tapdevice\n\n"
		"Block devices:\n  8 sd\n252 tapdev\n253 blktap2x\n";
	FILE *file = fmemopen(text, strlen(text), "r");
	int major = major_find(file, character, name);

	fclose(file);
	return major;
}

static void test_majors(void **state)
{
	(void)state;
	assert_int_equal(find(false, "tapdev"), 252);
	assert_int_equal(find(true, "blktap2"), 246);
	assert_int_equal(find(true, "tapdev"), -ENOSYS);
	assert_int_equal(find(false, "blktap2"), -ENOSYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_uuids),
		cmocka_unit_test(test_majors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
