// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "describe.h"

static void put_number(json_t *object, const char *key, uint64_t number)
{
	json_object_set_new(object, key, json_integer(number));
}

static void put_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, json_string(text));
}

/* ---------------------------------------------------------------------- driver */

static json_t *feature_names(uint64_t features)
{
	static const struct { uint64_t bit; const char *name; } names[] = {
		{ BLKTAP_F_DATA_ON_DEMAND, "data-on-demand" },
		{ BLKTAP_F_REDIRECT, "redirect" },
		{ BLKTAP_F_EXTENTS, "extents" },
		{ BLKTAP_F_HOLD, "hold" },
		{ BLKTAP_F_TAKEOVER, "takeover" },
		{ BLKTAP_F_SWAP, "swap" },
	};
	json_t *array = json_array();
	char unknown[24];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (features & names[i].bit)
			json_array_append_new(array, json_string(names[i].name));
		features &= ~names[i].bit;
	}
	if (features) {
		snprintf(unknown, sizeof(unknown), "%#" PRIx64, features);
		json_array_append_new(array, json_string(unknown));
	}
	return array;
}

json_t *describe_driver(const struct blktap_features *features)
{
	json_t *object = json_object();

	put_number(object, "abi", features->abi);
	json_object_set_new(object, "features", feature_names(features->features));
	put_number(object, "max_minors", features->max_minors);
	put_number(object, "max_queues", features->max_queues);
	put_number(object, "max_depth", features->max_depth);
	put_number(object, "max_io", features->max_io);
	return object;
}

/* ------------------------------------------------------------------------- taps */

static void put_state(json_t *object, uint32_t state)
{
	const char *name = blktap_disk_state_name(state);

	if (name)
		put_text(object, "disk", name);
	else
		put_number(object, "disk", state);
}

/* The shape that it was allocated with. */
static void put_shape(json_t *object, const struct blktap_tap *tap)
{
	char uuid[BLKTAP_UUID_TEXT];

	put_number(object, "queues", tap->queues);
	put_number(object, "depth", tap->depth);
	put_number(object, "max_io", tap->max_io);
	put_text(object, "on_death", tap->on_death == BLKTAP_ON_DEATH_HOLD ? "hold" : "fail");
	put_number(object, "hold_ms", tap->hold_ms);
	put_number(object, "io_timeout_ms", tap->io_timeout_ms);
	put_text(object, "on_timeout",
		 tap->on_timeout == BLKTAP_ON_TIMEOUT_KILL ? "kill" : "report");
	if (tap->serial[0])
		put_text(object, "serial", tap->serial);
	if (tap->has_uuid) {
		blktap_format_uuid(tap->uuid, uuid);
		put_text(object, "uuid", uuid);
	}
}

static void put_flags(json_t *object, uint32_t flags)
{
	json_object_set_new(object, "read_only", json_boolean(flags & BLKTAP_DISK_READ_ONLY));
	json_object_set_new(object, "write_cache", json_boolean(flags & BLKTAP_DISK_WRITE_CACHE));
	json_object_set_new(object, "fua", json_boolean(flags & BLKTAP_DISK_FUA));
	json_object_set_new(object, "rotational", json_boolean(flags & BLKTAP_DISK_ROTATIONAL));
}

static void put_disk(json_t *object, const struct blktap_tap *tap)
{
	put_state(object, tap->disk_state);
	if (tap->disk_state == BLKTAP_DISK_STATE_NONE)
		return;
	put_number(object, "capacity", tap->capacity);
	put_number(object, "logical_block_size", tap->logical_block_size);
	put_number(object, "physical_block_size", tap->physical_block_size);
	put_number(object, "openers", tap->openers);
	put_flags(object, tap->disk_flags);
	describe_recovery(object, tap->recovery, tap->has_hold_left, tap->hold_left_ms);
}

