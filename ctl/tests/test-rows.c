// SPDX-License-Identifier: GPL-2.0-only
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../rows.h"

static char lenny[] = "/var/tmp/lenny.ext";
static char aio[] = "aio";

static char *text;

static FILE *capture(void)
{
	static size_t size;

	free(text);
	text = NULL;
	return open_memstream(&text, &size);
}

static const char *table(const struct blktap_row *rows, size_t count)
{
	FILE *file = capture();

	rows_print_table(file, rows, count);
	fclose(file);
	return text;
}

static const char *fields(const struct blktap_row *rows, size_t count)
{
	FILE *file = capture();

	rows_print_fields(file, rows, count);
	fclose(file);
	return text;
}

static int free_text(void **state)
{
	(void)state;
	free(text);
	text = NULL;
	return 0;
}

static void test_table_of_the_session(void **state)
{
	const struct blktap_row before[] = { { .pid = 4168, .minor = -1 }, { .minor = 0 } };
	const struct blktap_row attached[] = { { .pid = 4168, .minor = 0, .has_state = true } };
	const struct blktap_row opened[] = {
		{ .pid = 4168, .minor = 0, .has_state = true, .type = aio, .path = lenny },
	};

	(void)state;
	assert_string_equal(table(before, 2), "    4168  -    -          - -\n"
			    "       -  0    -          - -\n");
	assert_string_equal(table(attached, 1), "    4168  0    0          - -\n");
	assert_string_equal(table(opened, 1), "    4168  0    0        aio /var/tmp/lenny.ext\n");
	assert_string_equal(table(NULL, 0), "");
}

static void test_table_grows_with_the_widest_minor(void **state)
{
	const struct blktap_row rows[] = {
		{ .pid = 7, .minor = 4095, .has_state = true, .state = 0x2a },
		{ .minor = 0 },
	};

	(void)state;
	assert_string_equal(table(rows, 2), "       7 4095 0x2a          - -\n"
			    "       -    0    -          - -\n");
}

/* Names that others chose do not command the terminal. */
static void test_table_escapes(void **state)
{
	const struct blktap_row row = {
		.pid = 7, .minor = 1, .has_state = true, .type = aio, .path = "/\033[2J\nä\x7f\xc2\x9b",
	};

	(void)state;
	assert_string_equal(table(&row, 1),
			    "       7  1    0        aio /\\x1b[2J\\x0aä\\x7f\\xc2\\x9b\n");
}

static void test_fields(void **state)
{
	const struct blktap_row rows[] = {
		{ .pid = 4168, .minor = -1 },
		{ .pid = 4168, .minor = 0, .has_state = true },
		{ .pid = 4168, .minor = 1, .has_state = true, .state = 0x2a, .type = aio,
		  .path = lenny },
		{ .pid = 4168, .minor = 2 },
		{ .minor = 3 },
	};

	(void)state;
	assert_string_equal(fields(rows, 5), "pid=4168\n"
			    "pid=4168 minor=0 state=0\n"
			    "pid=4168 minor=1 state=0x2a args=aio:/var/tmp/lenny.ext\n"
			    "pid=4168 minor=2\n"
			    "minor=3\n");
}

/* Nor do they make rows, or commands of types. */
static void test_fields_escape(void **state)
{
	static char type[] = "a\033[2J";
	const struct blktap_row row = {
		.pid = 7, .minor = 1, .has_state = true, .type = type,
		.path = "/a b=c\npid=1 minor=2\xc2\x9b",
	};

	(void)state;
	assert_string_equal(fields(&row, 1), "pid=7 minor=1 state=0 "
			    "args=a\\x1b[2J:/a b=c\\x0apid=1 minor=2\\xc2\\x9b\n");
	assert_string_equal(table(&row, 1),
			    "       7  1    0      a\\x1b[2J /a b=c\\x0apid=1 minor=2\\xc2\\x9b\n");
}

static void test_json(void **state)
{
	const struct blktap_row rows[] = {
		{ .pid = 4168, .minor = -1 },
		{ .pid = 4168, .minor = 1, .has_state = true, .state = 0x2a, .type = aio,
		  .path = "/a \"b\"" },
		{ .minor = 3 },
	};
	json_t *json = rows_json(rows, 3);
	char *dumped = json_dumps(json, JSON_COMPACT);

	(void)state;
	assert_string_equal(dumped, "[{\"pid\":4168},{\"pid\":4168,\"minor\":1,\"state\":42,"
			    "\"type\":\"aio\",\"path\":\"/a \\\"b\\\"\"},{\"minor\":3}]");
	free(dumped);
	json_decref(json);
}

#define TEST(test)	cmocka_unit_test_teardown(test, free_text)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_table_of_the_session),
		TEST(test_table_grows_with_the_widest_minor),
		TEST(test_table_escapes),
		TEST(test_fields),
		TEST(test_fields_escape),
		TEST(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
