// SPDX-License-Identifier: LGPL-2.1-or-later
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libblktap.h"

static void test_default_directory(void **state)
{
	(void)state;
	unsetenv("BLKTAP_CONTROL_DIR");
	assert_string_equal(blktap_control_dir(), "/run/blktap-control");
	setenv("BLKTAP_CONTROL_DIR", "", 1);
	assert_string_equal(blktap_control_dir(), "/run/blktap-control");
}

static void test_environment(void **state)
{
	char path[64];

	(void)state;
	setenv("BLKTAP_CONTROL_DIR", "/x", 1);
	assert_int_equal(blktap_control_path(path, sizeof(path), 4168), 0);
	assert_string_equal(path, "/x/ctl4168");
}

static void test_length(void **state)
{
	char path[10];

	(void)state;
	setenv("BLKTAP_CONTROL_DIR", "/x", 1);
	assert_int_equal(blktap_control_path(path, 9, 41), 0);
	assert_int_equal(blktap_control_path(path, 8, 41), -ENAMETOOLONG);
}

/* A directory in which anybody else could put sockets is none to use. */
static void test_unsafe(void **state)
{
	char dir[] = "/tmp/blktap-paths-XXXXXX", link[64], path[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	setenv("BLKTAP_CONTROL_DIR", dir, 1);
	assert_int_equal(blktap_control_path(path, sizeof(path), 1), 0);
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(blktap_control_path(path, sizeof(path), 1), 0);
	assert_int_equal(chmod(dir, 0770), 0);
	assert_int_equal(blktap_control_path(path, sizeof(path), 1), -EPERM);
	assert_int_equal(chmod(dir, 01777), 0);
	assert_int_equal(blktap_control_path(path, sizeof(path), 1), -EPERM);
	assert_int_equal(chmod(dir, 0700), 0);
	snprintf(link, sizeof(link), "%s-link", dir);
	assert_int_equal(symlink(dir, link), 0);
	setenv("BLKTAP_CONTROL_DIR", link, 1);
	assert_int_equal(blktap_control_path(path, sizeof(path), 1), -ENOTDIR);
	unlink(link);
	if (geteuid() == 0) {
		setenv("BLKTAP_CONTROL_DIR", dir, 1);
		assert_int_equal(chown(dir, 65534, 65534), 0);
		assert_int_equal(blktap_control_path(path, sizeof(path), 1), -EPERM);
	}
	rmdir(dir);
}

static void test_disk(void **state)
{
	char path[64];

	(void)state;
	assert_int_equal(blktap_disk_path(path, sizeof(path), 65535), 0);
	assert_string_equal(path, "/dev/xen/blktap-2/tapdev65535");
	assert_int_equal(blktap_disk_path(path, 29, 65535), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_directory),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_unsafe),
		cmocka_unit_test(test_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
