// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "aside.h"
#include "cancel.h"

/* It may be locked into memory. */
#define STACK_BYTES	(256 << 10)

static void *run(void *data)
{
	struct aside *aside = data;

	aside->call(aside);
	eventfd_write(aside->done, 1);
	aside_put(aside);
	return NULL;
}

/* Signals are for those who wait for them. */
static int start(struct aside *aside)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(&thread, &attr, run, aside);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -ret;
}

static int wait_for(const struct aside *aside, struct deadline deadline)
{
	int ret;

	do {
		ret = cancel_poll(aside->done, deadline_left(deadline));
	} while (ret == 0 && !deadline_passed(deadline));
	return ret < 0 ? ret : ret ? 0 : -ETIMEDOUT;
}

int aside_run(struct aside *aside, struct deadline deadline)
{
	int ret;

	aside->users = 1;
	aside->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (aside->done < 0)
		return -errno;
	aside->users = 2;
	ret = start(aside);
	if (ret)
		aside->users = 1;
	return ret ? ret : wait_for(aside, deadline);
}

void aside_put(struct aside *aside)
{
	if (atomic_fetch_sub(&aside->users, 1) != 1)
		return;
	if (aside->done >= 0)
		close(aside->done);
	aside->release(aside);
}
