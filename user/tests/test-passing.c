// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Images that are opened for a tapdisk.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "fake-tapdisk.h"
#include "passing.h"

#define NOBODY	65534

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

static void make_folder(const char *name, mode_t mode)
{
	assert_int_equal(mkdir(path_of(name), 0700), 0);
	assert_int_equal(chmod(path_of(name), mode), 0);
}

static void make_link(const char *target, const char *name)
{
	assert_int_equal(symlink(target, path_of(name)), 0);
}

static void give_away(const char *name)
{
	assert_int_equal(lchown(path_of(name), NOBODY, NOBODY), 0);
}

static bool opens(const char *name)
{
	int fd = pass(name, false);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void test_links(void **state)
{
	char absolute[PATH_MAX];

	(void)state;
	make_folder("folder", 0755);
	make_folder("folder/inner", 0700);
	make_file("folder/inner/file");
	assert_true(opens("folder/inner/file"));
	assert_true(opens("./folder//inner/../inner/./file"));
	make_link("folder/inner", "to-folder");
	make_link("../../to-folder/file", "folder/inner/back");
	make_link("to-folder/back", "twice");
	assert_true(opens("to-folder/file"));
	assert_true(opens("twice"));
	snprintf(absolute, sizeof(absolute), "%s/folder", control_dir);
	make_link(absolute, "absolute");
	assert_true(opens("absolute/inner/back"));
	make_link("none", "dangling");
	assert_int_equal(pass("dangling", false), -ENOENT);
	make_link("loop", "loop");
	assert_int_equal(pass("loop", false), -ELOOP);
	make_link(".", "here");
	assert_int_equal(pass("here", false), -EISDIR);
	assert_int_equal(pass("folder/inner/file/", false), -ENOTDIR);
	assert_int_equal(pass("folder/inner/file/..", false), -ENOTDIR);
	assert_int_equal(passing_image("aio:file", false, &err), -EINVAL);
}

/* The tapdisk's user may be the owner, and what he puts there is not what was meant. */
static void test_folder_of_another(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	make_file("secret");
	make_folder("theirs", 0755);
	make_file("theirs/file");
	make_link("../secret", "theirs/link");
	make_link("theirs/link", "link");
	assert_true(opens("theirs/file"));
	assert_true(opens("link"));
	give_away("theirs");
	assert_int_equal(pass("theirs/file", false), -EPERM);
	assert_non_null(strstr(err.text, path_of("theirs is ")));
	assert_non_null(strstr(err.text, "'s: nothing in it is opened for a tapdisk with a user"));
	assert_int_equal(pass("theirs/link", false), -EPERM);
	assert_int_equal(pass("link", true), -EPERM);
	assert_int_equal(pass("theirs/../secret", true), -EPERM);
	assert_true(opens("secret"));
}

static void test_folder_that_others_may_write(void **state)
{
	(void)state;
	make_folder("open", 0777);
	make_file("open/file");
	assert_int_equal(pass("open/file", false), -EPERM);
	assert_non_null(strstr(err.text, path_of("open may be written by others: nothing in it")));
	assert_int_equal(chmod(path_of("open"), 0770), 0);
	assert_int_equal(pass("open/file", false), -EPERM);
	assert_int_equal(chmod(path_of("open"), 0755), 0);
	assert_true(opens("open/file"));
}

/* As /var/tmp: names are their makers'. */
static void test_sticky_folder(void **state)
{
	char path[PATH_MAX];

	(void)state;
	if (geteuid() != 0)
		skip();
	make_file("secret");
	make_folder("sticky", 01777);
	make_file("sticky/ours");
	make_file("sticky/theirs");
	make_folder("sticky/folder", 0755);
	make_file("sticky/folder/file");
	make_link("../secret", "sticky/link");
	assert_true(opens("sticky/ours"));
	assert_true(opens("sticky/link"));
	assert_true(opens("sticky/folder/file"));
	give_away("sticky/theirs");
	give_away("sticky/link");
	assert_int_equal(pass("sticky/theirs", false), -EPERM);
	assert_non_null(strstr(err.text, "who may have made theirs: it is not opened"));
	assert_int_equal(pass("sticky/link", false), -EPERM);
	give_away("sticky/folder");
	assert_int_equal(pass("sticky/folder/file", false), -EPERM);
	/* Where the kernel lets anybody give a file another name. */
	snprintf(path, sizeof(path), "%s/secret", control_dir);
	assert_int_equal(link(path, path_of("sticky/other-name")), 0);
	assert_int_equal(pass("sticky/other-name", false), -EPERM);
	assert_true(opens("secret"));
	/* Its owner may do anything there. */
	give_away("sticky");
	assert_int_equal(pass("sticky/ours", false), -EPERM);
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
		TEST(test_links),
		TEST(test_folder_of_another),
		TEST(test_folder_that_others_may_write),
		TEST(test_sticky_folder),
		TEST(test_of_a_paused_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
