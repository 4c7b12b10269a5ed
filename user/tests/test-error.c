// SPDX-License-Identifier: LGPL-2.1-or-later
#include "test.h"

#include <errno.h>
#include <string.h>

#include "libblktap.h"

static void test_set(void **state)
{
	struct blktap_error err = { 0 };

	(void)state;
	assert_int_equal(blktap_error_set(&err, -EBUSY, "tapdev%d is still %s", 3, "open"), -EBUSY);
	assert_int_equal(err.code, -EBUSY);
	assert_string_equal(err.text, "tapdev3 is still open");
	assert_int_equal(blktap_error_set(NULL, -EIO, "nobody listens"), -EIO);
}

static void test_prefix(void **state)
{
	struct blktap_error err;

	(void)state;
	blktap_error_set(&err, -ENOENT, "no such file");
	assert_int_equal(blktap_error_prefix(&err, "%s", "/a/b"), -ENOENT);
	assert_string_equal(err.text, "/a/b: no such file");
	assert_int_equal(blktap_error_prefix(NULL, "x"), 0);
}

static void test_own_text_as_argument(void **state)
{
	struct blktap_error err;

	(void)state;
	blktap_error_set(&err, -EIO, "inner");
	blktap_error_set(&err, err.code, "outer: %s", err.text);
	assert_string_equal(err.text, "outer: inner");
}

static void test_long_prefix_keeps_its_bounds(void **state)
{
	char name[2000];
	struct blktap_error err;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	blktap_error_set(&err, -EIO, "reason");
	blktap_error_prefix(&err, "%s", name);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void test_one_line(void **state)
{
	struct blktap_error err;

	(void)state;
	blktap_error_set(&err, -EIO, "%s", "a\nb\033[2Jc\x7f");
	assert_string_equal(err.text, "a?b?[2Jc?");
	blktap_error_set(&err, -EIO, "%s", "ä\xc2\x9bJ\xc2\xa0\xc2");
	assert_string_equal(err.text, "ä??J\xc2\xa0\xc2");
}

/* Wherever the cut falls, the text remains UTF-8. */
static void test_cut_between_characters(void **state)
{
	char text[1024];
	struct blktap_error err;
	size_t lead, i;

	(void)state;
	for (lead = 0; lead < 4; lead++) {
		memset(text, 'a', lead);
		text[lead] = '\0';
		for (i = 0; i < 200; i++)
			strcat(text, "€");
		blktap_error_set(&err, -EIO, "%s", text);
		assert_int_equal((strlen(err.text) - lead) % 3, 0);
		assert_true(strlen(err.text) > sizeof(err.text) - 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_own_text_as_argument),
		cmocka_unit_test(test_long_prefix_keeps_its_bounds),
		cmocka_unit_test(test_one_line),
		cmocka_unit_test(test_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
