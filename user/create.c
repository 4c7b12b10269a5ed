// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A disk in one step. It is all or nothing: what a failure or an interruption
 * leaves is undone in reverse order.
 */
#include <errno.h>
#include <time.h>

#include "cancel.h"
#include "serving.h"

#define UNDO_MS		5000	/* for one step of the undoing */
#define FREE_TRIES	50	/* while somebody probes the disk that is going */
#define FREE_PAUSE_MS	100

struct creation {
	bool allocated;
	struct serving serving;
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
	creation->serving.minor = tap.minor;
	return 0;
}

static int do_all(struct creation *creation, const struct blktap_create_params *params,
		  struct blktap_error *err)
{
	struct serving *serving = &creation->serving;
	int ret;

	ret = allocate(creation, params, err);
	if (!ret)
		ret = serving_spawn(serving, &params->spawn, err);
	if (!ret)
		ret = serving_attach(serving, err);
	if (!ret)
		ret = blktap_ctl_open(serving->pid, serving->minor, &params->open, err);
	if (!ret)
		ret = serving_check_cancelled(err);
	if (!ret && params->announce)
		ret = params->announce(serving->minor, serving->pid, params->data, err);
	return ret;
}

/* -------------------------------------------------------------------- backwards */

static int free_at_last(unsigned int minor, struct blktap_error *err)
{
	const struct timespec pause = { .tv_nsec = FREE_PAUSE_MS * 1000000L };
	int tries, ret;

	for (tries = 0; tries < FREE_TRIES; tries++) {
		ret = blktap_free(minor, false, UNDO_MS, err);
		if (ret != -EBUSY)
			break;
		nanosleep(&pause, NULL);
	}
	return ret == -ENODEV ? 0 : ret;
}

static void undo(const struct creation *creation, struct blktap_error *err)
{
	struct blktap_error why, left;

	serving_undo(&creation->serving, true);
	if (!creation->allocated || !free_at_last(creation->serving.minor, &left) || !err)
		return;
	why = *err;
	blktap_error_set(err, why.code, "%.250s; the tap is left behind: %.200s", why.text,
			 left.text);
}

/* What has begun to go back goes all the way. */
static void undo_undisturbed(const struct creation *creation, struct blktap_error *err)
{
	cancel_suspend();
	undo(creation, err);
	cancel_resume();
}

int blktap_create(const struct blktap_create_params *params, unsigned int *minor, pid_t *pid,
		  struct blktap_error *err)
{
	struct creation creation = { .serving = SERVING_INIT };
	int ret;

	ret = do_all(&creation, params, err);
	if (ret)
		undo_undisturbed(&creation, err);
	serving_done(&creation.serving);
	if (!ret) {
		*minor = creation.serving.minor;
		*pid = creation.serving.pid;
	}
	return ret;
}
