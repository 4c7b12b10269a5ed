// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "control-character.h"
#include "libblktap.h"
#include "output.h"

int exit_status(int code)
{
	switch (-code) {
	case EPERM:
		return EACCES;		/* 1 means that spawn failed */
	case ERANGE:
		return EINVAL;
	case ECONNREFUSED:
		return ENOENT;		/* the socket is there, the tapdisk is not */
	case ECHILD:
		return 1;
	}
	return -code > 0 && -code < 256 ? -code : 1;
}

int flush_output(struct blktap_error *err)
{
	errno = EIO;
	if (!ferror(stdout) && fflush(stdout) == 0)
		return 0;
	return blktap_error_set(err, -errno, "cannot write the output: %s", strerror(errno));
}

int print_line(struct blktap_error *err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	return flush_output(err);
}

/* ------------------------------------------------------------------------ text */

void put_escaped(FILE *file, const char *text)
{
	size_t escape = 0;	/* bytes that are still to be */

	for (; *text; text++) {
		if (!escape)
			escape = control_length(text, text[1] ? 2 : 1);
		if (!escape) {
			putc(*text, file);
			continue;
		}
		fprintf(file, "\\x%02x", (unsigned char)*text);
		escape--;
	}
}

/* ---------------------------------------------------------------------- objects */

int print_json(json_t *json, struct blktap_error *err)
{
	CLEANUP_JSON json_t *owned = json;
	CLEANUP_FREE char *text = NULL;

	text = owned ? json_dumps(owned, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(10)) : NULL;
	if (!text)
		return blktap_error_set(err, -ENOMEM, "no memory for the output");
	return print_line(err, "%s", text);
}

static void put_value(const json_t *value)
{
	CLEANUP_FREE char *text = NULL;

	if (json_is_string(value)) {
		put_escaped(stdout, json_string_value(value));
		return;
	}
	text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	put_escaped(stdout, text ? text : "?");
}

int print_pairs(json_t *object, struct blktap_error *err)
{
	CLEANUP_JSON json_t *owned = object;
	const char *gap = "";
	const char *key;
	json_t *value;

	if (!owned)
		return blktap_error_set(err, -ENOMEM, "no memory for the output");
	json_object_foreach(owned, key, value) {
		printf("%s%s=", gap, key);
		put_value(value);
		gap = " ";
	}
	putchar('\n');
	return flush_output(err);
}

static void put_member(const char *prefix, const char *key, const json_t *value)
{
	CLEANUP_FREE char *name = NULL;
	const char *inner;
	json_t *member;

	if (asprintf(&name, "%s%s%s", prefix, *prefix ? "." : "", key) < 0)
		return;
	if (!json_is_object(value)) {
		put_escaped(stdout, name);
		fputs(": ", stdout);
		put_value(value);
		putchar('\n');
		return;
	}
	json_object_foreach((json_t *)value, inner, member)
		put_member(name, inner, member);
}

int print_members(json_t *object, struct blktap_error *err)
{
	CLEANUP_JSON json_t *owned = object;
	const char *key;
	json_t *value;

	if (!owned)
		return blktap_error_set(err, -ENOMEM, "no memory for the output");
	json_object_foreach(owned, key, value)
		put_member("", key, value);
	return flush_output(err);
}

int print_disk(bool json, pid_t pid, unsigned int minor, const char *link,
	       struct blktap_error *err)
{
	json_t *object;
	char path[64];

	blktap_disk_path(path, sizeof(path), minor);
	if (!json)
		return print_line(err, "%s", link ? link : path);
	object = json_object();
	if (pid)
		json_object_set_new(object, "pid", json_integer(pid));
	json_object_set_new(object, "minor", json_integer(minor));
	json_object_set_new(object, "device", json_string(path));
	if (link)
		json_object_set_new(object, "link", json_string(link));
	return print_json(object, err);
}
