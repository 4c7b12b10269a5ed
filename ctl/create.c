// SPDX-License-Identifier: GPL-2.0-only
/*
 * A disk in one step. It is all or nothing: what a failure or a signal leaves
 * is undone in reverse order.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <time.h>

#include "cleanup.h"
#include "ctl.h"
#include "signals.h"

#define UNDO_MS		5000	/* for one step of the undoing */
#define LEAVE_MS	2000	/* for a tapdisk to leave */
#define FREE_TRIES	50	/* while somebody probes the disk that is going */
#define FREE_PAUSE_MS	100

struct creation {
	bool allocated, spawned, attached;
	unsigned int minor;
	pid_t pid;
	int pidfd;		/* so that nobody else with this pid is killed */
};

static int check_signals(const struct held_signals *held, struct blktap_error *err)
{
	return signals_came(held) ? blktap_error_set(err, -EINTR, "create: interrupted") : 0;
}

static int spawn(struct creation *creation, struct blktap_error *err)
{
	int ret = spawn_tapdisk(&creation->pid, err);

	if (ret)
		return ret;
	creation->spawned = true;
	creation->pidfd = pidfd_open(creation->pid, 0);
	if (creation->pidfd < 0)
		return blktap_error_set(err, -ECHILD, "tapdisk %d has ended already",
					(int)creation->pid);
	return 0;
}

static int attach(struct creation *creation, struct blktap_error *err)
{
	/* Also if the call fails: nobody knows how far it got. */
	creation->attached = true;
	return blktap_ctl_attach(creation->pid, creation->minor, err);
}

static int do_all(struct creation *creation, const struct options *options,
		  const struct held_signals *held, struct blktap_error *err)
{
	struct blktap_open_params params = {
		.image = options->image,
		.read_only = options->read_only,
		.no_direct = options->no_direct,
	};
	int ret;

	ret = allocate_tap(options, &creation->minor, err);
	if (ret)
		return ret;
	creation->allocated = true;
	ret = spawn(creation, err);
	if (!ret)
		ret = attach(creation, err);
	if (!ret)
		ret = blktap_ctl_open(creation->pid, creation->minor, &params, err);
	if (!ret)
		ret = check_signals(held, err);
	/* A disk that nobody has been told of is no use to anybody. */
	if (!ret)
		ret = print_disk(creation->minor, err);
	return ret;
}

static bool has_left(const struct creation *creation)
{
	struct pollfd fd = { .fd = creation->pidfd, .events = POLLIN };

	return poll(&fd, 1, LEAVE_MS) > 0;
}

/* One that has been detached from its only tap is leaving already. */
static void end_tapdisk(const struct creation *creation)
{
	if (creation->pidfd < 0)
		return;
	pidfd_send_signal(creation->pidfd, SIGTERM, NULL, 0);
	if (has_left(creation))
		return;
	pidfd_send_signal(creation->pidfd, SIGKILL, NULL, 0);
	has_left(creation);
	blktap_ctl_sweep();
}

static int call_minor(const struct creation *creation, const char *method)
{
	json_t *params = json_pack("{s:I}", "minor", (json_int_t)creation->minor);

	return blktap_ctl_call(creation->pid, method, params, UNDO_MS, NULL, NULL);
}

static void free_at_last(unsigned int minor)
{
	const struct timespec pause = { .tv_nsec = FREE_PAUSE_MS * 1000000L };
	struct blktap_error err;
	int tries, ret;

	for (tries = 0; tries < FREE_TRIES; tries++) {
		ret = free_tap(minor, &err);
		if (ret != -EBUSY)
			break;
		nanosleep(&pause, NULL);
	}
	if (ret && ret != -ENODEV)
		fprintf(stderr, "tap-ctl: create: a tap is left behind: %s\n", err.text);
}

static void undo(const struct creation *creation)
{
	if (creation->attached && call_minor(creation, "close") == 0)
		call_minor(creation, "detach");
	if (creation->spawned)
		end_tapdisk(creation);
	if (creation->allocated)
		free_at_last(creation->minor);
}

static int run(const struct options *options, struct blktap_error *err)
{
	struct creation creation = { .pidfd = -1 };
	struct held_signals held;
	int ret;

	ret = signals_hold(&held, err);
	if (ret)
		return ret;
	ret = do_all(&creation, options, &held, err);
	if (ret) {
		signals_ignore();
		undo(&creation);
	}
	if (creation.pidfd >= 0)
		close(creation.pidfd);
	signals_release(&held);
	return ret;
}

static const struct option_spec options[] = {
	OPTION_IMAGE,
	OPTION_READ_ONLY,
	OPTION_NO_DIRECT,
	OPTION_READ_CACHE,
	OPTION_PARENT,
	OPTION_SECONDARY,
	OPTION_STANDBY,
	OPTION_REQUEST_TIMEOUT,
	OPTION_LOG,
	OPTION_ENCRYPTED,
	OPTION_NEW_MINOR,
	OPTION_QUEUES,
	OPTION_DEPTH,
	OPTION_MAX_IO,
	OPTION_DEVICE,
	OPTION_END,
};

const struct command command_create = {
	.name = "create",
	.summary = "allocate, spawn, attach and open; print the name of the disk",
	.options = options,
	.run = run,
};
