// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cleanup.h"
#include "libblktap.h"
#include "signals.h"

static int held_fd = -1;

/* A signal that is ignored stays so: nohup, background jobs of scripts. */
static void add_unless_ignored(sigset_t *set, int signal)
{
	struct sigaction action;

	if (sigaction(signal, NULL, &action) == 0 && action.sa_handler != SIG_IGN)
		sigaddset(set, signal);
}

static int hold(struct held_signals *held, const sigset_t *set, struct blktap_error *err)
{
	held->fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (held->fd < 0)
		return blktap_error_set(err, -errno, "cannot hold signals: %s", strerror(errno));
	sigprocmask(SIG_BLOCK, set, &held->before);
	held_fd = held->fd;
	blktap_cancel_on(held_fd);
	return 0;
}

static void make_set(sigset_t *set)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	size_t i;

	sigemptyset(set);
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		add_unless_ignored(set, signals[i]);
}

static int signals_hold(struct held_signals *held, struct blktap_error *err)
{
	sigset_t set;

	make_set(&set);
	return hold(held, &set, err);
}

int signals_hold_endless(struct held_signals *held, struct blktap_error *err)
{
	sigset_t set;

	make_set(&set);
	sigaddset(&set, SIGINT);
	return hold(held, &set, err);
}

bool signals_take(const struct held_signals *held)
{
	struct signalfd_siginfo info;
	bool taken = false;

	while (read(held->fd, &info, sizeof(info)) == sizeof(info))
		taken = true;
	return taken;
}

bool signals_come(int timeout_ms)
{
	struct pollfd fd = { .fd = held_fd, .events = POLLIN };

	return poll(&fd, 1, timeout_ms) > 0;
}

void signals_release(struct held_signals *held)
{
	blktap_cancel_on(-1);
	held_fd = -1;
	close(held->fd);
	sigprocmask(SIG_SETMASK, &held->before, NULL);
}

int signals_hold_during(int (*run)(const struct options *options, struct blktap_error *err),
			const struct options *options, struct blktap_error *err)
{
	struct held_signals held;
	int ret = signals_hold(&held, err);

	if (ret)
		return ret;
	ret = run(options, err);
	signals_release(&held);
	return ret;
}
