// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Names of what the kernel tells by numbers.
 */
#include "cleanup.h"
#include "libblktap.h"

const char *blktap_event_name(enum blktap_event event)
{
	static const char *const names[] = {
		[BLKTAP_EVENT_ALLOCATED] = "allocated",
		[BLKTAP_EVENT_FREED] = "freed",
		[BLKTAP_EVENT_ATTACHED] = "attached",
		[BLKTAP_EVENT_DETACHED] = "detached",
		[BLKTAP_EVENT_DISK_ADDED] = "disk-added",
		[BLKTAP_EVENT_DISK_REMOVED] = "disk-removed",
		[BLKTAP_EVENT_DAEMON_LOST] = "daemon-lost",
		[BLKTAP_EVENT_TIMEOUT] = "timeout",
		[BLKTAP_EVENT_RESIZED] = "resized",
	};

	return (size_t)event < ARRAY_SIZE(names) ? names[event] : NULL;
}

const char *blktap_disk_state_name(uint32_t state)
{
	static const char *const names[] = {
		[BLKTAP_DISK_STATE_NONE] = "none",
		[BLKTAP_DISK_STATE_ADDING] = "adding",
		[BLKTAP_DISK_STATE_LIVE] = "live",
		[BLKTAP_DISK_STATE_REMOVING] = "removing",
	};

	return state < ARRAY_SIZE(names) ? names[state] : NULL;
}
