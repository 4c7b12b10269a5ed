/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A control directory of the test's own, and tapdisks in it that are threads.
 */
#ifndef BLKTAP_FAKE_TAPDISK_H
#define BLKTAP_FAKE_TAPDISK_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "libblktap.h"

struct fake {
	pid_t pid;
	int listener;
	pthread_t thread;
	/* What is sent back; NULL: nothing at all, until the client hangs up. */
	const char *answer;
	/* Or: one after the other, the last one again and again; ends with NULL. */
	const char *const *answers;
	size_t length;
	size_t chunk;		/* sent at once; 0: everything */
	bool deaf;		/* answers before it has read the request */
	/* Called when a request has been read; whether it is to be answered. */
	bool (*asked)(struct fake *fake);
	char *request;		/* what the last client sent */
	size_t requests;
};

static char control_dir[64];

static inline int make_control_dir(void **state)
{
	(void)state;
	strcpy(control_dir, "/tmp/test-blktap-XXXXXX");
	if (!mkdtemp(control_dir))
		return -1;
	return setenv("BLKTAP_CONTROL_DIR", control_dir, 1);
}

static inline int remove_control_dir(void **state)
{
	char command[PATH_MAX];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", control_dir);
	return system(command);
}

/* Of a file in it; until the next call. */
static inline const char *path_of(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", control_dir, name);
	return path;
}

static inline void make_file(const char *name)
{
	close(open(path_of(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static inline void move_file(const char *from, const char *to)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s", path_of(from));
	assert_int_equal(rename(path, path_of(to)), 0);
}

static inline int fake_listen(pid_t pid, int backlog)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(blktap_control_path(address.sun_path, sizeof(address.sun_path), pid), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	if (backlog >= 0)
		assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

/* Reads up to a newline, or the end. */
static inline void fake_read(struct fake *fake, int fd)
{
	static const size_t size = BLKTAP_RPC_MAX_LINE + 1;
	size_t used = 0;
	ssize_t done;

	free(fake->request);
	fake->request = malloc(size);
	do {
		done = read(fd, fake->request + used, size - 1 - used);
		if (done > 0)
			used += done;
	} while (done > 0 && !memchr(fake->request, '\n', used));
	fake->request[used] = '\0';
}

static inline void fake_write(struct fake *fake, int fd)
{
	size_t chunk = fake->chunk ? fake->chunk : fake->length;
	size_t sent = 0;
	ssize_t done;

	while (sent < fake->length) {
		size_t left = fake->length - sent;

		done = send(fd, fake->answer + sent, left < chunk ? left : chunk, MSG_NOSIGNAL);
		if (done < 0)
			return;
		sent += done;
	}
}

static inline void *fake_run(void *arg)
{
	struct fake *fake = arg;
	char byte;
	int fd;

	while ((fd = accept(fake->listener, NULL, NULL)) >= 0) {
		fake->requests++;
		if (!fake->deaf)
			fake_read(fake, fd);
		if (fake->asked && !fake->asked(fake)) {
			while (read(fd, &byte, 1) > 0)
				;
			close(fd);
			continue;
		}
		if (fake->answers) {
			fake->answer = *fake->answers;
			fake->length = strlen(fake->answer);
			fake->answers += fake->answers[1] != NULL;
		}
		if (fake->answer)
			fake_write(fake, fd);
		else
			while (read(fd, &byte, 1) > 0)
				;
		close(fd);
	}
	return NULL;
}

static inline void fake_start(struct fake *fake)
{
	fake->listener = fake_listen(fake->pid, 16);
	if (fake->answer && !fake->length)
		fake->length = strlen(fake->answer);
	assert_int_equal(pthread_create(&fake->thread, NULL, fake_run, fake), 0);
}

/* Leaves a stale socket behind. */
static inline void fake_stop(struct fake *fake)
{
	shutdown(fake->listener, SHUT_RDWR);
	pthread_join(fake->thread, NULL);
	close(fake->listener);
	free(fake->request);
	fake->request = NULL;
}

#endif /* BLKTAP_FAKE_TAPDISK_H */
