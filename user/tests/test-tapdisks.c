// SPDX-License-Identifier: LGPL-2.1-or-later
#include "test.h"

#include <fcntl.h>
#include <time.h>

#include "fake-tapdisk.h"

static void test_no_directory(void **state)
{
	pid_t *pids;
	size_t count;

	(void)state;
	setenv("BLKTAP_CONTROL_DIR", "/nonexistent/blktap", 1);
	assert_int_equal(blktap_ctl_tapdisks(&pids, &count, NULL), 0);
	assert_int_equal(count, 0);
	free(pids);
}

static void test_not_a_directory(void **state)
{
	struct blktap_error err;
	pid_t *pids;
	size_t count;

	(void)state;
	setenv("BLKTAP_CONTROL_DIR", "/dev/null", 1);
	assert_int_equal(blktap_ctl_tapdisks(&pids, &count, &err), -ENOTDIR);
}

/* By number, not by name; only what is a socket that is alive. */
static void test_order(void **state)
{
	static const pid_t alive[] = { 1000, 9, 70, 800 };
	int fds[4];
	pid_t *pids;
	size_t count, i;

	(void)state;
	for (i = 0; i < 4; i++)
		fds[i] = fake_listen(alive[i], 4);
	close(fake_listen(100, 4));
	make_file("ctl");
	make_file("ctl12x");
	make_file("ctl-5");
	make_file("ctl0");
	make_file("ctl99999999999999999999");
	make_file("ctl55");
	make_file("nbd5.0");
	assert_int_equal(blktap_ctl_tapdisks(&pids, &count, NULL), 0);
	assert_int_equal(count, 4);
	assert_int_equal(pids[0], 9);
	assert_int_equal(pids[1], 70);
	assert_int_equal(pids[2], 800);
	assert_int_equal(pids[3], 1000);
	free(pids);
	for (i = 0; i < 4; i++)
		close(fds[i]);
}

/* Slow ones delay nobody, and do not add up. */
static void test_list_all(void **state)
{
	struct fake good = {
		.pid = 30,
		.answer = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"vbds\":[{\"minor\":1,\"state\":0}]}}\n",
	};
	struct fake silent[2] = { { .pid = 10 }, { .pid = 20 } };
	struct fake odd = { .pid = 25, .answer = "what?\n" };
	const pid_t pids[] = { 5, 10, 20, 25, 30 };
	struct blktap_tapdisk *tapdisks;
	struct timespec before, after;
	size_t count;

	(void)state;
	fake_start(&good);
	fake_start(&odd);
	fake_start(&silent[0]);
	fake_start(&silent[1]);
	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_int_equal(blktap_ctl_list_all(pids, 5, 1000, &tapdisks, &count, NULL), 0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(after.tv_sec - before.tv_sec < 2 + 1);
	assert_int_equal(count, 4);
	assert_int_equal(tapdisks[0].pid, 10);
	assert_int_equal(tapdisks[0].code, -ETIMEDOUT);
	assert_int_equal(tapdisks[1].code, -ETIMEDOUT);
	assert_int_equal(tapdisks[2].pid, 25);
	assert_int_equal(tapdisks[2].code, -EPROTO);
	assert_int_equal(tapdisks[3].pid, 30);
	assert_int_equal(tapdisks[3].code, 0);
	assert_int_equal(tapdisks[3].count, 1);
	assert_int_equal(tapdisks[3].vbds[0].minor, 1);
	blktap_tapdisks_free(tapdisks, count);
	fake_stop(&good);
	fake_stop(&odd);
	fake_stop(&silent[0]);
	fake_stop(&silent[1]);
}

static void test_list_none(void **state)
{
	struct blktap_tapdisk *tapdisks;
	size_t count;

	(void)state;
	assert_int_equal(blktap_ctl_list_all(NULL, 0, 1000, &tapdisks, &count, NULL), 0);
	assert_int_equal(count, 0);
	blktap_tapdisks_free(tapdisks, count);
}

/* More of them than are asked at a time. */
static void test_list_many(void **state)
{
	static struct fake fakes[300];
	static pid_t pids[300];
	struct blktap_tapdisk *tapdisks;
	size_t count, i;

	(void)state;
	for (i = 0; i < 300; i++) {
		pids[i] = i + 1;
		fakes[i] = (struct fake){
			.pid = i + 1,
			.answer = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"vbds\":[]}}\n",
		};
		fake_start(&fakes[i]);
	}
	assert_int_equal(blktap_ctl_list_all(pids, 300, 20000, &tapdisks, &count, NULL), 0);
	assert_int_equal(count, 300);
	for (i = 0; i < 300; i++) {
		assert_int_equal(tapdisks[i].pid, i + 1);
		assert_int_equal(tapdisks[i].code, 0);
		fake_stop(&fakes[i]);
	}
	blktap_tapdisks_free(tapdisks, count);
}

/* Sockets of the dead go; that of somebody alive who does not listen yet stays. */
static void test_sweep(void **state)
{
	int alive = fake_listen(getpid(), -1);
	char path[PATH_MAX];

	(void)state;
	/* No process can have a number beyond 2^22. */
	close(fake_listen(5000000, 1));
	make_file("ctl5000001");
	blktap_ctl_sweep();
	blktap_control_path(path, sizeof(path), getpid());
	assert_int_equal(access(path, F_OK), 0);
	blktap_control_path(path, sizeof(path), 5000000);
	assert_int_equal(access(path, F_OK), -1);
	close(alive);
}

#define TEST(test)	cmocka_unit_test_setup_teardown(test, make_control_dir, remove_control_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_directory),
		TEST(test_not_a_directory),
		TEST(test_order),
		TEST(test_list_all),
		TEST(test_list_none),
		TEST(test_list_many),
		TEST(test_sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
