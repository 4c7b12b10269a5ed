// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>

#include "cancel.h"
#include "cleanup.h"
#include "serving.h"
#include "vbd.h"

#define SPAWN_MS	30000
#define ATTACH_MS	60000
#define UNDO_MS		5000	/* for one step of the undoing */
#define LEAVE_MS	2000	/* for a tapdisk to leave */

static int spawn_failed(int code, struct blktap_error *err)
{
	blktap_error_prefix(err, "cannot spawn a tapdisk");
	if (code == -EINTR || code == -EINVAL)
		return code;
	if (err)
		err->code = -ECHILD;
	return -ECHILD;
}

int serving_spawn(struct serving *serving, const struct blktap_spawn_params *params,
		  struct blktap_error *err)
{
	int timeout_ms = deadline_step(serving->deadline, SPAWN_MS);
	int code = blktap_ctl_spawn(params, &serving->pid, timeout_ms, err);

	if (code)
		return spawn_failed(code, err);
	serving->pidfd = pidfd_open(serving->pid, 0);
	if (serving->pidfd >= 0)
		return 0;
	if (errno == ESRCH)
		return blktap_error_set(err, -ECHILD, "tapdisk %d has ended already",
					(int)serving->pid);
	code = -errno;
	kill(serving->pid, SIGTERM);
	return blktap_error_set(err, code, "cannot watch tapdisk %d: %s", (int)serving->pid,
				strerror(-code));
}

int serving_attach(struct serving *serving, struct blktap_error *err)
{
	/* Also if the call fails: nobody knows how far it got. */
	serving->attached = true;
	return vbd_ask_attach(serving->pid, serving->minor,
			      deadline_in(deadline_step(serving->deadline, ATTACH_MS)), err);
}

int serving_check_cancelled(struct blktap_error *err)
{
	int ret = cancel_poll(-1, 0);

	return ret < 0 ? blktap_error_set(err, ret, "interrupted") : 0;
}

/* -------------------------------------------------------------------- backwards */

static bool has_left(const struct serving *serving)
{
	struct pollfd fd = { .fd = serving->pidfd, .events = POLLIN };

	return poll(&fd, 1, LEAVE_MS) > 0;
}

/* One that has been detached from its only tap is leaving already. */
static void end_tapdisk(const struct serving *serving, bool close)
{
	if (serving->pidfd < 0)
		return;
	/* Politely, it would close a disk that is not open. */
	pidfd_send_signal(serving->pidfd, close ? SIGTERM : SIGKILL, NULL, 0);
	if (has_left(serving) && close)
		return;
	pidfd_send_signal(serving->pidfd, SIGKILL, NULL, 0);
	has_left(serving);
	blktap_ctl_sweep();
}

static int call_minor(const struct serving *serving, const char *method)
{
	json_t *params = json_pack("{s:I}", "minor", (json_int_t)serving->minor);

	return blktap_ctl_call(serving->pid, method, params, UNDO_MS, NULL, NULL);
}

int serving_detach(const struct serving *serving)
{
	return call_minor(serving, "detach");
}

void serving_undo(const struct serving *serving, bool close)
{
	cancel_suspend();
	if (serving->attached && (!close || call_minor(serving, "close") == 0))
		serving_detach(serving);
	end_tapdisk(serving, close);
	cancel_resume();
}

void serving_done(struct serving *serving)
{
	if (serving->pidfd >= 0)
		close(serving->pidfd);
	serving->pidfd = -1;
}
