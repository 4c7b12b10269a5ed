// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The end of a disk that nobody can refuse. The tapdisk is asked first: it may serve
 * others as well, and they should not have to be recovered.
 */
#include <errno.h>
#include <stdio.h>

#include "cancel.h"
#include "deadline.h"
#include "record.h"
#include "removal.h"

#define BUSY_MS		2000	/* for another operation to end */
#define BUSY_STEP_MS	100
#define STUCK_MS	2000	/* what is stuck is told of every 3 s; asking has taken 2 */
#define ANSWER_MS	1000
#define DETACH_MS	3000
#define REMOVE_MS	10000
#define FREE_MS		8000

static void cleanup_removal(struct removal *removal)
{
	removal_end(removal);
}

#define CLEANUP_REMOVAL	__attribute__((cleanup(cleanup_removal)))

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

/* It has been asked in vain. An image of its that is not recorded any more, it knows. */
static bool answers(struct removal *removal, pid_t pid)
{
	struct blktap_vbd_info *vbds;
	size_t count, i;

	if (blktap_ctl_list(pid, &vbds, &count, ANSWER_MS, NULL))
		return false;
	for (i = 0; i < count && !removal->image; i++)
		if (vbds[i].minor == (int)removal->minor && vbds[i].path &&
		    asprintf(&removal->image, "%s:%s", vbds[i].type, vbds[i].path) < 0)
			removal->image = NULL;
	blktap_vbd_info_free(vbds, count);
	return true;
}

/*
 * The tapdisk may have done its part, and the disk goes, or would but for I/O that the
 * kernel has begun: nobody can end that, and one that lives may serve others. -EAGAIN: no.
 */
static int wait_for_kernel(struct removal *removal, const struct blktap_tap *tap, pid_t pid,
			   struct blktap_error *err)
{
	int ret;

	if (tap->pid != pid || tap->disk_state != BLKTAP_DISK_STATE_REMOVING || !tap->files)
		return -EAGAIN;
	ret = removal_wait(removal, STUCK_MS, err);
	if (ret != -ETIMEDOUT)
		return ret;
	if (!removal->stuck || !answers(removal, pid))
		return -EAGAIN;
	return removal_explain(removal, err);
}

static int end_session(struct removal *removal, pid_t pid, pid_t *killed,
		       struct blktap_error *err)
{
	struct record_mark record;
	struct blktap_tap tap;
	int ret;

	record_look(removal->minor, &record);
	ret = blktap_nl_get(removal->nl, removal->minor, &tap, err);
	if (ret)
		return ret;
	ret = wait_for_kernel(removal, &tap, pid, err);
	if (ret != -EAGAIN)
		return ret;
	/* What a dead one has left is nobody's. */
	ret = blktap_nl_end_session(removal->nl, removal->minor, tap.pid ? pid : 0, true, err);
	if (ret)
		return ret;
	if (tap.pid)
		*killed = tap.pid;
	ret = removal_wait(removal, REMOVE_MS, err);
	if (!ret)
		record_forget(removal->minor, &record);
	/* What it listened on. */
	blktap_ctl_sweep();
	return ret;
}

static int close_by_force(struct removal *removal, pid_t pid, int timeout_ms, pid_t *killed,
			  struct blktap_error *err)
{
	struct blktap_error refusal;
	int ret;

	ret = ask_to_close(pid, removal->minor, timeout_ms, &refusal);
	if (ret && err)
		*err = refusal;
	if (is_worth_killing(ret))
		ret = end_session(removal, pid, killed, err);
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

int blktap_force_close(pid_t pid, unsigned int minor, int timeout_ms, pid_t *killed,
		       struct blktap_error *err)
{
	CLEANUP_REMOVAL struct removal removal;
	int ret;

	*killed = 0;
	ret = removal_begin(&removal, minor, err);
	return ret ? ret : close_by_force(&removal, pid, timeout_ms, killed, err);
}

/* -------------------------------------------------------------------- destroying */

/* The pid of the session, or 0. */
static int find_pid(const struct removal *removal, pid_t *pid, struct blktap_error *err)
{
	struct blktap_tap tap = { 0 };
	int ret = blktap_nl_get(removal->nl, removal->minor, &tap, err);

	*pid = tap.pid;
	return ret;
}

/*
 * Its disk has not gone yet. If nobody serves it any more the tap goes with it, and nobody
 * has to ask again.
 */
static void free_with_disk(struct removal *removal)
{
	struct blktap_tap tap;

	if (!blktap_nl_get(removal->nl, removal->minor, &tap, NULL) && !tap.pid)
		blktap_free(removal->minor, true, 0, NULL);
}

int blktap_force_destroy(pid_t pid, unsigned int minor, int timeout_ms, pid_t *killed,
			 struct blktap_error *err)
{
	CLEANUP_REMOVAL struct removal removal;
	int ret;

	*killed = 0;
	ret = removal_begin(&removal, minor, err);
	if (!ret && !pid)
		ret = find_pid(&removal, &pid, err);
	if (!ret && pid)
		ret = close_by_force(&removal, pid, timeout_ms, killed, err);
	if (ret == -ETIMEDOUT)
		free_with_disk(&removal);
	if (ret)
		return ret;
	/* If that fails, freeing by force does it. */
	if (pid && !*killed)
		blktap_ctl_call(pid, "detach", json_pack("{s:I}", "minor", (json_int_t)minor),
				DETACH_MS, NULL, NULL);
	ret = blktap_free(minor, true, FREE_MS, err);
	return ret == -ETIMEDOUT ? removal_explain(&removal, err) : ret;
}
