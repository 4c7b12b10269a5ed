// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Records of disks whose tapdisk runs as a user of its own. As root opens what a record
 * names, such a tapdisk must not write it: its clients write down what they have asked for.
 * A tapdisk does one thing with a disk at a time, but what it has answered one client can
 * be followed by what it answers another before the first has written that down.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "cleanup.h"
#include "disk-seq.h"
#include "image-look.h"
#include "process.h"
#include "record.h"

#define LOOK_MS	3000	/* for storage that may not answer */

/* ------------------------------------------------------------------- writing */

static int write_file(const char *path, const json_t *json)
{
	CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
				    0600);

	if (fd < 0)
		return -errno;
	return json_dumpfd(json, fd, JSON_COMPACT) ? -ENOSPC : 0;
}

/* Nobody ever sees a part of it. */
static int replace(unsigned int minor, const json_t *json)
{
	char path[PATH_MAX], new[PATH_MAX + 4];
	int ret = record_path(path, sizeof(path), minor);

	if (ret)
		return ret;
	snprintf(new, sizeof(new), "%s.new", path);
	ret = json ? write_file(new, json) : -ENOMEM;
	if (!ret && rename(new, path) != 0)
		ret = -errno;
	if (ret)
		unlink(new);
	return ret;
}

/* With @lock, of record_lock(). Of what does not hold any more nothing is left. */
static void put(int lock, unsigned int minor, const json_t *json)
{
	int ret = lock < 0 ? lock : replace(minor, json);

	if (!ret)
		return;
	record_remove_file(minor);
	blktap_log(LOG_WARNING, "tapdev%u: cannot be recorded: recovering it needs to be told the "
		   "image: %s", minor, strerror(-ret));
}

/* ------------------------------------------------------------ from open to close */

/* What the tapdisk has open nobody else sees: it is what its name led to when it was asked. */
static void look(const char *image, char identity[IMAGE_IDENTITY_SIZE])
{
	if (image_look(image, deadline_in(LOOK_MS), identity))
		identity[0] = '\0';
}

/* Of the disk that this tapdisk has; 0: it has none yet, or that cannot be told. */
static uint64_t seq_of(pid_t pid, unsigned int minor)
{
	struct blktap_tap tap = { 0 };
	uint64_t seq;

	if (disk_seq(minor, &seq) || record_get_tap(minor, &tap) || tap.pid != pid ||
	    tap.disk_state != BLKTAP_DISK_STATE_LIVE)
		return 0;
	return seq;
}

/* What is not said is the tapdisk's default, also that of the next. */
static json_t *describe(pid_t pid, unsigned int minor, const struct blktap_open_params *open,
			const char *identity, const char *user)
{
	const char *mode = blktap_kernel_io_name(open->kernel_io);
	char now[IMAGE_IDENTITY_SIZE];
	json_t *json;

	if (!identity) {
		look(open->image, now);
		identity = now;
	}
	json = json_pack("{s:i, s:i, s:s, s:s, s:s, s:I, s:b, s:b, s:s, s:i, s:b, s:b}",
			 "minor", (int)minor, "pid", (int)pid, "user", user,
			 "image", open->image, "image_identity", identity,
			 "disk_seq", (json_int_t)seq_of(pid, minor),
			 "read_only", open->read_only, "no_direct", open->no_direct,
			 "kernel_io", mode ? mode : blktap_kernel_io_name(BLKTAP_KERNEL_IO_AUTO),
			 "request_timeout_ms", open->request_timeout_ms < 0 ? -1 :
						open->request_timeout_ms,
			 "restart", open->restart, "paused", 0);
	if (json && open->spin_us)
		json_object_set_new(json, "spin_us",
				    json_integer(open->spin_us < 0 ? 0 : open->spin_us));
	return json;
}

bool record_is_kept(pid_t pid)
{
	CLEANUP_FREE char *user = NULL;

	return process_user(pid, &user) || user;
}

/* *@json stays NULL where nothing is kept. */
static int make(pid_t pid, unsigned int minor, const struct blktap_open_params *open,
		const char *identity, json_t **json)
{
	CLEANUP_FREE char *user = NULL;
	int ret = process_user(pid, &user);

	if (ret || !user)
		return ret;
	*json = describe(pid, minor, open, identity, user);
	return *json ? 0 : -ENOMEM;
}

static void write_opened(pid_t pid, unsigned int minor, const struct blktap_open_params *open,
			 const char *identity)
{
	CLEANUP_JSON json_t *json = NULL;
	CLEANUP_CLOSE int lock = -1;
	int ret = make(pid, minor, open, identity, &json);

	if (!ret && !json)
		return;
	lock = ret ? ret : record_lock();
	put(lock, minor, json);
}

