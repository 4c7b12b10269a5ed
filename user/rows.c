// SPDX-License-Identifier: LGPL-2.1-or-later
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "rows.h"

static int compare_tap(const void *key, const void *element)
{
	int minor = *(const int *)key;
	const struct blktap_tap *tap = element;

	return (minor > (int)tap->minor) - (minor < (int)tap->minor);
}

const struct blktap_tap *taps_find(const struct blktap_tap *taps, size_t count, int minor)
{
	return count ? bsearch(&minor, taps, count, sizeof(*taps), compare_tap) : NULL;
}

static int compare_tapdisk(const void *key, const void *element)
{
	pid_t pid = *(const pid_t *)key;
	const struct blktap_tapdisk *tapdisk = element;

	return (pid > tapdisk->pid) - (pid < tapdisk->pid);
}

struct blktap_tapdisk *tapdisks_find(struct blktap_tapdisk *tapdisks, size_t count, pid_t pid)
{
	return count ? bsearch(&pid, tapdisks, count, sizeof(*tapdisks), compare_tapdisk) : NULL;
}

/* --------------------------------------------------------------------- joining */

static int compare_rows(const void *a, const void *b)
{
	const struct blktap_row *left = a, *right = b;
	pid_t left_pid = left->pid ? left->pid : INT_MAX;
	pid_t right_pid = right->pid ? right->pid : INT_MAX;

	if (left_pid != right_pid)
		return left_pid < right_pid ? -1 : 1;
	return (left->minor > right->minor) - (left->minor < right->minor);
}

static void add_recovery(struct blktap_row *row, const struct blktap_tap *tap)
{
	row->recovery = tap->recovery;
	row->has_hold_left = tap->has_hold_left;
	row->hold_left_ms = tap->hold_left_ms;
}

/* Adds a tapdisk's rows; marks the taps that it serves. */
static size_t add_tapdisk(struct blktap_row *rows, struct blktap_tapdisk *tapdisk,
			  const struct blktap_tap *taps, size_t tap_count, bool *served)
{
	const struct blktap_tap *tap;
	size_t i;

	if (!tapdisk->count) {
		rows[0] = (struct blktap_row){ .pid = tapdisk->pid, .minor = -1 };
		return 1;
	}
	for (i = 0; i < tapdisk->count; i++) {
		struct blktap_vbd_info *vbd = &tapdisk->vbds[i];

		rows[i] = (struct blktap_row){
			.pid = tapdisk->pid,
			.minor = vbd->minor,
			.has_state = true,
			.state = vbd->state,
			.kernel_io = vbd->kernel_io,
		};
		rows[i].type = TAKE_POINTER(vbd->type);
		rows[i].path = TAKE_POINTER(vbd->path);
		tap = taps_find(taps, tap_count, vbd->minor);
		if (!tap)
			continue;
		served[tap - taps] = true;
		add_recovery(&rows[i], tap);
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

struct blktap_row *rows_join(const struct blktap_tap *taps, size_t tap_count,
			     struct blktap_tapdisk *tapdisks, size_t tapdisk_count,
			     size_t *count)
{
	CLEANUP_FREE bool *served = calloc(tap_count + 1, sizeof(*served));
	size_t most = tap_count + tapdisk_count + count_vbds(tapdisks, tapdisk_count);
	struct blktap_row *rows = calloc(most + 1, sizeof(*rows));
	size_t used = 0, i;

	if (!rows || !served) {
		free(rows);
		return NULL;
	}
	for (i = 0; i < tapdisk_count; i++)
		used += add_tapdisk(&rows[used], &tapdisks[i], taps, tap_count, served);
	/* A tapdisk that does not answer still has its taps: the kernel knows whose. */
	for (i = 0; i < tap_count; i++) {
		if (served[i])
			continue;
		rows[used] = (struct blktap_row){ .pid = taps[i].pid, .minor = taps[i].minor };
		add_recovery(&rows[used++], &taps[i]);
	}
	qsort(rows, used, sizeof(*rows), compare_rows);
	*count = used;
	return rows;
}

/* ------------------------------------------------------------------- filtering */

static bool matches(const struct blktap_row *row, const struct blktap_filter *filter)
{
	if (filter->pid && row->pid != filter->pid)
		return false;
	if (filter->minor >= 0 && row->minor != filter->minor)
		return false;
	if (filter->type && (!row->type || strcmp(row->type, filter->type) != 0))
		return false;
	return !filter->path || (row->path && strcmp(row->path, filter->path) == 0);
}

static void clear_row(struct blktap_row *row)
{
	free(row->type);
	free(row->path);
	memset(row, 0, sizeof(*row));
}

size_t rows_filter(struct blktap_row *rows, size_t count, const struct blktap_filter *filter)
{
	size_t kept = 0, i;

	for (i = 0; i < count; i++) {
		struct blktap_row row = rows[i];

		if (matches(&row, filter))
			rows[kept++] = row;
		else
			clear_row(&row);
	}
	return kept;
}

void blktap_rows_free(struct blktap_row *rows, size_t count)
{
	size_t i;

	for (i = 0; rows && i < count; i++)
		clear_row(&rows[i]);
	free(rows);
}
