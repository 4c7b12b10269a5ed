// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>

#include "cleanup.h"
#include "held.h"

static int list_taps(struct blktap_tap **taps, size_t *count, struct blktap_error *err)
{
	struct blktap_nl *nl;
	int ret;

	ret = blktap_nl_open(&nl, err);
	if (ret)
		return ret;
	ret = blktap_nl_list(nl, taps, count, err);
	blktap_nl_close(nl);
	return ret;
}

static void describe(const struct blktap_tap *tap, struct held *disk)
{
	struct blktap_record *record;

	*disk = (struct held){ .minor = tap->minor, .recovery = tap->recovery };
	if (blktap_record_read(tap->minor, &record, NULL))
		return;
	disk->of = record->pid;
	disk->paused = record->paused;
	disk->restart = record->open.restart;
	blktap_record_free(record);
}

static int compare(const void *a, const void *b)
{
	const struct held *left = a, *right = b;

	if (left->of != right->of)
		return left->of < right->of ? -1 : 1;
	return (left->minor > right->minor) - (left->minor < right->minor);
}

int held_list(struct held **disks, size_t *count, struct blktap_error *err)
{
	CLEANUP_FREE struct blktap_tap *taps = NULL;
	size_t nr_taps, used = 0, i;
	struct held *list;
	int ret;

	ret = list_taps(&taps, &nr_taps, err);
	if (ret)
		return ret;
	list = calloc(nr_taps + 1, sizeof(*list));
	if (!list)
		return blktap_error_set(err, -ENOMEM, "no memory for the list of disks");
	for (i = 0; i < nr_taps; i++)
		if (taps[i].recovery != BLKTAP_RECOVERY_NONE && !taps[i].pid &&
		    taps[i].disk_state == BLKTAP_DISK_STATE_LIVE)
			describe(&taps[i], &list[used++]);
	if (used)
		qsort(list, used, sizeof(*list), compare);
	*disks = list;
	*count = used;
	return 0;
}

void held_recover(const struct held *disks, size_t count, int timeout_ms,
		  void (*told)(const struct held *disk, pid_t pid, const struct blktap_error *err,
			       void *data), void *data)
{
	struct blktap_recover_params params = { .unserved = true, .timeout_ms = timeout_ms };
	struct blktap_error err;
	pid_t pid, killed;
	size_t i;

	for (i = 0; i < count; i++) {
		params.minor = disks[i].minor;
		if (blktap_recover(&params, &pid, &killed, &err)) {
			told(&disks[i], 0, &err, data);
			continue;
		}
		params.pid = pid;
		told(&disks[i], pid, NULL, data);
	}
}
