// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "deadline.h"
#include "signals.h"
#include "supervisor.h"

#define UNIT	"blktap-supervisor.service"
#define START_MS	10000
#define START_STEP_MS	10

/* ------------------------------------------------------------------------ the lock */

static int open_lock(void)
{
	char path[PATH_MAX], control[PATH_MAX];
	int fd, ret;

	/* It will have another working directory. */
	if (blktap_control_dir()[0] != '/')
		return -EINVAL;
	if (snprintf(path, sizeof(path), "%s/supervisor", blktap_control_dir()) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	if (mkdir(blktap_control_dir(), 0700) && errno != EEXIST)
		return -errno;
	/* Where others may write, the name could be one of any file. */
	ret = blktap_control_path(control, sizeof(control), getpid());
	if (ret)
		return ret;
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

int supervisor_lock(struct blktap_error *err)
{
	CLEANUP_CLOSE int fd = open_lock();

	if (fd < 0)
		return blktap_error_set(err, fd, "cannot use %s/supervisor: %s",
					blktap_control_dir(), strerror(-fd));
	/* The pid of an earlier one goes. */
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && ftruncate(fd, 0) == 0)
		return TAKE_FD(fd);
	if (errno != EWOULDBLOCK)
		return blktap_error_set(err, -errno, "cannot lock %s/supervisor: %s",
					blktap_control_dir(), strerror(errno));
	return blktap_error_set(err, -EEXIST, "a supervisor is running already");
}

/* ----------------------------------------------------------------------- starting */

static void __attribute__((noreturn)) run_program(char *const argv[], const char *path)
{
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(null, STDERR_FILENO) < 0 || close_range(STDERR_FILENO + 1, ~0U, 0) < 0)
		_exit(126);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(path, argv);
	_exit(127);
}

/* EINTR: a signal has come; ETIMEDOUT. */
static int wait_until_over(pid_t pid, int *status)
{
	struct deadline deadline = deadline_in(START_MS);
	pid_t ended;

	for (;;) {
		ended = waitpid(pid, status, WNOHANG);
		if (ended)
			return ended < 0 ? -errno : 0;
		if (deadline_passed(deadline))
			return -ETIMEDOUT;
		if (signals_come(START_STEP_MS))
			return -EINTR;
	}
}

/* Its exit status, or a negative errno. */
static int run_and_wait(char *const argv[], const char *path)
{
	int status, ret;
	pid_t pid;

	/* Where that is ignored nobody learns how children end. */
	signal(SIGCHLD, SIG_DFL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		run_program(argv, path);
	ret = wait_until_over(pid, &status);
	if (ret) {
		kill(pid, SIGKILL);
		return ret;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

/* As a service it outlives that of whoever asks for it. systemd may have much else to do first. */
static int start_unit(void)
{
	char *const argv[] = { "systemctl", "start", UNIT, NULL };

	if (strcmp(blktap_control_dir(), BLKTAP_CONTROL_DIR) != 0 ||
	    access("/run/systemd/system", F_OK) != 0)
		return -ENOENT;
	return run_and_wait(argv, argv[0]);
}

int supervisor_ensure(struct blktap_error *err)
{
	char *const argv[] = { "tap-ctl", "supervise", "--background", NULL };
	int fd = supervisor_lock(err), ret;

	if (fd < 0)
		return fd == -EEXIST ? 0 : fd;
	close(fd);
	ret = start_unit();
	if (ret && ret != -EINTR)
		ret = run_and_wait(argv, "/proc/self/exe");
	/* Somebody else may have been faster. */
	if (ret == 0 || ret == EEXIST)
		return 0;
	if (ret > 0)
		return blktap_error_set(err, -ECHILD, "cannot start a supervisor: exit status %d", ret);
	if (ret == -EINTR)
		return blktap_error_set(err, ret, "interrupted while a supervisor was started");
	return blktap_error_set(err, -ECHILD, "cannot start a supervisor: %s", strerror(-ret));
}

/* -------------------------------------------------------------------- background */

static void close_others(int keep)
{
	if (keep > STDERR_FILENO + 1)
		close_range(STDERR_FILENO + 1, keep - 1, 0);
	close_range(keep + 1, ~0U, 0);
}

int supervisor_detach(int keep, struct blktap_error *err)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t pid;

	if (null < 0)
		return blktap_error_set(err, -errno, "cannot open /dev/null: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		return blktap_error_set(err, -errno, "cannot go into the background: %s",
					strerror(errno));
	if (pid > 0)
		_exit(0);
	setsid();
	umask(0022);
	if (chdir("/") || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(null, STDERR_FILENO) < 0)
		return blktap_error_set(err, -errno, "cannot go into the background: %s",
					strerror(errno));
	close_others(keep);
	return 0;
}
