// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The tapdisks of this test are shell scripts.
 */
#include "test.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "fake-tapdisk.h"

static void make_tapdisk(const char *script)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/tapdisk", control_dir);
	file = fopen(path, "we");
	assert_non_null(file);
	fprintf(file, "#!/bin/sh\n%s\n", script);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0700), 0);
	setenv("TAPDISK", path, 1);
}

static int spawn(const char *script, pid_t *pid, struct blktap_error *err)
{
	int ret;

	make_tapdisk(script);
	*pid = 0;
	ret = blktap_ctl_spawn(NULL, pid, 20000, err);
	/* Nothing is left to be reaped. */
	if (*pid != -1)
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	return ret;
}

static void test_ready(void **state)
{
	struct blktap_error err;
	pid_t pid;

	(void)state;
	assert_int_equal(spawn("echo '{\"pid\":4168,\"control\":\"/x/ctl4168\"}' >&3", &pid, &err), 0);
	assert_int_equal(pid, 4168);
}

/* The daemon lives on while its first half ends. */
static void test_daemon(void **state)
{
	struct blktap_error err;
	pid_t pid;

	(void)state;
	assert_int_equal(spawn("(echo \"{\\\"pid\\\":$(sh -c 'echo $PPID')}\" >&3; exec 3>&-;"
			       " exec sleep 60) &", &pid, &err), 0);
	assert_true(pid > 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
}

static void test_arguments_and_descriptors(void **state)
{
	struct blktap_error err;
	char path[PATH_MAX], line[256];
	int extra = dup(0);
	FILE *file;
	pid_t pid;

	(void)state;
	assert_int_equal(spawn("d=${0%/*}; echo \"$*\" >$d/out; cd /proc/self/fd;"
			       " for f in *; do test -e $f && echo $f $(readlink $f); done |"
			       " sed 's/pipe:.*/pipe/' >$d/fds;"
			       " echo '{\"pid\":1}' >&3", &pid, &err), 0);
	close(extra);
	snprintf(path, sizeof(path), "%s/out", control_dir);
	file = fopen(path, "re");
	assert_non_null(fgets(line, sizeof(line), file));
	assert_string_equal(line, "--ready-fd=3\n");
	fclose(file);
	snprintf(path, sizeof(path), "%s/fds", control_dir);
	file = fopen(path, "re");
	while (fgets(line, sizeof(line), file))
		/* 10 is the script, as the shell has it. */
		if (atoi(line) > 3 && atoi(line) < 10)
			fail_msg("an open descriptor: %s", line);
	fclose(file);
}

static void test_how_it_is_started(void **state)
{
	struct blktap_spawn_params params = { .no_sandbox = true };
	char path[PATH_MAX], line[256];
	FILE *file;
	pid_t pid;

	(void)state;
	make_tapdisk("echo \"$*\" >>${0%/*}/how; echo '{\"pid\":1}' >&3");
	assert_int_equal(blktap_ctl_spawn(&params, &pid, 20000, NULL), 0);
	params = (struct blktap_spawn_params){ .user = "some one" };
	assert_int_equal(blktap_ctl_spawn(&params, &pid, 20000, NULL), 0);
	snprintf(path, sizeof(path), "%s/how", control_dir);
	file = fopen(path, "re");
	assert_non_null(fgets(line, sizeof(line), file));
	assert_string_equal(line, "--ready-fd=3 --no-sandbox\n");
	assert_non_null(fgets(line, sizeof(line), file));
	assert_string_equal(line, "--ready-fd=3 --user some one\n");
	fclose(file);
}

static void test_signals_are_reset(void **state)
{
	struct blktap_error err;
	sigset_t set;
	pid_t pid;
	int ret;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* 32 and 33 are the C library's own, which nobody can set. */
	ret = spawn("for which in SigBlk SigIgn; do"
		    "  set=$(sed -n \"s/^$which:\\t*//p\" /proc/self/status);"
		    "  test $((0x$set & ~0x180000000)) -eq 0 || exit 9;"
		    "done; echo '{\"pid\":1}' >&3", &pid, &err);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	signal(SIGPIPE, SIG_DFL);
	assert_int_equal(ret, 0);
}

static void test_its_own_reason(void **state)
{
	struct blktap_error err;
	pid_t pid;

	(void)state;
	assert_int_equal(spawn("echo '{\"error\":{\"errno\":13,\"message\":\"/run/x: no permission\"}}'"
			       " >&3; exit 1", &pid, &err), -EACCES);
	assert_string_equal(err.text, "/run/x: no permission");
}

static void test_not_there(void **state)
{
	struct blktap_error err;
	pid_t pid;

	(void)state;
	setenv("TAPDISK", "/nonexistent/\"tapdisk", 1);
	assert_int_equal(blktap_ctl_spawn(NULL, &pid, 20000, &err), -ENOENT);
	assert_string_equal(err.text, "cannot run /nonexistent/\"tapdisk: No such file or directory");
	setenv("TAPDISK", "/tmp", 1);
	assert_int_equal(blktap_ctl_spawn(NULL, &pid, 20000, &err), -EACCES);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void test_deaths(void **state)
{
	struct blktap_error err;
	pid_t pid;

	(void)state;
	assert_int_equal(spawn("exit 5", &pid, &err), -ECHILD);
	assert_non_null(strstr(err.text, "ended with exit status 5"));
	assert_int_equal(spawn("kill -9 $$", &pid, &err), -ECHILD);
	assert_non_null(strstr(err.text, "was killed by signal 9"));
	assert_int_equal(spawn("exit 0", &pid, &err), -ECHILD);
	assert_non_null(strstr(err.text, "ended before it was ready"));
}

static void test_nonsense(void **state)
{
	static const char *const scripts[] = {
		"echo hello >&3", "echo '{}' >&3", "echo '[]' >&3", "echo '{\"pid\":-4}' >&3",
		"echo '{\"pid\":\"4\"}' >&3", "echo '{\"pid\":99999999999}' >&3",
		"echo '{\"error\":7}' >&3", "yes >&3 | true", "head -c 100000 /dev/zero >&3",
	};
	struct blktap_error err;
	pid_t pid;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(scripts) / sizeof(*scripts); i++)
		assert_int_equal(spawn(scripts[i], &pid, &err), -EPROTO);
}

static void test_silent(void **state)
{
	struct blktap_error err;
	pid_t pid;

	(void)state;
	make_tapdisk("exec sleep 600");
	assert_int_equal(blktap_ctl_spawn(NULL, &pid, 300, &err), -ETIMEDOUT);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* It hangs although it has closed its end. */
static void test_neither_ready_nor_dead(void **state)
{
	struct blktap_error err;
	pid_t pid;

	(void)state;
	make_tapdisk("exec sleep 600 3>&-");
	assert_int_equal(blktap_ctl_spawn(NULL, &pid, 300, &err), -ETIMEDOUT);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static bool unkillable;

/* In place of the C library's. */
int pidfd_send_signal(int pidfd, int signal, siginfo_t *info, unsigned int flags)
{
	return unkillable ? 0 : syscall(SYS_pidfd_send_signal, pidfd, signal, info, flags);
}

/* It is executed from a server that is dead, say. */
static void test_cannot_be_killed(void **state)
{
	time_t start = time(NULL);
	char path[PATH_MAX];
	FILE *file;
	pid_t pid;

	(void)state;
	make_tapdisk("echo $$ >\"${0%/*}/pid\"; exec sleep 60");
	unkillable = true;
	assert_int_equal(blktap_ctl_spawn(NULL, &pid, 1000, NULL), -ETIMEDOUT);
	unkillable = false;
	assert_true(time(NULL) - start < 50);
	snprintf(path, sizeof(path), "%s/pid", control_dir);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%d", &pid), 1);
	fclose(file);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_cancelled(void **state)
{
	int fd = eventfd(1, EFD_CLOEXEC);
	struct blktap_error err;
	pid_t pid;

	(void)state;
	make_tapdisk("exec sleep 600");
	blktap_cancel_on(fd);
	assert_int_equal(blktap_ctl_spawn(NULL, &pid, -1, &err), -EINTR);
	blktap_cancel_on(-1);
	close(fd);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* Its first half is killed, its second half is found and told to end. */
static void test_late_daemon(void **state)
{
	struct blktap_error err;
	char path[PATH_MAX];
	int tries;
	pid_t pid;

	(void)state;
	make_tapdisk("d=${0%/*}; sh -c \"trap 'echo >$d/ended; exit' TERM; sleep 0.5;"
		     " echo {\\\\\\\"pid\\\\\\\":\\$\\$} >&3; exec 3>&-; sleep 10 & wait\" & wait");
	assert_int_equal(blktap_ctl_spawn(NULL, &pid, 200, &err), -ETIMEDOUT);
	snprintf(path, sizeof(path), "%s/ended", control_dir);
	for (tries = 0; tries < 100 && access(path, F_OK); tries++)
		usleep(50000);
	assert_int_equal(access(path, F_OK), 0);
}

/* Where children are not waited for, how they ended is not known; that they did is. */
static void test_sigchld_ignored(void **state)
{
	struct blktap_error err;
	pid_t pid;

	(void)state;
	signal(SIGCHLD, SIG_IGN);
	make_tapdisk("exit 3");
	assert_int_equal(blktap_ctl_spawn(NULL, &pid, 20000, &err), -ECHILD);
	assert_non_null(strstr(err.text, "ended before it was ready"));
	make_tapdisk("echo '{\"pid\":77}' >&3");
	assert_int_equal(blktap_ctl_spawn(NULL, &pid, 20000, &err), 0);
	assert_int_equal(pid, 77);
	make_tapdisk("exec sleep 600");
	assert_int_equal(blktap_ctl_spawn(NULL, &pid, 200, &err), -ETIMEDOUT);
	signal(SIGCHLD, SIG_DFL);
}

/* A caller without standard descriptors must not mix them up. */
static void test_low_descriptors(void **state)
{
	struct blktap_error err;
	pid_t pid, child;
	int status;

	(void)state;
	make_tapdisk("echo '{\"pid\":77}' >&3");
	child = fork();
	if (child == 0) {
		close_range(0, 9, 0);
		_exit(blktap_ctl_spawn(NULL, &pid, 20000, &err) == 0 && pid == 77 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define TEST(test)	cmocka_unit_test_setup_teardown(test, make_control_dir, remove_control_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ready),
		TEST(test_daemon),
		TEST(test_arguments_and_descriptors),
		TEST(test_how_it_is_started),
		TEST(test_signals_are_reset),
		TEST(test_its_own_reason),
		TEST(test_not_there),
		TEST(test_deaths),
		TEST(test_nonsense),
		TEST(test_silent),
		TEST(test_neither_ready_nor_dead),
		TEST(test_cannot_be_killed),
		TEST(test_cancelled),
		TEST(test_late_daemon),
		TEST(test_sigchld_ignored),
		TEST(test_low_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
