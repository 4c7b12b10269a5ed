// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the kernel and the tapdisks have, as one list.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "deadline.h"
#include "rows.h"
#include "tapdisks.h"
#include "vbd.h"

#define ROUNDS	3	/* of asking those that the kernel contradicts */

struct view {
	struct blktap_tap *taps;
	size_t tap_count;
	struct blktap_tapdisk *tapdisks;	/* by pid */
	size_t tapdisk_count;
};

static void clear_view(struct view *view)
{
	blktap_tapdisks_free(view->tapdisks, view->tapdisk_count);
	free(view->taps);
}

static int ask_kernel(struct blktap_nl *nl, struct view *view, struct blktap_error *err)
{
	free(view->taps);
	view->taps = NULL;
	view->tap_count = 0;
	return blktap_nl_list(nl, &view->taps, &view->tap_count, err);
}

/* ----------------------------------------------------------------- disagreement */

static bool has_vbd(const struct blktap_tapdisk *tapdisk, int minor)
{
	const struct blktap_vbd_info key = { .minor = minor };

	return tapdisk->count && bsearch(&key, tapdisk->vbds, tapdisk->count,
					 sizeof(key), vbds_compare);
}

/* A tapdisk has a VBD whose tap is not its own any more. */
static bool is_outdated(const struct view *view, const struct blktap_tapdisk *tapdisk)
{
	const struct blktap_tap *tap;
	size_t i;

	for (i = 0; i < tapdisk->count; i++) {
		tap = taps_find(view->taps, view->tap_count, tapdisk->vbds[i].minor);
		if (!tap || tap->pid != tapdisk->pid)
			return true;
	}
	return false;
}

/* A tap is served by a tapdisk that was not asked, or did not mention it. */
static bool is_new(const struct view *view, const struct blktap_tap *tap)
{
	const struct blktap_tapdisk *tapdisk;

	if (!tap->pid)
		return false;
	tapdisk = tapdisks_find(view->tapdisks, view->tapdisk_count, tap->pid);
	return !tapdisk || (!tapdisk->code && !has_vbd(tapdisk, tap->minor));
}

static bool has_pid(const pid_t *pids, size_t count, pid_t pid)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* The tapdisks to ask again. */
static int find_suspects(const struct view *view, pid_t **pids, size_t *count)
{
	size_t i;

	for (i = 0; i < view->tapdisk_count; i++)
		if (is_outdated(view, &view->tapdisks[i]) &&
		    tapdisks_add_pid(pids, count, view->tapdisks[i].pid))
			return -ENOMEM;
	for (i = 0; i < view->tap_count; i++)
		if (is_new(view, &view->taps[i]) && !has_pid(*pids, *count, view->taps[i].pid) &&
		    tapdisks_add_pid(pids, count, view->taps[i].pid))
			return -ENOMEM;
	return 0;
}

/* --------------------------------------------------------------------- merging */

static int compare_tapdisks(const void *a, const void *b)
{
	const struct blktap_tapdisk *left = a, *right = b;

	return (left->pid > right->pid) - (left->pid < right->pid);
}

/* Removes the tapdisks that are to be asked again. */
static void forget(struct view *view, const pid_t *pids, size_t count)
{
	size_t kept = 0, i;

	for (i = 0; i < view->tapdisk_count; i++) {
		struct blktap_tapdisk tapdisk = view->tapdisks[i];

		if (has_pid(pids, count, tapdisk.pid))
			blktap_vbd_info_free(tapdisk.vbds, tapdisk.count);
		else
			view->tapdisks[kept++] = tapdisk;
	}
	view->tapdisk_count = kept;
}

/* Takes @fresh. */
static int merge(struct view *view, struct blktap_tapdisk *fresh, size_t count)
{
	struct blktap_tapdisk *grown;

	grown = reallocarray(view->tapdisks, view->tapdisk_count + count + 1, sizeof(*grown));
	if (!grown) {
		blktap_tapdisks_free(fresh, count);
		return -ENOMEM;
	}
	memcpy(&grown[view->tapdisk_count], fresh, count * sizeof(*fresh));
	free(fresh);
	view->tapdisks = grown;
	view->tapdisk_count += count;
	qsort(grown, view->tapdisk_count, sizeof(*grown), compare_tapdisks);
	return 0;
}

