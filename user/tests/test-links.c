// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Taps with links to their disks.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "fake-kernel.h"
#include "fake-tapdisk.h"
#include "links.h"

static char name[PATH_MAX];

static int set_up(void **state)
{
	int ret = make_control_dir(state);

	kernel_reset();
	snprintf(name, sizeof(name), "%s/disk", control_dir);
	return ret;
}

static const char *target(const char *path)
{
	static char buf[PATH_MAX];
	ssize_t length = readlink(path, buf, sizeof(buf) - 1);

	buf[length < 0 ? 0 : length] = '\0';
	return buf;
}

static const char *record(unsigned int minor)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/links/%u", control_dir, minor);
	return target(path);
}

static int allocate(int minor, const char *link, struct blktap_error *err)
{
	struct blktap_tap_params params = BLKTAP_TAP_PARAMS_INIT;

	params.minor = minor;
	return blktap_allocate(&params, link, NULL, err);
}

static void test_link(void **state)
{
	(void)state;
	assert_int_equal(allocate(5, name, NULL), 0);
	assert_string_equal(target(name), "/dev/xen/blktap-2/tapdev5");
	assert_string_equal(record(5), name);
	assert_int_equal(blktap_free(5, false, 1000, NULL), 0);
	assert_string_equal(target(name), "");
	assert_string_equal(record(5), "");
}

static void test_relative_name(void **state)
{
	char here[PATH_MAX];

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(chdir(control_dir), 0);
	assert_int_equal(allocate(5, "disk", NULL), 0);
	assert_string_equal(record(5), name);
	assert_string_equal(target(name), "/dev/xen/blktap-2/tapdev5");
	assert_int_equal(chdir(here), 0);
}

/* What is not ours is left alone, and then there is no tap either. */
static void test_taken_names(void **state)
{
	struct blktap_error err;

	(void)state;
	close(open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(allocate(5, name, &err), -EEXIST);
	assert_non_null(strstr(err.text, name));
	assert_int_equal(kernel.count, 0);
	assert_string_equal(record(5), "");
	assert_int_equal(access(name, F_OK), 0);
	unlink(name);
	assert_int_equal(symlink("/dev/xen/blktap-2/tapdev6", name), 0);
	assert_int_equal(allocate(5, name, NULL), -EEXIST);
	assert_string_equal(target(name), "/dev/xen/blktap-2/tapdev6");
	assert_int_equal(allocate(6, name, NULL), 0);
	assert_int_equal(allocate(7, "", NULL), -EINVAL);
	assert_int_equal(allocate(7, "/nonexistent/disk", NULL), -ENOENT);
	assert_int_equal(kernel.count, 1);
}

/* Its lock must not be for everybody to hold. */
static void test_private_directory(void **state)
{
	char path[PATH_MAX];
	struct stat status;

	(void)state;
	assert_int_equal(allocate(5, name, NULL), 0);
	snprintf(path, sizeof(path), "%s/links", control_dir);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0700);
}

/* Somebody put something else there: it stays. */
static void test_replaced_link(void **state)
{
	(void)state;
	assert_int_equal(allocate(5, name, NULL), 0);
	unlink(name);
	close(open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(blktap_free(5, false, 1000, NULL), 0);
	assert_int_equal(access(name, F_OK), 0);
	assert_string_equal(record(5), "");
}

/* A tap that was freed by other means leaves its link behind, for the next one to remove. */
static void test_stale_link(void **state)
{
	(void)state;
	assert_int_equal(allocate(5, name, NULL), 0);
	kernel_reset();
	assert_int_equal(allocate(5, NULL, NULL), 0);
	assert_string_equal(target(name), "");
	assert_string_equal(record(5), "");
}

/* While a tap is freed its minor and its name may find another owner. */
static void test_freed_and_allocated_meanwhile(void **state)
{
	struct link_mark mark;

	(void)state;
	assert_int_equal(allocate(5, name, NULL), 0);
	link_look(5, &mark);
	assert_true(mark.there);
	usleep(20000);		/* the clock of the file system goes in steps */
	kernel_reset();
	assert_int_equal(allocate(5, name, NULL), 0);
	assert_int_equal(link_remove(5, &mark, NULL), 0);
	assert_string_equal(target(name), "/dev/xen/blktap-2/tapdev5");
	link_look(5, &mark);
	assert_int_equal(link_remove(5, &mark, NULL), 0);
	assert_string_equal(target(name), "");
}

static void test_relative_directory(void **state)
{
	(void)state;
	setenv("BLKTAP_CONTROL_DIR", "run", 1);
	assert_int_equal(allocate(5, NULL, NULL), -EINVAL);
	assert_int_equal(kernel.count, 0);
	assert_int_equal(blktap_free(5, false, 1000, NULL), -EINVAL);
}

static void test_no_links(void **state)
{
	(void)state;
	assert_int_equal(allocate(5, NULL, NULL), 0);
	assert_int_equal(blktap_free(5, false, 1000, NULL), 0);
	assert_int_equal(blktap_free(5, false, 1000, NULL), -ENODEV);
}

#define TEST(test)	cmocka_unit_test_setup_teardown(test, set_up, remove_control_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_link),
		TEST(test_relative_name),
		TEST(test_taken_names),
		TEST(test_private_directory),
		TEST(test_replaced_link),
		TEST(test_stale_link),
		TEST(test_freed_and_allocated_meanwhile),
		TEST(test_relative_directory),
		TEST(test_no_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
