// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "removal.h"
#include "tap-wait.h"

#define LOOK_MS		100	/* between looks at what has been told */

static void note_image(struct removal *removal)
{
	struct blktap_record *record;

	if (blktap_record_read(removal->minor, &record, NULL))
		return;
	removal->image = strdup(record->open.image);
	blktap_record_free(record);
}

int removal_begin(struct removal *removal, unsigned int minor, struct blktap_error *err)
{
	int ret;

	*removal = (struct removal){ .minor = minor };
	ret = blktap_nl_open(&removal->nl, err);
	if (ret)
		return ret;
	/* It goes without, too. */
	removal->watching = !blktap_nl_open(&removal->events, NULL) &&
			    !blktap_nl_subscribe(removal->events, NULL);
	note_image(removal);
	return 0;
}

void removal_end(struct removal *removal)
{
	blktap_nl_close(removal->events);
	blktap_nl_close(removal->nl);
	free(removal->image);
}

/* Of a disk that lives, the event would tell of an earlier session. */
static bool is_stuck(const struct blktap_event_msg *msg, unsigned int minor)
{
	return msg->event == BLKTAP_EVENT_STUCK && msg->tap.minor == minor &&
	       msg->tap.disk_state != BLKTAP_DISK_STATE_NONE &&
	       msg->tap.disk_state != BLKTAP_DISK_STATE_LIVE;
}

static void look(struct removal *removal)
{
	struct blktap_event_msg msg;
	int ret;

	if (!removal->watching)
		return;
	do {
		ret = blktap_nl_next_event(removal->events, &msg, NULL);
		removal->stuck |= ret > 0 && is_stuck(&msg, removal->minor);
	} while (ret > 0 || ret == -ENOBUFS);
}

static bool is_gone(const struct blktap_tap *tap)
{
	return tap->disk_state == BLKTAP_DISK_STATE_NONE;
}

int removal_explain(struct removal *removal, struct blktap_error *err)
{
	look(removal);
	if (!removal->stuck)
		return blktap_error_set(err, -ETIMEDOUT, "minor %u: its disk does not go away",
					removal->minor);
	return blktap_error_set(err, -ETIMEDOUT, "tapdev%u goes as soon as %s answers: I/O of the "
				"kernel's is under way there", removal->minor,
				removal->image ? removal->image : "the device below it");
}

int removal_wait(struct removal *removal, int timeout_ms, struct blktap_error *err)
{
	struct deadline deadline = deadline_in(timeout_ms);
	int ret;

	do {
		int step_ms = deadline_step(deadline, LOOK_MS);

		ret = tap_wait(removal->nl, removal->minor, is_gone, deadline_in(step_ms), err);
		look(removal);
	} while (ret == -ETIMEDOUT && !removal->stuck && !deadline_passed(deadline));
	if (ret == -ETIMEDOUT)
		return removal_explain(removal, err);
	if (ret == -EINTR)
		return blktap_error_set(err, ret, "interrupted while tapdev%u was removed",
					removal->minor);
	return ret;
}
