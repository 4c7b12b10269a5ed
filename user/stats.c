// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Statistics of one tapdisk, or of all of them.
 */
#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "disk-stat.h"
#include "pages.h"
#include "rows.h"
#include "tapdisks.h"

static int stats_minor(const json_t *vbd)
{
	json_t *minor = json_object_get(json_object_get(vbd, "tap"), "minor");

	if (!json_is_integer(minor) || json_integer_value(minor) < 0 ||
	    json_integer_value(minor) >= BLKTAP_MAX_MINORS)
		return -1;
	return (int)json_integer_value(minor);
}

int blktap_ctl_stats(pid_t pid, int minor, json_t **vbds, int timeout_ms,
		     struct blktap_error *err)
{
	struct pages pages = { .pid = pid };

	if (pages_collect(&pages, 1, "stats", minor, deadline_in(timeout_ms)))
		return blktap_error_set(err, -ENOMEM, "no memory for statistics");
	if (pages.err.code)
		return blktap_error_set(err, pages.err.code, "%s", pages.err.text);
	if (minor >= 0 && (json_array_size(pages.vbds) != 1 ||
			   stats_minor(json_array_get(pages.vbds, 0)) != minor)) {
		pages_clear(&pages);
		return blktap_error_set(err, -EPROTO,
					"tapdisk %d: its statistics are not those of minor %d",
					(int)pid, minor);
	}
	*vbds = pages.vbds;
	return 0;
}

/*
 * Moves the objects of a tapdisk to @all. Each minor comes once, in ascending order:
 * what has the same labels twice is no statistics, of nobody.
 */
static int add_pid(json_t *all, json_t *vbds, pid_t pid)
{
	int last = -1;
	json_t *vbd;
	size_t i;

	json_array_foreach(vbds, i, vbd) {
		if (stats_minor(vbd) <= last)
			return -EPROTO;
		last = stats_minor(vbd);
		if (json_object_set_new(vbd, "pid", json_integer(pid)) ||
		    json_array_append(all, vbd))
			return -EPROTO;
	}
	return 0;
}

/* One that cannot tell may be the one that has it. */
static bool has_no_such(const struct pages *pages)
{
	return !pages->err.code || pages->err.code == -ENODEV || pages->err.code == -ENOENT ||
	       pages->err.code == -ECONNREFUSED;
}

static int nobody_has(const struct pages *pages, size_t count, int minor,
		      struct blktap_error *err)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!has_no_such(&pages[i]))
			return blktap_error_set(err, pages[i].err.code, "minor %d: %s", minor,
						pages[i].err.text);
	return blktap_error_set(err, -ENODEV, "minor %d: no tapdisk has it", minor);
}

/* A tapdisk that has left or is silent has nothing to say; being interrupted is another thing. */
static int take_all(struct pages *pages, size_t count, json_t *all, struct blktap_error *err)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (pages[i].err.code == -EINTR)
			return blktap_error_set(err, -EINTR, "%s", pages[i].err.text);
		if (pages[i].err.code == -ECONNREFUSED)
			tapdisks_sweep(pages[i].pid);
		if (!pages[i].err.code)
			add_pid(all, pages[i].vbds, pages[i].pid);
	}
	return 0;
}

static int ask_everybody(int minor, json_t *all, int timeout_ms, struct blktap_error *err)
{
	CLEANUP_FREE struct pages *pages = NULL;
	CLEANUP_FREE pid_t *pids = NULL;
	size_t count, i;
	int ret;

	ret = tapdisks_read(&pids, &count, err);
	if (ret)
		return ret;
	pages = calloc(count + 1, sizeof(*pages));
	for (i = 0; pages && i < count; i++)
		pages[i].pid = pids[i];
	if (!pages || pages_collect(pages, count, "stats", minor, deadline_in(timeout_ms)))
		return blktap_error_set(err, -ENOMEM, "no memory for statistics");
	ret = take_all(pages, count, all, err);
	for (i = 0; i < count; i++)
		pages_clear(&pages[i]);
	if (!ret && minor >= 0 && !json_array_size(all))
		return nobody_has(pages, count, minor, err);
	return ret;
}

