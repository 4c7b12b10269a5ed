// SPDX-License-Identifier: GPL-2.0-only
/*
 * The record that a tapdisk has left of a disk: the input is the file. What is taken from
 * it is what it says, word for word, or nothing is.
 */
#include <errno.h>
#include <limits.h>

#include "files.h"
#include "oracle.h"
#include "record.h"

#define MINOR		3
#define FOLDER		"/nonexistent"

static void check_number(const json_t *json, const char *key, json_int_t got)
{
	const json_t *member = json_object_get(json, key);

	PROMISE(json_is_integer(member) && json_integer_value(member) == got,
		"%s is %lld", key, (long long)got);
}

static void check_bool(const json_t *json, const char *key, bool got)
{
	PROMISE(json_is_true(json_object_get(json, key)) == got, "%s is %d", key, got);
}

static void check_text(const json_t *json, const char *key, const char *got)
{
	const char *text = json_string_value(json_object_get(json, key));

	PROMISE(!text == !got && (!text || strcmp(text, got) == 0), "%s is %s", key,
		got ? got : "not there");
}

/* 0 is the default there, and here none at all. */
static void check_spin(const json_t *json, int got)
{
	const json_t *member = json_object_get(json, "spin_us");

	PROMISE(got >= -1 && got <= BLKTAP_MAX_SPIN_US, "spin_us is %d", got);
	if (got)
		check_number(json, "spin_us", got < 0 ? 0 : got);
	else
		PROMISE(!member || json_integer_value(member) == -1, "spin_us is the default");
}

static void check_image(const char *image)
{
	const char *colon = strchr(image, ':');

	PROMISE(colon && colon > image && colon[1], "the image is %s", image);
}

static void check_record(const struct blktap_record *record, const json_t *json)
{
	const struct blktap_open_params *open = &record->open;

	PROMISE(json_is_object(json), "a record that is no object");
	PROMISE(record->minor == MINOR && record->pid > 0, "a record of something else");
	check_number(json, "minor", record->minor);
	check_number(json, "pid", record->pid);
	check_image(open->image);
	check_text(json, "image", open->image);
	check_bool(json, "read_only", open->read_only);
	check_bool(json, "no_direct", open->no_direct);
	check_text(json, "kernel_io", blktap_kernel_io_name(open->kernel_io));
	PROMISE(open->request_timeout_ms >= -1, "a time-out of %d", open->request_timeout_ms);
	check_number(json, "request_timeout_ms", open->request_timeout_ms);
	check_spin(json, open->spin_us);
	check_bool(json, "restart", open->restart);
	check_bool(json, "paused", record->paused);
	check_bool(json, "no_sandbox", record->spawn.no_sandbox);
	PROMISE(!record->spawn.user || *record->spawn.user, "a user without a name");
	check_text(json, "user", record->spawn.user);
	if (record->image_identity)
		check_text(json, "image_identity", record->image_identity);
	PROMISE(record->disk_seq <= INT64_MAX, "disk %llu", (unsigned long long)record->disk_seq);
	if (record->disk_seq)
		check_number(json, "disk_seq", record->disk_seq);
}

static void read_record(const json_t *json)
{
	struct blktap_record *record = NULL;
	struct blktap_error err = { 0 };
	int ret = blktap_record_read(MINOR, &record, &err);

	if (!ret) {
		check_record(record, json);
		blktap_record_free(record);
		return;
	}
	PROMISE(ret == -EPROTO && err.code == ret && err.text[0] && !record,
		"it is %d that is wrong with it: %s", ret, err.text);
}

/* What a client does with one that it keeps; there is no place to write to. */
static void keep_record(const json_t *json)
{
	json_int_t pid = json_integer_value(json_object_get(json, "pid"));
	struct record_mark mark;

	/* The kernel is asked about another one's. */
	if (pid <= 0 || pid > INT_MAX)
		return;
	record_changed(pid, MINOR, json_pack("{s:b}", "paused", 1));
	record_look(MINOR, &mark);
	record_closed(pid, MINOR, &mark);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	blktap_log_init("fuzz", BLKTAP_LOG_STDERR, -1);
	setenv("BLKTAP_CONTROL_DIR", FOLDER, 1);
	files_make();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *json;
	int descriptor;

	files_put(FOLDER "/tap3.json", data, size);
	descriptor = free_descriptor();
	json = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	read_record(json);
	keep_record(json);
	json_decref(json);
	PROMISE(free_descriptor() == descriptor, "a descriptor is left");
	return 0;
}
