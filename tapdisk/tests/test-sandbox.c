// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a process has given up, each time one of its own. For root alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

#include "landlock.h"
#include "sandbox.h"

enum { FINE, NOT_ENTERED };

/* What /proc/self/status has as @key, as a number of base @base; -1: nothing. */
static long long status_of(const char *key, int base)
{
	FILE *file = fopen("/proc/self/status", "re");
	size_t length = strlen(key);
	long long value = -1;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, key, length) == 0 && line[length] == ':')
			value = strtoll(line + length + 1, NULL, base);
	if (file)
		fclose(file);
	return value;
}

/* The exit status of @child, which begins as @user. */
static int entered(const struct sandbox_user *user, int (*child)(const struct sandbox_user *user))
{
	struct blktap_error err;
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid)
		_exit(sandbox_enter(user, &err) ? NOT_ENTERED : child(user));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define TRY(condition) do { if (!(condition)) return __LINE__ % 99 + 2; } while (0)

static int has_little(const struct sandbox_user *user)
{
	/* CAP_SYS_ADMIN and CAP_DAC_OVERRIDE */
	(void)user;
	TRY((status_of("CapPrm", 16) & ~0x200002LL) == 0);
	TRY(status_of("CapBnd", 16) == 0);
	TRY(status_of("NoNewPrivs", 10) == 1);
	TRY(getuid() == 0);
	return FINE;
}

static int is_somebody_else(const struct sandbox_user *user)
{
	TRY(status_of("CapPrm", 16) == 0);
	TRY(status_of("CapBnd", 16) == 0);
	TRY(status_of("NoNewPrivs", 10) == 1);
	TRY(getuid() == user->uid && geteuid() == user->uid);
	TRY(getgid() == user->gid && getegid() == user->gid);
	return FINE;
}

static void test_root(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(entered(NULL, has_little), FINE);
}

static void test_user(void **state)
{
	struct sandbox_user user = { 0 };

	(void)state;
	if (geteuid() || !getpwnam("nobody"))
		skip();
	assert_int_equal(sandbox_find_user(&user, "nobody", NULL), 0);
	assert_int_equal(entered(&user, is_somebody_else), FINE);
}

/* Where capabilities do not go with the user ID by themselves. */
static void test_securebits(void **state)
{
	struct sandbox_user user = { 0 };
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() || prctl(PR_CAPBSET_READ, CAP_SETPCAP) != 1 ||
	    sandbox_find_user(&user, "nobody", NULL) != 0)
		skip();
	pid = fork();
	if (!pid) {
		if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) != 0)
			_exit(NOT_ENTERED);
		_exit(entered(&user, is_somebody_else));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), FINE);
}

static void test_no_such_user(void **state)
{
	struct sandbox_user user;
	struct blktap_error err;

	(void)state;
	assert_int_equal(sandbox_find_user(&user, "no such user", &err), -ENOENT);
	assert_string_equal(err.text, "there is no user no such user");
	assert_int_equal(sandbox_find_user(&user, "root", &err), -EINVAL);
}

/* One who may not become anybody. */
static void test_not_permitted(void **state)
{
	struct sandbox_user root = { "root", 0, 0 };
	struct blktap_error err;
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (!pid) {
		blktap_log_init("test", BLKTAP_LOG_STDERR, LOG_ERR);
		if (geteuid() == 0 && setuid(65534) != 0)
			_exit(NOT_ENTERED);
		_exit(sandbox_enter(&root, &err) == -EPERM ? FINE : NOT_ENTERED);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), FINE);
}

/* ------------------------------------------------------- where files can be made */

static int make(const char *folder, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? -errno : 0;
}

static int drop(const char *folder, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return unlink(path) ? -errno : 0;
}

/* @a is where files may be made. */
static int confined(const char *a, const char *b)
{
	int ret = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : landlock_confine(a);

	if (ret == -ENOSYS || ret == -EOPNOTSUPP)
		return NOT_ENTERED;
	TRY(ret == 0);
	TRY(make(a, "new") == 0);
	TRY(drop(a, "new") == 0);
	TRY(make(b, "there") == 0);	/* opening it */
	TRY(make(b, "new") == -EACCES);
	TRY(drop(b, "there") == -EACCES);
	return FINE;
}

static void test_landlock(void **state)
{
	char a[] = "/tmp/blktap-a-XXXXXX", b[] = "/tmp/blktap-b-XXXXXX";
	int status;
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(a));
	assert_non_null(mkdtemp(b));
	assert_int_equal(make(b, "there"), 0);
	pid = fork();
	if (!pid)
		_exit(confined(a, b));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	drop(b, "there");
	assert_int_equal(rmdir(a), 0);
	assert_int_equal(rmdir(b), 0);
	if (WEXITSTATUS(status) == NOT_ENTERED)
		skip();
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_securebits),
		cmocka_unit_test(test_no_such_user),
		cmocka_unit_test(test_not_permitted),
		cmocka_unit_test(test_landlock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
