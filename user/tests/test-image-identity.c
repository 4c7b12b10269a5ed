// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which file or device an image is, and looking at one whose storage does not answer.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fake-tapdisk.h"
#include "image-look.h"

static char identity[IMAGE_IDENTITY_SIZE], other[IMAGE_IDENTITY_SIZE];

/* ------------------------------------------------------------ storage that hangs */

static pthread_mutex_t hanging = PTHREAD_MUTEX_INITIALIZER;
static bool no_birth;

int statx(int fd, const char *path, int flags, unsigned int mask, struct statx *st)
{
	pthread_mutex_lock(&hanging);
	pthread_mutex_unlock(&hanging);
	if (no_birth)
		mask &= ~STATX_BTIME;
	if (syscall(SYS_statx, fd, path, flags, mask, st) != 0)
		return -1;
	if (no_birth)
		st->stx_mask &= ~STATX_BTIME;
	return 0;
}

/* ------------------------------------------------------------------------- files */

static void test_file(void **state)
{
	char expected[IMAGE_IDENTITY_SIZE];
	struct stat st;
	int fd;

	(void)state;
	make_file("file");
	make_file("new");
	fd = open(path_of("file"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(image_identity(fd, "", identity), 0);
	snprintf(expected, sizeof(expected), "file %u:%u %llu", major(st.st_dev), minor(st.st_dev),
		 (unsigned long long)st.st_ino);
	assert_memory_equal(identity, expected, strlen(expected));
	assert_int_equal(image_identity(AT_FDCWD, path_of("file"), other), 0);
	assert_string_equal(identity, other);
	/* The open one stays what it is. */
	move_file("file", "moved");
	move_file("new", "file");
	assert_int_equal(image_identity(AT_FDCWD, path_of("file"), other), 0);
	assert_string_not_equal(identity, other);
	assert_int_equal(image_identity(AT_FDCWD, path_of("moved"), other), 0);
	assert_string_equal(identity, other);
	assert_int_equal(image_identity(fd, "", other), 0);
	assert_string_equal(identity, other);
	no_birth = true;
	assert_int_equal(image_identity(fd, "", other), 0);
	assert_string_equal(other, expected);
	close(fd);
}

/* On many file systems it has the inode of the one that was there. */
static void test_file_made_anew(void **state)
{
	struct statx st;

	(void)state;
	make_file("file");
	assert_int_equal(image_identity(AT_FDCWD, path_of("file"), identity), 0);
	assert_int_equal(statx(AT_FDCWD, path_of("file"), 0, STATX_BTIME, &st), 0);
	if (!(st.stx_mask & STATX_BTIME))
		skip();
	assert_non_null(strstr(identity, " born "));
	assert_int_equal(unlink(path_of("file")), 0);
	usleep(20000);
	make_file("file");
	assert_int_equal(image_identity(AT_FDCWD, path_of("file"), other), 0);
	assert_string_not_equal(strstr(identity, " born "), strstr(other, " born "));
}

static void test_neither(void **state)
{
	(void)state;
	assert_int_equal(image_identity(AT_FDCWD, "/dev/null", identity), -EINVAL);
	assert_int_equal(image_identity(AT_FDCWD, control_dir, identity), -EISDIR);
	assert_int_equal(image_identity(AT_FDCWD, path_of("none"), identity), -ENOENT);
	assert_string_equal(identity, "");
}

/* ----------------------------------------------------------------------- devices */

/* A device of this machine, by the name of a file in sysfs. */
static bool find_device(const char *pattern, unsigned int *major, unsigned int *minor)
{
	glob_t found;
	bool there = glob(pattern, 0, NULL, &found) == 0;

	if (there)
		there = sscanf(found.gl_pathv[0], "/sys/dev/block/%u:%u/", major, minor) == 2;
	globfree(&found);
	return there;
}

static unsigned long long read_seq(const char *format, unsigned int major, unsigned int minor)
{
	unsigned long long seq = 0;
	char path[96];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major, minor, format);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%llu", &seq), 1);
	fclose(file);
	return seq;
}

static void check_device(const char *pattern, const char *seq)
{
	char expected[IMAGE_IDENTITY_SIZE];
	unsigned int major = 0, minor = 0;

	if (!find_device(pattern, &major, &minor) ||
	    mknod(path_of("device"), S_IFBLK | 0600, makedev(major, minor)) != 0)
		skip();
	assert_int_equal(image_identity(AT_FDCWD, path_of("device"), identity), 0);
	snprintf(expected, sizeof(expected), "device %u:%u seq %llu", major, minor,
		 read_seq(seq, major, minor));
	assert_string_equal(identity, expected);
}

static void test_disk(void **state)
{
	(void)state;
	check_device("/sys/dev/block/*/diskseq", "diskseq");
}

static void test_partition(void **state)
{
	(void)state;
	check_device("/sys/dev/block/*/partition", "../diskseq");
}

/* ----------------------------------------------------------------------- looking */

static int look(const char *type, const char *name, const char *options, int timeout_ms)
{
	char image[PATH_MAX + 32];

	snprintf(image, sizeof(image), "%s:%s%s", type, path_of(name), options);
	return image_look(image, deadline_in(timeout_ms), identity);
}

static void test_look(void **state)
{
	(void)state;
	make_file("file");
	assert_int_equal(image_identity(AT_FDCWD, path_of("file"), other), 0);
	assert_int_equal(look("aio", "file", "", -1), 0);
	assert_string_equal(identity, other);
	assert_int_equal(look("scatter", "file", ",block=4K", 10000), 0);
	assert_string_equal(identity, other);
	assert_int_equal(look("scatter", "file", "", 10000), 0);
	assert_string_equal(identity, other);
	assert_int_equal(look("aio", "none", "", 10000), -ENOENT);
	assert_string_equal(identity, "");
	assert_int_equal(image_look("ram:1M", deadline_in(10000), identity), 0);
	assert_string_equal(identity, "");
}

static void test_storage_that_hangs(void **state)
{
	int cancelling = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct deadline slow = deadline_in(20000);

	(void)state;
	make_file("file");
	pthread_mutex_lock(&hanging);
	assert_int_equal(look("aio", "file", "", 50), -ETIMEDOUT);
	blktap_cancel_on(cancelling);
	assert_int_equal(eventfd_write(cancelling, 1), 0);
	assert_int_equal(look("aio", "file", "", -1), -EINTR);
	blktap_cancel_on(-1);
	close(cancelling);
	assert_false(deadline_passed(slow));
	pthread_mutex_unlock(&hanging);
	assert_int_equal(look("aio", "file", "", 10000), 0);
	assert_string_not_equal(identity, "");
	/* Those that nobody waits for any more. */
	usleep(100000);
}

static int tear_down(void **state)
{
	no_birth = false;
	return remove_control_dir(state);
}

#define TEST(test)	cmocka_unit_test_setup_teardown(test, make_control_dir, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_file),
		TEST(test_file_made_anew),
		TEST(test_neither),
		TEST(test_disk),
		TEST(test_partition),
		TEST(test_look),
		TEST(test_storage_that_hangs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
