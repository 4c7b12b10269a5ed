// SPDX-License-Identifier: GPL-2.0-only
/*
 * There is one supervisor. This program plays it when it is started as one.
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../ctl.h"
#include "../output.h"
#include "../signals.h"
#include "../supervisor.h"
#include "tests/fake-kernel.h"
#include "tests/fake-tapdisk.h"

#define STEP_US	10000
#define STEPS	1000

static struct blktap_error err;
static bool no_pidfd;
static bool no_memory;

/* These are in place of the C library's. */

void *reallocarray(void *array, size_t count, size_t size)
{
	return no_memory ? NULL : realloc(array, count * size);
}

int pidfd_open(pid_t pid, unsigned int flags)
{
	if (!no_pidfd)
		return syscall(SYS_pidfd_open, pid, flags);
	errno = EMFILE;
	return -1;
}

/* What the one that runs has written down, once it has. */
static pid_t read_pid(void)
{
	char path[PATH_MAX], text[16];
	int fd, tries;

	snprintf(path, sizeof(path), "%s/supervisor", control_dir);
	for (tries = 0; tries < STEPS; tries++) {
		ssize_t length;

		fd = open(path, O_RDONLY | O_CLOEXEC);
		length = read(fd, text, sizeof(text) - 1);
		close(fd);
		text[length > 0 ? length : 0] = '\0';
		if (atoi(text) > 0)
			return atoi(text);
		usleep(STEP_US);
	}
	return 0;
}

static bool ends(pid_t pid)
{
	int tries;

	for (tries = 0; tries < STEPS && kill(pid, 0) == 0; tries++)
		usleep(STEP_US);
	return tries < STEPS;
}

static int status_at_end(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void __attribute__((noreturn)) supervise(const struct options *options)
{
	int ret;

	alarm(60);	/* nobody is left of one that does not end */
	ret = command_supervise.run(options, &err);
	_exit(ret ? exit_status(ret) : 0);
}

static void test_there_is_one(void **state)
{
	int lock = supervisor_lock(&err);

	(void)state;
	assert_true(lock >= 0);
	assert_int_equal(supervisor_lock(&err), -EEXIST);
	assert_int_equal(command_supervise.run(&(struct options){ .minor = -1 }, &err), -EEXIST);
	assert_int_equal(exit_status(err.code), EEXIST);
	assert_int_equal(supervisor_ensure(&err), 0);
	close(lock);
	lock = supervisor_lock(&err);
	assert_true(lock >= 0);
	close(lock);
}

static void test_it_is_started_once(void **state)
{
	pid_t pid;

	(void)state;
	assert_int_equal(supervisor_ensure(&err), 0);
	assert_int_equal(supervisor_lock(&err), -EEXIST);
	pid = read_pid();
	assert_true(pid > 0 && pid != getpid());
	/* In a session of its own. */
	assert_int_equal(getsid(pid), pid);
	assert_int_equal(supervisor_ensure(&err), 0);
	assert_int_equal(read_pid(), pid);
	kill(pid, SIGTERM);
	assert_true(ends(pid));
	assert_int_equal(supervisor_ensure(&err), 0);
	assert_int_equal(supervisor_lock(&err), -EEXIST);
	pid = read_pid();
	kill(pid, SIGKILL);
	assert_true(ends(pid));
}

/* The service is there when another one goes. */
static void test_next_waits(void **state)
{
	int lock = supervisor_lock(&err);
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		close(lock);
		supervise(&(struct options){ .minor = -1, .wait = true });
	}
	usleep(20 * STEP_US);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	close(lock);
	assert_int_equal(read_pid(), pid);
	kill(pid, SIGTERM);
	assert_int_equal(status_at_end(pid), 0);
}

/* As some programs leave it to those that they start. */
static void test_children_are_ignored(void **state)
{
	(void)state;
	signal(SIGCHLD, SIG_IGN);
	assert_int_equal(supervisor_ensure(&err), 0);
	assert_int_equal(supervisor_lock(&err), -EEXIST);
}

static int ensure(const struct options *options, struct blktap_error *failure)
{
	(void)options;
	exit(supervisor_ensure(failure) == -EINTR ? 7 : 1);
}

/* Whoever waits for one that does not start is not held up by that. */
static void test_start_hangs(void **state)
{
	pid_t pid;

	(void)state;
	setenv("TEST_HANGS", "1", 1);
	pid = fork();
	if (!pid) {
		alarm(60);
		signals_hold_during(ensure, NULL, &err);
	}
	usleep(50 * STEP_US);
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(status_at_end(pid), 7);
	assert_int_equal(supervisor_ensure(&err), -ECHILD);
	unsetenv("TEST_HANGS");
}

static void test_it_cannot_start(void **state)
{
	(void)state;
	setenv("BLKTAP_CONTROL_DIR", "relative", 1);
	assert_int_equal(supervisor_ensure(&err), -EINVAL);
	setenv("BLKTAP_CONTROL_DIR", "/proc/none", 1);
	assert_int_equal(supervisor_ensure(&err), -ENOENT);
}

