// SPDX-License-Identifier: LGPL-2.1-or-later
#include "test.h"

#include <fcntl.h>
#include <time.h>

#include "fake-kernel.h"
#include "fake-tapdisk.h"

#define ANSWER(result)	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":" result "}\n"
#define VBD(minor)	"{\"minor\":" #minor ",\"state\":0,\"image\":{\"type\":\"aio\",\"path\":\"/x\"}}"

static char *text;

/* The whole list in short: "pid/minor/state/path". */
static const char *list_matching(struct blktap_filter filter, int timeout_ms)
{
	static size_t size;
	struct blktap_row *rows;
	size_t count, i;
	FILE *file;

	free(text);
	file = open_memstream(&text, &size);
	assert_int_equal(blktap_list(&filter, timeout_ms, &rows, &count, NULL), 0);
	for (i = 0; i < count; i++)
		fprintf(file, "%d/%d/%d/%s ", (int)rows[i].pid, rows[i].minor,
			rows[i].has_state ? (int)rows[i].state : -1,
			rows[i].path ? rows[i].path : "");
	blktap_rows_free(rows, count);
	fclose(file);
	return text;
}

static const char *list(void)
{
	return list_matching((struct blktap_filter)BLKTAP_FILTER_INIT, 10000);
}

static int set_up(void **state)
{
	kernel_reset();
	return make_control_dir(state);
}

static int tear_down(void **state)
{
	free(text);
	text = NULL;
	return remove_control_dir(state);
}

static void test_nothing(void **state)
{
	(void)state;
	assert_string_equal(list(), "");
}

static void test_no_module(void **state)
{
	const struct blktap_filter all = BLKTAP_FILTER_INIT;
	struct blktap_row *rows;
	size_t count;

	(void)state;
	kernel.open_code = -ENOSYS;
	assert_int_equal(blktap_list(&all, 1000, &rows, &count, NULL), -ENOSYS);
}

static void test_everything(void **state)
{
	struct fake busy = { .pid = 900, .answer = ANSWER("{\"vbds\":[" VBD(2) "]}") };
	struct fake idle = { .pid = 80, .answer = ANSWER("{\"vbds\":[]}") };

	(void)state;
	kernel_add(1, 0);
	kernel_add(2, 900);
	kernel_add(10, 0);
	fake_start(&busy);
	fake_start(&idle);
	assert_string_equal(list(), "80/-1/-1/ 900/2/0//x 0/1/-1/ 0/10/-1/ ");
	/* Everybody agrees: nobody is asked twice, nor connected to without being asked. */
	assert_int_equal(busy.requests, 1);
	assert_int_equal(idle.requests, 1);
	assert_int_equal(kernel.lists, 1);
	assert_string_equal(list_matching((struct blktap_filter){ .pid = 900, .minor = -1 }, 10000),
			    "900/2/0//x ");
	assert_int_equal(idle.requests, 1);
	fake_stop(&busy);
	fake_stop(&idle);
}

static void test_pages(void **state)
{
	static const char *const answers[] = {
		ANSWER("{\"vbds\":[" VBD(1) "," VBD(2) "],\"next\":7}"),
		ANSWER("{\"vbds\":[" VBD(7) "]}"), NULL,
	};
	struct fake fake = { .pid = 9, .answers = answers };

	(void)state;
	kernel_add(1, 9);
	kernel_add(2, 9);
	kernel_add(7, 9);
	fake_start(&fake);
	assert_string_equal(list(), "9/1/0//x 9/2/0//x 9/7/0//x ");
	assert_int_equal(fake.requests, 2);
	assert_non_null(strstr(fake.request, "\"params\":{\"from\":7}"));
	fake_stop(&fake);
}

/* Pages that go backwards would never end. */
static void test_pages_in_a_circle(void **state)
{
	struct fake fake = { .pid = 9, .answer = ANSWER("{\"vbds\":[" VBD(1) "],\"next\":1}") };

	(void)state;
	kernel_add(1, 9);
	fake_start(&fake);
	assert_string_equal(list(), "9/-1/-1/ 9/1/-1/ ");
	assert_int_equal(fake.requests, 2);
	fake_stop(&fake);
}

/* Pages without end would fill the memory. */
static void test_pages_of_nothing(void **state)
{
	struct fake fake = { .pid = 9, .answer = ANSWER("{\"vbds\":[],\"next\":5}") };

	(void)state;
	fake_start(&fake);
	assert_string_equal(list(), "9/-1/-1/ ");
	assert_int_equal(fake.requests, 1);
	fake.answer = ANSWER("{\"vbds\":[" VBD(1) "],\"next\":65536}");
	fake.length = strlen(fake.answer);
	assert_string_equal(list(), "9/-1/-1/ ");
	assert_int_equal(fake.requests, 2);
	fake_stop(&fake);
}

/* Nobody waits for a silent tapdisk: neither further pages nor a second look. */
static void test_pages_beside_a_silent_tapdisk(void **state)
{
	static const char *const answers[] = {
		ANSWER("{\"vbds\":[" VBD(1) "],\"next\":7}"), ANSWER("{\"vbds\":[" VBD(7) "]}"), NULL,
	};
	struct fake fake = { .pid = 9, .answers = answers };
	struct fake silent = { .pid = 11 };

	(void)state;
	kernel_add(1, 9);
	kernel_add(7, 9);
	fake_start(&fake);
	fake_start(&silent);
	assert_string_equal(list_matching((struct blktap_filter)BLKTAP_FILTER_INIT, 2000),
			    "9/1/0//x 9/7/0//x 11/-1/-1/ ");
	fake_stop(&fake);
	fake_stop(&silent);
}

