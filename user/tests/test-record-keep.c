// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a client writes down for a tapdisk that runs as another user: a child of the test
 * has that user, a thread answers for it.
 */
#include "test.h"

#include "fake-kernel.h"
#include "fake-tapdisk.h"
#include "processes.h"

#define ANSWER(result)	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":" result "}\n"
#define LIVE	ANSWER("{\"vbds\":[{\"minor\":7,\"state\":0}]}")
#define PAUSED	ANSWER("{\"vbds\":[{\"minor\":7,\"state\":42}]}")
#define REFUSED	"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-16,\"message\":\"no\"}}\n"

static const struct blktap_open_params open_params = {
	.image = "aio:/x", .read_only = true, .kernel_io = BLKTAP_KERNEL_IO_REDIRECT,
	.request_timeout_ms = 5000, .spin_us = -1, .restart = true,
};

static struct blktap_record *record;
static struct fake fake;
static pid_t pid;

/* To start a process of another user. */
static void needs_root(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
}

/* What it says to the calls that come. */
static void answering(const char *const *answers)
{
	char path[PATH_MAX];

	assert_int_equal(blktap_control_path(path, sizeof(path), pid), 0);
	unlink(path);
	fake = (struct fake){ .pid = pid, .answers = answers };
	fake_start(&fake);
}

static bool read_record(void)
{
	int ret = blktap_record_read(7, &record, NULL);

	assert_true(!ret || ret == -ENOENT);
	return !ret;
}

static bool is_paused(void)
{
	bool paused;

	assert_true(read_record());
	paused = record->paused;
	blktap_record_free(record);
	return paused;
}

static void open_disk(void)
{
	static const char *const answers[] = { ANSWER("{}"), NULL };

	answering(answers);
	assert_int_equal(blktap_ctl_open(pid, 7, &open_params, NULL), 0);
	fake_stop(&fake);
}

static void test_opened(void **state)
{
	needs_root(state);
	open_disk();
	assert_true(read_record());
	assert_int_equal(record->minor, 7);
	assert_int_equal(record->pid, pid);
	assert_string_equal(record->spawn.user, "nobody");
	assert_false(record->spawn.no_sandbox);
	assert_string_equal(record->open.image, "aio:/x");
	assert_true(record->open.read_only);
	assert_false(record->open.no_direct);
	assert_int_equal(record->open.kernel_io, BLKTAP_KERNEL_IO_REDIRECT);
	assert_int_equal(record->open.request_timeout_ms, 5000);
	assert_int_equal(record->open.spin_us, -1);
	assert_true(record->open.restart);
	assert_false(record->paused);
	blktap_record_free(record);
}

static void test_refused(void **state)
{
	static const char *const answers[] = { REFUSED, NULL };

	needs_root(state);
	answering(answers);
	assert_int_equal(blktap_ctl_open(pid, 7, &open_params, NULL), -EBUSY);
	fake_stop(&fake);
	assert_false(read_record());
}

static void test_changed(void **state)
{
	static const char *const answers[] = { ANSWER("{\"mode\":\"off\"}"), ANSWER("{}"), NULL };

	needs_root(state);
	open_disk();
	answering(answers);
	assert_int_equal(blktap_ctl_kernel_io(pid, 7, BLKTAP_KERNEL_IO_AUTO, NULL, -1, NULL), 0);
	assert_int_equal(blktap_ctl_pause(pid, 7, -1, NULL), 0);
	assert_true(is_paused());
	assert_int_equal(blktap_ctl_unpause(pid, 7, "aio:/y", -1, NULL), 0);
	assert_true(read_record());
	assert_false(record->paused);
	assert_string_equal(record->open.image, "aio:/y");
	/* What was permitted, not what it can do. */
	assert_int_equal(record->open.kernel_io, BLKTAP_KERNEL_IO_AUTO);
	blktap_record_free(record);
	assert_int_equal(blktap_ctl_close(pid, 7, 0, false, NULL), 0);
	fake_stop(&fake);
	assert_false(read_record());
}

/* Whether it is paused, the tapdisk knows; if it does not say so, it may be. */
static void test_pause_fails(void **state)
{
	static const char *const goes_on[] = { REFUSED, LIVE, NULL };
	static const char *const paused[] = { REFUSED, PAUSED, NULL };
	static const char *const silent[] = { REFUSED, REFUSED, NULL };
	static const struct {
		const char *const *answers;
		bool paused;
	} cases[] = { { goes_on, false }, { paused, true }, { silent, true } };
	size_t i;

	needs_root(state);
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		open_disk();
		answering(cases[i].answers);
		assert_int_equal(blktap_ctl_pause(pid, 7, -1, NULL), -EBUSY);
		fake_stop(&fake);
		assert_int_equal(is_paused(), cases[i].paused);
	}
}

/* As after a takeover that nobody recorded, for its client was killed. */
static void test_under_an_earlier_pid(void **state)
{
	static const char *const answers[] = { ANSWER("{}"), NULL };
	pid_t old = pid;

	needs_root(state);
	open_disk();
	pid = start_process(be_nobody);
	answering(answers);
	assert_int_equal(blktap_ctl_pause(pid, 7, -1, NULL), 0);
	assert_false(is_paused());
	kernel_add(7, pid);
	assert_int_equal(blktap_ctl_pause(pid, 7, -1, NULL), 0);
	assert_true(read_record());
	assert_true(record->paused);
	assert_int_equal(record->pid, pid);
	blktap_record_free(record);
	fake_stop(&fake);
	end_process(old);
}

/* Another tapdisk's is left alone, and one that is root's keeps its own. */
static void test_not_ours(void **state)
{
	static const char *const answers[] = { ANSWER("{}"), NULL };
	pid_t user = pid;

	needs_root(state);
	open_disk();
	pid = start_process(be_as_we_are);
	answering(answers);
	assert_int_equal(blktap_ctl_pause(pid, 7, -1, NULL), 0);
	assert_int_equal(blktap_ctl_close(pid, 7, 0, false, NULL), 0);
	assert_false(is_paused());
	assert_int_equal(blktap_ctl_open(pid, 7, &open_params, NULL), 0);
	assert_true(read_record());
	assert_int_equal(record->pid, user);
	blktap_record_free(record);
	fake_stop(&fake);
	end_process(pid);
	pid = user;
}

static int set_up(void **state)
{
	kernel_reset();
	if (make_control_dir(state))
		return -1;
	pid = start_process(geteuid() ? be_as_we_are : be_nobody);
	return 0;
}

static int tear_down(void **state)
{
	end_process(pid);
	return remove_control_dir(state);
}

#define TEST(test)	cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_opened),
		TEST(test_refused),
		TEST(test_changed),
		TEST(test_pause_fails),
		TEST(test_under_an_earlier_pid),
		TEST(test_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
