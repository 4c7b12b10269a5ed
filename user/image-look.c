// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>

#include "cancel.h"
#include "cleanup.h"
#include "image-look.h"

/* It may be locked into memory. */
#define STACK_BYTES	(256 << 10)

struct look {
	atomic_uint users;	/* who waits for it, and the thread: the last one frees it */
	int seen;		/* an eventfd */
	char *path;
	int code;
	char identity[IMAGE_IDENTITY_SIZE];
};

/* NULL: it has none. */
static char *path_of(const char *image)
{
	if (strncmp(image, "aio:/", 5) == 0)
		return strdup(image + 4);
	if (strncmp(image, "scatter:/", 9) == 0)
		return strndup(image + 8, strcspn(image + 8, ","));
	return NULL;
}

static void free_look(struct look *look)
{
	if (look->seen >= 0)
		close(look->seen);
	free(look->path);
	free(look);
}

static void put(struct look *look)
{
	if (atomic_fetch_sub(&look->users, 1) == 1)
		free_look(look);
}

static void *run(void *data)
{
	struct look *look = data;

	look->code = image_identity(AT_FDCWD, look->path, look->identity);
	eventfd_write(look->seen, 1);
	put(look);
	return NULL;
}

/* Takes @path. */
static struct look *new_look(char *path)
{
	struct look *look = calloc(1, sizeof(*look));

	if (!look) {
		free(path);
		return NULL;
	}
	look->users = 2;
	look->path = path;
	look->seen = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return look;
}

/* Signals are for those who wait for them. */
static int start(struct look *look)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;
	int ret;

	if (look->seen < 0)
		return -EMFILE;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(&thread, &attr, run, look);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -ret;
}

static int wait_for(const struct look *look, struct deadline deadline)
{
	int ret;

	do {
		ret = cancel_poll(look->seen, deadline_left(deadline));
	} while (ret == 0 && !deadline_passed(deadline));
	return ret < 0 ? ret : ret ? 0 : -ETIMEDOUT;
}

int image_look(const char *image, struct deadline deadline, char identity[IMAGE_IDENTITY_SIZE])
{
	char *path = path_of(image);
	struct look *look;
	int ret;

	identity[0] = '\0';
	if (!path)
		return 0;
	look = new_look(path);
	if (!look)
		return -ENOMEM;
	ret = start(look);
	if (ret) {
		free_look(look);
		return ret;
	}
	ret = wait_for(look, deadline);
	if (!ret)
		ret = look->code;
	if (!ret)
		strcpy(identity, look->identity);
	put(look);
	return ret;
}