void describe_recovery(json_t *object, uint32_t recovery, bool has_hold_left, uint32_t hold_left_ms)
{
	const char *name = blktap_recovery_name(recovery);

	if (recovery == BLKTAP_RECOVERY_NONE)
		return;
	if (name)
		put_text(object, "recovery", name);
	else
		put_number(object, "recovery", recovery);
	if (has_hold_left)
		put_number(object, "hold_left_ms", hold_left_ms);
}

static void put_kernel_io(json_t *object, const struct blktap_tap *tap)
{
	if (!tap->has_kernel_io)
		return;
	put_number(object, "files", tap->files);
	put_number(object, "extents", tap->extents);
	put_number(object, "ios_daemon", tap->ios_daemon);
	put_number(object, "ios_redirect", tap->ios_redirect);
	put_number(object, "ios_extent", tap->ios_extent);
	put_number(object, "ios_retry", tap->ios_retry);
}

json_t *describe_tap(const struct blktap_tap *tap)
{
	json_t *object = json_object();
	char path[64];

	put_number(object, "minor", tap->minor);
	blktap_disk_path(path, sizeof(path), tap->minor);
	put_text(object, "device", path);
	put_number(object, "disk_major", tap->disk_major);
	put_number(object, "ring_major", tap->ring_major);
	put_shape(object, tap);
	if (tap->pid)
		put_number(object, "pid", tap->pid);
	put_number(object, "epoch", tap->epoch);
	put_number(object, "rejected", tap->rejected);
	put_disk(object, tap);
	put_kernel_io(object, tap);
	return object;
}

/* --------------------------------------------------------------------- notices */

static void put_event_name(json_t *object, const struct blktap_notice *notice)
{
	const char *name = blktap_event_name(notice->msg.event);

	if (notice->kind == BLKTAP_NOTICE_LOST)
		put_text(object, "event", "lost");
	else if (notice->kind == BLKTAP_NOTICE_STATE)
		put_text(object, "event", "state");
	else if (name)
		put_text(object, "event", name);
	else
		put_number(object, "event", notice->msg.event);
}

static void put_failed(json_t *object, const struct blktap_event_msg *msg)
{
	static const char *const ops[] = { "read", "write", "flush", "discard", "write-zeroes" };

	if (msg->event != BLKTAP_EVENT_IO_ERROR)
		return;
	put_number(object, "requests", msg->io_errors);
	if (msg->io_op < ARRAY_SIZE(ops))
		put_text(object, "op", ops[msg->io_op]);
}

static void put_range(json_t *object, const struct blktap_event_msg *msg)
{
	if (msg->event != BLKTAP_EVENT_EXTENT_DROPPED && msg->event != BLKTAP_EVENT_IO_ERROR)
		return;
	put_number(object, "offset", msg->extent_offset);
	put_number(object, "length", msg->extent_length);
	put_text(object, "error", strerror(msg->error));
}

static bool has_disk(const struct blktap_notice *notice)
{
	return notice->msg.tap.disk_state != BLKTAP_DISK_STATE_NONE &&
	       notice->msg.tap.capacity;
}

json_t *describe_notice(const struct blktap_notice *notice, const char *time)
{
	const struct blktap_tap *tap = &notice->msg.tap;
	json_t *object = json_object();

	put_text(object, "time", time);
	if (notice->msg.seq)
		put_number(object, "seq", notice->msg.seq);
	put_event_name(object, notice);
	if (notice->kind == BLKTAP_NOTICE_LOST)
		return object;
	put_number(object, "minor", tap->minor);
	if (tap->pid)
		put_number(object, "pid", tap->pid);
	put_state(object, tap->disk_state);
	if (has_disk(notice)) {
		put_number(object, "capacity", tap->capacity);
		put_number(object, "openers", tap->openers);
		describe_recovery(object, tap->recovery, tap->has_hold_left, tap->hold_left_ms);
	}
	if (notice->kind == BLKTAP_NOTICE_EVENT) {
		put_failed(object, &notice->msg);
		put_range(object, &notice->msg);
	}
	return object;
}
