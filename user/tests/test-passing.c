// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Images that are opened for a tapdisk.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "fake-tapdisk.h"
#include "passing.h"

static struct blktap_error err;

static int pass(const char *name, bool read_only)
{
	char image[PATH_MAX];

	snprintf(image, sizeof(image), "aio:%s/%s", control_dir, name);
	return passing_image(image, read_only, &err);
}

static void test_file(void **state)
{
	char path[PATH_MAX];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/file", control_dir);
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	fd = pass("file", false);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	close(fd);
	fd = pass("file", true);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	close(fd);
	assert_int_equal(pass("none", true), -ENOENT);
}

/* Some devices begin to do something when they are opened. */
static void test_no_image(void **state)
{
	char path[PATH_MAX];

	(void)state;
	snprintf(path, sizeof(path), "%s/pipe", control_dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(pass("pipe", false), -EINVAL);
	assert_int_equal(pass(".", true), -EISDIR);
	assert_int_equal(passing_image("aio:/dev/null", false, &err), -EINVAL);
	assert_string_equal(err.text, "/dev/null is neither a file nor a block device");
	assert_int_equal(passing_image("ram:1M", false, &err), -EACCES);
}

static void put_record(pid_t pid, const char *name, bool read_only)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/tap3.json", control_dir);
	file = fopen(path, "we");
	fprintf(file, "{\"minor\":3,\"pid\":%d,\"image\":\"aio:%s/%s\",\"read_only\":%s,"
		"\"no_direct\":false,\"kernel_io\":\"off\",\"request_timeout_ms\":7000,"
		"\"spin_us\":50,\"restart\":false,\"paused\":true}", (int)pid, control_dir, name,
		read_only ? "true" : "false");
	fchmod(fileno(file), 0600);
	fclose(file);
}

static void expect_access(int fd, int access)
{
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, access);
	close(fd);
}

/* It is not asked: there is no such tapdisk. */
static void test_of_a_paused_disk(void **state)
{
	char path[PATH_MAX], image[PATH_MAX + 4];

	(void)state;
	snprintf(path, sizeof(path), "%s/file", control_dir);
	snprintf(image, sizeof(image), "aio:%s", path);
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_int_equal(passing_paused_image(9, 3, NULL, &err), -ENOENT);
	put_record(9, "file", false);
	expect_access(passing_paused_image(9, 3, NULL, &err), O_RDWR);
	assert_int_equal(passing_paused_image(10, 3, NULL, &err), -EACCES);
	assert_int_equal(passing_paused_image(10, 3, image, &err), -EACCES);
	put_record(9, "none", true);
	assert_int_equal(passing_paused_image(9, 3, NULL, &err), -ENOENT);
	expect_access(passing_paused_image(9, 3, image, &err), O_RDONLY);
}

#define TEST(test)	cmocka_unit_test_setup_teardown(test, make_control_dir, remove_control_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_file),
		TEST(test_no_image),
		TEST(test_of_a_paused_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
