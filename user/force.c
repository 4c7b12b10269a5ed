// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The end of a disk that nobody can refuse. The tapdisk is asked first: it may serve
 * others as well, and they should not have to be recovered.
 */
#include <errno.h>

#include "cancel.h"
#include "cleanup.h"
#include "record.h"
#include "tap-wait.h"

#define BUSY_MS		2000	/* for another operation to end */
#define BUSY_STEP_MS	100
#define DETACH_MS	3000
#define REMOVE_MS	10000
#define FREE_MS		10000

static void cleanup_nl(struct blktap_nl **nl)
{
	blktap_nl_close(*nl);
}

#define CLEANUP_NL	__attribute__((cleanup(cleanup_nl)))

/* --------------------------------------------------------------------- closing */

/* It may be opening or pausing just now. */
static int ask_to_close(pid_t pid, unsigned int minor, int timeout_ms, struct blktap_error *err)
{
	struct deadline deadline = deadline_in(BUSY_MS);
	int ret;

	for (;;) {
		ret = blktap_ctl_close(pid, minor, timeout_ms, true, err);
		if (ret != -EBUSY || deadline_passed(deadline))
			return ret;
		if (cancel_poll(-1, BUSY_STEP_MS) < 0)
			return blktap_error_set(err, -EINTR, "interrupted while tapdev%u was closed",
						minor);
	}
}

/* Whether the kernel can help where the tapdisk did not. */
static bool is_worth_killing(int code)
{
	switch (code) {
	case 0:
	case -EINTR:
	case -EINVAL:
	case -EACCES:
	case -ENOMEM:
		return false;
	}
	return true;
}

static bool disk_is_gone(const struct blktap_tap *tap)
{
	return tap->disk_state == BLKTAP_DISK_STATE_NONE;
}

static int wait_until_removed(struct blktap_nl *nl, unsigned int minor, struct blktap_error *err)
{
	int ret = tap_wait(nl, minor, disk_is_gone, deadline_in(REMOVE_MS), err);

	if (ret == -ETIMEDOUT)
		return blktap_error_set(err, ret, "minor %u: its disk does not go away", minor);
	if (ret == -EINTR)
		return blktap_error_set(err, ret, "interrupted while tapdev%u was removed", minor);
	return ret;
}

static int end_session(pid_t pid, unsigned int minor, pid_t *killed, struct blktap_error *err)
{
	CLEANUP_NL struct blktap_nl *nl = NULL;
	struct record_mark record;
	struct blktap_tap tap;
	int ret;

	record_look(minor, &record);
	ret = blktap_nl_open(&nl, err);
	if (!ret)
		ret = blktap_nl_get(nl, minor, &tap, err);
	/* What a dead one has left is nobody's. */
	if (!ret)
		ret = blktap_nl_end_session(nl, minor, tap.pid ? pid : 0, true, err);
	if (ret)
		return ret;
	if (tap.pid)
		*killed = tap.pid;
	ret = wait_until_removed(nl, minor, err);
	if (!ret)
		record_forget(minor, &record);
	/* What it listened on. */
	blktap_ctl_sweep();
	return ret;
}

int blktap_force_close(pid_t pid, unsigned int minor, int timeout_ms, pid_t *killed,
		       struct blktap_error *err)
{
	struct blktap_error refusal;
	int ret;

	*killed = 0;
	ret = ask_to_close(pid, minor, timeout_ms, &refusal);
	if (ret && err)
		*err = refusal;
	if (is_worth_killing(ret))
		ret = end_session(pid, minor, killed, err);
	/* It is another tapdisk's. What was asked first says more. */
	if (ret == -ESRCH) {
		ret = refusal.code;
		if (err)
			*err = refusal;
	}
	if (!ret && err)
		err->code = 0;
	return ret;
}

/* -------------------------------------------------------------------- destroying */

/* The pid of the session of @minor, or 0. */
static int find_pid(unsigned int minor, pid_t *pid, struct blktap_error *err)
{
	CLEANUP_NL struct blktap_nl *nl = NULL;
	struct blktap_tap tap = { 0 };
	int ret;

	ret = blktap_nl_open(&nl, err);
	if (!ret)
		ret = blktap_nl_get(nl, minor, &tap, err);
	*pid = tap.pid;
	return ret;
}

int blktap_force_destroy(pid_t pid, unsigned int minor, int timeout_ms, pid_t *killed,
			 struct blktap_error *err)
{
	int ret = 0;

	*killed = 0;
	if (!pid)
		ret = find_pid(minor, &pid, err);
	if (!ret && pid)
		ret = blktap_force_close(pid, minor, timeout_ms, killed, err);
	if (ret)
		return ret;
	/* If that fails, freeing by force does it. */
	if (pid && !*killed)
		blktap_ctl_call(pid, "detach", json_pack("{s:I}", "minor", (json_int_t)minor),
				DETACH_MS, NULL, NULL);
	return blktap_free(minor, true, FREE_MS, err);
}
