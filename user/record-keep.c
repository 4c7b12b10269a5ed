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

#include "cancel.h"
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

/* ----------------------------------------------------------- which image it is */

/*
 * What the tapdisk has open nobody else sees, unless it was opened here: it is what its name
 * leads to when it is asked.
 */
static int look(const char *image, char identity[IMAGE_IDENTITY_SIZE])
{
	return image_look(image, deadline_in(LOOK_MS), identity);
}

/* Once it is open, which cannot be cancelled any more. */
static void look_again(unsigned int minor, const char *image, char identity[IMAGE_IDENTITY_SIZE])
{
	int ret;

	cancel_suspend();
	ret = look(image, identity);
	cancel_resume();
	if (ret)
		blktap_log(LOG_WARNING, "tapdev%u: which file or device %s is cannot be recorded: "
			   "recovering it will compare nothing: %s", minor, image, strerror(-ret));
}

/* Of what has been opened; @given: that of its descriptor, or empty. */
static void identify(unsigned int minor, const char *image, const char *given,
		     char identity[IMAGE_IDENTITY_SIZE])
{
	snprintf(identity, IMAGE_IDENTITY_SIZE, "%s", given);
	if (!given[0] && image)
		look_again(minor, image, identity);
}

/* ------------------------------------------------------------ from open to close */

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
			const char *user, const char *identity)
{
	const char *mode = blktap_kernel_io_name(open->kernel_io);
	json_t *json;

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

/* Takes @json. */
static void write_order(struct record_order *order, int lock, json_t *json)
{
	put(lock, order->minor, json);
	record_look(order->minor, &order->mark);
	if (order->mark.there)
		order->written = json;
	else
		json_decref(json);
}

/* Storage that does not answer yet may do so while the tapdisk opens it. */
static int look_before(const char *image, char identity[IMAGE_IDENTITY_SIZE],
		       struct blktap_error *err)
{
	int ret = look(image, identity);

	return ret == -EINTR ? blktap_error_set(err, ret, "interrupted while %s was looked at",
						image) : 0;
}

int record_order_open(struct record_order *order, pid_t pid, unsigned int minor,
		      const struct blktap_open_params *open, const char *identity,
		      struct blktap_error *err)
{
	char now[IMAGE_IDENTITY_SIZE];
	CLEANUP_FREE char *user = NULL;
	CLEANUP_CLOSE int lock = -1;
	int ret = 0;

	*order = (struct record_order){ .pid = pid, .minor = minor };
	if (process_user(pid, &user) || !user)
		return 0;
	if (!identity)
		ret = look_before(open->image, now, err);
	if (ret || !may_open(pid, minor))
		return ret;
	lock = record_lock();
	if (record_load(minor, &order->before))
		order->before = NULL;
	if (!is_ordered(order->before, pid))
		write_order(order, lock, describe(pid, minor, open, user,
						  identity ? identity : now));
	return 0;
}

/* What changes when it goes on; @image may be NULL, then that is not among it. */
static json_t *describe_unpaused(const char *image, const char *identity)
{
	return json_pack("{s:s*, s:s, s:b}", "image", image, "image_identity", identity,
			 "paused", 0);
}

int record_order_unpause(struct record_order *order, pid_t pid, unsigned int minor,
			 const char *image, struct blktap_error *err)
{
	CLEANUP_JSON json_t *now = find(pid, minor), *changes = NULL;
	char identity[IMAGE_IDENTITY_SIZE] = "";
	CLEANUP_CLOSE int lock = -1;
	json_t *json;
	int ret = 0;

	*order = (struct record_order){ .pid = pid, .minor = minor };
	if (!image)
		image = json_string_value(json_object_get(now, "image"));
	if (now && image)
		ret = look_before(image, identity, err);
	if (ret)
		return ret;
	changes = describe_unpaused(image, identity);
	lock = record_lock();
	order->before = find(pid, minor);
	if (!json_is_true(json_object_get(order->before, "paused")))
		return 0;
	json = json_copy(order->before);
	if (json_object_update(json, changes))
		json_decref(TAKE_POINTER(json));
	write_order(order, lock, json);
	return 0;
}

/* ------------------------------------------------------------------ what is done */

/* Whether it is not what is on record by now. */
static bool find_identity(const struct record_order *order, const char *given,
			  char identity[IMAGE_IDENTITY_SIZE])
{
	const char *recorded = json_string_value(json_object_get(order->written,
								 "image_identity"));
	const char *image = json_string_value(json_object_get(order->written, "image"));

	if (!given[0] && recorded[0])
		return false;
	identify(order->minor, image, given, identity);
	return strcmp(identity, recorded) != 0;
}

/*
 * It is on record already, but for that, if its storage was slow or its name led elsewhere,
 * and for a new disk's number.
 */
static void settle(const struct record_order *order, const char *given)
{
	uint64_t seq = seq_of(order->pid, order->minor);
	char identity[IMAGE_IDENTITY_SIZE];
	bool other = find_identity(order, given, identity);
	CLEANUP_CLOSE int lock = seq || other ? record_lock() : -1;

	if (lock < 0 || !record_is(order->minor, &order->mark))
		return;
	if (other)
		json_object_set_new(order->written, "image_identity", json_string(identity));
	if (seq)
		json_object_set_new(order->written, "disk_seq", json_integer(seq));
	put(lock, order->minor, order->written);
}

void record_opened(const struct record_order *order, const struct blktap_open_params *open,
		   const char *given)
{
	char identity[IMAGE_IDENTITY_SIZE];
	CLEANUP_JSON json_t *json = NULL;
	CLEANUP_FREE char *user = NULL;
	CLEANUP_CLOSE int lock = -1;
	int ret;

	if (order->written) {
		settle(order, given);
		return;
	}
	ret = process_user(order->pid, &user);
	if (!ret && !user)
		return;
	identify(order->minor, open->image, given, identity);
	if (!ret)
		json = describe(order->pid, order->minor, open, user, identity);
	lock = ret ? ret : record_lock();
	put(lock, order->minor, json);
}

void record_unpaused(const struct record_order *order, const char *image, const char *given)
{
	CLEANUP_JSON json_t *now = NULL;
	char identity[IMAGE_IDENTITY_SIZE];

	if (order->written) {
		settle(order, given);
		return;
	}
	now = find(order->pid, order->minor);
	if (!now)
		return;
	if (!image)
		image = json_string_value(json_object_get(now, "image"));
	identify(order->minor, image, given, identity);
	record_changed(order->pid, order->minor, describe_unpaused(image, identity));
}

void record_order_end(struct record_order *order, bool refused)
{
	CLEANUP_JSON json_t *before = TAKE_POINTER(order->before);
	CLEANUP_JSON json_t *written = TAKE_POINTER(order->written);
	CLEANUP_CLOSE int lock = -1;

	if (!written || !refused)
		return;
	lock = record_lock();
	if (!record_is(order->minor, &order->mark))
		return;
	if (before)
		put(lock, order->minor, before);
	else
		record_remove_file(order->minor);
}
