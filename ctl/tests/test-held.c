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

static void recover(const pid_t *of, int timeout_ms)
{
	struct held disks[DISKS];
	size_t i;

	for (i = 0; i < DISKS; i++) {
		kernel_add(i, 0)->disk_state = BLKTAP_DISK_STATE_LIVE;
		put_record(i);
		disks[i] = (struct held){ .minor = i, .of = of[i] };
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

/* The others do not wait for the end of that, and are not its tapdisk's. */
static void test_one_hangs(void **state)
{
	size_t i;

	(void)state;
	asked = hangs;
	recover((const pid_t []){ 5, 5, 5, 6 }, 6000);
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
	recover((const pid_t []){ 5, 5, 5, 6 }, 60000);
	for (i = 0; i < DISKS; i++) {
		assert_int_equal(outcomes[i].minor, i);
		assert_int_equal(outcomes[i].code, 0);
		assert_int_equal(outcomes[i].pid, fakes[i == 3].pid);
	}
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
