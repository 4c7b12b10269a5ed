// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Starting a tapdisk. It daemonises by itself and then says on descriptor 3, in
 * one line of JSON, who it is, or why it cannot start. A tapdisk that cannot
 * say so because we have given up must end by itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "cancel.h"
#include "cleanup.h"
#include "deadline.h"
#include "libblktap.h"
#include "paths.h"

#ifndef BLKTAP_TAPDISK
#define BLKTAP_TAPDISK	"/usr/libexec/blktap/tapdisk"
#endif

#define READY_FD	3
#define KILL_MS		2000	/* for one that is killed to be gone */
#define STRAY_MS	5000	/* for a tapdisk that nobody wants any more */

static const char *tapdisk_path(void)
{
	const char *path = secure_getenv("TAPDISK");

	return path && *path ? path : BLKTAP_TAPDISK;
}

/* ------------------------------------------------------------------ the child
 *
 * Nothing here allocates or locks: the parent may have threads.
 */

static void default_signals(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;
	int signal;

	for (signal = 1; signal < NSIG; signal++)
		sigaction(signal, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int arrange_descriptors(int ready)
{
	int null, fd;

	/* Out of the way of 0 to 3 first, whatever was closed in the parent. */
	ready = fcntl(ready, F_DUPFD, READY_FD + 1);
	null = open("/dev/null", O_RDWR);
	if (ready < 0 || null < 0)
		return -errno;
	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (dup2(null, fd) < 0)
			return -errno;
	if (dup2(ready, READY_FD) < 0 || close_range(READY_FD + 1, ~0U, 0) < 0)
		return -errno;
	return 0;
}

static void __attribute__((noreturn)) run_child(char *const *argv, int ready)
{
	char line[64];
	int code;

	default_signals();
	code = arrange_descriptors(ready);
	if (!code) {
		ready = READY_FD;
		execv(argv[0], argv);
		code = -errno;
	}
	/* The parent knows the path and how to quote it. */
	snprintf(line, sizeof(line), "{\"error\":{\"errno\":%d}}\n", -code);
	if (write(ready, line, strlen(line)) < 0)
		_exit(126);
	_exit(127);
}

/* ----------------------------------------------------------------- the parent */

#define MAX_ARGS	5

struct spawning {
	const char *path;
	const struct blktap_spawn_params *params;
	pid_t child;
	int pidfd;
	int ready;
	char line[PATH_MAX + 256];
	size_t length;
};

static void make_args(const struct spawning *spawning, const char *args[MAX_ARGS + 1])
{
	const struct blktap_spawn_params *params = spawning->params;
	size_t count = 0;

	args[count++] = spawning->path;
	args[count++] = "--ready-fd=3";
	if (params && params->no_sandbox)
		args[count++] = "--no-sandbox";
	if (params && params->user) {
		args[count++] = "--user";
		args[count++] = params->user;
	}
	args[count] = NULL;
}

static int start(struct spawning *spawning, struct blktap_error *err)
{
	const char *args[MAX_ARGS + 1];
	CLEANUP_CLOSE int theirs = -1;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return blktap_error_set(err, -errno, "cannot make a pipe for tapdisk: %m");
	spawning->ready = fds[0];
	theirs = fds[1];
	make_args(spawning, args);
	spawning->child = fork();
	if (spawning->child < 0)
		return blktap_error_set(err, -errno, "cannot make a process for tapdisk: %m");
	if (spawning->child == 0)
		run_child((char *const *)args, theirs);
	spawning->pidfd = pidfd_open(spawning->child, 0);
	/* Gone already: so it is where SIGCHLD is ignored. */
	if (spawning->pidfd >= 0 || errno == ESRCH)
		return 0;
	blktap_error_set(err, -errno, "cannot watch tapdisk's start: %m");
	kill(spawning->child, SIGKILL);
	waitpid(spawning->child, NULL, 0);
	return err ? err->code : -EMFILE;
}

/* 1: a line is there, 0: the end without one. */
static int read_some(struct spawning *spawning)
{
	ssize_t done;

	if (spawning->length == sizeof(spawning->line))
		return -EPROTO;
	done = read(spawning->ready, spawning->line + spawning->length,
		    sizeof(spawning->line) - spawning->length);
	if (done < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	spawning->length += done;
	if (memchr(spawning->line, '\n', spawning->length))
		return 1;
	return done ? -EAGAIN : 0;
}

static int wait_readable(int fd, int timeout_ms)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	return poll(&pollfd, 1, timeout_ms) > 0;
}

static int read_line(struct spawning *spawning, struct deadline deadline,
		     int (*wait)(int fd, int timeout_ms))
{
	int ret;

	do {
		ret = wait(spawning->ready, deadline_left(deadline));
		if (ret > 0)
			ret = read_some(spawning);
		else if (!ret)
			ret = deadline_passed(deadline) ? -ETIMEDOUT : -EAGAIN;
	} while (ret == -EAGAIN);
	return ret;
}

/*
 * Reaps the child, which is to end at once: tapdisk's first half, or a failure. Where
 * SIGCHLD is ignored nobody learns how it ended: the code is 0 then.
 */
static int reap(struct spawning *spawning, struct deadline deadline, siginfo_t *info)
{
	memset(info, 0, sizeof(*info));
	if (spawning->pidfd < 0)
		return 0;
	while (!wait_readable(spawning->pidfd, deadline_left(deadline)))
		if (deadline_passed(deadline))
			return -ETIMEDOUT;
	if (waitid(P_PIDFD, spawning->pidfd, info, WEXITED) < 0 && errno != ECHILD)
		return -errno;
	return 0;
}

/* One that its storage keeps from dying is left to whoever reaps our children, or us. */
static void kill_child(struct spawning *spawning)
{
	siginfo_t info;

	pidfd_send_signal(spawning->pidfd, SIGKILL, NULL, 0);
	reap(spawning, deadline_in(KILL_MS), &info);
}

static int report_error(const struct spawning *spawning, const json_t *error,
			struct blktap_error *err)
{
	const char *message = json_string_value(json_object_get(error, "message"));
	json_int_t number = json_integer_value(json_object_get(error, "errno"));
	int code = number > 0 && number <= 4095 ? -(int)number : -EPROTO;

	if (message)
		return blktap_error_set(err, code, "%s", message);
	return blktap_error_set(err, code, "cannot run %s: %s", spawning->path, strerror(-code));
}

static int take_line(const struct spawning *spawning, pid_t *pid, struct blktap_error *err)
{
	CLEANUP_JSON json_t *ready = NULL;
	const json_t *error, *number;

	ready = json_loadb(spawning->line, spawning->length, JSON_REJECT_DUPLICATES, NULL);
	error = json_object_get(ready, "error");
	if (error)
		return report_error(spawning, error, err);
	number = json_object_get(ready, "pid");
	if (json_integer_value(number) <= 0 || json_integer_value(number) > INT_MAX)
		return blktap_error_set(err, -EPROTO, "%s: it does not start like a tapdisk",
					spawning->path);
	*pid = json_integer_value(number);
	return 0;
}

static int report_death(struct spawning *spawning, struct deadline deadline,
			struct blktap_error *err)
{
	siginfo_t info;

	if (reap(spawning, deadline, &info)) {
		kill_child(spawning);
		return blktap_error_set(err, -ETIMEDOUT, "%s: it does not get ready",
					spawning->path);
	}
	if (!info.si_code)
		return blktap_error_set(err, -ECHILD, "%s ended before it was ready",
					spawning->path);
	if (info.si_code != CLD_EXITED)
		return blktap_error_set(err, -ECHILD, "%s was killed by signal %d (%s)",
					spawning->path, info.si_status, strsignal(info.si_status));
	if (info.si_status)
		return blktap_error_set(err, -ECHILD, "%s ended with exit status %d",
					spawning->path, info.si_status);
	return blktap_error_set(err, -ECHILD, "%s ended before it was ready", spawning->path);
}

/*
 * The first half has been killed, but there may be a second one that goes on: if
 * so it will say who it is.
 */
static void end_stray(struct spawning *spawning)
{
	pid_t pid;

	if (read_line(spawning, deadline_in(STRAY_MS), wait_readable) == 1 &&
	    take_line(spawning, &pid, NULL) == 0 && pid != spawning->child)
		kill(pid, SIGTERM);
}

static int report_silence(struct spawning *spawning, int code, struct blktap_error *err)
{
	kill_child(spawning);
	if (code == -ETIMEDOUT || code == -EINTR)
		end_stray(spawning);
	if (code == -ETIMEDOUT)
		return blktap_error_set(err, code, "%s: it does not get ready in time",
					spawning->path);
	if (code == -EINTR)
		return blktap_error_set(err, code, "interrupted while waiting for %s",
					spawning->path);
	return blktap_error_set(err, code, "%s: cannot read its answer: %s", spawning->path,
				strerror(-code));
}

static int wait_until_ready(struct spawning *spawning, struct deadline deadline, pid_t *pid,
			    struct blktap_error *err)
{
	siginfo_t info;
	int ret;

	ret = read_line(spawning, deadline, cancel_poll);
	if (ret < 0)
		return report_silence(spawning, ret, err);
	if (ret == 0)
		return report_death(spawning, deadline, err);
	ret = take_line(spawning, pid, err);
	/* One that stays in the foreground remains the caller's child. */
	if (!ret && *pid == spawning->child)
		return 0;
	if (reap(spawning, deadline, &info))
		kill_child(spawning);
	return ret;
}

int blktap_ctl_spawn(const struct blktap_spawn_params *params, pid_t *pid, int timeout_ms,
		     struct blktap_error *err)
{
	struct spawning spawning = {
		.path = tapdisk_path(),
		.params = params,
		.pidfd = -1,
		.ready = -1,
	};
	struct deadline deadline = deadline_in(timeout_ms);
	int ret;

	ret = control_dir_check(err);
	if (ret)
		return ret;
	blktap_ctl_sweep();
	ret = start(&spawning, err);
	if (!ret)
		ret = wait_until_ready(&spawning, deadline, pid, err);
	if (spawning.ready >= 0)
		close(spawning.ready);
	if (spawning.pidfd >= 0)
		close(spawning.pidfd);
	return ret;
}
