// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A disk in one step. It is all or nothing: what a failure or an interruption
 * leaves is undone in reverse order.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>

#include "cancel.h"
#include "cleanup.h"
#include "libblktap.h"

#define SPAWN_MS	30000
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

/* --------------------------------------------------------------------- forwards */

static int allocate(struct creation *creation, const struct blktap_create_params *params,
		    struct blktap_error *err)
{
	struct blktap_tap tap;
	int ret = blktap_allocate(&params->tap, params->link, &tap, err);

	if (ret)
		return ret;
	creation->allocated = true;
	creation->minor = tap.minor;
	return 0;
}

static int spawn_failed(int code, struct blktap_error *err)
{
	blktap_error_prefix(err, "cannot spawn a tapdisk");
	if (code == -EINTR || code == -EINVAL)
		return code;
	if (err)
		err->code = -ECHILD;
	return -ECHILD;
}

static int spawn(struct creation *creation, const struct blktap_create_params *params,
		 struct blktap_error *err)
{
	int code = blktap_ctl_spawn(&params->spawn, &creation->pid, SPAWN_MS, err);

	if (code)
		return spawn_failed(code, err);
	creation->spawned = true;
	creation->pidfd = pidfd_open(creation->pid, 0);
	if (creation->pidfd >= 0)
		return 0;
	if (errno == ESRCH)
		return blktap_error_set(err, -ECHILD, "tapdisk %d has ended already",
					(int)creation->pid);
	code = -errno;
	kill(creation->pid, SIGTERM);
	return blktap_error_set(err, code, "cannot watch tapdisk %d: %s", (int)creation->pid,
				strerror(-code));
}

static int attach(struct creation *creation, struct blktap_error *err)
{
	/* Also if the call fails: nobody knows how far it got. */
	creation->attached = true;
	return blktap_ctl_attach(creation->pid, creation->minor, err);
}

static int check_cancelled(struct blktap_error *err)
{
	int ret = cancel_poll(-1, 0);

	return ret < 0 ? blktap_error_set(err, ret, "interrupted") : 0;
}

static int do_all(struct creation *creation, const struct blktap_create_params *params,
		  struct blktap_error *err)
{
	int ret;

	ret = allocate(creation, params, err);
	if (!ret)
		ret = spawn(creation, params, err);
	if (!ret)
		ret = attach(creation, err);
	if (!ret)
		ret = blktap_ctl_open(creation->pid, creation->minor, &params->open, err);
	if (!ret)
		ret = check_cancelled(err);
	if (!ret && params->announce)
		ret = params->announce(creation->minor, creation->pid, params->data, err);
	return ret;
}

/* -------------------------------------------------------------------- backwards */

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

static int free_at_last(unsigned int minor, struct blktap_error *err)
{
	const struct timespec pause = { .tv_nsec = FREE_PAUSE_MS * 1000000L };
	int tries, ret;

	for (tries = 0; tries < FREE_TRIES; tries++) {
		ret = blktap_free(minor, UNDO_MS, err);
		if (ret != -EBUSY)
			break;
		nanosleep(&pause, NULL);
	}
	return ret == -ENODEV ? 0 : ret;
}

static void undo(const struct creation *creation, struct blktap_error *err)
{
	struct blktap_error why, left;

	if (creation->attached && call_minor(creation, "close") == 0)
		call_minor(creation, "detach");
	if (creation->spawned)
		end_tapdisk(creation);
	if (!creation->allocated || !free_at_last(creation->minor, &left) || !err)
		return;
	why = *err;
	blktap_error_set(err, why.code, "%.250s; the tap is left behind: %.200s", why.text,
			 left.text);
}

/* What has begun to go back goes all the way. */
static void undo_undisturbed(const struct creation *creation, struct blktap_error *err)
{
	int cancelling = cancel_fd();

	blktap_cancel_on(-1);
	undo(creation, err);
	blktap_cancel_on(cancelling);
}

int blktap_create(const struct blktap_create_params *params, unsigned int *minor, pid_t *pid,
		  struct blktap_error *err)
{
	struct creation creation = { .pidfd = -1 };
	int ret;

	ret = do_all(&creation, params, err);
	if (ret)
		undo_undisturbed(&creation, err);
	if (creation.pidfd >= 0)
		close(creation.pidfd);
	if (!ret) {
		*minor = creation.minor;
		*pid = creation.pid;
	}
	return ret;
}
