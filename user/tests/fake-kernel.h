/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A kernel with taps of the test's choice, in place of the netlink client.
 */
#ifndef BLKTAP_FAKE_KERNEL_H
#define BLKTAP_FAKE_KERNEL_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk-seq.h"
#include "libblktap.h"

#define FAKE_TAPS	2000

static struct fake_kernel {
	int open_code;		/* what opening gives */
	size_t open_failures;	/* so often there is no memory first */
	struct blktap_tap taps[FAKE_TAPS];	/* by minor */
	size_t count;
	int list_code;		/* what listing them gives */
	size_t lists;		/* how often they were listed */
	void (*listed)(void);	/* called after each */
	struct blktap_event_msg events[32];	/* event 0: -ENOBUFS */
	size_t event_count, next_event;
	size_t event_failures;	/* so often there is no memory first */
	void (*freed)(void);	/* called after a tap was */
	size_t ends;		/* how often it was tried */
	pid_t ended;		/* which process, the last time */
	bool forced;
	bool disk_stays;	/* though it was forced */
	uint64_t disk_seq;	/* of each disk; 0: it cannot be told */
} kernel;

static inline void kernel_reset(void)
{
	memset(&kernel, 0, sizeof(kernel));
}

static inline struct blktap_tap *kernel_add(unsigned int minor, pid_t pid)
{
	struct blktap_tap *tap = &kernel.taps[kernel.count++];

	*tap = (struct blktap_tap){ .minor = minor, .pid = pid };
	return tap;
}

static inline void kernel_event(enum blktap_event event, uint64_t seq, unsigned int minor)
{
	kernel.events[kernel.event_count++] = (struct blktap_event_msg){
		.event = event, .seq = seq, .tap.minor = minor,
	};
}

int disk_seq(unsigned int minor, uint64_t *seq)
{
	(void)minor;
	*seq = kernel.disk_seq;
	return *seq ? 0 : -ENOENT;
}

int blktap_nl_open(struct blktap_nl **nl, struct blktap_error *err)
{
	*nl = NULL;
	if (kernel.open_failures) {
		kernel.open_failures--;
		return blktap_error_set(err, -ENOMEM, "cannot find the netlink family");
	}
	if (kernel.open_code)
		return blktap_error_set(err, kernel.open_code, "%s",
					"blktap kernel module not installed");
	return 0;
}

void blktap_nl_close(struct blktap_nl *nl)
{
	(void)nl;
}

int blktap_nl_features(struct blktap_nl *nl, struct blktap_features *features,
		       struct blktap_error *err)
{
	(void)nl;
	(void)err;
	*features = (struct blktap_features){
		.abi = BLKTAP_ABI_VERSION, .features = BLKTAP_F_HOLD | 1ULL << 40,
		.max_minors = 65536, .max_queues = 4, .max_depth = 1024, .max_io = 4 << 20,
	};
	return 0;
}

int blktap_nl_get(struct blktap_nl *nl, unsigned int minor, struct blktap_tap *tap,
		  struct blktap_error *err)
{
	size_t i;

	(void)nl;
	for (i = 0; i < kernel.count; i++) {
		if (kernel.taps[i].minor != minor)
			continue;
		*tap = kernel.taps[i];
		return 0;
	}
	return blktap_error_set(err, -ENODEV, "minor %u: no such minor", minor);
}

int blktap_nl_allocate(struct blktap_nl *nl, const struct blktap_tap_params *params,
		       struct blktap_tap *tap, struct blktap_error *err)
{
	unsigned int minor = params->minor < 0 ? 0 : params->minor;

	while (params->minor < 0 && !blktap_nl_get(nl, minor, tap, err))
		minor++;
	if (!blktap_nl_get(nl, minor, tap, err))
		return blktap_error_set(err, -EEXIST, "minor %u: taken", minor);
	*tap = *kernel_add(minor, 0);
	return 0;
}

int blktap_nl_free(struct blktap_nl *nl, unsigned int minor, bool force, int timeout_ms,
		   struct blktap_error *err)
{
	size_t i;

	(void)nl;
	(void)timeout_ms;
	for (i = 0; i < kernel.count; i++) {
		if (kernel.taps[i].minor != minor)
			continue;
		kernel.taps[i] = kernel.taps[--kernel.count];
		if (kernel.freed)
			kernel.freed();
		/* It goes, when nobody waits for that any more. */
		return force && kernel.disk_stays ? -ETIMEDOUT : 0;
	}
	return blktap_error_set(err, -ENODEV, "minor %u: no such minor", minor);
}

int blktap_nl_end_session(struct blktap_nl *nl, unsigned int minor, pid_t pid, bool force,
			  struct blktap_error *err)
{
	size_t i;

	(void)nl;
	kernel.ends++;
	kernel.ended = pid;
	kernel.forced = force;
	for (i = 0; i < kernel.count; i++) {
		if (kernel.taps[i].minor != minor)
			continue;
		if ((pid && kernel.taps[i].pid != pid) || (!kernel.taps[i].pid && !force))
			return blktap_error_set(err, -ESRCH, "minor %u: no daemon is attached, or "
						"it is another process", minor);
		kernel.taps[i].pid = 0;
		kernel.taps[i].disk_state = !force ? BLKTAP_DISK_STATE_LIVE :
					    kernel.disk_stays ? BLKTAP_DISK_STATE_REMOVING :
								BLKTAP_DISK_STATE_NONE;
	}
	return 0;
}

int blktap_nl_list(struct blktap_nl *nl, struct blktap_tap **taps, size_t *count,
		   struct blktap_error *err)
{
	(void)nl;
	if (kernel.list_code)
		return blktap_error_set(err, kernel.list_code, "cannot list taps");
	*taps = malloc((kernel.count + 1) * sizeof(**taps));
	memcpy(*taps, kernel.taps, kernel.count * sizeof(**taps));
	*count = kernel.count;
	kernel.lists++;
	if (kernel.listed)
		kernel.listed();
	return 0;
}

int blktap_nl_subscribe(struct blktap_nl *nl, struct blktap_error *err)
{
	(void)nl;
	(void)err;
	return 0;
}

int blktap_nl_fd(const struct blktap_nl *nl)
{
	(void)nl;
	return -1;
}

int blktap_nl_next_event(struct blktap_nl *nl, struct blktap_event_msg *msg,
			 struct blktap_error *err)
{
	(void)nl;
	if (kernel.event_failures) {
		kernel.event_failures--;
		return blktap_error_set(err, -ENOMEM, "no memory for an event");
	}
	if (kernel.next_event == kernel.event_count)
		return 0;
	*msg = kernel.events[kernel.next_event++];
	if (!msg->event)
		return blktap_error_set(err, -ENOBUFS, "blktap: events were lost");
	return 1;
}

#endif /* BLKTAP_FAKE_KERNEL_H */
