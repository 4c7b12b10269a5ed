// SPDX-License-Identifier: GPL-2.0-only
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../rows.h"

static const char lenny[] = "/var/tmp/lenny.ext";
static const char aio[] = "aio";

static char *text;

static FILE *capture(void)
{
	static size_t size;

	free(text);
	text = NULL;
	return open_memstream(&text, &size);
}

static const char *table(const struct row *rows, size_t count)
{
	FILE *file = capture();

	rows_print_table(file, rows, count);
	fclose(file);
	return text;
}

static const char *fields(const struct row *rows, size_t count)
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
	const struct row before[] = { { .pid = 4168, .minor = -1 }, { .minor = 0 } };
	const struct row attached[] = { { .pid = 4168, .minor = 0, .has_state = true } };
	const struct row opened[] = {
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
	const struct row rows[] = {
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
	const struct row row = {
		.pid = 7, .minor = 1, .has_state = true, .type = aio, .path = "/\033[2J\nä\x7f\xc2\x9b",
	};

	(void)state;
	assert_string_equal(table(&row, 1),
			    "       7  1    0        aio /\\x1b[2J\\x0aä\\x7f\\xc2\\x9b\n");
}

static void test_fields(void **state)
{
	const struct row rows[] = {
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

static void test_join(void **state)
{
	struct blktap_vbd_info vbds[] = {
		{ .minor = 2, .type = (char *)aio, .path = (char *)lenny },
		{ .minor = 10 },
	};
	const struct blktap_tap taps[] = {
		{ .minor = 1 }, { .minor = 2, .pid = 900 }, { .minor = 3 },
		{ .minor = 10, .pid = 900 }, { .minor = 20 },
	};
	const struct blktap_tapdisk tapdisks[] = {
		{ .pid = 80 }, { .pid = 900, .vbds = vbds, .count = 2 }, { .pid = 1000 },
	};
	struct row *rows;
	size_t count;

	(void)state;
	rows = rows_join(taps, 5, tapdisks, 3, &count);
	assert_string_equal(fields(rows, count), "pid=80\n"
			    "pid=900 minor=2 state=0 args=aio:/var/tmp/lenny.ext\n"
			    "pid=900 minor=10 state=0\n"
			    "pid=1000\n"
			    "minor=1\n"
			    "minor=3\n"
			    "minor=20\n");
	free(rows);
}

/* Its taps are not free: the kernel knows whose they are. */
static void test_join_with_a_silent_tapdisk(void **state)
{
	const struct blktap_tap taps[] = { { .minor = 0 }, { .minor = 1, .pid = 50 } };
	const struct blktap_tapdisk tapdisks[] = { { .pid = 50, .code = -ETIMEDOUT } };
	struct row *rows;
	size_t count;

	(void)state;
	rows = rows_join(taps, 2, tapdisks, 1, &count);
	assert_string_equal(fields(rows, count), "pid=50\npid=50 minor=1\nminor=0\n");
	free(rows);
}

/* "list -p" does not ask the kernel. */
static void test_join_without_taps(void **state)
{
	struct blktap_vbd_info vbd = { .minor = 2 };
	const struct blktap_tapdisk tapdisk = { .pid = 9, .vbds = &vbd, .count = 1 };
	struct row *rows;
	size_t count;

	(void)state;
	rows = rows_join(NULL, 0, &tapdisk, 1, &count);
	assert_string_equal(fields(rows, count), "pid=9 minor=2 state=0\n");
	free(rows);
}

static void test_join_nothing(void **state)
{
	struct row *rows;
	size_t count;

	(void)state;
	rows = rows_join(NULL, 0, NULL, 0, &count);
	assert_non_null(rows);
	assert_int_equal(count, 0);
	free(rows);
}

static size_t filter(struct row *rows, const struct row *all, size_t count, struct options options)
{
	memcpy(rows, all, count * sizeof(*rows));
	return rows_filter(rows, count, &options);
}

static void test_filters(void **state)
{
	const struct row all[] = {
		{ .pid = 1, .minor = -1 },
		{ .pid = 2, .minor = 0, .has_state = true, .type = aio, .path = lenny },
		{ .pid = 2, .minor = 1, .has_state = true },
		{ .minor = 2 },
	};
	struct row rows[4];

	(void)state;
	assert_int_equal(filter(rows, all, 4, (struct options){ .minor = -1 }), 4);
	assert_int_equal(filter(rows, all, 4, (struct options){ .minor = -1, .pid = 2 }), 2);
	assert_int_equal(filter(rows, all, 4, (struct options){ .minor = 2 }), 1);
	assert_int_equal(rows[0].minor, 2);
	assert_int_equal(filter(rows, all, 4, (struct options){ .minor = -1, .type = "aio" }), 1);
	assert_int_equal(rows[0].pid, 2);
	assert_int_equal(filter(rows, all, 4, (struct options){ .minor = -1, .type = "ai" }), 0);
	assert_int_equal(filter(rows, all, 4, (struct options){ .minor = -1, .path = lenny }), 1);
	assert_int_equal(filter(rows, all, 4, (struct options){ .minor = -1, .path = "/var" }), 0);
	assert_int_equal(filter(rows, all, 4, (struct options){ .minor = 1, .path = lenny }), 0);
}

#define TEST(test)	cmocka_unit_test_teardown(test, free_text)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_table_of_the_session),
		TEST(test_table_grows_with_the_widest_minor),
		TEST(test_table_escapes),
		TEST(test_fields),
		TEST(test_join),
		TEST(test_join_with_a_silent_tapdisk),
		TEST(test_join_without_taps),
		TEST(test_join_nothing),
		TEST(test_filters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