static int ask(struct view *view, const pid_t *pids, size_t count, struct deadline deadline,
	       struct blktap_error *err)
{
	struct blktap_tapdisk *fresh;
	size_t answered, i;
	int ret;

	forget(view, pids, count);
	ret = blktap_ctl_list_all(pids, count, deadline_left(deadline), &fresh, &answered, err);
	if (ret)
		return ret;
	for (i = 0; i < answered; i++)
		if (fresh[i].code == -EINTR)
			ret = blktap_error_set(err, -EINTR, "interrupted while waiting for tapdisk %d",
					       (int)fresh[i].pid);
	if (ret) {
		blktap_tapdisks_free(fresh, answered);
		return ret;
	}
	if (merge(view, fresh, answered))
		return blktap_error_set(err, -ENOMEM, "no memory for the list");
	return 0;
}

/* ------------------------------------------------------------------- gathering */

static int ask_one(struct view *view, pid_t pid, struct deadline deadline,
		   struct blktap_error *err)
{
	int ret = ask(view, &pid, 1, deadline, err);

	if (!ret && view->tapdisk_count && view->tapdisks[0].code == -EACCES)
		return blktap_error_set(err, -EACCES,
					"tapdisk %d: no permission to use its control socket",
					(int)pid);
	return ret;
}

static int ask_everybody(struct view *view, struct deadline deadline, struct blktap_error *err)
{
	CLEANUP_FREE pid_t *pids = NULL;
	size_t count;
	int ret;

	ret = tapdisks_read(&pids, &count, err);
	return ret ? ret : ask(view, pids, count, deadline, err);
}

/* True if somebody was asked again. */
static int settle(struct view *view, struct deadline deadline, struct blktap_error *err)
{
	CLEANUP_FREE pid_t *suspects = NULL;
	size_t count = 0;
	int ret;

	if (find_suspects(view, &suspects, &count))
		return blktap_error_set(err, -ENOMEM, "no memory for the list");
	if (!count)
		return 0;
	ret = ask(view, suspects, count, deadline, err);
	return ret ? ret : 1;
}

/*
 * What still does not fit together after some rounds stays so: a tapdisk whose
 * session the kernel has ended, say, or one in another pid namespace.
 */
static int gather(struct blktap_nl *nl, struct view *view, int timeout_ms,
		  struct blktap_error *err)
{
	struct deadline deadline = deadline_in(timeout_ms);
	int round, ret;

	/* A silent one must not use up the time for asking the others again. */
	ret = ask_everybody(view, deadline_in(timeout_ms - timeout_ms / 4), err);
	for (round = 0; !ret && round < ROUNDS; round++) {
		ret = ask_kernel(nl, view, err);
		if (!ret && !deadline_passed(deadline))
			ret = settle(view, deadline, err);
		if (ret <= 0)
			return ret;
		ret = 0;
	}
	return ret;
}

static int make_rows(struct view *view, const struct blktap_filter *filter,
		     struct blktap_row **rows, size_t *count, struct blktap_error *err)
{
	*rows = rows_join(view->taps, view->tap_count, view->tapdisks, view->tapdisk_count, count);
	if (!*rows)
		return blktap_error_set(err, -ENOMEM, "no memory for the list");
	*count = rows_filter(*rows, *count, filter);
	return 0;
}

int blktap_list(const struct blktap_filter *filter, int timeout_ms,
		struct blktap_row **rows, size_t *count, struct blktap_error *err)
{
	__attribute__((cleanup(clear_view))) struct view view = { 0 };
	struct blktap_nl *nl;
	int ret;

	ret = blktap_nl_open(&nl, err);
	if (ret)
		return ret;
	/* What one tapdisk has is its own word. */
	if (filter->pid)
		ret = ask_one(&view, filter->pid, deadline_in(timeout_ms), err);
	else
		ret = gather(nl, &view, timeout_ms, err);
	blktap_nl_close(nl);
	return ret ? ret : make_rows(&view, filter, rows, count, err);
}
