// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "held.h"

#define PATIENCE	8	/* what part of the time the others wait for one, at first */

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
	if (record->spawn.user)
		snprintf(disk->user, sizeof(disk->user), "%s", record->spawn.user);
	disk->no_sandbox = record->spawn.no_sandbox;
	disk->paused = record->paused;
	disk->restart = record->open.restart;
	blktap_record_free(record);
}

static int compare_tapdisk(const struct held *a, const struct held *b)
{
	if (a->of != b->of)
		return a->of < b->of ? -1 : 1;
	return a->no_sandbox != b->no_sandbox ? a->no_sandbox - b->no_sandbox :
						strcmp(a->user, b->user);
}

static int compare(const void *a, const void *b)
{
	const struct held *left = a, *right = b;

	return compare_tapdisk(left, right) ?:
	       (left->minor > right->minor) - (left->minor < right->minor);
}

bool held_together(const struct held *a, const struct held *b)
{
	return a->of && compare_tapdisk(a, b) == 0;
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

/* ------------------------------------------------------------------- recovering */

struct recovering {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	int timeout_ms;
	void (*told)(const struct held *disk, pid_t pid, const struct blktap_error *err,
		     void *data);
	void *data;
};

struct attempt {
	struct recovering *recovering;
	const struct held *disk;
	pid_t pid;		/* that is to have it, 0: a new one; then that has it, or 0 */
	bool ended;
	bool threaded;
	pthread_t thread;
};

static void *run_attempt(void *data)
{
	struct attempt *attempt = data;
	struct recovering *recovering = attempt->recovering;
	struct blktap_recover_params params = {
		.minor = attempt->disk->minor,
		.pid = attempt->pid,
		.unserved = true,
		.timeout_ms = recovering->timeout_ms,
	};
	struct blktap_error err;
	pid_t pid, killed;
	int ret = blktap_recover(&params, &pid, &killed, &err);

	pthread_mutex_lock(&recovering->lock);
	attempt->pid = ret ? 0 : pid;
	attempt->ended = true;
	recovering->told(attempt->disk, attempt->pid, ret ? &err : NULL, recovering->data);
	pthread_cond_signal(&recovering->ended);
	pthread_mutex_unlock(&recovering->lock);
	return NULL;
}

static void start_attempt(struct attempt *attempt)
{
	attempt->threaded = !pthread_create(&attempt->thread, NULL, run_attempt, attempt);
	if (!attempt->threaded)
		run_attempt(attempt);
}

static void join(struct attempt *attempt)
{
	if (attempt->threaded)
		pthread_join(attempt->thread, NULL);
	attempt->threaded = false;
}

static bool ends_within(struct attempt *attempt, int timeout_ms)
{
	struct recovering *recovering = attempt->recovering;
	struct timespec until;
	bool ended;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_mutex_lock(&recovering->lock);
	while (!attempt->ended &&
	       pthread_cond_clockwait(&recovering->ended, &recovering->lock, CLOCK_MONOTONIC,
				      &until) == 0)
		;
	ended = attempt->ended;
	pthread_mutex_unlock(&recovering->lock);
	return ended;
}

/*
 * One after the other, so that they can have one tapdisk. One that takes long goes on beside
 * the next, which gets another tapdisk, and the patience with those is less and less.
 */
static void run_attempts(struct attempt *attempts, size_t count)
{
	int patience_ms = attempts->recovering->timeout_ms / PATIENCE;
	pid_t pid = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		struct attempt *attempt = &attempts[i];

		if (i && !held_together(attempt->disk, attempt[-1].disk))
			pid = 0;
		attempt->pid = pid;
		start_attempt(attempt);
		if (!ends_within(attempt, patience_ms)) {
			patience_ms /= 2;
			pid = 0;
			continue;
		}
		join(attempt);
		if (attempt->pid)
			pid = attempt->pid;
	}
	for (i = 0; i < count; i++)
		join(&attempts[i]);
}

int held_recover(const struct held *disks, size_t count, int timeout_ms,
		 void (*told)(const struct held *disk, pid_t pid, const struct blktap_error *err,
			      void *data), void *data)
{
	struct recovering recovering = {
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.ended = PTHREAD_COND_INITIALIZER,
		.timeout_ms = timeout_ms,
		.told = told,
		.data = data,
	};
	CLEANUP_FREE struct attempt *attempts = calloc(count + 1, sizeof(*attempts));
	size_t i;

	if (!attempts)
		return -ENOMEM;
	for (i = 0; i < count; i++)
		attempts[i] = (struct attempt){ .recovering = &recovering, .disk = &disks[i] };
	if (count)
		run_attempts(attempts, count);
	return 0;
}
