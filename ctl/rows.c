// SPDX-License-Identifier: GPL-2.0-only
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "rows.h"

/* --------------------------------------------------------------------- joining */

static int compare_minor(const void *key, const void *element)
{
	int minor = *(const int *)key;
	const struct blktap_tap *tap = element;

	return (minor > (int)tap->minor) - (minor < (int)tap->minor);
}

static const struct blktap_tap *find_tap(const struct blktap_tap *taps, size_t count, int minor)
{
	return count ? bsearch(&minor, taps, count, sizeof(*taps), compare_minor) : NULL;
}

static int compare_rows(const void *a, const void *b)
{
	const struct row *left = a, *right = b;
	pid_t left_pid = left->pid ? left->pid : INT_MAX;
	pid_t right_pid = right->pid ? right->pid : INT_MAX;

	if (left_pid != right_pid)
		return left_pid < right_pid ? -1 : 1;
	return (left->minor > right->minor) - (left->minor < right->minor);
}

/* Adds a tapdisk's rows; marks the taps that it serves. */
static size_t add_tapdisk(struct row *rows, const struct blktap_tapdisk *tapdisk,
			  const struct blktap_tap *taps, size_t tap_count, bool *served)
{
	const struct blktap_tap *tap;
	size_t i;

	if (!tapdisk->count) {
		rows[0] = (struct row){ .pid = tapdisk->pid, .minor = -1 };
		return 1;
	}
	for (i = 0; i < tapdisk->count; i++) {
		const struct blktap_vbd_info *vbd = &tapdisk->vbds[i];

		rows[i] = (struct row){
			.pid = tapdisk->pid,
			.minor = vbd->minor,
			.has_state = true,
			.state = vbd->state,
			.type = vbd->type,
			.path = vbd->path,
		};
		tap = find_tap(taps, tap_count, vbd->minor);
		if (tap)
			served[tap - taps] = true;
	}
	return tapdisk->count;
}

static size_t count_vbds(const struct blktap_tapdisk *tapdisks, size_t count)
{
	size_t vbds = 0, i;

	for (i = 0; i < count; i++)
		vbds += tapdisks[i].count;
	return vbds;
}

struct row *rows_join(const struct blktap_tap *taps, size_t tap_count,
		      const struct blktap_tapdisk *tapdisks, size_t tapdisk_count,
		      size_t *count)
{
	CLEANUP_FREE bool *served = calloc(tap_count + 1, sizeof(*served));
	size_t most = tap_count + tapdisk_count + count_vbds(tapdisks, tapdisk_count);
	struct row *rows = calloc(most + 1, sizeof(*rows));
	size_t used = 0, i;

	if (!rows || !served) {
		free(rows);
		return NULL;
	}
	for (i = 0; i < tapdisk_count; i++)
		used += add_tapdisk(&rows[used], &tapdisks[i], taps, tap_count, served);
	/* A tapdisk that does not answer still has its taps: the kernel knows whose. */
	for (i = 0; i < tap_count; i++)
		if (!served[i])
			rows[used++] = (struct row){
				.pid = taps[i].pid,
				.minor = taps[i].minor,
			};
	qsort(rows, used, sizeof(*rows), compare_rows);
	*count = used;
	return rows;
}

static bool wanted(const struct row *row, const struct options *options)
{
	if (options->pid && row->pid != options->pid)
		return false;
	if (options->minor >= 0 && row->minor != options->minor)
		return false;
	if (options->type && (!row->type || strcmp(row->type, options->type) != 0))
		return false;
	return !options->path || (row->path && strcmp(row->path, options->path) == 0);
}

size_t rows_filter(struct row *rows, size_t count, const struct options *options)
{
	size_t kept = 0, i;

	for (i = 0; i < count; i++)
		if (wanted(&rows[i], options))
			rows[kept++] = rows[i];
	return kept;
}

/* -------------------------------------------------------------------- printing */

static int minor_width(const struct row *rows, size_t count)
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

/* Control characters, those that UTF-8 has beyond ASCII included. */
static bool is_control(const unsigned char *text)
{
	if (text[0] < 0x20 || text[0] == 0x7f)
		return true;
	return text[0] == 0xc2 && text[1] >= 0x80 && text[1] < 0xa0;
}

static void print_escaped(FILE *file, const char *text)
{
	const unsigned char *c = (const unsigned char *)text;

	for (; *c; c++) {
		if (!is_control(c)) {
			putc(*c, file);
			continue;
		}
		fprintf(file, "\\x%02x", *c);
		if (*c == 0xc2)
			fprintf(file, "\\x%02x", *++c);
	}
}

void rows_print_table(FILE *file, const struct row *rows, size_t count)
{
	char pid[16], minor[16], state[16];
	int width = minor_width(rows, count);
	size_t i;

	for (i = 0; i < count; i++) {
		const struct row *row = &rows[i];

		snprintf(pid, sizeof(pid), row->pid ? "%d" : "-", (int)row->pid);
		snprintf(minor, sizeof(minor), row->minor >= 0 ? "%d" : "-", row->minor);
		snprintf(state, sizeof(state), row->has_state ? "%#x" : "-", row->state);
		fprintf(file, "%8s %*s %4s ", pid, width, minor, state);
		/* A driver's name is a plain word. */
		fprintf(file, "%10s ", row->type ? row->type : "-");
		print_escaped(file, row->path ? row->path : "-");
		putc('\n', file);
	}
}

static void print_fields(FILE *file, const struct row *row)
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
	if (row->type && row->path)
		fprintf(file, "%sargs=%s:%s", gap, row->type, row->path);
	putc('\n', file);
}

void rows_print_fields(FILE *file, const struct row *rows, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		print_fields(file, &rows[i]);
}
