// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Another tapdisk in the place of one that runs: an upgrade under disks in use.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "call.h"
#include "cancel.h"
#include "cleanup.h"
#include "passing.h"
#include "process.h"
#include "record.h"
#include "serving.h"

#define ASK_MS		10000
#define MARGIN_MS	10000	/* for the answer, past the new tapdisk's own limit */

static bool has_feature(const json_t *version, const char *feature)
{
	const json_t *features = json_object_get(version, "features");
	const json_t *name;
	size_t i;

	json_array_foreach(features, i, name)
		if (json_is_string(name) && strcmp(json_string_value(name), feature) == 0)
			return true;
	return false;
}

/* One that hangs gives nothing away by itself. */
static int ask_old(pid_t old, struct blktap_error *err)
{
	CLEANUP_JSON json_t *version = NULL;
	int ret = blktap_ctl_version(old, &version, ASK_MS, err);

	if (ret == -ETIMEDOUT)
		return blktap_error_set(err, ret, "tapdisk %d does not answer; if it hangs, "
					"'tap-ctl recover' gives its disks another", (int)old);
	if (ret || has_feature(version, "hand_over"))
		return ret;
	return blktap_error_set(err, -EOPNOTSUPP, "tapdisk %d is of a version that cannot hand "
				"over its disks", (int)old);
}

/* The new one has the same rights. */
static int find_params(pid_t old, struct blktap_spawn_params *params, char **user,
		       struct blktap_error *err)
{
	int ret = process_user(old, user);

	if (ret)
		return blktap_error_set(err, ret, "tapdisk %d: its user has no name: %s", (int)old,
					strerror(-ret));
	*params = (struct blktap_spawn_params){
		.user = *user,
		.no_sandbox = !*user && !process_is_confined(old),
	};
	return 0;
}

static int list_taps(struct blktap_tap **taps, size_t *count, struct blktap_error *err)
{
	struct blktap_nl *nl;
	int ret = blktap_nl_open(&nl, err);

	if (ret)
		return ret;
	ret = blktap_nl_list(nl, taps, count, err);
	blktap_nl_close(nl);
	return ret;
}

static int pass_ring(pid_t pid, unsigned int minor, struct blktap_error *err)
{
	CLEANUP_CLOSE int fd = passing_ring(minor, err);

	if (fd < 0)
		return fd;
	return call_passing(pid, "pass_ring", json_pack("{s:i, s:b}", "minor", (int)minor,
							"descriptor", 1), fd, ASK_MS, NULL, NULL, err);
}

/*
 * What a tapdisk that runs as another user may not open. Which disks they are the driver
 * tells: the old one could name those of others.
 */
static int pass_rings(pid_t old, pid_t pid, struct blktap_error *err)
{
	CLEANUP_FREE struct blktap_tap *taps = NULL;
	size_t count, i;
	int ret = list_taps(&taps, &count, err);

	for (i = 0; !ret && i < count; i++)
		if (taps[i].pid == old)
			ret = pass_ring(pid, taps[i].minor, err);
	return ret;
}

/* Whose disks are whose now, however far it got. */
static void record_moved(pid_t old, pid_t pid)
{
	struct blktap_vbd_info *vbds;
	size_t count, i;

	cancel_suspend();
	if (!blktap_ctl_list(pid, &vbds, &count, ASK_MS, NULL)) {
		for (i = 0; i < count; i++)
			record_changed(old, vbds[i].minor, json_pack("{s:i}", "pid", (int)pid));
		blktap_vbd_info_free(vbds, count);
	}
	cancel_resume();
}

/* @fd: a connection to the old one, if the new one cannot make it, or -1. */
static int ask_new(pid_t old, pid_t pid, int fd, int timeout_ms, struct blktap_error *err)
{
	json_t *params = json_pack("{s:i}", "pid", (int)old);
	int margin_ms = timeout_ms < 0 || timeout_ms > INT_MAX - MARGIN_MS ? -1 :
			timeout_ms + MARGIN_MS;

	if (timeout_ms >= 0)
		json_object_set_new(params, "timeout_ms", json_integer(timeout_ms));
	if (fd >= 0)
		json_object_set_new(params, "descriptor", json_true());
	return call_passing(pid, "takeover", params, fd, margin_ms, NULL, NULL, err);
}

/* For one that runs as another user. A connection, or a negative errno. */
static int pass_all(pid_t old, pid_t pid, struct blktap_error *err)
{
	int ret = pass_rings(old, pid, err);

	return ret ? ret : blktap_ctl_connect(old, err);
}

static int run(pid_t old, const struct serving *new, bool pass, int timeout_ms,
	       struct blktap_error *err)
{
	CLEANUP_CLOSE int fd = pass ? pass_all(old, new->pid, err) : -1;
	int ret;

	if (pass && fd < 0) {
		/* It has not been told yet to end by itself if it gets nothing. */
		serving_undo(new, true);
		return fd;
	}
	ret = ask_new(old, new->pid, fd, timeout_ms, err);
	if (pass)
		record_moved(old, new->pid);
	return ret;
}

/* The new one ends by itself if it has got no disk, also when nobody waits any more. */
int blktap_take_over(pid_t old, pid_t *pid, int timeout_ms, struct blktap_error *err)
{
	struct serving serving = SERVING_INIT;
	struct blktap_spawn_params params;
	CLEANUP_FREE char *user = NULL;
	int ret;

	ret = ask_old(old, err);
	if (!ret)
		ret = find_params(old, &params, &user, err);
	if (!ret)
		ret = serving_spawn(&serving, &params, err);
	if (ret)
		return ret;
	*pid = serving.pid;
	ret = run(old, &serving, user, timeout_ms, err);
	serving_done(&serving);
	return ret;
}