/* What is kept here of this tapdisk's disk, or NULL. */
static json_t *find(pid_t pid, unsigned int minor)
{
	CLEANUP_JSON json_t *json = NULL;

	if (record_load(minor, &json) || !json_object_get(json, "user") ||
	    !record_is_of(json_integer_value(json_object_get(json, "pid")), minor, pid) ||
	    json_object_set_new(json, "pid", json_integer(pid)))
		return NULL;
	return TAKE_POINTER(json);
}

void record_changed(pid_t pid, unsigned int minor, json_t *changes)
{
	CLEANUP_JSON json_t *owned = changes;
	CLEANUP_CLOSE int lock = record_lock();
	CLEANUP_JSON json_t *json = find(pid, minor);

	if (json)
		put(lock, minor, json_object_update(json, owned) ? NULL : json);
}

/* What changes when a paused disk goes on; NULL: no memory, or nothing is kept. */
static json_t *describe_unpaused(pid_t pid, unsigned int minor, const char *image)
{
	CLEANUP_JSON json_t *json = find(pid, minor);
	char identity[IMAGE_IDENTITY_SIZE] = "";

	if (!json)
		return NULL;
	if (!image)
		image = json_string_value(json_object_get(json, "image"));
	if (image)
		look(image, identity);
	return json_pack("{s:s*, s:s, s:b}", "image", image, "image_identity", identity,
			 "paused", 0);
}

void record_unpaused(pid_t pid, unsigned int minor, const char *image)
{
	record_changed(pid, minor, describe_unpaused(pid, minor, image));
}

void record_closed(pid_t pid, unsigned int minor, const struct record_mark *mark)
{
	CLEANUP_CLOSE int lock = record_lock();
	CLEANUP_JSON json_t *json = find(pid, minor);

	(void)lock;
	if (json && record_is(minor, mark))
		record_remove_file(minor);
}

/* ----------------------------------------------------------------------- orders */

/* Not of a disk that is served: that would be refused. */
static bool may_open(pid_t pid, unsigned int minor)
{
	struct blktap_tap tap = { 0 };

	return record_get_tap(minor, &tap) == 0 && tap.pid == pid &&
	       (tap.disk_state != BLKTAP_DISK_STATE_LIVE || tap.recovery != BLKTAP_RECOVERY_NONE);
}

/* What another client has ordered of it, or has had done. */
static bool is_ordered(const json_t *record, pid_t pid)
{
	return json_integer_value(json_object_get(record, "pid")) == pid;
}

static void write_order(struct record_order *order, int lock, const json_t *json)
{
	put(lock, order->minor, json);
	record_look(order->minor, &order->mark);
	order->written = order->mark.there;
}

void record_order_open(struct record_order *order, pid_t pid, unsigned int minor,
		       const struct blktap_open_params *open, const char *identity)
{
	CLEANUP_JSON json_t *json = NULL;
	CLEANUP_CLOSE int lock = -1;

	*order = (struct record_order){ .minor = minor };
	if (make(pid, minor, open, identity, &json) || !json || !may_open(pid, minor))
		return;
	lock = record_lock();
	if (record_load(minor, &order->before))
		order->before = NULL;
	if (!is_ordered(order->before, pid))
		write_order(order, lock, json);
}

/* A new disk has its number by now. */
static void note_disk(const struct record_order *order, pid_t pid)
{
	uint64_t seq = seq_of(pid, order->minor);
	CLEANUP_CLOSE int lock = seq ? record_lock() : -1;
	CLEANUP_JSON json_t *json = NULL;

	if (lock < 0 || !record_is(order->minor, &order->mark))
		return;
	json = find(pid, order->minor);
	if (json && !json_object_set_new(json, "disk_seq", json_integer(seq)))
		put(lock, order->minor, json);
}

void record_opened(const struct record_order *order, pid_t pid,
		   const struct blktap_open_params *open, const char *identity)
{
	if (order->written)
		note_disk(order, pid);
	else
		write_opened(pid, order->minor, open, identity);
}

void record_order_unpause(struct record_order *order, pid_t pid, unsigned int minor,
			  const char *image)
{
	CLEANUP_JSON json_t *changes = describe_unpaused(pid, minor, image);
	CLEANUP_CLOSE int lock = record_lock();
	CLEANUP_JSON json_t *json = NULL;

	*order = (struct record_order){ .minor = minor, .before = find(pid, minor) };
	if (!json_is_true(json_object_get(order->before, "paused")))
		return;
	json = json_copy(order->before);
	write_order(order, lock, json_object_update(json, changes) ? NULL : json);
}

void record_order_end(struct record_order *order, bool refused)
{
	CLEANUP_JSON json_t *before = TAKE_POINTER(order->before);
	CLEANUP_CLOSE int lock = -1;

	if (!order->written || !refused)
		return;
	lock = record_lock();
	if (!record_is(order->minor, &order->mark))
		return;
	if (before)
		put(lock, order->minor, before);
	else
		record_remove_file(order->minor);
}
