// SPDX-License-Identifier: GPL-2.0-only
/*
 * Going into the background, and telling the one who started us how it went.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "ready.h"

/* ------------------------------------------------------------------- telling */

static int write_all(int fd, const char *text, size_t length)
{
	while (length) {
		ssize_t done = write(fd, text, length);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -EPIPE;
		text += done;
		length -= done;
	}
	return 0;
}

static int say(int *fd, const char *text)
{
	int ret;

	if (*fd < 0)
		return 0;
	ret = write_all(*fd, text, strlen(text));
	close(*fd);
	*fd = -1;
	return ret;
}

/* Takes @json. */
static int say_json(int *fd, json_t *json)
{
	CLEANUP_FREE char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	CLEANUP_FREE char *line = NULL;

	json_decref(json);
	if (text && asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	return say(fd, line ? line : "");
}

/* The foreground process is told "=path" or "!sentence". */
static void tell_parent(struct ready *ready, char mark, const char *text)
{
	CLEANUP_FREE char *line = NULL;

	if (ready->parent >= 0 && asprintf(&line, "%c%s\n", mark, text) < 0)
		line = NULL;
	say(&ready->parent, line ? line : "");
}

int ready_tell(struct ready *ready, const char *control)
{
	int ret = say_json(&ready->fd, json_pack("{s:i, s:s}", "pid", (int)getpid(), "control",
						 control));

	tell_parent(ready, '=', control);
	return ret;
}

void ready_fail(struct ready *ready, const struct blktap_error *err)
{
	say_json(&ready->fd, json_pack("{s:{s:i, s:s}}", "error", "errno", -err->code,
				       "message", err->text));
	tell_parent(ready, '!', err->text);
}

/* --------------------------------------------------------------- background */

static ssize_t read_line(int fd, char *line, size_t size)
{
	size_t used = 0;

	while (used < size - 1) {
		ssize_t done = read(fd, line + used, size - 1 - used);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			break;
		used += done;
	}
	line[used] = '\0';
	return used;
}

/* The foreground process: its exit status is how the start went. */
static void __attribute__((noreturn)) wait_and_exit(int fd, bool print)
{
	char line[1024];

	if (!read_line(fd, line, sizeof(line))) {
		fputs("tapdisk: the background process died\n", stderr);
		_exit(1);
	}
	if (line[0] != '=') {
		fprintf(stderr, "tapdisk: %s", line + 1);
		_exit(1);
	}
	if (print) {
		fputs(line + 1, stdout);
		fflush(stdout);
	}
	_exit(0);
}

static int quiet_stdio(void)
{
	CLEANUP_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int fd;

	if (null < 0)
		return -errno;
	for (fd = 0; fd <= 2; fd++)
		if (dup2(null, fd) < 0)
			return -errno;
	return 0;
}

int ready_daemonise(struct ready *ready)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) != 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid > 0) {
		close(fds[1]);
		wait_and_exit(fds[0], ready->fd < 0);
	}
	close(fds[0]);
	ready->parent = fds[1];
	if (setsid() < 0)
		return -errno;
	/* Not a session leader any more: no terminal becomes ours. */
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid > 0)
		_exit(0);
	umask(0022);
	if (chdir("/") != 0)
		return -errno;
	return quiet_stdio();
}
