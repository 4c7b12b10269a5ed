// SPDX-License-Identifier: GPL-2.0-only
/*
 * Recovering the disks of a dead tapdisk, one of which has an image that hangs: the tapdisks
 * that are spawned are threads, which have the pids of children of the test.
 */
#include "test.h"

#include <stdio.h>
#include <sys/stat.h>

#include "../held.h"
#include "tests/fake-kernel.h"
#include "tests/fake-tapdisk.h"
#include "tests/processes.h"

#define RESULT	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n"
#define DISKS	4

static struct fake fakes[DISKS];
static struct { unsigned int minor; pid_t pid; int code; } outcomes[DISKS];
static size_t nr_outcomes;

static void put_record(unsigned int minor)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/tap%u.json", control_dir, minor);
	file = fopen(path, "we");
	assert_non_null(file);
	fprintf(file, "{\"minor\":%u,\"pid\":2147483647,\"image\":\"aio:/x\",\"read_only\":false,"
		"\"no_direct\":false,\"kernel_io\":\"off\",\"request_timeout_ms\":0,"
		"\"restart\":true,\"paused\":false}", minor);
	assert_int_equal(fchmod(fileno(file), 0600), 0);
	fclose(file);
}

/* Each that is spawned is the next of them. */
static void make_tapdisk(void)
{
	char path[PATH_MAX];
	FILE *file;
	size_t i;

	snprintf(path, sizeof(path), "%s/tapdisk", control_dir);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs("#!/bin/sh\n", file);
	for (i = 0; i < DISKS; i++)
		fprintf(file, "mkdir %s/spawned%zu 2>/dev/null && { echo '{\"pid\":%d}' >&3; exit; }\n",
			control_dir, i, (int)fakes[i].pid);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0700), 0);
	setenv("TAPDISK", path, 1);
}

/* The image of minor 1. */
static bool hangs(struct fake *fake)
{
	return !strstr(fake->request, "\"open\"") || !strstr(fake->request, "\"minor\":1");
}

static bool (*asked)(struct fake *fake);

static void told(const struct held *disk, pid_t pid, const struct blktap_error *err, void *data)
{
	assert_ptr_equal(data, fakes);
	outcomes[nr_outcomes].minor = disk->minor;
	outcomes[nr_outcomes].pid = pid;
	outcomes[nr_outcomes++].code = err ? err->code : 0;
}

static void recover(const struct held *held, int timeout_ms)
{
	struct held disks[DISKS];
	size_t i;

	for (i = 0; i < DISKS; i++) {
		kernel_add(i, 0)->disk_state = BLKTAP_DISK_STATE_LIVE;
		put_record(i);
		disks[i] = held[i];
		disks[i].minor = i;
		fakes[i] = (struct fake){ .pid = start_process(be_as_we_are), .answer = RESULT,
					  .asked = asked };
		fake_start(&fakes[i]);
	}
	make_tapdisk();
	nr_outcomes = 0;
	assert_int_equal(held_recover(disks, DISKS, timeout_ms, told, fakes), 0);
	for (i = 0; i < DISKS; i++) {
		fake_stop(&fakes[i]);
		end_process(fakes[i].pid);
	}
	assert_int_equal(nr_outcomes, DISKS);
}

static const struct held of_two[DISKS] = { { .of = 5 }, { .of = 5 }, { .of = 5 }, { .of = 6 } };

/* The others do not wait for the end of that, and are not its tapdisk's. */
static void test_one_hangs(void **state)
{
	size_t i;

	(void)state;
	asked = hangs;
	recover(of_two, 6000);
	for (i = 0; i < DISKS - 1; i++)
		assert_int_equal(outcomes[i].code, 0);
	assert_int_equal(outcomes[i].minor, 1);
	assert_int_equal(outcomes[i].code, -ETIMEDOUT);
	assert_int_equal(outcomes[i].pid, 0);
}

static bool answers(struct fake *fake)
{
	(void)fake;
	return true;
}

static void test_they_stay_together(void **state)
{
	size_t i;

	(void)state;
	asked = answers;
	recover(of_two, 60000);
	for (i = 0; i < DISKS; i++) {
		assert_int_equal(outcomes[i].minor, i);
		assert_int_equal(outcomes[i].code, 0);
		assert_int_equal(outcomes[i].pid, fakes[i == 3].pid);
	}
}

/* Two that had the same pid, one after the other, were started in another way. */
static void test_other_rights(void **state)
{
	static const struct held disks[DISKS] = {
		{ .of = 5 }, { .of = 5 }, { .of = 5, .user = "guest7" },
		{ .of = 5, .no_sandbox = true },
	};
	static const size_t served_by[DISKS] = { 0, 0, 1, 2 };
	size_t i;

	(void)state;
	asked = answers;
	recover(disks, 60000);
	for (i = 0; i < DISKS; i++) {
		assert_int_equal(outcomes[i].code, 0);
		assert_int_equal(outcomes[i].pid, fakes[served_by[i]].pid);
	}
}

static void hold_disk(unsigned int minor, const char *more)
{
	char path[PATH_MAX];
	FILE *file;

	kernel_add(minor, 0)->disk_state = BLKTAP_DISK_STATE_LIVE;
	kernel.taps[kernel.count - 1].recovery = BLKTAP_RECOVERY_HELD;
	put_record(minor);
	snprintf(path, sizeof(path), "%s/tap%u.json", control_dir, minor);
	file = fopen(path, "r+e");
	assert_non_null(file);
	assert_int_equal(fseek(file, -1, SEEK_END), 0);
	fprintf(file, "%s}", more);
	fclose(file);
}

static void test_list(void **state)
{
	static const unsigned int minors[] = { 1, 4, 0, 3, 2 };
	struct held *disks;
	size_t count, i;

	(void)state;
	hold_disk(0, ",\"user\":\"guest7\"");
	hold_disk(1, "");
	hold_disk(2, ",\"no_sandbox\":true");
	hold_disk(3, ",\"user\":\"guest7\"");
	hold_disk(4, "");
	assert_int_equal(held_list(&disks, &count, NULL), 0);
	assert_int_equal(count, 5);
	for (i = 0; i < count; i++)
		assert_int_equal(disks[i].minor, minors[i]);
	assert_true(held_together(&disks[0], &disks[1]));
	assert_false(held_together(&disks[1], &disks[2]));
	assert_true(held_together(&disks[2], &disks[3]));
	assert_string_equal(disks[3].user, "guest7");
	assert_false(held_together(&disks[3], &disks[4]));
	assert_true(disks[4].no_sandbox);
	free(disks);
}

static int set_up(void **state)
{
	kernel_reset();
	return make_control_dir(state);
}

#define TEST(test)	cmocka_unit_test_setup_teardown(test, set_up, remove_control_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_hangs),
		TEST(test_they_stay_together),
		TEST(test_other_rights),
		TEST(test_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