static void test_attached_meanwhile_beside_a_silent_tapdisk(void **state)
{
	static const char *const answers[] = {
		ANSWER("{\"vbds\":[]}"), ANSWER("{\"vbds\":[" VBD(4) "]}"), NULL,
	};
	struct fake fake = { .pid = 9, .answers = answers };
	struct fake silent = { .pid = 11 };

	(void)state;
	kernel_add(4, 9);
	fake_start(&fake);
	fake_start(&silent);
	assert_string_equal(list_matching((struct blktap_filter)BLKTAP_FILTER_INIT, 2000),
			    "9/4/0//x 11/-1/-1/ ");
	fake_stop(&fake);
	fake_stop(&silent);
}

/* A tap was attached after its tapdisk had been asked. */
static void test_attached_meanwhile(void **state)
{
	static const char *const answers[] = {
		ANSWER("{\"vbds\":[]}"), ANSWER("{\"vbds\":[" VBD(4) "]}"), NULL,
	};
	struct fake fake = { .pid = 9, .answers = answers };

	(void)state;
	kernel_add(4, 9);
	fake_start(&fake);
	assert_string_equal(list(), "9/4/0//x ");
	assert_int_equal(kernel.lists, 2);
	fake_stop(&fake);
}

/* A tap went from one tapdisk to another between the questions. */
static void test_moved_meanwhile(void **state)
{
	static const char *const old_answers[] = {
		ANSWER("{\"vbds\":[" VBD(4) "," VBD(5) "]}"), ANSWER("{\"vbds\":[" VBD(5) "]}"), NULL,
	};
	static const char *const new_answers[] = {
		ANSWER("{\"vbds\":[]}"), ANSWER("{\"vbds\":[" VBD(4) "]}"), NULL,
	};
	struct fake from = { .pid = 9, .answers = old_answers };
	struct fake to = { .pid = 7, .answers = new_answers };

	(void)state;
	kernel_add(4, 7);
	kernel_add(5, 9);
	fake_start(&from);
	fake_start(&to);
	assert_string_equal(list(), "7/4/0//x 9/5/0//x ");
	fake_stop(&from);
	fake_stop(&to);
}

/* The kernel ended its session: what it says about it is believed in the end. */
static void test_lost_session(void **state)
{
	struct fake fake = { .pid = 9, .answer = ANSWER("{\"vbds\":[" VBD(4) "]}") };

	(void)state;
	kernel_add(4, 0);
	fake_start(&fake);
	assert_string_equal(list(), "9/4/0//x ");
	assert_in_range(fake.requests, 2, 4);
	fake_stop(&fake);
}

static void test_silent_tapdisk(void **state)
{
	struct fake fake = { .pid = 50 };
	const struct blktap_filter all = BLKTAP_FILTER_INIT;

	(void)state;
	kernel_add(0, 0);
	kernel_add(1, 50);
	fake_start(&fake);
	assert_string_equal(list_matching(all, 200), "50/-1/-1/ 50/1/-1/ 0/0/-1/ ");
	fake_stop(&fake);
}

/* No process can have a number beyond 2^22. */
static void test_dead_tapdisk(void **state)
{
	char path[PATH_MAX];
	int alive = fake_listen(getpid(), -1);

	(void)state;
	close(fake_listen(5000000, 1));
	kernel_add(3, 0);
	assert_string_equal(list(), "0/3/-1/ ");
	blktap_control_path(path, sizeof(path), 5000000);
	assert_int_equal(access(path, F_OK), -1);
	blktap_control_path(path, sizeof(path), getpid());
	assert_int_equal(access(path, F_OK), 0);
	close(alive);
}

/* A thousand taps of fifty tapdisks: one round, and no time to speak of. */
static void test_many(void **state)
{
	static struct fake fakes[50];
	static char answers[50][4096];
	struct timespec before, after;
	int minor, i;

	(void)state;
	for (i = 0; i < 50; i++) {
		char *out = answers[i];

		out += sprintf(out, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"vbds\":[");
		for (minor = i; minor < 1000; minor += 50)
			out += sprintf(out, "%s{\"minor\":%d,\"state\":0}", minor == i ? "" : ",",
				       minor);
		sprintf(out, "]}}\n");
		fakes[i] = (struct fake){ .pid = i + 1, .answer = answers[i] };
		fake_start(&fakes[i]);
	}
	for (minor = 0; minor < 1000; minor++)
		kernel_add(minor, minor % 50 + 1);
	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_true(strlen(list()) > 1000);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(after.tv_sec - before.tv_sec < 3);
	assert_int_equal(kernel.lists, 1);
	for (i = 0; i < 50; i++) {
		assert_int_equal(fakes[i].requests, 1);
		fake_stop(&fakes[i]);
	}
}

#define TEST(test)	cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing),
		TEST(test_no_module),
		TEST(test_everything),
		TEST(test_pages),
		TEST(test_pages_in_a_circle),
		TEST(test_pages_of_nothing),
		TEST(test_pages_beside_a_silent_tapdisk),
		TEST(test_attached_meanwhile_beside_a_silent_tapdisk),
		TEST(test_attached_meanwhile),
		TEST(test_moved_meanwhile),
		TEST(test_lost_session),
		TEST(test_silent_tapdisk),
		TEST(test_dead_tapdisk),
		TEST(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
