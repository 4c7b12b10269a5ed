// SPDX-License-Identifier: LGPL-2.1-or-later
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"

static char *text;

/* Rows in short: "pid/minor/state/type:path". */
static const char *show(const struct blktap_row *rows, size_t count)
{
	static size_t size;
	FILE *file;
	size_t i;

	free(text);
	file = open_memstream(&text, &size);
	for (i = 0; i < count; i++)
		fprintf(file, "%d/%d/%d/%s:%s ", (int)rows[i].pid, rows[i].minor,
			rows[i].has_state ? (int)rows[i].state : -1,
			rows[i].type ? rows[i].type : "", rows[i].path ? rows[i].path : "");
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

static void test_join(void **state)
{
	struct blktap_vbd_info vbds[] = {
		{ .minor = 2, .type = strdup("aio"), .path = strdup("/x") },
		{ .minor = 10 },
	};
	const struct blktap_tap taps[] = {
		{ .minor = 1 }, { .minor = 2, .pid = 900 }, { .minor = 3 },
		{ .minor = 10, .pid = 900 }, { .minor = 20 },
	};
	struct blktap_tapdisk tapdisks[] = {
		{ .pid = 80 }, { .pid = 900, .vbds = vbds, .count = 2 }, { .pid = 1000 },
	};
	struct blktap_row *rows;
	size_t count;

	(void)state;
	rows = rows_join(taps, 5, tapdisks, 3, &count);
	assert_string_equal(show(rows, count), "80/-1/-1/: 900/2/0/aio:/x 900/10/0/: 1000/-1/-1/: "
			    "0/1/-1/: 0/3/-1/: 0/20/-1/: ");
	assert_null(vbds[0].type);
	blktap_rows_free(rows, count);
}

/* Its taps are not free: the kernel knows whose they are. */
static void test_join_with_a_silent_tapdisk(void **state)
{
	const struct blktap_tap taps[] = { { .minor = 0 }, { .minor = 1, .pid = 50 } };
	struct blktap_tapdisk tapdisks[] = { { .pid = 50, .code = -ETIMEDOUT } };
	struct blktap_row *rows;
	size_t count;

	(void)state;
	rows = rows_join(taps, 2, tapdisks, 1, &count);
	assert_string_equal(show(rows, count), "50/-1/-1/: 50/1/-1/: 0/0/-1/: ");
	blktap_rows_free(rows, count);
}

static void test_join_nothing(void **state)
{
	struct blktap_row *rows;
	size_t count;

	(void)state;
	rows = rows_join(NULL, 0, NULL, 0, &count);
	assert_non_null(rows);
	assert_int_equal(count, 0);
	blktap_rows_free(rows, count);
}

static const char *filtered(struct blktap_filter filter)
{
	static const struct blktap_row all[] = {
		{ .pid = 1, .minor = -1 },
		{ .pid = 2, .minor = 0, .has_state = true },
		{ .pid = 2, .minor = 1, .has_state = true },
		{ .minor = 2 },
	};
	struct blktap_row *rows = calloc(4, sizeof(*rows));
	const char *shown;
	size_t count;

	memcpy(rows, all, sizeof(all));
	rows[1].type = strdup("aio");
	rows[1].path = strdup("/x");
	count = rows_filter(rows, 4, &filter);
	shown = show(rows, count);
	blktap_rows_free(rows, count);
	return shown;
}

static void test_filters(void **state)
{
	(void)state;
	assert_string_equal(filtered((struct blktap_filter)BLKTAP_FILTER_INIT),
			    "1/-1/-1/: 2/0/0/aio:/x 2/1/0/: 0/2/-1/: ");
	assert_string_equal(filtered((struct blktap_filter){ .minor = -1, .pid = 2 }),
			    "2/0/0/aio:/x 2/1/0/: ");
	assert_string_equal(filtered((struct blktap_filter){ .minor = 2 }), "0/2/-1/: ");
	assert_string_equal(filtered((struct blktap_filter){ .minor = -1, .type = "aio" }),
			    "2/0/0/aio:/x ");
	assert_string_equal(filtered((struct blktap_filter){ .minor = -1, .type = "ai" }), "");
	assert_string_equal(filtered((struct blktap_filter){ .minor = -1, .path = "/x" }),
			    "2/0/0/aio:/x ");
	assert_string_equal(filtered((struct blktap_filter){ .minor = 1, .path = "/x" }), "");
}

#define TEST(test)	cmocka_unit_test_teardown(test, free_text)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_join),
		TEST(test_join_with_a_silent_tapdisk),
		TEST(test_join_nothing),
		TEST(test_filters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
