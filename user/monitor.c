// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Events of the kernel that account for what is lost.
 */
#include <errno.h>
#include <stdlib.h>

#include "deadline.h"
#include "libblktap.h"

#define DRAIN_MS	1000	/* for throwing away what a list will tell better */

struct blktap_monitor {
	struct blktap_nl *events;
	struct blktap_nl *queries;	/* a socket has either events or answers */
	uint64_t seq;		/* of the last event; 0: any may be next */
	uint64_t told;		/* of the last event that was handed out */
	bool lost;		/* a list is to be made */
	struct blktap_tap *taps;	/* what is still to be told of a list */
	size_t count;
	size_t next;
};

int blktap_monitor_open(struct blktap_monitor **monitor, struct blktap_error *err)
{
	struct blktap_monitor *opened = calloc(1, sizeof(*opened));
	int ret;

	*monitor = NULL;
	if (!opened)
		return blktap_error_set(err, -ENOMEM, "no memory for events");
	ret = blktap_nl_open(&opened->events, err);
	if (!ret)
		ret = blktap_nl_open(&opened->queries, err);
	if (!ret)
		ret = blktap_nl_subscribe(opened->events, err);
	if (ret) {
		blktap_monitor_close(opened);
		return ret;
	}
	*monitor = opened;
	return 0;
}

void blktap_monitor_close(struct blktap_monitor *monitor)
{
	if (!monitor)
		return;
	blktap_nl_close(monitor->events);
	blktap_nl_close(monitor->queries);
	free(monitor->taps);
	free(monitor);
}

int blktap_monitor_fd(const struct blktap_monitor *monitor)
{
	return blktap_nl_fd(monitor->events);
}

/* Events from before the list would be told after it. */
static void drain(struct blktap_monitor *monitor)
{
	struct deadline deadline = deadline_in(DRAIN_MS);
	struct blktap_event_msg msg;
	int ret;

	do {
		ret = blktap_nl_next_event(monitor->events, &msg, NULL);
	} while ((ret > 0 || ret == -ENOBUFS) && !deadline_passed(deadline));
	monitor->seq = 0;
}

static int make_list(struct blktap_monitor *monitor, struct blktap_error *err)
{
	int ret;

	drain(monitor);
	free(monitor->taps);
	monitor->taps = NULL;
	monitor->next = 0;
	monitor->count = 0;
	ret = blktap_nl_list(monitor->queries, &monitor->taps, &monitor->count, err);
	monitor->lost = ret;
	return ret;
}

static int tell_lost(struct blktap_monitor *monitor, struct blktap_notice *notice)
{
	monitor->lost = true;
	*notice = (struct blktap_notice){ .kind = BLKTAP_NOTICE_LOST };
	notice->msg.seq = monitor->told;
	return 1;
}

static int tell_state(struct blktap_monitor *monitor, struct blktap_notice *notice)
{
	*notice = (struct blktap_notice){ .kind = BLKTAP_NOTICE_STATE };
	notice->msg.tap = monitor->taps[monitor->next++];
	return 1;
}

static int tell_event(struct blktap_monitor *monitor, struct blktap_notice *notice,
		      struct blktap_error *err)
{
	int ret = blktap_nl_next_event(monitor->events, &notice->msg, err);

	if (ret == -ENOBUFS)
		return tell_lost(monitor, notice);
	if (ret <= 0)
		return ret;
	if (monitor->seq && notice->msg.seq != monitor->seq + 1)
		return tell_lost(monitor, notice);
	monitor->seq = notice->msg.seq;
	monitor->told = notice->msg.seq;
	notice->kind = BLKTAP_NOTICE_EVENT;
	return 1;
}

int blktap_monitor_next(struct blktap_monitor *monitor, struct blktap_notice *notice,
			struct blktap_error *err)
{
	int ret = monitor->lost ? make_list(monitor, err) : 0;

	if (ret)
		return ret;
	if (monitor->next < monitor->count)
		return tell_state(monitor, notice);
	return tell_event(monitor, notice, err);
}
