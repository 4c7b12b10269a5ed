// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "describe.h"
#include "output.h"
#include "rows.h"

static int minor_width(const struct blktap_row *rows, size_t count)
{
	int width = 2;
	size_t i;

	for (i = 0; i < count; i++) {
		int length = snprintf(NULL, 0, "%d", rows[i].minor);

		if (length > width)
			width = length;
	}
	return width;
}

/* A plain word, if its tapdisk is an honest one. */
static void print_type(FILE *file, const char *type)
{
	fprintf(file, "%*s", strlen(type) < 10 ? 10 - (int)strlen(type) : 0, "");
	put_escaped(file, type);
	putc(' ', file);
}

void rows_print_table(FILE *file, const struct blktap_row *rows, size_t count)
{
	char pid[16], minor[16], state[16];
	int width = minor_width(rows, count);
	size_t i;

	for (i = 0; i < count; i++) {
		const struct blktap_row *row = &rows[i];

		snprintf(pid, sizeof(pid), row->pid ? "%d" : "-", (int)row->pid);
		snprintf(minor, sizeof(minor), row->minor >= 0 ? "%d" : "-", row->minor);
		snprintf(state, sizeof(state), row->has_state ? "%#x" : "-", row->state);
		fprintf(file, "%8s %*s %4s ", pid, width, minor, state);
		print_type(file, row->type ? row->type : "-");
		put_escaped(file, row->path ? row->path : "-");
		putc('\n', file);
	}
}

static void print_fields(FILE *file, const struct blktap_row *row)
{
	const char *gap = "";

	if (row->pid) {
		fprintf(file, "pid=%d", (int)row->pid);
		gap = " ";
	}
	if (row->minor >= 0) {
		fprintf(file, "%sminor=%d", gap, row->minor);
		gap = " ";
	}
	if (row->has_state) {
		fprintf(file, "%sstate=%#x", gap, row->state);
		gap = " ";
	}
	/* A line is a row, whatever there is in a name. */
	if (row->type && row->path) {
		fprintf(file, "%sargs=", gap);
		put_escaped(file, row->type);
		putc(':', file);
		put_escaped(file, row->path);
	}
	putc('\n', file);
}

void rows_print_fields(FILE *file, const struct blktap_row *rows, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		print_fields(file, &rows[i]);
}

json_t *row_json(const struct blktap_row *row)
{
	json_t *object = json_object();

	if (row->pid)
		json_object_set_new(object, "pid", json_integer(row->pid));
	if (row->minor >= 0)
		json_object_set_new(object, "minor", json_integer(row->minor));
	if (row->has_state)
		json_object_set_new(object, "state", json_integer(row->state));
	if (row->type && row->path) {
		json_object_set_new(object, "type", json_string(row->type));
		json_object_set_new(object, "path", json_string(row->path));
	}
	if (blktap_kernel_io_name(row->kernel_io))
		json_object_set_new(object, "kernel_io",
				    json_string(blktap_kernel_io_name(row->kernel_io)));
	describe_recovery(object, row->recovery, row->has_hold_left, row->hold_left_ms);
	return object;
}

json_t *rows_json(const struct blktap_row *rows, size_t count)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < count; i++) {
		if (json_array_append_new(array, row_json(&rows[i]))) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}