static int ask_one(pid_t pid, int minor, json_t *all, int timeout_ms, struct blktap_error *err)
{
	CLEANUP_JSON json_t *vbds = NULL;
	int ret;

	ret = blktap_ctl_stats(pid, minor, &vbds, timeout_ms, err);
	if (!ret && add_pid(all, vbds, pid))
		ret = blktap_error_set(err, -EPROTO, "tapdisk %d: its statistics make no sense",
				       (int)pid);
	return ret;
}

/* ------------------------------------------------------- what the kernel counts */

static void put_number(json_t *object, const char *key, uint64_t number)
{
	json_object_set_new(object, key, json_integer(number));
}

/* An older tapdisk has no such object. */
static json_t *kernel_io_of(json_t *vbd)
{
	json_t *object = json_object_get(vbd, "kernel_io");

	if (json_is_object(object))
		return object;
	object = json_object();
	json_object_set_new(vbd, "kernel_io", object);
	return object;
}

static void add_counts(json_t *vbd, const struct blktap_tap *tap)
{
	json_t *object = kernel_io_of(vbd);

	put_number(object, "files", tap->files);
	put_number(object, "extents", tap->extents);
	put_number(object, "ios_daemon", tap->ios_daemon);
	put_number(object, "ios_redirect", tap->ios_redirect);
	put_number(object, "ios_extent", tap->ios_extent);
	put_number(object, "ios_retry", tap->ios_retry);
}

static bool is_session_of(const struct blktap_tap *tap, const json_t *vbd)
{
	return tap->has_kernel_io &&
	       tap->pid == json_integer_value(json_object_get(vbd, "pid"));
}

/* Without a module that tells, the tapdisks' own numbers have to do. */
static void add_kernel_counts(json_t *vbds)
{
	CLEANUP_FREE struct blktap_tap *taps = NULL;
	struct blktap_nl *nl;
	const struct blktap_tap *tap;
	size_t count, i;
	json_t *vbd;

	if (!json_array_size(vbds) || blktap_nl_open(&nl, NULL))
		return;
	if (blktap_nl_list(nl, &taps, &count, NULL))
		count = 0;
	blktap_nl_close(nl);
	json_array_foreach(vbds, i, vbd) {
		tap = taps_find(taps, count, stats_minor(vbd));
		if (tap && is_session_of(tap, vbd))
			add_counts(vbd, tap);
	}
}

/* Whoever served the requests: the tapdisk does not see what the kernel does by itself. */
static void add_disk(json_t *vbd)
{
	struct disk_stat stat;
	json_t *object;

	if (!json_string_length(json_object_get(vbd, "name")) ||
	    !disk_stat_read(stats_minor(vbd), &stat))
		return;
	object = json_object();
	put_number(object, "reads", stat.reads);
	put_number(object, "read_bytes", stat.read_bytes);
	put_number(object, "read_ms", stat.read_ms);
	put_number(object, "writes", stat.writes);
	put_number(object, "write_bytes", stat.write_bytes);
	put_number(object, "write_ms", stat.write_ms);
	put_number(object, "inflight", stat.inflight);
	json_object_set_new(vbd, "disk", object);
}

static void add_disks(json_t *vbds)
{
	json_t *vbd;
	size_t i;

	json_array_foreach(vbds, i, vbd)
		add_disk(vbd);
}

int blktap_stats(pid_t pid, int minor, json_t **vbds, int timeout_ms,
		 struct blktap_error *err)
{
	CLEANUP_JSON json_t *all = json_array();
	int ret;

	if (!all)
		return blktap_error_set(err, -ENOMEM, "no memory for statistics");
	if (pid)
		ret = ask_one(pid, minor, all, timeout_ms, err);
	else
		ret = ask_everybody(minor, all, timeout_ms, err);
	if (ret)
		return ret;
	add_kernel_counts(all);
	add_disks(all);
	*vbds = TAKE_POINTER(all);
	return 0;
}