static pid_t supervise_with(int list_code)
{
	pid_t pid;

	kernel.list_code = list_code;
	pid = fork();
	if (!pid)
		supervise(&(struct options){ .minor = -1 });
	return pid;
}

/* What keeps it from looking passes, unless the module has gone. */
static void test_it_cannot_look(void **state)
{
	pid_t pid = supervise_with(-ENOMEM);

	(void)state;
	assert_int_equal(read_pid(), pid);
	usleep(20 * STEP_US);
	kill(pid, SIGTERM);
	assert_int_equal(status_at_end(pid), 0);
	/* Its service need not be started again. */
	assert_int_equal(status_at_end(supervise_with(-ENOSYS)), ENOSYS);
}

static void put_record(void)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/tap3.json", control_dir);
	file = fopen(path, "we");
	fputs("{\"minor\":3,\"pid\":2147483647,\"image\":\"aio:/x\",\"read_only\":false,"
	      "\"no_direct\":false,\"kernel_io\":\"off\",\"request_timeout_ms\":0,"
	      "\"restart\":true,\"paused\":false}", file);
	fchmod(fileno(file), 0600);
	fclose(file);
}

static void kernel_add_held(void)
{
	struct blktap_tap *tap = kernel_add(3, 0);

	tap->disk_state = BLKTAP_DISK_STATE_LIVE;
	tap->recovery = BLKTAP_RECOVERY_HELD;
	put_record();
	setenv("TAPDISK", "/bin/false", 1);
}

static void end_at_second_list(void)
{
	if (kernel.lists == 2)
		raise(SIGTERM);
}

/* Events that could not be had: then a list tells. */
static void test_it_cannot_watch(void **state)
{
	(void)state;
	kernel.event_failures = 2;
	kernel.listed = end_at_second_list;
	assert_int_equal(status_at_end(supervise_with(0)), 0);
}

static void fail_once_then_end(void)
{
	if (kernel.lists == 1)
		kernel.open_failures = 1;
	end_at_second_list();
}

/* Nor does it take a moment without memory for the end of the module. */
static void test_it_cannot_ask(void **state)
{
	(void)state;
	kernel_add_held();
	kernel.listed = fail_once_then_end;
	assert_int_equal(status_at_end(supervise_with(0)), 0);
}

/* Whoever recovers a disk is missed when he is done, whatever there is to watch him by. */
static void test_it_cannot_watch_children(void **state)
{
	(void)state;
	kernel_add_held();
	no_pidfd = true;
	kernel.listed = end_at_second_list;
	assert_int_equal(status_at_end(supervise_with(0)), 0);
}

/* A disk for which there is no memory is not forgotten, though nothing tells of it again. */
static void test_it_cannot_remember(void **state)
{
	(void)state;
	kernel_add_held();
	no_memory = true;
	kernel.listed = end_at_second_list;
	assert_int_equal(status_at_end(supervise_with(0)), 0);
}

/* Its file is emptied: it must not be a name of another. */
static void test_unsafe_directory(void **state)
{
	char path[PATH_MAX], other[PATH_MAX];
	struct stat st;
	int fd;

	(void)state;
	snprintf(other, sizeof(other), "%s/other", control_dir);
	snprintf(path, sizeof(path), "%s/supervisor", control_dir);
	fd = open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "kept", 4), 4);
	close(fd);
	assert_int_equal(link(other, path), 0);
	assert_int_equal(chmod(control_dir, 01777), 0);
	assert_int_equal(supervisor_lock(&err), -EPERM);
	assert_int_equal(exit_status(err.code), EACCES);
	assert_int_equal(stat(other, &st), 0);
	assert_int_equal(st.st_size, 4);
}

static int set_up(void **state)
{
	kernel_reset();
	return make_control_dir(state);
}

/* One that a failure has left. */
static int tear_down(void **state)
{
	int lock = supervisor_lock(&err);
	pid_t pid = lock == -EEXIST ? read_pid() : 0;

	signal(SIGCHLD, SIG_DFL);
	no_pidfd = false;
	no_memory = false;
	if (pid && pid != getpid())
		kill(pid, SIGKILL);
	close(lock);
	return remove_control_dir(state);
}

#define TEST(test)	cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_there_is_one),
		TEST(test_it_is_started_once),
		TEST(test_next_waits),
		TEST(test_children_are_ignored),
		TEST(test_start_hangs),
		TEST(test_it_cannot_start),
		TEST(test_it_cannot_look),
		TEST(test_it_cannot_watch),
		TEST(test_it_cannot_ask),
		TEST(test_it_cannot_watch_children),
		TEST(test_it_cannot_remember),
		TEST(test_unsafe_directory),
	};
	struct options options;

	alarm(60);
	if (argc < 2)
		return cmocka_run_group_tests(tests, NULL, NULL);
	if (getenv("TEST_HANGS"))
		pause();
	if (options_parse(argc - 1, argv + 1, command_supervise.options, &options, &err))
		return 1;
	return exit_status(command_supervise.run(&options, &err));
}
