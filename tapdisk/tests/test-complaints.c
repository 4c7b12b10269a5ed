// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the log has of requests that go wrong, and how much of it.
 */
#include <errno.h>
#include <linux/blktap.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "complaints.h"

#define SECOND	1000000000ULL

static struct complaints complaints;
static const struct blktap_request a_write = {
	.op = BLKTAP_OP_WRITE, .offset = 8192, .length = 4096,
};
static FILE *log_file;
static int real_stderr;

static int set_up(void **state)
{
	(void)state;
	complaints = (struct complaints){ .minor = 7, .image = "/srv/disk.img" };
	log_file = tmpfile();
	real_stderr = dup(STDERR_FILENO);
	return log_file && dup2(fileno(log_file), STDERR_FILENO) >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	return fclose(log_file);
}

static unsigned int lines(void)
{
	unsigned int count = 0;
	char line[512];

	rewind(log_file);
	while (fgets(line, sizeof(line), log_file))
		count++;
	return count;
}

static void expect_line(const char *expected)
{
	char line[512] = "";

	rewind(log_file);
	while (fgets(line, sizeof(line), log_file))
		;
	line[strcspn(line, "\n")] = '\0';
	assert_string_equal(line, expected);
}

static void test_texts(void **state)
{
	const struct blktap_request flush = { .op = BLKTAP_OP_FLUSH };

	(void)state;
	complain(&complaints, COMPLAINT_FAILED, &a_write, -ENOSPC, "", SECOND);
	expect_line("blktap: tapdev7: write of 4096 bytes at 8192 of /srv/disk.img: "
		    "No space left on device (1 so far)");
	complain(&complaints, COMPLAINT_FAILED, &flush, -EIO, "", SECOND);
	expect_line("blktap: tapdev7: flush of /srv/disk.img: Input/output error (2 so far)");
	complain(&complaints, COMPLAINT_AGAIN, &a_write, -EAGAIN, ", so it is tried again", SECOND);
	expect_line("blktap: tapdev7: write of 4096 bytes at 8192 of /srv/disk.img: "
		    "Resource temporarily unavailable, so it is tried again (1 so far)");
	complain(&complaints, COMPLAINT_CAME_BACK, &a_write, 0, "", SECOND);
	expect_line("blktap: tapdev7: write of 4096 bytes at 8192 of /srv/disk.img: "
		    "the kernel could not do it (1 so far)");
	complaints.image = NULL;
	complain(&complaints, COMPLAINT_FAILED, &flush, -EIO, "", SECOND);
	expect_line("blktap: tapdev7: flush of no image: Input/output error (3 so far)");
}

/* A storm is a few lines; a trouble that lasts has some now and then. */
static void test_limit(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 1000; i++)
		complain(&complaints, COMPLAINT_FAILED, &a_write, -EIO, "", SECOND + i);
	assert_int_equal(lines(), 16);
	expect_line("blktap: tapdev7: write of 4096 bytes at 8192 of /srv/disk.img: "
		    "Input/output error (16 so far; no more of this for some minutes)");
	complain(&complaints, COMPLAINT_FAILED, &a_write, -EIO, "", 600 * SECOND);
	assert_int_equal(lines(), 16);
	complain(&complaints, COMPLAINT_FAILED, &a_write, -EIO, "", 601 * SECOND);
	assert_int_equal(lines(), 17);
	expect_line("blktap: tapdev7: write of 4096 bytes at 8192 of /srv/disk.img: "
		    "Input/output error (1002 so far)");
	/* another kind has lines of its own */
	complain(&complaints, COMPLAINT_AGAIN, &a_write, -EBUSY, "", 601 * SECOND);
	assert_int_equal(lines(), 18);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_texts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_limit, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
