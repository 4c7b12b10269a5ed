// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Images that are opened for a tapdisk.
 */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "fake-tapdisk.h"
#include "passing.h"

#define NOBODY	65534

static const struct deadline never = { INT64_MAX };
static char identity[IMAGE_IDENTITY_SIZE];
static struct blktap_error err;

/* ------------------------------------------------------------ storage that hangs */

static pthread_mutex_t hanging = PTHREAD_MUTEX_INITIALIZER;
static const char *hangs_at;	/* a name; NULL: nothing does */

/* Nobody makes a file with it here. */
int openat(int folder, const char *name, int flags, ...)
{
	if (hangs_at && strcmp(name, hangs_at) == 0) {
		pthread_mutex_lock(&hanging);
		pthread_mutex_unlock(&hanging);
	}
	return syscall(SYS_openat, folder, name, flags, 0);
}

/* ------------------------------------------------------------------------- files */

static int pass_within(const char *name, bool read_only, int timeout_ms)
{
	char image[PATH_MAX];

	snprintf(image, sizeof(image), "aio:%s/%s", control_dir, name);
	return passing_image(image, read_only, deadline_in(timeout_ms), identity, &err);
}

static int pass(const char *name, bool read_only)
{
	return pass_within(name, read_only, -1);
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
	assert_string_equal(identity, "");
}

/* Which one it is that was opened. */
static void test_identity(void **state)
{
	char expected[IMAGE_IDENTITY_SIZE];
	int fd;

	(void)state;
	make_file("file");
	assert_int_equal(image_identity(AT_FDCWD, path_of("file"), expected), 0);
	fd = pass("file", true);
	assert_true(fd >= 0);
	close(fd);
	assert_string_equal(identity, expected);
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
	assert_int_equal(passing_image("aio:/dev/null", false, never, identity, &err), -EINVAL);
	assert_string_equal(err.text, "/dev/null is neither a file nor a block device");
	assert_int_equal(passing_image("ram:1M", false, never, identity, &err), -EACCES);
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
	assert_int_equal(passing_image("aio:file", false, never, identity, &err), -EINVAL);
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

static int pass_paused(pid_t pid, const char *image)
{
	return passing_paused_image(pid, 3, image, never, identity, &err);
}

/* It is not asked: there is no such tapdisk. */
static void test_of_a_paused_disk(void **state)
{
	char path[PATH_MAX], image[PATH_MAX + 4];

	(void)state;
	snprintf(path, sizeof(path), "%s/file", control_dir);
	snprintf(image, sizeof(image), "aio:%s", path);
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_int_equal(pass_paused(9, NULL), -ENOENT);
	put_record(9, "file", false);
	expect_access(pass_paused(9, NULL), O_RDWR);
	assert_int_equal(pass_paused(10, NULL), -EACCES);
	assert_int_equal(pass_paused(10, image), -EACCES);
	put_record(9, "none", true);
	assert_int_equal(pass_paused(9, NULL), -ENOENT);
	expect_access(pass_paused(9, image), O_RDONLY);
}

static unsigned int count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned int count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static void assert_hangs(int timeout_ms, int code, const char *text)
{
	struct deadline slow = deadline_in(20000);

	assert_int_equal(pass_within("folder/file", false, timeout_ms), code);
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.text, text));
	assert_false(deadline_passed(slow));
}

/* On the way to it, or the file itself. What comes of it when nobody waits any more is closed. */
static void test_storage_that_hangs(void **state)
{
	unsigned int descriptors = count_descriptors(), tries;
	int cancelling;

	(void)state;
	make_folder("folder", 0755);
	make_file("folder/file");
	pthread_mutex_lock(&hanging);
	hangs_at = "folder";
	assert_hangs(50, -ETIMEDOUT, "folder/file: its storage does not answer");
	hangs_at = "file";
	assert_hangs(50, -ETIMEDOUT, "folder/file: its storage does not answer");
	cancelling = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	blktap_cancel_on(cancelling);
	assert_hangs(-1, -EINTR, "interrupted while ");
	blktap_cancel_on(-1);
	close(cancelling);
	assert_true(count_descriptors() > descriptors);
	pthread_mutex_unlock(&hanging);
	for (tries = 0; count_descriptors() != descriptors && tries < 1000; tries++)
		usleep(10000);
	assert_int_equal(count_descriptors(), descriptors);
	expect_access(pass_within("folder/file", false, 20000), O_RDWR);
	hangs_at = NULL;
}

#define TEST(test)	cmocka_unit_test_setup_teardown(test, make_control_dir, remove_control_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_file),
		TEST(test_identity),
		TEST(test_no_image),
		TEST(test_links),
		TEST(test_folder_of_another),
		TEST(test_folder_that_others_may_write),
		TEST(test_sticky_folder),
		TEST(test_of_a_paused_disk),
		TEST(test_storage_that_hangs),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
